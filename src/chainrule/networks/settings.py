"""What a network's settings may be, alone and beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, cast

import numpy as np

from chainrule.errors import SettingError
from chainrule.networks.activations import activation
from chainrule.networks.choices import Choice, unknown
from chainrule.networks.initializers import Random, initializer
from chainrule.networks.losses import Loss, loss

__all__ = ["check_sizes", "check_together", "per_layer", "plain_setting", "random_from"]


def check_sizes(sizes: object) -> tuple[int, ...]:
    """The widths as a tuple of integers; raises SettingError unless there are two or more."""
    wrong = SettingError(
        f"sizes={sizes!r} cannot be used: it lists the widths of the input, the hidden layers and "
        f"the output as whole numbers, 1 or more, such as [2, 2, 1]."
    )
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Sequence | np.ndarray):
        raise wrong
    widths = list(cast("Sequence[Any]", sizes))
    if len(widths) < 2:
        raise wrong
    for width in widths:
        if isinstance(width, bool) or not isinstance(width, Integral) or width < 1:
            raise wrong
    return tuple(int(width) for width in widths)


def per_layer(option: str, value: Any, hidden: int) -> list[Any]:
    """One value for each hidden layer, from a single value or a list of just as many."""
    if not isinstance(value, list | tuple):
        return [value] * hidden
    values = list(cast("Sequence[Any]", value))
    if len(values) != hidden:
        raise SettingError(
            f"{option} lists {len(values)} values, but the network has {hidden} hidden "
            f"layer{'' if hidden == 1 else 's'}: give one for each, or a single one for all."
        )
    return values


def check_together(widths: tuple[int, ...], layers: tuple[Choice, ...], criterion: Loss) -> None:
    """Raises SettingError where the loss, the output and the widths do not go together."""
    output = layers[-1]
    if criterion.outputs is not None and output.name not in criterion.outputs:
        advice = f"Use output={criterion.output!r}, the default for this loss"
        if output.name == "softmax":
            advice += ", or loss='categorical_cross_entropy'"
        elif output.name == "sigmoid":
            advice += ", or loss='binary_cross_entropy'"
        elif output.own:
            advice += ", or a loss function of your own, which is given your output's values"
        raise SettingError(
            f"output={output.text!r} does not go with loss={criterion.text!r}, which is computed "
            f"from the last layer's pre-activations and would not use it. {advice}."
        )
    if criterion.targets == "classes" and widths[-1] == 1:
        raise SettingError(
            f"loss={criterion.text!r} needs one output per class, 2 or more, but sizes ends in 1. "
            f"For two classes with one output, use loss='binary_cross_entropy'."
        )
    for i, layer in enumerate(layers, start=1):
        if layer.name == "softmax" and not layer.own and widths[i] == 1:
            raise SettingError(
                f"Layer {i} has one unit, and softmax of a single number is always 1: nothing "
                f"could be learned. Use 'sigmoid', or a width of 2 or more."
            )


def random_from(seed: int | Random | None, generator: str) -> Random:
    """The generator that a seed starts; one that is given is used as it is."""
    if generator not in ("default", "legacy"):
        raise unknown("generator", generator, ("default", "legacy"))
    if isinstance(seed, np.random.Generator | np.random.RandomState):
        return seed
    if seed is not None and (
        isinstance(seed, bool)
        or not isinstance(seed, Integral)
        or seed < 0
        or (generator == "legacy" and seed >= 2**32)
    ):
        limit = " below 2**32" if generator == "legacy" else ""
        raise SettingError(f"seed={seed!r} cannot be used: give a whole number, 0 or more{limit}.")
    start = None if seed is None else int(seed)
    return np.random.RandomState(start) if generator == "legacy" else np.random.default_rng(start)


def plain_setting(name: str, value: Any) -> Any:
    """One setting as plain data; functions from the tables become their names."""
    if isinstance(value, list | tuple):
        return [plain_setting(name, item) for item in cast("Sequence[Any]", value)]
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, np.generic):
        return cast("Any", value.item())
    if name == "loss":
        chosen: Loss | Choice = loss(value)
    elif name == "initializer":
        chosen = initializer(value)
    else:
        chosen = activation(value, name)
    if chosen.own:
        raise SettingError(
            f"{name} is the function {chosen.name} of your own, and a saved network holds only "
            f"names. Save the parameters, and give the function again when making the network."
        )
    return chosen.text
