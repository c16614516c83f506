"""The graph of the function at one point: its branches, complex values, and what is not finite."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.rounding import Rounding
from chainrule.certificate.subject import Subject
from chainrule.derivatives import Call, scalar_output
from chainrule.errors import ChainruleError
from chainrule.gradient import pull_back
from chainrule.graph import Graph, Node, constant, topological_order
from chainrule.interpreter import Program, evaluate_nodes
from chainrule.simplification import simplify
from chainrule.tracer import record

__all__ = ["Trace", "origin_of", "place_of"]

Array = NDArray[Any]
_COMPLEX_STEP = 1e-30


class Trace:
    """The graph of the function as it runs at ``x``.

    With ``double`` it runs on doubles, whatever precision the arguments have. ``held`` are the
    nodes through which `chainrule.stop_gradient` lets no gradient pass: whatever moves, they keep
    the values that they have at ``x``.
    """

    def __init__(self, subject: Subject, x: Array, double: bool) -> None:
        self.parts = subject.parts
        self.no_complex_step = ""
        with subject.repeatable():
            arguments = subject.arguments(x, double)
            recording = record(subject.call, arguments)
            self.call = Call(recording, arguments, subject.chosen, False, subject.names)
            self.loss = scalar_output(self.call, subject.call, has_aux=False)
            nodes = [node for row in self.call.nodes_by_argument for node in row]
            self.inputs = [node for part in self.parts if (node := nodes[part.leaf]) is not None]
            self._given: dict[Node, Any] = dict(
                zip(self.call.graph.arguments, recording.values, strict=True)
            )
            self._gradient_nodes: list[Node] = []
            self._hold()
            self._find_branches()
        self.value = float(recording.outputs[0])

    def _hold(self) -> None:
        graph = self.call.graph
        self._order = topological_order([self.loss, *(guard.node for guard in graph.guards)])
        self.held = [node for node in self._order if node.primitive.name == "stop_gradient"]
        self._given.update(zip(self.held, evaluate_nodes(self.held, self._given), strict=True))

    def _at(self, x: Array) -> dict[Node, Any]:
        moved = {
            node: x[part.span].reshape(part.shape)
            for part, node in zip(self.parts, self.inputs, strict=True)
        }
        return {**self._given, **moved}

    def evaluate(self, x: Array) -> float:
        """The value of the function by its graph."""
        with np.errstate(all="ignore"):
            return float(evaluate_nodes([self.loss], self._at(x))[0])

    def gradient(self) -> list[Any]:
        """What `chainrule.grad` gives for each part."""
        one = constant(1, dtype=self.loss.dtype)
        self._gradient_nodes = simplify(pull_back([self.loss], [one], self.inputs))
        with np.errstate(all="ignore"):
            return self.call.finish(self._gradient_nodes)

    @functools.cached_property
    def rounding(self) -> Rounding:
        """How far rounding moves our gradient of each part, and last the value."""
        if not self._gradient_nodes:
            self.gradient()
        nodes = [*self._gradient_nodes, self.loss]
        return Rounding(nodes, self._given, self.call.graph.guards)

    # Branches.

    def _find_branches(self) -> None:
        """The nodes that choose: those with a kink, and those that make no real number of one."""
        moving = set(self.inputs)
        self._branches: list[Node] = []
        for node in self._order:
            if node in self.held or not any(operand in moving for operand in node.inputs):
                continue
            moving.add(node)
            real = any(operand.differentiable for operand in node.inputs)
            if node.primitive.kink is not None or (real and not node.differentiable):
                self._branches.append(node)
        self._needed = list(
            {n: None for branch in self._branches for n in (*branch.inputs, branch)}
        )
        self._program: Program | None = None
        if not self.held:
            structure = self.call.graph.argument_structure
            arguments = self.call.graph.arguments
            self._program = Program(Graph(arguments, tuple(self._needed), structure, structure))
        self._base = self._choices(self._given)

    def _choices(self, given: dict[Node, Any]) -> list[Any]:
        if self._program is not None:
            found = self._program(*(given[node] for node in self.call.graph.arguments))
        else:
            found = evaluate_nodes(self._needed, given)
        values = dict(zip(self._needed, found, strict=True))
        return [_choice(branch, values) for branch in self._branches]

    def changed(self, x: Array) -> list[Node]:
        """The nodes that choose otherwise at ``x``, in the order of the computation."""
        if not self._branches:
            return []
        given = self._at(x)
        with np.errstate(all="ignore"):
            try:
                choices = self._choices(given)
            except (ChainruleError, ValueError, IndexError):
                return self._changed_before_an_error(given)
        return [
            node
            for node, before, after in zip(self._branches, self._base, choices, strict=True)
            if not _same(before, after)
        ]

    def _changed_before_an_error(self, given: dict[Node, Any]) -> list[Node]:
        """The same where a mask now selects another number of elements, so that a shape is off."""
        changed: list[Node] = []
        for node, before in zip(self._branches, self._base, strict=True):
            needed = [*node.inputs, node]
            try:
                values = dict(zip(needed, evaluate_nodes(needed, given), strict=True))
            except (ChainruleError, ValueError, IndexError):
                break
            if not _same(before, _choice(node, values)):
                changed.append(node)
        return changed or self._branches[:1]

    # The complex step.

    def complex_step(self, x: Array, direction: Array) -> tuple[float, float] | None:
        """Im f(x + ih·direction) / h, each choice made by the real part; and that of the value.

        None where it cannot be made; ``no_complex_step`` then says why.
        """
        if self.no_complex_step:
            return None
        moved = self._at(x + 1j * _COMPLEX_STEP * direction)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                # Where a primitive would drop the imaginary part there is no complex step.
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                value = complex(evaluate_nodes([self.loss], moved)[0])
        except (TypeError, ChainruleError, np.exceptions.ComplexWarning) as error:
            self.no_complex_step = f"The complex step cannot be made: {str(error).rstrip('.')}."
            return None
        return (value.imag / _COMPLEX_STEP, value.real) if np.isfinite(value) else None

    # What is not finite.

    def not_finite(self) -> Node | None:
        """Where a value that is not finite comes from, if the function's value is not."""
        return origin_of(self.loss, self._given)

    def gradient_not_finite(self, part: int) -> Node | None:
        """The same for our gradient of a part."""
        return origin_of(self._gradient_nodes[part], self._given)


def _same(before: Any, after: Any) -> bool:
    return bool(np.shape(before) == np.shape(after) and (before == after).all())


def _choice(node: Node, values: dict[Node, Any]) -> Any:
    if node.primitive.kink is None:
        return values[node]
    return node.primitive.kink(*(values[operand] for operand in node.inputs), **node.attributes)


def origin_of(node: Node, given: dict[Node, Any]) -> Node | None:
    """The node where a value first is not finite, on the way back from one that is not."""
    order = topological_order([node])
    with np.errstate(all="ignore"):
        values = dict(zip(order, evaluate_nodes(order, given), strict=True))
    bad = {n for n in order if n.differentiable and not np.isfinite(values[n]).all()}
    if node not in bad:
        return None
    while True:
        before = [n for n in node.inputs if n in bad]
        moving = [n for n in before if not n.is_constant]
        if not moving:
            # A constant is to blame only if nothing computes with finite values here.
            return node
        node = moving[0]


def place_of(node: Node) -> str:
    """What computes a node, and where, for a message."""
    if node.primitive.name == "argument":
        return f"the argument {node.name}"
    where = f", {node.source.describe()}" if node.source and node.source.frames else ""
    return f"{node.primitive.name}{where}"
