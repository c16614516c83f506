"""A traced call: which arguments derivatives are taken by, and how results are evaluated.

Outside of other traces the nodes of a derivative are compiled once and run with NumPy. Inside
another trace the results are traced values there, whose nodes are those of the derivative with the
outer trace's nodes in place of the arguments: so derivatives nest, and there is no perturbation to
confuse.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.errors import GradientError
from chainrule.gradient import substitute
from chainrule.graph import Graph, Node, constant, topological_order
from chainrule.interpreter import Program, evaluate_nodes
from chainrule.pytrees import flatten
from chainrule.tracer import Recording, TracedArray, active_contexts, depends, is_traced, record

__all__ = [
    "Argnums",
    "Call",
    "Function",
    "argument_position",
    "is_field",
    "name_of",
    "not_real",
    "positional_call",
    "record_call",
    "scalar_output",
]

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
            before = len(nodes)
            for leaf, node, path in zip(leaves, row, paths, strict=True):
                if node is not None and node.differentiable:
                    nodes.append(node)
                elif node is not None or (_is_whole(leaf) and not is_field(path)):
                    raise GradientError(not_real(path, leaf))
            if len(nodes) == before:
                raise GradientError(
                    f"The argument {self.names[index]} is {self.given[index]!r}, which has no "
                    "floating-point numbers to take a gradient by."
                )
        return nodes

    @functools.cached_property
    def templates(self) -> list[Any]:
        """The given leaves that derivatives are taken by."""
        leaves = [
            (leaf, node)
            for index in self.chosen
            for leaf, node in zip(
                flatten(self.given[index])[0], self.nodes_by_argument[index], strict=True
            )
        ]
        return [leaf for leaf, node in leaves if node is not None]

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

    def gradients(self, values: Sequence[Any]) -> Any:
        """Gradients nested as the chosen arguments; a number's is a number."""
        pairs = zip(values, self.templates, strict=True)
        return self.as_arguments([_like(value, template) for value, template in pairs])

    def outputs(self, values: Sequence[Any]) -> Any:
        """Values of the function's outputs, nested and typed as the function gave them."""
        pairs = zip(values, self.recording.outputs, strict=True)
        return self.graph.output_structure.unflatten(_like(*pair) for pair in pairs)

    def finish(self, nodes: Sequence[Node], extra: dict[Node, Any] | None = None) -> list[Any]:
        """The nodes' values; inside another trace, what is traced there if they depend on it.

        ``extra`` has the values of argument nodes beside the call's own.
        """
        beside = extra or {}
        return self.evaluator(nodes, list(beside))(*beside.values())

    def evaluator(self, nodes: Sequence[Node], extra: Sequence[Node]) -> Function:
        """A function that gives the nodes' values for values of some extra argument nodes."""
        self._hand_over_guards()
        if self._inside(nodes):
            return lambda *values: self._traced(nodes, dict(zip(extra, values, strict=True)))
        structure = flatten(())[1]
        arguments = (*self.graph.arguments, *extra)
        program = Program(Graph(arguments, tuple(nodes), structure, structure))

        def run(*values: Any) -> list[Any]:
            if any(is_traced(value) for value in values):
                return self._traced(nodes, dict(zip(extra, values, strict=True)))
            known = [*self.recording.values, *values]
            return _apart(program(*known), program.graph, known)

        return run

    def _inside(self, nodes: Sequence[Node]) -> bool:
        """Whether the nodes depend on arguments of a trace that is running."""
        if not active_contexts():
            return False
        if any(is_traced(leaf) for leaf in flatten(self.given)[0]):
            return True
        outer: set[Node] = set()
        for context in active_contexts():
            outer.update(context.values)
        return any(node in outer for node in topological_order(nodes))

    def _replacements(self) -> dict[Node, Node]:
        """The nodes that stand in an outer trace for the call's arguments."""
        leaves = flatten(self.given)[0]
        given = [leaf for i, leaf in enumerate(leaves) if i not in self.graph.static]
        return {
            node: leaf.node if is_traced(leaf) else constant(leaf, dtype=node.dtype)
            for node, leaf in zip(self.graph.arguments, given, strict=True)
        }

    def _traced(self, nodes: Sequence[Node], extra: dict[Node, Any]) -> list[Any]:
        values: dict[Node, Any] = {}
        for context in active_contexts():
            values.update(context.values)
        values.update(zip(self.graph.arguments, self.recording.values, strict=True))
        replacements = self._replacements()
        for node, value in extra.items():
            values[node] = value.value if is_traced(value) else value
            replacements[node] = value.node if is_traced(value) else constant(value)
        results = evaluate_nodes(nodes, values)
        return [
            TracedArray(value[()] if np.ndim(value) == 0 else value, node)
            for value, node in zip(results, substitute(nodes, replacements), strict=True)
        ]

    def _hand_over_guards(self) -> None:
        """Give an outer trace the guards that depend on its arguments."""
        contexts = active_contexts()
        if not contexts or not self.graph.guards:
            return
        replacements = self._replacements()
        for guard in self.graph.guards:
            node = substitute([guard.node], replacements)[0]
            if depends(node):
                contexts[-1].guards.append(replace(guard, node=node))


def _like(value: Any, template: Any) -> Any:
    """A value without axes as what it stands for is: an array or a number."""
    if is_traced(value) or np.ndim(value):
        return value
    return np.asarray(value) if isinstance(template, np.ndarray) else np.asarray(value)[()]


def _apart(values: Sequence[Any], graph: Graph, known: Sequence[Any]) -> list[Any]:
    """Values that share no memory with one another, with constants or with what is known."""
    results: list[Any] = []
    seen = {id(value) for value in known}
    for value, node in zip(values, graph.outputs, strict=True):
        result: Any = value
        if isinstance(value, np.ndarray):
            owned = result.base is None and result.flags.writeable and id(result) not in seen
            if not owned or node.primitive.kind == "leaf":
                result = result.copy()
            seen.add(id(result))
        results.append(result)
    return results


def _is_whole(leaf: Any) -> bool:
    return isinstance(leaf, int | np.integer) and not isinstance(leaf, bool)


def is_field(path: str) -> bool:
    """Whether a leaf is a field of a dataclass or named tuple, where whole numbers are settings."""
    return re.search(r"\.\w+$", path) is not None


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
    function: Function,
    argnums: Argnums | None,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> Call:
    """Trace a call, to differentiate it by the arguments that ``argnums`` chooses; None is all."""
    positional, names, call = positional_call(function, arguments, keywords)
    single = isinstance(argnums, int | str)
    if argnums is None:
        asked: list[int | str] = list(range(len(positional)))
    else:
        asked = [argnums] if isinstance(argnums, int | str) else list(argnums)
    chosen = [argument_position(function, each, names) for each in asked]
    if len(set(chosen)) != len(chosen):
        raise GradientError(f"argnums={argnums} chooses an argument more than once.")
    return Call(record(call, positional, names=names), positional, chosen, single, names)


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
