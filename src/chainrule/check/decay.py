"""Weight decay apart from the gradient, as in ``w *= 1 - lr * decay``: it is no mistake."""

from __future__ import annotations

from dataclasses import replace

from chainrule.check.iteration import Trace
from chainrule.check.roles import Parameter, Roles, ancestors
from chainrule.gradient import substitute
from chainrule.graph import Node

__all__ = ["without_decay"]

_LEAST = 0.5
"""A factor below is rather a learning rate than what is left of the weights."""


def without_decay(trace: Trace, roles: Roles) -> Roles | None:
    """The same iteration without the shrinking of parameters; None where none is shrunk.

    Only a product with a plain number between one half and 1 counts, after the loss is computed; a
    penalty that is added to the gradient is judged with the gradient.
    """
    parameters = [_undecayed(trace, roles, each) for each in roles.parameters]
    if all(new is old for new, old in zip(parameters, roles.parameters, strict=True)):
        return None
    return replace(roles, parameters=parameters)


def _undecayed(trace: Trace, roles: Roles, parameter: Parameter) -> Parameter:
    for node in ancestors([parameter.end]) - roles.forward:
        if node.primitive.name == "multiply" and parameter.start in node.inputs:
            factors = [_plain(each) for each in node.inputs if each is not parameter.start]
            if factors and factors[0].size == 1 and _is_fixed(trace, roles, factors[0]):
                (end,) = substitute([parameter.end], {node: parameter.start})
                return replace(parameter, end=end)
    return parameter


def _plain(node: Node) -> Node:
    while node.primitive.name in ("broadcast_to", "cast"):
        node = node.inputs[0]
    return node


def _is_fixed(trace: Trace, roles: Roles, factor: Node) -> bool:
    below = ancestors([factor])
    moving = any(each.start in below for each in roles.parameters)
    return not moving and _LEAST < float(trace.value(factor).reshape(())) < 1.0
