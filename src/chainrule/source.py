"""Where a value was computed: the user's file, line, expression, and the name it was given.

A `Source` is captured in about a microsecond (code objects and instruction offsets only) and
resolved to lines, text and names when someone asks.
"""

from __future__ import annotations

import ast
import dis
import linecache
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType

__all__ = [
    "Position",
    "Source",
    "boundaries",
    "calls",
    "capture",
    "doing",
    "is_user_code",
    "library_call",
]

_HERE = str(Path(__file__).parent)
_PYTHON = str(Path(ast.__file__).parent) + os.sep


@dataclass(frozen=True)
class Position:
    """A stretch of a user's file: lines count from 1, columns from 0, as in Python's own."""

    file: str
    line: int
    end_line: int
    column: int
    end_column: int

    @property
    def text(self) -> str:
        """The expression as the user wrote it, on one line; empty where no source is at hand."""
        lines = [linecache.getline(self.file, n) for n in range(self.line, self.end_line + 1)]
        if not any(lines):
            return ""
        encoded = [line.encode() for line in lines]
        encoded[-1] = encoded[-1][: self.end_column]
        encoded[0] = encoded[0][self.column :]
        return " ".join(part.decode(errors="replace").strip() for part in encoded)


@dataclass(frozen=True)
class Source:
    """The chain of user frames in which a value was computed, the innermost first.

    Each frame is its code object and the offset of the instruction that was running.
    """

    frames: tuple[tuple[CodeType, int], ...]

    def __str__(self) -> str:
        position = self.position
        return f"{position.file}:{position.line}" if position else "an unknown place"

    @property
    def position(self) -> Position | None:
        """The innermost expression."""
        return _position(*self.frames[0]) if self.frames else None

    @property
    def positions(self) -> list[Position]:
        """The expressions of all frames, the innermost first."""
        found = [_position(code, offset) for code, offset in self.frames]
        return [each for each in found if each is not None]

    @property
    def name(self) -> str | None:
        """The variable that the value was assigned to, if it was assigned as it is.

        A value that a function returns takes the name that the caller gives to the call.
        """
        for code, offset in self.frames:
            position = _position(code, offset)
            if position is None:
                return None
            kind, name = _roles(position.file).get(_key(position), (None, None))
            if kind == "assigned":
                return name
            if kind != "returned":
                return None
        return None

    @property
    def assigned_line(self) -> int | None:
        """The line in which the value was assigned to its name; see `name`."""
        for code, offset in self.frames:
            position = _position(code, offset)
            if position is None:
                return None
            kind, _ = _roles(position.file).get(_key(position), (None, None))
            if kind == "assigned":
                return position.line
            if kind != "returned":
                return None
        return None

    @property
    def returned_line(self) -> int | None:
        """The line in which a function returns the value as it is, where it is computed."""
        position = self.position
        if position is None:
            return None
        kind, _ = _roles(position.file).get(_key(position), (None, None))
        return position.line if kind == "returned" else None

    @property
    def keyword(self) -> str | None:
        """The argument that the value is passed for by its name, or its key in a dict's display."""
        position = self.position
        if position is None:
            return None
        kind, name = _roles(position.file).get(_key(position), (None, None))
        return name if kind == "keyword" else None

    def describe(self) -> str:
        """The place with the user's text, for a message: ``net.py:12, in `z1 = X @ W1` ``."""
        position = self.position
        if position is None:
            return "an unknown place"
        line = linecache.getline(position.file, position.line).strip()
        where = f"{position.file}, line {position.line}"
        return f"{where}, in `{line}`" if line else where


boundaries: set[CodeType] = set()


def capture() -> Source:
    """The user's frames from here outward, up to one whose code is among the ``boundaries``."""
    frames: list[tuple[CodeType, int]] = []
    libraries: list[tuple[CodeType, int]] = []
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code not in boundaries:
        if is_user_code(frame.f_code):
            frames.append((frame.f_code, frame.f_lasti))
        elif not frames and not frame.f_code.co_filename.startswith(_HERE):
            libraries.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    # A function of a library that is traced itself has no frame outside the library.
    return Source(tuple(frames or libraries))


def library_call() -> str | None:
    """The library's function that the program has called, from which this was reached, or None."""
    found: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and not is_user_code(frame.f_code):
        if not frame.f_code.co_filename.startswith(_HERE):
            found = frame
        frame = frame.f_back
    if found is None or frame is None:
        return None
    return f"{found.f_globals.get('__name__', '').partition('.')[0]}'s {found.f_code.co_qualname}"


@lru_cache(maxsize=4096)
def is_user_code(code: CodeType) -> bool:
    """Whether code is neither ours, nor Python's own, nor of an installed package."""
    path = code.co_filename
    if path.startswith(_HERE):
        return path.startswith(_NETWORKS)
    return not path.startswith((_PYTHON, "<frozen ")) and "site-packages" not in Path(path).parts


@lru_cache(maxsize=65536)
def calls(code: CodeType, offset: int, name: str) -> bool:
    """Whether a program (not ours, and of no installed package) calls by that name just there.

    Compiled libraries have no frames of their own: what they call seems to be called by the
    program that called them. The name that stands at the program's call tells the two apart.
    """
    path = code.co_filename
    if path.startswith(_HERE) or "site-packages" in Path(path).parts:
        return False
    return _called(code, offset).rpartition(".")[2] == name


@lru_cache(maxsize=65536)
def _called(code: CodeType, offset: int) -> str:
    """The function that code calls just there, as it is written, or by its last name."""
    here = _position(code, offset)
    if here is None:
        return ""
    # The function's own expression starts where the call does, and ends before it.
    called, end = "", (0, 0)
    for each in dis.get_instructions(code):
        place = each.positions
        if each.offset >= offset or place is None or not each.opname.startswith("LOAD_"):
            continue
        ends = (place.end_lineno or 0, place.end_col_offset or 0)
        if (place.lineno, place.col_offset) == (here.line, here.column) and (
            end <= ends < (here.end_line, here.end_column)
        ):
            called, end = str(each.argval), ends
    if not called:
        return ""
    whole = Position(here.file, here.line, end[0], here.column, end[1])
    return whole.text or called


def doing() -> tuple[str, str]:
    """What the program does now: its instruction, and the function that it calls, as written."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and not is_user_code(frame.f_code):
        frame = frame.f_back
    if frame is None or frame.f_lasti < 0:
        return "", ""
    code, at = frame.f_code.co_code, frame.f_lasti
    while at > 0 and dis.opname[code[at]] == "CACHE":  # belongs to the instruction before
        at -= 2
    name = dis.opname[code[at]]
    called = _called(frame.f_code, frame.f_lasti) if "CALL" in name else ""
    return name, called


# Our own layers, losses and optimisers are ordinary NumPy: their lines are worth showing.
_NETWORKS = (str(Path(_HERE) / "networks"), str(Path(_HERE) / "training"))


@lru_cache(maxsize=65536)
def _position(code: CodeType, offset: int) -> Position | None:
    for index, (line, end_line, column, end_column) in enumerate(code.co_positions()):
        if index == offset // 2:
            if line is None:
                return None
            return Position(
                code.co_filename, line, end_line or line, column or 0, end_column or 1_000_000
            )
    return None


def _key(position: Position) -> tuple[int, int, int, int]:
    return (position.line, position.end_line, position.column, position.end_column)


@lru_cache(maxsize=256)
def _roles(file: str) -> dict[tuple[int, int, int, int], tuple[str, str | None]]:
    """For each expression in a file that is assigned, returned or passed whole: to what name."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    roles: dict[tuple[int, int, int, int], tuple[str, str | None]] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            roles[_span(statement.value)] = ("assigned", ast.unparse(statement.targets[0]))
        elif isinstance(statement, ast.AnnAssign | ast.NamedExpr) and statement.value is not None:
            roles[_span(statement.value)] = ("assigned", ast.unparse(statement.target))
        elif isinstance(statement, ast.AugAssign):
            roles[_span(statement)] = ("assigned", ast.unparse(statement.target))
        elif isinstance(statement, ast.Return) and statement.value is not None:
            roles[_span(statement.value)] = ("returned", None)
        elif isinstance(statement, ast.Lambda):
            roles[_span(statement.body)] = ("returned", None)
        elif isinstance(statement, ast.keyword) and statement.arg is not None:
            roles[_span(statement.value)] = ("keyword", statement.arg)
        elif isinstance(statement, ast.Dict):
            for key, value in zip(statement.keys, statement.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    roles[_span(value)] = ("keyword", key.value)
    return roles


def _span(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
    return (node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0)
