"""NumPy's functions that its protocols do not reach: what makes arrays, and what is given a list.

``np.zeros((3, 4))`` has no argument that could be traced, ``np.array([a, b])`` and
``np.sum([a, b])`` have theirs inside a list, and NumPy hands none of them over. While a trace runs,
these names in NumPy's namespace are functions that look first: a call in the traced program's own
code with traced values, or one that makes an array for it to write into, is recorded; every other
call, and every call in a thread that traces nothing, goes on to NumPy's own function.

A program that has ``from numpy import zeros`` holds NumPy's function itself and is not reached;
what it then does with traced values is refused where it would lose a gradient.
"""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import constant
from chainrule.source import calls
from chainrule.tracer import leaks
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, entered, here, unsupported
from chainrule.tracer.operands import as_traced, common_dtype, contains_traced

__all__ = ["install", "remove"]

# A program writes into what these give.
_MAKERS = ("zeros", "ones", "empty", "full", "eye", "identity")
_LIKE = ("zeros_like", "ones_like", "empty_like", "full_like")
# These are given lists of traced values.
_TAKERS = (
    *("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"),
    *("sum", "prod", "mean", "average", "std", "var", "max", "min", "amax", "amin", "median"),
    *("argmax", "argmin", "cumsum", "dot", "outer", "reshape", "squeeze", "ravel"),
)


def _finding_traced(name: str, original: Callable[..., Any], make: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def function(*arguments: Any, **settings: Any) -> Any:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if not leaks.tracing() or not calls(frame.f_code, frame.f_lasti, name):
            return original(*arguments, **settings)
        if any(map(contains_traced, arguments)) or any(map(contains_traced, settings.values())):
            lowering = FUNCTIONS.get(original)
            if lowering is None:
                raise unsupported(f"np.{name} of a list of traced values", "Use np.stack first.")
            return entered(lowering, *arguments, **settings)
        if make:
            made = original(*arguments, **settings)
            if name.startswith("empty"):
                made[...] = 0  # what is in new memory is nobody's to rely on
            return entered(_as_buffer, made)
        return original(*arguments, **settings)

    return function


def _as_buffer(made: Any) -> Any:
    """A new array that the program may write traced values into."""
    kind, size = made.dtype.kind, made.dtype.itemsize
    if type(made) is not np.ndarray or not (kind in "biu" or (kind == "f" and size in (4, 8))):
        return made
    if made.size and made.ndim and (made == made.flat[0]).all():
        node = p.broadcast_to(constant(made.flat[0]), shape=made.shape)
    else:
        node = constant(made)
    node.source = here()
    return TracedArray(made, node.without_name())


class _Joiner:
    """``np.c_`` or ``np.r_``, which joins what stands in its brackets."""

    def __init__(self, original: Any, name: str) -> None:
        self._original = original
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __len__(self) -> int:
        return 0

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not leaks.tracing() or not any(map(contains_traced, parts)):
            return self._original[key]
        return entered(self._join, parts)

    def _join(self, parts: tuple[Any, ...]) -> TracedArray:
        arrays: list[TracedArray] = []
        for part in parts:
            if isinstance(part, str):
                raise unsupported(f"np.{self._name} with a text", "Use np.concatenate.")
            arrays.append(as_traced(self._original[part] if isinstance(part, slice) else part))
        dtype = common_dtype(*arrays)
        if self._name == "r_":
            return FUNCTIONS[np.concatenate](map(FUNCTIONS[np.atleast_1d], arrays), dtype=dtype)
        columns = [x if x.ndim > 1 else FUNCTIONS[np.reshape](x, (-1, 1)) for x in arrays]
        return FUNCTIONS[np.concatenate](columns, -1, dtype=dtype)


_ORIGINAL: dict[str, Any] = {
    name: getattr(np, name) for name in (*_MAKERS, *_LIKE, *_TAKERS, "c_", "r_")
}
_FIRST: dict[str, Any] = {
    name: _Joiner(original, name)
    if name in ("c_", "r_")
    else _finding_traced(name, original, name in _MAKERS or name in _LIKE)
    for name, original in _ORIGINAL.items()
}


@functools.cache
def _register() -> None:
    # Lowerings look functions up by what NumPy's namespace holds at that time.
    for name, original in _ORIGINAL.items():
        if name not in ("c_", "r_") and original in FUNCTIONS:
            FUNCTIONS[_FIRST[name]] = FUNCTIONS[original]


def install() -> None:
    """Let the names look for traced arguments."""
    _register()
    for name, function in _FIRST.items():
        setattr(np, name, function)


def remove() -> None:
    """Give the names NumPy's own functions again."""
    for name, function in _ORIGINAL.items():
        setattr(np, name, function)
