"""Random draws in scikit-learn's order: the first weights, and the order of samples of each epoch.

The same ``random_state`` gives the same numbers as there, so they come from the legacy
``numpy.random.RandomState``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Orders", "initial_weights"]

Array = NDArray[Any]


def initial_weights(
    rng: np.random.RandomState,
    widths: list[int],
    activations: tuple[str, ...],
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

    Each epoch shuffles the order of the one before. Epochs that are drawn but not used can be given
    back, so that a generator of the user's ends where scikit-learn would have left it.

    >>> orders = Orders(np.random.RandomState(0), 4, shuffle=True)
    >>> first = orders.draw(2)
    >>> orders.keep(1)
    >>> (orders.draw(1) == first[1:]).all()
    np.True_
    """

    def __init__(self, rng: np.random.RandomState, n: int, *, shuffle: bool) -> None:
        self._rng, self._shuffle = rng, shuffle
        self._order = np.arange(n)
        self._ahead: list[tuple[NDArray[np.int64], Any]] = []

    def draw(self, epochs: int) -> NDArray[np.int64]:
        """The orders of the next epochs, (epochs, n)."""
        self._ahead = [(self._order, self._state())]
        if not self._shuffle:
            return np.tile(self._order, (epochs, 1))
        orders = np.empty((epochs, len(self._order)), np.int64)
        for i in range(epochs):
            indices = np.arange(len(self._order))
            self._rng.shuffle(indices)
            self._order = np.take(self._order, indices, out=orders[i])
            if epochs > 1:
                self._ahead.append((self._order, self._state()))
        return orders

    def keep(self, epochs: int) -> None:
        """Take back all but the first of the epochs drawn last."""
        if self._shuffle and epochs < len(self._ahead) - 1:
            self._order, state = self._ahead[epochs]
            self._rng.set_state(state)

    def _state(self) -> Any:
        return self._rng.get_state(legacy=False) if self._shuffle else None
