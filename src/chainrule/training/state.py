"""Everything that a training run must remember to go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.pytrees import Structure, flatten
from chainrule.training.history import History

__all__ = ["Epoch", "Flat", "Run", "State", "Tree"]

Tree = Any


@dataclass(frozen=True)
class Flat:
    """A pytree taken apart, so that thousands of steps a second need not do it each time."""

    leaves: list[Any]
    structure: Structure

    @classmethod
    def of(cls, tree: Tree) -> Flat:
        """A pytree, taken apart."""
        return cls(*flatten(tree))

    @property
    def tree(self) -> Tree:
        """The pytree, put together."""
        return self.structure.unflatten(self.leaves)

    @property
    def copied(self) -> Tree:
        """The pytree, put together of copies, which its receiver may change."""
        return self.structure.unflatten(np.array(leaf) for leaf in self.leaves)


@dataclass
class State:
    """The state of a run between two steps.

    ``epoch`` and ``batch`` say which step comes next; ``sums`` holds the losses of the batches of
    the epoch so far, each times its number of samples. ``weights`` are the parameters, ``memory``
    is what the optimiser remembers.
    """

    weights: Flat
    memory: Flat
    schedule: dict[str, Any]
    epoch: int = 0
    batch: int = 0
    updates: int = 0
    sums: tuple[float, float] = (0.0, 0.0)
    best: list[Any] | None = None
    best_loss: float = float("inf")
    best_epoch: int = -1
    stalled: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=History)

    @property
    def parameters(self) -> Tree:
        """The parameters as the model has them."""
        return self.weights.tree

    def copy(self) -> State:
        """A state to go on from, while this one stays as it is."""
        return replace(self, schedule=dict(self.schedule), history=self.history.copy())


@dataclass(frozen=True)
class Epoch:
    """What a callback is told after an epoch.

    ``number``      the epoch, counted from 0
    ``epochs``      how many there will be, unless something stops the run
    ``loss``        the loss reported of this epoch
    ``values``      the epoch's row of the history, by name
    ``parameters``  a copy of the parameters after the epoch
    ``seconds``     the time that training has taken so far
    ``history``     all epochs up to this one
    """

    number: int
    epochs: int
    loss: float
    values: dict[str, float]
    weights: Flat
    seconds: float
    history: History

    @property
    def parameters(self) -> Tree:
        """A copy of the parameters after the epoch, as the model has them."""
        return self.weights.copied


@dataclass(frozen=True)
class Run:
    """The result of training.

    ``parameters``  the parameters learned (the best ones, where a validation set chose them)
    ``history``     losses and scores, epoch by epoch
    ``stopped``     why it ended: ``"epochs"``, ``"loss"``, ``"patience"``, ``"time"``,
                    ``"callback"``, ``"schedule"``, ``"interrupted"`` or ``"converged"``
    ``loss``        the reported loss of ``parameters`` on the training data
    ``epochs``      how many epochs are done
    ``best_epoch``  the epoch that the parameters are of, where a validation set chose them
    ``seconds``     the time that training took, over all its sittings
    ``state``       what `chainrule.train` needs to go on (``resume=``)
    """

    parameters: Tree
    history: History
    stopped: str
    loss: float
    epochs: int
    best_epoch: int | None
    seconds: float
    state: State
    facts: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    note: Any = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"<run of {self.epochs} epochs, loss {self.loss:.4g}, stopped by {self.stopped}>"
