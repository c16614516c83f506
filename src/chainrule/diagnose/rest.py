"""Verdicts on where a run stands: infima at infinity, saddles, minima, from exact derivatives."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.continuation import Continuation, trained_on
from chainrule.diagnose.limits import Limit, Saturation, limit_of, loss_in_the_limit
from chainrule.diagnose.progress import Trend, trend_of
from chainrule.diagnose.spectrum import Spectrum, spectrum_at
from chainrule.diagnose.stationary import Escape, StationaryPoint, escape_from, stationary_point
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, exact, joined, listed, number, units

__all__ = ["Standing"]

NEAR_FLOOR = 1.01
"""A search over the other weights that comes to within a hundredth of a floor has reached it; the
floor itself may be reached at infinity only."""

_NAMED_OUTPUTS = 8
_NAMED_WEIGHTS = 4


class Standing:
    """Where a run stands in the landscape of its loss; each part is computed when asked for."""

    def __init__(self, subject: Subject, seconds: float = 0.0, *, brief: bool = False) -> None:
        self.subject, self.seconds, self.brief = subject, seconds, brief

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """The Hessian's spectrum."""
        return spectrum_at(self.subject.calculus, self.subject.v)

    @cached_property
    def point(self) -> StationaryPoint | None:
        """The stationary point at or near."""
        return stationary_point(self.subject.calculus, self.subject.v, self.spectrum)

    @cached_property
    def escape(self) -> Escape | None:
        """A way down from the stationary point."""
        if self.brief or self.point is None or self.point.kind == "minimum":
            return None
        return escape_from(self.subject.calculus, self.point)

    @cached_property
    def continuation(self) -> Continuation | None:
        """What becomes of the run when it is trained on as it was."""
        return trained_on(self.subject, self.seconds)

    @cached_property
    def limit(self) -> Limit | None:
        """The infimum at infinity; None also where the run, trained on, went below it.

        A loss may fall all along a ray and yet fall further beside it: then the run turns off.
        """
        found = limit_of(self.subject, above=self.subject.goal)
        if found is None:
            return None
        later = self.continuation
        return found if later is None or later.loss >= found.floor.loss else None

    def verdict(self) -> Verdict | None:
        """What the derivatives say of where the run stands; None where they say nothing."""
        if self.limit is not None:
            return self._at_infinity(self.limit)
        if self.point is None:
            return None
        if self.point.kind == "saddle":
            return self._at_saddle(self.point)
        if self.point.kind == "minimum":
            return self._at_minimum(self.point)
        return self._on_plateau(self.point)

    def _at_infinity(self, limit: Limit) -> Verdict:
        subject = self.subject
        trend = trend_of(np.asarray(subject.losses, np.float64), limit.floor.loss)
        reached = loss_in_the_limit(subject, limit) if self.seconds > 0 else None
        sentences = [
            _which_saturate(subject, limit),
            _the_ray(subject, limit),
            _what_is_left(subject, limit, reached),
            *_how_it_crawls(trend),
            *self._trained_on(),
            (
                "It is no local minimum: the gradient is not 0 here nor at any of these points, "
                "and the "
                "loss still falls, ever more slowly. Away from that ray there may be ways down."
            ),
        ]
        facts = {
            "saturated": [
                {
                    "layer": each.layer,
                    "unit": each.unit,
                    "samples": list(each.samples),
                    "names": [subject.sample(i) for i in each.samples],
                    "limits": list(each.limits),
                }
                for each in limit.saturations
            ],
            "ray": _entries(subject, limit.ray),
            "points_checked": limit.checked,
            "outputs": limit.floor.outputs.tolist(),
            "loss": limit.floor.loss,
            "reached": reached,
            "trend": None if trend is None else {"law": trend.law, "rate": trend.rate,
                                                 "fits": trend.fits},
        }  # fmt: skip
        return Verdict("infinity", True, "proved", tuple(sentences), facts)

    def _trained_on(self) -> list[str]:
        later = self.continuation
        if later is None:
            return []
        return [
            f"Trained on as it was for {later.epochs:,} epochs more, it came to {later.loss:.6g}."
        ]

    def _at_saddle(self, point: StationaryPoint) -> Verdict:
        escape = self.escape
        where = "At" if point.distance == 0 else f"At a distance of {number(point.distance)} from"
        spectrum = point.spectrum
        negative = counted(spectrum.index, "negative eigenvalue")
        sentences = [
            (
                f"{where} this point the gradient is 0 (norm {number(point.gradient_norm)}) and "
                f"the "
                f"Hessian has {negative}, the smallest {number(spectrum.smallest)}: a saddle, "
                f"not a "
                "minimum."
            )
        ]
        if escape is not None:
            sentences.append(
                f"Along {_weights(self.subject, escape.direction)} the loss goes down: going on "
                f"from "
                f"there it came from {number(point.loss)} to {number(escape.after)}."
            )
        sentences.extend(self._how_fast(point))
        return Verdict("saddle", True, "proved", tuple(sentences), self._point_facts(point))

    def _how_fast(self, point: StationaryPoint) -> list[str]:
        subject = self.subject
        optimizer = subject.optimizer
        if optimizer is None or optimizer.name != "gradient_descent" or not subject.full_batch:
            return []
        here = min(self.spectrum.smallest if self.spectrum is not None else 0.0,
                   point.spectrum.smallest)  # fmt: skip
        steps = max(1.0, -1 / (subject.rate * here))
        return [
            (
                f"At rate {subject.rate:g} gradient descent needs about {_about(steps)} steps to "
                f"get away "
                "from it by a factor of e."
            )
        ]

    def _at_minimum(self, point: StationaryPoint) -> Verdict:
        spectrum = point.spectrum
        of = "all directions"
        if point.symmetries:
            of = (
                f"all directions but {point.symmetries}, along which no output changes"
                if point.symmetries > 1
                else "all directions but one, along which no output changes"
            )
        smallest = float(np.min(spectrum.values[np.abs(spectrum.values) > spectrum.error]))
        sentences = [
            (
                f"The gradient is 0 (norm {number(point.gradient_norm)}) at a distance of "
                f"{number(point.distance)}, and the Hessian is positive definite on {of}; its "
                f"smallest "
                f"eigenvalue there is {number(smallest)}. No small change lowers the loss "
                f"{number(point.loss)}."
            )
        ]
        return Verdict("minimum", False, "proved", tuple(sentences), self._point_facts(point))

    def _on_plateau(self, point: StationaryPoint) -> Verdict:
        escape = self.escape
        norm = f"The gradient is 0 (norm {number(point.gradient_norm)})"
        if point.spectrum.exact:
            flat = "0" if point.kind == "flat" else "0 in directions that do change the outputs"
            known = f"the Hessian, which has no negative eigenvalue, is {flat}"
        else:
            known = (
                f"the smallest eigenvalue of the Hessian that was found is "
                f"{number(point.spectrum.smallest)}, within {number(point.spectrum.error)}"
            )
        sentences = [f"{norm}, and {known}: second derivatives do not decide."]
        if escape is None:
            sentences.append("No lower point was found near it.")
            return Verdict("plateau", True, "likely", tuple(sentences), self._point_facts(point))
        sentences.append(
            f"At a distance of {number(escape.radius)} there is a point from which the loss goes "
            f"down to {number(escape.after)}: it is no minimum."
        )
        return Verdict("saddle", True, "measured", tuple(sentences), self._point_facts(point))

    def _point_facts(self, point: StationaryPoint) -> dict[str, object]:
        escape = None
        if point.kind != "minimum" and self.escape is not None:
            escape = {
                "direction": _entries(self.subject, self.escape.direction),
                "distance": self.escape.radius,
                "loss": self.escape.after,
            }
        return {
            "kind": point.kind,
            "distance": point.distance,
            "gradient_norm": point.gradient_norm,
            "index": point.spectrum.index,
            "nullity": point.spectrum.nullity,
            "symmetries": point.symmetries,
            "smallest_eigenvalue": point.spectrum.smallest,
            "largest_eigenvalue": point.spectrum.sharpness,
            "error": point.spectrum.error,
            "loss": point.loss,
            "escape": escape,
        }


def _about(count: float) -> str:
    """A count with two digits.

    >>> _about(2852.0), _about(5.4e12)
    ('2,900', '5.4e+12')
    """
    return f"{float(f'{count:.1e}'):,.0f}" if count < 1e6 else f"{count:.1e}"


def _entries(subject: Subject, direction: NDArray[np.float64]) -> dict[str, float]:
    """A direction by the names of the parameters, the largest first, without what is 0."""
    names = subject.calculus.names
    order = np.argsort(-np.abs(direction), kind="stable")
    return {names[i]: float(direction[i]) for i in order[:16] if direction[i] != 0}


def _weights(subject: Subject, direction: NDArray[np.float64]) -> str:
    """The weights that a direction changes most."""
    largest = float(np.abs(direction).max())
    entries = [
        (name, value)
        for name, value in _entries(subject, direction).items()
        if abs(value) > 0.3 * largest
    ]
    signs = [f"{'+' if value > 0 else '−'}{name}" for name, value in entries[:_NAMED_WEIGHTS]]
    return joined(signs) + (" and others" if len(entries) > _NAMED_WEIGHTS else "")


def _which_saturate(subject: Subject, limit: Limit) -> str:
    """Which units go to their limits for which samples, and which samples that makes the same."""
    shared: dict[tuple[int, tuple[int, ...], tuple[float, ...]], list[int]] = {}
    for each in limit.saturations:
        shared.setdefault((each.layer, each.samples, each.limits), []).append(each.unit)
    parts: list[str] = []
    for (layer, samples, limits), which in shared.items():
        values = sorted(set(limits))
        to = joined([exact(value) for value in values])
        names = listed([subject.sample(i) for i in samples])
        parts.append(f"{units(layer, which)} tend to {to} for {names}".replace(
            "tend", "tends" if len(which) == 1 else "tend"))  # fmt: skip
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}, so {_what_is_tied(subject, limit)}."


def _what_is_tied(subject: Subject, limit: Limit) -> str:
    """The samples that get one output though their targets differ."""
    ties: list[str] = []
    for group in range(int(limit.groups.max()) + 1):
        members = np.flatnonzero(limit.groups == group)
        targets = subject.targets[members]
        if len(members) > 1 and np.ptp(targets, axis=0).any():
            names = listed([subject.sample(int(i)) for i in members])
            wanted = listed([exact(float(t)) for t in targets[:, 0]])
            more = f", with targets {wanted}" if targets.shape[1] == 1 else ""
            ties.append(f"{names} become the same to the layer above{more}")
    return joined(ties[:2]) + (f" (and {len(ties) - 2} more groups)" if len(ties) > 2 else "")


def _the_ray(subject: Subject, limit: Limit) -> str:
    entries = _entries(subject, limit.ray)
    some = list(entries)[:_NAMED_WEIGHTS]
    parameters = dict(zip(subject.calculus.names, subject.v, strict=True))
    now = joined([f"{name} = {number(float(parameters[name]))}" for name in some])
    more = f" and {len(entries) - len(some)} more" if len(entries) > len(some) else ""
    from_inputs = _from_inputs(subject, limit.saturations)
    return (
        f"{now}{more}{from_inputs} can grow for ever: the loss falls at each of {limit.checked} "
        "points along that ray, until it no longer changes in float64."
    )


def _from_inputs(subject: Subject, saturations: tuple[Saturation, ...]) -> str:
    rays = [each.ray[:-1] for each in saturations if each.layer == 1]
    if len(rays) < len(saturations):
        return ""
    moved = np.flatnonzero(np.any(np.array(rays) != 0, axis=0))
    if len(moved) > 2 or not len(moved):
        return ""
    return f" (the weights of {joined([subject.input(int(j)) for j in moved])})"


def _what_is_left(subject: Subject, limit: Limit, reached: float | None) -> str:
    floor = limit.floor
    shown = floor.outputs
    outputs = ""
    if shown.size <= _NAMED_OUTPUTS:
        outputs = (
            f"the outputs tend to {', '.join(exact(float(each)) for each in shown.ravel())} and "
        )
    value = exact(floor.loss)
    value = f"{number(floor.loss)} = {value}" if "/" in value else value
    text = f"In the limit {outputs}the loss to {value}, below which it cannot go there; it is "
    text += f"{number(subject.loss)} now."
    if reached is not None and reached > NEAR_FLOOR * floor.loss:
        text += " With the units at their limits, the other weights were brought to "
        text += f"{number(reached)}."
    return text


def _how_it_crawls(trend: Trend | None) -> list[str]:
    if trend is None or not trend.fits:
        return []
    law = "epoch^−" if trend.law == "power" else "exp(−epoch · "
    rate = f"{law}{trend.rate:.2g}" + ("" if trend.law == "power" else ")")
    return [
        (
            f"Over the run the distance to that loss went as {rate}: from its first half, "
            f"{number(trend.foretold)} is foretold for its end, and {number(trend.came)} came."
        )
    ]
