"""Central differences, with a step that is made to suit, and an estimate of their error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.points import STEP, Point
from chainrule.graph import Node

__all__ = ["Difference", "confirmed", "differentiate", "slopes_beside"]

Array = NDArray[Any]
_SMALLEST_STEP = 2.0**-44
_LARGEST_STEP = 0.1
_GOOD_ENOUGH = 1e-8


@dataclass(frozen=True)
class Difference:
    """The derivative along a direction: what was measured, and how well.

    ``numeric`` is None where there is none: ``branches`` then are the nodes that choose otherwise
    within the smallest step, none of them where the function is not finite there. ``bent`` says
    that the slopes on the two sides differ as at a kink, by the values alone.
    """

    numeric: float | None
    error: float
    step: float
    branches: tuple[Node, ...] = ()
    bent: bool = False


def differentiate(point: Point, direction: Array, step: float = STEP) -> Difference:
    r"""The derivative of the function along a direction, by central differences.

    $D(t) = (f(x + tv) - f(x - tv)) / 2t$ has an error of about $t^2 f'''/6$, so that
    $|D(t) - D(2t)|$ is three times it, and one of about noise/t by rounding. From
    $t = \varepsilon^{1/3}$ (``step``) it goes to where their sum is smallest, and smaller where the
    function takes another branch or is not finite within 2t.
    """
    best = Difference(None, math.inf, step)
    ceiling = _LARGEST_STEP
    tried: set[float] = set()
    while _SMALLEST_STEP <= step <= ceiling and step not in tried:
        tried.add(step)
        found = _at_step(point, direction, step)
        if found.numeric is None:
            ceiling = step / 2
            if best.numeric is not None:
                step /= 2
                continue
            if point.noise / step > 1e-3 * point.magnitude > 0:
                return found
            best, step = found, step / 8
            continue
        rounding = 2 * point.noise / step
        if best.numeric is None or found.error < best.error:
            best = found
        if best.error <= _GOOD_ENOUGH * abs(best.numeric or 0.0) or best.error == 0:
            break
        step = step * 4 if rounding >= found.error / 2 else step / 4
    return best


def confirmed(point: Point, direction: Array, measured: Difference) -> Difference:
    """A difference that contradicts the gradient, looked at again with smaller steps.

    Of a wrong gradient it is the same at a smaller step; otherwise it says nothing, and gets an
    error as large as what the two differ by. A function that waves many times within a step can
    look smooth at t and 2t alike: the gradient then is found again at some smaller step.
    """
    exact = float(point.exact @ direction)
    numeric = measured.numeric or 0.0
    apart = abs(exact - numeric)
    step = measured.step / 8
    first = _at_step(point, direction, step)
    found = first
    while step >= _SMALLEST_STEP and 32 * point.noise / step < apart:
        clear = found.numeric is not None and 16 * found.error < apart
        if clear and abs((found.numeric or 0.0) - exact) < apart / 4:
            return found
        step /= 8
        found = _at_step(point, direction, step)
    if first.numeric is None or abs(first.numeric - numeric) + first.error > apart / 4:
        return replace(measured, error=max(measured.error, apart))
    return measured


def _at_step(point: Point, direction: Array, step: float) -> Difference:
    """The difference at one step, or what is in its way."""
    for x in (point.x + 2 * step * direction, point.x - 2 * step * direction):
        if nodes := point.changed(x):
            return Difference(None, math.inf, step, tuple(nodes))
    values: list[float] = []
    widths: list[float] = []
    for t in (step, 2 * step):
        ahead, behind = point.x + t * direction, point.x - t * direction
        values.extend(point.near(x) for x in (ahead, behind))
        widths.append(_width(ahead, behind, direction))
    if not np.isfinite(values).all() or not min(widths):
        return Difference(None, math.inf, step)
    near = (values[0] - values[1]) / widths[0]
    far = (values[2] - values[3]) / widths[1]
    # Across a kink at x the slopes differ as much however small the step; else half as much.
    near_bend = abs(values[0] - 2 * point.value + values[1]) / step
    far_bend = abs(values[2] - 2 * point.value + values[3]) / (2 * step)
    bent = near_bend > 0.75 * far_bend and near_bend > 16 * point.noise / step
    return Difference(near, abs(near - far) + 2 * point.noise / step, step, bent=bent)


def _width(ahead: Array, behind: Array, direction: Array) -> float:
    """2t as it is after x ± tv was rounded."""
    along = float(np.dot(ahead - behind, direction))
    return along / float(np.dot(direction, direction))


def slopes_beside(point: Point, direction: Array) -> tuple[float, float, float]:
    """The slopes just before and just after a point at a kink, and the error of both."""
    t = STEP
    first = [point.near(point.x + k * t * direction) for k in (1, 2)]
    last = [point.near(point.x - k * t * direction) for k in (1, 2)]
    after = (4 * first[0] - first[1] - 3 * point.value) / (2 * t)
    before = -(4 * last[0] - last[1] - 3 * point.value) / (2 * t)
    crude = abs((first[0] - point.value) / t - after) + abs((point.value - last[0]) / t - before)
    return before, after, crude + 4 * point.noise / t
