"""Comparisons, logic and choice, elementwise. No gradient passes through a truth value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, Spec, elementwise, primitive
from chainrule.primitives.domains import reals
from chainrule.primitives.structure import zeros_like

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "isnan",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "where",
]

Array = NDArray[Any]
_BOOL = np.dtype(bool)


def _truth(*nodes: Node) -> Spec:
    return elementwise(*nodes)[0], _BOOL


def _comparison(show: str, ufunc: np.ufunc) -> Any:
    def by_real_part(a: Array, b: Array) -> Array:
        return ufunc(np.real(a), np.real(b))

    return primitive(
        show=show,
        shape=_truth,
        ufunc=ufunc,
        domain=reals,
        differentiable=False,
        kink=ufunc,
        complex_value=by_real_part,
    )


@_comparison("{a} > {b}", np.greater)
def greater(a: Array, b: Array) -> Array:
    """Whether the first input is larger, elementwise."""
    return np.greater(a, b)


@_comparison("{a} ≥ {b}", np.greater_equal)
def greater_equal(a: Array, b: Array) -> Array:
    """Whether the first input is larger or equal, elementwise."""
    return np.greater_equal(a, b)


@_comparison("{a} < {b}", np.less)
def less(a: Array, b: Array) -> Array:
    """Whether the first input is smaller, elementwise."""
    return np.less(a, b)


@_comparison("{a} ≤ {b}", np.less_equal)
def less_equal(a: Array, b: Array) -> Array:
    """Whether the first input is smaller or equal, elementwise."""
    return np.less_equal(a, b)


@_comparison("{a} = {b}", np.equal)
def equal(a: Array, b: Array) -> Array:
    """Whether the inputs are equal, elementwise."""
    return np.equal(a, b)


@_comparison("{a} ≠ {b}", np.not_equal)
def not_equal(a: Array, b: Array) -> Array:
    """Whether the inputs differ, elementwise."""
    return np.not_equal(a, b)


@primitive(show="finite({x})", shape=_truth, ufunc=np.isfinite, domain=reals, differentiable=False)
def isfinite(x: Array) -> Array:
    """Whether the input is neither infinite nor not-a-number, elementwise."""
    return np.isfinite(x)


@primitive(show="nan({x})", shape=_truth, ufunc=np.isnan, domain=reals, differentiable=False)
def isnan(x: Array) -> Array:
    """Whether the input is not-a-number, elementwise."""
    return np.isnan(x)


@primitive(show="¬{x}", shape=_truth, ufunc=np.logical_not, differentiable=False)
def logical_not(x: Array) -> Array:
    """Whether the input is false or 0, elementwise."""
    return np.logical_not(x)


@primitive(show="{a} ∧ {b}", shape=_truth, ufunc=np.logical_and, differentiable=False)
def logical_and(a: Array, b: Array) -> Array:
    """Whether both inputs are true, elementwise."""
    return np.logical_and(a, b)


@primitive(show="{a} ∨ {b}", shape=_truth, ufunc=np.logical_or, differentiable=False)
def logical_or(a: Array, b: Array) -> Array:
    """Whether either input is true, elementwise."""
    return np.logical_or(a, b)


@primitive(show="{a} ⊻ {b}", shape=_truth, ufunc=np.logical_xor, differentiable=False)
def logical_xor(a: Array, b: Array) -> Array:
    """Whether exactly one input is true, elementwise."""
    return np.logical_xor(a, b)


def _choice(condition: Node, a: Node, b: Node) -> Spec:
    assert condition.dtype == _BOOL, condition
    assert condition.shape == a.shape, (condition, a)
    return elementwise(a, b)


@primitive(show="{a} if {condition} else {b}", shape=_choice)
def where(condition: Array, a: Array, b: Array) -> Array:
    """The first choice where the condition is true, the second elsewhere."""
    return np.where(condition, a, b)


@where.pullback
def _(g: Node, y: Node, condition: Node, a: Node, b: Node) -> tuple[Node | None, ...]:
    if not a.differentiable:
        return None, None, None
    return None, where(condition, g, zeros_like(g)), where(condition, zeros_like(g), g)
