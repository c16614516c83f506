"""Which epochs a page holds, and the numbers of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DivergedError
from chainrule.explain.moments import Moment, last_epoch, moments_of
from chainrule.graph import Node

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Held", "Run", "held_epochs", "run_of"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Held:
    """One epoch: the numbers of its step, and the loss on the same rows after the update."""

    moment: Moment | None
    values: dict[Node, Array]
    after: float | None


@dataclass(frozen=True)
class Run:
    """The epochs that are held, which of them was asked for, and the losses of all."""

    held: tuple[Held, ...]
    asked: int
    losses: Array
    diverged: bool = False


def held_epochs(last: int, asked: int, most: int) -> list[int]:
    """Up to ``most`` epochs from 0 to ``last``, 11 at least, with the one that was asked for.

    Half of them lie evenly on a logarithmic scale, as a run changes most at its beginning, half
    evenly; the first three and the last two are always there.

    >>> held_epochs(1000, 31, 16)
    [0, 1, 2, 10, 31, 100, 250, 500, 750, 999, 1000]
    """
    if last < most:
        return list(range(last + 1))
    half = max((most - 7) // 2, 2)
    rising = np.geomspace(1, last, half)
    even = np.linspace(0, last, half + 1)
    found = {0, 1, 2, asked, last - 1, last}
    return sorted(found | {round(float(each)) for each in (*rising, *even)})


def run_of(derivation: Derivation, most: int) -> Run:
    """The epochs of the run that a derivation is of, or its own step where it is of none."""
    moment = derivation.moment
    if moment is None or moment.training is None or moment.epoch is None:
        return Run((_held(derivation, moment),), 0, np.empty(0))
    epochs = held_epochs(last_epoch(moment.training), moment.epoch, most)
    held: list[Held] = []
    losses, diverged = np.empty(0), False
    try:
        for each, run in moments_of(moment.training, epochs, moment.batch):
            held.append(_held(derivation, each))
            losses = np.asarray(run.history["loss"])[: run.epochs] if run.epochs else losses
    except DivergedError:
        diverged = True  # the epochs before it can be explained all the same
    asked = next(i for i, each in enumerate(held) if _epoch(each) == moment.epoch)
    return Run(tuple(held), asked, losses, diverged)


def _epoch(held: Held) -> int | None:
    return None if held.moment is None else held.moment.epoch


def _held(derivation: Derivation, moment: Moment | None) -> Held:
    if moment is None:
        return Held(None, derivation.values, None)
    values = derivation.values_at(moment)
    updates = derivation.traced.updates
    if not updates:
        return Held(moment, values, None)
    new = {name: values[updates[name]] for name in moment.parameters}
    after = derivation.values_at(replace(moment, parameters=new))
    return Held(moment, values, float(after[derivation.traced.forward[derivation.loss]]))


def decimated(losses: Sequence[float] | Array, most: int) -> Iterator[tuple[int, float]]:
    """The losses of all epochs, or of so many stretches the least and the greatest of each.

    >>> list(decimated([3.0, 1.0, 2.0, 2.0, 0.5, 1.0], 2))
    [(0, 3.0), (1, 1.0), (3, 2.0), (4, 0.5), (5, 1.0)]
    """
    values = np.asarray(losses, dtype=float)
    finite = np.flatnonzero(np.isfinite(values))
    chosen = {int(i) for i in finite}
    if len(finite) > 2 * most:
        stretches = np.array_split(finite, most)
        chosen = {int(s[np.argmin(values[s])]) for s in stretches}
        chosen |= {int(s[np.argmax(values[s])]) for s in stretches}
        chosen |= {int(finite[0]), int(finite[-1])}
    for i in sorted(chosen):
        yield i, float(values[i])
