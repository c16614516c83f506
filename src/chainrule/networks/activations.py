"""Activation functions, as ordinary NumPy functions of one array.

Each keeps the dtype of its input, neither overflows nor warns on finite input (`exponential`
apart), and carries nan through. Their keyword-only arguments are the settings that may be written
with a name, as in ``"leaky_relu(slope=0.2)"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from chainrule.networks.choices import NONNEGATIVE, POSITIVE, Choice, Range, choose
from chainrule.tracer import special

__all__ = [
    "ACTIVATIONS",
    "SELU_ALPHA",
    "SELU_SCALE",
    "activation",
    "elu",
    "exponential",
    "gelu",
    "identity",
    "leaky_relu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def identity(x: Any) -> Any:
    """The input itself: ``y = x``.

    >>> identity(3.0)
    3.0
    """
    return x


def sigmoid(x: Any) -> Any:
    """The logistic function, ``y = 1 / (1 + exp(-x))``, without overflow at any ``x``.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return special.expit(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return np.tanh(x)


def relu(x: Any) -> Any:
    """The rectifier, ``y = max(x, 0)`` (Nair and Hinton 2010).

    >>> relu(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    return np.maximum(x, 0)


def leaky_relu(x: Any, *, slope: float = 0.01) -> Any:
    """``y = x`` where ``x > 0``, ``y = slope x`` elsewhere (Maas, Hannun and Ng 2013).

    >>> leaky_relu(np.array([-2.0, 3.0]), slope=0.1).tolist()
    [-0.2, 3.0]
    """
    return cast("Any", np.where(x > 0, x, slope * x))


def elu(x: Any, *, alpha: float = 1.0) -> Any:
    """``y = x`` where ``x > 0``, ``y = alpha (exp(x) - 1)`` elsewhere (Clevert et al. 2016).

    >>> elu(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 1000.0]
    """
    # The inner where keeps exp of large x out of the branch that is not taken, and its
    # derivative at 0 is that of the branch, whichever way ties in a minimum are decided.
    negative: Any = np.where(x > 0, 0, x)
    return cast("Any", np.where(x > 0, x, alpha * np.expm1(negative)))


def selu(x: Any) -> Any:
    """``y = 1.0507… elu(x, alpha=1.6732…)``, which keeps mean 0 and variance 1.

    Klambauer et al. 2017, equation 2 and appendix A1 for the two constants.

    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


def gelu(x: Any) -> Any:
    """``y = x Φ(x)`` with the normal distribution function, exact (Hendrycks and Gimpel 2016).

    >>> gelu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-0.0, 0.0, 0.8413]
    """
    return 0.5 * x * (1 + special.erf(x * math.sqrt(0.5)))


def silu(x: Any) -> Any:
    """``y = x sigmoid(x)``, also called swish (Elfwing, Uchibe and Doya 2018).

    >>> silu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-0.0, 0.0, 0.7311]
    """
    return x * special.expit(x)


def softplus(x: Any) -> Any:
    """``y = log(1 + exp(x))``, without overflow at any ``x``.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    return np.logaddexp(x, 0)


def exponential(x: Any) -> Any:
    """``y = exp(x)``: from the logarithm of a rate to the rate, the output of `poisson`.

    >>> exponential(np.array([0.0])).tolist()
    [1.0]
    """
    return np.exp(x)


def softmax(x: Any) -> Any:
    """``y_k = exp(x_k) / Σ_j exp(x_j)`` over the last axis, without overflow.

    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    return special.softmax(x, axis=-1)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "gelu": gelu,
    "silu": silu,
    "softplus": softplus,
    "softmax": softmax,
    "exponential": exponential,
    "identity": identity,
}
"""The activations by name."""

_RANGES: dict[str, Range] = {"slope": NONNEGATIVE, "alpha": POSITIVE}


def activation(value: object, option: str = "activation") -> Choice:
    """The activation that ``value`` names, or that it is: own NumPy functions are welcome.

    >>> activation("leaky_relu(slope=0.1)")(np.array([-2.0, 3.0])).tolist()
    [-0.2, 3.0]

    Raises SettingError, which names ``option``, for an unknown name or setting.
    """
    return choose(option, value, ACTIVATIONS, _RANGES)
