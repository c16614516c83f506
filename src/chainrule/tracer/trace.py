"""From an ordinary NumPy function to a graph."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.errors import ChainruleError, TraceError
from chainrule.graph import Graph, Node, argument
from chainrule.pytrees import flatten
from chainrule.source import boundaries, capture
from chainrule.tracer import leaks
from chainrule.tracer.arrays import TracedArray
from chainrule.tracer.leaks import Context
from chainrule.tracer.operands import as_traced, check_dtype, is_traced, plain_array
from chainrule.tracer.redirection import redirected

__all__ = ["Recording", "named", "record", "stop_gradient", "trace"]


@dataclass
class Recording:
    """A traced call: the graph, the arguments' values, and the output's values."""

    graph: Graph
    values: list[Any]
    outputs: list[Any]


def trace(function: Callable[..., Any], *arguments: Any, allow_cuts: bool = False) -> Graph:
    """The graph of a NumPy function, found by running it once on the given arguments.

    Arrays and floating-point numbers among the arguments, at any depth of dicts, lists, tuples and
    dataclasses, become the graph's arguments. Whole numbers, truth values, texts and other objects
    are part of the program. The caller's arrays are never changed: in-place changes stay inside.

    Where the program asks for a truth value (``if loss < best:``), the branch that it took is kept
    as a guard, and evaluating the graph with values that would choose another branch is an error.

    With ``allow_cuts=True`` a value may leave the trace (``float(x)``); each place is listed in
    ``graph.cuts``, and no gradient passes there.

    >>> import numpy as np
    >>> graph = trace(lambda x: np.sum(x**2), np.array([1.0, 2.0]))
    >>> [node.primitive.name for node in graph]
    ['argument', 'square', 'sum']

    Raises UnsupportedError for what cannot be traced, naming it, its place and what to use
    instead, and LeakError where a value would leave the trace.
    """
    return record(function, arguments, allow_cuts=allow_cuts).graph


def record(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    *,
    allow_cuts: bool = False,
    names: Sequence[str] | None = None,
) -> Recording:
    """Run a function on traced arguments; see `trace`.

    ``names`` are the arguments' names, where they are not those of the function's parameters.
    """
    leaves, structure = flatten(arguments)
    names = names or _names(function, len(arguments))
    names = [_leaf_name(path, names) for path in structure.paths()]
    context = Context(allow_cuts)
    static: dict[int, Any] = {}
    traced: list[Any] = []
    nodes: list[Node] = []
    for position, (leaf, name) in enumerate(zip(leaves, names, strict=True)):
        value = _traceable(leaf, name)
        if value is None:
            static[position] = leaf
            traced.append(leaf)
            continue
        node = argument(name, value.shape, value.dtype)
        # The caller's array is not written to while the function runs: the trace has its own.
        context.values[node] = leaf if type(leaf) is np.ndarray else np.array(value)
        nodes.append(node)
        weak = type(leaf) is float or (type(leaf) is TracedArray and leaf.weak)
        traced.append(TracedArray(value, node, weak=weak))
    with leaks.recording(context), redirected():
        try:
            result = function(*structure.unflatten(traced))
        except (ValueError, TypeError) as error:
            _raise_what_a_library_replaced(error)
            raise
        outputs, output_structure = flatten(result)
        finals = [_final(output, position, function) for position, output in enumerate(outputs)]
        for final in finals:
            leaks.require_running(final.node)
    graph = Graph(
        arguments=tuple(nodes),
        outputs=tuple(final.node for final in finals),
        argument_structure=structure,
        output_structure=output_structure,
        static=static,
        guards=tuple(context.guards),
        cuts=tuple(context.cuts),
        name=getattr(function, "__name__", type(function).__name__),
    )
    return Recording(graph, list(context.values.values()), [final.value for final in finals])


boundaries.add(record.__code__)


def _raise_what_a_library_replaced(error: Exception) -> None:
    """Where NumPy has put an error of its own before one of ours, raise ours."""
    cause = error.__cause__
    while cause is not None and not isinstance(error, ChainruleError):
        if isinstance(cause, ChainruleError):
            raise cause from None
        cause = cause.__cause__


def _traceable(leaf: Any, name: str) -> Any:
    """A copy of an argument's value if it is one to trace, or None if it is part of the program."""
    if is_traced(leaf):
        value = leaf.value
        return value.copy() if isinstance(value, np.ndarray) else value
    if isinstance(leaf, np.ndarray):
        return np.array(plain_array(leaf, f"The argument {name}"))
    if isinstance(leaf, float | np.floating):
        value: Any = np.float64(leaf) if type(leaf) is float else leaf
        check_dtype(value.dtype, f"The argument {name}")
        return value
    if isinstance(leaf, complex | np.complexfloating):
        check_dtype(np.dtype(complex), f"The argument {name}")
    if hasattr(leaf, "to_numpy"):
        plain_array(leaf, f"The argument {name}")
    return None


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """The arguments' names as the function has them."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        parameters = []
    names: list[str] = []
    for position in range(count):
        if position < len(parameters) and parameters[position].kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            names.append(parameters[position].name)
        else:
            names.append(f"argument {position + 1}")
    return names


def _leaf_name(path: str, names: Sequence[str]) -> str:
    number, _, rest = path[1:].partition("]")
    # A parameter in a flat dict has a name of its own: parameters['W1'] is W1.
    if rest.startswith("['") and rest.endswith("']") and rest.count("[") == 1:
        return rest[2:-2]
    return names[int(number)] + rest


def _final(output: Any, position: int, function: Callable[..., Any]) -> TracedArray:
    if is_traced(output):
        return output
    if isinstance(output, bool | int | float | np.generic | np.ndarray):
        return as_traced(output)
    raise TraceError(
        f"{getattr(function, '__name__', 'The function')} returns a {type(output).__name__} "
        f"(output {position + 1}). Return arrays or numbers, in dicts, lists or tuples."
    )


def named(x: Any, name: str) -> Any:
    """The value itself; if it is traced, under a name that its program has no variable for.

    >>> import numpy as np
    >>> trace(lambda x: named(2 * x, "double"), np.ones(3)).outputs[0].name
    'double'
    """
    if is_traced(x):
        x.node.take_name(name)
    return x


def stop_gradient(x: Any) -> Any:
    """The value itself, through which no gradient passes: a constant, as far as derivatives go.

    >>> import numpy as np
    >>> from chainrule import grad
    >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """
    if not is_traced(x):
        return x
    node = p.stop_gradient(x.node)
    node.source = capture()
    value = x.value.copy() if isinstance(x.value, np.ndarray) else x.value
    return TracedArray(value, node, weak=x.weak)
