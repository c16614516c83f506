"""From a data set's name or a table to a trained model: every choice, and its default.

A `Recipe` holds what the user chose; what was left open is chosen by the data. The truth tables
``xor``, ``and`` and ``or`` with nothing chosen are the run that this project grew from: two sigmoid
hidden units, weights as ``numpy.random.seed(42)`` draws them, 10,000 epochs of gradient descent
at rate 0.1 on the sum of squared errors, with the mean reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data import BUILTIN_NAMES, Preparation, Table, builtin, read_table, split
from chainrule.networks import Network
from chainrule.networks.losses import loss as choose_loss
from chainrule.training.evaluation import score_of
from chainrule.training.models import Model
from chainrule.training.state import Run
from chainrule.training.training import train

__all__ = ["TRUTH_TABLES", "Prepared", "Recipe", "Trained", "prepare"]

Array = NDArray[Any]
TRUTH_TABLES = ("xor", "and", "or", "parity")
_NOTEBOOK = ("xor", "and", "or")
_FEW_ROWS = 50


@dataclass(frozen=True)
class Recipe:
    """What to train on and how; None leaves the choice to the data (see `Recipe.complete`)."""

    data: str
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    standardise: bool = True
    encoding: str = "utf-8"
    header: bool | None = None
    samples: int | None = None
    bits: int | None = None
    noise: float | None = None
    hidden: tuple[int, ...] | None = None
    activation: tuple[str, ...] | None = None
    output: str | None = None
    loss: str | None = None
    report: str | None = None
    initializer: str | None = None
    l1: float = 0.0
    l2: float = 0.0
    dropout: tuple[float, ...] = (0.0,)
    dtype: str = "float64"
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int | None = None
    shuffle: bool = True
    seed: int | None = None
    validation: float | None = None
    validation_data: str | None = None
    patience: int | None = None
    tolerance: float = 1e-4
    restore_best: bool = True
    clip_norm: float | None = None
    clip_value: float | None = None
    stop_loss: float | None = None
    max_time: float | None = None

    def complete(self, task: str, rows: int, outputs: int) -> Recipe:
        """The recipe with the data's own choice for everything that was left open."""
        if self.data in _NOTEBOOK:
            chosen = dict(_NOTEBOOK_CHOICES)
            if self.loss is not None and self.loss != chosen["loss"]:
                chosen["report"] = chosen["output"] = None
        elif self.data in BUILTIN_NAMES:
            chosen = {**_POINTS_CHOICES, "batch_size": min(32, rows)}
        else:
            held_out = 0.1 if rows >= _FEW_ROWS and self.validation_data is None else 0.0
            chosen = {**_TABLE_CHOICES, "batch_size": min(200, rows), "validation": held_out}
        if self.data == "parity":
            chosen.update(batch_size=None, validation=0.0, epochs=2000)
        natural = "squared_error"
        if task == "classification":
            natural = "binary_cross_entropy" if outputs == 1 else "categorical_cross_entropy"
        chosen.setdefault("loss", natural)
        open_fields = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return replace(self, **open_fields)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """The recipe that `to_json` described."""
        known = {each.name for each in fields(cls)}
        lists = ("drop", "categorical", "hidden", "activation", "dropout")
        chosen: dict[str, Any] = {
            name: tuple(value) if name in lists and value is not None else value
            for name, value in data.items()
            if name in known
        }
        return cls(**chosen)


_NOTEBOOK_CHOICES: dict[str, Any] = {
    "hidden": (2,),
    "activation": ("sigmoid",),
    "output": "sigmoid",
    "loss": "squared_error_sum",
    "report": "squared_error",
    "initializer": "standard_normal",
    "optimizer": "gradient_descent",
    "learning_rate": 0.1,
    "epochs": 10_000,
    "seed": 42,
    "validation": 0.0,
}
_POINTS_CHOICES: dict[str, Any] = {
    "hidden": (16, 16),
    "activation": ("tanh",),
    "initializer": "glorot",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 1000,
    "seed": 0,
    "validation": 0.2,
}
_TABLE_CHOICES: dict[str, Any] = {
    "hidden": (100,),
    "activation": ("relu",),
    "initializer": "glorot",
    "optimizer": "adam",
    "epochs": 200,
    "seed": 0,
}


@dataclass(frozen=True)
class Prepared:
    """Data ready for a network, and the complete recipe."""

    recipe: Recipe
    table: Table
    preparation: Preparation
    X: Array
    y: Array
    validation: tuple[Array, Array] | None
    network: Network
    parameters: dict[str, Array]

    @property
    def digest(self) -> str:
        """A fingerprint of the numbers trained on, by which a checkpoint knows its data."""
        summary = hashlib.sha256(np.ascontiguousarray(self.X).tobytes())
        summary.update(np.ascontiguousarray(self.y).tobytes())
        # Standardised numbers may be the same though the table is another.
        summary.update(json.dumps(self.preparation.to_json(), sort_keys=True).encode())
        return summary.hexdigest()[:16]

    def train(
        self,
        *,
        callbacks: Sequence[Callable[..., Any]] = (),
        checkpoint: Path | None = None,
        resume: Path | None = None,
    ) -> Trained:
        """Train by the recipe."""
        recipe = self.recipe
        run = train(
            self.network,
            self.X,
            self.y,
            parameters=self.parameters,
            optimizer=recipe.optimizer,
            learning_rate=recipe.learning_rate,
            schedule=recipe.schedule,
            epochs=recipe.epochs or 0,
            batch_size=recipe.batch_size,
            shuffle=recipe.shuffle,
            seed=recipe.seed or 0,
            validation=self.validation,
            patience=recipe.patience,
            tolerance=recipe.tolerance,
            restore_best=recipe.restore_best,
            clip_norm=recipe.clip_norm,
            clip_value=recipe.clip_value,
            stop_loss=recipe.stop_loss,
            max_time=recipe.max_time,
            callbacks=callbacks,
            report=recipe.report,
            task=self.preparation.task,
            dtype=recipe.dtype,
            checkpoint=checkpoint,
            resume=resume,
            note={"recipe": recipe.to_json(), "data": self.digest},
        )
        return Trained(self, run)


@dataclass(frozen=True)
class Trained:
    """A finished run of a recipe."""

    prepared: Prepared
    run: Run

    @property
    def model(self) -> Model:
        """The model that was learned, ready to save and to predict with."""
        run, prepared = self.run, self.prepared
        record = {
            "recipe": prepared.recipe.to_json(),
            "data": prepared.table.name,
            "digest": prepared.digest,
            "samples": len(prepared.X),
            "stopped": run.stopped,
            "epochs": run.epochs,
            "best_epoch": run.best_epoch,
            "loss": run.loss,
            "score": self.score,
            "validation": self.validation_measures,
            "seconds": round(run.seconds, 3),
        }
        return Model(prepared.network, run.parameters, prepared.preparation, record, run.history)

    @property
    def score(self) -> float:
        """Accuracy or R² on the training rows."""
        return self._score(self.prepared.X, self.prepared.y)

    @property
    def validation_measures(self) -> dict[str, float] | None:
        """Loss and score of the learned parameters on the rows held out, if there are any."""
        held = self.prepared.validation
        if held is None:
            return None
        run = self.run
        epoch = run.best_epoch if run.best_epoch is not None else -1
        loss = run.history["validation_loss"][epoch] if len(run.history) else float("nan")
        return {"loss": float(loss), "score": self._score(*held)}

    def _score(self, X: Array, y: Array) -> float:
        network = self.prepared.network
        with np.errstate(all="ignore"):
            outputs = network.predict(self.run.parameters, X.astype(self.prepared.recipe.dtype))
        return score_of(network, outputs, y, self.prepared.preparation.task)

    @property
    def outputs(self) -> Array:
        """The outputs for the training rows."""
        return self.model.outputs(self.prepared.X)

    @property
    def learned(self) -> bool | None:
        """Whether every row of a truth table is on its side of ½; None for other data."""
        if self.prepared.recipe.data not in TRUTH_TABLES:
            return None
        # An output of 0.501 for a 1 is a coin that fell right: within 0.4 counts as learned.
        return bool(np.all(np.abs(self.outputs - self.prepared.y) < 0.4))


def prepare(recipe: Recipe) -> Prepared:
    """Read the data, find out what it is, and make the network that the recipe asks for.

    Raises DataError for data that cannot be trained on and SettingError for a wrong choice.
    """
    if recipe.data in BUILTIN_NAMES:
        dataset = builtin(
            recipe.data,
            samples=recipe.samples,
            bits=recipe.bits,
            noise=recipe.noise,
            seed=recipe.seed or 0,
        )
        table, preparation = read_table(dataset), Preparation.of_dataset(dataset)
    else:
        table = read_table(recipe.data, encoding=recipe.encoding, header=recipe.header)
        preparation = _learned(recipe, table)
    full = recipe.complete(preparation.task, table.row_count, preparation.output_count)
    kept, held = _rows(full, table, preparation)
    if recipe.data not in BUILTIN_NAMES and len(held):
        preparation = _learned(recipe, table, kept)
    X, y = preparation.transform_features(table), preparation.transform_target(table)
    validation = (X[held], y[held]) if len(held) else None
    if full.validation_data is not None:
        other = read_table(full.validation_data, encoding=full.encoding, header=full.header)
        validation = (preparation.transform_features(other), preparation.transform_target(other))
    network = _network(full, preparation)
    generator = "legacy" if full.data in _NOTEBOOK else "default"
    return Prepared(
        recipe=full,
        table=table,
        preparation=preparation,
        X=X[kept],
        y=y[kept],
        validation=validation,
        network=network,
        parameters=network.initialize(full.seed, full.dtype, generator),
    )


def _learned(recipe: Recipe, table: Table, rows: Array | None = None) -> Preparation:
    return Preparation.learn(
        table,
        recipe.target,
        recipe.task,
        drop=recipe.drop,
        categorical=recipe.categorical,
        standardise=recipe.standardise,
        rows=rows,
    )


def _rows(recipe: Recipe, table: Table, preparation: Preparation) -> tuple[Array, Array]:
    """The rows that train and the rows that are held out."""
    if not recipe.validation:
        return np.arange(table.row_count), np.arange(0)
    y = preparation.transform_target(table)
    labels = None
    if preparation.task == "classification":
        labels = np.argmax(y, axis=1) if y.shape[1] > 1 else y[:, 0]
    return split(table.row_count, recipe.validation, recipe.seed or 0, labels)


def _network(recipe: Recipe, preparation: Preparation) -> Network:
    hidden = recipe.hidden or ()
    sizes = [preparation.input_count, *hidden, preparation.output_count]
    output = recipe.output
    if output is None and preparation.task == "classification":
        criterion = choose_loss(recipe.loss)
        if criterion.takes == "activation":
            output = "sigmoid" if preparation.output_count == 1 else "softmax"
    return Network(
        sizes,
        activation=_per_layer(recipe.activation or ("tanh",)),
        output=output,
        loss=recipe.loss,
        initializer=recipe.initializer,
        l1=recipe.l1,
        l2=recipe.l2,
        dropout=_per_layer(recipe.dropout),
    )


def _per_layer(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
