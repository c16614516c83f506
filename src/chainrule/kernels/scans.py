"""Kernels that go along an axis one element after the other: running sums, places of extremes."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.graph import Node
from chainrule.kernels.block import element_type
from chainrule.kernels.code import Code
from chainrule.kernels.flow import INT64, Variable
from chainrule.kernels.trees import Leaf
from chainrule.kernels.views import View

__all__ = ["emit_position", "emit_running_sum"]

Value = Any


def emit_running_sum(code: Code, node: Node, x: Leaf) -> None:
    """The running sum along an axis."""
    axis = node.attributes["axis"]
    builder = code.builder
    total = Variable(builder, element_type(node.dtype))
    target = View.of(node.shape)

    def line(source: Value, goal: Value) -> None:
        first = _load(code, x, source)
        total.set(first)
        builder.store(first, builder.gep(code.base(node), [goal]))
        with code.range(INT64(1), INT64(node.shape[axis])) as i:
            number = _load(code, x, code.at(source, x.view.strides[axis], i))
            total.set(builder.fadd(total.get(), number))
            place = builder.gep(code.base(node), [code.at(goal, target.strides[axis], i)])
            builder.store(total.get(), place)

    _lines(code, x.view, target, axis, line)


def emit_position(code: Code, node: Node, x: Leaf) -> None:
    """The position of the largest or smallest element along an axis; of not-a-number if any is."""
    axis = node.attributes["axis"]
    builder = code.builder
    is_float = x.node.dtype.kind == "f"
    best = Variable(builder, element_type(x.node.dtype))
    where = Variable(builder, INT64)
    sign = ">" if node.primitive.name == "argmax" else "<"
    steps = iter(View.of(_without(x.shape, axis)).strides)
    target = View(x.shape, tuple(0 if i == axis else next(steps) for i in range(len(x.shape))))

    def better(number: Value) -> Value:
        if not is_float:
            return builder.icmp_signed(sign, number, best.get())
        beyond = builder.fcmp_unordered(sign, number, best.get())
        return builder.and_(beyond, builder.fcmp_ordered("ord", best.get(), best.get()))

    def line(source: Value, goal: Value) -> None:
        best.set(_load(code, x, source))
        where.set(INT64(0))
        with code.range(INT64(1), INT64(x.shape[axis])) as i:
            number = _load(code, x, code.at(source, x.view.strides[axis], i))
            chosen = better(number)
            best.set(builder.select(chosen, number, best.get()))
            where.set(builder.select(chosen, i, where.get()))
        builder.store(where.get(), builder.gep(code.base(node), [goal]))

    _lines(code, x.view, target, axis, line)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _load(code: Code, x: Leaf, index: Value) -> Value:
    return code.builder.load(code.builder.gep(code.base(x.node), [index]))


def _lines(
    code: Code, source: View, target: View, axis: int, line: Callable[[Value, Value], None]
) -> None:
    """A loop over every axis but one, with where source and target begin along that one."""
    axes = [i for i in range(len(source.shape)) if i != axis]

    def go(position: int, there: Value, here: Value) -> None:
        if position == len(axes):
            line(there, here)
            return
        i = axes[position]
        with code.loop(source.shape[i]) as number:
            go(
                position + 1,
                code.at(there, source.strides[i], number),
                code.at(here, target.strides[i], number),
            )

    go(0, INT64(source.offset), INT64(target.offset))
