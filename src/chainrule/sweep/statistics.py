"""Shares with their intervals, and how long it takes until the goal is reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.intervals import wilson

__all__ = ["Share", "quantiles", "share_of", "survival"]


@dataclass(frozen=True)
class Share:
    """How many of how many, and an interval that holds the true share with 95 % confidence.

    The interval is Wilson's (`chainrule.diagnose.intervals`), which stays within 0 and 1 and holds
    for small numbers too.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; nan of none."""
        return self.count / self.of if self.of else float("nan")


def share_of(count: int, of: int) -> Share:
    """A share with its interval.

    >>> share = share_of(733, 1000)
    >>> share.value, round(share.low, 3), round(share.high, 3)
    (0.733, 0.705, 0.759)
    """
    return Share(count, of, *wilson(count, of))


def quantiles(epochs: NDArray[np.int64]) -> tuple[float, float, float] | None:
    """The 10 %, 50 % and 90 % quantiles of the epochs until success; None without one."""
    if not len(epochs):
        return None
    low, middle, high = np.quantile(epochs, (0.1, 0.5, 0.9), method="inverted_cdf")
    return float(low), float(middle), float(high)


def survival(
    epochs: NDArray[np.int64], runs: int, last: int, points: int = 60
) -> list[tuple[int, float]]:
    """The share of all runs that have not yet succeeded after so many epochs.

    No run is lost from sight before the last epoch, so this is Kaplan and Meier's (1958) estimate
    as it is without censoring.

    >>> survival(np.array([1, 10, 10]), runs=4, last=100, points=3)
    [(1, 0.75), (10, 0.25), (100, 0.25)]
    """
    at = np.unique(np.geomspace(1, max(last, 1), points).round().astype(np.int64))
    done = np.searchsorted(np.sort(epochs), at, side="right")
    left = 1 - done / max(runs, 1)
    return [(int(t), float(share)) for t, share in zip(at, left, strict=True)]
