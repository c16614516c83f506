"""Where wrong updates part from right ones: what only they are made of, and what of it is right."""

from __future__ import annotations

from dataclasses import replace

from chainrule.check.case import Case
from chainrule.check.multiples import is_same
from chainrule.check.roles import Parameter, ancestors
from chainrule.check.values import Value, content
from chainrule.graph import Node

__all__ = ["climbing", "first_apart", "is_usual", "proved_right"]


def is_usual(case: Case, value: Value) -> bool:
    """Whether a value is a gradient with a factor that right updates have, as of the rate in it."""
    if value.of is None:
        return False
    wrong = {each.start.name for each in case.wrong}
    return any(is_same(value.factor, each) for each in case.usual[value.of in wrong])


def _right_gradients(case: Case) -> list[Node]:
    """The gradients that wrong updates are made of and that are right themselves."""
    found = [value.node for value in case.values if is_usual(case, value)]
    for each in case.updates:
        if each.parameter in case.wrong and each.is_told:
            for node, own, factor in each.multiples:
                if not any(is_same(factor, usual) for usual in case.usual[own]):
                    break  # from here on, what has a usual factor has it by accident
                found.append(node)
    return found


def proved_right(case: Case) -> set[Node]:
    """What right updates are made of, and right gradients that wrong updates are made of.

    The latter themselves are left out: what is the gradient of one value may have to be another's.
    """
    found = ancestors([each.parameter.end for each in case.right]) if case.right else set[Node]()
    own = _right_gradients(case)
    return found | (ancestors(own) - set(own)) if own else found


def first_apart(case: Case) -> Value | None:
    """The first line that only wrong updates are made in, after the last right gradient there."""
    own = _right_gradients(case)
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
            and (node is parameter.end or content(case.trace.value(node)) not in known)
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
    ends = {each.end: each for each in case.roles.parameters}
    own = [value for value in case.values if value.of is not None and value.node not in ends]
    names = {each.start.name for each in case.roles.parameters}
    down = [value for value in own if value.factor < 0]
    first = down[0] if down else None
    if first is None or any(value.factor > 0 and value.of in names for value in own):
        steps = (_value(node, ends[node]) for node in case.trace.log if node in ends)
        first = next(steps, None)
    return None if first is None else replace(first, is_proved=True)


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
