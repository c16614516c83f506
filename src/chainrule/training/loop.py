"""The training loop: steps, epochs, validation, stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DivergedError, GuardError
from chainrule.interpreter import compile_graph
from chainrule.networks import Network
from chainrule.pytrees import Structure, flatten
from chainrule.training.batches import Batches, take
from chainrule.training.evaluation import Evaluation
from chainrule.training.interruption import Interruption, interruptible
from chainrule.training.settings import Settings
from chainrule.training.state import Epoch, Flat, Run, State, Tree
from chainrule.training.steps import Objective, Step, Stepper
from chainrule.training.threads import one_thread_unless_large, operations

__all__ = ["Loop"]

Array = NDArray[Any]
LastStep = tuple[Step, list[Any], float, int, bool]
"""A step, its inputs, its rate, its epoch, and whether it was the first of all."""


@dataclass
class Loop:
    """One training run: `run` goes on from a state until something stops it.

    ``save`` is called with the state now and then, and when the run ends.
    """

    objective: Objective
    settings: Settings
    X: Array
    y: Array | None
    evaluation: Evaluation
    validation: tuple[Array, Array | None] | None = None
    save: Callable[[State], None] | None = None

    def __post_init__(self) -> None:
        chosen = self.settings
        self.batches = Batches(
            len(self.X), chosen.batch_size, shuffle=chosen.shuffle, seed=chosen.seed
        )
        self.stepper = Stepper(
            self.objective, chosen.optimizer, chosen.engine, chosen.clip_norm, chosen.clip_value
        )
        model = self.objective.model
        self._steps: dict[int, tuple[Structure, Step]] = {}
        self._last: Any = None  # what `_latest` gives, or something it is made of
        self._before, self._saved_at = 0.0, -math.inf
        self._errors: Any = {}
        self.drops = isinstance(model, Network) and any(rate > 0 for rate in model.rates)

    def start(self, parameters: Tree) -> State:
        """The state before the first step."""
        memory = Flat.of(self.settings.optimizer.initialize(parameters))
        dtype = np.result_type(*flatten(parameters)[0])
        # A Python number in the state adapts to any dtype, an array from a checkpoint does not.
        leaves = [np.array(leaf, dtype) if type(leaf) is float else leaf for leaf in memory.leaves]
        return State(
            weights=Flat.of(parameters),
            memory=Flat(leaves, memory.structure),
            schedule=self.settings.schedule.initialize(),
        )

    def run(self, state: State) -> Run:
        """Train from a state on, until the epochs are done or something stops it."""
        self._before, self._saved_at = state.seconds, time.monotonic()
        self._errors = np.geterr()
        with (
            interruptible() as interruption,
            np.errstate(all="ignore"),
            one_thread_unless_large(self._largest_product(state)),
        ):
            for callback in self.settings.callbacks:
                getattr(callback, "begin", _nothing)()
            began = time.monotonic()
            stopped = self._until_stopped(state, interruption, began)
            state.seconds = self._before + time.monotonic() - began
            result = self._result(state, stopped)
            if self.save is not None:
                self._save(state, began)
            return result

    def _until_stopped(self, state: State, interruption: Interruption, began: float) -> str:
        """Train; why it ended."""
        reason = self._ended_before(state)
        while reason is None and state.epoch < self.settings.epochs:
            reason = self._advance(state, interruption, began)
        return reason or "epochs"

    def _ended_before(self, state: State) -> str | None:
        """Why a run that is resumed had ended, where going on would add to what was complete."""
        if state.batch or not state.epoch:
            return None
        loss = state.history.columns["loss"][-1] if len(state.history) else math.inf
        return self._reason(state, loss)

    def _advance(self, state: State, interruption: Interruption, began: float) -> str | None:
        """Finish the epoch; why to stop, or None."""
        if not self._epoch(state, interruption, began):
            return "interrupted" if interruption.asked else "time"
        reason = self._after_epoch(state, began)
        return "interrupted" if interruption.asked else reason

    def _epoch(self, state: State, interruption: Interruption, began: float) -> bool:
        """The steps of one epoch that are left; whether it was finished."""
        batches, wake = self.batches, self._wake(began)
        order = batches.order(state.epoch)
        while state.batch < batches.count:
            self._go_on(state, order)
            if interruption.asked or time.monotonic() > wake:
                if state.batch == batches.count:
                    break
                if interruption.asked or time.monotonic() > self._deadline(began):
                    return False
                self._save(state, began)
                wake = self._wake(began)
        return True

    def _go_on(self, state: State, order: NDArray[np.int64]) -> None:
        """The next step of an epoch whose rows are in this order."""
        batches = self.batches
        rows = batches.rows(order, state.batch)
        X, y = (self.X, self.y) if batches.whole else (self.X[rows], take(rows, self.y))
        masks = self._masks(state, len(rows), state.batch)
        rate = self.settings.schedule(state.updates, state.epoch, state.schedule)
        step = self._step_for(state, X, y, masks, rate)
        inputs = step.inputs(state.weights.leaves, state.memory.leaves, X, y, masks, rate)
        try:
            *values, loss, shown = step.run(*inputs)
        except GuardError:
            arguments = (state.parameters, state.memory.tree, X, y, masks, rate, inputs)
            step, (*values, loss, shown) = self.stepper.other_branch(*arguments)
            self._remember(state, len(rows), step)
        if not (math.isfinite(loss) and math.isfinite(shown)):
            raise self._diverged(state, step, inputs, rate)
        self._last = (step, inputs, rate, state.epoch, not state.updates)
        count = step.parameter_count
        state.weights = Flat(values[:count], state.weights.structure)
        state.memory = Flat(values[count:], step.memory_structure)
        reported, objective = state.sums
        state.sums = (reported + float(shown) * len(rows), objective + float(loss) * len(rows))
        state.batch += 1
        state.updates += 1

    def _latest(self) -> LastStep | None:
        """The step before this one, where there was one in this sitting."""
        return self._last

    def _deadline(self, began: float) -> float:
        """When this sitting must end."""
        return math.inf if self.settings.max_time is None else began + self.settings.max_time

    def _wake(self, began: float) -> float:
        """When to look up in the middle of an epoch: for the deadline or a checkpoint."""
        if self.save is None:
            return self._deadline(began)
        return min(self._deadline(began), self._saved_at + self.settings.checkpoint_every)

    def _save(self, state: State, began: float) -> None:
        """Keep the state, if it is one to keep."""
        if self.save is None:
            return
        self._check_finite(state)
        state.seconds = self._before + time.monotonic() - began
        self.save(state)
        self._saved_at = time.monotonic()

    def _largest_product(self, state: State) -> int:
        """The operations of the largest matrix product in a step."""
        rows = next(self.batches.of_epoch(0))
        X, y = self.X[rows], take(rows, self.y)
        masks = self._masks(state, len(rows), state.batch)
        return operations(self._step_for(state, X, y, masks).graph)

    def _step_for(
        self, state: State, X: Array, y: Array | None, masks: Any, rate: float = 0.1
    ) -> Step:
        """The compiled step for a batch, which is mostly the one used last."""
        known = self._steps.get(len(X))
        structure = state.memory.structure
        if known is not None and (known[0] is structure or known[0] == structure):
            return known[1]
        step = self.stepper.step(state.parameters, state.memory.tree, X, y, masks, rate)
        self._remember(state, len(X), step)
        return step

    def _remember(self, state: State, count: int, step: Step) -> None:
        if state.memory.structure == step.memory_structure and not step.graph.static:
            self._steps[count] = (step.memory_structure, step)

    def _masks(self, state: State, count: int, batch: int) -> Any:
        model = self.objective.model
        if not self.drops or not isinstance(model, Network):
            return None
        rng = self.batches.mask_generator(state.epoch, batch)
        return model.dropout_masks(rng, count, state.weights.leaves[0].dtype)

    def _diverged(self, state: State, step: Step, inputs: list[Any], rate: float) -> DivergedError:
        """The error for a loss that is not finite: in this step, or in the one before."""
        epoch, first = state.epoch, not (state.updates or state.batch or state.epoch)
        parameters = inputs[: step.parameter_count]
        if not all(np.isfinite(each).all() for each in parameters):
            step, inputs, rate, epoch, first = self._latest() or (step, inputs, rate, epoch, first)
        return self._explained(step, inputs, rate, epoch, first=first)

    def _explained(
        self,
        step: Step,
        inputs: list[Any],
        rate: float | None,
        epoch: int,
        *,
        first: bool,
        ended: bool = False,
    ) -> DivergedError:
        from chainrule.training.divergence import Moment, diverged, find  # here, as few diverge

        clipped = self.settings.clip_norm is not None or self.settings.clip_value is not None
        network = isinstance(self.objective.model, Network)
        moment = Moment(epoch, rate, first, ended, clipped, network)
        return diverged(find(step.graph, inputs, step.parameter_count), moment)

    def _check_finite(self, state: State) -> None:
        """Raise DivergedError where the last update left parameters that are not finite."""
        if all(np.isfinite(leaf).all() for leaf in state.weights.leaves):
            return
        last = self._latest()
        if last is not None:
            step, inputs, rate, epoch, first = last
            raise self._explained(step, inputs, rate, epoch, first=first)

    def _after_epoch(self, state: State, began: float) -> str | None:
        """Record the epoch that has just been done; why to stop, or None."""
        schedule = self.settings.schedule
        row = self._row(state)
        watched = row.get("validation_loss", row["loss"])
        if math.isnan(watched):
            watched = math.inf  # a validation loss that is not a number is no gain
        state.history.append(row)
        state.schedule = schedule.observe(state.schedule, watched)
        state.epoch, state.batch, state.sums = state.epoch + 1, 0, (0.0, 0.0)
        self._note_best(state, watched)
        return self._after_epochs(state, self._reason(state, row["loss"]), row, began)

    def _after_epochs(
        self, state: State, reason: str | None, row: dict[str, float], began: float
    ) -> str | None:
        """Tell of the epoch just recorded, and keep the state; why to stop, or None."""
        settings, now = self.settings, time.monotonic()
        state.seconds = self._before + now - began
        if reason is None and now > self._deadline(began):
            reason = "time"
        if settings.callbacks and self._told(state, row):
            reason = reason or "callback"
        if self.save is not None and now - self._saved_at > settings.checkpoint_every:
            self._save(state, began)
        return reason

    def _row(self, state: State) -> dict[str, float]:
        """What is recorded of an epoch."""
        schedule = self.settings.schedule
        reported, objective = (total / self.batches.n for total in state.sums)
        row = {"loss": reported}
        if self.objective.report is not None:
            row["objective"] = objective
        row["learning_rate"] = schedule(state.updates - 1, state.epoch, state.schedule)
        if self.validation is not None:
            measured = self.evaluation(state.parameters, *self.validation)
            row.update({f"validation_{name}": value for name, value in measured.items()})
        return row

    def _told(self, state: State, row: dict[str, float]) -> bool:
        """Tell the callbacks of an epoch; whether one of them wants to stop."""
        event = self._event(state, row)
        with np.errstate(**self._errors):  # a callback's own warnings are its own
            answers = [bool(callback(event)) for callback in self.settings.callbacks]
        return any(answers)

    def _note_best(self, state: State, watched: float) -> None:
        if self.settings.patience is None and self.validation is None:
            return
        improved = watched < state.best_loss - self.settings.tolerance
        state.stalled = 0 if improved else state.stalled + 1
        if watched < state.best_loss:
            state.best_loss, state.best_epoch = watched, state.epoch - 1
            if self.validation is not None and self.settings.restore_best:
                state.best = state.weights.leaves

    def _reason(self, state: State, loss: float) -> str | None:
        settings = self.settings
        if settings.stop_loss is not None and loss <= settings.stop_loss:
            return "loss"
        if settings.patience is not None and state.stalled > settings.patience:
            return "patience"
        if settings.schedule.finished(state.schedule):
            return "schedule"
        return None

    def _event(self, state: State, row: dict[str, float]) -> Epoch:
        return Epoch(
            number=state.epoch - 1,
            epochs=self.settings.epochs,
            loss=row["loss"],
            values=row,
            weights=state.weights,
            seconds=state.seconds,
            history=state.history,
        )

    def _result(self, state: State, stopped: str) -> Run:
        best = state.best if self.settings.restore_best else None
        self._check_finite(state)
        weights = state.weights if best is None else Flat(best, state.weights.structure)
        loss = self._final_loss(state, weights)
        return Run(
            parameters=weights.copied,
            history=state.history,
            stopped=stopped,
            loss=loss,
            epochs=state.epoch,
            best_epoch=None if best is None else state.best_epoch,
            seconds=state.seconds,
            state=state.copy(),
        )

    def _final_loss(self, state: State, weights: Flat) -> float:
        """The reported loss of the parameters learned, which must be finite like any other."""
        # Once, which is not worth compiling.
        once = Evaluation(self.objective, compile_graph)
        loss = once(weights.tree, self.X, self.y)["loss"]
        if math.isfinite(loss):
            return loss
        step = self.stepper.step(weights.tree, state.memory.tree, self.X, self.y, None)
        inputs = step.inputs(weights.leaves, state.memory.leaves, self.X, self.y, None, 0.0)
        last = self._latest()
        rate = None if last is None else last[2]
        raise self._explained(step, inputs, rate, state.epoch, first=not state.updates, ended=True)


def _nothing() -> None:
    """What a callback without a beginning does at the start."""
