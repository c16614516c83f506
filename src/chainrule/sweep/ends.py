"""Where the runs end that do not get there: the outputs that are tied, and what loss that leaves.

A network that cannot tell some samples apart gives them one output, and the best one output is the
mean of their targets, for squared errors and for cross-entropies alike. So a failure's end is known
by which of its outputs are tied, not by its loss, which is still on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose import diagnose
from chainrule.diagnose.subjects import subject_of_trained
from chainrule.diagnose.wording import exact
from chainrule.networks.losses import Loss
from chainrule.sweep.chunks import prepared_of
from chainrule.sweep.statistics import Share, share_of
from chainrule.training.preparing import prepare
from chainrule.training.recipes import Recipe
from chainrule.training.training import reported_loss

__all__ = ["End", "ends_of", "tied"]

Array = NDArray[Any]
_NEAR = 0.1
"""Outputs nearer than this are tied, and an end is reached where all are as near to its limits."""
_MOST_DIAGNOSED = 8
_AT_MEANS = ("squared_error", "squared_error_sum", "half_squared_error", "binary_cross_entropy")


@dataclass(frozen=True)
class End:
    """An end that failures come to.

    ``outputs`` are what the outputs tend to, one for each sample, or None for runs that are near no
    such end; ``loss`` is the loss there; ``example`` a seed that comes to it, the one nearest, and
    ``verdict`` what `chainrule.diagnose` says of that run first, such as ``"infinity"``.
    """

    outputs: tuple[float, ...] | None
    loss: float | None
    share: Share
    example: int
    verdict: str | None = None

    @property
    def text(self) -> str:
        """The outputs as they are written, fractions as such: 0, ½, 1, ½."""
        if self.outputs is None:
            return "elsewhere, or still on the way"
        return ", ".join(map(exact, self.outputs))


def ends_of(recipe: Recipe, outputs: Array, seeds: Sequence[int]) -> list[End]:
    """The ends that failures come to, the most frequent first; ``outputs`` is (runs, samples)."""
    prepared = prepared_of(recipe)
    if prepared.network.criterion.name not in _AT_MEANS or not len(outputs):
        return []
    targets = np.asarray(prepared.y, np.float64)[:, 0]
    counts: Counter[tuple[float, ...] | None] = Counter()
    examples: dict[tuple[float, ...] | None, tuple[float, int]] = {}
    for seed, row in zip(seeds, outputs, strict=True):
        end, distance = tied(row, targets)
        counts[end] += 1
        examples[end] = min(examples.get(end, (np.inf, 0)), (distance, int(seed)))
    shown = prepared.recipe.report
    report = reported_loss(prepared.network, shown) or prepared.network.criterion
    found: list[End] = []
    for end, count in sorted(counts.items(), key=lambda item: (item[0] is None, -item[1])):
        loss = None if end is None else _loss_at(report, np.array(end), targets)
        seed = examples[end][1]
        verdict = _verdict(recipe, seed) if len(found) < _MOST_DIAGNOSED else None
        found.append(End(end, loss, share_of(count, len(outputs)), seed, verdict))
    return found


def _verdict(recipe: Recipe, seed: int) -> str | None:
    """What holds up the run of a seed, as far as exact derivatives tell without a search."""
    trained = prepare(replace(recipe, seed=seed)).train()
    found = diagnose(subject_of_trained(trained), time=0.0, brief=True).verdicts
    return found[0].name if found else None


def tied(outputs: Array, targets: Array) -> tuple[tuple[float, ...] | None, float]:
    """What tied outputs tend to, and how far they are from it; None where that is far.

    Outputs are tied where a chain of them, each within 0.1 of the next, leads from one to another.

    >>> xor = np.array([0.0, 1.0, 1.0, 0.0])
    >>> tied(np.array([0.03, 0.498, 0.971, 0.501]), xor)[0]
    (0.0, 0.5, 1.0, 0.5)
    """
    if not np.all(np.isfinite(outputs)):
        return None, np.inf
    order = np.argsort(outputs)
    group = np.concatenate([[0], np.cumsum(np.diff(outputs[order]) > _NEAR)])
    limits = np.empty(len(outputs))
    for each in range(group[-1] + 1):
        members = order[group == each]
        limits[members] = np.mean(targets[members])
    distance = float(np.max(np.abs(outputs - limits)))
    return (tuple(map(float, limits)) if distance <= _NEAR else None), distance


def _loss_at(loss: Loss, outputs: Array, targets: Array) -> float:
    column = outputs[:, None]
    if loss.takes == "logits":
        inside = np.clip(column, 1e-300, 1 - 1e-16)
        column = np.log(inside) - np.log1p(-inside)
    return float(loss(column, targets[:, None]))
