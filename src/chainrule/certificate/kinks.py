"""Derivatives that are not there: what is told of a kink, and the gradient beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.certificate.differences import slopes_beside
from chainrule.certificate.entries import RELATIVE, Compared, compare, single
from chainrule.certificate.points import Point
from chainrule.certificate.results import Entry, Kink
from chainrule.errors import ChainruleError

__all__ = ["AtKink", "at_kink", "beside_kinks", "kinks"]

_ATTEMPTS = 3
_NUDGE = 1e-3


@dataclass(frozen=True)
class AtKink:
    """A number by which there is no derivative: the place, and the slopes on the two sides."""

    operation: str
    place: str
    compared: Compared
    before: float
    after: float
    error: float

    @property
    def position(self) -> int:
        """The number's position."""
        assert self.compared.direction.position is not None
        return self.compared.direction.position

    def between(self) -> Entry | None:
        """The comparison with the nearest slope between the two, which any gradient lies in."""
        if not math.isfinite(self.before + self.after):
            return None
        entry = self.compared.entry
        low, high = sorted((self.before, self.after))
        tolerance = 4 * self.error + RELATIVE * abs(entry.gradient)
        if math.isfinite(entry.difference_tolerance):
            tolerance = max(tolerance, entry.difference_tolerance)
        return replace(
            entry,
            difference=min(max(entry.gradient, low), high),
            difference_tolerance=tolerance,
            complex_step=None,
        )


def at_kink(point: Point, compared: Compared) -> AtKink:
    """What is told of a number by which there is no derivative."""
    operation, place = "a kink", "found from the values alone"
    if compared.measured.branches:
        node = compared.measured.branches[0]
        operation = node.primitive.name
        place = node.source.describe() if node.source else "an unknown place"
    direction = compared.direction
    before, after, error = slopes_beside(point, direction.vector)
    unit = direction.unit
    # Adding 0 makes 0 of −0.
    return AtKink(operation, place, compared, before / unit + 0, after / unit + 0, error / unit)


def beside_kinks(
    point: Point, found: Sequence[AtKink], gradient: Any, rng: np.random.Generator
) -> dict[int, Entry]:
    """The comparisons a little beside the kinks, by position, where they can be made."""
    entries: dict[int, Entry] = {}
    if not found or not (point.own or callable(gradient)):
        return entries
    for _ in range(_ATTEMPTS):
        nudge = _NUDGE * point.scale * rng.normal(size=point.x.size)
        try:
            beside = Point(point.subject, point.subject.rounded(point.x + nudge), gradient)
        except ChainruleError:
            continue
        if beside.not_finite():
            continue
        beside.measure_noise(rng)
        for position in [kink.position for kink in found if kink.position not in entries]:
            direction = single(beside, point.subject.part_of(position), position)
            compared = compare(beside, direction, confirm=True, beside_kink=True)
            if compared.made and not compared.at_kink:
                entries[position] = compared.entry
    return entries


def kinks(found: Sequence[AtKink], beside: dict[int, Entry]) -> Iterator[Kink]:
    """The kinks, one for each place in the program."""
    places: dict[tuple[str, str], list[AtKink]] = {}
    for kink in found:
        places.setdefault((kink.operation, kink.place), []).append(kink)
    for (operation, place), group in places.items():
        verdicts = [not beside[k.position].wrong for k in group if k.position in beside]
        first = group[0]
        yield Kink(
            operation,
            place,
            tuple(kink.compared.entry.component for kink in group),
            first.compared.entry.gradient,
            first.before,
            first.after,
            all(verdicts) if verdicts else None,
        )
