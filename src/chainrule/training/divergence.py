"""Where a value first stopped being finite, and what to try.

A step computes the loss, then its gradient, then the update. The first value that is not finite is
looked for in that order, among those through which it reached the loss or the parameters: an
infinity that does no harm, as in ``1 / (1 + exp(1000))``, is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule
from chainrule.errors import DivergedError
from chainrule.gradient import pull_back
from chainrule.graph import Graph, Node, constant, topological_order
from chainrule.interpreter import evaluate_nodes
from chainrule.source import Source

__all__ = ["Finding", "Moment", "diverged", "find"]

Array = NDArray[Any]
Values = dict[Node, Any]
_PACKAGE = str(Path(chainrule.__file__).parent)
_LONGEST_FORMULA = 16
_LAYERS_VALUE = re.compile(r"([Wbza])(\d+)")


@dataclass(frozen=True)
class Finding:
    """The first value that is not finite.

    ``phase`` is ``"loss"``, ``"gradient"`` or ``"update"``; ``subject`` the value that a person
    knows (a name, or None for the loss), ``node`` the operation from which it came, ``values``
    what that operation gave, ``operands`` what it was given, ``source`` where it was written.
    """

    phase: str
    subject: str | None
    node: Node
    values: Array
    operands: tuple[Array, ...]
    source: Source | None


@dataclass(frozen=True)
class Moment:
    """When it happened and with what.

    ``first`` says that no update had been made before, ``ended`` that all ``epoch`` epochs are
    done and the loss that they led to is the one that is not finite.
    """

    epoch: int
    learning_rate: float | None = None
    first: bool = False
    ended: bool = False
    clipped: bool = False
    network: bool = False

    def __str__(self) -> str:
        if self.ended and not self.first:
            return f"at the end of epoch {self.epoch - 1}"
        return f"in epoch {self.epoch}"


def find(graph: Graph, arrays: Sequence[Any], parameter_count: int) -> Finding | None:
    """The first value of a step that is not finite; None if nothing is amiss.

    The step's outputs are its new parameters, the optimiser's state, and two losses.
    """
    losses = graph.outputs[-2:]
    given = dict(zip(graph.arguments, arrays, strict=True))
    forward = topological_order(losses)
    values = _values(forward, given)
    for loss in losses:
        if not _finite(values[loss]):
            node = _origin(forward, loss, values)
            return _finding("loss", _known_as(losses, node), node, values)
    return _in_gradient(losses[0], forward, given) or _in_update(graph, given, parameter_count)


def _in_gradient(loss: Node, forward: list[Node], given: Values) -> Finding | None:
    """The first gradient that is not finite, from the loss back to the parameters."""
    known = [node for node in forward if _known(node) and node.differentiable and node is not loss]
    one = constant(1, dtype=loss.dtype)
    gradients = pull_back([loss], [one], known)
    order = topological_order(gradients)
    values = _values(order, given)
    for node, gradient in reversed(list(zip(known, gradients, strict=True))):
        if not _finite(values[gradient]):
            found = _finding("gradient", node.name, _origin(order, gradient, values), values)
            users = [user for user in forward if node in user.inputs]
            if found.source is None and len(users) == 1:  # an argument, which has no line
                found = replace(found, source=users[0].source)
            return found
    return None


def _in_update(graph: Graph, given: Values, parameter_count: int) -> Finding | None:
    """The first new parameter that is not finite."""
    parameters = graph.outputs[:parameter_count]
    order = topological_order(parameters)
    values = _values(order, given)
    for argument, new in zip(graph.arguments[:parameter_count], parameters, strict=True):
        if not _finite(values[new]):
            return _finding("update", argument.name, _origin(order, new, values), values)
    return None


def _values(order: list[Node], given: Values) -> Values:
    with np.errstate(all="ignore"):
        return dict(zip(order, evaluate_nodes(order, given), strict=True))


def _finite(value: Any) -> bool:
    return np.asarray(value).dtype.kind != "f" or bool(np.isfinite(value).all())


def _origin(order: list[Node], bad: Node, values: Values) -> Node:
    """The first node that is not finite and made ``bad`` so."""
    reached = {bad}
    for node in reversed(order):
        if node in reached:
            reached.update(x for x in node.inputs if not _finite(values[x]))
    candidates = [node for node in order if node in reached]
    computed = [node for node in candidates if node.primitive.name != "constant"]
    return (computed or candidates)[0]


def _finding(phase: str, subject: str | None, node: Node, values: Values) -> Finding:
    operands = tuple(np.asarray(values[x]) for x in node.inputs)
    return Finding(phase, subject, node, np.asarray(values[node]), operands, node.source)


def _known(node: Node) -> bool:
    """Whether a person knows a value by its name: their own, or one of a network's z1, a1, …."""
    if node.name is None:
        return False
    innermost = node.source.position if node.source else None
    ours = innermost is not None and innermost.file.startswith(_PACKAGE)
    return not ours or _LAYERS_VALUE.fullmatch(node.name) is not None


def _known_as(outputs: Sequence[Node], node: Node) -> str | None:
    """The name of the nearest value that a node goes into, itself included; None for an output."""
    users: dict[Node, list[Node]] = {}
    for each in topological_order(outputs):
        for operand in each.inputs:
            users.setdefault(operand, []).append(each)
    reached = [node]
    for current in reached:
        if current in outputs:
            return None
        if _known(current):
            return current.name
        reached.extend(user for user in users.get(current, []) if user not in reached)
    return None


# The words.


def diverged(finding: Finding | None, moment: Moment) -> DivergedError:
    """The error for a run whose loss or parameters are no longer finite."""
    if finding is None:
        return DivergedError(
            f"Training diverged {moment}: the loss is no longer finite. {_advice(None, moment)}"
        )
    what = _subject(finding, moment)
    return DivergedError(
        f"Training diverged {moment}: {what} is no longer finite. "
        f"{_first_place(finding)} {_advice(finding, moment)}"
    )


def _subject(finding: Finding, moment: Moment) -> str:
    name = finding.subject
    if finding.phase == "update":
        return f"the update of {_named(name or '', moment)}"
    if finding.phase == "gradient":
        return f"the gradient of the loss by {_named(name or '', moment)}"
    return "the loss" if name is None else _named(name, moment)


_ROLES = {"W": "weights", "b": "biases", "z": "pre-activations", "a": "outputs"}


def _named(name: str, moment: Moment) -> str:
    """A value's name, and for a network's, what it is and of which layer."""
    parts = _LAYERS_VALUE.fullmatch(name)
    if parts is None or not moment.network:
        return name
    return f"{name} ({_ROLES[parts[1]]} of layer {parts[2]})"


def _first_place(finding: Finding) -> str:
    """The operation, its result and what it was given, and the user's line."""
    node, values = finding.node, finding.values
    wrong = values[~np.isfinite(values)]
    text = f"It first happened in computing {_formula(node)}"
    if node.primitive.kind == "leaf":
        text = f"It was not finite when the step began: {_formula(node)}"
    text += f", which is {wrong.flat[0]}"
    if values.size > 1:
        text += f" in {wrong.size} of {values.size} entries"
    ranges = [_range(operand) for operand in finding.operands]
    ranges = [each for each in ranges if each]
    if ranges:
        joined = " and ".join(dict.fromkeys(ranges))
        first, rest = joined[:7], joined[7:]
        text += f", from {first}{rest.replace('numbers', 'others') if first == 'numbers' else rest}"
    line = _users_line(finding.source)
    if line is not None:
        if finding.phase == "gradient":
            line = line.replace(", in `", ", in the derivative of `")
        text += f" ({line})"
    return text + "."


def _formula(node: Node) -> str:
    # Imported here, as a run that ends well needs no formulas.
    from chainrule.notation import expression

    return str(expression(node, max_terms=_LONGEST_FORMULA))


def _range(operand: Array) -> str:
    """The numbers in an operand, as their range."""
    if not operand.size or operand.dtype.kind != "f":
        return ""
    low, high = float(np.min(operand)), float(np.max(operand))
    return f"{low:.3g}" if low == high else f"numbers between {low:.3g} and {high:.3g}"


def _users_line(source: Source | None) -> str | None:
    """The innermost line that is not of this package."""
    for frame in source.frames if source else ():
        place = Source((frame,))
        if place.position is not None and not place.position.file.startswith(_PACKAGE):
            return place.describe()
    return None


def _advice(finding: Finding | None, moment: Moment) -> str:
    special = None if finding is None else _special_advice(finding)
    if special is not None:
        return special
    if moment.first and not (finding and finding.phase == "update"):
        return (
            "No update had been made yet, so the learning rate is not the cause: start from "
            "smaller parameters, or standardise the inputs (mean 0, deviation 1)."
        )
    choices: list[str] = []
    rate = moment.learning_rate
    if rate is not None:
        choices.append(f"a smaller learning rate ({rate / 10:g} instead of {rate:g})")
    if not moment.clipped and rate is not None:
        choices.append("clipped gradients (clip_norm=1)")
    choices.append("standardised inputs (mean 0, deviation 1)")
    return f"Try {', '.join(choices[:-1])}{' or ' if choices[:-1] else ''}{choices[-1]}."


_TAKES = {
    "log": "numbers above 0",
    "log2": "numbers above 0",
    "log10": "numbers above 0",
    "log1p": "numbers above -1",
    "sqrt": "numbers from 0 on",
}


def _special_advice(finding: Finding) -> str | None:
    """What to do about a function that is not defined where it was used."""
    name, operands = finding.node.primitive.name, finding.operands
    if not operands or not all(_finite(operand) for operand in operands):
        return None
    if finding.phase == "update":
        return None
    by_zero = name in ("divide", "reciprocal") and bool(np.any(operands[-1] == 0))
    if name == "power" and operands[0].size:
        by_zero = bool(np.any(operands[0] == 0)) and bool(np.any(operands[1] < 0))
        if not by_zero and bool(np.any(operands[0] < 0)):
            return (
                "A negative number has no power that is not whole: take np.abs of the base, or "
                "keep it above 0 with np.maximum(v, 1e-12)."
            )
    if finding.phase == "gradient" and by_zero:
        return (
            "The value is finite there and its derivative is not: keep what goes in away from 0, "
            "as in np.sqrt(v + 1e-12) or np.log(np.maximum(v, 1e-12))."
        )
    if by_zero:
        return "It divides by 0: add a small number to the divisor, or use np.maximum(v, 1e-12)."
    if name in _TAKES and name != "log1p":
        return (
            f"np.{name} takes {_TAKES[name]}: keep what goes in there, as in "
            f"np.{name}(np.maximum(v, 1e-12))."
        )
    if name in _TAKES:
        return f"np.{name} takes {_TAKES[name]}: keep what goes in there, with np.maximum."
    return None
