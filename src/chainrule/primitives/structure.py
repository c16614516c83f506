"""Primitives that arrange values and compute nothing: reshape, transpose, broadcast, join, cast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, Spec, constant, primitive

__all__ = [
    "broadcast_to",
    "cast",
    "concatenate",
    "reshape",
    "stop_gradient",
    "transpose",
    "zeros_like",
]

Array = NDArray[Any]


def _shape_given(*nodes: Node, shape: tuple[int, ...]) -> Spec:
    return shape, nodes[0].dtype


@primitive(show="reshape({x}, {shape})", kind="structural", shape=_shape_given)
def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same values in the same (row-major) order under another shape."""
    return x.reshape(shape)


@reshape.pullback
def _(g: Node, y: Node, x: Node, *, shape: tuple[int, ...]) -> tuple[Node, ...]:
    return (reshape(g, shape=x.shape),)


def _transpose_shape(x: Node, *, axes: tuple[int, ...]) -> Spec:
    return tuple(x.shape[axis] for axis in axes), x.dtype


@primitive(show="{x}ᵀ", kind="structural", shape=_transpose_shape)
def transpose(x: Array, *, axes: tuple[int, ...]) -> Array:
    """The axes in another order: axis i of the output is axis ``axes[i]`` of the input."""
    return x.transpose(axes)


@transpose.pullback
def _(g: Node, y: Node, x: Node, *, axes: tuple[int, ...]) -> tuple[Node, ...]:
    return (transpose(g, axes=tuple(int(i) for i in np.argsort(axes))),)


@primitive(show="broadcast({x}, {shape})", kind="structural", shape=_shape_given)
def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The input repeated along axes that it lacks or has with length 1."""
    return np.broadcast_to(x, shape)


@broadcast_to.pullback
def _(g: Node, y: Node, x: Node, *, shape: tuple[int, ...]) -> tuple[Node, ...]:
    from chainrule.primitives.reductions import total

    added = len(shape) - x.ndim
    repeated = tuple(
        axis
        for axis, size in enumerate(shape)
        if axis < added or (x.shape[axis - added] == 1 and size != 1)
    )
    summed = total(g, axis=repeated, keepdims=added == 0) if repeated else g
    return (summed if summed.shape == x.shape else reshape(summed, shape=x.shape),)


def _concatenate_shape(*nodes: Node, axis: int) -> Spec:
    shape = list(nodes[0].shape)
    shape[axis] = sum(node.shape[axis] for node in nodes)
    return tuple(shape), nodes[0].dtype


@primitive(show="concatenate({operands}, {axis})", kind="structural", shape=_concatenate_shape)
def concatenate(*arrays: Array, axis: int) -> Array:
    """The arrays one after another along an axis."""
    return np.concatenate(arrays, axis=axis)


@concatenate.pullback
def _(g: Node, y: Node, *parts: Node, axis: int) -> tuple[Node, ...]:
    from chainrule.primitives.indexing import getitem

    ends = np.cumsum([part.shape[axis] for part in parts])
    whole = tuple(("slice", None, None, None) for _ in range(axis))
    return tuple(
        getitem(
            g,
            template=(*whole, ("slice", int(end) - part.shape[axis], int(end), 1)),
            shape=part.shape,
        )
        for part, end in zip(parts, ends, strict=True)
    )


def _cast_shape(x: Node, *, dtype: np.dtype[Any]) -> Spec:
    return x.shape, np.dtype(dtype)


def _keep_complex(x: Array, *, dtype: np.dtype[Any]) -> Array:
    return x if dtype.kind == "f" and x.dtype.kind == "c" else np.real(x).astype(dtype)


@primitive(show="{dtype}({x})", kind="structural", shape=_cast_shape, complex_value=_keep_complex)
def cast(x: Array, *, dtype: np.dtype[Any]) -> Array:
    """The values in another dtype."""
    return x.astype(dtype)


@cast.pullback
def _(g: Node, y: Node, x: Node, *, dtype: np.dtype[Any]) -> tuple[Node | None, ...]:
    return (cast(g, dtype=x.dtype) if x.differentiable else None,)


def _same(x: Node) -> Spec:
    return x.shape, x.dtype


@primitive(show="stop({x})", kind="structural", shape=_same, differentiable=False)
def stop_gradient(x: Array) -> Array:
    """The input, through which no gradient passes."""
    return x


@reshape.specialise
def _(*, shape: tuple[int, ...]) -> Callable[..., Any]:
    def quick(x: Array) -> Array:
        return x.reshape(shape)

    return quick


@transpose.specialise
def _(*, axes: tuple[int, ...]) -> Callable[..., Any]:
    def quick(x: Array) -> Array:
        return x.transpose(axes)

    return quick


def zeros_like(x: Node) -> Node:
    """A node of zeros with the shape and dtype of another."""
    zero = constant(0, dtype=x.dtype)
    return broadcast_to(zero, shape=x.shape) if x.shape else zero
