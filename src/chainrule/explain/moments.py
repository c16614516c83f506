"""One step of a training run: the numbers that it begins with, found by training again up to it.

Training is a function of its recipe, so the state before any step is the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError, SettingError
from chainrule.networks import Network
from chainrule.networks.losses import Loss
from chainrule.pytrees import flatten
from chainrule.training.batches import Batches
from chainrule.training.models import Model
from chainrule.training.optimizers import Optimizer, gradient_descent
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.preparing import Prepared, prepare, recipe_of_model
from chainrule.training.recipes import Recipe, optimizer_name
from chainrule.training.samples import Samples
from chainrule.training.schedules import Schedule
from chainrule.training.schedules import schedule as choose_schedule
from chainrule.training.state import Epoch, Run, State
from chainrule.training.steps import Objective, Stepper
from chainrule.training.training import default_rate, reported_loss

__all__ = [
    "Moment",
    "Training",
    "last_epoch",
    "moment_of",
    "moments_of",
    "training_of",
    "training_of_model",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Training:
    """All that a run is determined by, and the parts of it that a step is made of.

    ``recorded`` are the losses that a saved run wrote down, epoch by epoch, if there are any;
    ``kept`` is the epoch whose parameters it kept, where that is not the last.
    """

    prepared: Prepared
    samples: Samples
    objective: Objective
    optimizer: Optimizer | None
    schedule: Schedule
    batches: Batches
    recorded: Array | None = None
    kept: int | None = None

    @property
    def recipe(self) -> Recipe:
        """The complete recipe."""
        return self.prepared.recipe

    @property
    def network(self) -> Network:
        """The network that is trained."""
        return self.prepared.network

    @property
    def epochs(self) -> int:
        """How many epochs the run has at most."""
        return len(self.recorded) if self.recorded is not None else self.recipe.epochs or 0


@dataclass(frozen=True)
class Moment:
    """The state before one step, and what the step is of.

    ``rows`` are the numbers of the batch's rows among the training rows; ``masks`` are dropout's.
    """

    network: Network
    parameters: dict[str, Array]
    X: Array
    y: Array
    report: Loss | None = None
    masks: dict[str, Array] | None = None
    optimizer: Optimizer | None = None
    memory: Any = None
    rate: float = 0.1
    clip_norm: float | None = None
    clip_value: float | None = None
    epoch: int | None = None
    batch: int = 0
    rows: Array | None = None
    training: Training | None = None
    notes: tuple[str, ...] = ()


def training_of(recipe: Recipe) -> Training:
    """The run that a recipe describes.

    Raises what `chainrule.training.preparing.prepare` raises.
    """
    return _training(prepare(replace(recipe, max_time=None)))


def training_of_model(folder: str | Path) -> Training:
    """The run that a saved model came from.

    Raises ModelFileError where the model or the data that it was trained on cannot be had.
    """
    model = Model.load(folder)
    record: dict[str, Any] = dict(model.record)
    recipe = recipe_of_model(model, folder, "no step of its training can be explained")
    prepared = prepare(recipe)
    if prepared.digest != record["digest"]:
        raise ModelFileError(
            f"The data {record['data']} has changed since the model in {folder} was trained on it, "
            "so its training cannot be done again. Restore the data."
        )
    recorded = np.asarray(model.history["loss"]) if len(model.history) else None
    best = record["best_epoch"]
    kept = None if best is None or best == record["epochs"] - 1 else int(best)
    return replace(_training(prepared, recorded), kept=kept)


def _training(prepared: Prepared, recorded: Array | None = None) -> Training:
    recipe, network = prepared.recipe, prepared.network
    samples = Samples.of(network, prepared.X, prepared.y, np.dtype(recipe.dtype))
    name = optimizer_name(recipe.optimizer or "adam")
    method = None if name == "lbfgs" else choose_optimizer(recipe.optimizer)
    rate = default_rate(name) if recipe.learning_rate is None else recipe.learning_rate
    total = max(recipe.epochs or 0, 1)
    return Training(
        prepared,
        samples,
        Objective(network, reported_loss(network, recipe.report)),
        method,
        choose_schedule(recipe.schedule, base=rate, total=total, samples=len(samples.X)),
        Batches(len(samples.X), recipe.batch_size, shuffle=recipe.shuffle, seed=recipe.seed or 0),
        recorded,
    )


def moment_of(training: Training, epoch: int | None = None, batch: int = 0) -> Moment:
    """The state before a step of a run; by default, before the first step of its last epoch.

    Epoch numbers count from 0, as in what ``chainrule train`` prints. The number of all epochs is
    allowed too: the trained network, and the step that would come next.

    Raises SettingError for an epoch or batch that the run does not have.
    """
    if epoch is None:
        epoch = max(training.epochs - 1, 0)
    if not 0 <= epoch <= training.epochs:
        raise SettingError(
            f"epoch={epoch} is not in this run, whose epochs are 0 to {training.epochs - 1}; "
            f"{training.epochs} is the trained network."
        )
    count = training.batches.count
    if not 0 <= batch < count:
        last = f"0 to {count - 1}" if count > 1 else "only 0, as all rows are in one batch"
        raise SettingError(f"batch={batch} is not in an epoch of this run; there is {last}.")
    run = _run_until(training, epoch)
    if run.epochs < epoch:
        raise SettingError(
            f"epoch={epoch} is not in this run, which ended after {run.epochs} epochs. "
            f"Ask for an epoch from 0 to {run.epochs}."
        )
    return _before(training, run, batch)


def moments_of(
    training: Training, epochs: Iterable[int], batch: int = 0
) -> Iterator[tuple[Moment, Run]]:
    """The state before a step of several epochs, in rising order, each with the run up to there.

    It ends where the run did.
    """
    run: Run | None = None
    for epoch in epochs:
        # A run of no epochs has a schedule of its own, so nothing goes on from it.
        run = _run_until(training, epoch, run if run is not None and run.epochs else None)
        if run.epochs < epoch:
            return
        yield _before(training, run, batch), run


def _before(training: Training, run: Run, batch: int) -> Moment:
    """The state before a batch's step in the epoch that comes next in a run."""
    epoch = run.epochs
    step = _Steps(training, run.state, epoch)
    for number in range(batch):
        step.go_on(number)
    return step.moment(batch, _notes(training, run, epoch))


def last_epoch(training: Training) -> int:
    """How many epochs the run has, which is less than asked for where something stopped it."""
    recipe = training.recipe
    if training.recorded is None and (recipe.patience, recipe.stop_loss) != (None, None):
        return training.prepared.train().run.epochs
    return training.epochs


def _run_until(training: Training, epoch: int, before: Run | None = None) -> Run:
    """The run as it is after a number of epochs, from its beginning or from an earlier one."""
    prepared = training.prepared
    if epoch == 0:
        # The schedule is another with no epochs, but its state begins alike.
        return replace(prepared, recipe=replace(prepared.recipe, epochs=0)).train().run

    def stop(event: Epoch) -> bool:
        return event.number >= epoch - 1

    stop_there: Callable[..., Any] = stop
    stop_there.every = max(epoch - 1, 1)  # pyright: ignore[reportFunctionMemberAccess]
    return prepared.train(callbacks=(stop_there,), resume=before).run


def _notes(training: Training, run: Run, epoch: int) -> tuple[str, ...]:
    """What there is to say of training again."""
    kept = training.kept
    if kept is None:
        return _compared(training, run, epoch)
    of_kept = f"The model kept is the one after epoch {kept:,}, the best on the rows held out."
    return (*_compared(training, run, epoch), of_kept)


def _compared(training: Training, run: Run, epoch: int) -> tuple[str, ...]:
    """Whether training again gave the losses that were written down the first time."""
    if training.recorded is None or not epoch:
        return ()
    again, recorded = np.asarray(run.history["loss"])[:epoch], training.recorded[:epoch]
    if np.array_equal(again, recorded, equal_nan=True):
        return ("Trained again up to this epoch; every loss is the one recorded, to the last bit.",)
    worst = float(np.nanmax(np.abs(again - recorded) / np.maximum(np.abs(recorded), 1e-300)))
    note = (
        "Trained again up to this epoch; the losses differ from those recorded by up to "
        f"{worst:.1e} of their size, as another machine or version rounds otherwise."
    )
    return (note,)


class _Steps:
    """The steps of one epoch, done with NumPy."""

    def __init__(self, training: Training, state: State, epoch: int) -> None:
        self.training, self.epoch, self.schedule = training, epoch, state.schedule
        self.parameters: Any = state.weights.copied
        self.memory: Any = state.memory.tree
        self.updates = state.updates
        recipe = training.recipe
        optimizer = training.optimizer or gradient_descent()
        self.stepper = Stepper(
            training.objective,
            optimizer,
            clip_norm=recipe.clip_norm,
            clip_value=recipe.clip_value,
        )

    def moment(self, batch: int, notes: tuple[str, ...] = ()) -> Moment:
        """The state before a batch's step."""
        training, recipe = self.training, self.training.recipe
        rows = training.batches.rows(training.batches.order(self.epoch), batch)
        y = training.samples.y
        assert y is not None
        network = training.network
        masks = None
        if any(rate > 0 for rate in network.rates):
            rng = training.batches.mask_generator(self.epoch, batch)
            masks = network.dropout_masks(rng, len(rows), training.samples.X.dtype)
        return Moment(
            network=network,
            parameters=self.parameters,
            X=training.samples.X[rows],
            y=y[rows],
            report=training.objective.report,
            masks=masks,
            optimizer=training.optimizer,
            memory=self.memory,
            rate=training.schedule(self.updates, self.epoch, self.schedule),
            clip_norm=recipe.clip_norm,
            clip_value=recipe.clip_value,
            epoch=self.epoch,
            batch=batch,
            rows=rows,
            training=training,
            notes=notes,
        )

    def go_on(self, batch: int) -> None:
        """Do a batch's step."""
        now = self.moment(batch)
        step = self.stepper.step(self.parameters, self.memory, now.X, now.y, now.masks, now.rate)
        leaves = [self.parameters[name] for name in self.parameters]
        memory, _ = flatten(self.memory)
        *values, _, _ = step.run(*step.inputs(leaves, memory, now.X, now.y, now.masks, now.rate))
        count = step.parameter_count
        self.parameters = dict(zip(self.parameters, values[:count], strict=True))
        self.memory = step.memory_structure.unflatten(values[count:])
        self.updates += 1
