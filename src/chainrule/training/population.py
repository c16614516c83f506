"""`Population`: many networks of one architecture trained at once, one in each lane of the vectors.

Chunks of networks go to threads, and each thread trains as many at once as its vectors have lanes.
A network's result is the same to the last bit alone and in any population, with any number of
lanes and threads.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.errors import DataError, SettingError
from chainrule.kernels.population import NotInLanesWarning
from chainrule.networks import Network
from chainrule.networks.choices import COUNT, check_setting
from chainrule.pytrees import flatten
from chainrule.training.interruption import interruptible
from chainrule.training.members import Members, Ticket
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.samples import Samples, chosen_dtype
from chainrule.training.schedules import schedule
from chainrule.training.settings import Settings
from chainrule.training.steps import Objective
from chainrule.training.together import InLanes, LaneGraphs, OneByOne, Trained, Trainer, Work
from chainrule.training.training import (
    default_rate,
    reported_loss,
)

__all__ = ["Population", "PopulationRun"]

Array = NDArray[Any]
Tree = Any
Progress = Callable[[int, "int | None"], Any]
_OUTCOMES = np.array(["interrupted", "epochs", "loss", "diverged"])
_CHUNK_BYTES = 64_000_000
_MOST_IN_CHUNK = 4096
_SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class PopulationRun:
    """What became of the networks of a population, or of some consecutive ones.

    ``parameters``  a pytree like one network's, of stacked arrays ``(networks, *shape)``
    ``loss``        the loss reported of these parameters, on all samples
    ``objective``   the loss minimised, where that is another, with its penalties
    ``epochs``      epochs done
    ``outcome``     why each ended: ``"epochs"``, ``"loss"`` (`stop_loss` was reached),
                    ``"diverged"`` (its loss was not finite; the parameters are those that had this
                    loss) or ``"interrupted"``
    ``losses``      the loss of epochs 0, k, 2k, … with ``record_every=k``, as `chainrule.train`
                    keeps them; nan after a network's end; otherwise None
    ``first``       the number of the first network
    ``seconds``     the time that this took
    """

    parameters: Tree
    loss: NDArray[np.float64]
    objective: NDArray[np.float64]
    epochs: NDArray[np.int64]
    outcome: NDArray[np.str_]
    losses: NDArray[np.float64] | None
    first: int
    seconds: float

    def __len__(self) -> int:
        return len(self.loss)

    def network(self, i: int) -> Tree:
        """The parameters of the i-th of these networks."""
        leaves, structure = flatten(self.parameters)
        return structure.unflatten([leaf[i] for leaf in leaves])

    def __repr__(self) -> str:
        kinds, counts = np.unique(self.outcome, return_counts=True)
        ends = ", ".join(f"{count} {kind}" for kind, count in zip(kinds, counts, strict=True))
        return f"<{len(self)} networks: {ends or 'none'}>"


class Population:
    """Many networks of one architecture, to be trained on the same samples.

    model           a `Network`, or a NumPy function ``(parameters, X, y) -> loss``
    X, y            inputs and targets, as `chainrule.train` takes them
    parameters      where the networks start: a pytree of stacked arrays ``(networks, *shape)``, or
                    a list or an iterator with a pytree for each network
    seeds           or whole numbers, from which each is drawn as `Network.initialize` does it with
                    ``generator``: a list, a range, or any iterable
    initial_scale   a factor for the starting parameters: one for all, or one for each network
    learning_rate   one for all, or one for each network
    targets         targets of each network's own, ``(networks, *y.shape)``, in place of ``y``
    record_every    keep the loss of every k-th epoch
    lanes           networks trained side by side by one thread: 1, 2, 4, … (by default what fills
                    a vector of the processor)
    threads         how many threads; by default one for each core
    progress        called as ``progress(finished, all)`` now and then; ``all`` is None where the
                    number of networks is not known beforehand

    ``optimizer``, ``epochs``, ``batch_size``, ``shuffle``, ``seed``, ``clip_norm``, ``clip_value``,
    ``stop_loss``, ``report`` and ``dtype`` are those of `chainrule.train`. All networks see the
    samples in the order that ``seed`` gives; `train` with native code, a network's ``parameters``
    and the same settings gives the same result.

    >>> import numpy as np
    >>> from chainrule import Network
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> population = Population(
    ...     Network([1, 1]), X, y, seeds=range(100), optimizer="gradient_descent", epochs=500
    ... )
    >>> run = population.run()
    >>> run, run.parameters["W1"].shape, run.parameters["W1"].mean().round(3)
    (<100 networks: 100 epochs>, (100, 1, 1), np.float64(2.0))

    What cannot be compiled is trained with NumPy, one network after the other, and a warning says
    so. Raises SettingError and DataError as `chainrule.train` does.
    """

    def __init__(
        self,
        model: Network | Callable[..., Any],
        X: Any,
        y: Any = None,
        *,
        parameters: Any = None,
        seeds: Iterable[int] | None = None,
        generator: str = "default",
        initial_scale: Any = 1.0,
        learning_rate: Any = None,
        targets: Any = None,
        optimizer: Any = "adam",
        epochs: int = 1000,
        batch_size: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        stop_loss: float | None = None,
        report: Any = None,
        dtype: DTypeLike | None = None,
        record_every: int | None = None,
        lanes: int | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        if optimizer == "lbfgs":
            raise SettingError(
                "L-BFGS searches along a line of each network's own, which a population does not "
                "do. Use another optimizer, or train the networks one by one with train()."
            )
        kind = None if dtype is None else chosen_dtype(X, dtype, None)
        chosen = choose_optimizer(optimizer)
        rate = default_rate(chosen.name) if learning_rate is None else learning_rate
        if seeds is not None:
            kind = chosen_dtype(X, dtype, None)
        own = _own_targets(y, targets)
        self.members = Members(model, kind, parameters, seeds, generator, rate, initial_scale, own)
        kind = chosen_dtype(X, dtype, self.members.prototype)
        samples = Samples.of(model, X, y if own is None else own[0], kind)
        self.members.targets = _alike(own, samples.y)
        settings = Settings(
            optimizer=chosen,
            schedule=schedule("constant", base=0.0),  # every network has its own
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            clip_norm=clip_norm,
            clip_value=clip_value,
            stop_loss=stop_loss,
        )
        for name, value in (
            ("record_every", record_every),
            ("lanes", lanes),
            ("threads", threads),
        ):
            if value is not None:
                check_setting(name, value, COUNT)
        if lanes is not None and (lanes & (lanes - 1) or lanes > 64):
            raise SettingError(f"lanes={lanes} cannot be used: give 1, 2, 4, 8, 16, 32 or 64.")
        objective = Objective(model, reported_loss(model, report, samples))
        prototype = self.members.prototype
        self._work = Work(
            objective, settings, samples.X, samples.y, own is not None, prototype, record_every
        )
        self._threads = _available_cores() if threads is None else threads
        self._lanes = self._natural_lanes() if lanes is None else lanes
        self._progress = progress
        self._trainer: Trainer | None = None

    def run(self) -> PopulationRun:
        """Train all networks; Ctrl-C ends it with what has been learned."""
        began = time.monotonic()
        parts = list(self.chunks())
        return _joined(parts, self.members, self._work.records, time.monotonic() - began)

    def chunks(self, size: int | None = None) -> Generator[PopulationRun]:
        """Train all networks, and give the results some at a time, in order.

        ``size`` is how many there are in each; no more than a few chunks are in memory at once.
        After Ctrl-C, what was in training is given as it is.
        """
        with interruptible() as interruption:
            trainer = self._made_trainer()
            threads = self._threads if isinstance(trainer, InLanes) else 1
            tickets = self.members.tickets(size or self._chunk_size())
            work = trainer, self.members, self._progress
            crew = _Crew(*work, threads, lambda: interruption.asked)
            try:
                yield from crew.results(tickets)
            finally:
                crew.dismiss()

    def _natural_lanes(self) -> int:
        """What fills a vector of 64 bytes, or less where there are too few networks for that."""
        leaves, _ = flatten(self.members.prototype)
        most = 64 // max(leaf.dtype.itemsize for leaf in leaves)
        count = self.members.count
        lanes = 1
        while lanes < most and (count is None or lanes * self._threads < count):
            lanes *= 2
        return lanes

    def _chunk_size(self) -> int:
        """About four chunks for each thread, unless they get too large for the memory."""
        leaves, _ = flatten(self.members.prototype)
        each = 4 * sum(leaf.nbytes for leaf in leaves) + 8 * self._work.records
        if self._work.own_targets and self._work.y is not None:
            each += self._work.y.nbytes
        most = max(self._lanes, min(_MOST_IN_CHUNK, _CHUNK_BYTES // max(each, 1)))
        count = self.members.count
        if count is not None:
            most = min(most, max(1, -(-count // (4 * self._threads))))
        return -(-most // self._lanes) * self._lanes

    def _made_trainer(self) -> Trainer:
        if self._trainer is None:
            self._trainer = self._make_trainer()
        return self._trainer

    def _make_trainer(self) -> Trainer:
        work = self._work
        model = work.objective.model
        if isinstance(model, Network) and any(rate > 0 for rate in model.rates):
            plan: LaneGraphs | str = "dropout"
        else:
            plan = LaneGraphs.of(work)
        if isinstance(plan, LaneGraphs):
            return InLanes(work, plan, self._lanes)
        warnings.warn(
            f"The networks are trained one by one with NumPy and not as native code, because of "
            f"{plan}.",
            NotInLanesWarning,
            stacklevel=4,
        )
        return OneByOne(work, self.members.structure)


class _Crew:
    """Threads that train chunks, and whoever waits for them."""

    def __init__(
        self,
        trainer: Trainer,
        members: Members,
        progress: Progress | None,
        threads: int,
        asked: Callable[[], bool],
    ) -> None:
        self._members, self._progress = members, progress
        self._trainer, self._asked, self._threads = trainer, asked, threads
        self._dismissed = False
        self._finished = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="population")

    def results(self, tickets: Iterable[Ticket]) -> Generator[PopulationRun]:
        """The chunks' results, in the order of the tickets."""
        waiting: deque[Future[PopulationRun]] = deque()
        source = iter(tickets)
        while True:
            while len(waiting) < self._threads + 2 and not self._asked():
                ticket = next(source, None)
                if ticket is None:
                    break
                waiting.append(self._pool.submit(self._train, ticket))
            if not waiting:
                return
            while not waiting[0].done():
                wait([waiting[0]], timeout=_SECONDS_BETWEEN_LOOKS)
                self._tell()
            run = waiting.popleft().result()
            self._finished += len(run)
            self._tell()
            yield run

    def dismiss(self) -> None:
        """Stop the work and let the threads go."""
        self._dismissed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._finished, self._members.count)

    def _stop(self) -> bool:
        return self._dismissed or self._asked()

    def _train(self, ticket: Ticket) -> PopulationRun:
        began = time.monotonic()
        start = self._members.draw(ticket)
        trained = self._trainer(start, self._stop)
        return _as_run(trained, self._members, ticket.first, time.monotonic() - began)


def _as_run(trained: Trained, members: Members, first: int, seconds: float) -> PopulationRun:
    return PopulationRun(
        parameters=members.structure.unflatten(trained.leaves),
        loss=trained.loss,
        objective=trained.objective,
        epochs=trained.epochs,
        outcome=_OUTCOMES[trained.outcome],
        losses=trained.history if trained.history.shape[1] else None,
        first=first,
        seconds=seconds,
    )


def _joined(
    parts: list[PopulationRun], members: Members, records: int, seconds: float
) -> PopulationRun:
    """All results as one."""
    leaves = [flatten(part.parameters)[0] for part in parts]
    kinds = flatten(members.prototype)[0]
    stacked = [
        np.concatenate([np.empty((0, *kind.shape), kind.dtype), *(each[i] for each in leaves)])
        for i, kind in enumerate(kinds)
    ]

    def column(name: str, dtype: Any) -> Any:
        return np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)])

    losses = [part.losses for part in parts if part.losses is not None]
    return PopulationRun(
        parameters=members.structure.unflatten(stacked),
        loss=column("loss", np.float64),
        objective=column("objective", np.float64),
        epochs=column("epochs", np.int64),
        outcome=column("outcome", _OUTCOMES.dtype),
        losses=np.concatenate([np.empty((0, records)), *losses]) if records else None,
        first=0,
        seconds=seconds,
    )


def _own_targets(y: Any, targets: Any) -> Array | None:
    """The targets of each network's own."""
    if targets is None:
        return None
    if y is not None:
        raise SettingError(
            "y= has the targets of all networks, and targets= those of each: give one of the two."
        )
    own = np.asarray(targets)
    if own.ndim < 2 or not len(own):
        raise DataError(
            f"targets has shape {own.shape}: its first axis counts the networks, its second the "
            "samples."
        )
    if own.dtype.kind == "f" and not np.isfinite(own).all():
        raise DataError("targets holds values that are missing or infinite.")
    return own


def _alike(own: Array | None, first: Array | None) -> Array | None:
    """All networks' targets, in the form that those of the first have been given."""
    if own is None or first is None:
        return None
    return own.reshape(len(own), *first.shape).astype(first.dtype, copy=False)


def _available_cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
