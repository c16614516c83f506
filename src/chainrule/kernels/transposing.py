"""Copying part of a matrix to where its rows lie side by side, or its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.block import element_type
from chainrule.kernels.code import Code
from chainrule.kernels.flow import INT64

__all__ = ["copy_function", "turn_function"]

Value = Any
_SIDE = 8
_LINE = 64
"""The bytes of a line of the cache, which is read whole before another one."""


def copy_function(code: Code, dtype: np.dtype[Any]) -> Any:
    """``copy(source, down, along, target, step, rows, columns)``, element by element.

    Element (i, j) is at ``i · down + j · along`` in the source and at ``i · step + j`` in the
    target.
    """
    name = f"copy_{dtype.name}"
    return code.module.globals.get(name) or _copy(code, dtype, name)


def turn_function(code: Code, dtype: np.dtype[Any]) -> Any:
    """The same for a source whose columns lie side by side: ``down`` is 1."""
    name = f"turn_{dtype.name}"
    return code.module.globals.get(name) or _turn(code, dtype, name)


def _arguments(dtype: np.dtype[Any]) -> list[Any]:
    pointer = element_type(dtype).as_pointer()
    return [pointer, INT64, INT64, pointer, INT64, INT64, INT64]


def _copy(outer: Code, dtype: np.dtype[Any], name: str) -> Any:
    code = outer.inner(name, _arguments(dtype))
    builder = code.builder
    source, down, along, target, step, rows, columns = code.function.args
    with code.range(INT64(0), rows) as i:
        there, here = builder.mul(i, down), builder.mul(i, step)
        with code.range(INT64(0), columns) as j:
            from_index = builder.add(there, builder.mul(j, along))
            number = builder.load(builder.gep(source, [from_index]))
            builder.store(number, builder.gep(target, [builder.add(here, j)]))
    builder.ret_void()
    return code.function


def _turn(outer: Code, dtype: np.dtype[Any], name: str) -> Any:
    copy = copy_function(outer, dtype)
    code = outer.inner(name, _arguments(dtype))
    builder = code.builder
    source, down, along, target, step, rows, columns = code.function.args
    line = _LINE // dtype.itemsize
    row_squares = builder.udiv(rows, INT64(line))
    column_squares = builder.udiv(columns, INT64(_SIDE))
    with code.range(INT64(0), row_squares) as ib, code.range(INT64(0), column_squares) as jb:
        i, j = builder.mul(ib, INT64(line)), builder.mul(jb, INT64(_SIDE))
        for part in range(0, line, _SIDE):
            first = builder.add(i, INT64(part))
            there = builder.gep(source, [builder.add(builder.mul(j, along), first)])
            here = builder.gep(target, [builder.add(builder.mul(first, step), j)])
            _square(code, dtype, (there, along), (here, step))
    whole_rows = builder.mul(row_squares, INT64(line))
    whole_columns = builder.mul(column_squares, INT64(_SIDE))
    # What does not fill a square: columns on the right, then rows below the squares.
    there = builder.gep(source, [builder.mul(whole_columns, along)])
    here = builder.gep(target, [whole_columns])
    rest = builder.sub(columns, whole_columns)
    builder.call(copy, [there, down, along, here, step, rows, rest])
    there = builder.gep(source, [whole_rows])
    here = builder.gep(target, [builder.mul(whole_rows, step)])
    rest = builder.sub(rows, whole_rows)
    builder.call(copy, [there, down, along, here, step, rest, whole_columns])
    builder.ret_void()
    return code.function


def _square(
    code: Code, dtype: np.dtype[Any], source: tuple[Value, Value], target: tuple[Value, Value]
) -> None:
    """Eight by eight elements, turned over in registers."""
    builder = code.builder
    (there, along), (here, step) = source, target
    rows: list[Value] = []
    for _ in range(_SIDE):
        rows.append(code.load(there, dtype, 1, _SIDE, _SIDE))
        there = builder.gep(there, [along])
    half = _SIDE // 2
    # Interleaving each row with the one half the rows below, three times, exchanges the axes.
    low = [i // 2 + i % 2 * _SIDE for i in range(_SIDE)]
    high = [i + half for i in low]
    for _ in range(3):
        rows = [
            code.block.join(rows[i], rows[i + half], order)
            for i in range(half)
            for order in (low, high)
        ]
    for row in rows:
        code.store(row, here, dtype, 1, _SIDE)
        here = builder.gep(here, [step])
