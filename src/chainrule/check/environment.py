"""What a program holds at one moment: every number that a name leads to, and by which path."""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from chainrule.tracer import is_traced

__all__ = ["Environment"]

Exchange = Callable[[str, Any], Any]
_LONGEST = 5000
"""A list of more numbers than this is data that nobody differentiates by, or a long history."""


class Environment:
    """The names that a program's frames have, from one frame outward to the module.

    ``file`` is the program's: objects of other files' classes are left alone.
    """

    def __init__(self, frame: FrameType, file: str) -> None:
        self.frames: list[FrameType] = []
        walked: FrameType | None = frame
        while walked is not None:
            if walked.f_code.co_filename == file:
                self.frames.append(walked)
            walked = walked.f_back
        self.file = file

    def exchange(self, exchanged: Exchange) -> None:
        """Put something in the place of every number: ``exchanged(path, number)``."""
        walk = _Walk(exchanged, self._is_own)
        taken: set[str] = set()
        for frame in self.frames:
            names = frame.f_locals
            inside = frame.f_code.co_name.strip("<>")
            for name in [each for each in names if not each.startswith("__")]:
                # A caller's variable of the same name is another one.
                path = f"{inside}.{name}" if name in taken else name
                names[name] = walk.visit(path, names[name])
            taken |= names.keys()
            # Before Python 3.13, f_locals of a function is a copy that is written back once.
            ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))

    def _is_own(self, kind: type) -> bool:
        module = getattr(kind, "__module__", "")
        return module == "__main__"


class _Walk:
    def __init__(self, exchanged: Exchange, is_own: Callable[[type], bool]) -> None:
        self._exchanged, self._is_own = exchanged, is_own
        self._known: dict[int, tuple[Any, Any]] = {}

    def visit(self, path: str, value: Any) -> Any:
        """What stands in a value's place; containers are changed as they are."""
        if isinstance(value, bool | str | bytes | ModuleType | None):
            return value
        if is_traced(value) or isinstance(value, int | float | np.floating):
            return self._exchanged(path, value)
        if id(value) in self._known:
            return self._known[id(value)][1]
        self._known[id(value)] = value, value
        new = self._inside(path, value)
        self._known[id(value)] = value, new
        return new

    def _inside(self, path: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._exchanged(path, value)
        if isinstance(value, list):
            if len(value) <= _LONGEST:
                for i, item in enumerate(value):
                    value[i] = self.visit(f"{path}[{i}]", item)
            return value
        if isinstance(value, dict):
            for key in list(value):
                value[key] = self.visit(f"{path}[{key!r}]", value[key])
            return value
        if isinstance(value, tuple):
            items = [self.visit(f"{path}[{i}]", item) for i, item in enumerate(value)]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, FunctionType):
            self._closure(path, value)
        elif self._is_own(type(value)) or (isinstance(value, type) and self._is_own(value)):
            self._attributes(path, value)
        return value

    def _closure(self, path: str, function: FunctionType) -> None:
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                old = cell.cell_contents
            except ValueError:  # not yet assigned
                continue
            new = self.visit(f"{path}.{name}", old)
            if new is not old:
                cell.cell_contents = new

    def _attributes(self, path: str, value: Any) -> None:
        names = list(getattr(value, "__dict__", ()))
        names += [each for kind in type(value).__mro__ for each in getattr(kind, "__slots__", ())]
        frozen = dataclasses.is_dataclass(value)
        for name in names:
            if name.startswith("__") or not hasattr(value, name):
                continue
            old = getattr(value, name)
            new = self.visit(f"{path}.{name}", old)
            if new is not old:
                setter = object.__setattr__ if frozen and not isinstance(value, type) else setattr
                setter(value, name, new)
