"""The first value of a run that is not finite, where it spoils a parameter or the loss.

NumPy warns where an operation overflows or has no result, once for each line. The statement that
it stands in is then followed to its end, to see whether anything came of it; and when the iteration
has ended, whether a parameter or the loss did. Many an overflow is harmless, as in 1 / (1 + inf).
"""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np

from chainrule.check.frames import resolve
from chainrule.check.statements import (
    Looping,
    assigned_names,
    names_read,
    statements_at,
    targets_of,
)

__all__ = ["Overflows"]

_MOST = 50
"""After so many warnings a program is not followed any further."""


class Overflows:
    """Listens to NumPy's warnings until a parameter or the loss is not finite."""

    def __init__(self, tree: ast.Module, file: str, watched: Callable[[], list[str]]) -> None:
        self._tree, self._file, self._watched = tree, file, watched
        self._loops = {n.lineno: n for n in ast.walk(tree) if isinstance(n, Looping)}
        self._show = warnings.showwarning
        self._heard = 0
        self._events: list[dict[str, Any]] = []
        self.found: dict[str, Any] | None = None
        warnings.showwarning = self._warned

    @property
    def waiting(self) -> bool:
        """Whether something not finite has come up since the last look."""
        return bool(self._events)

    def stop(self) -> None:
        """Listen no more."""
        self._heard = _MOST
        self._events = []

    def _warned(
        self, message: Any, category: type[Warning], filename: str, *rest: Any, **more: Any
    ) -> None:
        self._show(message, category, filename, *rest, **more)
        if not issubclass(category, RuntimeWarning) or self._heard >= _MOST:
            return
        self._heard += 1
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame is not None and frame.f_code.co_filename != self._file:
            frame = frame.f_back
        if frame is not None and sys.gettrace() is None:
            self._follow(frame, str(message))

    def _follow(self, frame: FrameType, text: str) -> None:
        """See what comes of the statement that a frame is at, if all that it reads is finite."""
        line = frame.f_lineno
        statements = statements_at(self._tree, line)
        names = {name for each in statements for name in names_read(each)}
        if any(_is_spoiled(resolve(ast.Name(name, ast.Load()), frame)) for name in names):
            return
        lines = {n for each in statements for n in range(each.lineno, (each.end_lineno or 0) + 1)}

        def local(frame: FrameType, event: str, result: Any) -> Any:
            if event == "line" and frame.f_lineno in lines:
                return local
            if event == "exception":
                return local
            frame.f_trace = None
            sys.settrace(None)
            values = [resolve(target, frame) for each in statements for target in targets_of(each)]
            if event == "return":
                values.append(result)
            if any(map(_is_spoiled, values)):
                self._events.append({"line": line, "text": text})
            return None

        frame.f_trace = local
        sys.settrace(lambda frame, event, value: None)

    def look(self, loop: int, frame: FrameType, turn: int) -> None:
        """Whether a parameter or the loss is not finite, after the iteration of a loop."""
        first, self._events = self._events[0], []
        node = self._loops.get(loop)
        if node is None or any(map(_is_spoiled, self._data(node, frame))):
            return  # it was not finite to begin with
        for text in self._watched():
            try:
                value = resolve(ast.parse(text, mode="eval").body, frame)
            except SyntaxError:  # a key of a dict that is no literal
                continue
            if _is_spoiled(value):
                is_nan = any(np.any(np.isnan(each)) for each in _arrays(value))
                self.found = {**first, "name": text, "is_nan": is_nan,
                              "loop": loop, "turn": turn}  # fmt: skip
                self.stop()
                return

    def _data(self, loop: ast.For | ast.While, frame: FrameType) -> Iterator[Any]:
        for name in names_read(loop) - assigned_names(loop):
            value = resolve(ast.Name(name, ast.Load()), frame)
            if isinstance(value, np.ndarray) and name not in self._watched():
                yield value


def _is_spoiled(value: Any) -> bool:
    """Whether a number, or any in an array or a tuple of them, is infinite or none."""
    return any(not np.all(np.isfinite(each)) for each in _arrays(value))


def _arrays(value: Any) -> Iterator[Any]:
    is_array = type(value) is np.ndarray and value.dtype.kind == "f"
    if is_array or isinstance(value, float | np.floating):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _arrays(each)
