"""The training loop in native code: many steps, or many epochs, in one call.

Everything that a run does between steps happens between calls: a call ends where something has to
be recorded, told, saved or decided, and after about a twentieth of a second, so that Ctrl-C and a
deadline are answered soon. Where something ends a run in the middle of a call, the steps up to it
are run again from where the call began: they give the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DivergedError
from chainrule.graph import Graph
from chainrule.pytrees import flatten
from chainrule.training.interruption import Interruption
from chainrule.training.loop import LastStep, Loop
from chainrule.training.state import Flat, State
from chainrule.training.steps import Step, Steps, StepsEngine

__all__ = ["NativeLoop"]

Array = NDArray[Any]
Numbers = NDArray[np.float64]
_CALL_SECONDS = 0.05
_GROWTH = 64
_MOST_WITH_MASKS = 64
"""How many steps' dropout masks are kept at once."""


@dataclass(frozen=True)
class Native:
    """A step as it is traced, and made ready to run many times."""

    step: Step
    steps: Steps


@dataclass
class Stretch:
    """Steps that are run in one call, and can be run again up to any of them.

    ``start`` holds the parameters and the optimiser's state before, ``order`` the rows of all
    steps in ``data`` (empty where each takes all), ``rows`` how many a step has; ``epoch`` and
    ``batch`` are those of the first step, ``per_epoch`` is how many steps an epoch has.
    """

    native: Native
    start: Sequence[Array]
    data: tuple[Array, ...]
    order: NDArray[np.int64]
    rates: Numbers
    rows: int
    epoch: int
    batch: int
    per_epoch: int
    updates: int

    def run(self, count: int | None = None) -> tuple[list[Array], Numbers, int]:
        """The first ``count`` steps: what is carried, the losses (2, steps), how many were done.

        The losses are the one reported and the one minimised. A step whose losses are not finite
        is not done, and no later one.
        """
        rates = self.rates[:count]
        carried = [np.array(leaf, order="C") for leaf in self.start]
        losses = np.empty((2, len(rates)))
        done = self.native.steps(carried, self.data, self.order, rates, losses[1], losses[0])
        bad = np.flatnonzero(~np.isfinite(losses[0, :done]))
        if len(bad):
            done = int(bad[0])
            carried, *_ = self.run(done)
        return carried, losses, done

    def before(self, number: int) -> LastStep:
        """A step, with what it began from."""
        carried = self.run(number)[0]
        rows = self.order[number * self.rows : (number + 1) * self.rows]
        data = [array[rows] if len(rows) else array for array in self.data]
        rate = float(self.rates[number])
        inputs = [*carried, *data, np.float64(rate)]
        first = not self.updates and not number
        epoch = self.epoch + (self.batch + number) // self.per_epoch
        return self.native.step, inputs, rate, epoch, first


class NativeLoop(Loop):
    """A training run whose steps are native code; what cannot be is run step by step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.X = np.ascontiguousarray(self.X)
        self.y = None if self.y is None else np.ascontiguousarray(self.y)
        self._natives: dict[Step, Native | None] = {}
        self._steps_in_call = 1
        self._in_turn = all(hasattr(each, "every") for each in self.settings.callbacks)

    def _latest(self) -> LastStep | None:
        last = self._last
        return last.before(len(last.rates) - 1) if isinstance(last, Stretch) else last

    def _go_on(self, state: State, order: NDArray[np.int64]) -> None:
        batches = self.batches
        left = batches.n // batches.size - state.batch
        rows = batches.size if left > 0 else batches.n % batches.size
        native = self._native(state, rows)
        if native is None:
            super()._go_on(state, order)
            return
        count = max(1, min(left, self._steps_in_call))
        if self.drops:
            count = min(count, _MOST_WITH_MASKS)
        used = order[:0] if batches.whole else batches.rows(order, state.batch, count)
        stretch = self._stretch(state, native, used, rows, count)
        if self.drops:
            stretch = self._with_masks(state, stretch)
        carried, losses, done = self._timed(stretch)
        branches = bool(native.step.graph.guards)
        if done < count and not branches:
            raise self._failed(state, stretch, done)
        if done:
            self._keep(state, stretch, carried, done)
            totals = _totals(losses[:, None, :done] * rows, np.array(state.sums))
            state.sums = (float(totals[0, 0]), float(totals[1, 0]))
            state.batch += done
        if done < count:  # the next step takes another branch, or its loss is not finite
            super()._go_on(state, order)

    def _advance(self, state: State, interruption: Interruption, began: float) -> str | None:
        epochs = self._epochs_in_call(state)
        native = self._native(state, self.batches.size) if epochs > 1 else None
        if native is None:
            return super()._advance(state, interruption, began)
        batches = self.batches
        used = np.empty(0, np.int64) if batches.whole else batches.orders(state.epoch, epochs)
        stretch = self._stretch(state, native, used, batches.size, epochs * batches.count)
        carried, losses, done = self._timed(stretch)
        by_epoch = losses.reshape(2, epochs, batches.count) * batches.size
        means = _totals(by_epoch, np.zeros(2)) / batches.n
        whole = done // batches.count
        branches = bool(native.step.graph.guards)
        if not whole and branches:
            return super()._advance(state, interruption, began)
        stopped, finished = self._stopped_within(state, means[0, :whole])
        if stopped is None and done < len(stretch.rates) and not branches:
            raise self._failed(state, stretch, done)
        if finished < epochs:
            carried = stretch.run(finished * batches.count)[0]
        self._keep(state, stretch, carried, finished * batches.count)
        self._record(state, means[:, :finished], stretch.rates)
        reason = self._after_epochs(state, stopped, state.history.last(), began)
        return "interrupted" if interruption.asked else reason

    def _epochs_in_call(self, state: State) -> int:
        """How many epochs can pass before something has to be done in between."""
        settings, batches, schedule = self.settings, self.batches, self.settings.schedule
        watched = self.validation is not None or self.drops or not self._in_turn
        saved = self.save is not None and settings.checkpoint_every < 2 * _CALL_SECONDS
        if watched or saved or state.batch or batches.n % batches.size:
            return 1
        if schedule.own or schedule.observes:
            return 1
        epochs = min(settings.epochs - state.epoch, self._steps_in_call // batches.count)
        for callback in settings.callbacks:
            every = cast(Any, callback).every
            epochs = min(epochs, -state.epoch % every + 1)
        return epochs

    def _stretch(
        self, state: State, native: Native, order: NDArray[np.int64], rows: int, count: int
    ) -> Stretch:
        return Stretch(
            native=native,
            start=[*state.weights.leaves, *state.memory.leaves],
            data=(self.X,) if self.y is None else (self.X, self.y),
            order=order,
            rates=self._rates(state, count),
            rows=rows,
            epoch=state.epoch,
            batch=state.batch,
            per_epoch=self.batches.count,
            updates=state.updates,
        )

    def _with_masks(self, state: State, stretch: Stretch) -> Stretch:
        """The same steps with dropout masks, which lie beside copies of the rows in their order."""
        count = len(stretch.rates)
        drawn = [self._masks(state, stretch.rows, state.batch + i) for i in range(count)]
        masks = [np.concatenate(each) for each in zip(*(flatten(m)[0] for m in drawn), strict=True)]
        rows = stretch.order if len(stretch.order) else np.arange(stretch.rows)
        data = (*(array[rows] for array in stretch.data), *masks)
        return replace(stretch, data=data, order=np.arange(count * stretch.rows))

    def _rates(self, state: State, count: int) -> Numbers:
        """The learning rates of the next steps."""
        schedule, batches = self.settings.schedule, self.batches
        if schedule.constant:
            return np.full(count, schedule(state.updates, state.epoch, state.schedule))
        epochs = [state.epoch + (state.batch + i) // batches.count for i in range(count)]
        return np.array(
            [schedule(state.updates + i, epoch, state.schedule) for i, epoch in enumerate(epochs)]
        )

    def _timed(self, stretch: Stretch) -> tuple[list[Array], Numbers, int]:
        """Run a stretch, and choose by its time how many steps the next call has."""
        began = time.perf_counter()
        result = stretch.run()
        seconds = time.perf_counter() - began
        count = len(stretch.rates)
        if stretch.rows == self.batches.size:
            fitting = int(count * _CALL_SECONDS / max(seconds, 1e-9))
            self._steps_in_call = max(1, min(fitting, _GROWTH * count))
        return result

    def _keep(self, state: State, stretch: Stretch, carried: list[Array], steps: int) -> None:
        """The state after the first steps of a stretch."""
        step = stretch.native.step
        state.weights = Flat(carried[: step.parameter_count], state.weights.structure)
        state.memory = Flat(carried[step.parameter_count :], step.memory_structure)
        state.updates += steps
        self._last = replace(stretch, rates=stretch.rates[:steps])

    def _failed(self, state: State, stretch: Stretch, number: int) -> DivergedError:
        """The error for a step of a stretch whose loss is not finite."""
        if number:
            self._last = replace(stretch, rates=stretch.rates[:number])
        step, inputs, rate, state.epoch, _ = stretch.before(number)
        state.batch = (state.batch + number) % self.batches.count
        state.updates += number
        return self._diverged(state, step, inputs, rate)

    def _stopped_within(self, state: State, losses: Numbers) -> tuple[str | None, int]:
        """Why to stop after one of these epochs, and how many of them there are until then."""
        settings, before = self.settings, state.epoch
        if settings.stop_loss is None and settings.patience is None:
            return None, len(losses)
        reason: str | None = None
        for loss in losses.tolist():
            state.epoch += 1
            self._note_best(state, loss)
            reason = self._reason(state, loss)
            if reason is not None:
                break
        finished, state.epoch = state.epoch - before, before
        return reason, finished

    def _record(self, state: State, means: Numbers, rates: Numbers) -> None:
        """Record epochs by their mean losses, the one reported and the one minimised."""
        count, finished = self.batches.count, means.shape[1]
        columns = {"loss": means[0]}
        if self.objective.report is not None:
            columns["objective"] = means[1]
        columns["learning_rate"] = rates[count - 1 :: count][:finished]
        state.history.extend(columns)
        state.epoch += finished

    def _native(self, state: State, rows: int) -> Native | None:
        """The step for a batch of this many rows, or None where it cannot be native."""
        known = self._steps.get(rows)
        if known is not None and known[0] is state.memory.structure:
            step = known[1]
        else:
            X, y = self.X[:rows], None if self.y is None else self.y[:rows]
            step = self._step_for(state, X, y, self._masks(state, rows, state.batch))
        if step.memory_structure != state.memory.structure:
            return None  # an own optimiser's state may take its form in the first step
        if step not in self._natives:
            self._natives[step] = self._made(step, rows)
        return self._natives[step]

    def _made(self, step: Step, rows: int) -> Native | None:
        graph = step.graph
        carried = step.parameter_count + step.memory_structure.leaf_count
        if graph.static or not _carries(graph, carried):
            return None
        engine = cast(StepsEngine, self.settings.engine)
        steps = engine.steps(graph, carried, rows, self.batches.whole and not self.drops)
        return None if steps is None else Native(step, steps)


def _carries(graph: Graph, carried: int) -> bool:
    """Whether a step gives what it was given in the same shapes and dtypes."""
    pairs = zip(graph.arguments[:carried], graph.outputs[:carried], strict=True)
    return all((old.shape, old.dtype) == (new.shape, new.dtype) for old, new in pairs)


def _totals(losses: Numbers, before: Numbers) -> Numbers:
    """The sums (2, epochs) of losses (2, epochs, steps), added in the order of the steps."""
    _, epochs, steps = losses.shape
    if steps > epochs:
        first = np.broadcast_to(before[:, None, None], (2, epochs, 1))
        return np.add.accumulate(np.concatenate([first, losses], axis=2), axis=2)[:, :, -1]
    totals = np.repeat(before[:, None], epochs, axis=1)
    for step in range(steps):
        totals += losses[:, :, step]
    return totals
