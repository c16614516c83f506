"""Kernels of matrix products: tiles of the result, each followed by what is computed from it.

Every element is the sum over the inner axis in order, whatever the tile it is in. Elementwise
values that follow the product are computed from a tile while it is in the nearest cache.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chainrule.graph import Node
from chainrule.kernels.code import Code
from chainrule.kernels.flow import INT64
from chainrule.kernels.nests import Values, Write
from chainrule.kernels.tiles import tile_function
from chainrule.kernels.tiling import Columns, tiling
from chainrule.kernels.transposing import copy_function, turn_function
from chainrule.kernels.trees import Leaf
from chainrule.kernels.views import View

__all__ = ["Product"]

Value = Any


_FAR = 4096
"""Rows that are so many bytes apart have a page of memory and a part of the cache each."""
_FEW = 6
"""A copy pays if it is read so many times."""

_LARGE = 4096
"""From so many elements on it pays to turn them over in registers."""


@dataclass(frozen=True)
class _Left:
    """A left factor: a pointer, and the steps from tile to tile, to the next row, and along one."""

    pointer: Value
    tile: int
    row: int
    inner: int


class Product:
    """The loops of one matrix product and of what follows it.

    ``writes`` are the elementwise values that are computed from it; the product itself is written
    if it is ``stored``.
    """

    def __init__(
        self, code: Code, node: Node, a: Leaf, b: Leaf, writes: Sequence[Write], *, stored: bool
    ) -> None:
        self.code, self.node, self.a, self.b = code, node, a, b
        self.writes = list(writes)
        self.dtype = node.dtype
        left = a.view if len(a.shape) > 1 else _with_axis(a.view, 0)
        right = b.view if len(b.shape) > 1 else _with_axis(b.view, 1)
        self.turned = right.shape[-1] == 1 and left.strides[-2] == 1 and not left.shape[:-2]
        if self.turned:
            # A column is computed as the row that it is in memory, with vectors along it.
            self.a, self.b = b, a
            left, right = right.transposed((1, 0)), left.transposed((1, 0))
        self.stack = left.shape[:-2]
        self.m, self.k, self.n = left.shape[-2], left.shape[-1], right.shape[-1]
        self.left, self.right = left, right
        self.target = View.of((*self.stack, self.m, self.n))
        lanes = code.registers.lanes(self.dtype)
        self.tiling = tiling(self.m, self.n, lanes, code.registers)
        self.stored = stored

    def emit(self) -> None:
        """Add the loops to the kernel."""
        offsets: list[Value] = [INT64(self.left.offset), INT64(self.right.offset), INT64(0)]
        self._stack(0, offsets)

    def _stack(self, axis: int, offsets: list[Value]) -> None:
        if axis < len(self.stack):
            views = (self.left, self.right, self.target)
            with self.code.loop(self.stack[axis], outermost=axis == 0) as s:
                moved = [
                    self.code.at(offset, view.strides[axis], s)
                    for offset, view in zip(offsets, views, strict=True)
                ]
                self._stack(axis + 1, moved)
            return
        builder = self.code.builder
        a = builder.gep(self.code.base(self.a.node), [offsets[0]])
        b = builder.gep(self.code.base(self.b.node), [offsets[1]])
        self._tiles(self._left(a), b, offsets[2])

    def _left(self, a: Value) -> _Left:
        """The left factor: where it is, or copied so that a tile's numbers lie side by side."""
        code, dtype = self.code, self.dtype
        row, inner = self.left.strides[-2:]
        height, count = self.tiling.height, self.tiling.count
        tiles = sum(columns.count for columns in self.tiling.columns)
        if inner * dtype.itemsize < _FAR or row != 1 or tiles < _FEW:
            return _Left(a, row * height, row, inner)
        together = code.share and not self.stack
        buffer = code.buffer(count * height * self.k, dtype, common=together)
        copy = copy_function(code, dtype)
        with code.loop(count, outermost=together) as it:
            source = code.builder.gep(a, [code.at(INT64(0), height, it)])
            target = code.builder.gep(buffer, [code.at(INT64(0), height * self.k, it)])
            rows = self._rows(code.at(INT64(0), height, it))
            numbers = INT64(inner), INT64(row), target, INT64(height), INT64(self.k), rows
            code.builder.call(copy, [source, *numbers])
        if together:
            code.meet()
        return _Left(buffer, height * self.k, 1, height)

    def _tiles(self, a: _Left, b: Value, offset: Value) -> None:
        code, builder = self.code, self.code.builder
        height = self.tiling.height
        widest = max(sum(each.widths) for each in self.tiling.columns)
        spare = None if self.stored else code.buffer(height * widest, self.dtype)
        panel = code.buffer(self.k * widest, self.dtype) if self._copies() else None
        for columns in self.tiling.columns:
            tile = tile_function(code, self.dtype, height, columns)
            with self._side_by_side(columns) as (jt, first, end):
                j = code.at(INT64(columns.begin), columns.size, jt)
                right, following = self._right(b, j, columns, panel)
                with code.range(first, end) as it:
                    i = code.at(INT64(0), height, it)
                    rows = self._rows(i)
                    c, step = spare, widest
                    if self.stored:
                        index = code.at(code.at(offset, self.n, i), 1, j)
                        c, step = builder.gep(code.base(self.node), [index]), self.n
                    left = builder.gep(a.pointer, [code.at(INT64(0), a.tile, it)])
                    numbers = (a.row, a.inner, following, self.k, step)
                    row, inner, next_row, count, down = (INT64(x) for x in numbers)
                    builder.call(tile, [left, row, inner, right, next_row, count, c, down, rows])
                    if self.writes:
                        with code.range(INT64(0), rows) as r:
                            place = builder.gep(c, [code.at(INT64(0), step, r)])
                            self._follow(place, builder.add(i, r), j, columns)

    @contextmanager
    def _side_by_side(self, columns: Columns) -> Generator[tuple[Value, Value, Value]]:
        """A loop over tiles side by side, and from which to which those below each go.

        Threads that share them take as many tiles each, one below the other: most of what lies
        to the right of a tile is then copied by one of them.
        """
        code, builder, count = self.code, self.code.builder, INT64(self.tiling.count)
        if self.stack or not code.share:
            with code.loop(columns.count) as jt:
                yield jt, INT64(0), count
            return
        begin, end = code.part(columns.count * self.tiling.count)
        above = builder.add(end, INT64(self.tiling.count - 1))
        with code.range(builder.udiv(begin, count), builder.udiv(above, count)) as jt:
            before = builder.mul(jt, count)
            first, last = builder.sub(begin, before), builder.sub(end, before)
            first = builder.select(builder.icmp_signed("<", first, INT64(0)), INT64(0), first)
            last = builder.select(builder.icmp_signed("<", last, count), last, count)
            yield jt, first, last

    def _copies(self) -> bool:
        """Whether the right factor is copied, a panel of columns at a time.

        That is so where its columns do not lie side by side, or its rows so far apart that they
        would keep each other out of the cache.
        """
        down, along = self.right.strides[-2:]
        if self.n == 1:
            return False
        far = down * self.dtype.itemsize >= _FAR and self.tiling.count >= _FEW
        return along != 1 or far

    def _right(self, b: Value, j: Value, columns: Columns, panel: Value) -> tuple[Value, int]:
        """The columns of a tile: where they are, or copied, and the step from row to row."""
        code, dtype = self.code, self.dtype
        down, along = self.right.strides[-2:]
        source = code.builder.gep(b, [code.at(INT64(0), along, j)])
        if panel is None:
            return source, down
        step = sum(columns.widths)
        if along != 1:
            large = down == 1 and self.k * self.n >= _LARGE
            copy = turn_function(code, dtype) if large else copy_function(code, dtype)
            numbers = (INT64(step), INT64(self.k), INT64(columns.size))
            code.builder.call(copy, [source, INT64(down), INT64(along), panel, *numbers])
            return panel, step
        with code.loop(self.k) as k:
            start = 0
            for v, width in enumerate(columns.widths):
                valid = columns.valid if v == len(columns.widths) - 1 else width
                there = code.at(INT64(start), down, k)
                here = code.at(INT64(start), step, k)
                vector = code.load(code.builder.gep(source, [there]), dtype, 1, width, valid)
                code.store(vector, code.builder.gep(panel, [here]), dtype, 1, width)
                start += width
        return panel, step

    def _rows(self, i: Value) -> Value:
        """How many rows of a tile there are."""
        if self.m % self.tiling.height == 0:
            return INT64(self.tiling.height)
        builder, height = self.code.builder, INT64(self.tiling.height)
        left = builder.sub(INT64(self.m), i)
        return builder.select(builder.icmp_signed("<", left, height), left, height)

    def _follow(self, place: Value, row: Value, j: Value, columns: Columns) -> None:
        """Compute and store what follows from one row of a tile."""
        code = self.code
        full = columns.widths[0]
        *whole, last = columns.widths
        count = len(whole) + (last == columns.valid == full)

        def part(number: Value, width: int, valid: int) -> None:
            start = code.at(INT64(0), full, number)
            total = code.load(code.builder.gep(place, [start]), self.dtype, 1, width, valid)
            self._vector(total, row, code.builder.add(j, start), valid)

        if count:
            with code.loop(count) as v:
                part(v, full, full)
        if count < len(columns.widths):
            part(INT64(count), last, columns.valid)

    def _vector(self, total: Value, row: Value, column: Value, valid: int) -> None:
        code, builder = self.code, self.code.builder

        def place(node: Node, view: View) -> tuple[Value, int]:
            down, along = reversed(view.strides) if self.turned else view.strides
            index = code.at(code.at(INT64(view.offset), down, row), along, column)
            return builder.gep(code.base(node), [index]), along

        def read(leaf: Leaf, width: int) -> Value:
            pointer, along = place(leaf.node, leaf.view)
            return code.load(pointer, leaf.node.dtype, along, width, valid)

        values = Values(code, total.type.count, read, {self.node: total})
        made: list[Value] = []
        for write in self.writes:
            value = values.of(write.tree)
            values.known[write.node] = value
            made.append(value)
        for write, value in zip(self.writes, made, strict=True):
            if write.view is not None:
                pointer, along = place(write.node, write.view)
                code.store(value, pointer, write.node.dtype, along, valid)


def _with_axis(view: View, axis: int) -> View:
    shape, strides = list(view.shape), list(view.strides)
    shape.insert(axis, 1)
    strides.insert(axis, 0)
    return View(tuple(shape), tuple(strides), view.offset)
