"""From a fitted estimator to scikit-learn's of the same name, and back."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import sklearn.neural_network
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils.validation import check_is_fitted

from chainrule.estimators.choosing import chosen_optimizer
from chainrule.estimators.formulation import Parameters
from chainrule.estimators.state import OptimizerState
from chainrule.pytrees import flatten
from chainrule.training.history import History

__all__ = ["from_sklearn", "to_sklearn"]

_SHARED = (
    "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "loss_", "loss_curve_",
    "best_loss_", "validation_scores_", "best_validation_score_", "n_features_in_",
    "feature_names_in_", "classes_", "_label_binarizer", "_no_improvement_count", "_best_coefs",
    "_best_intercepts", "coefs_", "intercepts_",
)  # fmt: skip
"""The attributes that both have, with the same meaning."""


def to_sklearn(model: Any) -> Any:
    """scikit-learn's estimator with the same parameters, weights and records.

    Raises ValueError where scikit-learn has nothing that computes the same.
    """
    check_is_fitted(model)
    name = type(model).__name__
    made = getattr(sklearn.neural_network, name)()
    known = made.get_params()
    _check_known(model, name)
    made.set_params(**{key: value for key, value in model.get_params().items() if key in known})
    made._validate_params()
    _copy(model, made)
    state = getattr(model, "_optimizer", None)
    if state is not None:
        made._optimizer = _their_optimizer(model, made, state)
    return made


def _check_known(model: Any, name: str) -> None:
    """Refuse what changes the outputs and is not known there."""
    theirs = getattr(sklearn.neural_network, name)
    accepted = theirs._parameter_constraints
    values = {"activation": model.activation, "loss": model.loss, "solver": model.solver}
    for key, value in values.items():
        options = {"log_loss"} if key not in accepted else accepted[key][0].options
        if not isinstance(value, str) or value not in options:
            raise ValueError(
                f"scikit-learn's {name} has no {key}={value!r}. It has {sorted(options)}; use "
                "to_onnx() to take this network elsewhere."
            )


def _copy(source: Any, target: Any) -> None:
    for name in _SHARED:
        if hasattr(source, name):
            setattr(target, name, deepcopy(getattr(source, name)))


def _their_optimizer(model: Any, made: Any, state: OptimizerState) -> Any:
    parameters = made.coefs_ + made.intercepts_
    rate = float(model.learning_rate_init)
    if model.solver == "sgd":
        optimizer: Any = SGDOptimizer(
            parameters, rate, model.learning_rate, model.momentum, model.nesterovs_momentum,
            model.power_t,
        )  # fmt: skip
        optimizer.velocities = [leaf.copy() for leaf in flatten(state.memory["velocity"])[0]]
        optimizer.learning_rate = state.rate
        return optimizer
    optimizer = AdamOptimizer(parameters, rate, model.beta_1, model.beta_2, model.epsilon)
    optimizer.t = state.updates
    optimizer.ms = [leaf.copy() for leaf in flatten(state.memory["mean"])[0]]
    optimizer.vs = [leaf.copy() for leaf in flatten(state.memory["square"])[0]]
    optimizer.learning_rate = state.learning_rate
    return optimizer


def from_sklearn(kind: type[Any], fitted: Any) -> Any:
    """An estimator with the parameters, weights and records of scikit-learn's.

    Raises TypeError for anything but scikit-learn's estimator of the same name.
    """
    theirs = getattr(sklearn.neural_network, kind.__name__)
    if not isinstance(fitted, theirs):
        raise TypeError(
            f"{kind.__name__}.from_sklearn takes a fitted sklearn.neural_network.{kind.__name__}; "
            f"this is {type(fitted).__module__}.{type(fitted).__name__}."
        )
    check_is_fitted(fitted)
    made = kind(**fitted.get_params())
    _copy(fitted, made)
    made.history_ = History({"loss": getattr(made, "loss_curve_", [])})
    theirs_optimizer = getattr(fitted, "_optimizer", None)
    if theirs_optimizer is not None:
        made._optimizer = _our_optimizer(made, theirs_optimizer)
    return made


def _our_optimizer(made: Any, optimizer: Any) -> OptimizerState:
    parameters = made._parameters()
    rate = float(made.learning_rate_init)
    state = OptimizerState.of(chosen_optimizer(made), rate, parameters)

    def like(arrays: list[Any]) -> Parameters:
        layers = len(made.coefs_)
        copies = [np.array(array) for array in arrays]
        return Parameters(tuple(copies[:layers]), tuple(copies[layers:]))

    if made.solver == "sgd":
        state.memory = {"velocity": like(optimizer.velocities)}
        state.rate = optimizer.learning_rate
        return state
    state.updates = optimizer.t
    step = np.asarray(optimizer.t, parameters.coefs[0].dtype)
    state.memory = {"step": step, "mean": like(optimizer.ms), "square": like(optimizer.vs)}
    return state
