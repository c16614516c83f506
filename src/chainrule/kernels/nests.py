"""Elementwise kernels: nests of loops over all elements, with vectors in the innermost one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph import Node
from chainrule.kernels.code import Code, power_of_two
from chainrule.kernels.elementwise import operation
from chainrule.kernels.flow import INT64, splat
from chainrule.kernels.trees import Apply, Leaf, Tree, leaves
from chainrule.kernels.views import View, collapsed

__all__ = ["Nest", "Spot", "Values", "Write", "vector_width"]

Value = Any


@dataclass(frozen=True)
class Write:
    """A tree to compute, and the view of a stored array that its elements go to.

    Without a node the values are only used by other trees of the nest.
    """

    tree: Tree
    node: Node
    view: View | None


class Values:
    """Trees computed at one place: vectors of neighbouring elements.

    ``read`` loads what a leaf reads there; ``known`` are values that are in registers already.
    """

    def __init__(
        self,
        code: Code,
        width: int,
        read: Callable[[Leaf, int], Value],
        known: dict[Node, Value] | None = None,
    ) -> None:
        self._code, self._width, self._read = code, width, read
        self.known = {} if known is None else known
        self._made: dict[Tree, Value] = {}

    def of(self, tree: Tree) -> Value:
        """The vector of a tree."""
        value = self._made.get(tree)
        if value is None:
            value = self._made[tree] = self._compute(tree)
        return value

    def _compute(self, tree: Tree) -> Value:
        if isinstance(tree, Apply):
            return operation(self._code, tree.node, [self.of(operand) for operand in tree.operands])
        if tree.node in self.known and tree.is_whole():
            return self.known[tree.node]
        if tree.node.primitive.name == "constant":
            number = self._code.constant(tree.node, self._width)
            if number is not None:
                return number
        return self._read(tree, self._width)


def vector_width(code: Code, dtypes: Sequence[np.dtype[Any]], count: int) -> int:
    """How many elements a loop over ``count`` computes at a time.

    Two registers, whose instructions do not wait for each other; fewer where that leaves no rest,
    which would be code of its own.
    """
    largest = max(dtypes, key=lambda dtype: dtype.itemsize)
    lanes = code.registers.lanes(largest)
    for width in (2 * lanes, lanes, lanes // 2):
        if width > 1 and count % width == 0:
            return width
    return 2 * lanes


@dataclass
class Spot:
    """Where a leaf or a written view stands in the loops: an index so far, and a lone number."""

    index: Value
    number: Value = None


class Nest:
    """Loops over all elements of some writes, which have one shape.

    Every value at a place is computed before any is stored there, so that an array may be
    overwritten that is read element by element.
    """

    def __init__(self, code: Code, writes: Sequence[Write], *, outermost: bool = True) -> None:
        self.code = code
        self.writes = list(writes)
        self.outermost = outermost
        own = {write.node for write in writes}
        found = dict.fromkeys(leaf for write in writes for leaf in leaves(write.tree))
        self.leaves = [leaf for leaf in found if not self._in_register(leaf, own)]
        self.stores = [write for write in writes if write.view is not None]
        views = [leaf.view for leaf in self.leaves]
        views += [write.view for write in self.stores if write.view is not None]
        self.views = collapsed(views)

    def _in_register(self, leaf: Leaf, own: set[Node]) -> bool:
        if leaf.node in own and leaf.is_whole():
            return True
        constant = leaf.node.primitive.name == "constant"
        return constant and self.code.constant(leaf.node, 1) is not None

    def emit(self) -> None:
        """Add the loops to the kernel."""
        spots = [Spot(INT64(view.offset)) for view in self.views]
        self._axis(0, spots)

    def _axis(self, axis: int, spots: list[Spot]) -> None:
        self._hoist(axis, spots)
        shape = self.views[0].shape
        if axis < len(shape) - 1:
            with self.code.loop(shape[axis], outermost=self.outermost and axis == 0) as i:
                inner = [
                    Spot(self.code.at(spot.index, view.strides[axis], i), spot.number)
                    for spot, view in zip(spots, self.views, strict=True)
                ]
                self._axis(axis + 1, inner)
            return
        self._line(spots, shape[-1] if shape else 1)

    def _hoist(self, axis: int, spots: list[Spot]) -> None:
        """Load the numbers that stay the same in all inner loops."""
        for leaf, spot, view in zip(self.leaves, spots, self.views, strict=False):
            if spot.number is None and not any(view.strides[axis:]):
                place = self.code.builder.gep(self.code.base(leaf.node), [spot.index])
                spot.number = self.code.load_one(place, leaf.node.dtype)

    def _line(self, spots: list[Spot], count: int) -> None:
        """The innermost axis: vectors, and a last one of what is left."""
        code = self.code
        nodes = [*(leaf.node for leaf in self.leaves), *(write.node for write in self.writes)]
        full = vector_width(code, [node.dtype for node in nodes], count)
        outermost = self.outermost and len(self.views[0].shape) <= 1
        chunks, rest = divmod(count, full)
        if chunks:
            with code.loop(chunks, outermost=outermost and chunks > 1) as chunk:
                self._vectors(spots, chunk, full, full, full)
        if rest:
            start = INT64(chunks)
            if outermost and chunks > 1:
                with code.last_thread():
                    self._vectors(spots, start, full, power_of_two(rest), rest)
            else:
                self._vectors(spots, start, full, power_of_two(rest), rest)

    def _vectors(self, spots: list[Spot], chunk: Value, full: int, width: int, valid: int) -> None:
        code = self.code
        places = dict(zip(self.leaves, zip(spots, self.views, strict=True), strict=False))

        def read(leaf: Leaf, wide: int) -> Value:
            spot, view = places[leaf]
            step = view.strides[-1] if view.strides else 0
            if spot.number is not None:
                return splat(code.builder, spot.number, wide)
            index = code.at(spot.index, step * full, chunk)
            place = code.builder.gep(code.base(leaf.node), [index])
            return code.load(place, leaf.node.dtype, step, wide, valid)

        values = Values(code, width, read)
        made: list[Value] = []
        for write in self.writes:
            value = values.of(write.tree)
            values.known[write.node] = value
            made.append(value)
        stored = [
            (write, value)
            for write, value in zip(self.writes, made, strict=True)
            if write.view is not None
        ]
        first = len(self.leaves)
        for i, (write, value) in enumerate(stored):
            spot, view = spots[first + i], self.views[first + i]
            step = view.strides[-1] if view.strides else 1
            index = code.at(spot.index, step * full, chunk)
            place = code.builder.gep(code.base(write.node), [index])
            code.store(value, place, write.node.dtype, step, valid)
