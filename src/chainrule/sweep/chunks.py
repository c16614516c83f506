"""Some consecutive seeds of one setting, trained: the unit of work of a sweep."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import BUILTIN_NAMES
from chainrule.errors import DataError, DivergedError
from chainrule.networks import Network
from chainrule.training.population import Population
from chainrule.training.preparing import Prepared, prepare
from chainrule.training.recipes import TRUTH_TABLES, Recipe, optimizer_name

__all__ = [
    "Chunk",
    "Results",
    "prepared_of",
    "refuse_wrong",
    "runs_together",
    "stacked_outputs",
    "train_chunk",
]

Array = NDArray[Any]
_MOST_OUTPUTS = 64
"""Outputs are kept where there are no more than this, as of a truth table."""


@dataclass(frozen=True)
class Chunk:
    """Seeds ``first`` to ``first + count - 1`` of the setting of that number."""

    setting: int
    first: int
    count: int


@dataclass(frozen=True)
class Results:
    """What became of the runs of a chunk, one entry for each.

    ``loss``      the loss reported at the end
    ``epochs``    epochs done; of a run that got there, how many it took
    ``outcome``   ``"reached"``, ``"epochs"`` (it went on to the last), ``"diverged"``,
                  ``"stopped"`` (patience, time) or ``"refused"`` (by the data of this seed)
    ``outputs``   (runs, samples) the outputs at the end, of one-output networks on few samples
    ``seconds``   the time that all of them took together
    """

    chunk: Chunk
    loss: NDArray[np.float64]
    epochs: NDArray[np.int64]
    outcome: NDArray[np.str_]
    outputs: Array | None
    seconds: float

    def __len__(self) -> int:
        return len(self.loss)


def runs_together(prepared: Prepared) -> bool:
    """Whether the runs of all seeds differ in nothing but their first weights.

    Where data, the rows held out, or the order of the rows depend on the seed too, each run is one
    of its own, as it is where a run may end or change its rate by what it has seen.
    """
    recipe = prepared.recipe
    whole = recipe.batch_size is None or recipe.batch_size >= len(prepared.X)
    alone = (
        recipe.patience is not None
        or recipe.max_time is not None
        or recipe.schedule != "constant"
        or optimizer_name(recipe.optimizer or "") == "lbfgs"
        or any(prepared.network.rates)
        or recipe.engine != "native"
        or prepared.validation is not None
    )
    return whole and not alone and not _draws_its_data(recipe)


def _draws_its_data(recipe: Recipe) -> bool:
    return recipe.data in BUILTIN_NAMES and recipe.data not in TRUTH_TABLES


@lru_cache(maxsize=4)
def _prepared(text: str) -> Prepared:
    return prepare(Recipe.from_json(json.loads(text)))


def prepared_of(recipe: Recipe) -> Prepared:
    """The data and network of a setting, as for its first seed."""
    return _prepared(json.dumps(replace(recipe, seed=None).to_json(), sort_keys=True))


def refuse_wrong(recipe: Recipe) -> None:
    """Raise what training a setting would raise for what is wrong with it."""
    prepared = prepared_of(recipe)
    complete = prepared.recipe
    begun = replace(complete, seed=0, epochs=min(complete.epochs or 0, 0))
    replace(prepared, recipe=begun).train()


def train_chunk(
    recipe: Recipe,
    chunk: Chunk,
    goal: float,
    *,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Results | None:
    """Train the runs of a chunk; None where Ctrl-C came first, as a chunk is whole or not at all.

    ``progress`` is called with the number of runs done, now and then.
    """
    began = time.monotonic()
    prepared = prepared_of(recipe)
    if runs_together(prepared):
        found = _together(prepared, chunk, goal, threads, progress)
    else:
        found = _one_by_one(recipe, chunk, goal, progress, stop)
    if found is None:
        return None
    return replace(found, seconds=time.monotonic() - began)


def _together(
    prepared: Prepared,
    chunk: Chunk,
    goal: float,
    threads: int | None,
    progress: Callable[[int], object] | None,
) -> Results | None:
    recipe = prepared.recipe
    population = Population(
        prepared.network,
        prepared.X,
        prepared.y,
        seeds=range(chunk.first, chunk.first + chunk.count),
        generator=recipe.generator,
        learning_rate=recipe.learning_rate,
        optimizer=recipe.optimizer,
        epochs=recipe.epochs or 0,
        clip_norm=recipe.clip_norm,
        clip_value=recipe.clip_value,
        stop_loss=goal,
        report=recipe.report,
        dtype=recipe.dtype,
        threads=threads,
        progress=None if progress is None else lambda done, _: progress(done),
    )
    run = population.run()
    if len(run) < chunk.count or np.any(run.outcome == "interrupted"):
        return None
    outcome = np.where(run.outcome == "loss", "reached", run.outcome)
    outputs = None
    network = prepared.network
    if _keeps_outputs(prepared):
        outputs = stacked_outputs(network, run.parameters, prepared.X)
    return Results(chunk, run.loss, run.epochs, outcome, outputs, 0.0)


def _keeps_outputs(prepared: Prepared) -> bool:
    return prepared.network.sizes[-1] == 1 and len(prepared.X) <= _MOST_OUTPUTS


def stacked_outputs(network: Network, parameters: dict[str, Array], X: Array) -> Array:
    """The outputs (networks, samples) of many one-output networks."""
    a: Any = np.asarray(X, parameters["W1"].dtype)
    if any(layer.own or layer.name == "softmax" for layer in network.layers):
        count = len(parameters["W1"])
        each = [{name: stack[i] for name, stack in parameters.items()} for i in range(count)]
        return np.stack([network.predict(one, a)[:, 0] for one in each])
    with np.errstate(all="ignore"):
        for i, layer in enumerate(network.layers, start=1):
            bias = parameters[f"b{i}"]
            a = layer(a @ parameters[f"W{i}"] + bias.reshape(len(bias), 1, -1))
    return np.asarray(a)[:, :, 0]


def _one_by_one(
    recipe: Recipe,
    chunk: Chunk,
    goal: float,
    progress: Callable[[int], object] | None,
    stop: Callable[[], bool],
) -> Results | None:
    losses: list[float] = []
    epochs: list[int] = []
    outcomes: list[str] = []
    outputs: list[Array] = []
    for seed in range(chunk.first, chunk.first + chunk.count):
        if stop():
            return None
        try:
            prepared = prepare(replace(recipe, seed=seed, stop_loss=goal))
        except DataError:  # such as a split that leaves a class out
            losses.append(np.nan)
            epochs.append(0)
            outcomes.append("refused")
            continue
        loss, done, outcome, output = _alone(prepared)
        if outcome == "interrupted":
            return None
        losses.append(loss)
        epochs.append(done)
        outcomes.append(outcome)
        if output is not None:
            outputs.append(output)
        if progress is not None:
            progress(len(losses))
    whole = np.stack(outputs) if len(outputs) == chunk.count and outputs else None
    return Results(
        chunk, np.array(losses), np.array(epochs, np.int64), np.array(outcomes), whole, 0.0
    )


def _alone(prepared: Prepared) -> tuple[float, int, str, Array | None]:
    try:
        trained = prepared.train()
    except DivergedError:
        return float("nan"), 0, "diverged", None
    run = trained.run
    names = {"loss": "reached", "epochs": "epochs", "interrupted": "interrupted"}
    output = None
    if _keeps_outputs(prepared) and not _draws_its_data(prepared.recipe):
        output = np.asarray(prepared.network.predict(run.parameters, prepared.X))[:, 0]
    return float(run.loss), run.epochs, names.get(run.stopped, "stopped"), output
