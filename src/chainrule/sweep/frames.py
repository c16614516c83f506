"""`sweep`: many runs of a network or function of one's own, as a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.networks import Network
from chainrule.sweep.plan import GOAL
from chainrule.training.population import Population

if TYPE_CHECKING:
    import polars as pl

__all__ = ["sweep"]


def sweep(
    model: Network | Callable[..., Any],
    grid: Mapping[str, Iterable[Any]],
    data: tuple[Any, Any],
    *,
    seeds: int | Iterable[int] = 100,
    goal: float = GOAL,
    initialize: Callable[[int], Any] | None = None,
    **settings: Any,
) -> pl.DataFrame:
    """Train a network from many seeds with each setting of a grid; a row for each run.

    model       a `Network`; or a function ``(parameters, X, y) -> loss``, and then ``initialize``
                draws its parameters from a seed; or a function that takes the grid's names that are
                not settings of training, and gives a `Network`
    grid        lists of values by name: settings of `chainrule.Population`, such as
                ``learning_rate``, ``optimizer``, ``initial_scale``, ``batch_size``, or arguments of
                the function that makes the network
    data        inputs ``(n, d)`` and targets ``(n, k)``
    seeds       how many seeds, from 0 on, or the seeds themselves
    goal        the loss at which a run has succeeded, and ends

    Other ``settings`` are those of `chainrule.Population`. The columns are the grid's names, then
    ``seed``, ``reached``, ``outcome``, ``epochs`` and ``loss``. Results are the same to the last
    bit with any number of threads. Raises what `chainrule.Population` raises, and SettingError for
    a name that is not known.

    >>> import numpy as np
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> runs = sweep(
    ...     Network([1, 1]), {"learning_rate": [0.01, 0.1]}, (X, y), seeds=50, goal=1e-3,
    ...     optimizer="gradient_descent", epochs=200,
    ... )
    >>> runs.group_by("learning_rate", maintain_order=True).agg(reached=runs["reached"].mean())
    ... # doctest: +SKIP
    >>> len(runs), runs.columns
    (100, ['learning_rate', 'seed', 'reached', 'outcome', 'epochs', 'loss'])
    """
    import polars as pl

    listed = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    values = {name: list(each) for name, each in grid.items()}
    for name, each in values.items():
        if not each:
            raise SettingError(f"The grid has no value for {name!r}: list one at least.")
    frames: list[pl.DataFrame] = []
    for chosen in product(*values.values()):
        point = dict(zip(values, chosen, strict=True))
        frames.append(_runs(model, point, data, listed, goal, initialize, settings))
    return pl.concat(frames, how="vertical_relaxed")


def _runs(
    model: Any,
    point: dict[str, Any],
    data: tuple[Any, Any],
    seeds: list[int],
    goal: float,
    initialize: Callable[[int], Any] | None,
    settings: dict[str, Any],
) -> pl.DataFrame:
    import polars as pl

    of_training = {name: value for name, value in point.items() if name in _SETTINGS}
    rest = {name: value for name, value in point.items() if name not in _SETTINGS}
    if rest:
        model = _made(model, rest)
    start: dict[str, Any] = {"seeds": seeds}
    if not isinstance(model, Network):
        if initialize is None:
            raise SettingError(
                "A loss function of your own starts from parameters of your own: give initialize=, "
                "a function from a seed to them."
            )
        start = {"parameters": [initialize(seed) for seed in seeds]}
    X, y = data
    population = Population(model, X, y, stop_loss=goal, **start, **{**settings, **of_training})
    run = population.run()
    outcome = np.where(run.outcome == "loss", "reached", run.outcome)
    count = len(run)
    return pl.DataFrame(
        {
            **{name: [_cell(value)] * count for name, value in point.items()},
            "seed": seeds[:count],
            "reached": outcome == "reached",
            "outcome": pl.Series(outcome.tolist(), dtype=pl.String),
            "epochs": run.epochs,
            "loss": run.loss,
        }
    )


_SETTINGS = (
    "learning_rate", "optimizer", "initial_scale", "epochs", "batch_size", "shuffle", "seed",
    "clip_norm", "clip_value", "report", "dtype", "generator",
)  # fmt: skip


def _made(model: Any, arguments: dict[str, Any]) -> Network:
    if isinstance(model, Network) or not callable(model):
        names = ", ".join(arguments)
        raise SettingError(
            f"The grid has {names}, which is no setting of training. Settings are "
            f"{', '.join(_SETTINGS)}; for anything else give a function of {names} that makes the "
            "network."
        )
    made = model(**arguments)
    if not isinstance(made, Network):
        raise SettingError(
            f"The function that was to make a network of {', '.join(arguments)} gave a "
            f"{type(made).__name__}."
        )
    return made


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool) else str(value)
