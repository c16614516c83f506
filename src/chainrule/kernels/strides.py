"""Patterns in lists of positions: lines of equal steps, and equal steps from line to line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["line_of", "strides", "three_strides"]

Positions = NDArray[np.intp]


def line_of(where: Positions) -> int:
    """How many elements follow each other in equal steps; all, if that is no rule for the rest."""
    n = len(where)
    if n < 3:
        return n
    steps = np.diff(where)
    other = np.flatnonzero(steps != steps[0])
    line = int(other[0]) + 1 if len(other) else n
    return line if n % line == 0 and strides(where, line) is not None else n


def strides(where: Positions, period: int) -> tuple[int, int, int] | None:
    """Start, step from line to line and step in a line; None where there is no such pattern."""
    start = int(where[0])
    along = int(where[1] - where[0]) if period > 1 and len(where) > 1 else 0
    across = int(where[period] - where[0]) if len(where) > period else 0
    i = np.arange(len(where))
    fits = where == start + i // period * across + i % period * along
    return (start, across, along) if fits.all() else None


def three_strides(where: Positions) -> tuple[int, int, int, int] | None:
    """Start and the steps along three axes, or None."""
    start = int(where.ravel()[0])
    steps = [
        int(np.take(where, 1, axis).ravel()[0]) - start if where.shape[axis] > 1 else 0
        for axis in range(3)
    ]
    grid = np.indices(where.shape)
    fits = where == start + sum(step * axis for step, axis in zip(steps, grid, strict=True))
    return (start, steps[0], steps[1], steps[2]) if fits.all() else None
