"""Parameters whose gradient a program computes, and which it does not update with it."""

from __future__ import annotations

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same, multiple, tolerance_of
from chainrule.check.roles import Roles, ancestors, gradients_of
from chainrule.check.updates import last_word
from chainrule.check.values import Value
from chainrule.graph import Node

__all__ = ["never_updated"]


def never_updated(trace: Trace, roles: Roles, factor: float) -> Value | None:
    """A gradient that is right and that nothing is updated with, ``of`` the parameter it is for."""
    assert roles.loss is not None
    changed = {each.start for each in roles.parameters}
    data = _data(trace, roles, changed)
    left = [n for n in trace.start.values() if n in roles.forward and n not in changed | data]
    used = ancestors([each.end for each in roles.parameters]) | roles.forward
    unused = [node for node in trace.log if node not in used and node.dtype.kind == "f"]
    for node, gradient in zip(left, gradients_of(roles.loss, left), strict=True):
        for value in unused:
            found = _name(value)
            if value.shape != node.shape or found is None or not _is_for(found[0], node, value):
                continue
            exact = multiple(trace.value(value), trace.value(gradient), tolerance_of(value))
            if is_same(exact, factor):
                return Value(*found, value, of=node.name, factor=factor)
    return None


def _name(value: Node) -> tuple[str, int] | None:
    """The name that a value is given, or the argument or key that it is passed for, and where."""
    source = value.source
    if source is None:
        return None
    if value.name and source.assigned_line:
        return value.name, source.assigned_line
    return (source.keyword, source.position.line) if source.keyword and source.position else None


def _is_for(name: str, node: Node, value: Node) -> bool:
    """Whether a gradient's name is made of a parameter's: dW1 of W1."""
    word = last_word(node.name or "")
    # Passed for an argument it may have the same name: Gradients(W1=…).
    return word in name and (name != word or not value.name)


_MOVED = ("cast", "reshape", "transpose", "getitem", "broadcast_to", "concatenate", "setitem")


def _data(trace: Trace, roles: Roles, parameters: set[Node]) -> set[Node]:
    """What parameters are multiplied with, and what is compared with outputs: inputs, targets.

    Layers compute the gradient by their input too, which nothing uses in the first of them.
    """
    origins: dict[Node, set[Node]] = {node: {node} for node in trace.start.values()}
    found: set[Node] = set()
    for node in (node for node in trace.log if node in roles.forward):
        inputs = [(each, origins.get(each, set[Node]())) for each in _whole(node)]
        if node.primitive.name in _MOVED:
            origins[node] = set[Node]().union(*(origin for _, origin in inputs))
            continue
        for each, origin in inputs:
            others = [other for other, _ in inputs if other is not each]
            beside = set[Node]().union(*(origins.get(other, set[Node]()) for other in others))
            alike = bool(others) and all(other.shape == each.shape for other in others)
            if beside & parameters or (alike and node.primitive.name != "add"):
                found |= origin - parameters
    return found


def _whole(node: Node) -> list[Node]:
    """The operands; of those that were only repeated to fit the other one, nothing else."""
    return [
        each.inputs[0] if each.primitive.name in ("broadcast_to", "cast") else each
        for each in node.inputs
    ]
