"""Named values kept apart while their formulas are made simpler, and linked again.

Simplifying a whole step would pull signs and factors through the values that have names, and the
formula of a value would no longer be over the names that a reader expects. So each named value is
simplified over the others as if they were arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainrule.graph import Node, argument, constant, topological_order
from chainrule.primitives import (
    broadcast_to,
    divide,
    log_softmax,
    multiply,
    negative,
    reshape,
    softmax,
    subtract,
)
from chainrule.simplification import simplify

__all__ = ["simplified"]

Change = Callable[[Node], Node | None]


def simplified(values: Mapping[str, Node], arguments: set[Node]) -> dict[str, Node]:
    """The same values, each by a formula as simple as can be over the others.

    Formulas are rearranged only so that a reader knows them: x · (1 / n) stands as x / n. That may
    change the last digit of a number, and nothing else. The same node may have several names. A
    value that turns out to be a constant is a node of its own, and others say its number.
    """
    constants: dict[Node, Node] = {}
    while True:
        opaque: dict[Node, Node] = {}
        for name, node in values.items():
            if node not in opaque and node not in arguments and node not in constants:
                opaque[node] = argument(name, node.shape, node.dtype)
        apart = _apart(values, opaque)
        simple = simplify(_changed(list(apart.values()), _FIRST))
        for _ in range(2):
            simple = simplify(_changed(simple, _THEN))
        more = {node: by for node, by in zip(apart, simple, strict=True) if by.is_constant}
        if not more:
            return _linked(values, opaque, dict(zip(apart, simple, strict=True)), constants)
        constants.update((node, _copied(by)) for node, by in more.items())


def _apart(values: Mapping[str, Node], opaque: Mapping[Node, Node]) -> dict[Node, Node]:
    """Each named value as an expression over arguments that stand for the others."""
    made: dict[Node, Node] = {}
    apart: dict[Node, Node] = {}
    for node in topological_order(values.values()):
        rebuilt = node.with_inputs(tuple(made[operand] for operand in node.inputs))
        made[node] = opaque.get(node, rebuilt)
        if node in opaque:
            apart[node] = rebuilt
    return apart


def _copied(node: Node) -> Node:
    """The same constant as a node that nothing else uses."""
    return Node(node.primitive, node.inputs, node.attributes, node.shape, node.dtype)


def _linked(
    values: Mapping[str, Node],
    opaque: Mapping[Node, Node],
    simple: Mapping[Node, Node],
    constants: Mapping[Node, Node],
) -> dict[str, Node]:
    """The simple expressions with the values in place of the arguments that stand for them."""
    made: dict[Node, Node] = {}
    found: dict[str, Node] = {}
    place = {node: i for i, node in enumerate(topological_order(values.values()))}
    for name, value in sorted(values.items(), key=lambda item: place[item[1]]):
        if value not in simple:
            found[name] = constants.get(value, value)
            continue
        for node in topological_order([simple[value]], made):
            made[node] = node.with_inputs(tuple(made[operand] for operand in node.inputs))
        found[name] = made[opaque[value]] = made[simple[value]]
    return {name: found[name] for name in values}


def _changed(outputs: list[Node], changes: Mapping[str, Change]) -> list[Node]:
    made: dict[Node, Node] = {}
    for node in topological_order(outputs):
        rebuilt = node.with_inputs(tuple(made[operand] for operand in node.inputs))
        change = changes.get(rebuilt.primitive.name)
        tidier = None if change is None else change(rebuilt)
        if tidier is not None:
            tidier.source = node.source
        made[node] = rebuilt if tidier is None else tidier
    return [made[node] for node in outputs]


def _number(node: Node) -> Node | None:
    """The constant of one number that a node repeats, as one without axes."""
    while node.primitive in (broadcast_to, reshape):
        node = node.inputs[0]
    if node.primitive.name != "constant" or node.size != 1:
        return None
    return constant(node.value.reshape(()), dtype=node.dtype) if node.ndim else node


def _whole_divisor(node: Node) -> tuple[int, Node] | None:
    """A sign and the n of a node that is ±1 / n everywhere."""
    sign = 1
    while node.primitive in (broadcast_to, reshape, negative):
        sign = -sign if node.primitive is negative else sign
        node = node.inputs[0]
    if node.primitive is not divide:
        return None
    above, below = (_number(each) for each in node.inputs)
    if above is None or below is None or float(above.value) != 1.0:
        return None
    return sign, below


def _product(node: Node) -> Node | None:
    """X · (1 / n) as x / n, as the mean over samples is written."""
    for i, factor in enumerate(node.inputs):
        found = _whole_divisor(factor)
        if found is not None:
            sign, below = found
            quotient = node.inputs[1 - i] / broadcast_to(below, shape=node.shape)
            return quotient if sign > 0 else -quotient
    return None


def _repeated(node: Node) -> Node | None:
    """A repeated constant, without axes of its own."""
    found = _number(node)
    if found is None or found is node.inputs[0]:
        return None
    return broadcast_to(found, shape=node.shape)


def _negated(node: Node) -> Node | None:
    """−(a − b) as b − a, also as a factor: exact in floating point."""
    return _turned(node.inputs[0])


def _turned(node: Node) -> Node | None:
    if node.primitive is subtract:
        return subtract(node.inputs[1], node.inputs[0])
    if node.primitive in (multiply, divide):
        for i, factor in enumerate(node.inputs):
            turned = _turned(factor) if i == 0 or node.primitive is multiply else None
            if turned is not None:
                return node.primitive(*(turned if j == i else x for j, x in enumerate(node.inputs)))
    return None


def _of_quotients(node: Node) -> Node | None:
    """A / n − b / n as (a − b) / n, and sums alike."""
    left, right = node.inputs
    if left.primitive is not divide or right.primitive is not divide:
        return None
    a, b = _number(left.inputs[1]), _number(right.inputs[1])
    if a is None or b is None or float(a.value) != float(b.value):
        return None
    return node.primitive(left.inputs[0], right.inputs[0]) / broadcast_to(a, shape=node.shape)


def _exponential(node: Node) -> Node | None:
    """The exponential of a log-softmax is the softmax."""
    inner = node.inputs[0]
    return softmax(inner.inputs[0], **inner.attributes) if inner.primitive is log_softmax else None


_FIRST: dict[str, Change] = {"multiply": _product}
_THEN: dict[str, Change] = {
    "broadcast_to": _repeated,
    "negative": _negated,
    "add": _of_quotients,
    "subtract": _of_quotients,
    "exp": _exponential,
}
