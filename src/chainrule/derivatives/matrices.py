"""Matrices of derivatives: Jacobians and Hessians."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.derivatives.calls import (
    Argnums,
    Call,
    Function,
    name_of,
    record_call,
    scalar_output,
)
from chainrule.errors import GradientError
from chainrule.gradient import pull_back, push_forward
from chainrule.graph import Node, argument, constant
from chainrule.simplification import simplify
from chainrule.tracer import is_traced

__all__ = ["hessian", "jacobian"]


def jacobian(function: Function, argnums: Argnums = 0) -> Function:
    r"""A function that gives the derivatives of all outputs, $J_{ij} = \partial f_i/\partial x_j$.

    The result is nested as the output, and inside that as the argument; each array has the shape
    of the output followed by that of the input. It is computed by rows (reverse mode) or, where
    the inputs are far fewer than the outputs, by columns (forward mode).

    >>> import numpy as np
    >>> jacobian(lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x)(np.array([1.0, 1.0]))
    array([[1., 2.],
           [3., 4.]])

    Raises GradientError where an output or an argument is not real.
    """

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> Any:
        call = record_call(function, argnums, arguments, keywords)
        for output in call.graph.outputs:
            if not output.differentiable:
                raise GradientError(
                    f"{name_of(function)} returns a value of dtype {output.dtype}, which has no "
                    "derivative. Return floating-point numbers."
                )
        matrices = _matrices(call, call.graph.outputs)
        return call.graph.output_structure.unflatten(call.as_arguments(row) for row in matrices)

    return derived


def hessian(function: Function, argnums: Argnums = 0) -> Function:
    r"""A function that gives second derivatives, $H_{ij} = \partial^2 f/\partial x_i\partial x_j$.

    The result is nested as the argument, and inside that as the argument again.

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])

    Raises GradientError where the value is not one real number or an argument is not real.
    """

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> Any:
        call = record_call(function, argnums, arguments, keywords)
        loss = scalar_output(call, function, has_aux=False)
        gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], call.inputs)
        return call.as_arguments([call.as_arguments(row) for row in _matrices(call, gradients)])

    return derived


def _matrices(call: Call, outputs: Sequence[Node]) -> list[list[Any]]:
    """For each output, its Jacobian by each input."""
    inputs = call.inputs
    # A column costs about twice a row: the push-forward is two pull-backs.
    if 2 * sum(x.size for x in inputs) < sum(y.size for y in outputs):
        return _by_columns(call, outputs)
    return [_by_rows(call, output) for output in outputs]


def _by_rows(call: Call, output: Node) -> list[Any]:
    """One pull-back for each element of the output."""
    g = argument("g", output.shape, output.dtype)
    nodes = simplify(pull_back([output], [g], call.inputs))
    evaluate = call.evaluator(nodes, [g])
    rows = [evaluate(one) for one in _unit_arrays(output)]
    return [
        _stacked([row[i] for row in rows], output.shape + x.shape, x.dtype)
        for i, x in enumerate(call.inputs)
    ]


def _by_columns(call: Call, outputs: Sequence[Node]) -> list[list[Any]]:
    """One push-forward for each element of the inputs."""
    tangents = [argument("g", x.shape, x.dtype) for x in call.inputs]
    nodes = simplify(push_forward(outputs, call.inputs, tangents))
    evaluate = call.evaluator(nodes, tangents)
    still = [np.zeros(x.shape, dtype=x.dtype) for x in call.inputs]
    matrices: list[list[Any]] = [[] for _ in outputs]
    for i, x in enumerate(call.inputs):
        columns = [evaluate(*still[:i], one, *still[i + 1 :]) for one in _unit_arrays(x)]
        for j, y in enumerate(outputs):
            shape = x.shape + y.shape
            stacked = _stacked([column[j] for column in columns], shape, y.dtype)
            axes = (*range(x.ndim, len(shape)), *range(x.ndim))
            matrix = np.transpose(stacked, axes) if shape else stacked
            if not is_traced(matrix):
                matrix = np.array(matrix, dtype=x.dtype, order="C")
            matrices[j].append(matrix)
    return matrices


def _unit_arrays(node: Node) -> list[Any]:
    """For each element, an array that is 1 there and 0 elsewhere."""
    size = node.size
    return list(np.eye(size, dtype=node.dtype).reshape((size, *node.shape)))


def _stacked(rows: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if not rows:
        return np.zeros(shape, dtype=dtype)
    return np.stack(rows).reshape(shape)[()]
