"""One step of training for networks in lanes: written out element by element, or in loops."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from chainrule.graph import Graph, Node
from chainrule.kernels.block import Block, element_type, vector_type
from chainrule.kernels.flow import INT64, Variable, counted, splat
from chainrule.kernels.laneloops import Arena, LoopLanes, Stored, emit_in_loops
from chainrule.kernels.lanes import ALIGNMENT, DIVERGED, LaneMemory, pointer_at
from chainrule.kernels.rules import emit_nodes
from chainrule.kernels.tensors import Lanes

__all__ = ["LaneStep"]

Value = Any
_DOUBLE = ir.DoubleType()
_POINTER = ir.IntType(8).as_pointer()


class LaneStep:
    """Emits steps: carried arrays from the lanes' memory and back, and out of it who diverged.

    ``clock`` is the number of epochs done, ``active`` has a mask for each group of lanes that a
    vector holds. ``leave`` is set when a network has left its lane, and ``end`` is how much
    scratch memory has been used.
    """

    def __init__(
        self,
        memory: LaneMemory,
        block: Block,
        pointers: tuple[Value, Value, Value],
        clock: Variable,
        active: list[Variable],
    ) -> None:
        self.memory, self.plan, self.block = memory, memory.plan, block
        self.builder = block.builder
        self.table, self.scratch, self.order = pointers
        self.clock, self.active = clock, active
        self.width, self.vector = self.plan.width, self.plan.vector
        self.groups = range(self.width // self.vector)
        self.mask = ir.VectorType(ir.IntType(1), self.vector)
        self.doubles = ir.VectorType(_DOUBLE, self.vector)
        self.leave = Variable(self.builder, ir.IntType(1))
        self._begin = self.end = memory.end
        self.data = [
            self.builder.bitcast(
                pointer_at(self.builder, self.table, i), element_type(node.dtype).as_pointer()
            )
            for i, node in enumerate(self.plan.arguments)
            if i >= self.plan.carried
        ]

    def emit(self, graph: Graph, start: Value, rows: int) -> list[list[Value]]:
        """A step on the rows from ``start`` in the order; each group's losses, as doubles."""
        # One group of lanes after the other: with half of all numbers at hand, fewer have to wait
        # in memory.
        emit = self._unrolled if self.plan.unrolled else self._looped
        return [emit(group, graph, start, rows) for group in self.groups]

    def bits(self, mask: Value) -> Value:
        """A mask of lanes as the bits of a whole number."""
        bits = self.builder.bitcast(mask, ir.IntType(self.vector))
        return bits if self.vector == 64 else self.builder.zext(bits, INT64)

    def any(self, mask: Value) -> Value:
        """Whether a mask has a lane."""
        return self.builder.icmp_unsigned("!=", self.bits(mask), INT64(0))

    def keep(self, group: int, losses: Sequence[Value]) -> None:
        """Put the losses of a group where `LaneMemory.finish` finds them."""
        for name, value in zip(("objective", "reported"), losses, strict=True):
            place = self.memory.inside(self.builder, self.scratch, name)
            place = self.builder.gep(place, [INT64(group * self.vector)])
            place = self.builder.bitcast(place, self.doubles.as_pointer())
            self.builder.store(value, place).align = 8

    def _unrolled(self, group: int, graph: Graph, start: Value, rows: int) -> list[Value]:
        """One step of a group, element by element; its losses."""
        plan = self.plan
        values: dict[Node, Value] = {}
        for i, node in enumerate(graph.arguments[:-1]):
            if i < plan.carried:
                elements = range(node.size)
                values[node] = [self._load(group, i, INT64(j)) for j in elements]
            else:
                values[node] = self._data(group, i, node, start, rows)
        values[graph.arguments[-1]] = [self._rate(group, graph.arguments[-1])]
        emit_nodes(Lanes(self.block, self.vector), graph.nodes(), values)
        *new, loss, shown = (values[node] for node in graph.outputs)
        losses = [self._double(loss[0]), self._double(shown[0])]
        self._let_go(group, losses)
        for i, elements in enumerate(new):
            for j, element in enumerate(elements):
                self._store(group, i, INT64(j), element)
        return losses

    def _looped(self, group: int, graph: Graph, start: Value, rows: int) -> list[Value]:
        """One step of a group, in loops over elements; its losses."""
        arena = Arena(self._begin)
        lanes = LoopLanes(self.block, self.vector, self.width, self.scratch, arena)
        places = [self._array(lanes, group, i) for i in range(len(graph.arguments) - 1)]
        values: dict[Node, Value] = {}
        for i, (node, place) in enumerate(zip(graph.arguments, places, strict=False)):
            if i < self.plan.carried or self.plan.whole:
                values[node] = place
            else:
                order = self.builder.gep(self.order, [start])
                values[node] = lanes.rows(place, order, rows)
        values[graph.arguments[-1]] = lanes.single(self._rate(group, graph.arguments[-1]))
        emit_in_loops(lanes, graph.nodes(), values, graph.outputs)
        *new, loss, shown = (lanes.kept(values[node]) for node in graph.outputs)
        losses = [self._double(lanes.first(each)) for each in (loss, shown)]
        self._let_go(group, losses)
        for place, value in zip(places, new, strict=False):
            lanes.copy(value, place)
        self.end = max(self.end, arena.end)
        return losses

    def _array(self, lanes: LoopLanes, group: int, position: int) -> Stored:
        """A carried array, or data: for a step in mini-batches, a row of it."""
        node, dtype = self.plan.arguments[position], self.plan.arguments[position].dtype
        part = position >= self.plan.carried and not self.plan.whole
        size = node.size // node.shape[0] if part else node.size
        if position in self.memory.places:
            offset = self.memory.places[position] + group * self.vector * dtype.itemsize
            return lanes.at(offset, dtype, size)
        pointer = self.builder.bitcast(self.data[position - self.plan.carried], _POINTER)
        return Stored(pointer, element_type(dtype), size, shared=True, truth=dtype.kind == "b")

    def _double(self, value: Value) -> Value:
        if isinstance(value.type.element, ir.FloatType):
            return self.builder.fpext(value, self.doubles)
        return value

    def _rate(self, group: int, node: Node) -> Value:
        place = self.memory.inside(self.builder, self.scratch, "rate")
        place = self.builder.gep(place, [INT64(group * self.vector)])
        rate = self.builder.load(self.builder.bitcast(place, self.doubles.as_pointer()))
        rate.align = 8
        if node.dtype.itemsize == 8:
            return rate
        return self.builder.fptrunc(rate, vector_type(node.dtype, self.vector))

    def _place(self, group: int, position: int, element: Value) -> tuple[Value, int]:
        """Where an element's lanes are in the scratch memory, and how well aligned."""
        builder, dtype = self.builder, self.plan.arguments[position].dtype
        kind = vector_type(dtype, self.vector)
        size = self.width * dtype.itemsize
        first = self.memory.places[position] + group * self.vector * dtype.itemsize
        offset = builder.add(INT64(first), builder.mul(element, INT64(size)))
        place = builder.bitcast(builder.gep(self.scratch, [offset]), kind.as_pointer())
        part = self.vector * dtype.itemsize
        return place, min(ALIGNMENT, part & -part)

    def _load(self, group: int, position: int, element: Value) -> Value:
        place, alignment = self._place(group, position, element)
        value = self.builder.load(place)
        value.align = alignment
        return self._truth(value) if self.plan.arguments[position].dtype.kind == "b" else value

    def _store(self, group: int, position: int, element: Value, value: Value) -> None:
        place, alignment = self._place(group, position, element)
        if self.plan.arguments[position].dtype.kind == "b":
            value = self.builder.zext(value, place.type.pointee)
        self.builder.store(value, place).align = alignment

    def _truth(self, value: Value) -> Value:
        return self.builder.icmp_unsigned("!=", value, self.block.number(value, 0))

    def _data(self, group: int, position: int, node: Node, start: Value, rows: int) -> list[Value]:
        """The rows of a step: from memory that all share, or from the network's own."""
        builder = self.builder
        width = node.size // node.shape[0]
        values: list[Value] = []
        for i in range(rows):
            row: Value = INT64(i)
            if not self.plan.whole:
                row = builder.load(builder.gep(self.order, [builder.add(start, row)]))
            first = builder.mul(row, INT64(width))
            for j in range(width):
                element = builder.add(first, INT64(j))
                if position in self.plan.own:
                    values.append(self._load(group, position, element))
                else:
                    values.append(self._shared(position, node, element))
        return values

    def _shared(self, position: int, node: Node, element: Value) -> Value:
        pointer = self.data[position - self.plan.carried]
        number = self.builder.load(self.builder.gep(pointer, [element]))
        value = splat(self.builder, number, self.vector)
        return self._truth(value) if node.dtype.kind == "b" else value

    def _let_go(self, group: int, losses: Sequence[Value]) -> None:
        """Networks whose loss is not finite keep the parameters that they have before the step."""
        builder, memory = self.builder, self.memory
        size = self.block.intrinsic("fabs", losses[0])
        infinity = self.block.number(self.doubles, float("inf"))
        bad = builder.fcmp_unordered(">=", size, infinity)
        bad = builder.and_(bad, self.active[group].get())
        with builder.if_then(self.any(bad), likely=False):
            self.keep(group, losses)
            bits = self.bits(bad)
            with counted(builder, self.vector) as i:
                bit = builder.and_(builder.lshr(bits, i), INT64(1))
                with builder.if_then(builder.icmp_signed("!=", bit, INT64(0))):
                    outcome = INT64(DIVERGED)
                    lane = builder.add(i, INT64(group * self.vector))
                    arguments = [self.table, self.scratch, lane, outcome, self.clock.get()]
                    builder.call(memory.finish, arguments)
            active = self.active[group]
            ones = ir.Constant(self.mask, [1] * self.vector)
            active.set(builder.and_(active.get(), builder.xor(bad, ones)))
            self.leave.set(ir.IntType(1)(1))
