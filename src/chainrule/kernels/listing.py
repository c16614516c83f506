"""The plan and the code of native programs as text, beside the graph that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chainrule.graph import Node
from chainrule.notation import equation, expression

__all__ = ["Lines"]


class Lines:
    """The lines of a graph: a name, an equation and a place for every value.

    >>> from chainrule.graph import argument
    >>> x = argument("x", (2,), "float64")
    >>> y = x * 2
    >>> Lines([y])[y]
    'v1 = x · 2'

    Arguments and constants stand for themselves, and a value that is only repeated for its own.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._names: dict[Node, str] = {}
        taken: set[str] = set()
        for node in nodes:
            if node.primitive.kind == "leaf" or node.primitive.name == "broadcast_to":
                continue
            name = node.name
            if name is None or name in taken:
                name = f"v{len(self._names) + 1}"
            taken.add(name)
            self._names[node] = name

    def __getitem__(self, node: Node) -> str:
        return str(equation(node, names=self._names))

    def name(self, node: Node) -> str:
        """What a value is called."""
        return self._names.get(node) or str(expression(node, names=self._names))

    def __contains__(self, node: Node) -> bool:
        return node in self._names

    def row(self, node: Node) -> str:
        """A value's equation, with its dtype and shape and the user's line."""
        kind = f"{node.dtype}{list(node.shape)}"
        return f"{self[node]:<44} {kind:<18} {place(node)}".rstrip()


def place(node: Node) -> str:
    """The line that a value was computed in, such as ``network.py:241``."""
    position = None if node.source is None else node.source.position
    return "" if position is None else f"{Path(position.file).name}:{position.line}"
