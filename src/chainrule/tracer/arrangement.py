"""NumPy's functions that arrange the elements of an array: shapes, axes, directions."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.tracer.arrays import TracedArray, bind, here, traces, unsupported
from chainrule.tracer.operands import as_traced, axes_of, axis_of, is_traced

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "broadcast_to",
    "expand_dims",
    "ravel",
    "reshape",
    "transpose",
]


@traces(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> TracedArray:
    array = as_traced(a)
    asked = shape if shape is not None else newshape
    wanted = (int(asked),) if isinstance(asked, int | np.integer) else tuple(int(n) for n in asked)
    if order in ("A", "K"):
        order = _order_in_memory(array, order)
    if order == "F":
        turned = reshape(transpose(array), wanted[::-1])
        return transpose(turned)
    if order != "C":
        raise unsupported(f"order={order!r}", "Use order='C' or order='F'.")
    if -1 in wanted:
        rest = math.prod(n for n in wanted if n != -1)
        if wanted.count(-1) > 1 or (rest == 0 or array.size % rest):
            raise _misfit(array, wanted)
        wanted = tuple(array.size // rest if n == -1 else n for n in wanted)
    if math.prod(wanted) != array.size:
        raise _misfit(array, wanted)
    return bind(p.reshape, array, shape=wanted)


def _misfit(array: TracedArray, shape: tuple[int, ...]) -> ValueError:
    return ValueError(
        f"cannot reshape array of size {array.size} and shape {array.shape} into shape {shape} "
        f"({here().describe()})"
    )


@traces(np.ravel)
def ravel(a: Any, order: str = "C") -> TracedArray:
    array = as_traced(a)
    if order in ("A", "K"):
        order = _order_in_memory(array, order)
    flags = np.asarray(array.value).flags
    result = reshape(array, (array.size,), order)
    # NumPy's reshape makes a view wherever it can, its ravel only of what has no gaps.
    shares = flags.f_contiguous if order == "F" else flags.c_contiguous
    return result if shares else TracedArray(result.value.copy(), result.node)


def _order_in_memory(array: TracedArray, asked: str) -> str:
    """The order that order='A' and 'K' stand for, which depends on how the array lies in memory."""
    flags = np.asarray(array.value).flags
    if flags.c_contiguous or (asked == "A" and not flags.f_contiguous):
        return "C"
    if flags.f_contiguous:
        return "F"
    raise unsupported("order='K' of an array with gaps or mixed order", "Use order='C'.")


@traces(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> TracedArray:
    array = as_traced(a)
    order = tuple(range(array.ndim))[::-1] if axes is None else tuple(int(i) for i in axes)
    if sorted(axis_of(i, array.ndim) for i in order) != list(range(array.ndim)):
        raise ValueError(f"axes {order} don't match array of shape {array.shape}")
    return bind(p.transpose, array, axes=tuple(axis_of(i, array.ndim) for i in order))


@traces(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> TracedArray:
    array = as_traced(a)
    order = list(range(array.ndim))
    first, second = axis_of(axis1, array.ndim), axis_of(axis2, array.ndim)
    order[first], order[second] = order[second], order[first]
    return transpose(array, order)


@traces(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> TracedArray:
    array = as_traced(a)
    sources = [axis_of(i, array.ndim) for i in np.atleast_1d(source)]
    targets = [axis_of(i, array.ndim) for i in np.atleast_1d(destination)]
    order = [i for i in range(array.ndim) if i not in sources]
    for target, each in sorted(zip(targets, sources, strict=True)):
        order.insert(target, each)
    return transpose(array, order)


@traces(np.matrix_transpose)
def matrix_transpose(a: Any, /) -> TracedArray:
    return swapaxes(a, -1, -2)


@traces(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> TracedArray:
    array = as_traced(a)
    gone = [i for i, n in enumerate(array.shape) if n == 1]
    if axis is not None:
        asked = axes_of(axis, array.ndim)
        if any(i not in gone for i in asked):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
        gone = list(asked)
    return reshape(array, tuple(n for i, n in enumerate(array.shape) if i not in gone))


@traces(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> TracedArray:
    array = as_traced(a)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    added = axes_of(axis, array.ndim + count)
    sizes = iter(array.shape)
    return reshape(
        array, tuple(1 if i in added else next(sizes) for i in range(array.ndim + count))
    )


@traces(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> TracedArray:
    array = as_traced(a)
    source = axis_of(axis, array.ndim)
    target = start + array.ndim if start < 0 else start
    return moveaxis(array, source, target - 1 if source < target else target)


@traces(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    parts = [as_traced(a) for a in arrays]
    results = tuple(x if x.ndim else reshape(x, (1,)) for x in parts)
    return results if len(results) > 1 else next(iter(results))


@traces(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    parts = [as_traced(a) for a in arrays]
    results = tuple(x if x.ndim > 1 else reshape(x, (1, x.size)) for x in parts)
    return results if len(results) > 1 else next(iter(results))


@traces(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    shapes = {0: (1, 1, 1), 1: (1, -1, 1)}
    parts = [as_traced(a) for a in arrays]
    results = tuple(
        x if x.ndim > 2 else reshape(x, shapes.get(x.ndim, (*x.shape, 1))) for x in parts
    )
    return results if len(results) > 1 else next(iter(results))


@traces(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> TracedArray:
    x = as_traced(array)
    wanted = (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)
    return x if x.shape == wanted else bind(p.broadcast_to, x, shape=wanted)


@traces(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[TracedArray, ...]:
    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    return tuple(broadcast_to(array, shape) for array in arrays)


@traces(np.flip)
def flip(m: Any, axis: Any = None) -> TracedArray:
    array = as_traced(m)
    axes = axes_of(axis, array.ndim)
    return array[tuple(slice(None, None, -1 if i in axes else None) for i in range(array.ndim))]


@traces(np.fliplr)
def fliplr(m: Any) -> TracedArray:
    return flip(m, 1)


@traces(np.flipud)
def flipud(m: Any) -> TracedArray:
    return flip(m, 0)


@traces(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> TracedArray:
    array = as_traced(m)
    first, second = axes_of(axes[0], array.ndim)[0], axes_of(axes[1], array.ndim)[0]
    turns = k % 4
    if turns == 2:
        return flip(array, (first, second))
    if turns == 0:
        return array[...]
    if turns == 1:
        return swapaxes(flip(array, second), first, second)
    return flip(swapaxes(array, first, second), second)


@traces(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> TracedArray:
    array = as_traced(a)
    if is_traced(shift):
        raise unsupported("np.roll with a traced shift", "Give the shift as a plain number.")
    order = np.roll(np.arange(array.size).reshape(array.shape), shift, axis)
    return ravel(array)[order]
