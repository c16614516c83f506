"""Verdicts on the data: contradictory labels, constant columns, columns of unlike scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.floors import groups_of
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, listed, number

__all__ = ["data_verdicts", "input_condition"]

Array = NDArray[Any]


def data_verdicts(subject: Subject) -> Iterator[Verdict]:
    """What is wrong with the data, for runs that have not learned."""
    X = np.asarray(subject.X, np.float64)
    constant = np.flatnonzero(np.ptp(X, axis=0) == 0)
    if not np.ptp(subject.targets, axis=0).any():
        text = "The target is the same for every sample: there is nothing to tell apart."
        yield Verdict("constant-targets", True, "proved", (text,))
        return
    if len(constant) == X.shape[1] and len(X) > 1:
        yield _all_constant(subject)
        return
    contradiction = _contradictory(subject)
    if contradiction is not None:
        yield contradiction
    unscaled = _unscaled(subject, X)
    if unscaled is not None:
        yield unscaled


def _all_constant(subject: Subject) -> Verdict:
    sentences = ["All inputs are the same for every sample, so the output is too."]
    constant = subject.constant
    if constant is not None:
        sentences.append(f"The best constant output has the loss {number(constant.loss)}.")
    facts = {"lowest_loss": None if constant is None else constant.loss}
    return Verdict("constant-inputs", True, "proved", tuple(sentences), facts)


def _contradictory(subject: Subject) -> Verdict | None:
    """Samples with the same inputs and different targets, where they keep the run from its goal."""
    floor = subject.data_floor
    if floor is None or floor.loss <= subject.goal:
        return None
    groups = groups_of(np.asarray(subject.X))
    pairs: list[str] = []
    involved = 0
    for group in range(int(groups.max()) + 1):
        members = np.flatnonzero(groups == group)
        if len(members) > 1 and np.ptp(subject.targets[members], axis=0).any():
            involved += len(members)
            pairs.append(" = ".join(f"row {i}" for i in members[:3]))
    if not pairs:
        return None
    sentences = (
        (
            f"{counted(involved, 'sample')} have the same inputs as another with a different "
            f"target "
            f"({listed(pairs)})."
        ),
        (
            f"Every network gives the same inputs the same output, so none can go below the loss "
            f"{number(floor.loss)}; it is {number(subject.loss)}."
        ),
    )
    return Verdict("contradictory", True, "proved", sentences,
                   {"samples": involved, "lowest_loss": floor.loss})  # fmt: skip


def input_condition(X: Array) -> float:
    """The condition number of the inputs' second moments beside a 1 for the bias.

    It is that of the Hessian of linear least squares on them, which takes gradient descent about
    as many steps to fit (Nocedal and Wright 2006, theorem 3.3). Columns that are constant, and so
    no more than the bias, are left out.
    """
    moving = X[:, np.ptp(X, axis=0) > 0]
    rows = np.column_stack([moving, np.ones(len(X))]) / np.sqrt(len(X))
    sizes = np.linalg.svd(rows, compute_uv=False)
    kept = sizes[sizes > sizes.max() * max(rows.shape) * np.finfo(np.float64).eps]
    return float((kept.max() / kept.min()) ** 2)


def _unscaled(subject: Subject, X: Array) -> Verdict | None:
    """Inputs whose scales alone make the run too short for gradient descent."""
    before = input_condition(X)
    spread = np.std(X, axis=0)
    scaled = (X - np.mean(X, axis=0)) / np.where(spread > 0, spread, 1.0)
    after = input_condition(scaled)
    steps = max(subject.epochs, 1) * subject.steps_per_epoch
    # A step in units of the largest curvature is the best that gradient descent can do; what
    # standardising would not cure is not a matter of scale.
    if before <= max(steps, after**2, 1e4):
        return None
    sizes = np.sqrt(np.mean(X**2, axis=0))
    low, high = int(np.argmin(np.where(spread > 0, spread, np.inf))), int(np.argmax(sizes))
    sentences = (
        (
            f"The inputs are of unlike scales or far from 0: {subject.input(high)} has a root "
            f"mean square "
            f"of {number(float(sizes[high]))}, {subject.input(low)} a standard deviation of "
            f"{number(float(spread[low]))}."
        ),
        (
            f"Their second moments have the condition number {number(before)}, so that gradient "
            f"descent "
            f"takes about as many steps, and the run had {steps:,}; standardised, it is "
            f"{number(after)}."
        ),
    )
    return Verdict("unscaled-inputs", True, "measured", sentences,
                   {"condition": before, "standardised": after, "steps": steps})  # fmt: skip
