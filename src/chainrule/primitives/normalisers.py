"""Log-sum-exp, softmax and its logarithm over axes, without overflow.

The formulas are those of P. Blanchard, D. J. Higham and N. J. Higham (2021), "Accurately computing
the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41: the largest entry is subtracted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, Spec, primitive
from chainrule.primitives.domains import reals
from chainrule.primitives.functions import exp
from chainrule.primitives.reductions import reduced_shape, spread, total

__all__ = ["log_softmax", "logsumexp", "softmax"]

Array = NDArray[Any]
Axes = tuple[int, ...]
Gradients = tuple[Node | None, ...]


def _reduction(x: Node, *, axis: Axes, keepdims: bool) -> Spec:
    return reduced_shape(x.shape, axis, keepdims), x.dtype


def _same(x: Node, *, axis: Axes) -> Spec:
    return x.shape, x.dtype


def _top(x: Array, axis: Axes) -> Array:
    return np.maximum.reduce(np.real(x), axis=axis, keepdims=True)


@primitive(show="logsumexp({x}, {axis})", kind="reduction", shape=_reduction, domain=reals)
def logsumexp(x: Array, *, axis: Axes, keepdims: bool) -> Array:
    """The logarithm of the sum of exponentials over axes."""
    top = _top(x, axis)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        result = np.log(np.add.reduce(np.exp(x - top), axis=axis, keepdims=True)) + top
    return result if keepdims else result.reshape(reduced_shape(x.shape, axis, False))


@logsumexp.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdims: bool) -> Gradients:
    # exp(x − y) would be the same, but the rounding of a large y would stand in the exponent.
    return (spread(g, x, axis) * softmax(x, axis=axis),)


@primitive(show="softmax({x}, {axis})", kind="reduction", shape=_same, domain=reals)
def softmax(x: Array, *, axis: Axes) -> Array:
    """The exponentials divided by their sum over axes."""
    powers = np.exp(x - _top(x, axis))
    return powers / np.add.reduce(powers, axis=axis, keepdims=True)


@softmax.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes) -> Gradients:
    return (y * (g - spread(total(g * y, axis=axis, keepdims=True), x, axis)),)


@primitive(show="log_softmax({x}, {axis})", kind="reduction", shape=_same, domain=reals)
def log_softmax(x: Array, *, axis: Axes) -> Array:
    """The logarithm of the softmax over axes."""
    top = _top(x, axis)
    shifted = x - np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


@log_softmax.pullback
def _(g: Node, y: Node, x: Node, *, axis: Axes) -> Gradients:
    return (g - exp(y) * spread(total(g, axis=axis, keepdims=True), x, axis),)
