"""Which values of a graph are stored, and what is computed on the way from one to the next.

An elementwise value that one other value needs is computed where it is needed; it is never stored.
So every stored value is a tree of elementwise operations over stored values, which are read
through a `View`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.graph import Node
from chainrule.kernels.views import View, is_view, split_axes, viewed

__all__ = ["Apply", "Leaf", "Tree", "Trees", "is_elementwise", "leaves"]

_LONGEST = 32
"""The most operations that are computed on the way to one value."""
_MOST_RECOMPUTED = 2
"""The most operations that are computed again for every use."""
_QUICK = frozenset(
    (
        *("add", "subtract", "multiply", "negative", "absolute", "square", "maximum", "minimum"),
        *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
        *("logical_and", "logical_or", "logical_not", "where", "cast"),
    )
)
_REDUCTIONS = ("sum", "prod", "max", "min")


@dataclass(frozen=True, eq=False)
class Leaf:
    """A stored value, read through a view of its row-major elements."""

    node: Node
    view: View

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is read."""
        return self.view.shape

    def is_whole(self) -> bool:
        """Whether element [i, j, …] is the stored value's own element [i, j, …]."""
        return self.view.shape == self.node.shape and self.view.plain


@dataclass(frozen=True, eq=False)
class Apply:
    """An elementwise operation on trees of one shape."""

    node: Node
    operands: tuple[Tree, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is computed."""
        return self.operands[0].shape


Tree = Leaf | Apply


def is_elementwise(node: Node) -> bool:
    """Whether a node is computed element by element."""
    return node.primitive.kind == "elementwise" or node.primitive.name == "cast"


def leaves(tree: Tree) -> Iterator[Leaf]:
    """The leaves of a tree, each as often as it stands there."""
    stack: list[Tree] = [tree]
    while stack:
        current = stack.pop()
        if isinstance(current, Leaf):
            yield current
        else:
            stack.extend(reversed(current.operands))


class Trees:
    """The trees between the stored values of a graph.

    ``nodes`` are in topological order; ``outputs`` are stored whatever they are.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.stored = {node for node in nodes if not (is_elementwise(node) or is_view(node))} | set(
            outputs
        )
        self._users = _users(nodes)
        self._operations: dict[Node, int] = {}
        self._made: dict[tuple[Node, tuple[Node, ...]], Tree] = {}
        for node in nodes:
            if is_view(node):
                self._store_for_view(node)
            elif not is_elementwise(node):
                self._store_for_operation(node)
        for node in nodes:
            if is_elementwise(node):
                self._store_if_worth(node)
        for node in nodes:
            if node.primitive.name in _REDUCTIONS:
                self._store_for_reduction(node)

    def value(self, node: Node) -> Tree:
        """What computes a stored value: a tree for an elementwise one or an arrangement."""
        if is_view(node):
            return self._tree(node.inputs[0], (node,))
        return Apply(node, tuple(self.of(operand) for operand in node.inputs))

    def of(self, node: Node) -> Tree:
        """The tree of a node's value, as its users see it: a leaf if it is stored."""
        return self._tree(node, ())

    def leaf(self, node: Node) -> Leaf:
        """The leaf of an operand that is stored, or arranges one that is."""
        tree = self.of(node)
        assert isinstance(tree, Leaf), node
        return tree

    def _tree(self, node: Node, chain: tuple[Node, ...]) -> Tree:
        key = (node, chain)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(node, chain)
        return made

    def _make(self, node: Node, chain: tuple[Node, ...]) -> Tree:
        if node in self.stored:
            view = View.of(node.shape)
            for arrangement in chain:
                changed = viewed(view, arrangement)
                assert changed is not None, arrangement
                view = changed
            return Leaf(node, view)
        if is_view(node):
            return self._tree(node.inputs[0], (node, *chain))
        return Apply(node, tuple(self._tree(operand, chain) for operand in node.inputs))

    # What is stored.

    def _base(self, node: Node) -> tuple[Node, list[Node]]:
        """The value that views arrange, and the views, innermost first."""
        chain: list[Node] = []
        while is_view(node) and node not in self.stored:
            chain.append(node)
            node = node.inputs[0]
        return node, chain[::-1]

    def _store_for_view(self, node: Node) -> None:
        inner = node.inputs[0]
        base, chain = self._base(inner)
        spreads = node.size > inner.size
        reshapes = node.primitive.name == "reshape" and _ones_gone(node) != _ones_gone(inner)
        if spreads or reshapes:
            self.stored.add(base)
        if reshapes:
            view: View | None = View.of(base.shape)
            for arrangement in (*chain, node):
                view = None if view is None else viewed(view, arrangement)
            if view is None:
                self.stored.add(inner)

    def _store_for_operation(self, node: Node) -> None:
        """Only sums and their like compute their operand on the way."""
        if node.primitive.name not in _REDUCTIONS:
            for operand in node.inputs:
                self.stored.add(self._base(operand)[0])

    def _store_for_reduction(self, node: Node) -> None:
        """What is reduced must be read along one axis, in equal steps."""
        operand, axis = node.inputs[0], node.attributes["axis"]
        for stored in (self._base(operand)[0], operand):
            views = [leaf.view for leaf in leaves(self.of(operand))]
            if len(split_axes(views, axis)[1][0].shape) <= 1:
                return
            self.stored.add(stored)
            self._made.clear()

    def _store_if_worth(self, node: Node) -> None:
        operands = [self._base(operand)[0] for operand in node.inputs]
        operations = 1 + sum(self._operations.get(base, 0) for base in operands)
        if node not in self.stored and (
            operations > _LONGEST or (self._uses(node) > 1 and not self._is_quick(node, operations))
        ):
            self.stored.add(node)
        self._operations[node] = 0 if node in self.stored else operations

    def _uses(self, node: Node) -> int:
        """How many operations need a value, directly or arranged."""
        count = 0
        stack = [node]
        while stack:
            for user in self._users.get(stack.pop(), ()):
                if is_view(user) and user not in self.stored:
                    stack.append(user)
                else:
                    count += 1
        return count

    def _is_quick(self, node: Node, operations: int) -> bool:
        """Whether computing a value again costs no more than reading it."""
        if operations > _MOST_RECOMPUTED:
            return False
        tree = Apply(node, tuple(self.of(operand) for operand in node.inputs))
        stack: list[Tree] = [tree]
        large: set[Node] = set()
        while stack:
            current = stack.pop()
            if isinstance(current, Leaf):
                if current.node.size == node.size:
                    large.add(current.node)
            elif current.node.primitive.name in _QUICK:
                stack.extend(current.operands)
            else:
                return False
        return len(large) <= 1 and node.size > 1


def _users(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for operand in dict.fromkeys(node.inputs):
            users.setdefault(operand, []).append(node)
    return users


def _ones_gone(node: Any) -> tuple[int, ...]:
    return tuple(size for size in node.shape if size != 1)
