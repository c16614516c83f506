"""The error function: x times a polynomial of x² below 1, and 1 − exp of a polynomial above."""

from __future__ import annotations

from chainrule.kernels.mathematics.coefficients import ERF, LOG_ERFC
from chainrule.kernels.mathematics.exponentials import growth, power_of_two, reduced
from chainrule.kernels.mathematics.vectors import Vector, fma, polynomial, where

__all__ = ["erf"]


def erf(x: Vector) -> Vector:
    """The error function."""
    form = x.format
    size = abs(x)
    # 2/√π is 1 and a bit, so the rounding of the product is that of the bit.
    near = fma(size, polynomial(size * size, ERF[form.name]), size)
    bits, _, r = reduced(polynomial(size, LOG_ERFC[form.name]), form.bias)
    scale = power_of_two(bits, form)
    far = fma(-scale, growth(r), 1.0 - scale)
    far = where(size > (6.0 if form.bits == 64 else 4.0), x.of(1.0), far)
    return where(size < 1.0, near, far).with_sign(x)
