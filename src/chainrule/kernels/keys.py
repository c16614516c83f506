"""A text that two graphs share only if the same code computes them."""

from __future__ import annotations

import hashlib

from chainrule.graph import Graph, Node

__all__ = ["graph_key"]


def graph_key(graph: Graph) -> str:
    """The nodes in order, each with what it is made of."""
    numbers: dict[Node, int] = {}
    lines: list[str] = []
    for node in (*graph.arguments, *graph.nodes()):
        if node in numbers:
            continue
        numbers[node] = len(numbers)
        operands = " ".join(str(numbers[operand]) for operand in node.inputs)
        if node.primitive.name == "constant":
            details = hashlib.sha256(node.value.tobytes()).hexdigest()
        else:
            details = repr(sorted((key, repr(value)) for key, value in node.attributes.items()))
        lines.append(f"{node.primitive.name} {node.dtype.str}{node.shape} {operands} {details}")
    lines.append("outputs " + " ".join(str(numbers[node]) for node in graph.outputs))
    return "\n".join(lines)
