"""Infima at infinity: saturated units put at their limits, and the loss that is left there.

A sigmoid unit that is saturated for some samples can be pushed on for ever: along a ray of its
weights the pre-activations of these samples go to ±∞ and all others stay. In the limit the unit's
activation is a constant for these samples. Where that makes two samples the same for the layers
above, their outputs are the same too, and the loss has a floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.calculus import Calculus
from chainrule.diagnose.floors import Floor, groups_of
from chainrule.diagnose.rays import ray_of
from chainrule.diagnose.subject import Subject

__all__ = [
    "LIMITS",
    "SATURATED",
    "Limit",
    "Saturation",
    "limit_of",
    "loss_in_the_limit",
    "relative_slopes",
]

Array = NDArray[Any]

LIMITS: dict[str, tuple[float, float]] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""The limits of the activations that have two."""

SATURATED = 0.05
"""A unit counts as saturated for a sample where its slope is below this share of the steepest. It
only bounds what is tried: that a limit is one is shown by the ray."""

_MOST_SETS = 24
_STEPS = 60


@dataclass(frozen=True)
class Saturation:
    """A hidden unit that tends to a constant for some samples.

    ``samples`` are their numbers, ``limits`` the activation each tends to; ``ray`` is the direction
    of the unit's weights and, last, of its bias.
    """

    layer: int
    unit: int
    samples: tuple[int, ...]
    limits: tuple[float, ...]
    ray: Array


@dataclass(frozen=True)
class Limit:
    """Where the loss tends along a ray on which saturated units go to their limits.

    ``ray``      the direction, a vector like the parameters
    ``checked``  at how many points of the ray the loss was found to fall
    ``losses``   the minimised loss at these points
    ``groups``   the number of each sample's group (n,): samples of one group get one output
    ``floor``    the lowest reported loss with one output for each group, and these outputs
    """

    saturations: tuple[Saturation, ...]
    ray: Array
    checked: int
    losses: tuple[float, ...]
    groups: NDArray[np.int64]
    floor: Floor


def relative_slopes(name: str, activations: Array) -> Array | None:
    """The slope at each activation as a share of the steepest; None where none has two limits.

    >>> relative_slopes("sigmoid", np.array([0.5, 1.0])).tolist()
    [1.0, 0.0]
    """
    if name == "sigmoid":
        return 4 * activations * (1 - activations)
    if name == "tanh":
        return (1 - activations) * (1 + activations)
    return None


def limit_of(subject: Subject, above: float) -> Limit | None:
    """The infimum at infinity that the network stands before, with a loss of more than ``above``.

    Of the sets of saturated units whose ray exists, along which the loss falls all the way, and
    whose floor is above ``above`` and below the loss now, it is the one whose outputs in the limit
    are nearest to the outputs now: the pattern tells states apart, not the loss.
    """
    if subject.network.criterion.own or subject.reported.own:
        return None
    found: list[tuple[float, Limit]] = []
    for saturations in _candidates(subject):
        groups = _groups(subject, saturations)
        floor = subject.floor_of(groups)
        if floor is None or not above < floor.loss < subject.loss:
            continue
        ray = _direction(subject, saturations)
        losses = _along(subject, ray)
        if losses is None:
            continue
        distance = float(np.max(np.abs(subject.outputs - floor.outputs)))
        limit = Limit(saturations, ray, len(losses) - 1, losses, groups, floor)
        found.append((distance, limit))
    if not found:
        return None
    return min(found, key=lambda pair: pair[0])[1]


def _candidates(subject: Subject) -> Iterator[tuple[Saturation, ...]]:
    """Sets of saturated units, from the most saturated entries on, each with its ray."""
    network, values = subject.network, subject.values
    slopes: dict[int, Array] = {}
    for layer in range(1, network.depth):
        found = relative_slopes(network.layers[layer - 1].name, values[f"a{layer}"])
        if found is not None:
            slopes[layer] = found
    small = [each[each < SATURATED] for each in slopes.values()]
    levels = np.array(sorted({float(level) for each in small for level in np.ravel(each)}))
    if len(levels) > _MOST_SETS:
        levels = levels[np.linspace(0, len(levels) - 1, _MOST_SETS).round().astype(int)]
    seen: set[Any] = set()
    for level in levels:
        saturations = _saturated(subject, slopes, float(level))
        key = tuple((each.layer, each.unit, each.samples) for each in saturations)
        if saturations and key not in seen:
            seen.add(key)
            yield saturations


def _saturated(subject: Subject, slopes: dict[int, Array], level: float) -> tuple[Saturation, ...]:
    """The units whose slope is at most ``level`` for some samples, and that have a ray."""
    found: list[Saturation] = []
    for layer, slope in slopes.items():
        values = subject.values
        inputs = np.asarray(subject.X, np.float64) if layer == 1 else values[f"a{layer - 1}"]
        low, high = LIMITS[subject.network.layers[layer - 1].name]
        for unit in range(slope.shape[1]):
            signs = np.where(slope[:, unit] <= level, np.sign(values[f"z{layer}"][:, unit]), 0)
            ray = ray_of(inputs, signs.astype(np.int64))
            if ray is not None:
                samples = np.flatnonzero(signs)
                limits = tuple(high if signs[i] > 0 else low for i in samples)
                found.append(Saturation(layer, unit, tuple(samples.tolist()), limits, ray))
    return tuple(found)


def _direction(subject: Subject, saturations: tuple[Saturation, ...]) -> Array:
    """The rays of the units as one direction of all parameters."""
    parts = {name: np.zeros(shape) for name, shape in subject.network.parameter_shapes.items()}
    for each in saturations:
        parts[f"W{each.layer}"][:, each.unit] = each.ray[:-1]
        parts[f"b{each.layer}"][0, each.unit] = each.ray[-1]
    return subject.calculus.vector(parts)


def _along(subject: Subject, ray: Array) -> tuple[float, ...] | None:
    """The losses along the ray, if the loss falls at every point until it no longer changes."""
    calculus, losses = subject.calculus, list[float]()
    for step in range(_STEPS):
        distance = 0.0 if step == 0 else 0.05 * 1.35 ** (step - 1)
        loss, gradient = calculus.value_and_gradient(subject.v + distance * ray)
        slope = float(gradient @ ray)
        if losses and (loss == losses[-1] or abs(slope) <= np.finfo(float).eps * abs(loss)):
            return tuple(losses) if len(losses) > 1 else None
        if not slope < 0 or (losses and loss > losses[-1]):
            return None
        losses.append(loss)
    return tuple(losses)


def _fixed(subject: Subject, saturations: tuple[Saturation, ...]) -> dict[int, tuple[Array, Array]]:
    """For each layer, which activations are at their limits (n, k), and these limits."""
    fixed: dict[int, tuple[Array, Array]] = {}
    for each in saturations:
        shape = subject.values[f"a{each.layer}"].shape
        chosen, limits = fixed.setdefault(each.layer, (np.zeros(shape, bool), np.zeros(shape)))
        chosen[list(each.samples), each.unit] = True
        limits[list(each.samples), each.unit] = each.limits
    return fixed


def _forward(subject: Subject, fixed: Any, parameters: Any, X: Any) -> tuple[Any, Any]:
    """Pre-activations and activations of the last layer, with saturated units at their limits."""
    network = subject.network
    a: Any = X
    z: Any = X
    for i, layer in enumerate(network.layers, start=1):
        z = a @ parameters[f"W{i}"] + parameters[f"b{i}"]
        a = layer(z)
        if i in fixed:
            chosen, limits = fixed[i]
            a = cast("Any", np.where(chosen, limits, a))
    return z, a


def _groups(subject: Subject, saturations: tuple[Saturation, ...]) -> NDArray[np.int64]:
    """Which samples are the same to the output layer in the limit, whatever the other weights.

    Where a first hidden layer has units at their limits for two samples, and all of them, the two
    are the same. A layer above sees samples as the layer below tells them apart.
    """
    network, fixed = subject.network, _fixed(subject, saturations)
    groups = groups_of(np.asarray(subject.X))
    for layer in range(1, network.depth):
        if layer not in fixed:
            continue
        chosen, limits = fixed[layer]
        known = np.where(chosen, limits, np.nan)
        # A unit that is not at its limit gives the samples of one group the same, others not.
        rows = np.where(np.isnan(known), groups[:, None] + 2.0, known)
        groups = groups_of(rows)
    return groups


def loss_in_the_limit(subject: Subject, limit: Limit) -> float:
    """The lowest reported loss that a search over the other weights finds in the limit."""
    from scipy.optimize import minimize

    fixed, reported = _fixed(subject, limit.saturations), subject.reported
    kind = 0 if reported.takes == "logits" else 1

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        return reported(_forward(subject, fixed, parameters, X)[kind], y)

    calculus = Calculus(subject.network, subject.X, subject.y, loss)
    found: Any = minimize(
        calculus.value_and_gradient,
        subject.v,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500},
    )
    return min(float(found.fun), calculus.loss(subject.v))
