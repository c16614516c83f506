"""Which stored values are computed together: a kernel is one nest of loops.

Elementwise values of one shape share a nest where one reads the other element by element, so that
it is read from a register. Those that read a matrix product so follow it tile by tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chainrule.graph import Node
from chainrule.kernels.trees import Apply, Tree, Trees, is_elementwise, leaves
from chainrule.kernels.views import is_view

__all__ = ["Kernel", "kernels_of"]

_MOST_TOGETHER = 64
"""The most operations in one nest of loops."""


@dataclass(eq=False)
class Kernel:
    """One nest of loops.

    ``kind`` is ``"map"`` (elementwise), ``"product"``, ``"check"`` (that indices are in range), or
    the name of another primitive. ``main`` is the node that is not elementwise; ``roots`` are the
    elementwise values that are computed along with it. ``reads`` are the stored values that it
    needs, each with whether an element needs the same element only. ``earlier`` are kernels that
    must have run, apart from those that compute what is read.
    """

    kind: str
    main: Node | None
    roots: list[Node] = field(default_factory=list[Node])
    reads: dict[Node, bool] = field(default_factory=dict[Node, bool])
    earlier: list[Kernel] = field(default_factory=list["Kernel"])
    operations: int = 0
    index: Node | None = None
    limit: int = 0

    @property
    def nodes(self) -> list[Node]:
        """The stored values that this computes."""
        main = [] if self.main is None or self.kind == "check" else [self.main]
        return [*main, *self.roots]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values that are computed together."""
        return self.nodes[0].shape

    def read(self, tree: Tree, alike: bool) -> None:
        """Take note of what a tree reads."""
        for leaf in leaves(tree):
            same = alike and leaf.is_whole()
            self.reads[leaf.node] = self.reads.get(leaf.node, True) and same


def kernels_of(nodes: Sequence[Node], trees: Trees) -> list[Kernel]:
    """The kernels that compute all stored values, in an order in which they can run."""
    made: list[Kernel] = []
    checks: dict[tuple[Node, int], Kernel] = {}
    for node in nodes:
        if node in trees.stored and node.primitive.kind != "leaf":
            made.extend(_kernels(node, trees, checks))
    return _Merging(made).result()


def _kernels(node: Node, trees: Trees, checks: dict[tuple[Node, int], Kernel]) -> Iterator[Kernel]:
    """The kernels of one stored value; each index is checked once for an axis of a length."""
    if is_elementwise(node) or is_view(node):
        kernel = Kernel("map", None, [node])
        tree = trees.value(node)
        kernel.read(tree, alike=True)
        kernel.operations = _operations(tree)
        yield kernel
        return
    name = node.primitive.name
    kernel = Kernel("product" if name == "matmul" else name, node)
    for operand in node.inputs:
        kernel.read(trees.of(operand), alike=False)
    for index, limit in indexed_axes(node):
        if _is_known_inside(index, limit):
            continue
        check = checks.get((index, limit))
        if check is None:
            check = checks[index, limit] = Kernel("check", node, index=index, limit=limit)
            check.read(trees.of(index), alike=False)
            yield check
        kernel.earlier.append(check)
    yield kernel


def _is_known_inside(index: Node, limit: int) -> bool:
    """Whether an index is a constant that is in range."""
    if index.primitive.name != "constant":
        return False
    return index.size == 0 or (index.value.min() >= -limit and index.value.max() < limit)


def indexed_axes(node: Node) -> list[tuple[Node, int]]:
    """The arrays among a node's indices, each with the length of the axis that it indexes."""
    if node.primitive.name not in ("getitem", "embed", "setitem"):
        return []
    shape = node.shape if node.primitive.name == "embed" else node.inputs[0].shape
    first = 2 if node.primitive.name == "setitem" else 1
    arrays = iter(node.inputs[first:])
    found: list[tuple[Node, int]] = []
    axis = 0
    for kind, *_ in node.attributes["template"]:
        if kind == "array":
            found.append((next(arrays), shape[axis]))
        axis += kind != "newaxis"
    return found


def _operations(tree: Tree) -> int:
    count = 0
    stack: list[Tree] = [tree]
    seen: set[Tree] = set()
    while stack:
        current = stack.pop()
        if isinstance(current, Apply) and current not in seen:
            seen.add(current)
            count += 1
            stack.extend(current.operands)
    return count


class _Merging:
    """Joins kernels as long as an order remains in which all can run."""

    def __init__(self, kernels: list[Kernel]) -> None:
        self.kernels = kernels
        self.number = {kernel: i for i, kernel in enumerate(kernels)}
        self.by_node = {node: kernel for kernel in kernels for node in kernel.nodes}
        self.users: dict[Kernel, set[Kernel]] = {kernel: set() for kernel in kernels}
        for kernel in kernels:
            for other in self._needed(kernel):
                self.users[other].add(kernel)

    def result(self) -> list[Kernel]:
        gone: set[Kernel] = set()
        for kernel in self.kernels:
            if kernel.kind == "map":
                into = self._partner(kernel)
                if into is not None:
                    self._join(kernel, into)
                    gone.add(kernel)
        return [kernel for kernel in self.kernels if kernel not in gone]

    def _needed(self, kernel: Kernel) -> set[Kernel]:
        found = {self.by_node[node] for node in kernel.reads if node in self.by_node}
        return (found | set(kernel.earlier)) - {kernel}

    def _partner(self, kernel: Kernel) -> Kernel | None:
        """The kernel in whose loops this one can run, the last one if there are several."""
        candidates = {self.by_node[node] for node in kernel.reads if node in self.by_node}
        for other in sorted(candidates, key=self.number.__getitem__, reverse=True):
            if (
                (other.kind == "map" or (other.kind == "product" and len(other.shape) == 2))
                and other.shape == kernel.shape
                and all(kernel.reads.get(node, True) for node in other.nodes)
                and other.operations + kernel.operations <= _MOST_TOGETHER
                and not self._leads_round(other, kernel)
            ):
                return other
        return None

    def _leads_round(self, start: Kernel, end: Kernel) -> bool:
        """Whether a kernel in between needs the first and is needed by the last."""
        stack = [user for user in self.users[start] if user is not end]
        seen = set(stack)
        while stack:
            for user in self.users[stack.pop()]:
                if user is end:
                    return True
                if user not in seen:
                    seen.add(user)
                    stack.append(user)
        return False

    def _join(self, kernel: Kernel, into: Kernel) -> None:
        for needed in self._needed(kernel):
            self.users[needed].discard(kernel)
            if needed is not into:
                self.users[needed].add(into)
        self.users[into] |= self.users.pop(kernel)
        self.users[into].discard(into)
        own = set(into.nodes)
        for node, alike in kernel.reads.items():
            if node not in own:
                into.reads[node] = into.reads.get(node, True) and alike
        into.roots.extend(kernel.roots)
        into.operations += kernel.operations
        for node in kernel.roots:
            self.by_node[node] = into
