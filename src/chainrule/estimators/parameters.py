"""What values the estimators' parameters take, in scikit-learn's terms."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

__all__ = ["ACCEPTED", "STOCHASTIC"]

STOCHASTIC = ("sgd", "adam")
"""The solvers that take a batch at a time."""

_COUNT = [Interval(Integral, 1, None, closed="left")]
_NONNEGATIVE = [Interval(Real, 0, None, closed="left")]
_POSITIVE = [Interval(Real, 0, None, closed="neither")]
_FRACTION = [Interval(Real, 0, 1, closed="left")]

ACCEPTED: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", *_COUNT],
    "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": _NONNEGATIVE,
    "batch_size": [StrOptions({"auto"}), *_COUNT],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
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
}
