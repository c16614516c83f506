"""Whether an array is another one's multiple, and by which factor."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node

__all__ = [
    "distance",
    "finite",
    "fitted",
    "is_likely",
    "is_round",
    "is_same",
    "is_simple",
    "multiple",
    "multiple_or_transpose",
    "rounded",
    "tolerance_of",
]

Array = NDArray[Any]
_DOUBLE, _SINGLE = 1e-7, 1e-4
"""How far two ways of computing one gradient may be apart, relative to its size."""


def multiple_or_transpose(value: Array, exact: Array, tolerance: float) -> float | None:
    """The factor between a value and a gradient, or its transpose; None where they differ."""
    if value.size != exact.size:
        return None
    forms = [exact] if value.size == 1 or exact.ndim != 2 else [exact, exact.T]
    for form in forms:
        if np.squeeze(form).shape == np.squeeze(value).shape:
            factor = multiple(value, form, tolerance)
            if factor is not None:
                return factor
    return None


def multiple(value: Array, exact: Array, tolerance: float) -> float | None:
    """The factor between a value and a gradient as it lies; None where they differ."""
    factor, error = fitted(value, exact)
    return rounded(factor, tolerance) if error <= tolerance and factor else None


def fitted(value: Array, exact: Array) -> tuple[float, float]:
    """The factor between two arrays that are one but for a factor, and how far they are not."""
    if value.size == exact.size == 1:
        a, b = float(value.item()), float(exact.item())
        return (a / b, 0.0) if b and math.isfinite(a) else (0.0, math.inf)
    a, b = np.asarray(value, np.float64).ravel(), np.asarray(exact, np.float64).ravel()
    square = float(b @ b)
    if not square or not np.all(np.isfinite(a)):
        return 0.0, float("inf")
    factor = float(a @ b) / square
    size = abs(factor) * square**0.5
    return factor, float(np.linalg.norm(a - factor * b)) / size if size else float("inf")


def distance(value: Array, exact: Array) -> float:
    """How far a value is from an exact one, relative to its size; of other sizes infinitely."""
    if value.size != exact.size:
        return float("inf")
    a, b = np.asarray(value, np.float64).ravel(), np.asarray(exact, np.float64).ravel()
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / size if size else float("inf")


def finite(number: float | None) -> float | None:
    """A number as JSON has it: None for what is infinite or none."""
    return number if number is not None and np.isfinite(number) else None


def rounded(factor: float, tolerance: float) -> float:
    """A factor as the number that was surely meant, such as 2, ½ or 1/3."""
    for whole in (factor, 1 / factor):
        near = float(round(whole))
        if near and abs(whole - near) <= 10 * tolerance * abs(near):
            return near if whole is factor else 1 / near
    return factor


def tolerance_of(node: Node) -> float:
    """How near a value of this precision must be."""
    return _DOUBLE if node.dtype.itemsize == 8 else _SINGLE


def is_likely(factor: float) -> bool:
    """Whether somebody may have meant a factor: a fraction, and no accident of single numbers."""
    near = Fraction(abs(factor)).limit_denominator(64)
    return near > 0 and abs(abs(factor) - float(near)) <= 1e-6 * float(near)


def is_round(factor: float) -> bool:
    """Whether a factor is surely a small whole number or one over any, but for rounding."""
    return any(
        abs(each - round(each)) <= 1e-8 * each and 1 <= round(each) <= most
        for each, most in ((factor, 4), (1 / factor, 10**6))
    )


def is_simple(factor: float) -> bool:
    """Whether a factor is a whole number, or one over one, or such a one's negative."""
    size = abs(factor)
    return any(abs(each - round(each)) <= 1e-4 * each and round(each) for each in (size, 1 / size))


def is_same(factor: float | None, wanted: float) -> bool:
    """Whether a factor, if there is one, is another, but for rounding."""
    return factor is not None and abs(factor - wanted) <= 1e-6 * abs(wanted)
