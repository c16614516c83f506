"""Bounds on the loss: what no network can go below that gives some samples the same output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks.losses import Loss

__all__ = ["Floor", "groups_of", "lowest_loss"]

Array = NDArray[Any]

_LARGEST_LOGIT = 700.0
"""Where a search over pre-activations ends: exp(700) is just below the largest float64."""
_HALVINGS = 200


@dataclass(frozen=True)
class Floor:
    """The lowest loss with one output for each group of samples, and these outputs (n, k).

    ``outputs`` are activations: probabilities where the loss takes logits.
    """

    loss: float
    outputs: Array


def groups_of(rows: Array) -> NDArray[np.int64]:
    """The number of each row's group (n,), where equal rows are of one group.

    >>> groups_of(np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]])).tolist()
    [1, 0, 1]
    """
    # By sorting, as np.unique imports NumPy's masked arrays, which takes longer than all this.
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    is_new = np.any(ordered[1:] != ordered[:-1], axis=1)
    found = np.empty(len(rows), np.int64)
    found[order] = np.concatenate([[0], np.cumsum(is_new)])
    return found


def lowest_loss(criterion: Loss, y: Array, groups: NDArray[np.int64]) -> Floor | None:
    """The lowest loss that outputs can have which are equal within each group; None if unknown.

    A loss is a sum over samples, so the best output of each group can be found by itself: the mean
    target for squared errors and cross-entropies, the median for absolute errors. Any network that
    cannot tell the samples of a group apart has at least this loss.

    >>> from chainrule.networks.losses import loss
    >>> y = np.array([[0.0], [1.0], [1.0], [0.0]])
    >>> lowest_loss(loss("squared_error"), y, np.array([0, 1, 2, 1])).loss
    0.125
    """
    if criterion.own:
        return None
    full = y if y.ndim == 2 else _one_hot(y)
    outputs = np.empty(full.shape)
    for group in range(int(groups.max()) + 1):
        chosen = groups == group
        outputs[chosen] = _best_output(criterion, full[chosen])
    return Floor(_loss_at(criterion, outputs, full), outputs)


def _one_hot(y: Array) -> Array:
    return np.eye(int(y.max()) + 1)[y.astype(int)]


def _best_output(criterion: Loss, y: Array) -> Array:
    if criterion.name in ("absolute_error", "quantile"):
        q = float(criterion.settings.get("q", 0.5)) if criterion.name == "quantile" else 0.5
        return np.quantile(y, q, axis=0, method="inverted_cdf")
    if criterion.name == "huber":
        return np.array([_huber_center(column, criterion) for column in y.T])
    if criterion.name == "hinge":
        return np.where(np.mean(y, axis=0) >= 0.5, 1.0, -1.0)
    return np.mean(y, axis=0)


def _huber_center(column: Array, criterion: Loss) -> float:
    """Where the derivative of the Huber loss, which never falls, changes its sign."""
    delta = float(criterion.settings.get("delta", 1.0))
    low, high = float(column.min()), float(column.max())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.sum(np.clip(column - middle, -delta, delta)) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _loss_at(criterion: Loss, outputs: Array, y: Array) -> float:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if criterion.name == "binary_cross_entropy":
            logits = np.log(outputs) - np.log1p(-outputs)
        elif criterion.name in ("categorical_cross_entropy", "poisson"):
            logits = np.log(outputs)
        else:
            return float(criterion(outputs, y))
        return float(criterion(np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT), y))
