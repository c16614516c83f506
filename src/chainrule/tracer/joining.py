"""NumPy's functions that join, split, repeat and pad arrays."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.tracer.arrangement import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_to,
    expand_dims,
    ravel,
    reshape,
)
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, traces, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, axis_of, is_traced
from chainrule.tracer.ufuncs import store

__all__ = ["concatenate", "stack"]


@traces(np.concatenate)
def concatenate(
    arrays: Iterable[Any],
    /,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> TracedArray:
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
    result = bind(p.concatenate, *(as_dtype(part, wanted) for part in parts), axis=position)
    return result if out is None else store(out, result, "np.concatenate(…, out=…)")


@traces(np.stack)
def stack(arrays: Iterable[Any], axis: int = 0, out: Any = None, **more: Any) -> TracedArray:
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


@traces(np.dstack)
def dstack(tup: Iterable[Any]) -> TracedArray:
    return concatenate([atleast_3d(array) for array in tup], 2)


@traces(np.column_stack)
def column_stack(tup: Sequence[Any]) -> TracedArray:
    parts = [as_traced(array) for array in tup]
    return concatenate([part if part.ndim > 1 else reshape(part, (-1, 1)) for part in parts], 1)


@traces(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> TracedArray:
    return concatenate((as_traced(arr), as_traced(values)), axis)


@traces(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[TracedArray]:
    array = as_traced(ary)
    axis = axis_of(axis, array.ndim)
    pieces = np.array_split(np.empty(array.shape[axis]), indices_or_sections)
    ends = np.cumsum([len(piece) for piece in pieces])
    whole = (slice(None),) * axis
    return [
        array[(*whole, slice(int(end) - len(piece), int(end)))]
        for piece, end in zip(pieces, ends, strict=True)
    ]


@traces(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[TracedArray]:
    size = as_traced(ary).shape[axis]
    if np.ndim(indices_or_sections) == 0 and size % indices_or_sections:
        raise ValueError(
            f"array split does not result in an equal division: {size} elements into "
            f"{indices_or_sections} parts ({here().describe()})"
        )
    return array_split(ary, indices_or_sections, axis)


@traces(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[TracedArray, ...]:
    array = FUNCTIONS[np.moveaxis](x, axis, 0)
    return tuple(array[i] for i in range(len(array)))


@traces(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[TracedArray]:
    return split(ary, indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@traces(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[TracedArray]:
    return split(ary, indices_or_sections, 0)


@traces(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[TracedArray]:
    return split(ary, indices_or_sections, 2)


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
            raise unsupported(
                "np.pad with several constant_values", "Pad once for each value, one after another."
            )
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
