"""What a sweep came to: success rates, epochs until success, and the ends of those that fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.sweep.chunks import prepared_of
from chainrule.sweep.ends import End, ends_of
from chainrule.sweep.plan import Plan
from chainrule.sweep.statistics import Share, quantiles, share_of, survival

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SettingSummary", "Summary", "summary_of"]


@dataclass(frozen=True)
class SettingSummary:
    """What one setting came to.

    ``reached``   the share of runs that reached the goal
    ``epochs``    the 10 %, 50 % and 90 % quantiles of the epochs that these took
    ``survival``  pairs of epochs and the share of runs that had not reached the goal by then
    ``outcomes``  how many ended in each way
    ``ends``      where those that failed ended, where that can be told from their outputs
    ``seconds``   the time that all runs took
    """

    number: int
    chosen: dict[str, Any]
    reached: Share
    epochs: tuple[float, float, float] | None
    survival: list[tuple[int, float]]
    outcomes: dict[str, int]
    ends: list[End]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The summary as plain data."""
        share = self.reached
        return {
            "setting": self.chosen,
            "runs": share.of,
            "reached": share.count,
            "rate": None if math.isnan(share.value) else share.value,
            "interval": [share.low, share.high],
            "epochs": None
            if self.epochs is None
            else dict(zip(("10 %", "50 %", "90 %"), self.epochs, strict=True)),
            "survival": [{"epochs": at, "left": left} for at, left in self.survival],
            "outcomes": self.outcomes,
            "ends": [
                {
                    "outputs": None if end.outputs is None else list(end.outputs),
                    "loss": end.loss,
                    "runs": end.share.count,
                    "rate": end.share.value,
                    "interval": [end.share.low, end.share.high],
                    "example_seed": end.example,
                    "verdict": end.verdict,
                }
                for end in self.ends
            ],
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Summary:
    """What a sweep came to, setting by setting."""

    plan: Plan
    settings: list[SettingSummary]

    def to_json(self) -> dict[str, Any]:
        """The summary as plain data."""
        return {
            "goal": self.plan.goal,
            "varied": list(self.plan.varied),
            "settings": [each.to_json() for each in self.settings],
        }


def summary_of(plan: Plan, frame: pl.DataFrame) -> Summary:
    """The summary of a sweep's results, as far as there are any."""
    import polars as pl

    found: list[SettingSummary] = []
    for number in range(len(plan.settings)):
        runs = frame.filter(pl.col("setting") == number)
        if len(runs):
            found.append(_of_setting(plan, number, runs))
    return Summary(plan, found)


def _of_setting(plan: Plan, number: int, runs: pl.DataFrame) -> SettingSummary:
    import polars as pl

    recipe = plan.settings[number]
    reached, failed = runs.filter("reached"), runs.filter(~pl.col("reached"))
    epochs = reached["epochs"].to_numpy().astype(np.int64)
    ends: list[End] = []
    if "outputs" in failed.columns:
        kept = failed.filter(pl.col("outputs").is_not_null())
        if len(kept):
            outputs = np.array(kept["outputs"].to_list())
            ends = ends_of(recipe, outputs, kept["seed"].to_list())
    last = prepared_of(recipe).recipe.epochs or 0
    outcomes = dict(runs["outcome"].value_counts().sort("outcome").iter_rows())
    return SettingSummary(
        number,
        {name: plan.value(number, name) for name in plan.varied},
        share_of(len(reached), len(runs)),
        quantiles(epochs),
        survival(epochs, len(runs), last),
        outcomes,
        ends,
        float(runs["seconds"].sum()),
    )
