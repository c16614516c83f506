"""`train`: a network, or a NumPy function of parameters, fitted to data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.errors import SettingError
from chainrule.networks import Network
from chainrule.networks.choices import NATURAL, NONNEGATIVE, check_setting, parse_choice, unknown
from chainrule.networks.inputs import check_parameters
from chainrule.networks.losses import Loss
from chainrule.networks.losses import loss as choose_loss
from chainrule.pytrees import flatten
from chainrule.training.checkpoints import Checkpoint, check_place, write_checkpoint
from chainrule.training.engines import choose_engine
from chainrule.training.evaluation import Evaluation
from chainrule.training.lbfgs import LBFGS, lbfgs_loop
from chainrule.training.loop import Loop
from chainrule.training.native import NativeLoop
from chainrule.training.optimizers import OPTIMIZERS, Optimizer, gradient_descent
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.resuming import facts_of, resumed
from chainrule.training.samples import Samples, check_reported, chosen_dtype
from chainrule.training.schedules import Schedule
from chainrule.training.schedules import schedule as choose_schedule
from chainrule.training.settings import Settings
from chainrule.training.state import Run, State, Tree
from chainrule.training.steps import Engine, Objective, StepsEngine

__all__ = ["default_rate", "reported_loss", "train"]

Array = NDArray[Any]
Model = Network | Callable[..., Any]


def train(
    model: Model,
    X: Any,
    y: Any = None,
    *,
    parameters: Tree = None,
    optimizer: Any = "adam",
    learning_rate: float | None = None,
    schedule: Any = "constant",
    epochs: int = 1000,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    validation: float | tuple[Any, Any] | None = None,
    patience: int | None = None,
    tolerance: float = 1e-4,
    restore_best: bool = True,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    stop_loss: float | None = None,
    max_time: float | None = None,
    callbacks: Sequence[Callable[..., Any]] | Callable[..., Any] = (),
    report: Any = None,
    task: str | None = None,
    dtype: DTypeLike | None = None,
    engine: str | Engine = "native",
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 10.0,
    resume: Run | State | str | Path | None = None,
    note: Any = None,
) -> Run:
    """Learn parameters by backpropagation, and what happened on the way.

    model          a `Network`, or a NumPy function ``(parameters, X, y) -> loss`` (without ``y``
                   where none is given)
    X, y           inputs (n, features) and targets; ``y`` of shape (n, outputs), or (n,) for a
                   network with one output, or (n,) class numbers for categorical cross-entropy
    parameters     where to start; a network draws its own from ``seed``
    optimizer      a name such as ``"adam"`` or ``"momentum(momentum=0.8)"``, ``"lbfgs"``, an
                   `Optimizer`, or a function ``(parameters, gradients, state, learning_rate) ->
                   (parameters, state)``
    learning_rate  the step size; 0.001 for the Adam family and RMSProp, 0.0001 for Lion, 0.01 for
                   Adagrad, and 0.1 otherwise, unless given (L-BFGS finds its own)
    schedule       how the rate changes: a name such as ``"cosine"``, or ``(step, epoch) -> rate``
    epochs         how often to go through the data
    batch_size     samples in a step; None is all of them, which L-BFGS takes always
    shuffle, seed  whether batches are drawn afresh in each epoch, and what all draws start from
    validation     a fraction to hold out, or ``(X, y)``; its loss chooses the best parameters
    patience       stop after more than this many epochs without an improvement of ``tolerance``
                   in the validation loss (or, without validation, in the training loss)
    restore_best   return the parameters of the epoch with the best validation loss
    clip_norm      scale gradients down to this Euclidean norm over all of them
    clip_value     keep each gradient entry within this distance of 0
    stop_loss      stop when the reported loss is this or less
    max_time       stop after this many seconds; a resumed run has as many again
    callbacks      functions called with an `Epoch` after each epoch; a true result stops the run.
                   One with an attribute ``every`` is called after each ``every``-th, counted from
                   0, and perhaps more often; one with a method ``begin`` is told of the start
    report         a loss to report in place of the one minimised, by name
    task           ``"classification"`` or ``"regression"``, to record accuracy or R² on validation
    dtype          float64 or float32, for data and parameters; by default what the parameters
                   are, or else X
    engine         ``"native"`` compiles training to native code, ``"interpreter"`` runs it with
                   NumPy; or a function that makes a graph ready to run
    checkpoint     a file to keep the run's state in, written whole every ``checkpoint_every``
                   seconds and at the end
    resume         go on from a `Run`, its state, or a checkpoint file, with the same bits as if
                   the run had never stopped
    note           plain data to keep in the checkpoint beside the state

    Ctrl-C finishes the step and returns what was learned, with ``stopped="interrupted"``.

    >>> import numpy as np
    >>> from chainrule import Network, train
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> run = train(Network([1, 1]), X, y, optimizer="gradient_descent", epochs=500, seed=1)
    >>> run.stopped, run.parameters["W1"].round(3), run.parameters["b1"].round(3)
    ('epochs', array([[2.]]), array([[1.]]))

    Raises SettingError for a setting out of range, DataError for data that does not fit,
    DivergedError, naming the epoch, the layer and the value, where a loss is no longer finite,
    TrainingError for a checkpoint of another run, and ModelFileError for one that cannot be read or
    written.
    """
    task = _task(model, task)
    _check_call(model, y is not None)
    check_setting("seed", seed, NATURAL)
    given = None if parameters is None else _floating(parameters, dtype)
    kind = chosen_dtype(X, dtype, given)
    samples = Samples.of(model, X, y, kind, validation, seed, task)
    start = given
    if isinstance(model, Network):
        start = model.initialize(seed, kind) if given is None else _fitting(model, given)
    method = LBFGS.chosen(optimizer)
    update = gradient_descent() if method else _optimizer(optimizer)
    settings = Settings(
        optimizer=update,
        schedule=_schedule(schedule, learning_rate, update.name, epochs, len(samples.X)),
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        patience=patience,
        tolerance=tolerance,
        restore_best=restore_best,
        clip_norm=clip_norm,
        clip_value=clip_value,
        stop_loss=stop_loss,
        max_time=max_time,
        callbacks=_callbacks(callbacks),
        engine=choose_engine(engine),
        checkpoint_every=checkpoint_every,
    )
    objective = Objective(model, reported_loss(model, report, samples))
    data = (samples.X, samples.y, Evaluation(objective, settings.engine, task), samples.validation)
    if method:
        loop: Loop = lbfgs_loop(method, objective, settings, *data)
    else:
        kind = NativeLoop if isinstance(settings.engine, StepsEngine) else Loop
        loop = kind(objective, settings, *data)
    facts = facts_of(model, loop, samples, task, method.text if method else update.text)
    if resume is None:
        state = loop.start(_needed(start))
    else:
        memory = None if start is None else loop.start(start).memory.tree
        state = resumed(resume, facts, start, memory, own=update.own)
    if checkpoint is not None:
        path = Path(checkpoint)
        check_place(path, Checkpoint(state, facts, note))
        loop.save = lambda state: write_checkpoint(path, Checkpoint(state, facts, note))
    return replace(loop.run(state), facts=facts, note=note)


_RATES = {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "lion": 0.0001, "adagrad": 0.01}


def _optimizer(chosen: Any) -> Optimizer:
    if isinstance(chosen, str):
        name, _ = parse_choice("optimizer", chosen)
        if name not in OPTIMIZERS:
            raise unknown("optimizer", name, (*OPTIMIZERS, "lbfgs"))
    return choose_optimizer(chosen)


def default_rate(optimizer: str) -> float:
    """The learning rate that goes with an optimiser's name.

    >>> default_rate("adam"), default_rate("momentum")
    (0.001, 0.1)
    """
    return _RATES.get(optimizer, 0.1)


def _schedule(
    chosen: Any, learning_rate: float | None, optimizer: str, epochs: int, samples: int
) -> Schedule:
    """The learning rates, from a schedule's name and the rate to start from."""
    rate = default_rate(optimizer) if learning_rate is None else learning_rate
    check_setting("learning_rate", rate, NONNEGATIVE)
    check_setting("epochs", epochs, NATURAL)
    made = choose_schedule(chosen, base=rate, total=max(epochs, 1), samples=samples)
    if learning_rate is not None and (made.own or isinstance(chosen, Schedule)):
        raise SettingError(
            f"learning_rate={learning_rate!r} is given beside a schedule of your own, "
            f"{made.name}, which sets the rate by itself. Leave one of the two out."
        )
    return made


def _callbacks(callbacks: Any) -> tuple[Callable[..., Any], ...]:
    if callable(callbacks):
        return (callbacks,)
    if not isinstance(callbacks, Iterable):
        raise SettingError(f"callbacks={callbacks!r} cannot be called: give functions of an Epoch.")
    return tuple(cast("Iterable[Callable[..., Any]]", callbacks))


def _task(model: Model, task: str | None) -> str | None:
    if task not in (None, "classification", "regression"):
        raise SettingError(f"task={task!r} must be 'classification', 'regression' or None.")
    if not isinstance(model, Network):
        if not callable(cast(Any, model)):
            raise SettingError(
                f"The model is a {type(cast(Any, model)).__name__}: give a Network, or a NumPy "
                "function (parameters, X, y) -> loss."
            )
        if task is not None:
            raise SettingError(
                f"task={task!r} asks for a score of a Network's outputs, and a function of your "
                "own gives its loss alone. Leave task= out."
            )
    return task


def _check_call(model: Model, targets: bool) -> None:
    """Refuse a loss function that cannot be called with what it will be given."""
    if isinstance(model, Network):
        return
    given = ("parameters", "X", "y") if targets else ("parameters", "X")
    try:
        signature = inspect.signature(model)
    except (ValueError, TypeError):
        return
    try:
        signature.bind(*given)
    except TypeError:
        name = getattr(model, "__name__", type(model).__name__)
        raise SettingError(
            f"The loss function {name}{signature} is called with ({', '.join(given)}), "
            f"{'as y is given' if targets else 'as no y is given'}, which it does not take."
        ) from None


def reported_loss(model: Model, report: Any, samples: Samples | None = None) -> Loss | None:
    """The loss that ``report`` names, where it is another than the one minimised."""
    if report is None:
        return None
    if not isinstance(model, Network):
        raise SettingError(
            "report= names another loss of a Network's outputs; an own loss function reports "
            "itself."
        )
    chosen = choose_loss(report, "report")
    if chosen.text == model.criterion.text:
        return None
    if samples is not None:
        check_reported(model, chosen, samples)
    return chosen


def _needed(start: Tree) -> Tree:
    if start is None:
        raise SettingError(
            "parameters= is needed with a loss function of your own: the parameters to start from, "
            "such as {'W': …, 'b': …}."
        )
    return start


def _floating(parameters: Tree, dtype: DTypeLike | None) -> Tree:
    """Parameters that are floating-point arrays of their own."""
    leaves, structure = flatten(parameters)
    arrays: list[Array] = []
    for leaf, path in zip(leaves, structure.paths("parameters"), strict=True):
        array = np.array(leaf)
        if array.dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
            advice = "Convert it with .astype(float)."
            if isinstance(leaf, int | float):
                advice = f"Write {leaf}.0."
            raise SettingError(
                f"{path} has dtype {array.dtype}; training changes numbers of dtype float64 or "
                f"float32. {advice}"
            )
        if not np.isfinite(array).all():
            raise SettingError(f"{path} is not finite to begin with. Start from other parameters.")
        arrays.append(array if dtype is None else array.astype(chosen_dtype(None, dtype, None)))
    if not arrays:
        raise SettingError("parameters holds no arrays, so there is nothing to train.")
    return structure.unflatten(arrays)


def _fitting(model: Network, parameters: Tree) -> Tree:
    """A network's parameters, refused unless they are this network's."""
    if not isinstance(parameters, dict):
        raise SettingError(
            f"parameters is a {type(parameters).__name__}; a Network takes a dict of "
            f"{', '.join(model.parameter_shapes)}, as its initialize(seed) makes it."
        )
    check_parameters(cast("dict[str, Any]", parameters), model.parameter_shapes)
    return cast(Any, parameters)
