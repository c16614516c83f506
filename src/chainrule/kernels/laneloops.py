"""Arrays in memory, a vector for each element, and loops over the elements.

`LoopLanes` is for graphs that are too large to be written out element by element as `Lanes` does.
It does the same operations in the same order. Elementwise operations wait until their result is
needed somewhere else than in another one, so that a chain of them becomes one loop. Memory is used
again when nothing needs what is in it. It is one class, whose rules all work on the same memory,
and so one long file.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.graph import Node
from chainrule.kernels.block import Block, element_type
from chainrule.kernels.flow import INT64, counted, splat
from chainrule.kernels.rules import RULES, positions
from chainrule.kernels.strides import line_of, strides, three_strides

__all__ = ["Arena", "LoopLanes", "Stored", "emit_in_loops"]

Value = Any
Positions = NDArray[np.intp]
Rule = Callable[..., Any]
_ALIGNMENT = 64
_BIT, _BYTE, _INT32 = ir.IntType(1), ir.IntType(8), ir.IntType(32)
_LONGEST_CHAIN = 12
_TILE = 4


class Arena:
    """Scratch memory handed out in regions, by their distance from its begin."""

    def __init__(self, begin: int) -> None:
        self.end = begin
        self._free: list[tuple[int, int]] = []

    def take(self, size: int) -> tuple[int, int]:
        """A region of at least ``size`` bytes: where it begins, and its size."""
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        fitting = [region for region in self._free if region[1] >= size]
        if fitting:
            region = min(fitting, key=lambda region: region[1])
            if region[1] <= 2 * size:
                self._free.remove(region)
                return region
        region = (self.end, size)
        self.end += size
        return region

    def give_back(self, region: tuple[int, int]) -> None:
        """Let a region be used again."""
        self._free.append(region)


@dataclass(frozen=True, eq=False)
class Stored:
    """An array in memory: element i is at ``positions[i]``, or at i.

    ``pointer`` is to bytes. Where ``shared``, each element is one number that all lanes have;
    ``truth`` marks truth values, which are bytes in memory. ``spacing`` is how many vectors lie
    between two elements: more than 1 where the lanes of other groups are in between.
    """

    pointer: Value
    element: Any
    size: int
    shared: bool = False
    positions: Positions | None = None
    region: tuple[int, int] | None = None
    truth: bool = False
    spacing: int = 1


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An elementwise result that has not been computed."""

    function: Rule
    operands: tuple[Any, ...]
    size: int
    length: int


class LoopLanes:
    """Each array is in memory, a vector for each element; lane l is the l-th network's."""

    def __init__(
        self, block: Block, width: int, all_lanes: int, scratch: Value, arena: Arena
    ) -> None:
        self.block = block
        self.width = width
        self._spacing = all_lanes // width
        self._scratch = scratch
        self.arena = arena
        self._taken: list[tuple[int, int]] = []

    # What the rules use.

    def constant(self, array: NDArray[Any]) -> Value:
        """A constant array, the same for every network."""
        element = element_type(array.dtype)
        kind = ir.ArrayType(element, max(array.size, 1))
        numbers = array.ravel().tolist() or [0]
        if array.dtype.kind != "f":
            numbers = [int(number) for number in numbers]
        pointer = self._global(ir.Constant(kind, numbers))
        truth = array.dtype.kind == "b"
        return Stored(pointer, element, array.size, shared=True, truth=truth)

    def take(self, value: Value, positions: Positions) -> Value:
        """The array whose element i is element ``positions[i]`` of another."""
        flat = np.ravel(positions)
        if flat.tolist() == list(range(value.size)):
            return value
        if isinstance(value, _Waiting):
            if len(np.unique(flat)) < len(flat):
                value = self.stored(value)
            else:
                operands = tuple(self.take(operand, flat) for operand in value.operands)
                return _Waiting(value.function, operands, len(flat), value.length)
        chosen = flat if value.positions is None else value.positions[flat]
        return replace(value, size=len(flat), positions=chosen)

    def pick(self, values: Sequence[Value], positions: Positions) -> Value:
        """An array picked from several, whose elements are counted one after the other."""
        flat = np.ravel(positions)
        values = [self.stored(value) for value in values]
        target = self._new(values[0].element, len(flat), values[0].truth)
        start = 0
        for value in values:
            here = np.flatnonzero((flat >= start) & (flat < start + value.size))
            if len(here):
                into = self.take(target, here)
                self._fill(self.take(value, flat[here] - start), into)
            start += value.size
        return target

    def map(self, function: Rule, *values: Value) -> Value:
        """A function of vectors, applied to arrays of one size."""
        length = 1 + sum(v.length for v in values if isinstance(v, _Waiting))
        if length > _LONGEST_CHAIN:
            values = tuple(self.stored(value) for value in values)
            length = 1
        return _Waiting(function, values, values[0].size, length)

    def size(self, value: Value) -> int:
        """How many elements an array has."""
        return value.size

    # Memory.

    def stored(self, value: Value) -> Stored:
        """An array in memory."""
        return value if isinstance(value, Stored) else self._fill(value, None)

    def at(self, offset: int, dtype: np.dtype[Any], size: int) -> Stored:
        """An array of vectors at a place of the scratch memory."""
        pointer = self.block.builder.gep(self._scratch, [INT64(offset)])
        truth = dtype.kind == "b"
        return Stored(pointer, element_type(dtype), size, truth=truth, spacing=self._spacing)

    def single(self, vector: Value) -> Stored:
        """An array of one element, a vector that is there already."""
        target = self._new(vector.type.element, 1)
        zero = INT64(0)
        place = self._place(target, zero, zero, 1, zero)
        self.block.builder.store(vector, place).align = self._alignment(target)
        return target

    def rows(self, source: Stored, order: Value, count: int) -> Stored:
        """Rows of an array, whose numbers are in memory from ``order`` on, copied together."""
        builder = self.block.builder
        width = source.size
        target = self._new(source.element, count * width, source.truth)
        target = replace(target, shared=source.shared)
        zero = INT64(0)
        with counted(builder, count) as i:
            row = builder.load(builder.gep(order, [i]))
            with counted(builder, width) as j:
                there = builder.add(builder.mul(row, INT64(width)), j)
                here = builder.add(builder.mul(i, INT64(width)), j)
                value = builder.load(self._place(source, zero, zero, 1, there))
                place = self._place(target, zero, zero, 1, here)
                stored = builder.store(value, place)
                if not source.shared:
                    stored.align = self._alignment(target)
        return target

    def kept(self, value: Value) -> Stored:
        """An array in memory of its own, which does not change when an argument's does."""
        if isinstance(value, Stored) and value.region is not None:
            return value
        return self._fill(value, None)

    def copy(self, value: Value, target: Stored) -> None:
        """Write an array to where another is."""
        self._fill(value, target)

    def first(self, value: Value) -> Value:
        """The vector of a lone element."""
        return self._element(self.stored(value), INT64(0), INT64(0), 1, INT64(0))

    def _new(self, element: Any, size: int, truth: bool = False) -> Stored:
        width = 8 if element.__class__ is ir.DoubleType else 4
        if isinstance(element, ir.IntType):
            width = max(element.width // 8, 1)
        region = self.arena.take(size * self.width * width)
        self._taken.append(region)
        pointer = self.block.builder.gep(self._scratch, [INT64(region[0])])
        return Stored(pointer, element, size, region=region, truth=truth)

    def regions(self) -> list[tuple[int, int]]:
        """The regions taken since this was last asked."""
        taken, self._taken = self._taken, []
        return taken

    def _global(self, constant: Any) -> Value:
        module = self.block.module
        name = f"constants.{len(module.globals)}"
        variable: Any = ir.GlobalVariable(module, constant.type, name)
        variable.initializer = constant
        variable.global_constant = True
        variable.linkage = "internal"
        return self.block.builder.bitcast(variable, _BYTE.as_pointer())

    # Loops.

    def _fill(self, value: Value, target: Stored | None) -> Stored:
        """Compute an array into its place, or a new one."""
        builder = self.block.builder
        leaves = [*_leaves(value), *([] if target is None else [target])]
        period = _period(leaves, value.size)
        tables = {id(leaf): self._table(leaf, period) for leaf in leaves}
        with _nest(builder, value.size, period) as (outer, inner, i):
            vector = self._compute(value, outer, inner, period, i, tables)
            if target is None:
                element = vector.type.element
                # The region's address must be there before the loop: it is made in the entry.
                with builder.goto_entry_block():
                    truth = element == _BIT
                    target = self._new(_BYTE if truth else element, value.size, truth)
            place = self._place(target, outer, inner, period, i, tables.get(id(target)))
            if vector.type.element == _BIT:
                vector = builder.zext(vector, ir.VectorType(_BYTE, self.width))
            builder.store(vector, place).align = self._alignment(target)
        return target

    def _compute(
        self,
        value: Value,
        outer: Value,
        inner: Value,
        period: int,
        i: Value,
        tables: dict[int, Value],
    ) -> Value:
        if isinstance(value, Stored):
            return self._element(value, outer, inner, period, i, tables[id(value)])
        operands = [
            self._compute(operand, outer, inner, period, i, tables) for operand in value.operands
        ]
        return value.function(self.block, *operands)

    def _table(self, leaf: Stored, period: int) -> Value:
        """The positions as a table in memory, where they follow no rule for this period."""
        if leaf.positions is None or strides(leaf.positions, period) is not None:
            return None
        kind = ir.ArrayType(_INT32, len(leaf.positions))
        return self._global(ir.Constant(kind, leaf.positions.tolist()))

    def _index(
        self, leaf: Stored, outer: Value, inner: Value, period: int, i: Value, table: Value
    ) -> Value:
        builder = self.block.builder
        if leaf.positions is None:
            return i
        if table is not None:
            pointer = builder.bitcast(table, _INT32.as_pointer())
            return builder.zext(builder.load(builder.gep(pointer, [i])), INT64)
        pattern = strides(leaf.positions, period)
        assert pattern is not None
        start, across, along = pattern
        index = builder.add(INT64(start), builder.mul(outer, INT64(across)))
        return builder.add(index, builder.mul(inner, INT64(along)))

    def _place(
        self, leaf: Stored, outer: Value, inner: Value, period: int, i: Value, table: Value = None
    ) -> Value:
        builder = self.block.builder
        index = self._index(leaf, outer, inner, period, i, table)
        kind = leaf.element if leaf.shared else ir.VectorType(leaf.element, self.width)
        if leaf.spacing > 1:
            index = builder.mul(index, INT64(leaf.spacing))
        return builder.gep(builder.bitcast(leaf.pointer, kind.as_pointer()), [index])

    def _element(
        self, leaf: Stored, outer: Value, inner: Value, period: int, i: Value, table: Value = None
    ) -> Value:
        place = self._place(leaf, outer, inner, period, i, table)
        return self.load(leaf, place)

    def load(self, leaf: Stored, place: Value) -> Value:
        """The vector at a place of an array."""
        builder = self.block.builder
        value = builder.load(place)
        if leaf.shared:
            value = splat(builder, value, self.width)
        else:
            value.align = self._alignment(leaf)
        if leaf.truth:
            return builder.icmp_unsigned("!=", value, self.block.number(value, 0))
        return value

    def _alignment(self, leaf: Stored) -> int:
        width = {"double": 8, "float": 4}.get(str(leaf.element)) or leaf.element.width // 8
        size = self.width * width
        return min(_ALIGNMENT, size & -size)

    # Matrix products.

    def matmul(self, node: Node, left: Value, right: Value) -> Value:
        """A product of matrices, or of stacks of them, in tiles of registers."""
        a_shape, b_shape = _matrices(node)
        m, inner, n = a_shape[-2], a_shape[-1], b_shape[-1]
        stack = np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
        a = self._spread(left, a_shape, stack)
        b = self._spread(right, b_shape, stack)
        count = int(np.prod(stack, dtype=np.int64))
        target = self._new(a[0].element, count * m * n)
        with counted(self.block.builder, count) as s:
            for rows, i0 in _tiles(m):
                for columns, j0 in _tiles(n):
                    self._tiles_of(a, b, target, s, (m, inner, n), (i0, rows), (j0, columns))
        return target

    def _spread(
        self, value: Value, shape: tuple[int, ...], stack: tuple[int, ...]
    ) -> tuple[Stored, tuple[int, ...]]:
        """A stack of matrices in memory, with its start and its strides: stack, row, column."""
        stored = self.stored(value)
        where = positions(shape) if stored.positions is None else stored.positions.reshape(shape)
        where = np.broadcast_to(where, (*stack, *shape[-2:])).reshape(-1, *shape[-2:])
        pattern = three_strides(where)
        if pattern is None:
            flat = replace(stored, size=where.size, positions=where.ravel())
            stored = self._fill(flat, None)
            pattern = (0, where[0].size, where.shape[2], 1)
        return replace(stored, positions=None), pattern

    def _tiles_of(
        self,
        a: tuple[Stored, tuple[int, ...]],
        b: tuple[Stored, tuple[int, ...]],
        target: Stored,
        s: Value,
        sizes: tuple[int, int, int],
        rows: tuple[int, tuple[int, int]],
        columns: tuple[int, tuple[int, int]],
    ) -> None:
        """All tiles of one size: (begin, (how many, height)) by (begin, (how many, width))."""
        builder = self.block.builder
        m, inner, n = sizes
        (i0, (row_tiles, height)), (j0, (column_tiles, width)) = rows, columns
        with counted(builder, row_tiles) as it, counted(builder, column_tiles) as jt:
            i = builder.add(INT64(i0), builder.mul(it, INT64(height)))
            j = builder.add(INT64(j0), builder.mul(jt, INT64(width)))
            zero = INT64(0)

            def products(k: Value, totals: list[Value] | None) -> list[Value]:
                left = [self._entry(a, s, builder.add(i, INT64(r)), k) for r in range(height)]
                right = [self._entry(b, s, k, builder.add(j, INT64(c))) for c in range(width)]
                pairs = [(x, y) for x in left for y in right]
                if totals is None:
                    return [builder.fmul(x, y) for x, y in pairs]
                return [
                    self.block.fma(x, y, total) for (x, y), total in zip(pairs, totals, strict=True)
                ]

            totals = _accumulated(builder, inner, products)
            first = builder.add(builder.mul(s, INT64(m * n)), builder.mul(i, INT64(n)))
            for number, total in enumerate(totals):
                r, c = divmod(number, width)
                index = builder.add(builder.add(first, j), INT64(r * n + c))
                place = self._place(target, zero, zero, 1, index)
                builder.store(total, place).align = self._alignment(target)

    def _entry(
        self, matrix: tuple[Stored, tuple[int, ...]], s: Value, row: Value, column: Value
    ) -> Value:
        builder = self.block.builder
        stored, (start, *steps) = matrix
        index: Value = INT64(start)
        for number, stride in zip((s, row, column), steps, strict=True):
            index = builder.add(index, builder.mul(number, INT64(stride)))
        return self.load(stored, self._place(stored, index, index, 1, index))


def emit_in_loops(
    lanes: LoopLanes, nodes: list[Node], values: dict[Node, Value], outputs: Iterable[Node]
) -> None:
    """The instructions of nodes in order; ``values`` has those of the arguments."""
    wanted = set(outputs)
    uses = Counter(operand for node in nodes for operand in set(node.inputs))
    last_use = {operand: i for i, node in enumerate(nodes) for operand in node.inputs}
    owners = Counter(region for value in values.values() for region in _regions(value))
    lanes.regions()  # the arguments' stay taken
    for i, node in enumerate(nodes):
        if node not in values:
            operands = [values[operand] for operand in node.inputs]
            if node.primitive.name == "matmul":
                value = lanes.matmul(node, *operands)
            else:
                value = RULES[node.primitive.name](lanes, node, operands)
            if uses[node] > 1 or node in wanted:
                value = lanes.stored(value)
            values[node] = value
            kept = set(_regions(value))
            for region in lanes.regions():
                if region not in kept and not owners[region]:
                    lanes.arena.give_back(region)
            owners.update(kept)
        for operand in set(node.inputs):
            if last_use[operand] == i and operand not in wanted:
                for region in _regions(values[operand]):
                    owners[region] -= 1
                    if not owners[region]:
                        lanes.arena.give_back(region)


def _regions(value: Value) -> set[tuple[int, int]]:
    return {leaf.region for leaf in _leaves(value) if leaf.region is not None}


def _leaves(value: Value) -> Iterator[Stored]:
    if isinstance(value, Stored):
        yield value
        return
    for operand in value.operands:
        yield from _leaves(operand)


def _matrices(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The operands' shapes as stacks of matrices."""
    left, right = (operand.shape for operand in node.inputs)
    return (left if len(left) > 1 else (1, *left)), (right if len(right) > 1 else (*right, 1))


def _tiles(size: int) -> list[tuple[tuple[int, int], int]]:
    """How a side is cut: ((how many, their size), begin), for whole tiles and for what is left."""
    whole, rest = divmod(size, _TILE)
    parts = [((whole, _TILE), 0)] if whole else []
    return [*parts, ((1, rest), whole * _TILE)] if rest else parts


def _accumulated(builder: Any, inner: int, products: Callable[..., list[Value]]) -> list[Value]:
    """Sums of products over 0 … inner - 1, in that order."""
    totals = products(INT64(0), None)
    if inner == 1:
        return totals
    before = builder.block
    body, after = (builder.append_basic_block(name) for name in ("products", "after"))
    builder.branch(body)
    builder.position_at_end(body)
    k = builder.phi(INT64)
    sums = [builder.phi(total.type) for total in totals]
    new = products(k, sums)
    following = builder.add(k, INT64(1))
    k.add_incoming(INT64(1), before)
    k.add_incoming(following, builder.block)
    for phi, first, later in zip(sums, totals, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, INT64(inner)), body, after)
    builder.position_at_end(after)
    return new


@contextmanager
def _nest(builder: Any, size: int, period: int) -> Generator[tuple[Value, Value, Value]]:
    """Loops over the elements: number of the period, place in it, place in all."""
    if period == size:
        with counted(builder, size) as i:
            yield INT64(0), i, i
        return
    with counted(builder, size // period) as outer, counted(builder, period) as inner:
        yield outer, inner, builder.add(builder.mul(outer, INT64(period)), inner)


def _period(leaves: Iterable[Stored], size: int) -> int:
    """After how many elements the most of some arrays begin a new line."""
    found = Counter(
        line
        for leaf in leaves
        if leaf.positions is not None and (line := line_of(leaf.positions)) != size
    )
    return found.most_common(1)[0][0] if found else size
