"""Derivatives of NumPy functions: gradients, products with Jacobians and Hessians, matrices.

Each traces the function, derives the graph, and evaluates it with NumPy. They nest to any order,
and a derivative used inside a traced function becomes part of its graph.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GradientError
from chainrule.gradient import pull_back, push_forward, substitute
from chainrule.graph import Graph, Node, argument, constant, topological_order
from chainrule.interpreter import Program, evaluate_nodes
from chainrule.pytrees import flatten
from chainrule.simplification import simplify
from chainrule.tracer import Recording, TracedArray, active_contexts, is_traced, record

__all__ = [
    "Argnums",
    "Call",
    "argument_position",
    "grad",
    "gradient_graph",
    "hessian",
    "hvp",
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

Array = NDArray[Any]
Function = Callable[..., Any]
Argnums = int | str | Sequence[int | str]


@dataclass
class Call:
    """A traced call, and the arguments that derivatives are taken by."""

    recording: Recording
    given: tuple[Any, ...]
    chosen: list[int]
    single: bool
    names: list[str]

    @property
    def graph(self) -> Graph:
        """The graph of the call."""
        return self.recording.graph

    @functools.cached_property
    def nodes_by_argument(self) -> list[list[Node | None]]:
        """For each argument, the node of each leaf, or None for one that is not traced."""
        nodes = iter(self.graph.arguments)
        position = 0
        rows: list[list[Node | None]] = []
        for given in self.given:
            row: list[Node | None] = []
            for _ in flatten(given)[0]:
                row.append(None if position in self.graph.static else next(nodes))
                position += 1
            rows.append(row)
        return rows

    @functools.cached_property
    def inputs(self) -> list[Node]:
        """The nodes that derivatives are taken by."""
        nodes: list[Node] = []
        for index in self.chosen:
            leaves, structure = flatten(self.given[index])
            paths = structure.paths(self.names[index])
            row = self.nodes_by_argument[index]
            for leaf, node, path in zip(leaves, row, paths, strict=True):
                if node is not None and node.differentiable:
                    nodes.append(node)
                elif node is not None or (isinstance(leaf, int) and not isinstance(leaf, bool)):
                    raise GradientError(not_real(path, leaf))
            if not any(node is not None for node in row):
                raise GradientError(
                    f"The argument {self.names[index]} is {self.given[index]!r}, which has no "
                    "floating-point numbers to take a gradient by."
                )
        return nodes

    def as_arguments(self, values: Sequence[Any]) -> Any:
        """Values, one for each of the inputs, nested as the chosen arguments are."""
        remaining = iter(values)
        trees: list[Any] = []
        for index in self.chosen:
            structure = flatten(self.given[index])[1]
            row = self.nodes_by_argument[index]
            trees.append(
                structure.unflatten(None if node is None else next(remaining) for node in row)
            )
        return trees[0] if self.single else tuple(trees)

    def finish(self, nodes: Sequence[Node], extra: dict[Node, Any] | None = None) -> list[Any]:
        """The nodes' values; inside another trace, what is traced there if they depend on it."""
        values = dict(zip(self.graph.arguments, self.recording.values, strict=True))
        values.update(extra or {})
        outer: dict[Node, Any] = {}
        for context in active_contexts():
            outer.update(context.values)
        leaves = flatten(self.given)[0]
        traced = [leaf for i, leaf in enumerate(leaves) if i not in self.graph.static]
        replacements = {
            node: leaf.node if is_traced(leaf) else constant(leaf)
            for node, leaf in zip(self.graph.arguments, traced, strict=True)
        }
        replacements.update({node: constant(value) for node, value in (extra or {}).items()})
        if outer:
            # Also where the values do not depend on the outer trace: the branches taken may.
            self._hand_over_guards(replacements)
        own = set(values)
        foreign = any(node in outer and node not in own for node in topological_order(nodes))
        if not foreign and not any(is_traced(leaf) for leaf in traced):
            structure = flatten(())[1]
            program = Program(Graph(tuple(values), tuple(nodes), structure, structure))
            return program(*values.values())
        results = evaluate_nodes(nodes, {**outer, **values})
        return [
            TracedArray(value[()] if np.ndim(value) == 0 else value, node)
            for value, node in zip(results, substitute(nodes, replacements), strict=True)
        ]

    def _hand_over_guards(self, replacements: dict[Node, Node]) -> None:
        context = active_contexts()[-1]
        for guard in self.graph.guards:
            context.guards.append(replace(guard, node=substitute([guard.node], replacements)[0]))


def not_real(path: str, leaf: Any) -> str:
    """The message for an argument that is a whole number or an array of them."""
    if isinstance(leaf, int):
        return (
            f"The argument {path} is the whole number {leaf}; a gradient needs a floating-point "
            f"number. Write {leaf}.0."
        )
    return (
        f"The argument {path} has dtype {leaf.dtype}; a gradient needs floating-point numbers. "
        "Convert it with .astype(float), or choose other arguments with argnums=."
    )


def record_call(
    function: Function, argnums: Argnums, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Call:
    """Trace a call, to differentiate it by the arguments that ``argnums`` chooses."""
    positional, names, call = positional_call(function, arguments, keywords)
    single = isinstance(argnums, int | str)
    asked = [argnums] if isinstance(argnums, int | str) else list(argnums)
    chosen = [argument_position(function, each, names) for each in asked]
    return Call(record(call, positional), positional, chosen, single, names)


def positional_call(
    function: Function, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], list[str], Function]:
    """The arguments in one row, their names, and the function that takes them so."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        names = [f"argument {i + 1}" for i in range(len(arguments))]
        return arguments, names, function
    bound = signature.bind(*arguments, **keywords)
    values = bound.args
    names: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            names.extend(f"{parameter.name}[{i}]" for i in range(len(values) - len(names)))
        elif parameter.name in bound.arguments and len(names) < len(values):
            names.append(parameter.name)
    if not bound.kwargs:
        return values, names, function
    count = len(values)
    by_name = list(bound.kwargs)

    @functools.wraps(function)
    def call(*row: Any) -> Any:
        return function(*row[:count], **dict(zip(by_name, row[count:], strict=True)))

    return (*values, *bound.kwargs.values()), [*names, *by_name], call


def argument_position(function: Function, asked: int | str, names: list[str]) -> int:
    """Where the argument stands that is asked for by position or name."""
    if isinstance(asked, str):
        if asked in names:
            return names.index(asked)
        raise GradientError(
            f"{name_of(function)} has no argument {asked!r} in this call. "
            f"It has: {', '.join(names)}."
        )
    if not -len(names) <= asked < len(names):
        raise GradientError(
            f"argnums={asked}, but {name_of(function)} is called with {len(names)} "
            f"argument{'s' if len(names) != 1 else ''}: {', '.join(names)}."
        )
    return asked % len(names)


def name_of(function: Function) -> str:
    """What to call a function in a message."""
    return getattr(function, "__name__", type(function).__name__)


def scalar_output(call: Call, function: Function, has_aux: bool) -> Node:
    """The loss of a traced call; raises GradientError where it is not one real number."""
    outputs = call.graph.outputs
    if not outputs or (len(outputs) > 1 and not has_aux):
        raise GradientError(
            f"{name_of(function)} returns {len(outputs)} values; a gradient is of one number. "
            "Return the loss alone, return (loss, others) with has_aux=True, or use jacobian."
        )
    loss: Node = outputs[0]  # pyright: ignore[reportGeneralTypeIssues]  # there is one
    if loss.shape != ():
        raise GradientError(
            f"{name_of(function)} returns an array of shape {loss.shape}; a gradient is of one "
            "number. Reduce it with np.sum or np.mean, or use chainrule.jacobian."
        )
    if not loss.differentiable:
        raise GradientError(
            f"{name_of(function)} returns a value of dtype {loss.dtype}, which has no gradient. "
            "Return a floating-point number."
        )
    return loss


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
        value = call.graph.output_structure.unflatten(results[:count])
        return value, call.as_arguments(results[count:])

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


def _upstream(call: Call, cotangents: Any) -> dict[Node, Any]:
    """An argument node for the upstream gradient of each output, with its value."""
    leaves, structure = flatten(cotangents)
    if structure != call.graph.output_structure:
        raise GradientError(
            f"The upstream gradient has the nesting {structure.paths('g')}, and the output "
            f"{call.graph.output_structure.paths('y')}."
        )
    return _alongside(call.graph.outputs, leaves, "g")


def _alongside(nodes: Sequence[Node], leaves: Sequence[Any], name: str) -> dict[Node, Any]:
    """An argument node beside each node, with a value of the same shape."""
    beside: dict[Node, Any] = {}
    for node, leaf in zip(nodes, leaves, strict=True):
        shape = np.shape(leaf)
        if shape != node.shape:
            raise GradientError(
                f"A value of shape {shape} is given for {name}, which has shape {node.shape}."
            )
        value = leaf if is_traced(leaf) else np.asarray(leaf).astype(node.dtype)
        beside[argument(name, node.shape, node.dtype)] = value
    return beside


def vjp(function: Function, *arguments: Any) -> tuple[Any, Callable[[Any], Any]]:
    r"""The value, and a function from upstream gradients to gradients: $g \mapsto g^T J$.

    The function takes ``g`` nested and shaped as the value, and gives a tuple with the gradient of
    each argument.

    >>> import numpy as np
    >>> y, pull = vjp(lambda x: x**2, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))[0]
    array([ 2., 60.])
    """
    call = record_call(function, tuple(range(len(arguments))), arguments, {})
    value = call.graph.output_structure.unflatten(call.finish(call.graph.outputs))

    def pull(g: Any) -> Any:
        upstream = _upstream(call, g)
        gradients = pull_back(call.graph.outputs, list(upstream), call.inputs)
        return call.as_arguments(_with(call, simplify(gradients), upstream))

    return value, pull


def _with(call: Call, nodes: Sequence[Node], beside: dict[Node, Any]) -> list[Any]:
    """The nodes' values where some argument nodes beside the call's own have values too."""
    traced = {node: value.node for node, value in beside.items() if is_traced(value)}
    plain = {node: value for node, value in beside.items() if not is_traced(value)}
    return call.finish(substitute(nodes, traced) if traced else nodes, plain)


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    r"""The value and its derivative along tangents: $(f(x), J \dot x)$.

    >>> import numpy as np
    >>> y, dy = jvp(np.sin, (0.0,), (2.0,))
    >>> float(y), float(dy)
    (0.0, 2.0)
    """
    primals = tuple(primals)
    call = record_call(function, tuple(range(len(primals))), primals, {})
    leaves, structure = flatten(tuple(tangents))
    if structure != flatten(primals)[1]:
        raise GradientError("The tangents are not nested as the arguments are.")
    beside = _alongside(call.inputs, leaves, "the tangent")
    outputs = call.graph.outputs
    pushed = push_forward(outputs, call.inputs, list(beside))
    results = _with(call, simplify([*outputs, *pushed]), beside)
    count = len(outputs)
    shape = call.graph.output_structure
    return shape.unflatten(results[:count]), shape.unflatten(results[count:])


def hvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    r"""The product of a scalar function's Hessian with tangents: $\nabla^2 f(x)\, v$.

    It costs a few gradients and never forms the Hessian. One argument gives one product, several
    a tuple.

    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    primals = tuple(primals)
    call = record_call(function, tuple(range(len(primals))), primals, {})
    loss = scalar_output(call, function, has_aux=False)
    leaves, structure = flatten(tuple(tangents))
    if structure != flatten(primals)[1]:
        raise GradientError("The tangents are not nested as the arguments are.")
    beside = _alongside(call.inputs, leaves, "the tangent")
    gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], call.inputs)
    pushed = push_forward(gradients, call.inputs, list(beside))
    call.single = len(primals) == 1
    return call.as_arguments(_with(call, simplify(pushed), beside))


def jacobian(function: Function, argnums: Argnums = 0) -> Function:
    r"""A function that gives all derivatives: $J_{ij} = \partial f_i / \partial x_j$.

    The result is nested as the output, and inside that as the argument; each array has the shape
    of the output followed by that of the input.

    >>> import numpy as np
    >>> jacobian(lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x)(np.array([1.0, 1.0]))
    array([[1., 2.],
           [3., 4.]])
    """

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> Any:
        call = record_call(function, argnums, arguments, keywords)
        matrices = _matrices(call, call.graph.outputs)
        return call.graph.output_structure.unflatten(call.as_arguments(row) for row in matrices)

    return derived


def hessian(function: Function, argnums: Argnums = 0) -> Function:
    r"""A function that gives $H_{ij} = \partial^2 f / \partial x_i \partial x_j$.

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """

    @functools.wraps(function)
    def derived(*arguments: Any, **keywords: Any) -> Any:
        call = record_call(function, argnums, arguments, keywords)
        loss = scalar_output(call, function, has_aux=False)
        gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], call.inputs)
        return call.as_arguments([call.as_arguments(row) for row in _matrices(call, gradients)])

    return derived


def _matrices(call: Call, outputs: Sequence[Node]) -> list[list[Any]]:
    """For each output, its Jacobian by each input, one row of the output at a time."""
    matrices: list[list[Any]] = []
    for output in outputs:
        if not output.differentiable:
            raise GradientError(
                f"An output has dtype {output.dtype}, which has no derivative. Return real numbers."
            )
        g = argument("g", output.shape, output.dtype)
        nodes = simplify(pull_back([output], [g], call.inputs))
        rows: list[list[Any]] = []
        for position in range(output.size):
            one = np.zeros(output.size, dtype=output.dtype)
            one[position] = 1
            rows.append(call.finish(nodes, {g: one.reshape(output.shape)}))
        columns = list(zip(*rows, strict=True)) or [()] * len(call.inputs)
        matrices.append(
            [
                _stacked(column, output.shape + x.shape, x.dtype)
                for column, x in zip(columns, call.inputs, strict=True)
            ]
        )
    return matrices


def _stacked(rows: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if not rows:
        return np.zeros(shape, dtype=dtype)
    return np.stack(rows).reshape(shape)
