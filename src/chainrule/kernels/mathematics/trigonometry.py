"""Sine, cosine and tangent within a quarter turn, and the inverse tangent."""

from __future__ import annotations

import math

from chainrule.kernels.mathematics.angles import reduced
from chainrule.kernels.mathematics.coefficients import ARCTANGENT, COSINE, HALF_PI, SINE
from chainrule.kernels.mathematics.vectors import Vector, fma, polynomial, where

__all__ = ["arctan", "cos", "sin", "tan"]


def _sine(r: Vector, z: Vector) -> Vector:
    return fma(r * z, polynomial(z, SINE[r.format.name]), r)


def _cosine(r: Vector, z: Vector) -> Vector:
    """1 − z/2 + z² (…): what rounding 1 − z/2 lost is added with the small terms."""
    half = z * 0.5
    most = 1.0 - half
    lost = (1.0 - most) - half
    return most + fma(z * z, polynomial(z, COSINE[r.format.name]), lost)


def _odd(k: Vector) -> Vector:
    """Where the lowest bit is set."""
    return (k & 1).equals(1)


def _with_sign_of_bit(x: Vector, k: Vector, bit: int) -> Vector:
    """The number x with its sign changed where a bit of k is set."""
    top = x.format.bits - 1
    return (x.bits ^ ((k << (top - bit)) & x.format.sign)).floats


def _turned(x: Vector, quarter: int) -> Vector:
    """The sine of x + quarter · π/2."""
    r, k = reduced(x)
    z = r * r
    k = k + quarter
    result = where(_odd(k), _cosine(r, z), _sine(r, z))
    return _with_sign_of_bit(result, k, 1)


def sin(x: Vector) -> Vector:
    """The sine."""
    return where(abs(x) < x.format.tiny, x, _turned(x, 0))


def cos(x: Vector) -> Vector:
    """The cosine."""
    return _turned(x, 1)


def tan(x: Vector) -> Vector:
    """The tangent: sine by cosine, or minus cosine by sine where k is odd."""
    r, k = reduced(x)
    z = r * r
    sine, cosine = _sine(r, z), _cosine(r, z)
    odd = _odd(k)
    result = where(odd, cosine, sine) / where(odd, sine, cosine)
    return where(abs(x) < x.format.tiny, x, _with_sign_of_bit(result, k, 0))


def arctan(x: Vector) -> Vector:
    """The inverse tangent: of a = |x|, of (a − 1) / (a + 1) and π/4, or of −1 / a and π/2."""
    form = x.format
    size = abs(x)
    large = size > math.sqrt(2) + 1
    middle = size > math.sqrt(2) - 1
    top = where(large, x.of(-1.0), where(middle, size - 1.0, size))
    bottom = where(large, size, where(middle, size + 1.0, 1.0))
    t = top / bottom
    first, second, _ = HALF_PI[form.name]
    turned = where(large, x.of(first), where(middle, x.of(first / 2), 0.0))
    low = where(large, x.of(second), where(middle, x.of(second / 2), 0.0))
    z = t * t
    rest = fma(t * z, polynomial(z, ARCTANGENT[form.name]), low)
    return (turned + (t + rest)).with_sign(x)
