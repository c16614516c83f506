"""How constants are shown: shortest digits that give the same number, and small arrays whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.notation.formulas import (
    ELLIPSIS,
    Call,
    Formula,
    Matrix,
    Number,
    Shape,
    Symbol,
    Tuple,
    prefix,
)
from chainrule.notation.symbols import CONSTANTS
from chainrule.notation.templates import parse

__all__ = ["array_formula", "is_short", "scalar_formula"]

_SHOWN = 6  # rows and columns of an array that is written out


def scalar_formula(value: Any) -> Formula:
    """One number: whole ones without a point, known ones by their symbol.

    >>> import numpy as np
    >>> [str(scalar_formula(np.float64(x))) for x in (2.0, -0.5, 1e-7, np.pi)]
    ['2', '−0.5', '1e−7', 'π']
    """
    number = np.asarray(value)[()]
    if number.dtype == bool:
        return Symbol("true" if number else "false")
    if np.isnan(number):
        return Symbol("NaN")
    if number < 0:
        return prefix("−", scalar_formula(-number if number.dtype.kind == "f" else -int(number)))
    if np.isinf(number):
        return Symbol("∞")
    if number.dtype.kind == "f" and number.itemsize >= 4:
        for template, known in CONSTANTS.items():
            if number == number.dtype.type(known):
                return parse(template)
    digits, _, exponent = str(number).partition("e")
    digits = digits.removesuffix(".0")
    return Number(digits, int(exponent) if exponent else None)


def is_short(array: NDArray[Any]) -> bool:
    """Whether an array is small enough to stand inside a formula."""
    return array.ndim <= 1 and array.size <= 4 and len(str(array_formula(array))) <= 24


def array_formula(array: NDArray[Any]) -> Formula:
    """An array written out, with an ellipsis where it is long."""
    if array.ndim == 0:
        return scalar_formula(array)
    if array.ndim > 2 or not array.size:
        return Call("array", parts=(Shape(array.shape),))
    if array.ndim == 1:
        return Tuple(("[", "]"), parts=tuple(_shortened(array)))
    rows = [_shortened(row) for row in array[:_SHOWN]]
    if len(array) > _SHOWN:
        rows[-1] = [ELLIPSIS] * len(rows[0])
    return Matrix(len(rows[0]), parts=tuple(part for row in rows for part in row))


def _shortened(row: NDArray[Any]) -> list[Formula]:
    parts = [scalar_formula(value) for value in row[:_SHOWN]]
    if len(row) > _SHOWN:
        parts[-1] = ELLIPSIS
    return parts
