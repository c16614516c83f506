"""The Taylor test: how fast the remainder of the linear approximation falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.points import STEP, Point, length

__all__ = ["RIGHT", "Remainder", "slope_along"]

Array = NDArray[Any]
RIGHT = 1.9
_FEWEST = 3
_ENOUGH = 8
# Steps of 2⁻³ to 2⁻²⁰; the smaller ones only where kinks leave too few of these.
_LARGE_STEPS = [2.0**-k for k in range(20, 2, -1)]
_SMALL_STEPS = [2.0**-k for k in range(44, 20, -1)]


@dataclass(frozen=True)
class Remainder:
    """What the remainder along one direction shows.

    ``slope`` is None where the remainder is rounding throughout, which is right of a linear
    function; ``measured`` is false where a kink left no step to measure it with.
    """

    slope: float | None
    measured: bool


def slope_along(point: Point, direction: Array) -> Remainder:
    r"""The slope of $\log R(t)$ against $\log t$ for the remainder of the gradient's tangent.

    $R(t)$ is the mean of $|f(x \pm tv) - f(x) \mp t\, g \cdot v|$ over the two signs. It is of
    order $t^2$ if the gradient $g$ is right ($t^3$ where the second derivative vanishes along v),
    and of order t if not. The line is fitted above the rounding; if it is too flat, once more to
    smaller steps, down to the rounding, where the leading term alone is left.
    """
    found = _remainders(point, direction, _LARGE_STEPS)
    if len(found) < _ENOUGH:
        found = _remainders(point, direction, _SMALL_STEPS + _LARGE_STEPS)
    clear = _above_rounding(point, direction, found)
    if len(clear) < _FEWEST:
        return Remainder(None, measured=len(found) > 0)
    slope = _fitted(clear)
    if slope < RIGHT:
        found = _remainders(point, direction, _SMALL_STEPS + _LARGE_STEPS)
        clear = _above_rounding(point, direction, found)
        if len(clear) < _ENOUGH:
            # Large steps alone cannot tell a fault from a function that bends within them.
            return Remainder(None, measured=False)
        for smallest in (clear[: (len(clear) + 1) // 2], clear[:4]):
            if (near := _fitted(smallest)) >= RIGHT:
                slope = max(slope, near)
    return Remainder(slope, measured=True)


def _above_rounding(
    point: Point, direction: Array, found: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    """The remainders that rounding of the values and of the gradient does not explain."""
    gradient = 3 * length(point.tangent_roundoff * direction) + 2 * point.noise / STEP
    gradient += abs(float(point.tangent_jump @ direction))
    return [(t, r) for t, r in found if r > 40 * point.noise + 30 * t * gradient]


def _remainders(point: Point, direction: Array, steps: list[float]) -> list[tuple[float, float]]:
    """The remainder at each step, the smallest first, as far as no other branch is taken."""
    along = float(point.tangent @ direction)
    found: list[tuple[float, float]] = []
    for t in steps:
        ends = point.x + t * direction, point.x - t * direction
        if any(point.changed(x) for x in ends):
            break
        ahead, behind = (point.near(x) for x in ends)
        if not (math.isfinite(ahead) and math.isfinite(behind)):
            break
        first = abs(ahead - point.value - t * along)
        second = abs(behind - point.value + t * along)
        found.append((t, (first + second) / 2))
    return found


def _fitted(points: list[tuple[float, float]]) -> float:
    logarithms = np.log(np.array(points))
    return float(np.polyfit(logarithms[:, 0], logarithms[:, 1], 1)[0])
