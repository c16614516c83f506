"""Subjects from what people have: a saved model's folder, a finished run, a network and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.subject import Subject
from chainrule.errors import ModelFileError
from chainrule.networks.losses import loss as choose_loss
from chainrule.training.models import Model
from chainrule.training.optimizers import Optimizer
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.preparing import Prepared, Trained, prepare, recipe_of_model
from chainrule.training.recipes import TRUTH_TABLES, Recipe, optimizer_name
from chainrule.training.training import default_rate

__all__ = ["subject_of_folder", "subject_of_prepared", "subject_of_trained"]

Array = NDArray[Any]


def subject_of_folder(folder: str | Path, data: str | None = None) -> Subject:
    """The subject in a saved model's folder, on the data that its recipe names or on other data.

    Raises ModelFileError where the model or its data cannot be had.
    """
    model = Model.load(folder)
    record: dict[str, Any] = dict(model.record)
    recipe = recipe_of_model(model, folder, "it cannot be said why it does not learn")
    prepared = prepare(recipe if data is None else replace(recipe, data=data))
    if data is None and prepared.digest != record["digest"]:
        raise ModelFileError(
            f"The data {record['data']} has changed since the model in {folder} was trained on it. "
            "Restore the data, or name it to be diagnosed on the data as it is now: "
            f"chainrule diagnose {folder} {record['data']}"
        )
    if prepared.network.sizes != model.network.sizes:
        raise ModelFileError(
            f"The model in {folder} is a network of sizes {_sizes(model.network.sizes)}, and the "
            f"data asks for {_sizes(prepared.network.sizes)}. Name data with the same columns."
        )
    best = record.get("best_epoch")
    history = {name: np.asarray(model.history[name]) for name in model.history}
    subject = subject_of_prepared(prepared, model.parameters, history)
    return replace(subject, kept=best, name=str(folder))


def _sizes(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))


def subject_of_trained(trained: Trained) -> Subject:
    """The subject that a run of a recipe ended with."""
    run = trained.run
    history = {name: np.asarray(run.history[name]) for name in run.history}
    subject = subject_of_prepared(trained.prepared, run.parameters, history)
    return replace(subject, kept=run.best_epoch)


def subject_of_prepared(
    prepared: Prepared, parameters: Mapping[str, Array], history: Mapping[str, Array]
) -> Subject:
    """The subject with given parameters in the run of a recipe."""
    recipe = prepared.recipe
    losses = history.get("loss", np.empty(0))
    rates = history.get("learning_rate")
    return Subject(
        network=prepared.network,
        parameters=parameters,
        X=prepared.X,
        y=prepared.y,
        name=recipe.data,
        report=None if recipe.report is None else choose_loss(recipe.report, "report"),
        optimizer=_optimizer(recipe),
        rate=_rate(recipe) if rates is None or not len(rates) else float(rates[-1]),
        schedule=recipe.schedule,
        epochs=len(losses) or recipe.epochs or 0,
        batch_size=recipe.batch_size,
        shuffle=recipe.shuffle,
        seed=recipe.seed or 0,
        clip_norm=recipe.clip_norm,
        clip_value=recipe.clip_value,
        losses=losses,
        held_out=history.get("validation_loss", np.empty(0)),
        validation=prepared.validation,
        start=prepared.parameters,
        generator=recipe.generator,
        inputs=tuple(prepared.preparation.feature_names),
        truth_table=recipe.data in TRUTH_TABLES,
        asked_goal=recipe.stop_loss,
    )


def _optimizer(recipe: Recipe) -> Optimizer | None:
    name = optimizer_name(recipe.optimizer or "adam")
    return None if name == "lbfgs" else choose_optimizer(recipe.optimizer)


def _rate(recipe: Recipe) -> float:
    name = optimizer_name(recipe.optimizer or "adam")
    return default_rate(name) if recipe.learning_rate is None else recipe.learning_rate
