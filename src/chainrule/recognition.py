"""Functions that a program writes out, known again: 1 / (1 + exp(−z)) is sigmoid(z).

A derivative of the written-out form is right and unreadable; of the function it is what textbooks
have. The two differ in the last digits at most, so this is for what is shown, not for what trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chainrule.graph import Node, same_expression, topological_order
from chainrule.primitives import broadcast_to, expit, reshape, softmax, tanh
from chainrule.primitives.indexing import Template

__all__ = ["recognised"]


def recognised(outputs: Iterable[Node]) -> dict[Node, Node]:
    """For each node below some outputs, the one that takes its place; its own name stays.

    >>> from chainrule.graph import argument
    >>> from chainrule.primitives import exp
    >>> z = argument("z", (3,), "float64")
    >>> a = 1 / (1 + exp(-z))
    >>> recognised([a])[a]
    <expit float64[3]>
    """
    made: dict[Node, Node] = {}
    for node in topological_order(outputs):
        rebuilt = node.with_inputs(tuple(made[operand] for operand in node.inputs))
        known = _known(rebuilt) if rebuilt.primitive.name == "divide" else None
        if known is not None and known.shape == node.shape and known.dtype == node.dtype:
            known.source = node.source
            known.take_name(node.name or "")
            rebuilt = known
        made[node] = rebuilt
    return made


def _known(quotient: Node) -> Node | None:
    above, below = (_plain(operand) for operand in quotient.inputs)
    total = _along(quotient.inputs[1], "sum", quotient.shape)
    found = _sigmoid(above, below) or _tanh(above, below)
    return _softmax(quotient.inputs[0], total) if found is None and total is not None else found


def _sigmoid(above: Node, below: Node) -> Node | None:
    """1 / (1 + exp(−z)), or exp(z) / (1 + exp(z))."""
    power = _other(below, "add", _is_one)
    if power is None or power.primitive.name != "exp":
        return None
    (z,) = power.inputs
    if _is_one(above):
        return expit(_negated(z))
    return expit(z) if _is_same(above, power) else None


def _softmax(above: Node, below: Node) -> Node | None:
    """exp(z) / sum(exp(z)) over axes, and with the largest subtracted from z first."""
    if above.primitive.name != "exp":
        return None
    axis = below.attributes["axis"]
    if below.inputs[0].shape != above.shape or not _is_same(above, below.inputs[0]):
        return None
    (z,) = above.inputs
    if z.primitive.name == "subtract":
        top = _along(z.inputs[1], "max", z.inputs[0].shape)
        if (
            top is not None
            and top.attributes["axis"] == axis
            and _is_same(top.inputs[0], z.inputs[0])
        ):
            z = z.inputs[0]
    return softmax(z, axis=axis)


def _along(node: Node, name: str, shape: tuple[int, ...]) -> Node | None:
    """The reduction that is repeated along its own axes, and so stands at each of its elements."""
    while node.primitive is broadcast_to or node.primitive.name == "cast":
        node = node.inputs[0]
    kept = node.shape
    while node.primitive is reshape or _adds_axes(node):
        node = node.inputs[0]
    if node.primitive.name != name:
        return None
    axis = node.attributes["axis"]
    own = tuple(1 if i in axis else size for i, size in enumerate(shape))
    return node if kept == own or node.size == 1 else None


def _tanh(above: Node, below: Node) -> Node | None:
    """(exp(z) − exp(−z)) / (exp(z) + exp(−z))."""
    if above.primitive.name != "subtract" or below.primitive.name != "add":
        return None
    (left, right), others = above.inputs, below.inputs
    if left.primitive.name != "exp" or right.primitive.name != "exp":
        return None
    (z,) = left.inputs
    opposite = right.primitive.name == "exp" and _is_same(_negated(right.inputs[0]), z)
    both = _is_same(left, others[0]) and _is_same(right, others[1])
    turned = _is_same(left, others[1]) and _is_same(right, others[0])
    return tanh(z) if opposite and (both or turned) else None


def _adds_axes(node: Node) -> bool:
    """Whether it is written as s[:, None]."""
    if node.primitive.name != "getitem":
        return False
    template: Template = node.attributes["template"]
    slices = [part for part in template if part != ("newaxis",)]
    whole = all(
        part[0] == "slice" and range(size)[slice(*part[1:])] == range(size)
        for part, size in zip(slices, node.inputs[0].shape, strict=False)
    )
    return whole and node.size == node.inputs[0].size


def _plain(node: Node) -> Node:
    """A value without what only repeats or arranges it."""
    while node.primitive in (broadcast_to, reshape) or node.primitive.name == "cast":
        node = node.inputs[0]
    return node


def _negated(node: Node) -> Node:
    return node.inputs[0] if node.primitive.name == "negative" else -node


def _is_one(node: Node) -> bool:
    node = _plain(node)
    return node.primitive.name == "constant" and node.size == 1 and float(node.value.flat[0]) == 1.0


def _other(node: Node, name: str, one: Callable[[Node], bool]) -> Node | None:
    """The operand beside one that is as wanted."""
    if node.primitive.name != name:
        return None
    left, right = node.inputs
    if one(left):
        return right
    return left if one(right) else None


def _is_same(a: Node, b: Node) -> bool:
    if a is b:
        return True
    leaves = [node for node in topological_order([a]) if node.primitive.name == "argument"]
    return same_expression([a], [b], dict(zip(leaves, leaves, strict=True)))
