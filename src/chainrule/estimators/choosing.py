"""From an estimator's parameters to activations, a loss, an optimiser and a schedule.

scikit-learn's names mean what they mean there. All others are this package's own, written as
everywhere in it: ``"leaky_relu(slope=0.2)"``, or a NumPy function.
"""

# An estimator's parameters are what its user made them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from functools import cache
from typing import Any

from chainrule.estimators.formulation import Formulation
from chainrule.networks import activation as choose_activation
from chainrule.networks import loss as choose_loss
from chainrule.networks.choices import Choice
from chainrule.networks.losses import Loss
from chainrule.training import optimizers
from chainrule.training.optimizers import Optimizer
from chainrule.training.schedules import Schedule
from chainrule.training.schedules import schedule as choose_schedule

__all__ = [
    "RATES",
    "SOLVERS",
    "chosen_activation",
    "chosen_loss",
    "chosen_optimizer",
    "chosen_schedule",
    "formulation_of",
    "hidden_activations",
    "layers_of",
    "per_hidden_layer",
]

SOLVERS = ("lbfgs", "sgd", "adam")
RATES = ("constant", "invscaling", "adaptive")
LOSSES = ("log_loss", "squared_error", "poisson")
"""scikit-learn's names, with scikit-learn's meanings."""

_NAMES = {"logistic": "sigmoid", "exp": "exponential"}
"""scikit-learn's names of activations that are called otherwise here."""


def chosen_activation(value: Any) -> Choice:
    """The activation that a parameter names or is."""
    return _named_activation(value) if isinstance(value, str) else choose_activation(value)


@cache
def _named_activation(name: str) -> Choice:
    return choose_activation(_NAMES.get(name, name))


def chosen_loss(value: Any, quantile: float | None = None) -> str | Loss:
    """scikit-learn's name of a loss, or the `Loss` that a parameter names or is."""
    if isinstance(value, str):
        if value in LOSSES:
            return value
        if value == "quantile" and quantile is not None:
            value = f"quantile(q={quantile!r})"
    return choose_loss(value)


def chosen_optimizer(model: Any) -> Optimizer:
    """The optimiser of an estimator's ``solver``."""
    if model.solver == "adam":
        return optimizers.adam(
            beta1=float(model.beta_1),
            beta2=float(model.beta_2),
            epsilon=float(model.epsilon),
            correction="rate",
        )
    if model.solver == "sgd":
        kind = optimizers.nesterov if model.nesterovs_momentum else optimizers.momentum
        return kind(momentum=float(model.momentum))
    return optimizers.optimizer(model.solver, "solver")


def chosen_schedule(model: Any, samples: int) -> Schedule | None:
    """This package's schedule of an estimator's ``learning_rate``; None for scikit-learn's."""
    if isinstance(model.learning_rate, str) and model.learning_rate in RATES:
        return None
    return choose_schedule(
        model.learning_rate,
        base=float(model.learning_rate_init),
        total=int(model.max_iter),
        samples=samples,
        option="learning_rate",
    )


def per_hidden_layer(name: str, value: Any, count: int) -> list[Any]:
    """One value for each hidden layer, from a list of them or one for all.

    Raises ValueError for a list of another length.
    """
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name}={value!r} has {len(value)} entries, and there are {count} hidden layers: give "
            "one for each of them, or one for all."
        )
    return list(value)


def hidden_activations(model: Any, count: int) -> list[Any]:
    """The activation of each hidden layer, as the user gave it."""
    return per_hidden_layer("activation", model.activation, count)


def layers_of(model: Any) -> tuple[tuple[Choice, ...], Choice]:
    """The activations of a fitted estimator's hidden layers, and of its output."""
    hidden = hidden_activations(model, model.n_layers_ - 2)
    return tuple(map(chosen_activation, hidden)), chosen_activation(model.out_activation_)


def formulation_of(model: Any) -> Formulation:
    """The network of a fitted estimator, with its loss."""
    return Formulation(*layers_of(model), model._chosen_loss())
