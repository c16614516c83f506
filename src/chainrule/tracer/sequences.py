"""NumPy's functions along an axis in order: differences, running results, areas, convolutions."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tracer.arrays import FUNCTIONS, TracedArray, traces, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, axes_of, axis_of, common_dtype, is_traced
from chainrule.tracer.ufuncs import call, store

__all__ = ["accumulate", "diff", "fold"]

_UNSET: Any = object()


def _along(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, stop))


@traces(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = _UNSET, append: Any = _UNSET
) -> TracedArray:
    array = as_traced(a)
    axis = axis_of(axis, array.ndim)
    ends = [as_traced(end) if end is not _UNSET else None for end in (prepend, append)]
    parts: list[TracedArray] = []
    for part in (ends[0], array, ends[1]):
        if part is not None:
            shape = list(array.shape)
            shape[axis] = 1
            parts.append(part if part.ndim else FUNCTIONS[np.broadcast_to](part, shape))
    if len(parts) > 1:
        array = FUNCTIONS[np.concatenate](parts, axis)
    minus = np.not_equal if array.dtype.kind == "b" else np.subtract
    for _ in range(n):
        array = call(minus, array[_along(axis, 1, None)], array[_along(axis, None, -1)])
    return array


@traces(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> TracedArray:
    if to_end is not None or to_begin is not None:
        raise unsupported("np.ediff1d(…, to_end=…, to_begin=…)", "Use np.concatenate.")
    return diff(FUNCTIONS[np.ravel](as_traced(ary)))


@traces(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> TracedArray:
    array = as_traced(y)
    axis = axis_of(axis, array.ndim)
    widths = as_traced(dx)
    if x is not None:
        places = as_traced(x)
        widths = diff(places, axis=axis if places.ndim > 1 else -1)
        if places.ndim == 1:
            shape = [1] * array.ndim
            shape[axis] = widths.size
            widths = FUNCTIONS[np.reshape](widths, shape)
    heights = call(np.add, array[_along(axis, 1, None)], array[_along(axis, None, -1)])
    areas = call(np.divide, call(np.multiply, widths, heights), 2.0)
    return FUNCTIONS[np.sum](areas, axis=axis)


@traces("accumulate")
def accumulate(ufunc: Any, x: Any, axis: int, dtype: Any = None) -> TracedArray:
    """The running results of a ufunc of two inputs along an axis, one step after another."""
    array = as_traced(x)
    axis = axis_of(axis, array.ndim)
    if dtype is not None:
        array = as_dtype(array, np.dtype(dtype))
    if not array.shape[axis]:
        return FUNCTIONS[np.copy](array)
    rows = [array[_along(axis, i, i + 1)] for i in range(array.shape[axis])]
    running = rows[:1]
    for row in rows[1:]:
        running.append(call(ufunc, running[-1], row))
    return FUNCTIONS[np.concatenate](running, axis)


@traces("fold")
def fold(ufunc: Any, x: Any, axis: Any, keepdims: bool) -> TracedArray:
    """One ufunc of two inputs over all elements along axes."""
    array = as_traced(x)
    axes = axes_of(axis, array.ndim)
    for axis in axes:
        if not array.shape[axis]:
            raise unsupported(f"np.{ufunc.__name__}.reduce of nothing", "Give it elements.")
        array = accumulate(ufunc, array, axis)[_along(axis, -1, None)]
    if keepdims:
        return array
    return FUNCTIONS[np.squeeze](array, axes) if axes else array


@traces(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> TracedArray:
    array = as_traced(a)
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    if dtype is None:
        dtype = np.multiply.reduce(np.ones(1, array.dtype)).dtype
    result = accumulate(np.multiply, array, axis, dtype)
    return result if out is None else store(out, result, "np.cumprod(…, out=…)")


@traces(np.polyval)
def polyval(p: Any, x: Any) -> TracedArray:
    place = as_traced(x)
    result = FUNCTIONS[np.zeros_like](place)
    for coefficient in as_traced(np.asarray(p) if not is_traced(p) else p):
        result = call(np.add, call(np.multiply, result, place), coefficient)
    return result


def _windows(array: TracedArray, size: int) -> TracedArray:
    """The stretches of a length along the only axis, one a row."""
    starts = np.arange(array.size - size + 1)
    return array[starts[:, None] + np.arange(size)]


@traces(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> TracedArray:
    return correlate(a, as_traced(v)[::-1], mode, _swap=True)


@traces(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid", *, _swap: bool = False) -> TracedArray:
    left, right = as_traced(a), as_traced(v)
    if mode not in ("full", "same", "valid") or min(left.size, right.size) == 0:
        raise unsupported(f"np.correlate(…, mode={mode!r})", "Use 'full', 'same' or 'valid'.")
    dtype = common_dtype(left, right)
    left, right = as_dtype(left, dtype), as_dtype(right, dtype)
    backwards = left.size < right.size
    if backwards:
        left, right = right, left
        if _swap:  # a convolution is the same both ways round
            left, right = left[::-1], right[::-1]
    size = right.size
    before = {"full": size - 1, "same": size // 2, "valid": 0}[mode]
    after = {"full": size - 1, "same": size - 1 - size // 2, "valid": 0}[mode]
    padded = FUNCTIONS[np.pad](left, (before, after))
    result = FUNCTIONS[np.dot](_windows(padded, size), right)
    return result[::-1] if backwards and not _swap else result


@traces(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> TracedArray:
    if writeable:
        raise unsupported("A sliding window that can be written into", "Write into its array.")
    array = as_traced(x)
    sizes = [int(n) for n in np.atleast_1d(window_shape)]
    axes = (
        list(range(array.ndim))
        if axis is None
        else [
            axis_of(each, array.ndim)
            for each in (axis if isinstance(axis, tuple | list) else (axis,))
        ]
    )
    if len(axes) != len(sizes):
        raise ValueError(f"window_shape {sizes} must have an entry for each of the axes {axes}")
    order = np.lib.stride_tricks.sliding_window_view(
        np.arange(array.size).reshape(array.shape), tuple(sizes), tuple(axes)
    )
    return FUNCTIONS[np.ravel](array)[order]


@traces(np.apply_along_axis)
def apply_along_axis(
    func1d: Any, axis: int, arr: Any, *arguments: Any, **settings: Any
) -> TracedArray:
    array = as_traced(arr)
    axis = axis_of(axis, array.ndim)
    moved = FUNCTIONS[np.moveaxis](array, axis, -1)
    outer = moved.shape[:-1]
    rows = FUNCTIONS[np.reshape](moved, (-1, moved.shape[-1]))
    results = [as_traced(func1d(row, *arguments, **settings)) for row in rows]
    if not results:
        raise unsupported("np.apply_along_axis to nothing", "Give it elements.")
    joined = FUNCTIONS[np.stack](results)
    inner = joined.shape[1:]
    full = FUNCTIONS[np.reshape](joined, (*outer, *inner))
    places = range(len(outer), len(outer) + len(inner))
    return FUNCTIONS[np.moveaxis](full, list(places), [axis + i for i in range(len(inner))])
