"""The values that a program names on the way to its updates, and what each is the gradient of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same, multiple_or_transpose, tolerance_of
from chainrule.check.roles import Roles, ancestors, gradients_of
from chainrule.graph import Node, topological_order

__all__ = [
    "Value",
    "content",
    "forward_gradients",
    "inner_derivatives",
    "is_misused",
    "local_derivatives",
    "match_values",
    "values_of",
]

Array = NDArray[Any]


@dataclass
class Value:
    """A value that the program has a name for, on the way to an update.

    ``of`` is what it is the gradient of, times ``factor``; None where it is no gradient that is
    known. ``should_be`` is what it should be the gradient of, where that would put all right, and
    ``is_proved`` says that something in its place would.
    """

    name: str
    line: int
    node: Node
    of: str | None = None
    factor: float = 0.0
    should_be: str | None = None
    is_proved: bool = False


def is_misused(value: Value, usual: float) -> bool:
    """Whether a right gradient stands where that of something else is to stand."""
    is_right = value.of is not None and is_same(abs(value.factor), abs(usual))
    return is_right and value.should_be is not None


def values_of(trace: Trace, roles: Roles) -> list[Value]:
    """The named values on the way from the loss's values to the updates, in order."""
    used = ancestors([each.end for each in roles.parameters]) - roles.forward
    # A function for the gradient may compute the forward values once more.
    again = {content(trace.value(node)) for node in roles.forward if node.size > 1}
    found: list[Value] = []
    for node in trace.log:
        if node not in used or node.primitive.kind == "leaf" or not node.name:
            continue
        line = None if node.source is None else node.source.assigned_line
        if line is not None and content(trace.value(node)) not in again:
            found.append(Value(node.name, line, node))
    return found


def content(array: Array) -> tuple[tuple[int, ...], bytes]:
    """What tells an array from others of other numbers."""
    return array.shape, array.tobytes()


def match_values(
    trace: Trace, roles: Roles, values: list[Value], exact: list[tuple[Node, Array]], usual: float
) -> None:
    """Say of every value what it is the gradient of, where it is one; ``usual`` is the factor."""
    local = local_derivatives(trace, roles)
    for value in values:
        array, tolerance = trace.value(value.node), tolerance_of(value.node)
        options: list[tuple[bool, str, float]] = []
        for node, gradient in exact:
            factor = multiple_or_transpose(array, gradient, tolerance)
            if factor is not None and (array.size > 1 or is_same(factor, usual)):
                options.append((not is_same(factor, usual), node.name or "", factor))
        if options:
            # Of what is the same but for a step without a name, the one with a name.
            _, value.of, value.factor = min(options, key=lambda each: (each[0], not each[1]))
            continue
        for name, derivative in local:
            if multiple_or_transpose(array, derivative, tolerance) is not None:
                value.of, value.factor = name, 1.0
                break


def forward_gradients(trace: Trace, roles: Roles) -> list[tuple[Node, Array]]:
    """Every value between the parameters and the loss, with its exact gradient."""
    assert roles.loss is not None
    starts = {each.start for each in roles.parameters}
    between = (trace.after(starts) & roles.forward) - {roles.loss}
    inner = [node for node in trace.log if node in between and node.dtype.kind == "f"]
    inner += _assembled(roles.loss, between)
    inner = [*[each.start for each in roles.parameters], *inner]
    gradients = gradients_of(roles.loss, inner)
    return [(node, trace.value(g)) for node, g in zip(inner, gradients, strict=True)]


def _assembled(loss: Node, between: set[Node]) -> list[Node]:
    """The arrays that a loop has written element by element, as they are read afterwards."""
    order = topological_order([loss])
    written = [node for node in order if node in between and node.primitive.name == "setitem"]
    again = {node.inputs[0] for node in written}
    return [node for node in written if node not in again and node.dtype.kind == "f"]


def inner_derivatives(trace: Trace, roles: Roles) -> list[Array]:
    """The derivatives of named activations by what goes into them without a name: X @ W + b."""
    found: list[Array] = []
    for output in trace.log:
        if output not in roles.forward or not output.name or output.size == 1:
            continue
        below = ancestors([output]) - {output}
        sums = [node for node in trace.log if node in below and _is_pre_activation(node, output)]
        for inner in sums[-1:]:
            (gradient,) = gradients_of(output, [inner])
            found.append(trace.value(gradient))
    return found


def _is_pre_activation(node: Node, output: Node) -> bool:
    is_sum = node.primitive.name == "add" and node.shape == output.shape
    return is_sum and any(each.primitive.name == "matmul" for each in node.inputs)


def local_derivatives(trace: Trace, roles: Roles) -> list[tuple[str, Array]]:
    """The derivative of each activation by its pre-activation, element by element."""
    found: list[tuple[str, Array]] = []
    named = [n for n in trace.log if n in roles.forward and n.name and n.size > 1]
    for i, output in enumerate(named):
        below = ancestors([output])
        for inner in named[:i]:
            if inner in below and inner.shape == output.shape and inner is not output:
                (gradient,) = gradients_of(output, [inner])
                found.append((f"{output.name} by {inner.name}", trace.value(gradient)))
    return found
