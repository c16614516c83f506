"""What a fitted estimator tells of itself: gradients, their certificate, every number of a step."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from chainrule.estimators.formulation import Batch, Parameters
from chainrule.interpreter import Program
from chainrule.pytrees import flatten

if TYPE_CHECKING:
    from chainrule.certificate.results import Certificate
    from chainrule.explain import Derivation

__all__ = ["certificate_of", "derivation_of", "gradients_of"]

Array = NDArray[Any]


def gradients_of(model: Any, X: Any, y: Any, sample_weight: Any) -> Parameters:
    """The gradient of the loss that is minimised by each weight and bias."""
    batch = _batch(model, X, y, sample_weight)
    parameters, penalties = model._parameters(), model._penalties(batch.X.dtype)
    graph = model._formulation().gradient(parameters, penalties, batch)
    with np.errstate(all="ignore"):
        *gradients, _ = Program(graph)(*flatten((parameters, penalties, batch))[0])
    layers = len(model.coefs_)
    return Parameters(tuple(gradients[:layers]), tuple(gradients[layers:]))


def certificate_of(model: Any, X: Any, y: Any, sample_weight: Any) -> Certificate:
    """The gradients compared with the complex step, central differences and Taylor's formula."""
    from chainrule.certificate import check_gradients

    loss, parameters = _loss(model, _batch(model, X, y, sample_weight))
    return check_gradients(loss, parameters)


def derivation_of(model: Any, X: Any, y: Any, sample_weight: Any) -> Derivation:
    """Every number of the forward and the backward pass, with the rule that made it."""
    from chainrule.explain import Derivation

    batch = _batch(model, X, y, sample_weight)
    loss, parameters = _loss(model, batch)
    formulation, penalties = model._formulation(), model._penalties(batch.X.dtype)
    if batch.weight is not None:
        return Derivation.of(loss, parameters)

    def of_data(parameters: dict[str, Any], X: Any, y: Any) -> Any:
        return formulation(_layers(parameters), penalties, Batch(X, y))[0]

    of_data.__name__ = type(model).__name__
    return Derivation.of(of_data, parameters, batch.X, batch.y)


def _batch(model: Any, X: Any, y: Any, sample_weight: Any) -> Batch:
    """Samples, checked and encoded as in training."""
    check_is_fitted(model)
    X, y = model._checked_pair(X, y)
    dtype = model.coefs_[0].dtype
    X = cast(Any, X).toarray() if issparse(X) else X
    weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
    weight = None if weight is None else weight.astype(dtype)
    return Batch(X.astype(dtype), model._encoded(y).astype(dtype), weight)


def _loss(model: Any, batch: Batch) -> tuple[Callable[..., Any], dict[str, Array]]:
    """The loss that is minimised, as a function of named parameters; and these."""
    formulation, penalties = model._formulation(), model._penalties(batch.X.dtype)

    def loss(parameters: dict[str, Any]) -> Any:
        return formulation(_layers(parameters), penalties, batch)[0]

    named: dict[str, Array] = {}
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), start=1):
        named[f"W{i}"], named[f"b{i}"] = W, b
    return loss, named


def _layers(parameters: dict[str, Any]) -> Parameters:
    layers = range(1, len(parameters) // 2 + 1)
    return Parameters(
        tuple(parameters[f"W{i}"] for i in layers), tuple(parameters[f"b{i}"] for i in layers)
    )
