"""Validation data: set aside or given, and what is measured on them."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from chainrule.estimators.formulation import ENTRIES
from chainrule.networks.choices import Choice
from chainrule.networks.losses import Loss, match_dtype

__all__ = ["Held", "held_of", "loss_of", "measuring", "split"]

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


def split(
    model: Any, X: Any, y: Array, weight: Array | None, class_weight: Array | None
) -> tuple[Any, Array, Array | None, Array | None, Held]:
    """The samples to train on, and the ones that are set aside."""
    stratify = y if is_classifier(model) and model.n_outputs_ == 1 else None
    given = [each for each in (weight, class_weight) if each is not None]
    parts: list[Any] = train_test_split(
        X,
        y,
        *given,
        random_state=model._random_state,
        test_size=model.validation_fraction,
        stratify=stratify,
    )
    kept, aside = iter(parts[0::2]), iter(parts[1::2])
    X, y = next(kept), next(kept)
    held = Held(next(aside), next(aside), None if weight is None else next(aside))
    if held.X.shape[0] < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            f"your dataset: {model.validation_fraction} of {X.shape[0] + held.X.shape[0]} "
            f"samples is {held.X.shape[0]}."
        )
    weight = None if weight is None else next(kept)
    return X, y, weight, None if class_weight is None else next(kept), held


def held_of(model: Any, validation_data: Any) -> Held:
    """Validation data of the user's own: (X, y) or (X, y, sample_weight)."""
    if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
        raise ValueError(
            "validation_data must be (X, y) or (X, y, sample_weight); it is "
            f"{type(validation_data).__name__}"
            + (f" of {len(validation_data)}." if isinstance(validation_data, tuple) else ".")
        )
    X, y = model._checked_pair(*validation_data[:2])
    X = X.astype(model.coefs_[0].dtype, copy=False)
    weight = validation_data[2] if len(validation_data) == 3 else None
    return Held(X, model._encoded(y), None if weight is None else _check_sample_weight(weight, X))


def measuring(model: Any, held: Held) -> Callable[[], dict[str, float]]:
    """What gives the loss and the score on validation data, and keeps the best weights."""
    best, formulation = np.inf, model._formulation()

    def measure() -> dict[str, float]:
        nonlocal best
        logits = model._logits(held.X, formulation.hidden)
        loss = loss_of(formulation.loss, formulation.output, logits, held)
        if not model.early_stopping and loss < best:
            best = loss
            model._best_coefs = [W.copy() for W in model.coefs_]
            model._best_intercepts = [b.copy() for b in model.intercepts_]
        score = model._score_of(formulation.output(logits), held.y, held.weight)
        return {"validation_loss": loss, "validation_score": score}

    return measure
