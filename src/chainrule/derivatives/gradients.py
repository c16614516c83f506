"""Gradients of scalar functions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chainrule.derivatives.calls import Argnums, Function, record_call, scalar_output
from chainrule.gradient import pull_back
from chainrule.graph import Graph, Node, constant
from chainrule.pytrees import flatten
from chainrule.simplification import simplify

__all__ = ["grad", "gradient_graph", "value_and_grad"]


def gradient_graph(graph: Graph, inputs: Sequence[Node] | None = None) -> Graph:
    """The graph of a scalar's value and its gradient by some arguments (by default, all real ones).

    >>> from chainrule import trace
    >>> graph = gradient_graph(trace(lambda x: x**2, 3.0))
    >>> [node.primitive.name for node in graph.outputs]
    ['square', 'multiply']
    """
    chosen = list(inputs or [node for node in graph.arguments if node.differentiable])
    loss = graph.outputs[0]
    gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], chosen)
    structure = flatten([0] * (1 + len(chosen)))[1]
    outputs = simplify([*graph.outputs[:1], *gradients])
    return replace(graph, outputs=tuple(outputs), output_structure=structure)


def value_and_grad(function: Function, argnums: Argnums = 0, *, has_aux: bool = False) -> Function:
    r"""A function that gives the value and the gradient: $(f(x), \nabla f(x))$.

    ``argnums`` chooses the arguments to differentiate by, by position or name, one or several; an
    argument may be a dict, list, tuple or dataclass of arrays, and its gradient is nested alike.
    With ``has_aux=True`` the function returns ``(loss, others)``, and so does the value.

    >>> import numpy as np
    >>> x = np.array([1.0, 3.0])
    >>> value, gradient = value_and_grad(lambda w: np.sum((w * x) ** 2))(2.0)
    >>> float(value), float(gradient)
    (40.0, 40.0)

    Raises GradientError where the value is not one real number or an argument is not real.
    """

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        call = record_call(function, argnums, arguments, keywords)
        loss = scalar_output(call, function, has_aux)
        gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], call.inputs)
        count = len(call.graph.outputs)
        results = call.finish(simplify([*call.graph.outputs, *gradients]))
        return call.outputs(results[:count]), call.gradients(results[count:])

    return derived


def grad(function: Function, argnums: Argnums = 0, *, has_aux: bool = False) -> Function:
    r"""A function that gives the gradient of a scalar function: $\nabla f(x)$.

    The arguments are those of `value_and_grad`.

    >>> import numpy as np
    >>> grad(lambda x: np.sum(np.tanh(x)))(np.array([0.0, 1.0])).round(4)
    array([1.  , 0.42])
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> Any:
        value, gradient = both(*arguments, **keywords)
        return (gradient, value[1]) if has_aux else gradient

    return derived
