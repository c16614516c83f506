"""The samples of a run, as native steps take them: arrays, and the rows of each step."""

# SciPy's sparse arrays have no common type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from chainrule.estimators.formulation import Batch

__all__ = ["Samples", "masks_of", "product"]

Array = NDArray[Any]
_LARGEST_PADDED = 1 << 23
"""How many bytes of samples are copied at most to make all batches of one size."""
_WASTE = 0.1
_DENSE = 0.03
"""The share of numbers from which a sparse matrix is faster as a dense one."""
_GATHERED = 1 << 25
"""How many bytes of rows are made ready together, where they are not in memory as they are used."""


class Samples:
    """Samples in batches of ``size``.

    With a generator ``rng``, units of hidden layers of these ``widths`` are dropped at the rates
    of ``dropout``.

    Where ``n`` is no multiple of the size, the last batch is smaller, which takes other code and a
    call of its own. With ``pads``, where it costs little, it is filled up with samples of weight 0
    instead. With ``alone`` these are the samples of one call of many, each with as many as happen
    to come: a batch of them is filled up to one of a few sizes, so that little code serves all.
    """

    def __init__(
        self,
        X: Any,
        y: Array,
        weight: Array | None,
        size: int,
        *,
        pads: bool = True,
        alone: bool = False,
        dropout: Sequence[float] = (),
        widths: Sequence[int] = (),
        rng: np.random.Generator | None = None,
    ) -> None:
        dtype = X.dtype
        self.n, self.size = int(X.shape[0]), size
        self.steps = -(-self.n // size)
        self.sparse = issparse(X)
        self._X: Any = X.tocsr() if self.sparse else np.ascontiguousarray(X)
        if self.sparse and self._X.nnz > _DENSE * self._X.shape[0] * self._X.shape[1]:
            self.sparse, self._X = False, self._X.toarray()
        self._y = np.ascontiguousarray(y, dtype)
        self._weight = None if weight is None else np.ascontiguousarray(weight, dtype)
        self._dropout, self._widths, self._rng = tuple(dropout), tuple(widths), rng
        self.gathers = rng is not None
        if pads and alone and size == self.n and not self.gathers and not self.sparse:
            self.size = _rounded_up(size)
        missing = self.steps * self.size - self.n
        self.even = not missing
        small = not self.gathers and not self.sparse and self._X.nbytes <= _LARGEST_PADDED
        if missing and small and (size < self.size or (pads and missing <= _WASTE * self.n)):
            self._pad()

    @property
    def whole(self) -> bool:
        """Whether each step takes all samples, in whatever order."""
        return self.size == self.n and not self.gathers and not self.sparse

    def _pad(self) -> None:
        """Put another sample behind the last, of weight 0, for the last batch to be filled with."""
        weight = np.ones(self.n, self._y.dtype) if self._weight is None else self._weight
        self._weight = np.append(weight, weight.dtype.type(0))
        self._X = np.concatenate([self._X, self._X[-1:]])
        self._y = np.concatenate([self._y, self._y[-1:]])
        self.even = True

    def padded(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of all steps of some epochs, the last batch of each filled up."""
        missing = self.steps * self.size - self.n
        if not missing:
            return orders.reshape(-1)
        filled = np.full((len(orders), self.n + missing), self.n)
        filled[:, : self.n] = orders
        return filled.reshape(-1)

    def check_weights(self, orders: NDArray[np.int64]) -> None:
        """Raise ZeroDivisionError where the samples of a batch have no weight, as NumPy does."""
        if self._weight is None:
            return
        sums = np.add.reduceat(self._weight[orders], np.arange(0, self.n, self.size), axis=1)
        if not sums.all():
            raise ZeroDivisionError(
                "Weights sum to zero, can't be normalized: all samples of a batch have weight 0. "
                "Leave such samples out, or use larger batches."
            )

    def parts(
        self, order: NDArray[np.int64], rows: int
    ) -> Iterator[tuple[slice, Batch, NDArray[np.int64]]]:
        """Steps of so many rows each: which they are, the arrays, and their rows in them."""
        steps = len(order) // rows
        if not self.gathers:
            yield slice(0, steps), Batch(self._X, self._y, self._weight), order
            return
        width = self._X.shape[1] + (0 if self._rng is None else sum(self._widths))
        together = max(1, _GATHERED // (rows * width * self._y.dtype.itemsize))
        for start in range(0, steps, together):
            some = slice(start, min(start + together, steps))
            used = order[some.start * rows : some.stop * rows]
            yield some, self._gathered(used), np.arange(len(used))

    def _gathered(self, rows: NDArray[np.int64]) -> Batch:
        """Rows in their order, with masks that drop hidden units."""
        X = self._X[rows]
        weight = None if self._weight is None else self._weight[rows]
        masks = None
        if self._rng is not None:
            masks = masks_of(self._rng, len(rows), self._dropout, self._widths, self._y.dtype)
        return Batch(X, self._y[rows], weight, masks)


def _rounded_up(count: int) -> int:
    """One of eight sizes between a power of two and the next, at least as large.

    >>> [_rounded_up(count) for count in (7, 100, 129, 200)]
    [7, 104, 144, 208]
    """
    step = 1 << max(count.bit_length() - 4, 0)
    return -(-count // step) * step


def masks_of(
    rng: np.random.Generator,
    count: int,
    rates: Sequence[float],
    widths: Sequence[int],
    dtype: np.dtype[Any],
) -> tuple[Array | None, ...]:
    """For each hidden layer 0 for a unit that is dropped, 1 / (1 - rate) for another."""
    masks: list[Array | None] = []
    for rate, width in zip(rates, widths, strict=True):
        kept = rng.random((count, width)) >= rate
        masks.append((kept / (1 - rate)).astype(dtype) if rate > 0 else None)
    return tuple(masks)


def product(weight: Array | None, other: Array | None) -> Array | None:
    """Weights of samples, from weights of two kinds, either of which may be None."""
    if weight is None or other is None:
        return other if weight is None else weight
    return weight * other
