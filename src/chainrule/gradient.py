"""Graph to the graph of its gradients: the chain rule, backwards through the nodes.

The result is made of the same primitives, so it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph import Node, constant, topological_order
from chainrule.primitives import broadcast_to, zeros_like

__all__ = ["pull_back", "push_forward", "substitute"]


def pull_back(
    outputs: Sequence[Node], upstream: Sequence[Node], inputs: Sequence[Node]
) -> list[Node]:
    r"""The gradient of Σ upstream · output by each input, as nodes.

    For each node, backwards, the upstream gradient is the sum over the node's users of what their
    pullbacks give for it:

    $\bar{x} = \sum_{y \text{ uses } x} \bar{y} \, \partial y / \partial x$

    An input that the outputs do not depend on gets zeros.
    """
    order = topological_order(outputs)
    active = _between(order, set(inputs))
    gradients: dict[Node, Node] = {}
    for output, g in zip(outputs, upstream, strict=True):
        _accumulate(gradients, output, g)
    for node in reversed(order):
        if node not in gradients or node not in active or node.primitive.kind == "leaf":
            continue
        if not node.primitive.differentiable or not any(x in active for x in node.inputs):
            continue
        parts = node.primitive.gradients(gradients[node], node)
        for operand, part in zip(node.inputs, parts, strict=True):
            if part is not None and operand in active:
                _accumulate(gradients, operand, part)
    return [gradients[x] if x in gradients else zeros_like(x) for x in inputs]


def _between(order: Sequence[Node], inputs: set[Node]) -> set[Node]:
    """The floating-point nodes that depend on an input through differentiable primitives."""
    active: set[Node] = set()
    for node in order:
        if node in inputs or (
            node.differentiable
            and node.primitive.differentiable
            and any(operand in active for operand in node.inputs)
        ):
            active.add(node)
    return active


def _accumulate(gradients: dict[Node, Node], node: Node, part: Node) -> None:
    if part.source is None:
        _take_source(part, node)
    known = gradients.get(node)
    if known is None:
        gradients[node] = part
        return
    gradients[node] = known + part
    _take_source(gradients[node], node)


def _take_source(part: Node, node: Node) -> None:
    """Let the nodes of one rule point at the line that they are the derivative of."""
    stack = [part]
    while stack:
        current = stack.pop()
        if current.source is not None or current.primitive.kind == "leaf":
            continue
        current.source = node.source
        current.without_name()  # the line's name is that of its value, not of its gradient
        if current.source is None:
            return
        stack.extend(current.inputs)


def push_forward(
    outputs: Sequence[Node], inputs: Sequence[Node], tangents: Sequence[Node]
) -> list[Node]:
    r"""The derivative of each output along tangents of the inputs: $\dot y = J \dot x$, as nodes.

    The pullback is linear in its upstream gradient, so its own pullback, by the upstream
    gradient, is the push-forward: $\partial (u^T J \dot x) / \partial u = J \dot x$
    (J. Townsend, 2017, "A new trick for calculating Jacobian vector products").
    """
    upstream = [broadcast_to(constant(0, dtype=y.dtype), shape=y.shape) for y in outputs]
    pulled = pull_back(outputs, upstream, inputs)
    return pull_back(pulled, tangents, upstream)


def substitute(outputs: Sequence[Node], replacements: dict[Node, Node]) -> list[Node]:
    """The same expressions with some nodes replaced; untouched parts are shared."""
    made: dict[Node, Node] = dict(replacements)
    for node in topological_order(outputs):
        if node in made:
            continue
        made[node] = node.with_inputs(tuple(made[operand] for operand in node.inputs))
    return [made[node] for node in outputs]
