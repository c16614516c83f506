"""Runs to be diagnosed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import Network, train
from chainrule.diagnose import Diagnosis, diagnose
from chainrule.errors import DivergedError
from chainrule.training.optimizers import optimizer as choose_optimizer

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
ANSWERS = np.array([[0.0], [1.0], [1.0], [0.0]])
Parameters = dict[str, NDArray[Any]]


def sigmoid_network(*sizes: int, **settings: Any) -> Network:
    """A network of sigmoid units with squared errors, the notebook's weights unless told."""
    chosen = {"loss": "squared_error", "initializer": "standard_normal", **settings}
    return Network(list(sizes) or [2, 2, 1], activation="sigmoid", output="sigmoid", **chosen)


def changed(parameters: Parameters, **arrays: Any) -> Parameters:
    """Parameters with some arrays replaced; a number fills the array."""
    made = {name: array.copy() for name, array in parameters.items()}
    for name, value in arrays.items():
        made[name] = np.zeros(made[name].shape) + np.asarray(value, float)
    return made


def trained(
    network: Network,
    X: Any = XOR,
    y: Any = ANSWERS,
    *,
    epochs: int = 2000,
    rate: float = 0.1,
    optimizer: str = "gradient_descent",
    start: Parameters | None = None,
    time: float = 0.0,
    goal: float | None = None,
    generator: str = "default",
    truth_table: bool = False,
    **settings: Any,
) -> Diagnosis:
    """A run of `chainrule.train`, diagnosed; where it diverges, with the losses up to there."""
    seed = settings.get("seed", 0)
    parameters = network.initialize(seed, generator=generator) if start is None else start
    losses: list[float] = []
    latest = parameters

    def keep(epoch: Any) -> None:
        nonlocal latest
        losses.append(epoch.loss)
        latest = epoch.parameters

    held = np.empty(0)
    kept = None
    try:
        run = train(network, X, y, parameters=parameters, epochs=epochs, learning_rate=rate,
                    optimizer=optimizer, **settings)  # fmt: skip
        latest, losses = run.parameters, run.history["loss"].tolist()
        kept = run.best_epoch
        if "validation_loss" in run.history:
            held = run.history["validation_loss"]
    except DivergedError:
        try:
            train(network, X, y, parameters=parameters, epochs=epochs, learning_rate=rate,
                  optimizer=optimizer, callbacks=keep, **settings)  # fmt: skip
        except DivergedError:
            losses.append(float("inf"))
    report = settings.get("report")
    assert report is None
    return diagnose(network, latest, X, y, time=time, losses=np.array(losses), held_out=held,
                    kept=kept, start=parameters, rate=rate, optimizer=choose_optimizer(optimizer),
                    epochs=len(losses),
                    batch_size=settings.get("batch_size"), seed=seed, asked_goal=goal,
                    generator=generator, truth_table=truth_table)  # fmt: skip


def names(diagnosis: Diagnosis) -> list[str]:
    """The verdicts' names."""
    return [each.name for each in diagnosis.verdicts]


def faults(diagnosis: Diagnosis) -> list[str]:
    """The names of the verdicts that say that something is wrong."""
    return [each.name for each in diagnosis.faults]
