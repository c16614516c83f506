"""Training in epochs of mini-batches, many steps in one native call.

An epoch after which something has to be done is a call of its own. Else as many epochs are run in
one call as fit in a twentieth of a second; where training ends within them, or the learning rate
changes, the epochs up to there are run again from the start of the call, which gives the same bits.
A long epoch is several calls, so that Ctrl-C and a deadline are answered within it.
"""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from chainrule.estimators.drawing import Orders
from chainrule.estimators.formulation import Batch, Formulation, Parameters, Penalties
from chainrule.estimators.records import Records
from chainrule.estimators.samples import Samples
from chainrule.estimators.state import OptimizerState
from chainrule.estimators.steps import carried_leaves, ready_steps
from chainrule.estimators.watching import Watch
from chainrule.pytrees import flatten
from chainrule.training.interruption import Interruption, interruptible

__all__ = ["Descent"]

Array = NDArray[Any]
_CALL_SECONDS = 0.05
_GROWTH = 64
_FIRST_OPERATIONS = 1_000_000_000
"""How many operations the first call has, before it is known how long a step takes."""
_MOST_ORDERED = 1 << 22
"""How many row numbers are drawn ahead at most."""


class _Cut(Exception):
    """Training ends in the middle of an epoch, for a reason."""


class Descent:
    """One run of ``fit`` or ``partial_fit``; what it learns is kept on the estimator."""

    def __init__(
        self,
        model: Any,
        formulation: Formulation,
        state: OptimizerState,
        penalties: Penalties,
        samples: Samples,
        orders: Orders,
        records: Records,
        watch: Watch,
    ) -> None:
        self.model, self.formulation, self.state = model, formulation, state
        self.penalties, self.samples, self.orders = penalties, samples, orders
        self.records, self.watch = records, watch
        self._steps: dict[int, Any] = {}
        self._epochs_in_call = 1
        self._step_seconds = 0.0
        self._interruption = Interruption()
        self._deadline = np.inf
        if model.max_time is not None:
            self._deadline = time.monotonic() + model.max_time

    @property
    def parameters(self) -> Parameters:
        """The estimator's weights and biases."""
        return Parameters(tuple(self.model.coefs_), tuple(self.model.intercepts_))

    def run(self, epochs: int, *, single: bool = False) -> None:
        """Train for so many epochs at most; with ``single`` it is one call of ``partial_fit``."""
        model = self.model
        model.n_iter_ = 0
        try:
            with (
                np.errstate(all="ignore"),
                self.watch.shown(),
                interruptible() as self._interruption,
            ):
                model.stopped_ = self._until_stopped(epochs, single=single)
        finally:
            self.orders.finish()
        self.watch.ended()

    def _until_stopped(self, epochs: int, *, single: bool) -> str:
        model = self.model
        try:
            while model.n_iter_ < epochs:
                reason = self._advance(self._ahead(epochs - model.n_iter_)) or self._due()
                if reason == "interrupted":
                    raise KeyboardInterrupt
                if reason is not None:
                    return reason
                if single:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the "
                    "optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=8,
                )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=8)
            return "interrupted"
        return "max_iter"

    def _due(self) -> str | None:
        """Why training has to end at once."""
        if self._interruption.asked:
            return "interrupted"
        return "max_time" if time.monotonic() > self._deadline else None

    def _ahead(self, left: int) -> int:
        """How many epochs are run in one call."""
        if self.watch.each_epoch or self.samples.gathers:
            return 1
        schedule = self.records.schedule
        if schedule is not None and (schedule.own or schedule.observes):
            return 1
        return max(1, min(left, self._epochs_in_call, _MOST_ORDERED // self.samples.n))

    def _advance(self, epochs: int) -> str | None:
        """Run so many epochs, or as many as are due; why to stop."""
        began = time.perf_counter()
        self.watch.before_epoch()
        start = [np.array(leaf, order="C") for leaf in self._carried()]
        orders = self.orders.draw(epochs)
        self.samples.check_weights(orders)
        rates = np.array(self.records.rates(epochs, self.samples.steps))
        carried = [leaf.copy() for leaf in start] if epochs > 1 else start
        try:
            losses = self._run(carried, orders, rates)
        except _Cut as cut:
            self._keep(carried)
            return str(cut)
        done, reason = epochs, None
        for i, loss in enumerate(losses.tolist()):
            reason = self._noted(loss, float(rates[i, -1]), carried, last=epochs == 1)
            if reason is not None:
                done = i + 1
                break
        if done < epochs:
            carried = start
            self._run(carried, orders[:done], rates[:done])
        self.orders.keep(done)
        self._keep(carried)
        self.state.updates += done * self.samples.steps
        seconds = time.perf_counter() - began
        fitting = int(epochs * _CALL_SECONDS / max(seconds, 1e-9))
        self._epochs_in_call = max(1, min(fitting, _GROWTH * epochs))
        return None if reason == "rate" else reason

    def _noted(self, loss: float, rate: float, carried: list[Array], *, last: bool) -> str | None:
        """Measure and note an epoch, and tell of it; why to go no further in this call."""
        watch = self.watch
        if last:
            self._keep(carried)
        measured = {} if watch.measure is None else watch.measure()
        reason = self.records.after_epoch(loss, rate, measured)
        if watch.each_epoch and watch.after_epoch() and reason in (None, "rate"):
            return "callback"
        return reason

    def _carried(self) -> list[Array]:
        return carried_leaves(self.parameters, self.state.memory, self.penalties)

    def _keep(self, carried: Sequence[Array]) -> None:
        model = self.model
        layers = len(model.coefs_)
        model.coefs_ = [*carried[:layers]]
        model.intercepts_ = [*carried[layers : 2 * layers]]
        leaves, structure = flatten(self.state.memory)
        self.state.memory = structure.unflatten(carried[2 * layers : 2 * layers + len(leaves)])

    def _run(
        self, carried: list[Array], orders: NDArray[np.int64], rates: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Run epochs, changing what is carried; the mean loss of each."""
        samples = self.samples
        counts = np.full(samples.steps, samples.size)
        counts[-1] = samples.n - (samples.steps - 1) * samples.size
        if samples.even:
            losses = self._call(carried, samples.size, samples.padded(orders), rates.ravel())
            return losses.reshape(len(orders), -1) @ counts / samples.n
        totals = np.empty(len(orders))
        cut = int(counts[:-1].sum())
        for i, (order, rate) in enumerate(zip(orders, rates, strict=True)):
            first = self._call(carried, samples.size, order[:cut], rate[:-1])
            last = self._call(carried, int(counts[-1]), order[cut:], rate[-1:])
            totals[i] = (first @ counts[:-1] + last[0] * counts[-1]) / samples.n
        return totals

    def _call(
        self,
        carried: list[Array],
        rows: int,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Run steps of so many rows each, in as many calls as their data are made ready in."""
        losses = np.empty((2, len(rates)))
        for some, data, places in self.samples.parts(order, rows):
            steps, arrays = self._ready(rows, data), flatten(data)[0]
            for piece in self._pieces(some.stop - some.start):
                began = time.perf_counter()
                now = slice(some.start + piece.start, some.start + piece.stop)
                used = places[piece.start * rows : piece.stop * rows]
                steps(carried, arrays, used, rates[now], losses[0, now], losses[1, now])
                count = piece.stop - piece.start
                self._step_seconds = (time.perf_counter() - began) / count
        return losses[1]

    def _pieces(self, steps: int) -> Iterator[slice]:
        """So many steps in calls of a fraction of a second each; raises _Cut between them."""
        start = 0
        while start < steps:
            if start and (reason := self._due()):
                raise _Cut(reason)
            if self._step_seconds:
                most = int(2 * _CALL_SECONDS / self._step_seconds)
            else:
                weights = sum(W.size for W in self.model.coefs_)
                most = _FIRST_OPERATIONS // (6 * self.samples.size * weights)
            end = min(start + max(most, 1), steps)
            yield slice(start, end)
            start = end

    def _ready(self, rows: int, data: Batch) -> Any:
        if rows not in self._steps:
            masks = None if data.masks is None else _first(data.masks, rows)
            X, y, weight = _first(data[:3], rows)
            batch = Batch(X, y, weight, masks)
            self._steps[rows] = ready_steps(
                self.formulation,
                self.state.optimizer,
                (self.parameters, self.state.memory, self.penalties),
                batch,
                whole=self.samples.whole,
            )
        return self._steps[rows]


def _first(arrays: Sequence[Array | None], count: int) -> tuple[Any, ...]:
    """The first rows of each, the last of them again where there are fewer."""
    return tuple(
        array if array is None else array[np.minimum(np.arange(count), array.shape[0] - 1)]
        for array in arrays
    )
