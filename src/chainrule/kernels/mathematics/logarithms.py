"""Logarithms to three bases, and what is made of them.

A positive x is 2^k m with m from 2/3 up to 4/3, and log x = k log 2 + f − f²/2 + f³ (…) with
f = m − 1. A polynomial of f takes no division, which would be most of the waiting. The sum of
k log 2 and f is kept in two parts.
"""

from __future__ import annotations

import math

from chainrule.kernels.mathematics.coefficients import LOG2, LOGARITHM, LOGARITHMS_OF_BASES
from chainrule.kernels.mathematics.exponentials import exp
from chainrule.kernels.mathematics.vectors import Vector, fma, polynomial, where

__all__ = ["log", "log1p", "log2", "log10", "logaddexp", "xlogy"]


def fraction_and_exponent(x: Vector) -> tuple[Vector, Vector, Vector]:
    """The m from 2/3 up to 4/3 and k with x = 2^k m, for positive x; and the bits of k + bias.

    Subnormal numbers are lifted into the normal range first, and only k says by how much.
    """
    form = x.format
    lift = form.fraction + 2
    tiny = x < 2.0 ** (1 - form.bias)
    bits = where(tiny, x * 2.0**lift, x).bits
    base = form.bits_of(2 / 3)
    moved = bits + ((form.bias << form.fraction) - base)
    m = ((moved & ((1 << form.fraction) - 1)) + base).floats
    biased = moved >> form.fraction
    # The bits of 2^fraction + n for a small n are those of 2^fraction, plus n.
    origin = 2.0**form.fraction
    number = (biased + form.bits_of(origin)).floats
    k = number - where(tiny, x.of(origin + form.bias + lift), origin + form.bias)
    return m, k, biased


def _series(f: Vector, low: Vector, coefficients: tuple[float, ...]) -> Vector:
    """The sum f² (c₀ + c₁ f + …) + low."""
    square = f * f
    count = 8 if len(coefficients) > 10 else 4
    power = square * square
    power = (power * power if count == 8 else power) * square
    start = polynomial(f, coefficients[:count])
    rest = polynomial(f, coefficients[count:])
    return fma(power, rest, fma(square, start, low))


def _sum_in_parts(k: Vector, f: Vector, high: float, low: float) -> tuple[Vector, Vector]:
    """The sum k (high + low) + f and what it lost; the products k · high are exact."""
    whole = k * high
    total = whole + f
    return total, fma(k, low, f - (total - whole))


def _natural(k: Vector, f: Vector, correction: Vector | None = None) -> Vector:
    """The logarithm of 2^k (1 + f + correction)."""
    form = f.format
    total, lost = _sum_in_parts(k, f, *LOG2[form.name])
    if correction is not None:
        lost = lost + correction
    return total + _series(f, lost, LOGARITHM[form.name])


def _at_the_ends(x: Vector, result: Vector) -> Vector:
    """A logarithm of positive numbers, and what it is of others."""
    usual = (x > 0.0) & (x < math.inf)
    ends = where(x.equals(0.0), x.of(-math.inf), where(x < 0.0, x.of(math.nan), x))
    return where(usual, result, ends)


def log(x: Vector) -> Vector:
    """The natural logarithm."""
    m, k, _ = fraction_and_exponent(x)
    return _at_the_ends(x, _natural(k, m - 1.0))


def _to_base(x: Vector, base: int) -> Vector:
    form = x.format
    of_two, of_e, coefficients = LOGARITHMS_OF_BASES[base, form.name]
    m, k, _ = fraction_and_exponent(x)
    f = m - 1.0
    product = f * of_e[0]
    low = fma(f, of_e[1], fma(f, of_e[0], -product))
    total, lost = _sum_in_parts(k, product, *of_two)
    return _at_the_ends(x, total + _series(f, lost + low, coefficients))


def log2(x: Vector) -> Vector:
    """The logarithm to base 2."""
    return _to_base(x, 2)


def log10(x: Vector) -> Vector:
    """The logarithm to base 10."""
    return _to_base(x, 10)


def log1p(x: Vector) -> Vector:
    """The logarithm of 1 + x; what the sum u = 1 + x lost is added as lost / u."""
    form = x.format
    u = x + 1.0
    lost = x - (u - 1.0)
    m, k, biased = fraction_and_exponent(u)
    f = m - 1.0
    # Of lost / u = lost / 2^k / (1 + f) a few digits are enough.
    # The factor 2^4 keeps 2^−k a normal number.
    shrink = ((biased.of(2 * form.bias + 4) - biased) << form.fraction).floats
    part = lost * shrink * fma(f * 2.0**-4, f - 1.0, 2.0**-4)
    result = _natural(k, f, part)
    small = abs(x) < form.tiny
    usual = (x > -1.0) & (x < math.inf)
    ends = where(x.equals(-1.0), x.of(-math.inf), where(x < -1.0, x.of(math.nan), x))
    return where(small, x, where(usual, result, ends))


def logaddexp(a: Vector, b: Vector) -> Vector:
    """The larger, plus log(1 + exp(−|a − b|)); equal ones, infinite too, plus log 2."""
    form = a.format
    larger = where(a > b, a, b)
    e = exp(-abs(a - b))
    # 1 + e is up to 2: its half less 1 is (e − 1) / 2.
    halved = e > 1 / 3
    f = where(halved, (e - 1.0) * 0.5, e)
    k = where(halved, a.of(1.0), 0.0)
    added = larger + where(e < form.tiny, e, _natural(k, f))
    return where(a.equals(b), a + math.log(2), added)


def xlogy(a: Vector, b: Vector) -> Vector:
    """The product a · log b, and 0 where a is 0 and b is a number."""
    return where(a.equals(0.0) & b.equals(b), a.of(0.0), a * log(b))
