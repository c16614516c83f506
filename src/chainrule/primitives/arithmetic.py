"""Elementwise arithmetic of one and two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, primitive
from chainrule.primitives.comparisons import equal, logical_and, where
from chainrule.primitives.domains import away_from_zero, positive, reals

__all__ = [
    "add",
    "divide",
    "logaddexp",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "reciprocal",
    "square",
    "subtract",
    "xlogy",
]

Array = NDArray[Any]
Gradients = tuple[Node | None, ...]


@primitive(show="−{x}", ufunc=np.negative, domain=reals)
def negative(x: Array) -> Array:
    """The negative, elementwise."""
    return np.negative(x)


@negative.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (-g,)


@primitive(show="{a} + {b}", ufunc=np.add, domain=reals)
def add(a: Array, b: Array) -> Array:
    """The sum of two inputs, elementwise."""
    return np.add(a, b)


@add.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    return g, g


@primitive(show="{a} − {b}", ufunc=np.subtract, domain=reals)
def subtract(a: Array, b: Array) -> Array:
    """The difference of two inputs, elementwise."""
    return np.subtract(a, b)


@subtract.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    return g, -g


@primitive(show="{a} · {b}", ufunc=np.multiply, domain=reals)
def multiply(a: Array, b: Array) -> Array:
    """The product of two inputs, elementwise."""
    return np.multiply(a, b)


@multiply.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    return g * b, g * a


@primitive(show="{a} / {b}", ufunc=np.divide, domain=away_from_zero)
def divide(a: Array, b: Array) -> Array:
    """The quotient of two inputs, elementwise."""
    return np.divide(a, b)


@divide.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    return g / b, -(g * y / b)


@primitive(show="{x}²", ufunc=np.square, domain=reals)
def square(x: Array) -> Array:
    """The square, elementwise."""
    return np.square(x)


@square.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (2 * x),)


@primitive(show="1 / {x}", ufunc=np.reciprocal, domain=away_from_zero)
def reciprocal(x: Array) -> Array:
    """One divided by the input, elementwise."""
    return np.reciprocal(x)


@reciprocal.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (-(g * (y * y)),)


@primitive(show="{a}^{b}", ufunc=np.power, domain=positive)
def power(a: Array, b: Array) -> Array:
    """The first input raised to the second, elementwise."""
    return np.power(a, b)


@power.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    # Where both are 0 the derivative by a is 0, but 0 · 0⁻¹ is not a number; where a is 0 the
    # derivative by b is 0, but 0 · log 0 is not a number. Elsewhere the formulas stand as they
    # are, so that they can be differentiated again.
    from chainrule.primitives.functions import log

    base = where(_both_zero(a, b), 1, a) if _may_be_zero(b) else a
    return g * (b * base ** (b - 1)), g * (y * log(where(equal(a, 0), 1, a)))


def _may_be_zero(x: Node) -> bool:
    """Whether an input may hold a zero: only a constant is known not to."""
    while x.primitive.name == "broadcast_to":
        x = x.inputs[0]
    return x.primitive.name != "constant" or not np.all(x.value)


def _both_zero(a: Node, b: Node) -> Node:
    return logical_and(equal(a, 0), equal(b, 0))


def _larger_by_real_part(a: Array, b: Array) -> Array:
    return np.where(np.real(a) > np.real(b), a, b)


@primitive(
    show="max({a}, {b})",
    ufunc=np.maximum,
    domain=reals,
    kink=np.greater,
    complex_value=_larger_by_real_part,
)
def maximum(a: Array, b: Array) -> Array:
    """The larger of two inputs, elementwise.

    At a tie the derivative is 0 against a constant (so that relu has slope 0 at 0), and goes to
    the second input otherwise.
    """
    return np.maximum(a, b)


@maximum.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    if a.is_constant:
        return None, where(b > a, g, 0)
    return where(a > b, g, 0), where(a > b, 0, g)


def _smaller_by_real_part(a: Array, b: Array) -> Array:
    return np.where(np.real(a) < np.real(b), a, b)


@primitive(
    show="min({a}, {b})",
    ufunc=np.minimum,
    domain=reals,
    kink=np.less,
    complex_value=_smaller_by_real_part,
)
def minimum(a: Array, b: Array) -> Array:
    """The smaller of two inputs, elementwise; ties as for the larger."""
    return np.minimum(a, b)


@minimum.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    if a.is_constant:
        return None, where(b < a, g, 0)
    return where(a < b, g, 0), where(a < b, 0, g)


def _complex_logaddexp(a: Array, b: Array) -> Array:
    top = np.maximum(np.real(a), np.real(b))
    return top + np.log(np.exp(a - top) + np.exp(b - top))


@primitive(
    show="log(exp({a}) + exp({b}))",
    ufunc=np.logaddexp,
    domain=reals,
    complex_value=_complex_logaddexp,
)
def logaddexp(a: Array, b: Array) -> Array:
    """The logarithm of the sum of two exponentials, elementwise, without overflow."""
    return np.logaddexp(a, b)


@logaddexp.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    from chainrule.primitives.functions import expit

    return g * expit(a - b), g * expit(b - a)


@primitive(show="{a} · log({b})", special="xlogy", domain=positive)
def xlogy(a: Array, b: Array) -> Array:
    """The first input times the logarithm of the second, elementwise; 0 where the first is 0."""
    return _xlogy()(a, b)


@xlogy.specialise
def _xlogy() -> Any:
    from scipy.special import xlogy  # here, because SciPy takes long to import

    return xlogy


@xlogy.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> Gradients:
    from chainrule.primitives.functions import log

    # Where both are 0 the term counts as absent: neither log 0 nor 0 / 0 comes into it.
    argument = where(_both_zero(a, b), 1, b)
    return g * log(argument), g * (a / argument)
