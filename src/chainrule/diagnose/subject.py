"""What is diagnosed: a network, where it stands, its data, and how it came there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.calculus import Calculus
from chainrule.diagnose.floors import Floor, groups_of, lowest_loss
from chainrule.networks import Network
from chainrule.networks.losses import Loss
from chainrule.training.optimizers import Optimizer, gradient_descent

__all__ = ["GOAL", "Subject"]

Array = NDArray[Any]

GOAL = 0.04
"""A run has learned where its loss is this share of that of the best constant output: 0.01 of the
0.25 that the answer ½ has on a truth table, and an R² of 0.96."""

_NAMED_BITS = 8


@dataclass(frozen=True)
class Subject:
    """A network's parameters on training data, and the facts of the run that led there.

    ``report``         the loss that is told, where it is another than the one minimised
    ``optimizer``      None for L-BFGS; ``rate`` is the learning rate at the end
    ``losses``         the reported loss, epoch by epoch, and ``held_out`` that of validation
    ``validation``     the data held out, ``(X, y)``
    ``start``          the parameters before the first step, where they are known
    ``generator``      what fresh parameters are drawn with (see `Network.initialize`)
    ``inputs``         the names of the network's inputs; ``truth_table`` whether samples are bits
    ``goal``           the reported loss to reach; None for `GOAL` of the best constant output's
    """

    network: Network
    parameters: Mapping[str, Array]
    X: Array
    y: Array
    name: str = "the run"
    report: Loss | None = None
    optimizer: Optimizer | None = field(default_factory=gradient_descent)
    rate: float = 0.1
    schedule: str = "constant"
    epochs: int = 0
    batch_size: int | None = None
    shuffle: bool = True
    seed: int = 0
    clip_norm: float | None = None
    clip_value: float | None = None
    losses: Array = field(default_factory=lambda: np.empty(0))
    held_out: Array = field(default_factory=lambda: np.empty(0))
    kept: int | None = None
    validation: tuple[Array, Array] | None = None
    start: Mapping[str, Array] | None = None
    generator: str = "default"
    inputs: Sequence[str] = ()
    truth_table: bool = False
    asked_goal: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """How the run was trained, as `chainrule.train` and `chainrule.Population` take it."""
        names = ("optimizer", "batch_size", "shuffle", "seed", "clip_norm", "clip_value", "report")
        return {"learning_rate": self.rate, **{name: getattr(self, name) for name in names}}

    @cached_property
    def calculus(self) -> Calculus:
        """The loss that is minimised, as a function of one vector."""
        return Calculus(self.network, self.X, self.y)

    @cached_property
    def v(self) -> NDArray[np.float64]:
        """The parameters as one vector."""
        return self.calculus.vector(self.parameters)

    @cached_property
    def values(self) -> dict[str, Array]:
        """Every pre-activation and activation."""
        return self.values_at(self.parameters)

    def values_at(self, parameters: Mapping[str, Array]) -> dict[str, Array]:
        """Every pre-activation and activation with other parameters."""
        with np.errstate(all="ignore"):
            exact = {name: np.asarray(each, np.float64) for name, each in parameters.items()}
            return self.network.forward(exact, np.asarray(self.X, np.float64))

    @property
    def reported(self) -> Loss:
        """The loss that is told."""
        return self.report or self.network.criterion

    def loss_of(self, values: Mapping[str, Array]) -> float:
        """The reported loss of a forward pass, without penalties."""
        kind = "z" if self.reported.takes == "logits" else "a"
        with np.errstate(all="ignore"):
            return float(self.reported(values[f"{kind}{self.network.depth}"], self.y))

    @cached_property
    def loss(self) -> float:
        """The reported loss now."""
        return self.loss_of(self.values)

    @property
    def outputs(self) -> Array:
        """The network's outputs (n, k)."""
        return self.values[f"a{self.network.depth}"]

    @cached_property
    def targets(self) -> Array:
        """The targets as (n, k)."""
        if self.y.ndim == 2:
            return self.y
        return np.eye(self.network.sizes[-1])[self.y.astype(int)]

    def floor_of(self, groups: NDArray[np.int64]) -> Floor | None:
        """The lowest reported loss with one output for each group of samples."""
        return lowest_loss(self.reported, self.targets, groups)

    @cached_property
    def constant(self) -> Floor | None:
        """The best that one output for all samples can do."""
        return self.floor_of(np.zeros(len(self.X), np.int64))

    @cached_property
    def data_floor(self) -> Floor | None:
        """The lowest loss any network can have: equal inputs have equal outputs."""
        return self.floor_of(groups_of(np.asarray(self.X)))

    @cached_property
    def goal(self) -> float:
        """The reported loss at which the run counts as having learned."""
        if self.asked_goal is not None:
            return self.asked_goal
        return 0.0 if self.constant is None else GOAL * self.constant.loss

    @property
    def full_batch(self) -> bool:
        """Whether a step is of all samples."""
        return self.batch_size is None or self.batch_size >= len(self.X)

    @property
    def steps_per_epoch(self) -> int:
        """How many updates an epoch has."""
        return 1 if self.full_batch else -(-len(self.X) // int(self.batch_size or 1))

    def sample(self, i: int) -> str:
        """What a sample is called: its bits in a truth table, else its number from 0."""
        bits = np.asarray(self.X[i])
        if self.truth_table and len(bits) <= _NAMED_BITS:
            return "".join("1" if bit > 0.5 else "0" for bit in bits)
        return f"row {i}"

    def input(self, j: int) -> str:
        """What an input of the network is called."""
        return str(self.inputs[j]) if j < len(self.inputs) else f"input {j}"

    def at(self, parameters: Mapping[str, Array]) -> Subject:
        """The same run with other parameters."""
        return replace(self, parameters=parameters)
