"""The order in which a run sees its samples, epoch by epoch, as a function of the seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError

__all__ = ["Batches", "take"]

_MOST_IN_BLOCK = 64
_MOST_ROWS_IN_BLOCK = 65_536


class Batches:
    """Splits the rows of an epoch into batches, shuffled or in order.

    Orders are drawn for a few epochs together, block ``b`` of them from ``default_rng([seed, 1,
    b])``, as a generator takes longer to make than a short epoch to train. So any epoch's order is
    known without those before its block, and a run resumes in the middle of one.

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
        self.block_length = max(1, min(_MOST_IN_BLOCK, _MOST_ROWS_IN_BLOCK // max(n, 1)))
        self._block: int = -1
        self._orders = np.arange(n, dtype=np.int64)[None]

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch in the order in which they are seen."""
        if not self.shuffle:
            return self._orders[0]
        block, place = divmod(epoch, self.block_length)
        if block != self._block:
            rng = np.random.default_rng([self.seed, 1, block])
            every = np.tile(np.arange(self.n, dtype=np.int64), (self.block_length, 1))
            rng.permuted(every, axis=1, out=every)
            self._orders, self._block = every, block
        return self._orders[place]

    def orders(self, epoch: int, count: int) -> NDArray[np.int64]:
        """The rows of ``count`` epochs, one after the other."""
        return np.concatenate([self.order(each) for each in range(epoch, epoch + count)])

    def of_epoch(self, epoch: int, start: int = 0) -> Iterator[NDArray[np.int64]]:
        """The rows of each batch of an epoch, from batch number ``start`` on."""
        order = self.order(epoch)
        for number in range(start, self.count):
            yield self.rows(order, number)

    def rows(self, order: NDArray[np.int64], number: int, count: int = 1) -> NDArray[np.int64]:
        """The rows of ``count`` batches of an epoch in this order, from one on."""
        return order[number * self.size : (number + count) * self.size]

    def mask_generator(self, epoch: int, batch: int) -> np.random.Generator:
        """The generator of one step's dropout masks."""
        return np.random.default_rng([self.seed, 2, epoch, batch])


def take(rows: NDArray[np.int64], array: Any) -> Any:
    """The rows of an array, or None for no array."""
    return None if array is None else array[rows]
