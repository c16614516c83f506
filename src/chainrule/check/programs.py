"""A user's program as it is checked: a script, or the cells of a notebook one after the other."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.errors import DataError

__all__ = ["Place", "Program", "load_program"]

_MAGIC = re.compile(r"^\s*(%|!|\?|[\w.]+\?{1,2}\s*$)")


_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun")


@dataclass(frozen=True)
class Place:
    """A line of the user's: from 1, in a notebook within its cell, and cells from 0 among all."""

    line: int
    cell: int | None = None

    def __str__(self) -> str:
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"


@dataclass(frozen=True)
class Program:
    """The text of a program, and where each of its lines stands in the user's file.

    ``shown`` are the lines whose expression a notebook displays. ``call`` is the name of a function
    that is called after the last line: then the file runs as a module that is imported.
    """

    path: Path
    text: str
    places: tuple[Place, ...]
    shown: frozenset[int] = frozenset()
    call: str = ""

    @property
    def own_text(self) -> str:
        """The text of the user's file, without the call."""
        return self.text.removesuffix(_called(self.call))

    def place(self, line: int) -> Place:
        """Where a line of the text stands in the user's file."""
        return self.places[min(line, len(self.places)) - 1]

    def line(self, number: int) -> str:
        """A line of the text."""
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def with_lines(self, first: int, last: int, lines: Sequence[str]) -> Program:
        """The program with other lines in the place of some, those after it counted anew."""
        own = self.text.split("\n")
        start, more = self.places[first - 1], len(lines) - (last - first + 1)
        new = [Place(start.line + i, start.cell) for i in range(len(lines))]
        after = [
            Place(each.line + more, each.cell) if each.cell == start.cell else each
            for each in self.places[last:]
        ]
        shown = frozenset(line + (more if line > last else 0) for line in self.shown)
        text = "\n".join([*own[: first - 1], *lines, *own[last:]])
        return replace(
            self, text=text, places=(*self.places[: first - 1], *new, *after), shown=shown
        )

    def tree(self) -> ast.Module:
        """The program as Python reads it. Raises DataError, with the line, where it cannot."""
        try:
            with warnings.catch_warnings():  # they are the program's, and it gives them itself
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text, str(self.path))
                compile(tree, str(self.path), "exec", dont_inherit=True)  # finds a stray return
            return tree
        except SyntaxError as error:
            where = f", {self.place(error.lineno)}" if error.lineno else ""
            raise DataError(f"{self.path}{where}: Python cannot read it: {error.msg}.") from None
        except ValueError as error:
            raise DataError(f"{self.path}: Python cannot read it: {error}.") from None
        except (RecursionError, MemoryError):
            raise DataError(f"{self.path}: Python cannot read it: it is nested too deep.") from None


def load_program(path: str | Path, call: str = "") -> Program:
    """Read a script (.py) or a notebook (.ipynb); ``call`` names a function of it to be called.

    Raises DataError for a file that is not there, or is neither.
    """
    path = Path(path)
    if path.suffix not in (".py", ".ipynb"):
        raise DataError(f"{path} is neither a script (.py) nor a notebook (.ipynb).")
    try:
        if path.suffix == ".py":
            with tokenize.open(path) as file:
                text = file.read()
            lines = text.count("\n") + 1
            places = tuple(Place(i + 1) for i in range(lines))
            return Program(path, text + _called(call), places, call=call)
        return _notebook(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def _called(name: str) -> str:
    """A call as a line of its own, which has no place in the user's file."""
    return f"\n{name}()\n" if name else ""


def _notebook(path: Path, text: str) -> Program:
    try:
        cells: list[Any] = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells]
        kinds = [cell["cell_type"] for cell in cells]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path} is not a notebook of format 4: it has no list of cells.") from None
    lines: list[str] = []
    places: list[Place] = []
    shown: set[int] = set()
    for number, (kind, source) in enumerate(zip(kinds, sources, strict=True)):
        magic = source.lstrip().split(maxsplit=1)[0] if source.strip() else ""
        if kind != "code" or (magic.startswith("%%") and magic not in _PYTHON_CELLS):
            continue
        kept = _plain(source)
        shown.update(len(lines) + line for line in _displayed(kept))
        lines += kept
        places += [Place(i + 1, number) for i in range(len(kept))]
    return Program(path, "\n".join(lines) + "\n", (*places, Place(1, len(cells))), frozenset(shown))


def _plain(source: str) -> list[str]:
    """A cell as Python alone: magics and shell lines left out, its indentation removed."""
    lines = textwrap.dedent(source).splitlines()
    kept = ["" if _MAGIC.match(line) else line for line in lines]
    first = next((line for line in kept if line.strip()), "")
    margin = len(first) - len(first.lstrip())
    if margin and all(not line[:margin].strip() for line in kept):
        kept = [line[margin:] for line in kept]
    return kept


def _displayed(lines: list[str]) -> list[int]:
    """The line of a cell's last expression, which a notebook displays."""
    try:
        statements = ast.parse("\n".join(lines)).body
    except SyntaxError:
        return []
    text = "\n".join(lines).rstrip()
    if statements and isinstance(statements[-1], ast.Expr) and not text.endswith(";"):
        return [statements[-1].lineno]
    return []
