"""Loss functions, as ordinary NumPy functions ``(output, target, weight=None) -> scalar``.

``output`` has shape ``(n, k)``: the network's activations ``a``, or its pre-activations ``z`` where
the loss says so. Those losses need no logarithm of a probability that has rounded to 0 or 1, so
they are finite and exact however sure the network is. ``target`` has the output's shape; for
`categorical_cross_entropy` it may be ``(n,)`` class numbers. ``weight`` has shape ``(n,)``: a mean
becomes the weighted mean over samples, a sum the weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, cast

import numpy as np

from chainrule.errors import SettingError
from chainrule.networks.choices import INSIDE, POSITIVE, Range, choose, format_choice
from chainrule.tracer import special

__all__ = [
    "LOSSES",
    "Loss",
    "absolute_error",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "half_squared_error",
    "hinge",
    "huber",
    "loss",
    "match_dtype",
    "poisson",
    "quantile",
    "squared_error",
    "squared_error_sum",
]


def match_dtype(value: Any, like: Any) -> Any:
    """``value`` cast to the dtype of ``like``, unless it is as narrow a float already.

    Integer or float64 targets beside float32 outputs would make every gradient float64, and
    ``2 y - 1`` of unsigned or boolean labels would wrap around.

    >>> match_dtype(np.array([1]), np.zeros(1, np.float32)).dtype
    dtype('float32')
    """
    if value.dtype.kind == "f" and np.result_type(value.dtype, like.dtype) == like.dtype:
        return value
    return value.astype(like.dtype)


def _mean(entries: Any, weight: Any) -> Any:
    """The mean of all entries; with weights, the weighted mean over samples."""
    if weight is None:
        return cast("Any", np.mean(entries))
    samples = entries if entries.ndim == 1 else np.mean(entries, axis=1)
    weight = match_dtype(weight, samples)
    return np.sum(samples * weight) / np.sum(weight)


def squared_error(output: Any, target: Any, weight: Any = None) -> Any:
    """The mean over samples and outputs of ``(y - a)²``.

    >>> float(squared_error(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    2.0
    """
    return _mean((match_dtype(target, output) - output) ** 2, weight)


def squared_error_sum(output: Any, target: Any, weight: Any = None) -> Any:
    """The sum over samples and outputs of ``(y - a)²``: grows with the number of samples.

    >>> float(squared_error_sum(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    4.0
    """
    entries = (match_dtype(target, output) - output) ** 2
    if weight is None:
        return np.sum(entries)
    return np.sum(np.sum(entries, axis=1) * match_dtype(weight, entries))


def half_squared_error(output: Any, target: Any, weight: Any = None) -> Any:
    """Half the mean over samples and outputs of ``(y - a)²``, scikit-learn's regression loss.

    >>> float(half_squared_error(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """
    return 0.5 * squared_error(output, target, weight)


def absolute_error(output: Any, target: Any, weight: Any = None) -> Any:
    """The mean over samples and outputs of ``|y - a|``; best at the median.

    >>> float(absolute_error(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """
    return _mean(np.abs(match_dtype(target, output) - output), weight)


def huber(output: Any, target: Any, weight: Any = None, *, delta: float = 1.0) -> Any:
    """The mean of ``½ e²`` where ``|e| ≤ delta``, ``delta (|e| - ½ delta)`` beyond.

    Here ``e = y - a`` (Huber 1964). Outliers pull with a force of ``delta`` at most.

    >>> float(huber(np.array([[0.0], [3.0]]), np.array([[1.0], [0.0]]), delta=1.0))
    1.5
    """
    error = match_dtype(target, output) - output
    near = np.clip(error, -delta, delta)
    # near (e - ½ near) is both formulas at once: nothing overflows in a branch not taken.
    return _mean(near * (error - 0.5 * near), weight)


def binary_cross_entropy(output: Any, target: Any, weight: Any = None) -> Any:
    """The mean of ``-y log σ(z) - (1 - y) log(1 - σ(z))``, computed as ``log(1 + exp(z)) - y z``.

    ``output`` holds pre-activations ``z``, ``target`` numbers from 0 to 1. The gradient of one
    entry is ``σ(z) - y``.

    >>> float(binary_cross_entropy(np.array([[0.0], [1e4]]), np.array([[1.0], [1.0]])).round(4))
    0.3466
    """
    return _mean(np.logaddexp(output, 0) - match_dtype(target, output) * output, weight)


def categorical_cross_entropy(output: Any, target: Any, weight: Any = None) -> Any:
    """The mean over samples of ``-log softmax(z)`` at the true class.

    ``output`` holds pre-activations ``z`` of shape ``(n, k)``; ``target`` is one-hot (or any
    probabilities) of shape ``(n, k)``, or class numbers ``0 … k-1`` of shape ``(n,)``.

    >>> z = np.array([[0.0, 0.0], [1e4, 0.0]])
    >>> float(categorical_cross_entropy(z, np.array([0, 0])).round(4))
    0.3466
    >>> float(categorical_cross_entropy(z, np.array([[1, 0], [1, 0]])).round(4))
    0.3466
    """
    log_probabilities = special.log_softmax(output, axis=1)
    if target.ndim == 1:
        return _mean(-log_probabilities[np.arange(output.shape[0]), target], weight)
    return _mean(-np.sum(match_dtype(target, output) * log_probabilities, axis=1), weight)


def hinge(output: Any, target: Any, weight: Any = None) -> Any:
    """The mean of ``max(0, 1 - t z)`` with ``t = 2 y - 1``, the loss of support vector machines.

    ``output`` holds pre-activations ``z``, ``target`` is 0 or 1. With several outputs, each is a
    class of its own against the rest.

    >>> float(hinge(np.array([[0.5], [-2.0]]), np.array([[1.0], [0.0]])))
    0.25
    """
    sign = 2 * match_dtype(target, output) - 1
    return _mean(np.maximum(1 - sign * output, 0), weight)


def poisson(output: Any, target: Any, weight: Any = None) -> Any:
    """Half the Poisson deviance: the mean of ``exp(z) - y z + y log y - y``, 0 at ``exp(z) = y``.

    ``output`` holds logarithms of rates ``z``, ``target`` counts, 0 or more.

    >>> float(poisson(np.array([[np.log(3.0)], [0.0]]), np.array([[3.0], [0.0]])).round(4))
    0.5
    """
    target = match_dtype(target, output)
    return _mean(
        np.exp(output) - target * output + (special.xlogy(target, target) - target), weight
    )


def quantile(output: Any, target: Any, weight: Any = None, *, q: float = 0.5) -> Any:
    """The mean of ``max(q e, (q - 1) e)`` with ``e = y - a``; best at the ``q``-quantile.

    Koenker and Bassett 1978.

    >>> float(quantile(np.array([[0.0]]), np.array([[2.0]]), q=0.9))
    1.8
    """
    error = match_dtype(target, output) - output
    return _mean(np.maximum(q * error, (q - 1) * error), weight)


@dataclass(frozen=True)
class Loss:
    """A loss function and what a network and its data must know about it.

    ``takes``       whether ``function`` is given the last layer's pre-activation (``"logits"``) or
                    its activation;
    ``output``      the output activation that goes with it unless another is chosen;
    ``outputs``     the only output activations that go with it, or None for any;
    ``measures``    what the number is, in words;
    ``targets``     what it is compared with: any values, numbers from 0 to 1 (``"fractions"``),
                    only 0 and 1 (``"labels"``), 0 or more (``"counts"``), or ``"classes"``;
    ``reduction``   whether it is a mean or a sum over samples.
    """

    name: str
    function: Callable[..., Any]
    measures: str
    takes: Literal["logits", "activation"] = "activation"
    output: str = "identity"
    outputs: tuple[str, ...] | None = None
    targets: Literal["values", "fractions", "labels", "counts", "classes"] = "values"
    reduction: Literal["mean", "sum"] = "mean"
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    own: bool = False

    @property
    def text(self) -> str:
        """The loss as it is written: ``huber(delta=2)``; an own function's name."""
        return self.name if self.own else format_choice(self.name, self.settings)

    def __call__(self, output: Any, target: Any, weight: Any = None) -> Any:
        """The loss of an output (as `takes` says) against a target: a scalar."""
        if weight is None:
            return self.function(output, target)
        return self.function(output, target, weight)


def _table(*losses: Loss) -> dict[str, Loss]:
    return {entry.name: entry for entry in losses}


_logits = partial(Loss, takes="logits")

LOSSES: dict[str, Loss] = _table(
    Loss("squared_error", squared_error, "mean squared error"),
    Loss("squared_error_sum", squared_error_sum, "sum of squared errors", reduction="sum"),
    Loss("half_squared_error", half_squared_error, "half the mean squared error"),
    Loss("absolute_error", absolute_error, "mean absolute error"),
    Loss("huber", huber, "mean Huber loss"),
    Loss("quantile", quantile, "mean quantile loss"),
    _logits(
        "binary_cross_entropy",
        binary_cross_entropy,
        "mean binary cross-entropy in nats",
        output="sigmoid",
        outputs=("sigmoid", "identity"),
        targets="fractions",
    ),
    _logits(
        "categorical_cross_entropy",
        categorical_cross_entropy,
        "mean cross-entropy in nats",
        output="softmax",
        outputs=("softmax", "identity"),
        targets="classes",
    ),
    _logits(
        "hinge",
        hinge,
        "mean hinge loss",
        output="identity",
        outputs=("identity",),
        targets="labels",
    ),
    _logits(
        "poisson",
        poisson,
        "half the mean Poisson deviance",
        output="exponential",
        outputs=("exponential", "identity"),
        targets="counts",
    ),
)
"""The losses by name."""

_RANGES: dict[str, Range] = {"delta": POSITIVE, "q": INSIDE}


def loss(value: object, option: str = "loss") -> Loss:
    """The `Loss` that ``value`` names or is, or an own function's ``(output, target) -> scalar``.

    An own function is given the activations of the last layer; one that takes pre-activations is
    passed as a `Loss` with ``takes="logits"``.

    >>> loss("huber(delta=2)").text, loss("poisson").output
    ('huber(delta=2)', 'exponential')

    Raises SettingError, which names ``option``, for an unknown name or setting.
    """
    if isinstance(value, Loss):
        return value
    functions = {name: entry.function for name, entry in LOSSES.items()}
    choice = choose(option, value, functions, _RANGES)
    if choice.own:
        return Loss(choice.name, choice.function, f"the loss {choice.name}", own=True)
    entry = LOSSES[choice.name]
    if not choice.settings:
        return entry
    function = partial(entry.function, **choice.settings)
    return replace(entry, function=function, settings=dict(choice.settings))


def refuse_weight(chosen: Loss) -> SettingError:
    """The error for sample weights given to an own loss that takes none."""
    return SettingError(
        f"Sample weights were given, but the loss {chosen.name} takes only (output, target). "
        f"Give it a third argument, 'weight' of shape (n,), or leave the weights out."
    )
