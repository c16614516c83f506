"""The innermost part of a matrix product: one tile of the result, in registers.

A tile of R rows and V vectors takes, for each k in order, R numbers of a column of A and V vectors
of a row of B, and adds their R · V products, each with one fused multiply-add.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.block import element_type, vector_type
from chainrule.kernels.code import Code
from chainrule.kernels.flow import INT64, splat
from chainrule.kernels.tiling import Columns

__all__ = ["tile_function"]

Value = Any


def tile_function(
    code: Code, dtype: np.dtype[Any], height: int, columns: Columns, *, more: bool = False
) -> Any:
    """A function of the module that computes one tile; products of all shapes share it.

    ``tile(a, row, inner, b, next, count, c, step, rows)`` writes the sums over ``count`` steps to
    ``c``, whose rows are ``step`` apart; with ``more`` it adds to what is there. Steps are counted
    in elements: from row to row of ``a``, along its inner axis, and from row to row of ``b``. Of
    the rows only ``rows`` are there: the last of them stands in for the others.
    """
    widths = "_".join(map(str, columns.widths))
    name = f"tile_{dtype.name}_{height}_{widths}_{columns.valid}_{more:d}"
    function = code.module.globals.get(name)
    return function or _Tile(code, dtype, height, columns, more).emit(name)


class _Tile:
    def __init__(
        self, code: Code, dtype: np.dtype[Any], height: int, columns: Columns, more: bool
    ) -> None:
        self.more = more
        self.outer, self.dtype, self.height, self.columns = code, dtype, height, columns
        self.kinds = [vector_type(dtype, width) for width in columns.widths]
        self.starts = [sum(columns.widths[:v]) for v in range(len(columns.widths))]
        self.valid = [*columns.widths[:-1], columns.valid]

    def emit(self, name: str) -> Any:
        pointer = element_type(self.dtype).as_pointer()
        kinds = [pointer, INT64, INT64, pointer, INT64, INT64, pointer, INT64, INT64]
        self.code = code = self.outer.inner(name, kinds)
        builder = code.builder
        a, row, inner, b, following, count, c, step, rows = code.function.args
        last = builder.sub(rows, INT64(1))
        left: list[Value] = []
        into: list[Value] = []
        for r in range(self.height):
            number: Value = INT64(r)
            if r:
                number = builder.select(builder.icmp_signed("<", number, last), number, last)
            left.append(builder.gep(a, [builder.mul(number, row)]) if r else a)
            into.append(builder.gep(c, [builder.mul(number, step)]) if r else c)
        # -0 plus a product is that product, with its sign.
        nothing = [code.block.number(kind, -0.0) for kind in self.kinds]
        begin = [self._vectors(place) if self.more else nothing for place in into]
        sums = self._loop(left, inner, b, following, count, begin)
        for place, totals in zip(into, sums, strict=True):
            for start, total, valid in zip(self.starts, totals, self.valid, strict=True):
                code.store(total, builder.gep(place, [INT64(start)]), self.dtype, 1, valid)
        builder.ret_void()
        return code.function

    def _vectors(self, place: Value) -> list[Value]:
        code = self.code
        return [
            code.load(code.builder.gep(place, [INT64(start)]), self.dtype, 1, kind.count, valid)
            for start, kind, valid in zip(self.starts, self.kinds, self.valid, strict=True)
        ]

    def _loop(
        self,
        left: list[Value],
        inner: Value,
        b: Value,
        following: Value,
        count: Value,
        begin: list[list[Value]],
    ) -> list[list[Value]]:
        code, builder = self.code, self.code.builder
        before = builder.block
        body, after = (builder.append_basic_block(name) for name in ("products", "sums"))
        builder.branch(body)
        builder.position_at_end(body)
        k, along, right = builder.phi(INT64), builder.phi(INT64), builder.phi(b.type)
        sums = [[builder.phi(kind) for kind in self.kinds] for _ in left]
        vectors = self._vectors(right)
        new: list[list[Value]] = []
        for place, totals in zip(left, sums, strict=True):
            number = code.load_one(builder.gep(place, [along]), self.dtype)
            spread = {w: splat(builder, number, w) for w in sorted(set(self.columns.widths))}
            new.append(
                [
                    code.block.fma(spread[vector.type.count], vector, total)
                    for vector, total in zip(vectors, totals, strict=True)
                ]
            )
        rest = builder.sub(k, INT64(1))
        k.add_incoming(count, before)
        k.add_incoming(rest, body)
        along.add_incoming(INT64(0), before)
        along.add_incoming(builder.add(along, inner), body)
        right.add_incoming(b, before)
        right.add_incoming(builder.gep(right, [following]), body)
        builder.cbranch(builder.icmp_signed(">", rest, INT64(0)), body, after)
        for phis, totals, firsts in zip(sums, new, begin, strict=True):
            for phi, total, first in zip(phis, totals, firsts, strict=True):
                phi.add_incoming(first, before)
                phi.add_incoming(total, body)
        builder.position_at_end(after)
        return new
