"""The training loop: steps, epochs, validation, stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks import Network
from chainrule.pytrees import Structure, flatten
from chainrule.training.batches import Batches, take
from chainrule.training.divergence import diverged
from chainrule.training.evaluation import Evaluation
from chainrule.training.interruption import Interruption, interruptible
from chainrule.training.settings import Settings
from chainrule.training.state import Epoch, Flat, Run, State, Tree
from chainrule.training.steps import Objective, Step, Stepper
from chainrule.training.threads import one_thread_unless_large, operations

__all__ = ["Loop"]

Array = NDArray[Any]


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
        self._last: Any = None
        self.drops = isinstance(model, Network) and any(rate > 0 for rate in model.rates)

    def start(self, parameters: Tree) -> State:
        """The state before the first step."""
        return State(
            weights=Flat.of(parameters),
            memory=Flat.of(self.settings.optimizer.initialize(parameters)),
            schedule=self.settings.schedule.initialize(),
        )

    def run(self, state: State) -> Run:
        """Train from a state on, until the epochs are done or something stops it."""
        began = time.monotonic() - state.seconds
        self._saved_at = time.monotonic()
        stopped = "epochs"
        with (
            interruptible() as interruption,
            np.errstate(all="ignore"),
            one_thread_unless_large(self._largest_product(state)),
        ):
            while state.epoch < self.settings.epochs:
                reason = self._advance(state, interruption, began)
                if reason:
                    stopped = reason
                    break
            state.seconds = time.monotonic() - began
            if self.save is not None:
                self.save(state)
            return self._result(state, stopped)

    def _advance(self, state: State, interruption: Interruption, began: float) -> str | None:
        """Finish the epoch; why to stop, or None."""
        if not self._epoch(state, interruption, began):
            return "interrupted" if interruption.asked else "time"
        reason = self._after_epoch(state, began)
        return "interrupted" if interruption.asked else reason

    def _epoch(self, state: State, interruption: Interruption, began: float) -> bool:
        """The steps of one epoch that are left; whether it was finished."""
        settings, batches = self.settings, self.batches
        deadline = math.inf if settings.max_time is None else began + settings.max_time
        finished = True
        reported, objective = state.sums
        for rows in batches.of_epoch(state.epoch, state.batch):
            X, y = (self.X, self.y) if batches.whole else (self.X[rows], take(rows, self.y))
            masks = self._masks(state, len(rows))
            step = self._step_for(state, X, y, masks)
            rate = settings.schedule(state.updates, state.epoch, state.schedule)
            memory = state.memory.leaves
            inputs = [
                *state.weights.leaves,
                *[memory[i] for i in step.traced_memory],
                X,
                *(() if y is None else (y,)),
                *(() if masks is None else flatten(masks)[0]),
                np.float64(rate),
            ]
            *values, loss, shown = step.run(*inputs)
            if not math.isfinite(loss):
                raise self._diverged(state, step, inputs, rate)
            self._last = (step, inputs, rate)
            count = step.parameter_count
            state.weights = Flat(values[:count], state.weights.structure)
            state.memory = Flat(values[count:], step.memory_structure)
            reported += float(shown) * len(rows)
            objective += float(loss) * len(rows)
            state.batch += 1
            state.updates += 1
            state.sums = (reported, objective)
            if interruption.asked or time.monotonic() > deadline:
                finished = state.batch == batches.count
                break
        return finished

    def _largest_product(self, state: State) -> int:
        """The operations of the largest matrix product in a step."""
        rows = next(self.batches.of_epoch(0))
        step = self._step_for(
            state, self.X[rows], take(rows, self.y), self._masks(state, len(rows))
        )
        return operations(step.graph)

    def _step_for(self, state: State, X: Array, y: Array | None, masks: Any) -> Step:
        """The compiled step for a batch, which is mostly the one used last."""
        known = self._steps.get(len(X))
        if known is not None and known[0] is state.memory.structure:
            return known[1]
        step = self.stepper.step(state.parameters, state.memory.tree, X, y, masks)
        if state.memory.structure == step.memory_structure and not step.graph.static:
            self._steps[len(X)] = (step.memory_structure, step)
        return step

    def _masks(self, state: State, count: int) -> Any:
        model = self.objective.model
        if not self.drops or not isinstance(model, Network):
            return None
        rng = self.batches.mask_generator(state.epoch, state.batch)
        return model.dropout_masks(rng, count, state.weights.leaves[0].dtype)

    def _diverged(self, state: State, step: Step, inputs: list[Any], rate: float) -> Exception:
        """The error for a loss that is not finite: in this step, or in the one before."""
        if all(np.isfinite(value).all() for value in inputs):
            return diverged(step.graph, inputs, state.epoch, rate)
        before, arrays, rate = self._last
        return diverged(before.graph, arrays, state.epoch, rate)

    def _after_epoch(self, state: State, began: float) -> str | None:
        """Record the epoch that has just been done; why to stop, or None."""
        settings, schedule = self.settings, self.settings.schedule
        reported, objective = (total / self.batches.n for total in state.sums)
        row = {"loss": reported}
        if self.objective.report is not None:
            row["objective"] = objective
        row["learning_rate"] = schedule(state.updates - 1, state.epoch, state.schedule)
        watched = reported
        if self.validation is not None:
            measured = self.evaluation(state.parameters, *self.validation)
            row.update({f"validation_{name}": value for name, value in measured.items()})
            watched = row["validation_loss"]
        state.history.append(row)
        state.schedule = schedule.observe(state.schedule, watched)
        state.epoch, state.batch, state.sums = state.epoch + 1, 0, (0.0, 0.0)
        self._note_best(state, watched)
        now = time.monotonic()
        state.seconds = now - began
        reason = self._reason(state, reported, watched, now - began)
        if settings.callbacks:
            event = self._event(state, row)
            for callback in settings.callbacks:
                if callback(event):
                    reason = reason or "callback"
        if self.save is not None and now - self._saved_at > settings.checkpoint_every:
            self.save(state)
            self._saved_at = time.monotonic()
        return reason

    def _note_best(self, state: State, watched: float) -> None:
        if self.settings.patience is None and self.validation is None:
            return
        improved = watched < state.best_loss - self.settings.tolerance
        state.stalled = 0 if improved else state.stalled + 1
        if watched < state.best_loss:
            state.best_loss, state.best_epoch = watched, state.epoch - 1
            if self.validation is not None and self.settings.restore_best:
                state.best = state.weights.leaves

    def _reason(self, state: State, loss: float, watched: float, seconds: float) -> str | None:
        settings = self.settings
        if settings.stop_loss is not None and loss <= settings.stop_loss:
            return "loss"
        if settings.patience is not None and state.stalled > settings.patience:
            return "patience"
        if settings.schedule.finished(state.schedule):
            return "schedule"
        if settings.max_time is not None and seconds > settings.max_time:
            return "time"
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
        parameters = state.parameters if best is None else state.weights.structure.unflatten(best)
        loss = self.evaluation(parameters, self.X, self.y)["loss"]
        return Run(
            parameters=parameters,
            history=state.history,
            stopped=stopped,
            loss=loss,
            epochs=state.epoch,
            best_epoch=None if best is None else state.best_epoch,
            seconds=state.seconds,
            state=replace(state),
        )
