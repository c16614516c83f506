"""A function that trains, as a program: its module's file, and a call of it by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from chainrule.errors import SettingError

__all__ = ["file_and_call"]


def file_and_call(function: Callable[..., Any]) -> tuple[Path, str]:
    """The file that a function is defined in, and the name that it is called by there.

    Raises SettingError, with the reason, for what cannot be called so.
    """
    own = inspect.unwrap(function)
    if not isinstance(own, FunctionType):
        raise SettingError(
            f"{function!r} is neither a path nor a function of a module: pass a function that "
            "trains, or the path of a script or notebook."
        )
    name, advice = own.__name__, "Define it at the top of a module."
    if name == "<lambda>":
        raise SettingError(f"A lambda cannot be checked, as it has no name to call it by. {advice}")
    if "<locals>" in own.__qualname__:
        raise SettingError(
            f"{name} is defined inside another function, where a new run cannot find it. {advice}"
        )
    if own.__globals__.get(name) is not function:
        raise SettingError(
            f"{own.__qualname__} cannot be called by the name {name} in its module, as methods and "
            f"functions that were replaced cannot. {advice}"
        )
    needed = [
        each.name for each in inspect.signature(function).parameters.values() if _is_needed(each)
    ]
    if needed:
        raise SettingError(
            f"{name} needs {', '.join(needed)}: a check calls it without arguments. Give "
            f"{'it a default' if len(needed) == 1 else 'them defaults'}, or pass a function that "
            "calls it."
        )
    if inspect.iscoroutinefunction(own) or inspect.isgeneratorfunction(own):
        raise SettingError(
            f"{name} does nothing when it is called, as it is a generator or a coroutine. Pass a "
            "function that runs it."
        )
    return _file(own, name), name


def _is_needed(parameter: inspect.Parameter) -> bool:
    several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not several


def _file(function: FunctionType, name: str) -> Path:
    file = inspect.getsourcefile(function)
    path = Path(file or "")
    if path.suffix != ".py" or not path.is_file():
        raise SettingError(
            f"{name} is in no Python file that can be run: save it in one, or pass the path of the "
            "script or notebook."
        )
    return path
