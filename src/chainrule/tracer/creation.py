"""NumPy's functions that make arrays: of one value, by copying, by converting."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import constant
from chainrule.tracer.arrangement import broadcast_to, reshape
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, here, traces
from chainrule.tracer.operands import as_dtype, as_traced, check_dtype, is_traced
from chainrule.tracer.ufuncs import store

__all__ = ["copy"]


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
    return filled(array.shape if shape is None else _shape(shape), fill_value, wanted)


def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> TracedArray:
    """A traced array of one value that can be written into."""
    if is_traced(value):
        return copy(broadcast_to(as_dtype(value, dtype), shape), order="C")
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


@traces(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[TracedArray, ...]:
    ndim = len(xi)
    places = [1, 0, *range(2, ndim)] if indexing == "xy" and ndim > 1 else list(range(ndim))
    grids: list[TracedArray] = []
    for place, each in zip(places, xi, strict=True):
        lone = [1] * ndim
        lone[place] = -1
        grids.append(reshape(as_traced(each), lone))
    if not sparse:
        shape = np.broadcast_shapes(*(grid.shape for grid in grids))
        grids = [broadcast_to(grid, shape) for grid in grids]
    return tuple(FUNCTIONS[np.copy](grid) if copy else grid for grid in grids)


@traces(np.eye, np.identity)
def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, *_: Any, **__: Any) -> TracedArray:
    return copy(np.eye(N, M, k, dtype))


@traces(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def as_array(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, **_: Any
) -> TracedArray:
    x = as_traced(a)
    if dtype is not None and np.dtype(dtype) != x.dtype:
        check_dtype(np.dtype(dtype), "A conversion to an array")
        x = as_dtype(x, np.dtype(dtype))
    if copy or not isinstance(x.value, np.ndarray):
        return TracedArray(np.array(x.value), x.node)
    return x


@traces(np.array)
def array(
    object: Any, dtype: Any = None, *, copy: Any = True, ndmin: int = 0, **_: Any
) -> TracedArray:
    x = as_array(object, dtype, copy=copy)
    return reshape(x, (1,) * (ndmin - x.ndim) + x.shape) if x.ndim < ndmin else x


@traces(np.copy)
def copy(a: Any, order: Any = "K", subok: bool = False) -> TracedArray:
    x = as_traced(a)
    return TracedArray(np.array(x.value, order=order), x.node)


@traces(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    value = src if where is True else FUNCTIONS[np.where](where, src, dst)
    store(dst, as_traced(value), "np.copyto")


@traces(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, **_: Any) -> TracedArray:
    array = as_traced(x)
    wanted = np.dtype(dtype)
    if wanted == array.dtype:
        return FUNCTIONS[np.copy](array) if copy else array
    check_dtype(wanted, "A conversion to an array")
    return as_dtype(array, wanted)
