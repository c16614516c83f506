"""The order in which a run sees its samples, epoch by epoch, as a function of the seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError

__all__ = ["Batches"]


class Batches:
    """Splits the rows of an epoch into batches, shuffled or in order.

    The order of epoch ``e`` is drawn from ``default_rng([seed, 1, e])``, so any epoch's order is
    known without the ones before it, and a run resumes in the middle of one.

    >>> [rows.tolist() for rows in Batches(5, 2, shuffle=False, seed=0).of_epoch(0)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, n: int, batch_size: int | None, *, shuffle: bool, seed: int) -> None:
        if batch_size is not None and batch_size < 1:
            raise SettingError(
                f"batch_size={batch_size} cannot be used: give a whole number, 1 or more, or None "
                "for all samples at once."
            )
        self.n = n
        self.size = n if batch_size is None else min(batch_size, n)
        self.whole = self.size == n
        self.shuffle = shuffle and not self.whole
        self.seed = seed
        self.count = -(-n // self.size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch in the order in which they are seen."""
        order = np.arange(self.n, dtype=np.int64)
        if self.shuffle:
            np.random.default_rng([self.seed, 1, epoch]).shuffle(order)
        return order

    def of_epoch(self, epoch: int, start: int = 0) -> Iterator[NDArray[np.int64]]:
        """The rows of each batch of an epoch, from batch number ``start`` on."""
        order = self.order(epoch)
        for number in range(start, self.count):
            yield order[number * self.size : (number + 1) * self.size]

    def mask_generator(self, epoch: int, batch: int) -> np.random.Generator:
        """The generator of one step's dropout masks."""
        return np.random.default_rng([self.seed, 2, epoch, batch])


def take(rows: NDArray[np.int64], array: Any) -> Any:
    """The rows of an array, or None for no array."""
    return None if array is None else array[rows]
