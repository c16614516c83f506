"""One derivative compared: by one number of an argument, or along a direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.differences import Difference, confirmed, differentiate
from chainrule.certificate.points import EPSILON, STEP, Point, length
from chainrule.certificate.results import Entry
from chainrule.certificate.subject import Part

__all__ = ["RELATIVE", "Compared", "Direction", "compare", "single"]

Array = NDArray[Any]
RELATIVE = 1e-8  # closer than this is right, whatever the estimates say


@dataclass(frozen=True)
class Direction:
    """A direction to differentiate along: one number of a part, or a random one (position None).

    A derivative by one number is given per unit of that number, one along a direction as it is.
    """

    part: Part
    position: int | None
    vector: Array

    @property
    def unit(self) -> float:
        """What the derivative along the vector is divided by."""
        return 1.0 if self.position is None else float(self.vector[self.position])

    @property
    def name(self) -> str:
        """The component, as the report calls it."""
        if self.position is None:
            return f"{self.part.name} (a random direction)"
        return self.part.component(self.position)


def single(point: Point, part: Part, position: int) -> Direction:
    """The direction of one number."""
    vector = np.zeros(point.x.size)
    vector[position] = point.scale[position]
    return Direction(part, position, vector)


@dataclass(frozen=True)
class Compared:
    """An entry and how it came about.

    ``rough`` says that a fault of one in a hundred could have gone unseen.
    """

    direction: Direction
    entry: Entry
    measured: Difference
    rough: bool

    @property
    def at_kink(self) -> bool:
        """Whether there is no derivative to compare with."""
        return bool(self.measured.branches) or (self.measured.bent and self.entry.differs)

    @property
    def made(self) -> bool:
        """Whether there was anything to compare with."""
        return self.entry.difference is not None or self.entry.complex_step is not None


def compare(point: Point, direction: Direction, confirm: bool, beside_kink: bool) -> Compared:
    """Compare one derivative; ``confirm`` looks twice at a difference that contradicts."""
    measured = differentiate(point, direction.vector)
    entry = _entry(point, direction, measured, beside_kink)
    if confirm and entry.differs:
        measured = confirmed(point, direction.vector, measured)
        entry = _entry(point, direction, measured, beside_kink)
    return Compared(direction, entry, measured, _is_rough(entry, direction.unit, point))


def _entry(point: Point, direction: Direction, measured: Difference, beside_kink: bool) -> Entry:
    vector, unit = direction.vector, direction.unit
    exact = float(point.exact @ vector) / unit
    roundoff = (3 * length(point.roundoff * vector) + abs(float(point.jump @ vector))) / unit
    numeric = None if measured.numeric is None else measured.numeric / unit
    found = point.trace.complex_step(point.x, vector) if point.trace is not None else None
    stepped = found[0] / unit if found is not None else None
    # A complex value that is off by rounding has derivatives that are.
    noise = max(point.noise, abs(found[1] - point.value)) if found is not None else 0.0
    largest = float(np.max(np.abs(point.exact[direction.part.span]), initial=0.0))
    if direction.position is None:
        largest *= length(vector)
    size = max(abs(exact), abs(stepped or 0.0), largest)
    return Entry(
        direction.part.name,
        direction.name,
        exact,
        numeric,
        4 * measured.error / unit + roundoff + RELATIVE * abs(exact),
        stepped,
        64 * noise / STEP / unit + 2**20 * EPSILON * size + roundoff,
        measured.step * unit,
        beside_kink,
    )


def _is_rough(entry: Entry, unit: float, point: Point) -> bool:
    """Whether a fault of one in a hundred could have gone unseen, in what is not 0 to rounding."""
    allowed = [entry.difference_tolerance] if entry.difference is not None else []
    if entry.complex_step is not None:
        allowed.append(entry.complex_tolerance)
    if not allowed:
        return False
    size = max(abs(entry.gradient), abs(entry.numeric))
    zero = entry.difference == 0 or size * unit <= 1e-6 * abs(point.value)
    finest = min(allowed)
    return not zero and size < 100 * finest and finest * unit > 1e-4 * point.magnitude
