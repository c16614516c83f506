"""Which rows train and which validate: drawn from a seed, each class in its proportion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError, SettingError

__all__ = ["split"]


def split(
    n: int, fraction: float, seed: int, stratify_labels: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to train on and the rows to validate on, each in ascending order.

    ``fraction`` of the ``n`` rows, to the nearest row, at least one and not all, validate.
    ``stratify_labels`` (n,), or a 0/1 matrix (n, k), shares them out among the classes in
    proportion, by largest remainders; a class keeps at least one row to train on. A fraction of 0
    gives no validation rows. The same arguments give the same rows.

    Raises SettingError for a fraction outside [0, 1), DataError for fewer than two rows.

    >>> train, validation = split(10, 0.2, seed=0, stratify_labels=np.array([0] * 5 + [1] * 5))
    >>> len(train), (validation < 5).sum(), (validation >= 5).sum()
    (8, np.int64(1), np.int64(1))
    """
    if not 0 <= fraction < 1:
        raise SettingError(
            f"The validation fraction is {fraction!r}, and must be at least 0 and less than 1."
        )
    if fraction == 0:
        return np.arange(n), np.arange(0)
    if n < 2:
        raise DataError(
            f"A table of {n} rows cannot be split into rows that train and rows that validate: "
            "use 2 rows or more, or no validation split."
        )
    wanted = min(max(round(n * fraction), 1), n - 1)
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if stratify_labels is None else _classes(n, stratify_labels)
    shares = _shares(np.array([len(group) for group in groups]), wanted)
    validates = np.zeros(n, np.bool_)
    for group, share in zip(groups, shares, strict=True):
        validates[rng.permutation(group)[:share]] = True
    return np.flatnonzero(~validates), np.flatnonzero(validates)


def _classes(n: int, labels: NDArray[Any]) -> list[NDArray[np.int64]]:
    labels = np.asarray(labels)
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else np.argmax(labels, axis=1)
    if labels.shape != (n,):
        raise DataError(f"There are {n} rows to split, and labels of shape {labels.shape}.")
    places = np.unique(labels, return_inverse=True)[1]
    order = np.argsort(places, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(places[order])) + 1)


def _shares(sizes: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """How many of each class validate: proportional, by largest remainder, never a whole class."""
    exact = sizes * (wanted / sizes.sum())
    shares = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    for room in (sizes - 1, sizes):
        while shares.sum() < wanted and (shares < room).any():
            open_ones = np.flatnonzero(shares < room)
            shares[open_ones[np.argmax((exact - shares)[open_ones])]] += 1
    return shares
