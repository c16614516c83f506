"""What becomes of a run that is trained on as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.diagnose.subject import Subject
from chainrule.errors import ChainruleError
from chainrule.training.training import train

__all__ = ["Continuation", "trained_on"]

LONGEST = 10
"""A run is trained on for this many times its length at most: what takes longer is no plan."""


@dataclass(frozen=True)
class Continuation:
    """Training that went on: for how many epochs, and the reported loss then."""

    epochs: int
    loss: float
    reached: bool


def trained_on(subject: Subject, seconds: float) -> Continuation | None:
    """Train on until the goal is reached, for a time and `LONGEST` times the run's length at most.

    The optimiser starts with nothing remembered, and the rate is the run's last. None where there
    was no time, the optimiser is L-BFGS, or training failed.
    """
    if subject.optimizer is None or seconds <= 0 or not subject.epochs:
        return None
    try:
        run = train(
            subject.network,
            subject.X,
            subject.y,
            parameters={name: np.array(each) for name, each in subject.parameters.items()},
            **subject.settings,
            epochs=LONGEST * subject.epochs,
            stop_loss=subject.goal,
            max_time=seconds,
        )
    except ChainruleError:
        return None
    if run.stopped == "interrupted":
        raise KeyboardInterrupt
    return Continuation(run.epochs, run.loss, run.stopped == "loss")
