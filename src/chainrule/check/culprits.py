"""Which line makes the updates wrong: the one with whose right value all of them would be right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.apart import is_usual, proved_right
from chainrule.check.case import Case
from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same, multiple
from chainrule.check.roles import ancestors, gradients_of
from chainrule.check.values import Value, content
from chainrule.graph import Node

__all__ = ["culprit", "first_accumulated", "helper", "repeated"]

Array = NDArray[Any]
_MOST_CALLS = 50
"""A function that is called more often in an iteration is not tried."""


def culprit(case: Case) -> Value | None:
    """The first value which, were it the gradient of the right thing, would put all right after it.

    Of every value on the way to a wrong update it is tried whether the exact gradient of some value
    of the same shape, in its place, makes the update the gradient.
    """
    factors = {case.factor, 1.0, *(v.factor for v in case.values if v.of is not None)}
    likely = sorted(factors, key=lambda factor: abs(factor - case.factor))[:4]
    ends = {each.parameter.end for each in case.updates}
    penalised = any(each.penalised for each in case.updates)
    right = set[Node]() if penalised else proved_right(case)
    for value in case.values:
        array = case.trace.value(value.node)
        if array.size == 1 or value.node in right | ends or not case.explains({value.node}):
            continue
        scaled = value.of is not None and not is_usual(case, value)
        size = case.factor / value.factor if scaled else 0.0
        own = [(value.of, sign * size * array) for sign in (1, -1)] if scaled else []
        others = [
            (node.name, factor * gradient)
            for node, gradient in case.gradients
            if gradient.shape == array.shape
            for factor in likely
        ]
        for name, to in (*own, *others):
            if _is_close(to, array):
                continue
            # A right value may only have to be another's gradient, not a multiple of its own; but
            # where a penalty has another factor than the gradient, it may.
            if not penalised and is_usual(case, value) and multiple(to, array, 1e-6) is not None:
                continue
            if case.is_right_if({value.node: to}, any_rate=True):
                value.should_be = name or ""
                return value
    return None


def repeated(case: Case) -> Value | None:
    """The first line that is run several times, where the exact gradients in its place are right.

    A loop over time, layers or samples goes backward through the values that one line before the
    loss has computed, or goes through them in their order.
    """
    case.tried = 0
    lines: dict[tuple[str, int], list[Value]] = {}
    for value in case.values:
        lines.setdefault((value.name, value.line), []).append(value)
    computed: dict[Any, list[tuple[Node, Array]]] = {}
    for node, gradient in case.gradients:
        if node.source is not None and node.source.position is not None:
            computed.setdefault(node.source.position, []).append((node, gradient))
    order = {id(value): i for i, value in enumerate(case.values)}
    sizes = {case.factor, *(abs(v.factor) for v in case.values if v.of is not None)}

    def first(values: list[Value]) -> int:
        return min(order[id(each)] for each in values if not _is_right(each, case.factor))

    wrong = [v for v in lines.values() if any(not _is_right(each, case.factor) for each in v)]
    for values in sorted(wrong, key=first):
        nodes = [value.node for value in values]
        if not 1 < len(nodes) <= _MOST_CALLS or not case.explains(set(nodes)):
            continue
        for gradients in computed.values():
            for ordered in (gradients[::-1], gradients):
                to = _each(case, nodes, [gradient for _, gradient in ordered])
                if to is not None and case.is_right_if(to):
                    values[0].should_be = gradients[0][0].name or ""
                    return _given(case, values, to) or values[0]
        if all(value.of is not None for value in values):
            for size in sorted(sizes, key=lambda size: abs(size - case.factor))[:4]:
                scaled = {v.node: size / v.factor * case.trace.value(v.node) for v in values}
                if case.is_right_if(scaled):
                    values[0].should_be = values[0].of
                    return values[0]
    return None


def _is_right(value: Value, factor: float) -> bool:
    return value.of is not None and is_same(value.factor, factor)


def _given(case: Case, values: list[Value], to: dict[Node, Array]) -> Value | None:
    """What a line is given in the first run of it that is wrong, where one before was right."""
    are_right = [_is_close(case.trace.value(each.node), to[each.node]) for each in values]
    wrong = are_right.index(False)
    if wrong == 0:
        return None
    by_node = {each.node: each for each in case.values}
    waiting, seen = list(values[wrong].node.inputs), set[Node]()
    while waiting:
        node = waiting.pop()
        value = by_node.get(node)
        if value is not None and value.of is None and value.line != values[wrong].line:
            return replace(value, is_proved=True)
        if value is None and node not in seen and node not in case.roles.forward:
            waiting += node.inputs
        seen.add(node)
    return None


def _each(case: Case, nodes: list[Node], gradients: list[Array]) -> dict[Node, Array] | None:
    """Each value's gradient, where there are as many and some value is not its gradient yet."""
    if len(nodes) != len(gradients) or any(
        node.shape != gradient.shape for node, gradient in zip(nodes, gradients, strict=True)
    ):
        return None
    to = {n: case.factor * gradient for n, gradient in zip(nodes, gradients, strict=True)}
    return None if all(_is_close(case.trace.value(n), to[n]) for n in nodes) else to


def _is_close(value: Array, to: Array) -> bool:
    return np.allclose(value, to, rtol=1e-6, atol=0)


def helper(case: Case) -> Value | None:
    """What a function of the program's returns, where the derivative of an activation is right.

    A function for a derivative may be called for several layers, so all that it returns is put
    right together, each by the activation whose input or output it is given.
    """
    forward = case.roles.forward
    used = ancestors([each.parameter.end for each in case.updates]) - forward
    calls: dict[tuple[Any, int], list[Node]] = {}
    for node in case.trace.log:
        line = node.source and node.source.returned_line
        if node in used and node.size > 1 and line and node.primitive.kind != "leaf":
            calls.setdefault((_code(node), line), []).append(node)
    # A function for the gradient may compute the forward values once more.
    known = {content(case.trace.value(node)) for node in forward if node.size > 1}
    whole = (node for node in case.trace.log if node.size > 1 and _is_whole(node))
    activations = [node for node in whole if content(case.trace.value(node)) in known]
    for (code, line), nodes in calls.items():
        if len(nodes) > _MOST_CALLS or not case.explains(set(nodes)):
            continue
        right = {node: _derivative(case.trace, node, activations) for node in nodes}
        to = {node: array for node, array in right.items() if array is not None}
        # A function that is right for one layer is not at fault, but what it is given for another.
        wrong = all(not np.allclose(case.trace.value(n), to[n], rtol=1e-6, atol=1e-9) for n in to)
        if len(to) == len(nodes) and wrong and case.is_right_if(to, any_rate=True):
            return Value(code.co_name, line, nodes[0], is_proved=True)
    return None


def _code(node: Node) -> Any:
    return node.source.frames[0][0] if node.source and node.source.frames else None


def _is_whole(node: Node) -> bool:
    """Whether a value has a name, or is what a function returns."""
    return bool(node.name or (node.source and node.source.returned_line))


def _derivative(trace: Trace, node: Node, activations: list[Node]) -> Array | None:
    """The derivative, element by element, of the activation that a value is computed from.

    None where it is right for what it is given, and is given the one for the other of the
    activation's input and output.
    """
    below = ancestors([node])
    for output in reversed(activations):
        if output.shape != node.shape:
            continue
        inner = _input(output, activations)
        if inner is not None and (output in below or inner in below):
            (gradient,) = gradients_of(output, [inner])
            right = trace.value(gradient)
            for given, other in ((output, inner), (inner, output)):
                value = trace.value_if(node, {given: trace.value(other)})
                if given in below and np.allclose(value, right, rtol=1e-6, atol=1e-9):
                    return None
            return right
    return None


def _input(output: Node, activations: list[Node]) -> Node | None:
    """The last whole value of the same shape that an activation is computed from."""
    below = ancestors([output]) - {output}
    alike = (n for n in reversed(activations) if n in below and n.shape == output.shape)
    return next(alike, None)


def first_accumulated(trace: Trace, sums: list[Node | None]) -> Value | None:
    """The first of the gradients to which each iteration adds its own."""
    for node in trace.log:
        line = node.source and node.source.assigned_line
        if node in sums and node.name and line:
            return Value(node.name, line, node)
    return None
