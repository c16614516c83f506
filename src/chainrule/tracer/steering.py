"""NumPy's functions that give places: an order, the positions of a mask, the counts of labels.

The places steer the program, so they leave the trace as plain whole numbers under a guard. What is
then taken from those places keeps its gradient; an order has none of its own.
"""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tracer import leaks
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, traces, unsupported
from chainrule.tracer.operands import as_traced, axis_of
from chainrule.tracer.ufuncs import call

__all__ = ["argsort", "nonzero"]


def _mask_of(a: Any) -> NDArray[Any]:
    array = as_traced(a)
    return leaks.steer(array if array.dtype.kind == "b" else call(np.not_equal, array, 0))


@traces(np.nonzero)
def nonzero(a: Any) -> tuple[NDArray[Any], ...]:
    return np.nonzero(_mask_of(a))


@traces(np.flatnonzero)
def flatnonzero(a: Any) -> NDArray[Any]:
    return np.flatnonzero(_mask_of(a))


@traces(np.argwhere)
def argwhere(a: Any) -> NDArray[Any]:
    return np.argwhere(_mask_of(a))


@traces(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> TracedArray:
    array = as_traced(a)
    if out is not None:
        raise unsupported("np.compress(…, out=…)", "Use the array that it returns.")
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    return FUNCTIONS[np.take](array, np.flatnonzero(_mask_of(condition)), axis=axis)


@traces(np.extract)
def extract(condition: Any, arr: Any) -> TracedArray:
    places = np.flatnonzero(_mask_of(condition))
    return FUNCTIONS[np.ravel](as_traced(arr))[places]


@traces(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> NDArray[Any]:
    array = as_traced(a)
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    axis = axis_of(axis, array.ndim)
    places = np.argsort(array.value, axis=axis, kind=kind, stable=stable)
    sorted_values = FUNCTIONS[np.take_along_axis](array, places, axis)
    whole = (slice(None),) * axis
    lower, upper = sorted_values[(*whole, slice(-1))], sorted_values[(*whole, slice(1, None))]
    # Other values must give the same order, and tie where these do.
    increasing = leaks.steer(call(np.less, lower, upper))
    if not increasing.all():
        leaks.steer(call(np.less_equal, lower, upper))
        leaks.steer(call(np.isnan, array))
    return places


@traces(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> TracedArray:
    array = as_traced(a)
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    return FUNCTIONS[np.take_along_axis](array, argsort(array, axis, kind, stable=stable), axis)


@traces(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> TracedArray:
    array = as_traced(a)
    if out is not None or isinstance(axis, tuple) or (keepdims and axis is None):
        raise unsupported("np.median(…, out=…) or of several axes", "Reshape to one axis first.")
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    axis = axis_of(axis, array.ndim)
    ordered, size = sort(array, axis), array.shape[axis]
    middle = slice((size - 1) // 2, size // 2 + 1)
    part = ordered[(*(slice(None),) * axis, middle)]
    return FUNCTIONS[np.mean](part, axis=axis, keepdims=keepdims)


def _of_labels(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of whole numbers or truth values, computed at once and guarded by what it got."""

    def lowering(*arguments: Any, **settings: Any) -> Any:
        def plain(value: Any) -> Any:
            if type(value) is not TracedArray:
                return value
            if value.dtype.kind == "f" and leaks.depends(value.node):
                raise unsupported(
                    f"np.{function.__name__} of real numbers",
                    "Compute it outside the traced function and pass the result as an argument.",
                )
            return leaks.steer(value)

        return function(*map(plain, arguments), **{k: plain(v) for k, v in settings.items()})

    return lowering


for _function in (np.unique, np.bincount, np.searchsorted, np.digitize, np.isin, np.setdiff1d):
    traces(_function)(_of_labels(_function))
