"""Kernels of sums, products and extremes over axes.

The order of a sum depends on the shapes alone and is that of `rules.fold`: halves onto halves,
element i to element i + h, the middle one of an odd number left for the next round. Where the
reduced elements lie side by side, a vector has neighbouring ones, otherwise those of neighbouring
results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.graph import Node
from chainrule.kernels.block import vector_type
from chainrule.kernels.code import Code, power_of_two
from chainrule.kernels.elementwise import combination, converted
from chainrule.kernels.flow import INT64, Variable
from chainrule.kernels.nests import Values, vector_width
from chainrule.kernels.trees import Leaf, Tree, leaves
from chainrule.kernels.views import View, split_axes

__all__ = ["Reduction"]

Value = Any
_UNROLLED = 4
"""So many vectors are combined in registers, without loops."""
_WIDEST = 64
"""So many elements side by side are combined within one vector."""


class Reduction:
    """The loops of one reduction of a tree."""

    def __init__(self, code: Code, node: Node, tree: Tree) -> None:
        self.code, self.node, self.tree = code, node, tree
        self.input = node.inputs[0].dtype
        self.combine, self.neutral = combination(node.primitive.name, node.dtype)
        self.leaves = [leaf for leaf in dict.fromkeys(leaves(tree)) if not self._is_number(leaf)]
        axis = node.attributes["axis"]
        shape = node.inputs[0].shape
        kept = tuple(size for i, size in enumerate(shape) if i not in axis)
        # The result is written through a view that does not move along the reduced axes.
        steps = iter(View.of(kept).strides)
        target = View(shape, tuple(0 if i in axis else next(steps) for i in range(len(shape))))
        views = [*(leaf.view for leaf in self.leaves), target]
        self.kept, self.reduced = split_axes(views, axis)
        self.count = self.reduced[0].size
        assert len(self.reduced[0].shape) <= 1, node
        self.steps = [view.strides[0] if view.strides else 0 for view in self.reduced]
        nodes = [*(leaf.node for leaf in self.leaves), node]
        self.dtypes = [each.dtype for each in nodes]

    def _is_number(self, leaf: Leaf) -> bool:
        constant = leaf.node.primitive.name == "constant"
        return constant and self.code.constant(leaf.node, 1) is not None

    def emit(self) -> None:
        """Add the loops to the kernel."""
        indices: list[Value] = [INT64(view.offset) for view in self.kept]
        self._axis(0, indices)

    def _axis(self, axis: int, indices: list[Value]) -> None:
        shape = self.kept[0].shape
        across = self._is_across()
        if axis < len(shape) - across:
            with self.code.loop(shape[axis], outermost=axis == 0) as i:
                self._axis(axis + 1, self._moved(indices, axis, i))
        elif across:
            self._line(indices, axis)
        else:
            total = self._along(indices)
            self._write(total, indices[-1], 1, 1)

    def _moved(self, indices: list[Value], axis: int, number: Value, scale: int = 1) -> list[Value]:
        return [
            self.code.at(index, view.strides[axis] * scale, number)
            for index, view in zip(indices, self.kept, strict=True)
        ]

    def _is_across(self) -> bool:
        """Whether vectors hold neighbouring results: where reduced elements are not neighbours."""
        if not self.kept[0].shape:
            return False
        beside = sum(view.strides[-1] == 1 for view in self.kept[:-1])
        return beside >= sum(step == 1 for step in self.steps[:-1])

    def _write(self, total: Value, index: Value, step: int, valid: int) -> None:
        place = self.code.builder.gep(self.code.base(self.node), [index])
        self.code.store(total, place, self.node.dtype, step, valid)

    def _value(self, indices: list[Value], steps: list[int], width: int, valid: int) -> Value:
        """The vector of the tree at one place."""
        code = self.code
        places = {leaf: i for i, leaf in enumerate(self.leaves)}

        def read(leaf: Leaf, wide: int) -> Value:
            i = places[leaf]
            place = code.builder.gep(code.base(leaf.node), [indices[i]])
            return code.load(place, leaf.node.dtype, steps[i], wide, valid)

        value = Values(code, width, read).of(self.tree)
        return converted(code, value, self.input, self.node.dtype)

    # Vectors across the results.

    def _line(self, indices: list[Value], axis: int) -> None:
        """The innermost kept axis: vectors of results, and a last one of what is left."""
        code, count = self.code, self.kept[0].shape[axis]
        full = vector_width(code, self.dtypes, count)
        chunks, rest = divmod(count, full)
        outermost = axis == 0
        if chunks:
            with code.loop(chunks, outermost=outermost and chunks > 1) as chunk:
                here = self._moved(indices, axis, chunk, full)
                self._across(here, axis, full, full)
        if rest:
            here = self._moved(indices, axis, INT64(chunks), full)
            if outermost and chunks > 1:
                with code.last_thread():
                    self._across(here, axis, power_of_two(rest), rest)
            else:
                self._across(here, axis, power_of_two(rest), rest)

    def _across(self, indices: list[Value], axis: int, width: int, valid: int) -> None:
        code = self.code
        steps = [view.strides[axis] for view in self.kept]

        def element(number: Value) -> Value:
            here = [
                code.at(index, step, number)
                for index, step in zip(indices, self.steps, strict=True)
            ]
            return self._value(here, steps, width, valid)

        total = self._fold(element, self.count, width)
        self._write(total, indices[-1], steps[-1], valid)

    def _fold(self, element: Callable[[Value], Value], count: int, width: int) -> Value:
        """Vectors combined, halves onto halves."""
        code = self.code
        if count <= _UNROLLED:
            return self._fold_registers([element(INT64(i)) for i in range(count)])
        half = (count + 1) // 2
        kind = vector_type(self.node.dtype, width)
        buffer = code.buffer(half * width, self.node.dtype)
        buffer = code.builder.bitcast(buffer, kind.as_pointer())

        def place(number: Value) -> Value:
            return code.builder.gep(buffer, [number])

        with code.loop(count - half) as i:
            pair = element(i), element(code.builder.add(i, INT64(half)))
            code.builder.store(self.combine(code.block, *pair), place(i))
        if count % 2:
            code.builder.store(element(INT64(half - 1)), place(INT64(half - 1)))
        left = Variable(code.builder, INT64)
        left.set(INT64(half))
        with code.repeat(lambda: code.builder.icmp_signed(">", left.get(), INT64(1))):
            before = left.get()
            upper = code.builder.lshr(code.builder.add(before, INT64(1)), INT64(1))
            with code.range(INT64(0), code.builder.sub(before, upper)) as i:
                pair = [code.builder.load(place(j)) for j in (i, code.builder.add(i, upper))]
                code.builder.store(self.combine(code.block, *pair), place(i))
            left.set(upper)
        return code.builder.load(place(INT64(0)))

    def _fold_registers(self, values: list[Value]) -> Value:
        while len(values) > 1:
            half = (len(values) + 1) // 2
            combined = [
                self.combine(self.code.block, a, b)
                for a, b in zip(values, values[half:], strict=False)
            ]
            values = [*combined, *values[len(combined) : half]]
        return values[0]

    # Vectors along the reduced elements.

    def _along(self, indices: list[Value]) -> Value:
        """One result, as a vector of one element."""
        code, count = self.code, self.count

        def elements(start: Value, width: int, valid: int) -> Value:
            here = [
                code.at(index, step, start) for index, step in zip(indices, self.steps, strict=True)
            ]
            return self._value(here, self.steps, width, valid)

        if count <= _WIDEST:
            value = elements(INT64(0), power_of_two(count), count)
            return self._fold_vector(value, count)
        half = (count + 1) // 2
        buffer = code.buffer(half, self.node.dtype)
        self._round(elements, buffer, count)
        while half > _WIDEST:

            def again(start: Value, width: int, valid: int) -> Value:
                place = code.builder.gep(buffer, [start])
                return code.load(place, self.node.dtype, 1, width, valid)

            self._round(again, buffer, half)
            half = (half + 1) // 2
        value = code.load(buffer, self.node.dtype, 1, power_of_two(half), half)
        return self._fold_vector(value, half)

    def _round(
        self, elements: Callable[[Value, int, int], Value], buffer: Value, count: int
    ) -> None:
        """The upper half of some elements onto the lower one, into a buffer."""
        code = self.code
        half = (count + 1) // 2
        pairs = count - half

        def combine(start: Value, width: int, valid: int) -> None:
            upper = elements(code.builder.add(start, INT64(half)), width, valid)
            value = self.combine(code.block, elements(start, width, valid), upper)
            place = code.builder.gep(buffer, [start])
            code.store(value, place, self.node.dtype, 1, valid)

        full = vector_width(code, self.dtypes, pairs)
        chunks, rest = divmod(pairs, full)
        if chunks:
            with code.loop(chunks) as chunk:
                combine(code.builder.mul(chunk, INT64(full)), full, full)
        if rest:
            combine(INT64(chunks * full), power_of_two(rest), rest)
        if count % 2:
            middle = elements(INT64(half - 1), 1, 1)
            place = code.builder.gep(buffer, [INT64(half - 1)])
            code.store(middle, place, self.node.dtype, 1, 1)

    def _fold_vector(self, value: Value, count: int) -> Value:
        """The elements of a vector combined, as a vector of one."""
        code = self.code
        while count > 1:
            half = (count + 1) // 2
            width = power_of_two(half)
            neutral = code.block.number(value, self.neutral)
            first = value.type.count
            # The lower half; beside it the upper one, with nothing for a middle element.
            upper = [i if i < count else first for i in range(half, half + width)]
            lower = [min(i, first - 1) for i in range(width)]
            value = self.combine(
                code.block,
                code.block.join(value, neutral, lower),
                code.block.join(value, neutral, upper),
            )
            count = half
        return value if value.type.count == 1 else code.block.shuffle(value, [0])
