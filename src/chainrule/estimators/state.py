"""What an optimiser keeps between the calls of ``partial_fit``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

from chainrule.estimators.formulation import Parameters
from chainrule.training.optimizers import OPTIMIZERS, Optimizer

__all__ = ["OptimizerState"]


@dataclass
class OptimizerState:
    """What an optimiser keeps from one call of ``partial_fit`` to the next.

    It is pickled with its estimator, so an optimiser with a name is kept as that and its settings.
    ``rate`` is the learning rate, ``schedule`` what a schedule remembers.
    """

    name: str
    settings: dict[str, Any]
    rate: float
    memory: Any
    updates: int = 0
    epochs: int = 0
    own: Optimizer | None = None
    schedule: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, optimizer: Optimizer, rate: float, parameters: Parameters) -> Self:
        """The state before the first update."""
        memory = optimizer.initialize(parameters)
        own = optimizer if optimizer.own else None
        return cls(optimizer.name, dict(optimizer.settings), rate, memory, own=own)

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser itself."""
        return self.own or OPTIMIZERS[self.name](**self.settings)

    @property
    def learning_rate(self) -> float:
        """The rate of the last update; with Adam's two corrections, as scikit-learn has it."""
        if self.name != "adam" or not self.updates:
            return self.rate
        first, second = (1 - self.settings[name] ** self.updates for name in ("beta1", "beta2"))
        return self.rate * math.sqrt(second) / first
