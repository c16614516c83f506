"""Derivatives of NumPy functions: gradients, products with Jacobians and Hessians, matrices.

Each traces the function, derives the graph, and evaluates it with NumPy. They nest to any order,
and a derivative used inside a traced function becomes part of its graph.
"""

from chainrule.derivatives.calls import (
    Argnums,
    Call,
    argument_position,
    is_field,
    name_of,
    not_real,
    positional_call,
    record_call,
    scalar_output,
)
from chainrule.derivatives.gradients import grad, gradient_graph, value_and_grad
from chainrule.derivatives.matrices import hessian, jacobian
from chainrule.derivatives.products import hvp, jvp, vjp

__all__ = [
    "Argnums",
    "Call",
    "argument_position",
    "grad",
    "gradient_graph",
    "hessian",
    "hvp",
    "is_field",
    "jacobian",
    "jvp",
    "name_of",
    "not_real",
    "positional_call",
    "record_call",
    "scalar_output",
    "value_and_grad",
    "vjp",
]
