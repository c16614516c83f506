"""Loops, branches and variables in a function under construction."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

__all__ = ["INT64", "Variable", "counted", "splat"]

Value = Any
INT64 = ir.IntType(64)


@contextmanager
def counted(builder: Any, count: Value | int) -> Generator[Value]:
    """A loop over 0 … count - 1, whose body is what the block emits."""
    limit = INT64(count) if isinstance(count, int) else count
    before = builder.block
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(INT64)
    i.add_incoming(INT64(0), before)
    builder.cbranch(builder.icmp_signed("<", i, limit), body, after)
    builder.position_at_end(body)
    yield i
    i.add_incoming(builder.add(i, INT64(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def splat(builder: Any, number: Value, width: int) -> Value:
    """A vector with one number everywhere."""
    kind = ir.VectorType(number.type, width)
    empty: Any = ir.Constant(kind, ir.Undefined)  # pyright: ignore
    one = builder.insert_element(empty, number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(one, empty, zeros)


class Variable:
    """A value that changes: in memory as written, in a register once LLVM has seen it."""

    def __init__(self, builder: Any, kind: Any) -> None:
        self._builder = builder
        with builder.goto_entry_block():
            self._place = builder.alloca(kind)

    def get(self) -> Value:
        """The value it has now."""
        return self._builder.load(self._place)

    def set(self, value: Value) -> None:
        """Give it another value."""
        self._builder.store(value, self._place)
