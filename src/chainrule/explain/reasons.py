"""A sentence on each step: what it is, and why it is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chainrule.explain.labels import BACKWARD, FORWARD
from chainrule.explain.rules import why_backward
from chainrule.graph import Node

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.moments import Moment

__all__ = ["reason"]

_LAYER = re.compile(r"([za])(\d+)")


def reason(derivation: Derivation, node: Node, name: str, part: str, variable: Node | None) -> str:
    """Why a step is there, in a sentence; empty where the formula says it all."""
    if part == BACKWARD:
        if variable is None:
            return "Used more than once below, so it has a name."
        by = name.removeprefix(f"d_{derivation.loss}_")
        return why_backward(derivation.labels, variable, by)
    moment = derivation.moment
    if moment is None:
        return ""
    if part == FORWARD:
        return _forward(moment, name)
    return _update(moment, name)


def _forward(moment: Moment, name: str) -> str:
    network = moment.network
    layer = _LAYER.fullmatch(name)
    if layer is not None:
        i = int(layer[2])
        if layer[1] == "z":
            below = "inputs" if i == 1 else f"activations of layer {i - 1}"
            return f"Layer {i}: the {below} times the weights, plus the biases."
        dropped = " Dropout's mask is 0 for what is dropped." if moment.masks and (
            f"m{i}" in moment.masks
        ) else ""  # fmt: skip
        return f"Layer {i}: the activation, {network.layers[i - 1].text}.{dropped}"
    if name == "penalty":
        return "The penalty on large weights."
    if name == "reported":
        return f"What is shown of the run: the {_measures(moment)}; it is not descended."
    if name in ("loss", "data_loss"):
        added = ", and the penalty" if name == "loss" and (network.l1 or network.l2) else ""
        return f"The {network.criterion.measures}{added}: what training makes small."
    return "Used more than once below, so it has a name."


def _measures(moment: Moment) -> str:
    return moment.report.measures if moment.report is not None else ""


def _update(moment: Moment, name: str) -> str:
    optimizer = moment.optimizer
    assert optimizer is not None
    if name.startswith("clipped_"):
        return "The gradient after clipping."
    if name.removesuffix("_new") in moment.parameters:
        return f"The update of {optimizer.name.replace('_', ' ')}."
    if name.endswith("_new"):
        return f"What {optimizer.name.replace('_', ' ')} remembers."
    return "Used more than once below, so it has a name."
