"""Initial weights, as functions ``(rng, fan_in, fan_out) -> W`` of shape ``(fan_in, fan_out)``.

``rng`` is a `numpy.random.Generator` or the older `numpy.random.RandomState`. Biases start at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks.choices import POSITIVE, Choice, Range, choose

__all__ = [
    "INITIALIZERS",
    "Random",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "initializer",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "standard_normal",
    "uniform",
    "zeros",
]

Random = np.random.Generator | np.random.RandomState
"""What the numbers are drawn from."""


def standard_normal(rng: Random, fan_in: int, fan_out: int, *, scale: float = 1.0) -> NDArray[Any]:
    """Normal with mean 0 and standard deviation ``scale``, whatever the layer's size.

    With `numpy.random.RandomState` these are the numbers that ``numpy.random.randn`` draws.

    >>> standard_normal(np.random.RandomState(42), 2, 2).round(4).tolist()
    [[0.4967, -0.1383], [0.6477, 1.523]]
    """
    return scale * rng.standard_normal((fan_in, fan_out))


def uniform(rng: Random, fan_in: int, fan_out: int, *, limit: float | None = None) -> NDArray[Any]:
    """Uniform between ``-limit`` and ``limit``, by default ``1 / √fan_in``.

    >>> bool(abs(uniform(np.random.default_rng(0), 4, 3)).max() <= 0.5)
    True
    """
    bound = 1 / math.sqrt(fan_in) if limit is None else limit
    return rng.uniform(-bound, bound, (fan_in, fan_out))


def zeros(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """All zero. The units of a hidden layer then stay equal to each other for ever.

    >>> zeros(np.random.default_rng(0), 1, 2).tolist()
    [[0.0, 0.0]]
    """
    return np.zeros((fan_in, fan_out))


def glorot_uniform(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Uniform with variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010, equation 16).

    >>> bool(abs(glorot_uniform(np.random.default_rng(0), 3, 3)).max() <= 1)
    True
    """
    return uniform(rng, fan_in, fan_out, limit=math.sqrt(6 / (fan_in + fan_out)))


def glorot_normal(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Normal with variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010, equation 12).

    >>> glorot_normal(np.random.default_rng(0), 3, 2).shape
    (3, 2)
    """
    return standard_normal(rng, fan_in, fan_out, scale=math.sqrt(2 / (fan_in + fan_out)))


def he_uniform(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Uniform with variance ``2 / fan_in`` (He et al. 2015, equation 10), for rectifiers.

    >>> bool(abs(he_uniform(np.random.default_rng(0), 6, 3)).max() <= 1)
    True
    """
    return uniform(rng, fan_in, fan_out, limit=math.sqrt(6 / fan_in))


def he_normal(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Normal with variance ``2 / fan_in`` (He et al. 2015, equation 10), for rectifiers.

    >>> he_normal(np.random.default_rng(0), 3, 2).shape
    (3, 2)
    """
    return standard_normal(rng, fan_in, fan_out, scale=math.sqrt(2 / fan_in))


def lecun_uniform(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Uniform with variance ``1 / fan_in`` (LeCun et al. 1998, equation 16).

    >>> bool(abs(lecun_uniform(np.random.default_rng(0), 3, 3)).max() <= 1)
    True
    """
    return uniform(rng, fan_in, fan_out, limit=math.sqrt(3 / fan_in))


def lecun_normal(rng: Random, fan_in: int, fan_out: int) -> NDArray[Any]:
    """Normal with variance ``1 / fan_in`` (LeCun et al. 1998, equation 16), for selu.

    >>> lecun_normal(np.random.default_rng(0), 3, 2).shape
    (3, 2)
    """
    return standard_normal(rng, fan_in, fan_out, scale=math.sqrt(1 / fan_in))


def orthogonal(rng: Random, fan_in: int, fan_out: int, *, gain: float = 1.0) -> NDArray[Any]:
    """``gain`` times orthonormal columns, or rows where there are fewer (Saxe et al. 2014).

    >>> W = orthogonal(np.random.default_rng(0), 3, 2)
    >>> (W.T @ W).round(12).tolist() == np.eye(2).tolist()
    True
    """
    wide = fan_in < fan_out
    drawn = rng.standard_normal((fan_out, fan_in) if wide else (fan_in, fan_out))
    q, r = np.linalg.qr(drawn)
    # The signs make every orthogonal matrix equally likely, whatever the QR code prefers.
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return gain * (q.T if wide else q)


INITIALIZERS: dict[str, Callable[..., Any]] = {
    "standard_normal": standard_normal,
    "uniform": uniform,
    "glorot": glorot_uniform,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he": he_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
    "zeros": zeros,
}
"""The initialisers by name; ``glorot`` draws uniform numbers, ``he`` and ``lecun`` normal ones."""

_RANGES: dict[str, Range] = {"scale": POSITIVE, "limit": POSITIVE, "gain": POSITIVE}


def initializer(value: object, option: str = "initializer") -> Choice:
    """The initialiser that ``value`` names, or that it is.

    >>> initializer("uniform(limit=0.1)")(np.random.default_rng(0), 1, 2).shape
    (1, 2)

    Raises SettingError, which names ``option``, for an unknown name or setting.
    """
    return choose(option, value, INITIALIZERS, _RANGES)
