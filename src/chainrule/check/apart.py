"""Where wrong updates part from right ones: what only they are made of, and what of it is right."""

from __future__ import annotations

from chainrule.check.case import Case
from chainrule.check.multiples import is_same
from chainrule.check.roles import Parameter, ancestors
from chainrule.check.values import Value, content
from chainrule.graph import Node

__all__ = ["climbing", "first_apart", "is_usual", "proved_right"]


def is_usual(case: Case, factor: float | None) -> bool:
    """Whether gradients that right updates are made of have this factor, as with the rate in it."""
    return any(is_same(factor, each) for each in case.usual)


def proved_right(case: Case) -> set[Node]:
    """What right updates are made of, and right gradients that wrong updates are made of.

    The latter themselves are left out: what is the gradient of one value may have to be another's.
    """
    found = ancestors([each.parameter.end for each in case.right]) if case.right else set[Node]()
    own = [value.node for value in case.values if value.of and is_usual(case, value.factor)]
    for each in case.updates:
        if each.parameter in case.wrong and each.size > 1:
            own += [node for node, factor in each.multiples if is_usual(case, factor)]
    return found | (ancestors(own) - set(own)) if own else found


def first_apart(case: Case) -> Value | None:
    """The first line that only wrong updates are made in, after the last right gradient there."""
    own = [value.node for value in case.values if value.of and is_usual(case, value.factor)]
    chains = [each for each in case.updates if each.parameter in case.wrong and each.is_told]
    own += [n for each in chains for n, factor in each.multiples if is_usual(case, factor)]
    used = proved_right(case) | {node for node in own if node.name}
    right = used | set(own) | case.roles.forward
    known = {content(case.trace.value(node)) for node in case.roles.forward if node.size > 1}
    lines = {line for node in used - case.roles.forward for line in _lines(node)[:1]}
    moving = case.trace.after({each.start for each in case.roles.parameters})
    order = {node: i for i, node in enumerate(case.trace.log)}
    found: list[Value] = []
    for parameter in case.wrong:
        below = ancestors([parameter.end]) - right
        apart = [
            node
            for node in case.trace.log
            if node in below & moving
            and node.dtype.kind == "f"
            and content(case.trace.value(node)) not in known
        ]
        # A line of a function that is right where others call it is hardly wrong.
        clear = [node for node in apart if not lines & {*_lines(node)[:1]}]
        found += [value for node in clear or apart if (value := _value(node, parameter))][:1]
    return min(found, key=lambda value: order[value.node]) if found else None


def climbing(case: Case) -> Value | None:
    """Where the sign is wrong of a program all of whose steps go up the loss.

    That is the first value of the other sign, or the first step where its gradient has the right
    one.
    """
    by_sign = [value for value in case.values if value.of and value.factor]
    down = [value for value in by_sign if value.factor < 0]
    chains = [(node, f) for each in case.updates if each.size > 1 for node, f in each.multiples]
    has_right = any(f > 0 for _, f in chains) or any(
        value.factor > 0 and value.of == each.start.name for value in by_sign for each in case.wrong
    )
    ends = [each.end for each in case.roles.parameters]
    if down and not has_right:
        return down[0]
    for node in case.trace.log:
        if node in ends:
            parameter = next(each for each in case.roles.parameters if each.end is node)
            return _value(node, parameter)
    return None


def _value(node: Node, parameter: Parameter) -> Value | None:
    """A node by its name, or as the step of its parameter, and the line that it is computed in."""
    if node.source is None:
        return None
    if node.name and node.source.assigned_line:
        return Value(node.name, node.source.assigned_line, node)
    lines = _lines(node)
    return Value(parameter.path, lines[0], node) if lines else None


def _lines(node: Node) -> list[int]:
    return [each.line for each in node.source.positions] if node.source is not None else []
