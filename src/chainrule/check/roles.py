"""What the values of a traced iteration are: the parameters, their state, and the loss."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.verdicts import NO_CHANGE, NO_LOSS
from chainrule.gradient import pull_back, substitute
from chainrule.graph import Node, constant, topological_order

__all__ = [
    "Parameter",
    "Roles",
    "ancestors",
    "candidates_in",
    "changed_in",
    "gradients_of",
    "is_step",
    "lost_at",
    "roles_of",
    "roles_with",
    "takes_several_steps",
]

_LOSS = re.compile(
    r"(?i)loss|cost|err|mse|sse|nll|xent|entropy|objective|energy|risk|likelihood"
    r"|(^|[._\[])(j|e|l|ce|bce)\d*$"
)
_LETTER = re.compile(r"(?i)(^|[._\[])[jel]\d*$")
"""One letter is a loss's name, or that of the error that gradients are made of."""


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


def lost_at(trace: Trace, roles: Roles, file: str) -> int | None:
    """Where numbers made of the parameters went, before the loss, into what cannot be followed."""
    assert roles.loss is not None
    moving = trace.after({each.start for each in roles.parameters})
    last = [node for node in trace.log if node in roles.forward and node is not roles.loss][-1:]
    before = set(trace.log[: trace.log.index(last[0])]) if last else set[Node]()
    for cut in trace.cuts:
        where = [each.line for each in cut.source.positions if each.file == file]
        if where and cut.node in moving and cut.node in before:
            return where[-1] if len(where) == 1 else where[1]
    return None


def roles_of(trace: Trace, loss_name: str | None = None) -> Roles:
    """Find the roles by what depends on what, and by names where that leaves a choice."""
    changed = changed_in(trace)
    if not changed:
        return Roles([], None, reason=NO_CHANGE)
    for candidate in _candidates(trace, changed, loss_name):
        # What adds up the loss is no parameter.
        others = [e for e in changed if e.end is not candidate and e.path != candidate.name]
        # A loss that is computed after the update is one of the parameters all the same.
        after = {e.end: e.start for e in others if e.end.shape == e.start.shape}
        (loss,) = substitute([candidate], after)
        roles = roles_with(trace, others, loss, candidate.name or "")
        if roles is not None:
            return roles
    return Roles(changed, None, reason=NO_LOSS)


def roles_with(
    trace: Trace, changed: Sequence[Parameter], loss: Node, name: str = ""
) -> Roles | None:
    """The roles of what an iteration changes if this is the loss; None where no gradient is any."""
    below = ancestors([loss])
    changed = [replace(each, gradient=None) for each in changed]
    reached = [each for each in changed if each.start in below]
    gradients = gradients_of(loss, [each.start for each in reached])
    if not any(np.any(trace.value(gradient)) for gradient in gradients):
        return None
    for each, gradient in zip(reached, gradients, strict=True):
        each.gradient = gradient
    parameters = [each for each in changed if each.gradient is not None]
    state = {each.start for each in changed if each.gradient is None}
    return Roles(parameters, loss, name, below, state)


def changed_in(trace: Trace) -> list[Parameter]:
    """What an iteration begins with and leaves as a function of itself."""
    found: list[Parameter] = []
    seen: set[Node] = set()
    for path, end in trace.end.items():
        start = trace.start.get(path)
        if start is None or start is end or start in seen:
            continue
        if is_step(start, end):
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


def is_step(start: Node, end: Node, *, beside: Node | None = None) -> bool:
    """Whether one number is another and a step, or a part of it and a step.

    It is also where ``beside``, one of the values on the way, is left out.
    """
    waiting, seen = [end], set[Node]() if beside is None else {beside}
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


def _adds_up(trace: Trace, number: Parameter) -> bool:
    """Whether nothing is made of a number but its sum with another, as of an epoch's loss."""
    if _LOSS.search(number.path):
        return True
    later = trace.after({number.start})
    others = (end for path, end in trace.end.items() if path in trace.start)
    return not any(end in later and end not in (number.start, number.end) for end in others)


def takes_several_steps(parameter: Parameter) -> bool:
    """Whether a line updates it again and again in one iteration, each time from where it is then.

    Such an iteration, as one over all samples, goes down no one gradient.
    """
    line = _line(parameter.end)
    chain, between = set[Node](), set[Node]()
    waiting = [parameter.end]
    while waiting and line is not None:
        node = waiting.pop()
        if node in chain or node is parameter.start:
            continue
        chain.add(node)
        if node.primitive.name not in _OF_STEPS:
            continue
        waiting.extend(node.inputs)
        alike = node.primitive.name in ("add", "subtract") and node.shape == parameter.end.shape
        if alike and node is not parameter.end and _line(node) == line:
            between.add(node)
    below = ancestors([parameter.end]) - chain
    return any(operand in between for node in below for operand in node.inputs)


def _line(node: Node) -> int | None:
    position = None if node.source is None else node.source.position
    return None if position is None else position.line


def _is_spread(node: Node) -> bool:
    return node.primitive.name == "broadcast_to" and node.inputs[0].size == 1


def candidates_in(trace: Trace, changed: list[Parameter]) -> list[Node]:
    """The numbers that may be a loss, the likeliest first."""
    return _candidates(trace, changed, None)


def _candidates(trace: Trace, changed: list[Parameter], loss_name: str | None) -> list[Node]:
    """The scalars that may be the loss, the likeliest first."""
    scalars: list[Node] = []
    before = trace.start.keys() | trace.grown
    kept = {node for path, node in trace.end.items() if path not in before and not node.ndim}
    sums = {each.end for each in changed if each.end.size == 1 and _adds_up(trace, each)}
    steps = [each for each in changed if each.end not in sums]
    kept |= sums
    ends = {each.end for each in steps}
    dependent, late = trace.after({each.start for each in changed}), trace.after(ends)
    grown = {trace.end[path] for path in trace.grown if not _LOSS.search(path)}
    updates = ancestors([*ends, *grown])
    for node in trace.log:
        if node.size != 1 or node.dtype.kind != "f" or node not in dependent:
            continue
        told = (node in trace.shown or node in kept) and node not in updates
        if loss_name is not None or told or _LOSS.search(node.name or ""):
            scalars.append(node)
    if loss_name is not None:
        return [node for node in reversed(scalars) if _plain_name(node) == loss_name]
    used = ancestors([operand for node in scalars for operand in node.inputs])

    def rank(node: Node) -> tuple[bool, ...]:
        named = bool(node.name and _LOSS.search(node.name))
        summed = node in updates or node in sums
        error = node in updates and bool(_LETTER.search(node.name or ""))
        return (summed, error, node in late, not named, not node.name, node in used)

    latest_first = list(reversed(scalars))
    return sorted(latest_first, key=rank)


def _plain_name(node: Node) -> str:
    return (node.name or "").rpartition(".")[2]
