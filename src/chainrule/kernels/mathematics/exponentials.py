"""The exponential, the logistic sigmoid and the hyperbolic functions.

All write x = k log 2 + r with a whole k, so that exp x = 2^k exp r, and take exp r − 1 from one
polynomial (P. T. P. Tang, 1989, ACM TOMS 15:144). Adding a large number rounds to k and leaves k
and the exponent's bias in the lowest bits, which shifted are the bits of 2^k. The sum 1 + exp x is
then one `fma`, as 2^k (exp r − 1) + (2^k + 1): it never waits for exp x.
"""

from __future__ import annotations

import math

from chainrule.kernels.mathematics.coefficients import COSH, EXPONENTIAL, LOG2, SINH
from chainrule.kernels.mathematics.vectors import Format, Vector, fma, polynomial, where

__all__ = ["cosh", "exp", "exp2", "expit", "expm1", "sinh", "tanh"]


def reduced(x: Vector, offset: int, twice: int = 1) -> tuple[Vector, Vector, Vector]:
    """The bits of whole numbers k + offset, k, and r, with x = (k / twice) log 2 + r."""
    form = x.format
    high, low = LOG2[form.name]
    magic = form.magic + offset
    shifted = fma(x, twice / math.log(2), magic)
    k = shifted - magic
    r = fma(k, -high / twice, x)
    return shifted.bits, k, fma(k, -low / twice, r)


def growth_parts(r: Vector, twice: int = 1) -> tuple[Vector, Vector, Vector, Vector]:
    """Factors with exp r − 1 = r + a b + c d, or with twice = 2 of (exp 2r − 1) / 2.

    Added as ``fma(c, d, fma(a, b, r))`` few operations wait for one another.
    """
    coefficients = [c * twice ** (i + 1) for i, c in enumerate(EXPONENTIAL[r.format.name])]
    square = r * r
    if len(coefficients) <= 5:
        low = polynomial(r, coefficients[:2])
        high = polynomial(r, coefficients[2:])
        return square, low, square * square, high
    low = polynomial(r, coefficients[:4])
    high = polynomial(r, coefficients[4:])
    return square, low, square * (square * square), high


def growth(r: Vector) -> Vector:
    """The exponential of r less 1."""
    a, b, c, d = growth_parts(r)
    return fma(c, d, fma(a, b, r))


def power_of_two(bits: Vector, form: Format) -> Vector:
    """The number whose exponent, with its bias, stands in the lowest bits."""
    return (bits << form.fraction).floats


def limits(form: Format) -> tuple[float, float]:
    """Below the first the exponential is 0, above the second it is infinite."""
    return (-746.0, 710.0) if form.bits == 64 else (-105.0, 89.0)


def outside(x: Vector, low: float, high: float) -> Vector:
    """Where a number is below or above whole numbers; never where it is not a number."""
    return abs(x - (low + high) / 2) > (high - low) / 2


def scaled_exponential(bits: Vector, r: Vector, more: Vector | None = None) -> Vector:
    """exp(r + more) 2^k, with k + 2 bias in the lowest bits: in two steps, as 2^k may be no number.

    What rounding 1 + r lost is added with the small terms.
    """
    form = r.format
    half = bits >> 1
    first = power_of_two(half, form)
    one = r + 1.0
    lost = r - (one - 1.0)
    a, b, c, d = growth_parts(r)
    rest = fma(c, d, fma(a, b, lost if more is None else lost + more))
    return fma(first, rest, first * one) * power_of_two(bits - half, form)


def clamped(x: Vector, low: float, high: float) -> Vector:
    """The nearest number of an interval; what is not a number stays so."""
    x = where(x < low, x.of(low), x)
    return where(x > high, x.of(high), x)


def exp(x: Vector) -> Vector:
    """The exponential."""
    form = x.format
    bits, _, r = reduced(clamped(x, *limits(form)), 2 * form.bias)
    return scaled_exponential(bits, r)


def exp2(x: Vector) -> Vector:
    """Two to the power of x: the whole part is exact."""
    form = x.format
    x = clamped(x, -1080.0, 1024.0) if form.bits == 64 else clamped(x, -152.0, 128.0)
    magic = form.magic + 2 * form.bias
    shifted = x + magic
    part = x - (shifted - magic)
    high, low = LOG2[form.name]
    return scaled_exponential(shifted.bits, fma(part, high, part * low))


def expm1(x: Vector) -> Vector:
    """The exponential minus one: 2 (2^(k−1) (exp r − 1) + (2^(k−1) − ½)), accurate near 0."""
    form = x.format
    bits, _, r = reduced(clamped(x, -form.fraction, limits(form)[1]), form.bias - 1)
    scale = power_of_two(bits, form)
    a, b, c, d = growth_parts(r)
    rest = fma(c, d, a * b)
    result = fma(scale, rest, fma(scale, r, scale - 0.5)) * 2.0
    return where(abs(x) < form.tiny, x, result)


def expit(x: Vector) -> Vector:
    """The logistic sigmoid q / (q + q exp(−x)).

    The factor q = 2^(−100) keeps exp(−x) from overflowing where the result is not yet 0.
    """
    form = x.format
    exponent = 100 if form.bits == 64 else 30
    bits, _, r = reduced(-x, form.bias - exponent)
    scale = power_of_two(bits, form)
    q = 2.0**-exponent
    result = x.of(q) / fma(scale, growth(r), scale + q)
    low, high = (-746.0, 600.0) if form.bits == 64 else (-105.0, 65.0)
    return where(outside(x, low, high), where(x > 0.0, x.of(1.0), 0.0), result)


def tanh(x: Vector) -> Vector:
    """The hyperbolic tangent (1 − e) / (1 + e) with e = exp(−2|x|), and the sign of x."""
    form = x.format
    size = abs(x)
    # With the 1 in the exponent, scale is 2 · 2^k, and growth is (exp 2r − 1) / 2.
    bits, _, r = reduced(-size, form.bias + 1, twice=2)
    scale = power_of_two(bits, form)
    a, b, c, d = growth_parts(r, twice=2)
    grown = fma(c, d, fma(a, b, r))
    result = fma(scale, grown, fma(scale, 0.5, -1.0)) / fma(scale, grown, fma(scale, 0.5, 1.0))
    result = where(size > (20.0 if form.bits == 64 else 10.0), x.of(1.0), result)
    return result.with_sign(x)


def _hyperbolic(x: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """A quarter of 2^k − 2^−k and of 2^k + 2^−k, cosh r − 1 and sinh r, for x from 0 up."""
    form = x.format
    bits, k, r = reduced(x, form.bias - 2)
    up = power_of_two(bits, form)
    down = power_of_two((form.magic + form.bias - 2 - k).bits, form)
    down = where(k > 64.0, x.of(0.0), down)
    square = r * r
    even = square * polynomial(square, COSH[form.name])
    odd = fma(r * square, polynomial(square, SINH[form.name]), r)
    return up - down, up + down, even, odd


def cosh(x: Vector) -> Vector:
    """The hyperbolic cosine: (2^k + 2^−k) / 2 · cosh r + (2^k − 2^−k) / 2 · sinh r."""
    size = abs(x)
    less, more, even, odd = _hyperbolic(size)
    result = (fma(more, even, less * odd) + more) * 2.0
    return where(size > limits(x.format)[1] + 0.6, x.of(math.inf), result)


def sinh(x: Vector) -> Vector:
    """The hyperbolic sine: (2^k − 2^−k) / 2 · cosh r + (2^k + 2^−k) / 2 · sinh r."""
    form = x.format
    size = abs(x)
    less, more, even, odd = _hyperbolic(size)
    result = (fma(less, even, more * odd) + less) * 2.0
    result = where(size > limits(form)[1] + 0.6, x.of(math.inf), result)
    return where(size < form.tiny, x, result).with_sign(x)
