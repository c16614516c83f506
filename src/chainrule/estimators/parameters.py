"""What values the estimators' parameters take, in scikit-learn's terms."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)

from chainrule.errors import SettingError
from chainrule.estimators.choosing import (
    RATES,
    SOLVERS,
    chosen_activation,
    chosen_loss,
)
from chainrule.networks import ACTIVATIONS, LOSSES
from chainrule.networks.choices import nearest_first
from chainrule.training.optimizers import OPTIMIZERS
from chainrule.training.optimizers import optimizer as choose_optimizer
from chainrule.training.schedules import SCHEDULES
from chainrule.training.schedules import schedule as choose_schedule

__all__ = ["ACCEPTED", "CLASSIFIER_LOSSES", "REGRESSOR_LOSSES", "with_hint"]


# scikit-learn knows its own kinds of constraints and what is derived from them.


class _Chosen(Options):
    """One of this package's names, with settings or without, or a NumPy function."""

    def __init__(self, what: str, names: Iterable[str], choose: Callable[[Any], Any]) -> None:
        super().__init__(object, set())
        self.what, self.names, self.choose = what, tuple(names), choose

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether it can be chosen."""
        try:
            self.choose(val)
        except (SettingError, TypeError):
            return False
        return True

    def __str__(self) -> str:
        return f"chainrule's name of {self.what} ({', '.join(self.names)}) or a NumPy function"


class _Each(_Chosen):
    """A list of what another constraint takes, one for each hidden layer."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether each can be chosen."""
        return isinstance(val, list | tuple) and all(map(super().is_satisfied_by, val))

    def __str__(self) -> str:
        return "a list of such, one for each hidden layer"


class _Fractions(Options):
    """A list of fractions, one for each hidden layer."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether each is one."""
        return isinstance(val, list | tuple) and all(map(_FRACTION[0].is_satisfied_by, val))

    def __str__(self) -> str:
        return "a list of such, one for each hidden layer"


class _Functions(Options):
    """A function, or a list of functions."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether all can be called."""
        return callable(val) or (isinstance(val, list | tuple) and all(map(callable, val)))

    def __str__(self) -> str:
        return "a function of an epoch, or a list of such functions"


_COUNT = [Interval(Integral, 1, None, closed="left")]
_NONNEGATIVE = [Interval(Real, 0, None, closed="left")]
_POSITIVE = [Interval(Real, 0, None, closed="neither")]
_FRACTION = [Interval(Real, 0, 1, closed="left")]

_ACTIVATION = "an activation", ACTIVATIONS, chosen_activation
_NAMES: dict[str, tuple[str, ...]] = {
    "activation": ("identity", "logistic", "tanh", "relu", *ACTIVATIONS),
    "solver": (*SOLVERS, *OPTIMIZERS),
    "learning_rate": (*RATES, *SCHEDULES),
    "loss": ("log_loss", *LOSSES),
}


def _losses(*names: str) -> list[Any]:
    return [StrOptions(set(names)), _Chosen("a loss", LOSSES, chosen_loss)]


CLASSIFIER_LOSSES = _losses("log_loss")
REGRESSOR_LOSSES = _losses("squared_error", "poisson")

ACCEPTED: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", *_COUNT],
    "activation": [
        StrOptions({"identity", "logistic", "tanh", "relu"}),
        _Chosen(*_ACTIVATION),
        _Each(*_ACTIVATION),
    ],
    "solver": [
        StrOptions({*SOLVERS}),
        _Chosen("an optimizer", OPTIMIZERS, lambda value: choose_optimizer(value, "solver")),
    ],
    "alpha": _NONNEGATIVE,
    "batch_size": [StrOptions({"auto"}), *_COUNT],
    "learning_rate": [
        StrOptions({*RATES}),
        _Chosen(
            "a schedule",
            SCHEDULES,
            lambda value: choose_schedule(value, base=0.1, total=1, samples=1),
        ),
    ],
    "learning_rate_init": _POSITIVE,
    "power_t": _NONNEGATIVE,
    "max_iter": _COUNT,
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": _NONNEGATIVE,
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": _FRACTION,
    "beta_1": _FRACTION,
    "beta_2": _FRACTION,
    "epsilon": _POSITIVE,
    "n_iter_no_change": [*_COUNT, Options(Real, {np.inf})],
    "max_fun": _COUNT,
    # What scikit-learn's perceptrons do not have.
    "l1": _NONNEGATIVE,
    "dropout": [*_FRACTION, _Fractions(object, set())],
    "callbacks": [_Functions(object, set()), None],
    "max_time": [*_POSITIVE, None],
    "restore_best_weights": ["boolean"],
    "progress_bar": ["boolean"],
    "buffer_size": _COUNT,
}


def with_hint(error: InvalidParameterError, values: dict[str, Any]) -> InvalidParameterError:
    """The same error, with the name that was probably meant."""
    found = re.match(r"The '(\w+)' parameter", str(error))
    name = found[1] if found else ""
    if name not in _NAMES or not isinstance(values.get(name), str):
        return error
    near = nearest_first(values[name], dict.fromkeys(_NAMES[name]))[0]
    return InvalidParameterError(f"{error} Did you mean {near!r}?")
