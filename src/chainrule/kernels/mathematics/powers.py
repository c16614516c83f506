"""Powers and roots."""

from __future__ import annotations

import math

from chainrule.kernels.mathematics.coefficients import ARTANH, LOG2, TWO_THIRDS
from chainrule.kernels.mathematics.exponentials import (
    exp,
    limits,
    outside,
    reduced,
    scaled_exponential,
)
from chainrule.kernels.mathematics.logarithms import fraction_and_exponent, log
from chainrule.kernels.mathematics.vectors import DOUBLE, SINGLE, Vector, fma, polynomial, where

__all__ = ["power", "sqrt"]


def sqrt(x: Vector) -> Vector:
    """The square root, correctly rounded by the processor."""
    return x.intrinsic("sqrt")


def _logarithm_in_parts(x: Vector) -> tuple[Vector, Vector]:
    """The logarithm of a positive number to about 65 bits, as a sum of two numbers.

    log m = 2s + s³ (2/3 + …) with s = (m − 1) / (m + 1); s, its square, 2/3 and their product are
    kept in two parts.
    """
    m, k, _ = fraction_and_exponent(x)
    f = m - 1.0
    divisor = f + 2.0
    divisor_low = f - (divisor - 2.0)
    s = f / divisor
    s_low = fma(-s, divisor_low, fma(-s, divisor, f)) / divisor
    z = s * s
    z_low = fma(s, s, -z) + 2.0 * s * s_low
    rest = z * polynomial(z, ARTANH["float64"])
    third, third_low = TWO_THIRDS["float64"]
    factor = rest + third
    factor_low = rest - (factor - third) + third_low
    p = z * factor
    p_low = fma(z, factor, -p) + (z * factor_low + z_low * factor)
    cube = s * p
    cube_low = fma(s, p, -cube) + (s * p_low + s_low * p)
    # The sum of k log 2, 2s and s³ (…), the largest first.
    high, low = LOG2["float64"]
    whole = k * high
    twice = s + s
    first = whole + twice
    lost = twice - (first - whole)
    total = first + cube
    lost = lost + (cube - (total - first))
    lost = lost + (fma(k, low, s_low + s_low) + cube_low)
    result = total + lost
    return result, lost - (result - total)


def _size_in_double(x: Vector, y: Vector) -> Vector:
    """The power x^y for x that are not negative, in double precision."""
    high, low = _logarithm_in_parts(x)
    end = where(x.equals(0.0), x.of(-math.inf), x)
    high = where((x > 0.0) & (x < math.inf), high, end)
    product = y * high
    product_low = fma(y, high, -product) + y * low
    bits, _, r = reduced(product, 2 * DOUBLE.bias)
    whole = r + product_low
    result = scaled_exponential(bits, whole, product_low - (whole - r))
    beyond = outside(product, *limits(DOUBLE))
    return where(beyond, where(product > 0.0, x.of(math.inf), 0.0), result)


def power(x: Vector, y: Vector) -> Vector:
    """The power x^y, with the special values of IEEE 754's pow."""
    size = abs(x)
    if x.format is SINGLE:
        # Double precision has digits to spare for the product.
        result = exp(y.as_double() * log(size.as_double())).as_single()
    else:
        result = _size_in_double(size, y)
    result = where(size.equals(1.0), x.of(1.0), result)  # also with an infinite y
    whole = y.rounded.equals(y)
    half = y * 0.5
    odd = whole & ~half.rounded.equals(half)
    negative = x.bits < 0
    result = where(negative & odd, -result, result)
    ordinary = (size > 0.0) & (size < math.inf)
    result = where((x < 0.0) & ordinary & ~whole, x.of(math.nan), result)
    result = where(x.is_nan | y.is_nan, x + y, result)
    return where(y.equals(0.0) | x.equals(1.0), x.of(1.0), result)
