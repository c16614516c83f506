"""NumPy's reductions: sums, means, extremes, norms, positions."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import Primitive
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, traces, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, axes_of, axis_of
from chainrule.tracer.ufuncs import call, store

__all__ = ["reduce_with"]

_UNSET: Any = np._NoValue  # pyright: ignore[reportPrivateUsage]  # NumPy's own default


def reduce_with(
    primitive: Primitive,
    x: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = _UNSET,
    dtype: Any = None,
    initial: Any = _UNSET,
    where: Any = _UNSET,
    neutral: Any = None,
) -> TracedArray:
    """A reduction with NumPy's options; ``neutral`` is what ``where=`` puts at omitted places."""
    array = as_traced(x)
    if dtype is not None:
        array = as_dtype(array, np.dtype(dtype))
    elif primitive in (p.total, p.prod):
        array = as_dtype(array, np.add.reduce(np.zeros(0, array.dtype)).dtype)
    if where is not _UNSET and where is not True:
        if neutral is None:
            if initial is _UNSET:
                raise ValueError("np.max and np.min with where= need initial=")
            neutral = array.dtype.type(initial)
        array = FUNCTIONS[np.where](where, array, neutral)
    axes = axes_of(axis, array.ndim)
    keep = keepdims is not _UNSET and bool(keepdims)
    result = bind(primitive, array, axis=axes, keepdims=keep)
    if initial is not _UNSET and initial is not None:
        pairwise = {p.total: np.add, p.prod: np.multiply, p.largest: np.maximum}
        result = call(pairwise.get(primitive, np.minimum), result, initial)
    return result if out is None else store(out, result, "out=")


@traces(np.sum)
def total(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _UNSET,
    **more: Any,
) -> TracedArray:
    return reduce_with(p.total, a, axis, out, keepdims, dtype, neutral=0, **more)


@traces(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _UNSET,
    **more: Any,
) -> TracedArray:
    return reduce_with(p.prod, a, axis, out, keepdims, dtype, neutral=1, **more)


@traces(np.max, np.amax)
def largest(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET, **more: Any
) -> TracedArray:
    return reduce_with(p.largest, a, axis, out, keepdims, **more)


@traces(np.min, np.amin)
def smallest(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET, **more: Any
) -> TracedArray:
    return reduce_with(p.smallest, a, axis, out, keepdims, **more)


@traces(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET) -> TracedArray:
    return call(np.subtract, largest(a, axis, None, keepdims), smallest(a, axis, None, keepdims))


@traces(np.all)
def all_true(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET, **more: Any
) -> TracedArray:
    return reduce_with(p.smallest, _truth(a), axis, out, keepdims, **more)


@traces(np.any)
def any_true(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET, **more: Any
) -> TracedArray:
    return reduce_with(p.largest, _truth(a), axis, out, keepdims, **more)


@traces(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> TracedArray:
    return total(_truth(a), axis=axis, keepdims=keepdims)


def _truth(a: Any) -> TracedArray:
    array = as_traced(a)
    return array if array.dtype.kind == "b" else call(np.not_equal, array, 0)


@traces(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _UNSET,
    **more: Any,
) -> TracedArray:
    array = _inexact(a, dtype)
    count: Any = product(array.shape[i] for i in axes_of(axis, array.ndim))
    where = more.get("where", True)
    if where is not True:
        counted = FUNCTIONS[np.broadcast_to](where, array.shape)
        count = total(counted, axis=axis, keepdims=keepdims)
        array = FUNCTIONS[np.where](where, array, array.dtype.type(0))
    result = call(np.divide, total(array, axis=axis, keepdims=keepdims), count)
    result = as_dtype(result, array.dtype)
    return result if out is None else store(out, result, "np.mean(…, out=…)")


def _inexact(a: Any, dtype: Any) -> TracedArray:
    array = as_traced(a)
    if dtype is not None:
        return as_dtype(array, np.dtype(dtype))
    return array if array.dtype.kind == "f" else as_dtype(array, np.dtype("float64"))


@traces(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _UNSET
) -> TracedArray:
    if returned:
        raise unsupported("np.average(…, returned=True)", "Compute the sum of weights beside it.")
    if weights is None:
        return mean(a, axis=axis, keepdims=keepdims)
    array, weight = as_traced(a), as_traced(weights)
    if weight.shape != array.shape:
        if axis is None or weight.ndim != 1:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        shape = [1] * array.ndim
        shape[axis_of(axis, array.ndim)] = weight.size
        weight = FUNCTIONS[np.broadcast_to](FUNCTIONS[np.reshape](weight, shape), array.shape)
    scale = total(weight, axis=axis, keepdims=keepdims)
    return call(np.divide, total(call(np.multiply, array, weight), axis, keepdims=keepdims), scale)


@traces(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _UNSET,
    *,
    where: Any = _UNSET,
    mean: Any = _UNSET,
    correction: Any = _UNSET,
) -> TracedArray:
    # The steps and their order are NumPy's (numpy/_core/_methods.py), so the bits are too.
    if where is not _UNSET:
        raise unsupported("np.var(…, where=…)", "Use sums of np.where(…) divided by the count.")
    ddof = correction if correction is not _UNSET else ddof
    array = _inexact(a, dtype)
    axes = axes_of(axis, array.ndim)
    count = product(array.shape[i] for i in axes)
    centre = mean if mean is not _UNSET else FUNCTIONS[np.mean](array, axis=axes, keepdims=True)
    deviation = call(np.subtract, array, centre)
    squares = total(call(np.multiply, deviation, deviation), axis=axes, keepdims=keepdims)
    result = call(np.divide, squares, max(count - ddof, 0))
    return result if out is None else store(out, result, "np.var(…, out=…)")


@traces(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *rest: Any, **more: Any
) -> Any:
    result = call(np.sqrt, var(a, axis, dtype, None, *rest, **more))
    return result if out is None else store(out, result, "np.std(…, out=…)")


@traces(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> TracedArray:
    array = as_traced(a)
    if dtype is not None:
        array = as_dtype(array, np.dtype(dtype))
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    array = as_dtype(array, np.add.reduce(np.zeros(0, array.dtype)).dtype)
    result = bind(p.cumsum, array, axis=axis_of(axis, array.ndim))
    return result if out is None else store(out, result, "np.cumsum(…, out=…)")


def _position(primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any) -> TracedArray:
    array = as_traced(a)
    keep = keepdims is not _UNSET and bool(keepdims)
    if axis is None:
        shape = (1,) * array.ndim
        flat = bind(primitive, FUNCTIONS[np.ravel](array), axis=0, keepdims=False)
        result = FUNCTIONS[np.reshape](flat, shape) if keep else flat
    else:
        result = bind(primitive, array, axis=axis_of(axis, array.ndim), keepdims=keep)
    return result if out is None else store(out, result, "out=")


@traces(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _UNSET) -> TracedArray:
    return _position(p.argmax, a, axis, out, keepdims)


@traces(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _UNSET) -> TracedArray:
    return _position(p.argmin, a, axis, out, keepdims)


@traces(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> TracedArray:
    array = _inexact(x, None)
    vector = axis is not None and np.size(axis) == 1
    euclidean = {1: (None, 2), 2: (None, "fro", "f")}.get(array.ndim, (None,))
    if axis is None and ord in euclidean:
        flat = FUNCTIONS[np.ravel](array, "K")
        result = call(np.sqrt, FUNCTIONS[np.dot](flat, flat))
        return FUNCTIONS[np.reshape](result, (1,) * array.ndim) if keepdims else result
    if ord in (None, 2, "fro") and (vector or array.ndim == 1 or ord != 2):
        squares = total(call(np.multiply, array, array), axis=axis, keepdims=keepdims)
        return call(np.sqrt, squares)
    if (vector or array.ndim == 1) and ord in (1, np.inf, -np.inf):
        reduce = {1: total, np.inf: largest, -np.inf: smallest}[ord]
        return reduce(call(np.absolute, array), axis=axis, keepdims=keepdims)
    if (vector or array.ndim == 1) and isinstance(ord, int | float):
        if ord == 0:
            present = as_dtype(call(np.not_equal, array, 0), array.dtype)
            return total(present, axis=axis, keepdims=keepdims)
        powers = total(call(np.power, call(np.absolute, array), ord), axis, keepdims=keepdims)
        return call(np.power, powers, np.reciprocal(ord, dtype=array.dtype))
    raise unsupported(
        f"np.linalg.norm(…, ord={ord!r})",
        "Use the Euclidean norm (ord=None) of matrices, or write it out.",
    )


@traces(np.round, np.around)
def round_to_whole(a: Any, decimals: int = 0, out: Any = None) -> TracedArray:
    array = as_traced(a)
    if array.dtype.kind != "f":
        if decimals < 0:
            raise unsupported("np.round of whole numbers to tens", "Convert with .astype(float).")
        result = FUNCTIONS[np.copy](array)
    elif decimals == 0:
        result = call(np.rint, array)
    else:
        scale, back = (np.multiply, np.divide) if decimals > 0 else (np.divide, np.multiply)
        power = 10.0 ** abs(decimals)
        result = call(back, call(np.rint, call(scale, array, power)), power)
    return result if out is None else store(out, result, "np.round(…, out=…)")


@traces(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _UNSET
) -> TracedArray:
    array = as_traced(a)
    if array.dtype.kind == "f":
        array = FUNCTIONS[np.where](call(np.isnan, array), array.dtype.type(0), array)
    return total(array, axis, dtype, out, keepdims)


@traces(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _UNSET
) -> TracedArray:
    array = _inexact(a, dtype)
    present = call(np.logical_not, call(np.isnan, array))
    count = total(present, axis=axis, keepdims=keepdims)
    result = call(np.divide, nansum(array, axis, None, None, keepdims), count)
    result = as_dtype(result, array.dtype)
    return result if out is None else store(out, result, "np.nanmean(…, out=…)")
