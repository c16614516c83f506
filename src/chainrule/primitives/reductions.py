"""Reductions over axes, and running sums. ``axis`` is always a tuple of axes, counted from 0."""

from __future__ import annotations

from collections.abc import Callable
from math import prod as product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, Spec, constant, primitive
from chainrule.primitives.comparisons import equal, where
from chainrule.primitives.domains import away_from_zero, reals
from chainrule.primitives.structure import broadcast_to, cast, reshape, transpose

__all__ = ["argmax", "argmin", "cumsum", "largest", "prod", "smallest", "total"]

Array = NDArray[Any]
Axes = tuple[int, ...]
Gradients = tuple[Node | None, ...]


def reduced_shape(shape: tuple[int, ...], axis: Axes, keepdims: bool) -> tuple[int, ...]:
    """The shape after reducing over axes."""
    if keepdims:
        return tuple(1 if i in axis else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axis)


def _reduction(x: Node, *, axis: Axes, keepdims: bool) -> Spec:
    return reduced_shape(x.shape, axis, keepdims), x.dtype


def spread(value: Node, x: Node, axis: Axes) -> Node:
    """A reduced value put back beside every element that it came from."""
    kept = reduced_shape(x.shape, axis, keepdims=True)
    if value.shape != kept:
        value = reshape(value, shape=kept)
    return broadcast_to(value, shape=x.shape) if kept != x.shape else value


def _accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that NumPy adds and multiplies in: whole numbers and truth values get wider."""
    return dtype if dtype.kind == "f" else np.add.reduce(np.zeros(0, dtype)).dtype


def _accumulation(x: Node, *, axis: Axes, keepdims: bool) -> Spec:
    return reduced_shape(x.shape, axis, keepdims), _accumulator(x.dtype)


@primitive(show="sum({x}, {axis})", kind="reduction", shape=_accumulation, name="sum", domain=reals)
def total(x: Array, *, axis: Axes, keepdims: bool) -> Array:
    """The sum over axes."""
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


@total.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdims: bool) -> Gradients:
    return (spread(g, x, axis),)


@total.specialise
def _(*, axis: Axes, keepdims: bool) -> Callable[..., Any]:
    reduce: Callable[..., Array] = np.add.reduce

    def quick(x: Array) -> Array:
        return reduce(x, axis, None, None, keepdims)

    return quick


def _extreme_complex(choose: Callable[..., Any]) -> Callable[..., Any]:
    def value(x: Array, *, axis: Axes, keepdims: bool) -> Array:
        chosen = np.real(x) == choose(np.real(x), axis=axis, keepdims=True)
        count = np.add.reduce(chosen, axis=axis, keepdims=keepdims)
        return np.add.reduce(np.where(chosen, x, 0), axis=axis, keepdims=keepdims) / count

    return value


def _extreme_kink(choose: Callable[..., Any]) -> Callable[..., Any]:
    def branch(x: Array, *, axis: Axes, keepdims: bool) -> Array:
        return np.real(x) == choose(np.real(x), axis=axis, keepdims=True)

    return branch


def _extreme_gradient(g: Node, y: Node, x: Node, axis: Axes) -> Node:
    # Where several elements are the extreme one, each gets an equal share. Where the extreme is
    # not a number none equals it, and 0 / 0 says so for all.
    chosen = equal(x, spread(y, x, axis))
    ones = cast(chosen, dtype=x.dtype)
    count = total(ones, axis=axis, keepdims=True)
    return where(chosen, spread(g, x, axis), 0) / spread(count, x, axis)


@primitive(
    show="max({x}, {axis})",
    kind="reduction",
    shape=_reduction,
    name="max",
    domain=reals,
    kink=_extreme_kink(np.maximum.reduce),
    complex_value=_extreme_complex(np.maximum.reduce),
)
def largest(x: Array, *, axis: Axes, keepdims: bool) -> Array:
    """The largest element over axes."""
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@largest.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdims: bool) -> Gradients:
    return (_extreme_gradient(g, y, x, axis),)


@primitive(
    show="min({x}, {axis})",
    kind="reduction",
    shape=_reduction,
    name="min",
    domain=reals,
    kink=_extreme_kink(np.minimum.reduce),
    complex_value=_extreme_complex(np.minimum.reduce),
)
def smallest(x: Array, *, axis: Axes, keepdims: bool) -> Array:
    """The smallest element over axes."""
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


@smallest.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdims: bool) -> Gradients:
    return (_extreme_gradient(g, y, x, axis),)


@primitive(show="prod({x}, {axis})", kind="reduction", shape=_accumulation, domain=away_from_zero)
def prod(x: Array, *, axis: Axes, keepdims: bool) -> Array:
    """The product over axes."""
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


@prod.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdims: bool) -> Gradients:
    # The derivative by one factor is the product of the others. Dividing the product by the
    # factor would fail at 0, so the others are multiplied: n rows of n factors.
    kept = tuple(i for i in range(x.ndim) if i not in axis)
    order = (*kept, *axis)
    moved = transpose(x, axes=order)
    outer = tuple(x.shape[i] for i in kept)
    n = product(x.shape[i] for i in axis)
    rows = broadcast_to(reshape(moved, shape=(*outer, 1, n)), shape=(*outer, n, n))
    diagonal = broadcast_to(constant(np.eye(n, dtype=bool)), shape=(*outer, n, n))
    others = prod(where(diagonal, 1, rows), axis=(len(outer) + 1,), keepdims=False)
    others = reshape(others, shape=moved.shape)
    back = tuple(int(i) for i in np.argsort(order))
    return (spread(g, x, axis) * transpose(others, axes=back),)


def _same(x: Node, *, axis: int) -> Spec:
    return x.shape, _accumulator(x.dtype)


@primitive(show="cumsum({x}, {axis})", kind="reduction", shape=_same, domain=reals)
def cumsum(x: Array, *, axis: int) -> Array:
    """The running sum along an axis."""
    return np.add.accumulate(x, axis=axis)


@cumsum.pullback
def _(g: Node, y: Node, x: Node, *, axis: int) -> Gradients:
    from chainrule.primitives.indexing import flip

    return (flip(cumsum(flip(g, axis), axis=axis), axis),)


def _index(x: Node, *, axis: int, keepdims: bool) -> Spec:
    return reduced_shape(x.shape, (axis,), keepdims), np.dtype(np.intp)


def _argmax_complex(x: Array, *, axis: int, keepdims: bool) -> Array:
    return np.asarray(np.argmax(np.real(x), axis=axis, keepdims=keepdims))


def _argmin_complex(x: Array, *, axis: int, keepdims: bool) -> Array:
    return np.asarray(np.argmin(np.real(x), axis=axis, keepdims=keepdims))


@primitive(
    show="argmax({x}, {axis})",
    kind="reduction",
    shape=_index,
    domain=reals,
    differentiable=False,
    kink=_argmax_complex,
    complex_value=_argmax_complex,
)
def argmax(x: Array, *, axis: int, keepdims: bool) -> Array:
    """The position of the largest element along an axis; the first one at a tie."""
    return np.asarray(np.argmax(x, axis=axis, keepdims=keepdims))


@primitive(
    show="argmin({x}, {axis})",
    kind="reduction",
    shape=_index,
    domain=reals,
    differentiable=False,
    kink=_argmin_complex,
    complex_value=_argmin_complex,
)
def argmin(x: Array, *, axis: int, keepdims: bool) -> Array:
    """The position of the smallest element along an axis; the first one at a tie."""
    return np.asarray(np.argmin(x, axis=axis, keepdims=keepdims))
