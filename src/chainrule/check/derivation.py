"""How the right formula of a gradient follows from the rules: what passes it on, and their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.roles import Roles
from chainrule.gradient import pull_back, substitute
from chainrule.graph import Node, argument, constant
from chainrule.notation import expression, partial

__all__ = ["derivation"]

_MOST = 4
"""How many values that use another are written out."""


def derivation(trace: Trace, roles: Roles, of: str) -> list[str]:
    """The gradient by a value of that name, from those by the named values that use it."""
    node = next((n for n in _forward(trace, roles) if (n.name or "") == of and n.shape), None)
    if node is None or roles.loss is None or not of:
        return []
    users = _users(trace, roles, node)
    if not users or len(users) > _MOST:
        return []
    lines: list[str] = []
    parts: list[str] = []
    for user in users:
        name = _name(user, roles)
        lines.append(f"{name} = {expression(user, max_terms=12)}")
        is_loss = user is roles.loss
        g = constant(np.ones(user.shape, user.dtype)) if is_loss else _leaf(user)
        others = {each: _leaf(each) for each in users if each is not user}
        (output,) = substitute([user], others)
        (gradient,) = pull_back([output], [g], [node])
        upstream = partial("L", name)
        parts.append(
            str(expression(gradient, names={} if is_loss else {g: upstream}, max_terms=24))
        )
    lines.append(f"so ∂L/∂{of} = {' + '.join(parts)}")
    return lines


def _forward(trace: Trace, roles: Roles) -> Sequence[Node]:
    starts = [each.start for each in roles.parameters]
    return [*starts, *(node for node in trace.log if node in roles.forward)]


def _name(node: Node, roles: Roles) -> str:
    return node.name or (roles.name if node is roles.loss else "") or "L"


def _leaf(node: Node) -> Node:
    return argument(node.name or "value", node.shape, node.dtype)


def _users(trace: Trace, roles: Roles, node: Node) -> list[Node]:
    """The named values, or the loss, that a value goes into without another named one between."""
    reached = {node}
    found: list[Node] = []
    for each in trace.log:
        if each in roles.forward and any(operand in reached for operand in each.inputs):
            if (each.name and each.name != node.name) or each is roles.loss:
                found.append(each)
            else:
                reached.add(each)
    return found
