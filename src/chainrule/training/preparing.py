"""From a recipe to a trained model: the data made ready, the run, what came out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import BUILTIN_NAMES, Preparation, Table, builtin, read_table, split
from chainrule.errors import ModelFileError
from chainrule.networks import Network
from chainrule.networks.choices import NATURAL, check_setting
from chainrule.networks.losses import loss as choose_loss
from chainrule.training.evaluation import score_of
from chainrule.training.models import Model
from chainrule.training.recipes import TRUTH_TABLES, Recipe
from chainrule.training.refusals import refuse_too_large, refuse_unsuited, refuse_without_effect
from chainrule.training.state import Run
from chainrule.training.steps import Engine
from chainrule.training.training import train

__all__ = ["Prepared", "Trained", "prepare", "recipe_of_model"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Prepared:
    """Data ready for a network, and the complete recipe.

    ``table`` is what was read, ``rows`` are those of its rows that train, as ``X`` and ``y``.
    """

    recipe: Recipe
    table: Table
    rows: Array
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
        resume: Path | Run | None = None,
        engine: Engine | None = None,
    ) -> Trained:
        """Train by the recipe, or by another ``engine`` than the one it names."""
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
            engine=engine or recipe.engine,
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

    @cached_property
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
            "engine": prepared.recipe.engine,
            "seconds": round(run.seconds, 3),
        }
        return Model(prepared.network, run.parameters, prepared.preparation, record, run.history)

    @cached_property
    def score(self) -> float:
        """Accuracy or R² on the training rows."""
        return self._score(self.prepared.X, self.prepared.y)

    @cached_property
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

    @cached_property
    def outputs(self) -> Array:
        """The outputs for the training rows."""
        return self.model.outputs(self.prepared.X)

    @property
    def undecided(self) -> Array | None:
        """Which rows (n,) of a truth table are wrong or near ½; None for other data.

        An output of 0.501 for a 1 is a coin that fell right: 0.6 and more counts.
        """
        if self.prepared.recipe.data not in TRUTH_TABLES:
            return None
        on_its_side = (self.outputs - 0.5) * (2 * self.prepared.y - 1)
        return on_its_side[:, 0] < 0.1

    @property
    def learned(self) -> bool | None:
        """Whether every row of a truth table is clearly on its side of ½; None for other data."""
        undecided = self.undecided
        return None if undecided is None else not undecided.any()


def prepare(recipe: Recipe) -> Prepared:
    """Read the data, find out what it is, and make the network that the recipe asks for.

    Raises DataError for data that cannot be trained on and SettingError for a wrong choice.
    """
    refuse_without_effect(recipe)
    if recipe.seed is not None:
        check_setting("seed", recipe.seed, NATURAL)
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
    for option in ("loss", "report"):
        chosen = getattr(full, option)
        if chosen is not None:
            refuse_unsuited(choose_loss(chosen, option), option, table, preparation)
    X, y = preparation.transform_features(table), preparation.transform_target(table)
    validation = (X[held], y[held]) if len(held) else None
    if full.validation_data is not None:
        other = read_table(full.validation_data, encoding=full.encoding, header=full.header)
        validation = (preparation.transform_features(other), preparation.transform_target(other))
    network = _network(full, preparation)
    refuse_too_large(network, full.dtype)
    return Prepared(
        recipe=full,
        table=table,
        rows=kept,
        preparation=preparation,
        X=X[kept],
        y=y[kept],
        validation=validation,
        network=network,
        parameters=network.initialize(full.seed, full.dtype, full.generator),
    )


def recipe_of_model(model: Model, folder: str | Path, otherwise: str) -> Recipe:
    """The recipe that a saved model was trained by, without its limit of time.

    Raises ModelFileError where the model does not say; ``otherwise`` is what cannot be done then.
    """
    recipe = model.record.get("recipe")
    if recipe is None:
        raise ModelFileError(
            f"The model in {folder} does not say how it was trained, so {otherwise}. Save one with "
            "train --save."
        )
    return replace(Recipe.from_json(recipe), max_time=None)


def _learned(recipe: Recipe, table: Table, rows: Array | None = None) -> Preparation:
    # What counts or shares are compared with stays as it is.
    losses = [choose_loss(name) for name in (recipe.loss, recipe.report) if name is not None]
    as_it_is = any(each.targets != "values" for each in losses)
    return Preparation.learn(
        table,
        recipe.target,
        recipe.task,
        drop=recipe.drop,
        categorical=recipe.categorical,
        standardise=recipe.standardise,
        standardise_target=False if as_it_is else None,
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
