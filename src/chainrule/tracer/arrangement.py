"""NumPy's functions that arrange, join, make and copy arrays."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import constant
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, traces, unsupported
from chainrule.tracer.operands import (
    as_dtype,
    as_traced,
    axes_of,
    axis_of,
    common_dtype,
    is_traced,
)
from chainrule.tracer.ufuncs import call

__all__ = ["reshape", "transpose"]


@traces(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> TracedArray:
    array = as_traced(a)
    asked = shape if shape is not None else newshape
    wanted = (int(asked),) if isinstance(asked, int | np.integer) else tuple(int(n) for n in asked)
    if order in ("A", "K"):
        order = _order_in_memory(array)
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
    return reshape(array, (array.size,), order)


def _order_in_memory(array: TracedArray) -> str:
    """The order that order='A' and 'K' stand for, which depends on how the array lies in memory."""
    if array.value.flags.c_contiguous:
        return "C"
    if array.value.flags.f_contiguous:
        return "F"
    raise unsupported("order='A' or 'K' of an array with gaps or mixed order", "Use order='C'.")


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


@traces(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    found = tuple(x if x.ndim else reshape(x, (1,)) for x in map(as_traced, arrays))
    return found[0] if len(found) == 1 else found


@traces(np.atleast_2d)
def atleast_2d(a: Any) -> TracedArray:
    array = as_traced(a)
    return array if array.ndim > 1 else reshape(array, (1, array.size))


@traces(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> TracedArray:
    x = as_traced(array)
    wanted = (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)
    return x if x.shape == wanted else bind(p.broadcast_to, x, shape=wanted)


@traces(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[TracedArray, ...]:
    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    return tuple(broadcast_to(array, shape) for array in arrays)


@traces(np.concatenate)
def concatenate(
    arrays: Sequence[Any],
    /,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> TracedArray:
    if out is not None:
        raise unsupported("np.concatenate(…, out=…)", "Use the array that it returns.")
    parts = [as_traced(array) for array in arrays]
    if axis is None:
        parts, axis = [ravel(part) for part in parts], 0
    wanted = np.dtype(dtype) if dtype is not None else np.result_type(*(x.dtype for x in parts))
    position = axis_of(axis, parts[0].ndim)
    for part in parts[1:]:
        theirs, ours = list(part.shape), list(parts[0].shape)
        if len(theirs) != len(ours) or any(
            a != b for i, (a, b) in enumerate(zip(theirs, ours, strict=True)) if i != position
        ):
            raise ValueError(
                f"arrays of shapes {parts[0].shape} and {part.shape} cannot be joined along axis "
                f"{axis} ({here().describe()})"
            )
    return bind(p.concatenate, *(as_dtype(part, wanted) for part in parts), axis=position)


@traces(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None, **more: Any) -> TracedArray:
    parts = [expand_dims(as_traced(array), axis) for array in arrays]
    position = axis_of(axis, parts[0].ndim)
    return concatenate(parts, position, out, **more)


@traces(np.vstack)
def vstack(tup: Sequence[Any], **more: Any) -> TracedArray:
    return concatenate([atleast_2d(array) for array in tup], 0, **more)


@traces(np.hstack)
def hstack(tup: Sequence[Any], **more: Any) -> TracedArray:
    parts: list[TracedArray] = [atleast_1d(array) for array in tup]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, **more)


@traces(np.column_stack)
def column_stack(tup: Sequence[Any]) -> TracedArray:
    parts = [as_traced(array) for array in tup]
    return concatenate([part if part.ndim > 1 else reshape(part, (-1, 1)) for part in parts], 1)


@traces(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> TracedArray:
    return concatenate((as_traced(arr), as_traced(values)), axis)


@traces(np.split, np.array_split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[TracedArray]:
    array = as_traced(ary)
    axis = axis_of(axis, array.ndim)
    dummy = np.empty(array.shape[axis])
    pieces = np.array_split(dummy, indices_or_sections)
    if isinstance(indices_or_sections, int) and len({len(piece) for piece in pieces}) > 1:
        # np.array_split allows this, np.split does not; the caller's shapes tell them apart.
        raise unsupported(
            f"Splitting {array.shape[axis]} elements into {indices_or_sections} unequal parts",
            "Give the places to split at.",
        )
    ends = np.cumsum([len(piece) for piece in pieces])
    whole = (slice(None),) * axis
    return [
        array[(*whole, slice(int(end) - len(piece), int(end)))]
        for piece, end in zip(pieces, ends, strict=True)
    ]


@traces(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[TracedArray]:
    return split(ary, indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@traces(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[TracedArray]:
    return split(ary, indices_or_sections, 0)


@traces(np.tile)
def tile(A: Any, reps: Any) -> TracedArray:
    array = as_traced(A)
    counts = (int(reps),) if isinstance(reps, int | np.integer) else tuple(int(n) for n in reps)
    ndim = max(len(counts), array.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - array.ndim) + array.shape
    apart = reshape(array, [n for size in shape for n in (1, size)])
    full = [n for count, size in zip(counts, shape, strict=True) for n in (count, size)]
    return reshape(
        broadcast_to(apart, tuple(full)),
        [count * size for count, size in zip(counts, shape, strict=True)],
    )


@traces(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> TracedArray:
    array = as_traced(a)
    if is_traced(repeats):
        raise unsupported("np.repeat with a traced count", "Give the counts as plain numbers.")
    if axis is None:
        array, axis = ravel(array), 0
    axis = axis_of(axis, array.ndim)
    order = np.repeat(np.arange(array.shape[axis]), repeats)
    return array[(slice(None),) * axis + (order,)]


@traces(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **settings: Any) -> TracedArray:
    x = as_traced(array)
    if mode == "constant":
        value = as_traced(settings.get("constant_values", 0))
        if value.ndim:
            raise unsupported("np.pad with several constant_values", "Pad once for each value.")
        widths = np.pad(np.zeros(x.shape, dtype=bool), pad_width).shape
        margins = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
        full = bind(p.broadcast_to, as_dtype(value, x.dtype), shape=widths)
        inside = tuple(
            slice(int(before), int(before) + n)
            for (before, _), n in zip(margins, x.shape, strict=True)
        )
        result = FUNCTIONS[np.copy](full)
        result[inside] = x
        return result
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise unsupported(f"np.pad(…, mode={mode!r})", "Use mode='constant', or np.concatenate.")
    order = np.pad(np.arange(x.size).reshape(x.shape), pad_width, mode=mode, **settings)
    return ravel(x)[order]


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


@traces(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> TracedArray:
    array = as_traced(a)
    if is_traced(shift):
        raise unsupported("np.roll with a traced shift", "Give the shift as a plain number.")
    order = np.roll(np.arange(array.size).reshape(array.shape), shift, axis)
    return ravel(array)[order]


@traces(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", *_: Any, **more: Any) -> TracedArray:
    return full_like(a, 0, dtype, **more)


@traces(np.ones_like)
def ones_like(a: Any, dtype: Any = None, order: str = "K", *_: Any, **more: Any) -> TracedArray:
    return full_like(a, 1, dtype, **more)


@traces(np.full_like, np.empty_like)
def full_like(
    a: Any,
    fill_value: Any = 0,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    device: Any = None,
) -> TracedArray:
    array = as_traced(a)
    wanted = np.dtype(dtype) if dtype is not None else array.dtype
    size = array.shape if shape is None else shape
    return filled((int(size),) if isinstance(size, int) else tuple(size), fill_value, wanted)


def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> TracedArray:
    """A traced array of one value that can be written into."""
    if is_traced(value):
        return FUNCTIONS[np.copy](broadcast_to(as_dtype(value, dtype), shape))
    node = constant(value, dtype=dtype)
    if shape:
        node = p.broadcast_to(node, shape=shape)
    node.source = here()
    node.without_name()
    return TracedArray(np.full(shape, value, dtype=dtype), node)


@traces(np.zeros, np.empty)
def zeros(
    shape: Any, dtype: Any = float, order: str = "C", *, like: Any = None, **more: Any
) -> TracedArray:
    return filled(_shape(shape), 0, np.dtype(dtype))


@traces(np.ones)
def ones(
    shape: Any, dtype: Any = None, order: str = "C", *, like: Any = None, **more: Any
) -> TracedArray:
    return filled(_shape(shape), 1, np.dtype(dtype or float))


@traces(np.full)
def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, like: Any = None, **_: Any
) -> TracedArray:
    wanted = np.dtype(dtype) if dtype is not None else as_traced(fill_value).dtype
    return filled(_shape(shape), fill_value, wanted)


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)


@traces(np.eye, np.identity)
def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, *_: Any, **__: Any) -> TracedArray:
    return FUNCTIONS[np.copy](as_traced(np.eye(N, M, k, dtype)))


@traces(np.array, np.asarray, np.asanyarray, np.ascontiguousarray)
def array_like(a: Any, dtype: Any = None, *_: Any, copy: Any = None, **more: Any) -> TracedArray:
    x = as_traced(a)
    return as_dtype(x, np.dtype(dtype)) if dtype is not None else x


@traces(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> TracedArray:
    array = as_traced(a)
    value = array.value.copy() if isinstance(array.value, np.ndarray) else array.value
    return TracedArray(value, array.node, weak=array.weak)


@traces(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    from chainrule.tracer.ufuncs import store

    value = src if where is True else FUNCTIONS[np.where](where, src, dst)
    store(dst, as_traced(value), "np.copyto")


@traces(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, **_: Any) -> TracedArray:
    array = as_traced(x)
    wanted = np.dtype(dtype)
    if wanted == array.dtype:
        return FUNCTIONS[np.copy](array) if copy else array
    from chainrule.tracer.operands import check_dtype

    check_dtype(wanted, "A conversion to an array")
    return as_dtype(array, wanted)


@traces(np.meshgrid)
def meshgrid(*xi: Any, indexing: str = "xy", **more: Any) -> tuple[TracedArray, ...]:
    raise unsupported("np.meshgrid", "Use x[:, None] and y[None, :], which broadcast.")


@traces(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **more: Any) -> TracedArray:
    from chainrule.tracer.ufuncs import store

    lower = a_min if a_min is not None else more.get("min")
    upper = a_max if a_max is not None else more.get("max")
    result = as_traced(a)
    if lower is not None:
        result = call(np.maximum, result, lower)
    if upper is not None:
        result = call(np.minimum, result, upper)
    if result is a:
        result = FUNCTIONS[np.copy](result)
    return result if out is None else store(out, result, "np.clip(…, out=…)")


@traces(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> TracedArray:
    if x is None or y is None:
        raise unsupported(
            "np.where(condition) without choices", "Use np.where(condition, x, y), or a mask."
        )
    truth = as_traced(condition)
    if truth.dtype.kind != "b":
        truth = call(np.not_equal, truth, 0)
    a, b = as_traced(x), as_traced(y)
    dtype = common_dtype(a, b)
    return bind(p.where, truth, as_dtype(a, dtype), as_dtype(b, dtype))


@traces(np.shape)
def shape_of(a: Any) -> tuple[int, ...]:
    return as_traced(a).shape


@traces(np.ndim)
def ndim_of(a: Any) -> int:
    return as_traced(a).ndim


@traces(np.size)
def size_of(a: Any, axis: Any = None) -> int:
    array = as_traced(a)
    return array.size if axis is None else array.shape[axis]


@traces(np.result_type)
def result_type(*arrays: Any) -> np.dtype[Any]:
    return np.result_type(*(each.value if is_traced(each) else each for each in arrays))


@traces(np.real)
def real(val: Any) -> TracedArray:
    return as_traced(val)


@traces(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return False


@traces(np.may_share_memory, np.shares_memory)
def may_share_memory(a: Any, b: Any, max_work: Any = 0) -> bool:
    return np.may_share_memory(as_traced(a).value, as_traced(b).value)
