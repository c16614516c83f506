"""Optimisers, as NumPy functions from parameters, gradients and state to the next ones.

An `Optimizer` is a pair of functions over pytrees of arrays:

    state = initialize(parameters)
    parameters, state = update(parameters, gradients, state, learning_rate)

Nothing is changed in place, and every state is a pytree of arrays, so an update can be traced,
printed and compiled together with the gradients. ``learning_rate`` is a number or a 0-d array. All
arithmetic keeps the dtype of the parameters: float32 stays float32.

Below, ``W`` is a parameter, ``g`` its gradient, ``η`` the learning rate and ``t = 1, 2, …`` the
number of the update; squares, roots and quotients are elementwise.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.errors import SettingError
from chainrule.networks.choices import (
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    Range,
    choose,
    format_choice,
    one_of,
)
from chainrule.pytrees import flatten, map_leaves
from chainrule.training.clipping import cast_like, clip_by_norm, clip_by_value

__all__ = [
    "OPTIMIZERS",
    "Optimizer",
    "adagrad",
    "adam",
    "adamw",
    "clip_by_norm",
    "clip_by_value",
    "gradient_descent",
    "lion",
    "momentum",
    "nesterov",
    "optimizer",
    "rmsprop",
]

Tree = Any
"""A pytree of arrays."""
Update = Callable[[Tree, Tree, Tree, Any], tuple[Tree, Tree]]
"""``(parameters, gradients, state, learning_rate) -> (parameters, state)``."""


def _no_state(parameters: Tree) -> Tree:
    return {}


@dataclass(frozen=True)
class Optimizer:
    """A way to update parameters: a pair of functions, with the settings they were made with.

    >>> descent = gradient_descent()
    >>> state = descent.initialize({"W": np.array([1.0])})
    >>> descent.update({"W": np.array([1.0])}, {"W": np.array([2.0])}, state, 0.25)
    ({'W': array([0.5])}, {})
    """

    name: str
    update: Update
    initialize: Callable[[Tree], Tree] = _no_state
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    own: bool = False

    @property
    def text(self) -> str:
        """The optimiser as it is written: ``momentum(momentum=0.9)``; an own function's name."""
        return self.name if self.own else format_choice(self.name, self.settings)


def _zeros(parameters: Tree) -> Tree:
    """Zeros beside every parameter. Raises SettingError for parameters that are not floats."""
    leaves, structure = flatten(parameters)
    for path, leaf in zip(structure.paths("parameters"), leaves, strict=True):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.result_type(leaf)
        if dtype.kind != "f":
            raise SettingError(
                f"{path} has dtype {dtype}; an optimiser updates float parameters. "
                f"Write .astype(float) where it is made."
            )
    return map_leaves(np.zeros_like, parameters)


def _zero_step(parameters: Tree) -> Any:
    leaves, _ = flatten(parameters)
    return np.zeros_like(leaves[0], shape=()) if leaves else np.zeros(())


def _running_mean(beta: float, means: Tree, gradients: Tree, power: int = 1) -> Tree:
    """``m ← β m + (1 - β) g``, or of ``g²``."""

    def average(m: Any, g: Any) -> Any:
        return beta * m + (1 - beta) * (g**2 if power == 2 else g)

    return map_leaves(average, means, gradients)


def gradient_descent() -> Optimizer:
    """``W ← W - η g``.

    >>> gradient_descent().update(np.array([1.0]), np.array([2.0]), {}, 0.5)
    (array([0.]), {})
    """

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        def step(W: Any, g: Any) -> Any:
            return W - cast_like(learning_rate, W) * g

        return map_leaves(step, parameters, gradients), state

    return Optimizer("gradient_descent", update)


def _velocities(mu: float, state: Tree, gradients: Tree, learning_rate: Any) -> Tree:
    """``v ← μ v - η g``."""

    def velocity(v: Any, g: Any) -> Any:
        return mu * v - cast_like(learning_rate, v) * g

    return map_leaves(velocity, state["velocity"], gradients)


def momentum(*, momentum: float = 0.9) -> Optimizer:
    """``v ← μ v - η g``, ``W ← W + v``: gradient descent with momentum ``μ`` (Polyak 1964).

    The velocity holds past steps, learning rates included, as in scikit-learn. PyTorch's holds
    past gradients; the two are equal while the learning rate stays the same.

    >>> optimiser, W = momentum(momentum=0.5), np.array([1.0])
    >>> W, state = optimiser.update(W, np.array([1.0]), optimiser.initialize(W), 0.5)
    >>> optimiser.update(W, np.array([1.0]), state, 0.5)
    (array([-0.25]), {'velocity': array([-0.75])})
    """
    mu = momentum

    def initialize(parameters: Tree) -> Tree:
        return {"velocity": _zeros(parameters)}

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        velocities = _velocities(mu, state, gradients, learning_rate)
        return map_leaves(operator.add, parameters, velocities), {"velocity": velocities}

    return Optimizer("momentum", update, initialize, {"momentum": mu})


def nesterov(*, momentum: float = 0.9) -> Optimizer:
    """``v ← μ v - η g``, ``W ← W + μ v - η g``: Nesterov's momentum.

    Nesterov 1983, in the form of Sutskever et al. 2013 with the gradient taken at the point looked
    ahead to, which is then called ``W``; scikit-learn's and PyTorch's form.

    >>> optimiser, W = nesterov(momentum=0.5), np.array([1.0])
    >>> optimiser.update(W, np.array([1.0]), optimiser.initialize(W), 0.5)
    (array([0.25]), {'velocity': array([-0.5])})
    """
    mu = momentum

    def initialize(parameters: Tree) -> Tree:
        return {"velocity": _zeros(parameters)}

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        def step(W: Any, v: Any, g: Any) -> Any:
            return W + (mu * v - cast_like(learning_rate, W) * g)

        velocities = _velocities(mu, state, gradients, learning_rate)
        parameters = map_leaves(step, parameters, velocities, gradients)
        return parameters, {"velocity": velocities}

    return Optimizer("nesterov", update, initialize, {"momentum": mu})


def rmsprop(*, decay: float = 0.9, epsilon: float = 1e-8) -> Optimizer:
    """``s ← ρ s + (1 - ρ) g²``, ``W ← W - η g / (√s + ε)`` (Hinton 2012, lecture 6e).

    >>> optimiser, W = rmsprop(decay=0.75), np.array([1.0])
    >>> optimiser.update(W, np.array([2.0]), optimiser.initialize(W), 0.25)[0].round(6)
    array([0.5])
    """

    def initialize(parameters: Tree) -> Tree:
        return {"square": _zeros(parameters)}

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        def step(W: Any, g: Any, s: Any) -> Any:
            return W - cast_like(learning_rate, W) * g / (np.sqrt(s) + epsilon)

        squares = _running_mean(decay, state["square"], gradients, power=2)
        return map_leaves(step, parameters, gradients, squares), {"square": squares}

    return Optimizer("rmsprop", update, initialize, {"decay": decay, "epsilon": epsilon})


def adagrad(*, epsilon: float = 1e-10) -> Optimizer:
    """``s ← s + g²``, ``W ← W - η g / (√s + ε)`` (Duchi, Hazan and Singer 2011).

    >>> optimiser, W = adagrad(), np.array([1.0])
    >>> optimiser.update(W, np.array([2.0]), optimiser.initialize(W), 0.25)[0].round(6)
    array([0.75])
    """

    def initialize(parameters: Tree) -> Tree:
        return {"square": _zeros(parameters)}

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        def add_square(s: Any, g: Any) -> Any:
            return s + g**2

        def step(W: Any, g: Any, s: Any) -> Any:
            return W - cast_like(learning_rate, W) * g / (np.sqrt(s) + epsilon)

        squares = map_leaves(add_square, state["square"], gradients)
        return map_leaves(step, parameters, gradients, squares), {"square": squares}

    return Optimizer("adagrad", update, initialize, {"epsilon": epsilon})


def _bias_correction(beta: float, t: Any) -> Any:
    """``1 - beta^t``, which at small ``t`` keeps all its digits in float32 too."""
    return -np.expm1(t * math.log(beta)) if beta > 0 else np.ones_like(t)


def _moments(
    gradients: Tree, state: Mapping[str, Any], beta1: float, beta2: float
) -> dict[str, Tree]:
    return {
        "step": state["step"] + 1,
        "mean": _running_mean(beta1, state["mean"], gradients),
        "square": _running_mean(beta2, state["square"], gradients, power=2),
    }


def _start_moments(parameters: Tree) -> Tree:
    return {
        "step": _zero_step(parameters),
        "mean": _zeros(parameters),
        "square": _zeros(parameters),
    }


def adam(
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    correction: str = "moments",
) -> Optimizer:
    """Adam (Kingma and Ba 2015): steps of about ``η``, whatever the gradient's scale.

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        W ← W - η m̂ / (√v̂ + ε)       m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    That is ``correction="moments"``, the paper's algorithm 1 and PyTorch's form. With ``"rate"``
    the corrections go into the learning rate, as at the end of the paper's section 2 and in
    scikit-learn: ``W ← W - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)``. The two differ only in that
    ``ε`` there counts for ``ε / √(1 - β₂ᵗ)``, about 30 times more at the first update.

    >>> optimiser, W = adam(), np.array([1.0])
    >>> optimiser.update(W, np.array([2.0]), optimiser.initialize(W), 0.25)[0].round(6)
    array([0.75])
    """
    settings = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "correction": correction}
    direction = _adam_direction(beta1, beta2, epsilon, correction)

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        state = _moments(gradients, state, beta1, beta2)

        def step(W: Any, m: Any, v: Any) -> Any:
            return W - direction(m, v, state["step"], cast_like(learning_rate, W))

        return map_leaves(step, parameters, state["mean"], state["square"]), state

    return Optimizer("adam", update, _start_moments, settings)


def _adam_direction(
    beta1: float, beta2: float, epsilon: float, correction: str
) -> Callable[..., Any]:
    def direction(m: Any, v: Any, t: Any, learning_rate: Any) -> Any:
        first = cast_like(_bias_correction(beta1, t), m)
        second = cast_like(_bias_correction(beta2, t), m)
        if correction == "rate":
            rate = learning_rate * np.sqrt(second) / first
            return rate * m / (np.sqrt(v) + epsilon)
        # The scalars are divided first: one pass over the arrays less for each.
        return learning_rate / first * m / (np.sqrt(v) / np.sqrt(second) + epsilon)

    return direction


def adamw(
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay ``λ`` (Loshchilov and Hutter 2019, algorithm 2).

        W ← W - η λ W - η m̂ / (√v̂ + ε)

    The decay is of every parameter, biases too, as in PyTorch, and takes no part in the moments.

    >>> optimiser, W = adamw(weight_decay=0.5), np.array([1.0])
    >>> optimiser.update(W, np.array([2.0]), optimiser.initialize(W), 0.25)[0].round(6)
    array([0.625])
    """
    settings = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay}
    direction = _adam_direction(beta1, beta2, epsilon, "moments")

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        state = _moments(gradients, state, beta1, beta2)

        def step(W: Any, m: Any, v: Any) -> Any:
            rate = cast_like(learning_rate, W)
            return W - rate * weight_decay * W - direction(m, v, state["step"], rate)

        return map_leaves(step, parameters, state["mean"], state["square"]), state

    return Optimizer("adamw", update, _start_moments, settings)


def lion(*, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0) -> Optimizer:
    """Lion (Chen et al. 2023, algorithm 2): steps of exactly ``η``, or 0, in every entry.

        W ← W - η (sign(β₁ m + (1 - β₁) g) + λ W)        m ← β₂ m + (1 - β₂) g

    >>> optimiser, W = lion(), np.array([1.0])
    >>> optimiser.update(W, np.array([2.0]), optimiser.initialize(W), 0.25)[0]
    array([0.75])
    """
    settings = {"beta1": beta1, "beta2": beta2, "weight_decay": weight_decay}

    def initialize(parameters: Tree) -> Tree:
        return {"mean": _zeros(parameters)}

    def update(parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any) -> Any:
        def step(W: Any, g: Any, m: Any) -> Any:
            direction = np.sign(beta1 * m + (1 - beta1) * g)
            if weight_decay > 0:
                direction = direction + weight_decay * W
            return W - cast_like(learning_rate, W) * direction

        means = _running_mean(beta2, state["mean"], gradients)
        return map_leaves(step, parameters, gradients, state["mean"]), {"mean": means}

    return Optimizer("lion", update, initialize, settings)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "gradient_descent": gradient_descent,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "lion": lion,
}
"""The optimisers by name: functions from settings to an `Optimizer`."""

_RANGES: dict[str, Range] = {
    "momentum": FRACTION,
    "decay": FRACTION,
    "beta1": FRACTION,
    "beta2": FRACTION,
    "epsilon": POSITIVE,
    "weight_decay": NONNEGATIVE,
    "correction": one_of("moments", "rate"),
}


def optimizer(value: object, option: str = "optimizer", **settings: Any) -> Optimizer:
    """The optimiser that ``value`` names, with its settings, or that it is.

    An own function ``(parameters, gradients, state, learning_rate) -> (parameters, state)`` is
    taken as it is. Its state starts as ``{}``, or as what its attribute ``initialize`` makes of the
    parameters.

    >>> optimizer("adam(beta1=0.8)", epsilon=1e-7).settings["beta1"]
    0.8

    Raises SettingError, which names ``option``, for an unknown name or setting.
    """
    if isinstance(value, Optimizer):
        if settings:
            raise SettingError(
                f"{option} is an Optimizer already, with settings of its own; "
                f"{', '.join(settings)} cannot be changed. Give its name instead."
            )
        return value
    update = getattr(value, "update", None)
    initialize = getattr(value, "initialize", None)
    if callable(update) and callable(initialize) and not isinstance(value, str):
        return Optimizer(type(value).__name__, cast("Update", update), initialize, own=True)
    choice = choose(option, value, OPTIMIZERS, _RANGES, **settings)
    if choice.own:
        start = initialize if callable(initialize) else _no_state
        return Optimizer(choice.name, choice.function, start, own=True)
    return choice()
