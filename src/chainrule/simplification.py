"""The same expressions with fewer nodes, without changing a number.

Equal subexpressions become one node, and rewritings are applied that are exact in floating-point
arithmetic (at most the sign of a zero differs): 1 · x is x, 0 + x is x, −(−x) is x, a + (−b) is
a − b, (−a) · b is −(a · b), arrangements of arrangements are one arrangement, small constants are
computed, and what is the same along an axis is computed once and broadcast afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.graph import Graph, Node, constant, topological_order
from chainrule.primitives import broadcast_to, negative, reshape, subtract, transpose

__all__ = ["simplify", "simplify_graph"]

_FOLDED_SIZE = 16


def simplify(outputs: Sequence[Node]) -> list[Node]:
    """The outputs as simpler expressions of the same leaves.

    >>> from chainrule.graph import argument
    >>> x = argument("x", (3,), "float64")
    >>> simplify([-(-x) * 1.0])[0] is x
    True
    """
    made: dict[Node, Node] = {}
    known: dict[Any, Node] = {}
    for node in topological_order(outputs):
        simpler = _rewrite(node.with_inputs(tuple(made[operand] for operand in node.inputs)))
        key = _key(simpler)
        made[node] = known.setdefault(key, simpler)
    return [made[node] for node in outputs]


def simplify_graph(graph: Graph) -> Graph:
    """A graph whose outputs and guards are simplified together."""
    count = len(graph.outputs)
    nodes = simplify([*graph.outputs, *(guard.node for guard in graph.guards)])
    guards = tuple(
        replace(guard, node=node) for guard, node in zip(graph.guards, nodes[count:], strict=True)
    )
    return replace(graph, outputs=tuple(nodes[:count]), guards=guards)


def _key(node: Node) -> Any:
    name = node.primitive.name
    if name == "argument":
        return node
    if name == "constant":
        if node.size > _FOLDED_SIZE:
            return node
        return name, node.dtype, node.shape, node.value.tobytes()
    attributes = tuple(sorted((key, _hashable(value)) for key, value in node.attributes.items()))
    return name, node.dtype, node.shape, node.inputs, attributes


def _hashable(value: Any) -> str:
    return repr(value)


def _rewrite(node: Node) -> Node:
    """A simpler node of the same value, or the node itself."""
    for _ in range(4):
        rule = _RULES.get(node.primitive.name)
        simpler = rule(node) if rule else None
        if simpler is None and node.primitive.kind == "elementwise":
            simpler = _fold(node) or _compute_before_broadcast(node)
        if simpler is None:
            return node
        if simpler.source is None:
            simpler.source = node.source
        node = simpler
    return node


def _number(node: Node) -> float | None:
    """The value of a node that is one number, broadcast or not."""
    if node.primitive.name == "broadcast_to":
        node = node.inputs[0]
    if node.primitive.name == "constant" and node.size == 1:
        return float(node.value.reshape(()))
    return None


def _multiply(node: Node) -> Node | None:
    a, b = node.inputs
    if _number(a) == 1:
        return b
    if _number(b) == 1:
        return a
    return _without_minus(node)


def _divide(node: Node) -> Node | None:
    return node.inputs[0] if _number(node.inputs[1]) == 1 else _without_minus(node)


def _without_minus(node: Node) -> Node | None:
    """(−a) · b as −(a · b), and (−a) · (−b) as a · b; quotients likewise."""
    a, b = (x.inputs[0] if x.primitive is negative else x for x in node.inputs)
    minuses = (a is not node.inputs[0]) + (b is not node.inputs[1])
    if not minuses:
        return None
    inner = node.primitive(a, b).without_name()
    inner.source = node.source
    return inner if minuses == 2 else -inner


def _add(node: Node) -> Node | None:
    a, b = node.inputs
    if _number(a) == 0:
        return b
    if _number(b) == 0:
        return a
    if b.primitive is negative:
        return subtract(a, b.inputs[0])
    return subtract(b, a.inputs[0]) if a.primitive is negative else None


def _subtract(node: Node) -> Node | None:
    a, b = node.inputs
    if _number(b) == 0:
        return a
    return a + b.inputs[0] if b.primitive is negative else None


def _negative(node: Node) -> Node | None:
    inner = node.inputs[0]
    return inner.inputs[0] if inner.primitive is negative else None


def _reshape(node: Node) -> Node | None:
    inner = node.inputs[0]
    if inner.shape == node.shape:
        return inner
    if inner.primitive is reshape:
        return reshape(inner.inputs[0], shape=node.shape)
    return None


def _transpose(node: Node) -> Node | None:
    inner = node.inputs[0]
    axes = node.attributes["axes"]
    if axes == tuple(range(len(axes))):
        return inner
    if inner.primitive is transpose:
        before = inner.attributes["axes"]
        return transpose(inner.inputs[0], axes=tuple(before[axis] for axis in axes))
    return None


def _broadcast(node: Node) -> Node | None:
    inner = node.inputs[0]
    if inner.shape == node.shape:
        return inner
    if inner.primitive is broadcast_to:
        return broadcast_to(inner.inputs[0], shape=node.shape)
    return None


def _cast(node: Node) -> Node | None:
    return node.inputs[0] if node.inputs[0].dtype == node.dtype else None


_RULES: dict[str, Callable[[Node], Node | None]] = {
    "multiply": _multiply,
    "divide": _divide,
    "add": _add,
    "subtract": _subtract,
    "negative": _negative,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast,
    "cast": _cast,
}


def _fold(node: Node) -> Node | None:
    if node.size > _FOLDED_SIZE or any(x.primitive.name != "constant" for x in node.inputs):
        return None
    with np.errstate(all="ignore"):
        return constant(node.primitive.value(*(x.value for x in node.inputs)), dtype=node.dtype)


def _compute_before_broadcast(node: Node) -> Node | None:
    """An elementwise node of broadcasts of one shape: computed in that shape, then broadcast."""
    if any(x.primitive is not broadcast_to for x in node.inputs):
        return None
    inner = [x.inputs[0] for x in node.inputs]
    if any(x.shape != inner[0].shape for x in inner):
        return None
    small = node.primitive(*inner)
    small.source = node.source
    return broadcast_to(_rewrite(small.without_name()), shape=node.shape)
