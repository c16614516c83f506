"""Some networks of a population trained together: in lanes of native code, or one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DivergedError
from chainrule.graph import Graph
from chainrule.interpreter import compile_graph
from chainrule.kernels.population import (
    DIVERGED,
    EPOCHS,
    LOSS,
    RUNNING,
    LaneSteps,
    Lot,
    reason_not_in_lanes,
)
from chainrule.pytrees import Structure, flatten
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace
from chainrule.training.batches import Batches, take
from chainrule.training.evaluation import Evaluation
from chainrule.training.loop import Loop
from chainrule.training.members import Start
from chainrule.training.schedules import schedule
from chainrule.training.settings import Settings
from chainrule.training.state import Epoch
from chainrule.training.steps import Objective, Step, Stepper, Tree

__all__ = ["InLanes", "OneByOne", "Trained", "Trainer"]

Array = NDArray[Any]
Asked = Callable[[], bool]
_SECONDS_IN_A_CALL = 0.03
_MOST_ROWS = 4_000_000
_MOST_ORDERS = 1000
_KEPT_ROWS = 8_000_000


@dataclass(frozen=True)
class Trained:
    """What became of some networks: arrays with an entry for each."""

    leaves: list[Array]
    objective: NDArray[np.float64]
    loss: NDArray[np.float64]
    epochs: NDArray[np.int64]
    outcome: NDArray[np.int64]
    history: NDArray[np.float64]


class Trainer(Protocol):
    """Trains networks, until they are done or ``asked()`` is true."""

    def __call__(self, start: Start, asked: Asked) -> Trained:
        """Train them."""
        ...


@dataclass(frozen=True)
class Work:
    """What is to be done to each network: ``every`` is how many epochs lie between losses kept."""

    objective: Objective
    settings: Settings
    X: Array
    y: Array | None
    own_targets: bool
    prototype: Tree
    every: int | None

    @property
    def batches(self) -> Batches:
        """The order in which the networks see the samples."""
        chosen = self.settings
        return Batches(len(self.X), chosen.batch_size, shuffle=chosen.shuffle, seed=chosen.seed)

    @property
    def records(self) -> int:
        """How many losses are kept of each network."""
        return 0 if self.every is None else -(-self.settings.epochs // self.every)


class InLanes:
    """Trains networks side by side in the lanes of vectors."""

    def __init__(self, work: Work, plan: LaneGraphs, lanes: int) -> None:
        self.work, self.plan, self.lanes = work, plan, lanes
        self.batches = work.batches
        own = (1,) if work.own_targets else ()
        n, whole = self.batches.n, self.batches.whole
        count = plan.parameters + len(plan.state)
        self._steps = LaneSteps(plan.step, count, n, whole, lanes, rest=plan.rest, own=own)
        self._measure = LaneSteps(
            plan.measure, plan.parameters, n, True, lanes, own=own, weighted=False
        )
        self._pace = 1.0
        # Drawing an order takes longer than an epoch of a small network, so they are kept.
        shape = (0 if whole else work.settings.epochs, n)
        self._kept = np.empty(shape, np.int64) if shape[0] * n <= _KEPT_ROWS else None
        self._known = 0
        self._lock = threading.Lock()

    def __call__(self, start: Start, asked: Asked) -> Trained:
        """Train them."""
        work = self.work
        own = {} if start.targets is None else {1: start.targets}
        state = self.plan.initial_state(start)
        carried = [*start.leaves, *state]
        lot = Lot(carried, start.rates, own, work.records)
        if work.settings.epochs == 0:
            lot.outcome[:] = EPOCHS
        elif self.batches.whole:
            self._each_at_its_own_epoch(lot, asked)
        else:
            self._all_at_one_epoch(lot, asked)
        measured = Lot(start.leaves, start.rates, own)
        everyone = np.arange(len(start.rates))
        self._measure(measured, self._data(), everyone, count=len(everyone), epochs=1)
        losses = measured.objective, measured.reported
        return _ended(Trained(start.leaves, *losses, lot.done, lot.outcome, lot.history))

    def _data(self) -> list[Array]:
        return [self.work.X] if self.work.y is None else [self.work.X, self.work.y]

    def _each_at_its_own_epoch(self, lot: Lot, asked: Asked) -> None:
        """All samples in every step: a lane takes the next network when one is done."""
        queue = np.arange(len(lot.rates))
        while len(queue) and not asked():
            self._call(lot, queue, int(self._pace), None)
            queue = np.flatnonzero(lot.outcome == RUNNING)
            queue = queue[np.argsort(lot.done[queue] == 0, kind="stable")]

    def _all_at_one_epoch(self, lot: Lot, asked: Asked) -> None:
        """In mini-batches: those in the lanes together are always at the same epoch."""
        epoch = 0
        running = np.arange(len(lot.rates))
        while len(running) and not asked():
            left = self.work.settings.epochs - epoch
            count = max(1, min(int(self._pace), left, _MOST_ROWS // self.batches.n, _MOST_ORDERS))
            order = self._orders(epoch, count)
            for first in range(0, len(running), self.lanes):
                if asked():
                    break
                self._call(lot, running[first : first + self.lanes], count, order)
            epoch += count
            running = np.flatnonzero(lot.outcome == RUNNING)

    def _orders(self, epoch: int, count: int) -> NDArray[np.int64]:
        """The rows of some epochs, one epoch after the other."""
        with self._lock:
            while self._kept is not None and self._known < epoch + count:
                self._kept[self._known] = self.batches.order(self._known)
                self._known += 1
        if self._kept is not None:
            return self._kept[epoch : epoch + count].reshape(-1)
        return np.concatenate([self.batches.order(epoch + i) for i in range(count)])

    def _call(self, lot: Lot, queue: Array, count: int, order: Array | None) -> None:
        settings = self.work.settings
        began = time.perf_counter()
        passed = self._steps(
            lot,
            self._data(),
            queue,
            count=count,
            epochs=settings.epochs,
            order=order,
            stop_loss=settings.stop_loss,
            every=self.work.every or 0,
        )
        spent = max(time.perf_counter() - began, 1e-9)
        self._pace = min(max(passed * _SECONDS_IN_A_CALL / spent, 1.0), 4 * self._pace)


@dataclass(frozen=True)
class LaneGraphs:
    """The graphs that are compiled for lanes, and the optimiser's first state."""

    step: Graph
    rest: Graph | None
    measure: Graph
    parameters: int
    state: list[Array]
    structure: Structure
    initialize: Callable[[Tree], Tree] | None

    @classmethod
    def of(cls, work: Work) -> LaneGraphs | str:
        """The graphs of some work, or why it cannot be done in lanes."""
        settings = work.settings
        stepper = Stepper(
            work.objective,
            settings.optimizer,
            compile_graph,
            settings.clip_norm,
            settings.clip_value,
        )
        parameters, structure = flatten(work.prototype)
        memory = settings.optimizer.initialize(work.prototype)
        state, state_structure = flatten(memory)
        order = work.batches.order(0)
        size = work.batches.size
        steps: list[Step] = []
        for rows in (order[:size], order[: len(order) % size]):
            if len(rows):
                X, y = work.X[rows], take(rows, work.y)
                steps.append(stepper.step(work.prototype, memory, X, y, None))
        measure = _measure_graph(work)
        for graph in (*(step.graph for step in steps), measure):
            reason = reason_not_in_lanes(graph)
            if reason is not None:
                return reason
        if any(step.graph.static for step in steps):
            return "an optimiser whose state is not only arrays"
        if any(step.memory_structure != state_structure for step in steps):
            return "an optimiser whose state changes its form"
        return cls(
            step=steps[0].graph,
            rest=steps[1].graph if len(steps) > 1 else None,
            measure=measure,
            parameters=len(parameters),
            state=[np.asarray(leaf) for leaf in state],
            structure=structure,
            initialize=settings.optimizer.initialize if settings.optimizer.own else None,
        )

    def initial_state(self, start: Start) -> list[Array]:
        """The optimiser's state for every network, stacked."""
        n = len(start.rates)
        # Those of the library start from zeros; one of the user's own may look at the parameters.
        if self.initialize is None:
            return [np.repeat(leaf[None], n, axis=0) for leaf in self.state]
        stacked = [np.empty((n, *leaf.shape), leaf.dtype) for leaf in self.state]
        for i in range(n):
            tree = self.structure.unflatten([leaf[i] for leaf in start.leaves])
            for target, leaf in zip(stacked, flatten(self.initialize(tree))[0], strict=True):
                target[i] = leaf
        return stacked


def _measure_graph(work: Work) -> Graph:
    """The losses of parameters, as a step that leaves them as they are."""

    def measure(parameters: Tree, X: Any, y: Any, learning_rate: Any) -> tuple[Any, ...]:
        return parameters, *work.objective(parameters, X, y, None)

    return simplify_graph(trace(measure, work.prototype, work.X, work.y, 0.1))


def _ended(trained: Trained) -> Trained:
    """The last update, too, may have made a network diverge, which no later step could see."""
    bad = ~np.isfinite(trained.objective) | ~np.isfinite(trained.loss)
    for leaf in trained.leaves:
        bad |= ~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
    trained.outcome[bad] = DIVERGED
    return trained


class OneByOne:
    """Trains networks one after the other, for what cannot be done in lanes."""

    def __init__(self, work: Work, structure: Structure) -> None:
        self.work, self.structure = work, structure

    def __call__(self, start: Start, asked: Asked) -> Trained:
        """Train them."""
        n = len(start.rates)
        numbers = [np.full(n, np.nan), np.full(n, np.nan)]
        done, outcome = np.zeros(n, np.int64), np.zeros(n, np.int64)
        history = np.full((n, self.work.records), np.nan)
        for i in range(n):
            if asked():
                break
            loop = self._loop(start, i, asked)
            parameters = self.structure.unflatten([leaf[i].copy() for leaf in start.leaves])
            state = loop.start(parameters)
            try:
                stopped = loop.run(state).stopped
            except DivergedError:
                stopped = "diverged"
            outcome[i] = {"epochs": EPOCHS, "loss": LOSS, "diverged": DIVERGED}.get(stopped, 0)
            done[i] = state.epoch
            for leaf, value in zip(start.leaves, state.weights.leaves, strict=True):
                leaf[i] = value
            if self.work.every:
                losses = np.asarray(state.history["loss"])[:: self.work.every]
                history[i, : len(losses)] = losses
        self._measure(start, numbers)
        return _ended(Trained(start.leaves, numbers[0], numbers[1], done, outcome, history))

    def _loop(self, start: Start, i: int, asked: Asked) -> Loop:
        work, settings = self.work, self.work.settings
        rate = float(start.rates[i])
        constant = schedule("constant", base=rate, total=settings.epochs, samples=len(work.X))

        def stop(epoch: Epoch) -> bool:
            return asked()

        chosen = replace(settings, schedule=constant, callbacks=(stop,))
        y = work.y if start.targets is None else start.targets[i]
        evaluation = Evaluation(work.objective, settings.engine)
        return Loop(work.objective, chosen, work.X, y, evaluation)

    def _measure(self, start: Start, numbers: list[Array]) -> None:
        """The loss minimised and the loss reported of the parameters as they are now."""
        work = self.work
        objectives = (Objective(work.objective.model), work.objective)
        for objective, values in zip(objectives, numbers, strict=True):
            evaluation = Evaluation(objective, work.settings.engine)
            for i in range(len(values)):
                parameters = self.structure.unflatten([leaf[i] for leaf in start.leaves])
                y = work.y if start.targets is None else start.targets[i]
                values[i] = evaluation(parameters, work.X, y)["loss"]
