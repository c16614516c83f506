"""Graph to numbers, with NumPy: the reference that every other way of running is compared with.

`compile_graph` turns a graph into a list of instructions over numbered slots, once; running it is
then one NumPy call after another. Two things make that cheap without changing a number: a value
that only elementwise operations use is not broadcast beforehand (NumPy does it on the way), and a
slot is used again when its value is no longer needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError, GraphError, GuardError
from chainrule.graph import Graph, Guard, Node, topological_order
from chainrule.pytrees import flatten

__all__ = [
    "Program",
    "check_guards",
    "compile_graph",
    "evaluate",
    "evaluate_nodes",
    "flat_arguments",
]

Array = NDArray[Any]
_STRAIGHT_LINE = "<chainrule program>"
Instruction = tuple[Callable[..., Any], int, tuple[int, ...]]


class Program:
    """A graph made ready to run: call it with one array for each argument node.

    It returns one array for each output node. Only their number is checked here; `evaluate`
    checks shapes and dtypes.
    """

    def __init__(self, graph: Graph) -> None:
        nodes = graph.nodes()
        self.graph = graph
        self._nodes: list[Node] = []
        self._instructions: list[Instruction] = []
        self._slots: list[Any] = []
        self._straight: Callable[..., list[Array]] | None = None
        self._called = False
        self._plan(nodes)

    def _plan(self, nodes: list[Node]) -> None:
        graph = self.graph
        lazy = _lazy_broadcasts(nodes, (*graph.outputs, *(guard.node for guard in graph.guards)))
        last_use: dict[Node, int] = {}
        for position, node in enumerate(nodes):
            for operand in node.inputs:
                last_use[lazy.get(operand, operand)] = position
        forever = len(nodes)
        for node in (*graph.arguments, *graph.outputs, *(guard.node for guard in graph.guards)):
            last_use[node] = forever
        slot_of: dict[Node, int] = {}
        free: list[int] = []
        for node in graph.arguments:
            slot_of[node] = len(self._slots)
            self._slots.append(None)
        for position, node in enumerate(nodes):
            if node in slot_of or node in lazy:
                continue
            if node.primitive.name == "constant":
                slot_of[node] = len(self._slots)
                self._slots.append(node.value)
                continue
            if node.primitive.name == "argument":
                raise GraphError(f"The argument {node.name!r} is used but not among the graph's.")
            operands = tuple(lazy.get(operand, operand) for operand in node.inputs)
            target = free.pop() if free else len(self._slots)
            if target == len(self._slots):
                self._slots.append(None)
            slot_of[node] = target
            sources = tuple(slot_of[operand] for operand in operands)
            self._instructions.append((_function(node), target, sources))
            self._nodes.append(node)
            for operand in {*operands, node}:
                if last_use.get(operand, position) == position and (
                    operand.primitive.kind != "leaf"
                ):
                    free.append(slot_of[operand])
        self._outputs = tuple(slot_of[node] for node in graph.outputs)
        self._guards = tuple((slot_of[guard.node], guard) for guard in graph.guards)

    def __call__(self, *arguments: Any) -> list[Array]:
        """The outputs' arrays for the arguments' arrays."""
        if len(arguments) != len(self.graph.arguments):
            raise GraphError(
                f"The program of {self.graph.name} takes {len(self.graph.arguments)} arrays, one "
                f"for each argument node, and is given {len(arguments)}."
            )
        if self._straight is None and self._called:
            self._straight = self._straight_line()
        self._called = True
        return (self._straight or self._one_by_one)(*arguments)

    def _one_by_one(self, *arguments: Any) -> list[Array]:
        slots = self._slots.copy()
        slots[: len(arguments)] = arguments
        position = 0
        try:
            for position, (function, target, sources) in enumerate(self._instructions):  # noqa: B007
                slots[target] = function(*[slots[source] for source in sources])
        except (ChainruleError, ValueError, TypeError, IndexError) as error:
            raise self._located(error, position) from _cause(error)
        self._check_guards([slots[slot] for slot, _ in self._guards])
        return [slots[slot] for slot in self._outputs]

    def _straight_line(self) -> Callable[..., list[Array]]:
        """The instructions as one Python function, a line each; for programs that run often.

        It saves the bookkeeping of a loop, about a third of the time of a small network's step.
        The text holds only numbered names, nothing of the user's.
        """
        names = {f"v{i}": value for i, value in enumerate(self._slots) if value is not None}
        names.update({f"f{i}": function for i, (function, *_) in enumerate(self._instructions)})
        names["check"] = self._check_guards
        lines = [f"def run({', '.join(f'v{i}' for i in range(len(self.graph.arguments)))}):"]
        for i, (_, target, sources) in enumerate(self._instructions):
            lines.append(f" v{target} = f{i}({', '.join(f'v{source}' for source in sources)})")
        if self._guards:
            lines.append(f" check([{', '.join(f'v{slot}' for slot, _ in self._guards)}])")
        lines.append(f" return [{', '.join(f'v{slot}' for slot in self._outputs)}]")
        exec(compile("\n".join(lines), _STRAIGHT_LINE, "exec"), names)
        run = names["run"]

        def located(*arguments: Any) -> list[Array]:
            try:
                return run(*arguments)
            except (ChainruleError, ValueError, TypeError, IndexError) as error:
                raise self._located(error, self._failed(error)) from _cause(error)

        return located

    def _failed(self, error: Exception) -> int:
        """The number of the instruction that raised an error in the straight line."""
        frame = error.__traceback__
        while frame is not None and frame.tb_frame.f_code.co_filename != _STRAIGHT_LINE:
            frame = frame.tb_next
        line = frame.tb_lineno if frame is not None else 0
        return line - 2 if 2 <= line < 2 + len(self._instructions) else -1

    def _check_guards(self, values: Sequence[Any]) -> None:
        check_guards(self.graph.guards, values)

    def _located(self, error: Exception, position: int) -> ChainruleError:
        if not isinstance(error, ChainruleError):
            error = GraphError(f"{error}.")
        if not 0 <= position < len(self._nodes):
            return error
        node = self._nodes[position]
        if node.source is None or not node.source.frames:
            return error
        return type(error)(f"{error} (Computing {node.primitive.name}, {node.source.describe()}.)")


def check_guards(guards: Sequence[Guard], values: Sequence[Any]) -> None:
    """Raise GuardError where a value that steers a program is another than in its trace."""
    for value, guard in zip(values, guards, strict=True):
        if not _as_traced(value, guard.expected):
            raise GuardError(
                f"The program was traced where a value that steers it was {guard.expected} "
                f"({guard.source.describe()}); with these arguments it is {value}. "
                "Trace it again for them, or write the choice with np.where."
            )


def _cause(error: Exception) -> Exception | None:
    """NumPy's error is the cause of ours; one of ours is only worded again."""
    return None if isinstance(error, ChainruleError) else error


def _as_traced(value: Any, expected: Any) -> bool:
    """Whether a guarded value is what it was in the trace; not-a-number equals itself."""
    return bool(np.array_equal(value, expected, equal_nan=np.asarray(value).dtype.kind == "f"))


def _function(node: Node) -> Callable[..., Any]:
    primitive = node.primitive
    if primitive.specialised is not None:
        return primitive.specialised(**node.attributes)
    if node.attributes:
        return partial(primitive.value, **node.attributes)
    return primitive.ufunc if primitive.ufunc is not None else primitive.value


def _lazy_broadcasts(nodes: Iterable[Node], needed: Sequence[Node]) -> dict[Node, Node]:
    """Broadcasts that need not happen, each with the node that stands in for it.

    That is so where every user is elementwise and has another input of the full shape.
    """
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for operand in node.inputs:
            users.setdefault(operand, []).append(node)
    lazy: dict[Node, Node] = {}
    for node in nodes:
        if node.primitive.name != "broadcast_to" or node in needed:
            continue
        if all(_broadcasts_itself(user) for user in users.get(node, [])):
            lazy[node] = node.inputs[0]
    return lazy


def _broadcasts_itself(user: Node) -> bool:
    return user.primitive.kind == "elementwise" and any(
        operand.primitive.name != "broadcast_to" for operand in user.inputs
    )


def compile_graph(graph: Graph) -> Program:
    """A graph made ready to run with NumPy, many times."""
    return Program(graph)


def flat_arguments(graph: Graph, arguments: tuple[Any, ...]) -> list[Array]:
    """The arrays for a graph's argument nodes, from arguments nested as they were traced.

    Raises GraphError where the nesting, a static value, a shape or a dtype is not the traced one.
    """
    leaves, structure = flatten(arguments)
    if structure != graph.argument_structure:
        raise GraphError(
            f"{graph.name} was traced with the arguments "
            f"{', '.join(graph.argument_structure.paths())}, and is given "
            f"{', '.join(structure.paths())}. Give the same nesting, or trace it again."
        )
    paths = structure.paths()
    arrays: list[Array] = []
    nodes = iter(graph.arguments)
    for position, (leaf, path) in enumerate(zip(leaves, paths, strict=True)):
        if position in graph.static:
            if not _same_static(graph.static[position], leaf):
                raise GraphError(
                    f"{graph.name} was traced with {path} = {graph.static[position]!r}, which is "
                    f"part of the program, and is given {leaf!r}. Trace it again with that value."
                )
            continue
        node = next(nodes)
        array = np.asarray(leaf)
        if array.shape != node.shape:
            raise GraphError(
                f"{graph.name} was traced with {node.name} of shape {node.shape}, and is given "
                f"shape {array.shape}. Trace it again for that shape."
            )
        if array.dtype != node.dtype:
            if not np.can_cast(array.dtype, node.dtype, "same_kind"):
                advice = f"Convert it with .astype({node.dtype.name!r})."
                if array.dtype.kind == "c":
                    advice = "Pass real and imaginary parts as two arguments."
                raise GraphError(
                    f"{graph.name} was traced with {node.name} of dtype {node.dtype}, and is "
                    f"given {array.dtype}. {advice}"
                )
            array = array.astype(node.dtype)
        arrays.append(array)
    return arrays


def _same_static(traced: Any, given: Any) -> bool:
    if traced is given:
        return True
    try:
        return type(traced) is type(given) and bool(traced == given)
    except (ValueError, TypeError):
        return False


def evaluate(graph: Graph, *arguments: Any) -> Any:
    """The outputs of a graph for arguments nested as they were when it was traced.

    Raises GraphError where shapes, dtypes or nesting differ from the traced ones, and GuardError
    where the program would take another branch for these values.
    """
    outputs = Program(graph)(*flat_arguments(graph, arguments))
    return graph.output_structure.unflatten(outputs)


def evaluate_nodes(outputs: Sequence[Node], given: dict[Node, Any]) -> list[Any]:
    """The values of nodes where some nodes' values are given; every number as NumPy has it.

    Complex values are carried through: each primitive that chooses chooses by the real part, so
    that a complex step differentiates the branch that was taken.
    """
    values: dict[Node, Any] = dict(given)
    for node in topological_order(outputs, given):
        if node.primitive.name == "constant":
            values[node] = node.value
            continue
        operands = [values[operand] for operand in node.inputs]
        rule = node.primitive.value
        if node.primitive.complex_value is not None and any(
            np.asarray(operand).dtype.kind == "c" for operand in operands
        ):
            rule = node.primitive.complex_value
        values[node] = rule(*operands, **node.attributes)
    return [values[node] for node in outputs]
