"""Arrays as people read them: a few digits, and what is large in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["columns_shown", "is_folded", "largest_place", "rows_of", "short_number"]

Array = NDArray[Any]
_ROWS, _COLUMNS = 6, 8
_HALF = 3


def short_number(value: Any, digits: int = 4) -> str:
    """A number with a few digits.

    >>> short_number(0.123456), short_number(-2.0), short_number(1e-9), short_number(True)
    ('0.1235', '−2', '1e−09', 'true')
    """
    number = np.asarray(value)[()]
    if number.dtype == bool:
        return "true" if number else "false"
    return f"{float(number):.{digits}g}".replace("-", "−")


def columns_shown(size: int, most: int) -> list[int | None]:
    """Which of so many are shown; None stands for those left out.

    >>> columns_shown(3, 4), columns_shown(9, 6)
    ([0, 1, 2], [0, 1, 2, None, 8])
    """
    if size <= most:
        return list(range(size))
    return [*range(most // 2), None, size - 1]


def is_folded(value: Array, whole: bool = False) -> bool:
    """Whether only a part of an array is shown."""
    if whole or value.ndim == 0:
        return False
    matrix = _matrix(value)
    return matrix.shape[0] > _ROWS or matrix.shape[1] > _COLUMNS


def _matrix(value: Array) -> Array:
    """An array of any number of axes as rows."""
    if value.ndim == 0:
        return value.reshape(1, 1)
    return value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(1, -1)


def rows_of(value: Array, *, whole: bool = False) -> list[list[str]]:
    """The rows of an array as texts; an ellipsis stands for rows and columns left out."""
    matrix = _matrix(value)
    big = max(matrix.shape)
    rows = columns_shown(matrix.shape[0], big if whole else _ROWS)
    columns = columns_shown(matrix.shape[1], big if whole else _COLUMNS)
    return [
        ["…" if i is None or j is None else short_number(matrix[i, j]) for j in columns]
        for i in rows
    ]


def largest_place(value: Array) -> tuple[int, ...]:
    """The place of the number of the largest size, which shows best how a number comes about."""
    if not value.ndim or not value.size:
        return (0,) * value.ndim
    sizes = np.abs(np.nan_to_num(value.astype(float)))
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(sizes)), value.shape))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, right-aligned in columns."""
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))] if rows else []
    return ["  ".join(f"{text:>{w}}" for text, w in zip(row, widths, strict=True)) for row in rows]
