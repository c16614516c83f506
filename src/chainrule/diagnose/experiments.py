"""Advice that is tried before it is given: populations of networks with one thing changed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.changes import Change, changes_for
from chainrule.diagnose.intervals import wilson
from chainrule.diagnose.rest import Standing
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.errors import ChainruleError
from chainrule.kernels.population import NotInLanesWarning
from chainrule.training.population import Population, PopulationRun

__all__ = ["Advice", "Tried", "tried_advice"]

Array = NDArray[Any]

NETWORKS = 200
"""How many networks of a kind are trained: a share of one half is then known to within 7 %."""

FEWEST = 12
"""Below this many the intervals are too wide to tell anything, and nothing is told."""

_FROM_HERE = 64


@dataclass(frozen=True)
class Tried:
    """How many of how many networks reached the goal, with a 95 % interval of the share.

    ``first`` is the number of the first that did, which is its seed where it began afresh.
    """

    reached: int
    tried: int
    first: int | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval."""
        return wilson(self.reached, self.tried)

    @property
    def share(self) -> float:
        """The share that reached it."""
        return self.reached / self.tried if self.tried else 0.0

    def to_json(self) -> dict[str, Any]:
        """The count as plain data."""
        return {"reached": self.reached, "tried": self.tried, "interval": list(self.interval)}


@dataclass(frozen=True)
class Advice:
    """A change that was tried, and the same without it.

    ``option``   what to add to the command that trained the network, where it is an option
    ``here``     whether it was tried from where the run stands, and not from fresh starts; and
                 ``beside`` the same of what it is compared with
    """

    change: str
    option: str
    here: bool
    beside: bool
    result: Tried
    without: Tried

    @property
    def helped(self) -> bool:
        """Whether the intervals are apart: it does better than what was there."""
        return self.result.interval[0] > self.without.interval[1]

    def to_json(self) -> dict[str, Any]:
        """The advice as plain data."""
        return {
            "change": self.change,
            "option": self.option,
            "from_here": self.here,
            "result": self.result.to_json(),
            "without": self.without.to_json(),
            "helped": self.helped,
        }


def tried_advice(
    subject: Subject, verdicts: Sequence[Verdict], standing: Standing, seconds: float
) -> list[Advice]:
    """Changes that were tried within a time, those that helped most first.

    Each is a population of networks with one thing changed, trained for as many epochs as the run
    had; beside it is a population with nothing changed. What could not be finished is left out.
    """
    deadline = time.monotonic() + seconds
    if subject.optimizer is None or not subject.epochs or seconds <= 0:
        return []
    found: list[Advice] = []
    bases: dict[bool, Tried | None] = {}
    for change in changes_for(subject, verdicts, standing):
        if time.monotonic() >= deadline:
            break
        here = change.beside_here
        if here not in bases:
            bases[here] = _count(subject, Change("", "", subject, here=here), deadline)
        without = bases[here]
        if without is None:
            continue
        unchanged = change.subject is subject and not change.here and change.scale == 1.0
        if unchanged and False not in bases:
            bases[False] = _count(subject, change, deadline)
        result = bases[False] if unchanged else _count(subject, change, deadline)
        if result is not None:
            option = f"--seed {result.first}" if change.option == "--seed" else change.option
            found.append(Advice(change.words, option, change.here, here, result, without))
    return sorted(found, key=lambda each: (not each.helped, -each.result.share))


class _Late(Exception):
    """The time is up."""


def _count(subject: Subject, change: Change, deadline: float) -> Tried | None:
    """How many networks with a change reach the goal; None where too few could be trained."""
    reached, tried, first = 0, 0, None
    try:
        for part in _trained(change, deadline, subject.goal):
            done = np.flatnonzero(part.loss <= subject.goal)
            if first is None and len(done):
                first = part.first + int(done[0])
            ended = part.outcome != "interrupted"
            reached += int(np.sum(part.loss[ended] <= subject.goal))
            tried += int(np.sum(ended))
    except _Late:
        pass
    except ChainruleError:
        return None
    return Tried(reached, tried, first) if tried >= FEWEST else None


def _trained(change: Change, deadline: float, goal: float) -> Iterator[PopulationRun]:
    """The networks of a change, some at a time, until the time is up."""
    subject = change.subject

    def look(finished: int, of: int | None) -> None:
        if time.monotonic() > deadline:
            raise _Late

    starts: dict[str, Any] = {"seeds": range(NETWORKS), "generator": subject.generator}
    if change.here:
        starts = {"parameters": _copies(change)}
    else:
        starts["initial_scale"] = change.scale
    population = Population(
        subject.network,
        subject.X,
        subject.y,
        **starts,
        **subject.settings,
        epochs=subject.epochs,
        stop_loss=goal,
        progress=look,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotInLanesWarning)
        yield from population.chunks()


def _copies(change: Change) -> dict[str, Array]:
    """Copies of where the run stands, each moved at random, and along one of the moves."""
    subject = change.subject
    rng = np.random.default_rng(0)
    v = subject.v
    copies = v + change.noise * np.abs(v) * rng.standard_normal((_FROM_HERE, len(v)))
    if len(change.moves):
        copies += np.array([change.moves[i % len(change.moves)] for i in range(_FROM_HERE)])
    rows = [subject.calculus.parameters(copy) for copy in copies]
    kind = next(iter(subject.parameters.values())).dtype
    return {name: np.array([row[name] for row in rows], kind) for name in rows[0]}
