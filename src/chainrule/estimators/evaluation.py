"""The loss on validation data, from what a network computes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.estimators.formulation import ENTRIES
from chainrule.networks.choices import Choice
from chainrule.networks.losses import Loss, match_dtype

__all__ = ["Held", "loss_of"]

Array = NDArray[Any]


class Held(NamedTuple):
    """Validation data, checked and encoded."""

    X: Any
    y: Array
    weight: Array | None = None


def loss_of(loss: str | Loss, output: Choice, logits: Array, held: Held) -> float:
    """The loss reported of the last layer's pre-activations, without the penalties.

    It is scikit-learn's where the loss is: of clipped probabilities, as a mean over outputs for
    the squared error and a sum for the others.
    """
    y = match_dtype(held.y, logits)
    if isinstance(loss, Loss):
        outputs = logits if loss.takes == "logits" else output(logits)
        return float(loss(outputs, y, held.weight))
    _, reported = ENTRIES[loss](logits, y, output.name)
    return float(np.average(reported, weights=held.weight))
