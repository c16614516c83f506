"""Training in epochs of mini-batches, by scikit-learn's rules, many steps in one native call."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from chainrule.estimators.drawing import Orders
from chainrule.estimators.formulation import Batch, Formulation, Parameters, Penalties
from chainrule.estimators.steps import carried_leaves, ready_steps
from chainrule.pytrees import flatten
from chainrule.training.optimizers import OPTIMIZERS, Optimizer
from chainrule.training.steps import Steps
from chainrule.training.threads import one_thread_unless_large

__all__ = ["Descent", "OptimizerState"]

Array = NDArray[Any]
_CALL_SECONDS = 0.05
_GROWTH = 64
_MOST_ORDERED = 1 << 22
"""How many row numbers are drawn ahead at most."""


@dataclass
class OptimizerState:
    """What an optimiser keeps from one call of ``partial_fit`` to the next.

    It is pickled with its estimator, so an optimiser with a name is kept as that and its settings.
    """

    name: str
    settings: dict[str, Any]
    rate: float
    memory: Any
    updates: int = 0
    own: Optimizer | None = None

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


class Descent:
    """One run of ``fit`` or ``partial_fit``; what it learns is kept on the estimator."""

    def __init__(
        self,
        model: Any,
        formulation: Formulation,
        state: OptimizerState,
        penalties: Penalties,
        data: Batch,
        orders: Orders,
        size: int,
    ) -> None:
        self.model, self.formulation, self.state = model, formulation, state
        self.penalties, self.data, self.orders, self.size = penalties, data, orders, size
        self.n = len(data.X)
        self.whole = size == self.n
        self._steps: dict[int, Steps] = {}
        self._epochs_in_call = 1

    @property
    def parameters(self) -> Parameters:
        """The estimator's weights and biases."""
        return Parameters(tuple(self.model.coefs_), tuple(self.model.intercepts_))

    def run(self, epochs: int, score: Any = None, *, single: bool = False) -> None:
        """Train for so many epochs at most; with ``single`` it is one call of ``partial_fit``.

        ``score`` gives the validation score of the weights as they are.
        """
        model = self.model
        model.n_iter_ = 0
        products = 2 * self.size * max(W.size for W in model.coefs_)
        with np.errstate(all="ignore"), one_thread_unless_large(products):
            self._until_stopped(epochs, score, single=single)

    def _until_stopped(self, epochs: int, score: Any, *, single: bool) -> None:
        model = self.model
        try:
            while model.n_iter_ < epochs:
                ahead = self._ahead(epochs - model.n_iter_, alone=score is not None)
                if self._advance(ahead, score) or single:
                    return
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization "
                "hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)

    def _ahead(self, left: int, *, alone: bool) -> int:
        """How many epochs are run in one call."""
        if alone:
            return 1
        return max(1, min(left, self._epochs_in_call, _MOST_ORDERED // self.n))

    def _advance(self, epochs: int, score: Any) -> bool:
        """Run so many epochs, or as many as are due; whether to stop."""
        began = time.perf_counter()
        start = [np.array(leaf, order="C") for leaf in self._carried()]
        orders = self.orders.draw(epochs)
        self._check_weights(orders)
        rates = self._rates(epochs)
        carried = [leaf.copy() for leaf in start]
        losses = self._run(carried, orders, rates)
        done, stop = epochs, False
        for i, loss in enumerate(losses.tolist()):
            if score is not None:
                self._keep(carried)
            stop, changed = self._after_epoch(loss, score)
            if (stop or changed) and i + 1 < epochs:
                done = i + 1
                carried = start
                self._run(carried, orders[:done], rates[:done])
                break
            if stop:
                break
        self.orders.keep(done)
        self._keep(carried)
        self.state.updates += done * -(-self.n // self.size)
        seconds = time.perf_counter() - began
        fitting = int(epochs * _CALL_SECONDS / max(seconds, 1e-9))
        self._epochs_in_call = max(1, min(fitting, _GROWTH * epochs))
        return stop

    def _carried(self) -> list[Array]:
        return carried_leaves(self.parameters, self.state.memory, self.penalties)

    def _keep(self, carried: Sequence[Array]) -> None:
        model = self.model
        layers = len(model.coefs_)
        model.coefs_ = [*carried[:layers]]
        model.intercepts_ = [*carried[layers : 2 * layers]]
        leaves, structure = flatten(self.state.memory)
        self.state.memory = structure.unflatten(carried[2 * layers : 2 * layers + len(leaves)])

    def _rates(self, epochs: int) -> NDArray[np.float64]:
        """The learning rate of each epoch, as it is known before."""
        model, state = self.model, self.state
        rates = np.full(epochs, state.rate)
        if model.solver == "sgd" and model.learning_rate == "invscaling":
            for i in range(1, epochs):
                rates[i] = self._scaled(model.t_ + i * self.n)
        return rates

    def _scaled(self, t: int) -> float:
        return float(self.model.learning_rate_init) / (t + 1) ** self.model.power_t

    def _run(
        self, carried: list[Array], orders: NDArray[np.int64], rates: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Run epochs, changing what is carried; the mean loss of each."""
        epochs, size = len(orders), self.size
        full, rest = divmod(self.n, size)
        if not rest:
            losses = self._call(carried, size, orders.ravel(), np.repeat(rates, full))
            return losses.reshape(epochs, full).sum(axis=1) * (size / self.n)
        totals = np.empty(epochs)
        cut = full * size
        for i, (order, rate) in enumerate(zip(orders, rates, strict=True)):
            first = self._call(carried, size, order[:cut], np.repeat(rate, full))
            last = self._call(carried, rest, order[cut:], np.repeat(rate, 1))
            totals[i] = (first.sum() * size + last[0] * rest) / self.n
        return totals

    def _call(
        self,
        carried: list[Array],
        rows: int,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        losses = np.empty((2, len(rates)))
        self._ready(rows)(carried, self._data(), order, rates, losses[0], losses[1])
        return losses[1]

    def _data(self) -> list[Array]:
        return flatten(self.data)[0]

    def _ready(self, rows: int) -> Steps:
        if rows not in self._steps:
            batch = Batch(*(None if each is None else each[:rows] for each in self.data))
            self._steps[rows] = ready_steps(
                self.formulation,
                self.state.optimizer,
                (self.parameters, self.state.memory, self.penalties),
                batch,
                whole=self.whole,
            )
        return self._steps[rows]

    def _check_weights(self, orders: NDArray[np.int64]) -> None:
        """Raise ZeroDivisionError where the samples of a batch have no weight, as NumPy does."""
        if self.data.weight is None:
            return
        sums = np.add.reduceat(self.data.weight[orders], np.arange(0, self.n, self.size), axis=1)
        if not sums.all():
            raise ZeroDivisionError(
                "Weights sum to zero, can't be normalized: all samples of a batch have weight 0. "
                "Leave such samples out, or use larger batches."
            )

    def _after_epoch(self, loss: float, score: Any) -> tuple[bool, bool]:
        """Note an epoch; whether to stop, and whether the learning rate was changed."""
        model = self.model
        model.n_iter_ += 1
        model.loss_ = loss
        model.t_ += self.n
        model.loss_curve_.append(loss)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {loss:.8f}")
        if score is None:
            self._note_loss(loss)
        else:
            self._note_score(score())
        if model.solver == "sgd" and model.learning_rate == "invscaling":
            self.state.rate = self._scaled(model.t_)
        if model._no_improvement_count <= model.n_iter_no_change:
            return False, False
        what = "Training loss" if score is None else "Validation score"
        message = (
            f"{what} did not improve more than tol={model.tol:f} for {model.n_iter_no_change} "
            "consecutive epochs."
        )
        if self._stops(message):
            return True, False
        model._no_improvement_count = 0
        return False, True

    def _note_loss(self, loss: float) -> None:
        model = self.model
        stalled = loss > model.best_loss_ - model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if stalled else 0
        model.best_loss_ = min(loss, model.best_loss_) if loss == loss else model.best_loss_

    def _note_score(self, score: float) -> None:
        model = self.model
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        stalled = score < model.best_validation_score_ + model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if stalled else 0
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            model._best_coefs = [W.copy() for W in model.coefs_]
            model._best_intercepts = [b.copy() for b in model.intercepts_]

    def _stops(self, message: str) -> bool:
        """Whether stalling ends the run; else the learning rate falls to a fifth."""
        model, state = self.model, self.state
        stops, what = True, "Stopping."
        if model.solver == "sgd" and model.learning_rate == "adaptive":
            if state.rate <= 1e-6:
                what = "Learning rate too small. Stopping."
            else:
                state.rate /= 5.0
                stops, what = False, f"Setting learning rate to {state.rate:f}"
        if model.verbose:
            print(f"{message} {what}")
        return stops
