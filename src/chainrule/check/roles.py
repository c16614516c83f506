"""What the values of a traced iteration are: the parameters, their state, and the loss."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.gradient import pull_back, substitute
from chainrule.graph import Node, constant, topological_order

__all__ = ["Parameter", "Roles", "ancestors", "gradients_of", "roles_of"]

_LOSS = re.compile(
    r"(?i)loss|cost|err|mse|sse|nll|xent|entropy|objective|energy|risk|likelihood"
    r"|(^|[._\[])(j|e|l|ce|bce)\d*$"
)


@dataclass
class Parameter:
    """A number or array that an iteration changes by a function of the loss's values."""

    path: str
    start: Node
    end: Node
    gradient: Node | None = None


@dataclass
class Roles:
    """The parameters and the loss with its name, or the reason why there is none.

    ``forward`` is what the loss is computed from, ``state`` what else an iteration changes for the
    next one, such as a momentum.
    """

    parameters: list[Parameter]
    loss: Node | None
    name: str = ""
    forward: set[Node] = field(default_factory=set[Node])
    state: set[Node] = field(default_factory=set[Node])
    reason: str | None = None


def ancestors(nodes: Sequence[Node]) -> set[Node]:
    """The nodes that some nodes are computed from, and these."""
    return set(topological_order(nodes))


def gradients_of(loss: Node, inputs: Sequence[Node]) -> list[Node]:
    """The gradients of the sum of a value's elements; of a loss there is one."""
    return pull_back([loss], [constant(np.ones(loss.shape, loss.dtype))], inputs)


def roles_of(trace: Trace, loss_name: str | None = None) -> Roles:
    """Find the roles by what depends on what, and by names where that leaves a choice."""
    changed = _changed(trace)
    if not changed:
        return Roles([], None, reason="an iteration changes nothing that the next one reads")
    ends = {each.end for each in changed}
    starts = {each.start for each in changed}
    for candidate in _candidates(trace, starts, ends, loss_name):
        # What adds up the loss is no parameter.
        others = [e for e in changed if e.end is not candidate and e.path != candidate.name]
        # A loss that is computed after the update is one of the parameters all the same.
        after = {e.end: e.start for e in others if e.end.shape == e.start.shape}
        (loss,) = substitute([candidate], after)
        below = ancestors([loss])
        reached = [each for each in others if each.start in below]
        gradients = gradients_of(loss, [each.start for each in reached])
        if any(np.any(trace.value(gradient)) for gradient in gradients):
            for each, gradient in zip(reached, gradients, strict=True):
                each.gradient = gradient
            parameters = [each for each in others if each.gradient is not None]
            state = {each.start for each in others if each.gradient is None}
            return Roles(parameters, loss, candidate.name or "", below, state)
    return Roles(changed, None, reason="no loss was found that the parameters have a part in")


def _changed(trace: Trace) -> list[Parameter]:
    """What an iteration begins with and leaves as a function of itself."""
    found: list[Parameter] = []
    seen: set[Node] = set()
    for path, end in trace.end.items():
        start = trace.start.get(path)
        if start is None or start is end or start in seen:
            continue
        if _steps(start, end):
            seen.add(start)
            found.append(Parameter(path, start, end))
    return found


_OF_STEPS = (
    "add",
    "subtract",
    "broadcast_to",
    "cast",
    "reshape",
    "transpose",
    "getitem",
    "setitem",
)


def _steps(start: Node, end: Node) -> bool:
    """Whether one number is another and a step, or a part of it and a step."""
    waiting, seen = [end], set[Node]()
    while waiting:
        node = waiting.pop()
        if node is start:
            return True
        if node in seen:
            continue
        seen.add(node)
        scaled = node.primitive.name in ("multiply", "divide")
        scaled = scaled and any(operand.size == 1 or _is_spread(operand) for operand in node.inputs)
        if node.primitive.name in _OF_STEPS or scaled:
            waiting.extend(node.inputs)
    return False


def _is_spread(node: Node) -> bool:
    return node.primitive.name == "broadcast_to" and node.inputs[0].size == 1


def _candidates(
    trace: Trace, starts: set[Node], ends: set[Node], loss_name: str | None
) -> list[Node]:
    """The scalars that may be the loss, the likeliest first."""
    scalars: list[Node] = []
    kept = {node for path, node in trace.end.items() if path not in trace.start and not node.ndim}
    dependent, late = trace.after(starts), trace.after(ends)
    for node in trace.log:
        if node.size != 1 or node.dtype.kind != "f" or node not in dependent:
            continue
        told = node in trace.shown or node in kept
        if loss_name is not None or told or _LOSS.search(node.name or ""):
            scalars.append(node)
    if loss_name is not None:
        return [node for node in reversed(scalars) if _plain_name(node) == loss_name]
    updates = ancestors(list(ends))
    used: set[Node] = set()
    for node in scalars:
        used |= ancestors([node]) - {node}

    def rank(node: Node) -> tuple[bool, ...]:
        named = bool(node.name and _LOSS.search(node.name))
        return (node in late, node in updates, not named, not node.name, node in used)

    latest_first = list(reversed(scalars))
    return sorted(latest_first, key=rank)


def _plain_name(node: Node) -> str:
    return (node.name or "").rpartition(".")[2]
