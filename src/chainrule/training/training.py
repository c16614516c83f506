"""`train`: a network, or a NumPy function of parameters, fitted to data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.data import split
from chainrule.errors import SettingError, TrainingError
from chainrule.interpreter import compile_graph
from chainrule.networks import Network
from chainrule.networks.losses import Loss
from chainrule.networks.losses import loss as choose_loss
from chainrule.pytrees import flatten
from chainrule.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from chainrule.training.evaluation import Evaluation
from chainrule.training.lbfgs import LBFGS, LbfgsLoop
from chainrule.training.loop import Loop
from chainrule.training.optimizers import gradient_descent
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.schedules import schedule as choose_schedule
from chainrule.training.settings import Settings
from chainrule.training.state import Run, State, Tree
from chainrule.training.steps import Engine, Objective

__all__ = ["train"]

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
    engine: Engine = compile_graph,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 10.0,
    resume: Run | State | str | Path | None = None,
    note: Any = None,
) -> Run:
    """Learn parameters by backpropagation, and what happened on the way.

    model          a `Network`, or a NumPy function ``(parameters, X, y) -> loss`` (without ``y``
                   where none is given)
    X, y           inputs (n, features) and targets; ``y`` of shape (n, outputs), or (n,) class
                   numbers for categorical cross-entropy
    parameters     where to start; a network draws its own from ``seed``
    optimizer      a name such as ``"adam"`` or ``"momentum(momentum=0.8)"``, ``"lbfgs"``, an
                   `Optimizer`, or a function ``(parameters, gradients, state, learning_rate) ->
                   (parameters, state)``
    learning_rate  the step size; 0.001 for the Adam family and RMSProp, 0.0001 for Lion, 0.01 for
                   Adagrad, and 0.1 otherwise, unless given
    schedule       how the rate changes: a name such as ``"cosine"``, or ``(step, epoch) -> rate``
    epochs         how often to go through the data
    batch_size     samples in a step; None is all of them
    shuffle, seed  whether batches are drawn afresh in each epoch, and what all draws start from
    validation     a fraction to hold out, or ``(X, y)``; its loss chooses the best parameters
    patience       stop after more than this many epochs without an improvement of ``tolerance``
                   in the validation loss (or, without validation, in the training loss)
    restore_best   return the parameters of the epoch with the best validation loss
    clip_norm      scale gradients down to this Euclidean norm over all of them
    clip_value     keep each gradient entry within this distance of 0
    stop_loss      stop when the reported loss is this or less
    max_time       stop after this many seconds
    callbacks      functions called with an `Epoch` after each epoch; a true result stops the run
    report         a loss to report in place of the one minimised, by name
    task           ``"classification"`` or ``"regression"``, to record accuracy or R² on validation
    dtype          float64 or float32 for a network's parameters; X's own if that is float32
    engine         makes the step's graph ready to run; NumPy's interpreter unless given
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

    Raises SettingError for a setting out of range, TrainingError for data that does not fit, and
    DivergedError, naming the epoch, the layer and the value, where a loss is no longer finite.
    """
    X, y, held_out = _data(model, X, y, dtype, validation, seed, task)
    start = parameters
    if start is None:
        start = _initial(model, seed, X.dtype)
    start = _floating(start)
    chosen = LBFGS() if optimizer == "lbfgs" else optimizer
    lbfgs = isinstance(chosen, LBFGS)
    update = gradient_descent() if lbfgs else choose_optimizer(chosen)
    rate = _default_rate(update.name) if learning_rate is None else learning_rate
    settings = Settings(
        optimizer=update,
        schedule=choose_schedule(schedule, base=rate, total=epochs, samples=len(X)),
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
        callbacks=(callbacks,) if callable(callbacks) else tuple(callbacks),
        engine=engine,
        checkpoint_every=checkpoint_every,
    )
    objective = Objective(model, _report(model, report))
    evaluation = Evaluation(objective, engine, task)
    kind: Any = LbfgsLoop if lbfgs else Loop
    loop: Loop = kind(objective, settings, X, y, evaluation, held_out)
    facts = _facts(loop, model, chosen)
    if checkpoint is not None:
        path = Path(checkpoint)
        loop.save = lambda state: write_checkpoint(path, Checkpoint(state, facts, note))
    state = loop.start(start) if resume is None else _resumed(resume, facts, start)
    return replace(loop.run(state), facts=facts, note=note)


def _facts(loop: Loop, model: Model, optimizer: Any) -> dict[str, Any]:
    """What a checkpoint records of its run, to refuse to go on with another."""
    return {
        "model": repr(model) if isinstance(model, Network) else getattr(model, "__name__", "own"),
        "samples": len(loop.X),
        **loop.settings.fingerprint(),
        **({"optimizer": optimizer.text} if isinstance(optimizer, LBFGS) else {}),
    }


def _resumed(resume: Any, facts: dict[str, Any], start: Tree) -> State:
    if isinstance(resume, Run):
        return replace(resume.state)
    if isinstance(resume, State):
        return replace(resume)
    path = Path(resume)
    found = read_checkpoint(path)
    for name, value in facts.items():
        before = found.facts.get(name)
        if before != value:
            raise TrainingError(
                f"The checkpoint {path} is of a run with {name} = {before!r}, and this one has "
                f"{value!r}. Resume with the same settings, or start afresh without resume."
            )
    leaves, structure = flatten(found.state.parameters)
    wanted, expected = flatten(start)
    if structure != expected or any(
        np.shape(a) != np.shape(b) or a.dtype != b.dtype
        for a, b in zip(leaves, wanted, strict=True)
    ):
        raise TrainingError(f"The parameters in the checkpoint {path} are not those of this model.")
    return found.state


_RATES = {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "lion": 0.0001, "adagrad": 0.01}


def _default_rate(optimizer: str) -> float:
    return _RATES.get(optimizer, 0.1)


def _report(model: Model, report: Any) -> Loss | None:
    if report is None:
        return None
    if not isinstance(model, Network):
        raise SettingError(
            "report= names another loss of a Network's outputs; an own loss function reports "
            "itself."
        )
    chosen = choose_loss(report, "report")
    return None if chosen.text == model.criterion.text else chosen


def _initial(model: Model, seed: int, dtype: np.dtype[Any]) -> Tree:
    if not isinstance(model, Network):
        raise SettingError(
            "parameters= is needed with a loss function of your own: the parameters to start from, "
            "such as {'W': …, 'b': …}."
        )
    return model.initialize(seed, dtype)


def _floating(parameters: Tree) -> Tree:
    """Parameters that are floating-point arrays of their own."""
    leaves, structure = flatten(parameters)
    arrays: list[Array] = []
    for leaf, path in zip(leaves, structure.paths("parameters"), strict=True):
        array = np.array(leaf)
        if array.dtype.kind != "f":
            raise SettingError(
                f"{path} has dtype {array.dtype}; training changes floating-point numbers. Convert "
                "it with .astype(float)."
            )
        arrays.append(array)
    if not arrays:
        raise SettingError("parameters holds no arrays, so there is nothing to train.")
    return structure.unflatten(arrays)


def _data(
    model: Model,
    X: Any,
    y: Any,
    dtype: DTypeLike | None,
    validation: float | tuple[Any, Any] | None,
    seed: int,
    task: str | None,
) -> tuple[Array, Array | None, tuple[Array, Array | None] | None]:
    """The training data and the validation data, as arrays of the parameters' dtype."""
    X = np.asarray(X)
    kind = np.dtype(dtype) if dtype is not None else np.dtype("float64")
    if dtype is None and X.dtype == np.float32:
        kind = X.dtype
    X, y = _pair(model, X, y, kind, "")
    if validation is None:
        return X, y, None
    if isinstance(validation, tuple):
        return X, y, _pair(model, *validation, kind, "validation ")
    labels = _labels(y) if task == "classification" and y is not None else None
    kept, held = split(len(X), validation, seed, labels)
    taken = (X[held], None if y is None else y[held])
    return X[kept], None if y is None else y[kept], taken


def _labels(y: Array) -> Array:
    return np.argmax(y, axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.reshape(y, -1)


def _pair(
    model: Model, X: Any, y: Any, dtype: np.dtype[Any], which: str
) -> tuple[Array, Array | None]:
    X = _numbers(X, f"the {which}X")
    if X.dtype.kind == "f" or isinstance(model, Network):
        X = np.ascontiguousarray(X, dtype=dtype)
    if X.ndim == 0 or not len(X):
        raise TrainingError(f"The {which}X has shape {X.shape}: it holds no samples.")
    if y is None:
        if isinstance(model, Network):
            raise TrainingError(f"A network needs targets: give {which}y.")
        return X, None
    y = _numbers(y, f"the {which}y")
    if y.dtype.kind in "fb" or (isinstance(model, Network) and not _takes_classes(model, y)):
        y = y.astype(dtype)
    if y.ndim == 0 or len(y) != len(X):
        raise TrainingError(
            f"The {which}X has {len(X)} samples (shape {X.shape}), and the {which}y has shape "
            f"{y.shape}: they must have as many rows."
        )
    return X, y


def _takes_classes(model: Network, y: Array) -> bool:
    return model.criterion.targets == "classes" and y.ndim == 1


def _numbers(values: Any, what: str) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TrainingError(
            f"{what[0].upper()}{what[1:]} has dtype {array.dtype}: training takes numbers. Encode "
            "texts and categories first, for example with chainrule.data.Preparation."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        count = int((~np.isfinite(array)).sum())
        raise TrainingError(
            f"{what[0].upper()}{what[1:]} holds {count} value{'s' if count > 1 else ''} that "
            f"{'are' if count > 1 else 'is'} missing or infinite, the first in row {row}. "
            "Remove or replace them."
        )
    return array
