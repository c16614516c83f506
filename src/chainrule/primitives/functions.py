"""Elementwise functions of one input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, primitive
from chainrule.primitives.domains import away_from_zero, fractions, positive, reals

__all__ = [
    "absolute",
    "arctan",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "exp2",
    "expit",
    "expm1",
    "floor",
    "log",
    "log1p",
    "log2",
    "log10",
    "rint",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]

Array = NDArray[Any]
Gradients = tuple[Node | None, ...]


# Branches, and values on complex arrays that choose the branch by the real part.


def _positive(x: Array) -> Array:
    return np.sign(np.real(x))


def _half(x: Array) -> Array:
    return np.floor(2 * np.real(x))


def _absolute_by_real_part(x: Array) -> Array:
    return np.where(np.real(x) < 0, -x, x)


def _sign_by_real_part(x: Array) -> Array:
    return np.sign(np.real(x))


def _floor_by_real_part(x: Array) -> Array:
    return np.floor(np.real(x))


def _ceil_by_real_part(x: Array) -> Array:
    return np.ceil(np.real(x))


def _rint_by_real_part(x: Array) -> Array:
    return np.rint(np.real(x))


def _complex_expit(x: Array) -> Array:
    small = np.exp(-np.where(np.real(x) < 0, -x, x))
    return np.where(np.real(x) < 0, small, 1) / (1 + small)


@primitive(
    show="|{x}|",
    ufunc=np.absolute,
    domain=reals,
    kink=_positive,
    complex_value=_absolute_by_real_part,
)
def absolute(x: Array) -> Array:
    """The absolute value, elementwise; its derivative at 0 is taken as 0."""
    return np.absolute(x)


@absolute.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * sign(x),)


@primitive(
    show="sign({x})",
    ufunc=np.sign,
    domain=away_from_zero,
    differentiable=False,
    kink=_positive,
    complex_value=_sign_by_real_part,
)
def sign(x: Array) -> Array:
    """−1, 0 or 1 by the sign, elementwise."""
    return np.sign(x)


@primitive(
    show="⌊{x}⌋",
    ufunc=np.floor,
    domain=reals,
    differentiable=False,
    kink=_half,
    complex_value=_floor_by_real_part,
)
def floor(x: Array) -> Array:
    """The largest whole number that is not larger, elementwise."""
    return np.floor(x)


@primitive(
    show="⌈{x}⌉",
    ufunc=np.ceil,
    domain=reals,
    differentiable=False,
    kink=_half,
    complex_value=_ceil_by_real_part,
)
def ceil(x: Array) -> Array:
    """The smallest whole number that is not smaller, elementwise."""
    return np.ceil(x)


@primitive(
    show="round({x})",
    ufunc=np.rint,
    domain=reals,
    differentiable=False,
    kink=_half,
    complex_value=_rint_by_real_part,
)
def rint(x: Array) -> Array:
    """The nearest whole number, elementwise; halves to the even one."""
    return np.rint(x)


@primitive(show="exp({x})", ufunc=np.exp, domain=reals)
def exp(x: Array) -> Array:
    """The exponential, elementwise."""
    return np.exp(x)


@exp.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * y,)


@primitive(show="2^{x}", ufunc=np.exp2, domain=reals)
def exp2(x: Array) -> Array:
    """Two to the power of the input, elementwise."""
    return np.exp2(x)


@exp2.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (y * math.log(2)),)


@primitive(show="exp({x}) − 1", ufunc=np.expm1, domain=reals)
def expm1(x: Array) -> Array:
    """The exponential minus one, elementwise, accurate near 0."""
    return np.expm1(x)


@expm1.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (y + 1),)


@primitive(show="log({x})", ufunc=np.log, domain=positive)
def log(x: Array) -> Array:
    """The natural logarithm, elementwise."""
    return np.log(x)


@log.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / x,)


@primitive(show="log₂({x})", ufunc=np.log2, domain=positive)
def log2(x: Array) -> Array:
    """The logarithm to base 2, elementwise."""
    return np.log2(x)


@log2.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / (x * math.log(2)),)


@primitive(show="log₁₀({x})", ufunc=np.log10, domain=positive)
def log10(x: Array) -> Array:
    """The logarithm to base 10, elementwise."""
    return np.log10(x)


@log10.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / (x * math.log(10)),)


@primitive(show="log(1 + {x})", ufunc=np.log1p, domain=positive)
def log1p(x: Array) -> Array:
    """The logarithm of one plus the input, elementwise, accurate near 0."""
    return np.log1p(x)


@log1p.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / (1 + x),)


@primitive(show="√{x}", ufunc=np.sqrt, domain=positive)
def sqrt(x: Array) -> Array:
    """The square root, elementwise."""
    return np.sqrt(x)


@sqrt.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / (2 * y),)


@primitive(show="sin({x})", ufunc=np.sin, domain=reals)
def sin(x: Array) -> Array:
    """The sine, elementwise."""
    return np.sin(x)


@sin.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * cos(x),)


@primitive(show="cos({x})", ufunc=np.cos, domain=reals)
def cos(x: Array) -> Array:
    """The cosine, elementwise."""
    return np.cos(x)


@cos.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (-(g * sin(x)),)


@primitive(show="tan({x})", ufunc=np.tan, domain=fractions)
def tan(x: Array) -> Array:
    """The tangent, elementwise."""
    return np.tan(x)


@tan.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (1 + y * y),)


@primitive(show="sinh({x})", ufunc=np.sinh, domain=reals)
def sinh(x: Array) -> Array:
    """The hyperbolic sine, elementwise."""
    return np.sinh(x)


@sinh.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * cosh(x),)


@primitive(show="cosh({x})", ufunc=np.cosh, domain=reals)
def cosh(x: Array) -> Array:
    """The hyperbolic cosine, elementwise."""
    return np.cosh(x)


@cosh.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * sinh(x),)


@primitive(show="tanh({x})", ufunc=np.tanh, domain=reals)
def tanh(x: Array) -> Array:
    """The hyperbolic tangent, elementwise."""
    return np.tanh(x)


@tanh.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (1 - y * y),)


@primitive(show="arctan({x})", ufunc=np.arctan, domain=reals)
def arctan(x: Array) -> Array:
    """The inverse tangent, elementwise."""
    return np.arctan(x)


@arctan.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g / (1 + x * x),)


@primitive(show="σ({x})", special="expit", domain=reals, complex_value=_complex_expit)
def expit(x: Array) -> Array:
    """The logistic sigmoid 1 / (1 + exp(−x)), elementwise, without a warning."""
    # Within 3 ulp, as SciPy's, which computes the same but takes 0.1 s to import. Where exp
    # overflows, below −709 (−88 in single precision), both give 0.
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        return 1 / (1 + np.exp(-x))


@expit.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (y * (1 - y)),)


@primitive(show="erf({x})", special="erf", domain=reals)
def erf(x: Array) -> Array:
    """The error function, elementwise."""
    return _erf()(x)


@erf.specialise
def _erf() -> Any:
    from scipy.special import erf  # here, because SciPy takes long to import

    return erf


@erf.pullback
def _(g: Node, y: Node, x: Node) -> Gradients:
    return (g * (2 / math.sqrt(math.pi) * exp(-(x * x))),)
