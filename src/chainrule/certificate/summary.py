"""The three checks, each as one line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.certificate.points import Point
from chainrule.certificate.results import Check, Entry, relative_error
from chainrule.certificate.taylor import RIGHT, slope_along

__all__ = ["numeric_check", "taylor_check"]

_DIRECTIONS = 3


def numeric_check(name: str, entries: Sequence[Entry]) -> Check:
    """The verdict of the 'complex step' or the 'central differences' over all entries."""
    rows: list[tuple[bool, float, float]] = []
    for entry in entries:
        value, allowed, differs = entry.difference, entry.difference_tolerance, entry.differs
        if name == "complex step":
            value, allowed = entry.complex_step, entry.complex_tolerance
            differs = entry.complex_differs
        if value is not None:
            size = abs(entry.gradient) + abs(value)
            error = relative_error(entry.gradient, value, allowed)
            rows.append((differs, error, allowed / size if size else 0.0))
    if not rows:
        return Check(name, None, 0)
    wrong = any(differs for differs, *_ in rows)
    _, error, allowed = max(rows)
    return Check(name, not wrong, len(rows), error, allowed)


def taylor_check(point: Point, still: Sequence[int], rng: np.random.Generator) -> Check:
    """The verdict of the Taylor slope: the middle one of three directions.

    The positions in ``still`` are at a kink, and stay where they are.
    """
    slopes: list[float] = []
    measured = 0
    for _ in range(_DIRECTIONS):
        direction = rng.normal(size=point.x.size) * point.scale
        direction[list(still)] = 0.0
        if not direction.any():
            break
        remainder = slope_along(point, direction)
        measured += remainder.measured
        if remainder.slope is not None:
            slopes.append(remainder.slope)
    if 2 * measured < _DIRECTIONS:
        return Check("Taylor slope", None, 0, note="too rough")
    if not slopes:
        return Check("Taylor slope", True, measured, note="exactly linear")
    slope = float(np.median(slopes))
    return Check("Taylor slope", slope >= RIGHT, measured, slope, RIGHT)
