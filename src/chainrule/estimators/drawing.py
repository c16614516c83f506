"""Random draws in scikit-learn's order: the first weights, and the order of samples of each epoch.

The same ``random_state`` gives the same numbers as there, so they come from the legacy
``numpy.random.RandomState``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Orders", "initial_weights"]

Array = NDArray[Any]


def initial_weights(
    rng: np.random.RandomState,
    widths: list[int],
    activations: Sequence[Any],
    dtype: np.dtype[Any],
) -> tuple[list[Array], list[Array]]:
    """Weights and biases of each layer, uniform in ±√(f / (fan in + fan out)).

    The factor f is 6, or 2 for the logistic function (Glorot and Bengio 2010); ``activations`` has
    one for each layer, where the last layer takes that of the last hidden one.
    """
    coefs: list[Array] = []
    intercepts: list[Array] = []
    for (rows, columns), activation in zip(pairwise(widths), activations, strict=True):
        factor = 2.0 if activation in ("logistic", "sigmoid") else 6.0
        bound = np.sqrt(factor / (rows + columns))
        coefs.append(rng.uniform(-bound, bound, (rows, columns)).astype(dtype, copy=False))
        intercepts.append(rng.uniform(-bound, bound, columns).astype(dtype, copy=False))
    return coefs, intercepts


class Orders:
    """The order of the samples in each epoch, drawn a few epochs ahead.

    Each epoch shuffles the order of the one before. Epochs that are drawn but not used are given
    back, and used next. A generator of the user's (``shared``) is left at the end where
    scikit-learn would have left it.

    >>> orders = Orders(np.random.RandomState(0), 4, shuffle=True)
    >>> first = orders.draw(2)
    >>> orders.keep(1)
    >>> bool((orders.draw(1) == first[1:]).all())
    True
    """

    def __init__(
        self, rng: np.random.RandomState, n: int, *, shuffle: bool, shared: bool = True
    ) -> None:
        self._rng, self._shuffle, self._shared = rng, shuffle, shared and shuffle
        self._newest = np.arange(n)
        self._pending: list[tuple[NDArray[np.int64], Any]] = []
        self._taken: list[tuple[NDArray[np.int64], Any]] = []
        self._state = self._now()

    def draw(self, epochs: int) -> NDArray[np.int64]:
        """The orders of the next epochs, (epochs, n)."""
        while len(self._pending) < epochs:
            if self._shuffle:
                indices = np.arange(len(self._newest))
                self._rng.shuffle(indices)
                self._newest = self._newest[indices]
            self._pending.append((self._newest, self._now()))
        self._taken, self._pending = self._pending[:epochs], self._pending[epochs:]
        return np.stack([order for order, _ in self._taken])

    def keep(self, epochs: int) -> None:
        """Give back all but the first of the epochs drawn last."""
        self._pending = self._taken[epochs:] + self._pending
        if epochs:
            self._state = self._taken[epochs - 1][1]

    def finish(self) -> None:
        """Put a shared generator back to where the last epoch that was kept left it."""
        if self._shared and self._pending:
            self._rng.set_state(self._state)
            self._pending = []

    def _now(self) -> Any:
        return self._rng.get_state(legacy=False) if self._shared else None
