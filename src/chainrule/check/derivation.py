"""How the right formula of a gradient follows from the rules: what passes it on, and their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.roles import Roles
from chainrule.gradient import pull_back, substitute
from chainrule.graph import Node, argument, constant
from chainrule.notation import expression, partial
from chainrule.recognition import recognised

__all__ = ["derivation"]

_MOST = 4
"""How many values that use another are written out."""


def derivation(trace: Trace, roles: Roles, of: str) -> list[str]:
    """The gradient by a value of that name, from those by the named values that use it."""
    if roles.loss is None or not of:
        return []
    known = recognised([roles.loss])
    forward = [*dict.fromkeys(known[n] for n in trace.log if n in roles.forward)]
    loss = known[roles.loss]
    starts = [each.start for each in roles.parameters]
    node = next((n for n in [*starts, *forward] if (n.name or "") == of and n.shape), None)
    if node is None:
        return []
    users = _users(forward, loss, node)
    if not users or len(users) > _MOST:
        return []
    lines: list[str] = []
    parts: list[str] = []
    for user in users:
        is_loss = user is loss
        name = user.name or (roles.name if is_loss else "") or "L"
        lines.append(f"{name} = {expression(user, max_terms=12)}")
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


def _leaf(node: Node) -> Node:
    return argument(node.name or "value", node.shape, node.dtype)


def _users(forward: Sequence[Node], loss: Node, node: Node) -> list[Node]:
    """The named values, or the loss, that a value goes into without another named one between."""
    reached = {node}
    found: list[Node] = []
    for each in forward:
        if any(operand in reached for operand in each.inputs):
            if (each.name and each.name != node.name) or each is loss:
                found.append(each)
            else:
                reached.add(each)
    return found
