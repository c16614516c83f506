"""The form of a kernel: what its code depends on, and nothing of which arrays it works on.

Layers of one shape have kernels of one form, which are compiled once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from chainrule.graph import Node
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.schedule import Schedule
from chainrule.kernels.trees import Leaf, Tree

__all__ = ["form_of"]


def form_of(kernel: Kernel, schedule: Schedule) -> tuple[str, list[Node]]:
    """A text that two kernels share only if the same code computes them, and their arrays."""
    form = _Form()
    trees, main = schedule.trees, kernel.main
    form.line(kernel.kind, kernel.limit)
    if kernel.index is not None:
        form.line("index", form.tree(trees.of(kernel.index)))
    elif main is not None:
        operands = [form.tree(trees.of(operand)) for operand in main.inputs]
        details = _details(main), [operand.dtype.str for operand in main.inputs]
        form.line("main", form.array(main), main in schedule.places, operands, details)
    for root in kernel.roots:
        number = form.tree(trees.value(root))
        form.line("root", form.array(root), root in schedule.places, number, _details(root))
    return "\n".join(form.lines), list(form.arrays)


def _details(node: Node) -> str:
    attributes = repr(sorted((key, repr(value)) for key, value in node.attributes.items()))
    return f"{node.primitive.name} {node.dtype.str}{node.shape} {attributes}"


class _Form:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrays: dict[Node, int] = {}
        self._numbers: dict[Tree, int] = {}

    def line(self, *words: object) -> int:
        """One more line; its number."""
        self.lines.append(" ".join(map(str, words)))
        return len(self.lines) - 1

    def array(self, node: Node) -> str:
        """Which array it is, by when it was met."""
        if node.primitive.name == "constant":
            return hashlib.sha256(node.value.tobytes()).hexdigest()
        return f"array {self.arrays.setdefault(node, len(self.arrays))}"

    def tree(self, tree: Tree) -> int:
        """The number of the line that describes a tree."""
        if tree not in self._numbers:
            if isinstance(tree, Leaf):
                node = tree.node
                words: Sequence[object] = (self.array(node), node.dtype.str, node.shape, tree.view)
            else:
                operands = [self.tree(operand) for operand in tree.operands]
                words = (_details(tree.node), operands)
            self._numbers[tree] = self.line(*words)
        return self._numbers[tree]
