"""From primitives to instructions: one rule for each, over any representation of arrays.

The order of every sum is fixed by the shapes alone. A matrix product adds its terms one after the
other, each with one fused multiply-add; a sum over axes adds halves: element i to element i + h.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.graph import Node
from chainrule.kernels.block import Block, vector_type
from chainrule.kernels.mathematics import FUNCTIONS
from chainrule.kernels.tensors import Representation
from chainrule.primitives.indexing import index_of

__all__ = ["RULES", "emit_nodes", "unsupported", "unsupported_array"]

Value = Any
Emit = Callable[[Representation, Node, list[Value]], Value]
Positions = NDArray[np.intp]

RULES: dict[str, Emit] = {}


def rule(*names: str) -> Callable[[Emit], Emit]:
    """Register the rule of primitives."""

    def register(emit: Emit) -> Emit:
        for name in names:
            RULES[name] = emit
        return emit

    return register


def unsupported_array(node: Node) -> str | None:
    """Why there is no native code for a node's array, in registers or in loops, or None."""
    name, dtype = node.primitive.name, node.dtype
    if dtype.kind not in "biuf" or (dtype.kind == "f" and dtype.itemsize not in (4, 8)):
        return f"{name} of {dtype}"
    if not dtype.isnative:
        return f"{name} of numbers in another byte order"
    if node.size == 0:
        return f"an empty array, {name} of shape {node.shape}"
    return None


def unsupported(node: Node) -> str | None:
    """Why a node cannot be compiled, or None if it can."""
    name = node.primitive.name
    if name not in RULES and name != "argument":
        return name
    reason = unsupported_array(node)
    if reason is not None:
        return reason
    if node.dtype.kind not in "bf" and name not in ("argument", "constant", "cast"):
        return f"{name} of {node.dtype}"
    if name in ("getitem", "setitem", "embed") and len(node.inputs) > (name == "setitem") + 1:
        return f"{name} with an index that is computed"
    return None


def emit_nodes(
    representation: Representation,
    nodes: list[Node],
    values: dict[Node, Value],
    note: Callable[[Node], str] | None = None,
) -> dict[Node, Value]:
    """The instructions of nodes in order; ``values`` has those of the arguments.

    With ``note`` every node's instructions come after a comment, for people who read them.
    """
    for node in nodes:
        if node not in values:
            if note is not None:
                representation.block.builder.comment(note(node))
            operands = [values[operand] for operand in node.inputs]
            values[node] = RULES[node.primitive.name](representation, node, operands)
    return values


def positions(shape: tuple[int, ...]) -> Positions:
    """The position of each element, in the array's own shape."""
    return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)


# Elementwise.


def _elementwise(name: str, compute: Callable[..., Value]) -> None:
    def emit(representation: Representation, node: Node, operands: list[Value]) -> Value:
        return representation.map(compute, *operands)

    RULES[name] = emit


_ARITHMETIC: dict[str, Callable[..., Value]] = {
    "add": lambda block, a, b: block.builder.fadd(a, b),
    "subtract": lambda block, a, b: block.builder.fsub(a, b),
    "multiply": lambda block, a, b: block.builder.fmul(a, b),
    "divide": lambda block, a, b: block.builder.fdiv(a, b),
    "negative": lambda block, x: block.builder.fneg(x),
    "square": lambda block, x: block.builder.fmul(x, x),
    "reciprocal": lambda block, x: block.builder.fdiv(block.number(x, 1), x),
    "absolute": lambda block, x: block.intrinsic("fabs", x),
    "floor": lambda block, x: block.intrinsic("floor", x),
    "ceil": lambda block, x: block.intrinsic("ceil", x),
    "rint": lambda block, x: block.intrinsic("rint", x),
    "logical_and": lambda block, a, b: block.builder.and_(a, b),
    "logical_or": lambda block, a, b: block.builder.or_(a, b),
    "logical_xor": lambda block, a, b: block.builder.xor(a, b),
    "logical_not": lambda block, x: block.builder.xor(x, block.number(x, 1)),
    "where": lambda block, condition, a, b: block.builder.select(condition, a, b),
    "isnan": lambda block, x: block.builder.fcmp_unordered("uno", x, x),
}
_COMPARISONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}


def _compare(sign: str) -> Callable[..., Value]:
    def compare(block: Block, a: Value, b: Value) -> Value:
        if isinstance(a.type.element, ir.IntType):
            return block.builder.icmp_signed(sign, a, b)
        if sign == "!=":
            return block.builder.fcmp_unordered(sign, a, b)
        return block.builder.fcmp_ordered(sign, a, b)

    return compare


def _extreme(sign: str) -> Callable[..., Value]:
    """The larger or smaller of two; not-a-number if either is, as NumPy has it."""

    def choose(block: Block, a: Value, b: Value) -> Value:
        chosen = block.builder.select(block.builder.fcmp_unordered(sign, a, b), a, b)
        # An unordered comparison chose a; where b is the one that is not a number, it must be b.
        return block.builder.select(block.builder.fcmp_unordered("uno", b, b), b, chosen)

    return choose


def _sign(block: Block, x: Value) -> Value:
    zero, one = block.number(x, 0), block.number(x, 1)
    builder = block.builder
    signed = builder.select(builder.fcmp_ordered(">", x, zero), one, zero)
    signed = builder.select(builder.fcmp_ordered("<", x, zero), block.number(x, -1), signed)
    return builder.select(builder.fcmp_unordered("uno", x, x), x, signed)


def _isfinite(block: Block, x: Value) -> Value:
    infinity = block.number(x, float("inf"))
    return block.builder.fcmp_ordered("<", block.intrinsic("fabs", x), infinity)


for _name, _compute in {**_ARITHMETIC, **FUNCTIONS}.items():
    _elementwise(_name, _compute)
for _name, _symbol in _COMPARISONS.items():
    _elementwise(_name, _compare(_symbol))
_elementwise("maximum", _extreme(">"))
_elementwise("minimum", _extreme("<"))
_elementwise("sign", _sign)
_elementwise("isfinite", _isfinite)


@rule("cast")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    before, after = node.inputs[0].dtype, node.dtype

    def convert(block: Block, x: Value) -> Value:
        builder = block.builder
        kind = vector_type(after, x.type.count)
        if after.kind == "b":
            zero = block.number(x, 0)
            compare = builder.fcmp_unordered if before.kind == "f" else builder.icmp_signed
            return compare("!=", x, zero)
        if before.kind == "b":
            return builder.uitofp(x, kind) if after.kind == "f" else builder.zext(x, kind)
        if before.kind == "f" and after.kind == "f":
            if before.itemsize == after.itemsize:
                return x
            wider = after.itemsize > before.itemsize
            return builder.fpext(x, kind) if wider else builder.fptrunc(x, kind)
        if after.kind == "f":
            return builder.sitofp(x, kind) if before.kind == "i" else builder.uitofp(x, kind)
        return builder.fptosi(x, kind) if before.kind == "f" else builder.trunc(x, kind)

    return representation.map(convert, operands[0])


# Arrangement.


@rule("constant")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    return representation.constant(node.value)


@rule("reshape", "stop_gradient")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    return operands[0]


@rule("transpose")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    moved = positions(node.inputs[0].shape).transpose(node.attributes["axes"])
    return representation.take(operands[0], moved)


@rule("broadcast_to")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    spread = np.broadcast_to(positions(node.inputs[0].shape), node.shape)
    return representation.take(operands[0], spread)


@rule("concatenate")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    parts: list[Positions] = []
    start = 0
    for operand in node.inputs:
        parts.append(positions(operand.shape) + start)
        start += operand.size
    joined = np.concatenate(parts, axis=node.attributes["axis"])
    return representation.pick(operands, joined)


@rule("getitem")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    index = index_of(node.attributes["template"], ())
    return representation.take(operands[0], np.asarray(positions(node.inputs[0].shape)[index]))


@rule("setitem")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    whole, part = node.inputs
    chosen = positions(whole.shape)
    chosen[index_of(node.attributes["template"], ())] = positions(part.shape) + whole.size
    return representation.pick(operands, chosen)


@rule("embed")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    zero = representation.constant(np.zeros(1, dtype=node.dtype))
    chosen = np.zeros(node.shape, dtype=np.intp)
    chosen[index_of(node.attributes["template"], ())] = positions(node.inputs[0].shape) + 1
    return representation.pick([zero, operands[0]], chosen)


# Sums and products.


def fold(representation: Representation, value: Value, rows: Positions, combine: Any) -> Value:
    """Rows of positions (m, r) combined into one row of r: halves onto halves."""
    value = representation.take(value, rows)
    m, r = rows.shape
    while m > 1:
        half = (m + 1) // 2
        upper = np.arange(half * r, m * r)
        lower = np.arange(m * r - half * r)
        combined = representation.map(
            combine, representation.take(value, lower), representation.take(value, upper)
        )
        if m % 2:
            alone = representation.take(value, np.arange((half - 1) * r, half * r))
            total = (m - half) * r + r
            combined = representation.pick([combined, alone], np.arange(total))
        value, m = combined, half
    return value


def _rows(shape: tuple[int, ...], axis: tuple[int, ...]) -> Positions:
    """The positions of an array with its reduced axes first: (reduced, kept)."""
    moved = np.moveaxis(positions(shape), axis, range(len(axis)))
    reduced = int(np.prod([shape[i] for i in axis], dtype=np.int64))
    return moved.reshape(reduced, -1)


@rule("sum", "max", "min", "prod")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    combine = {
        "sum": _ARITHMETIC["add"],
        "prod": _ARITHMETIC["multiply"],
        "max": _extreme(">"),
        "min": _extreme("<"),
    }[node.primitive.name]
    rows = _rows(node.inputs[0].shape, node.attributes["axis"])
    return fold(representation, operands[0], rows, combine)


@rule("cumsum")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    axis = node.attributes["axis"]
    moved = np.moveaxis(positions(node.shape), axis, 0)
    lines = moved.reshape(node.shape[axis], -1)
    sums = [representation.take(operands[0], lines[0])]
    for line in lines[1:]:
        part = representation.take(operands[0], line)
        sums.append(representation.map(_ARITHMETIC["add"], sums[-1], part))
    back = np.empty(node.size, dtype=np.intp)
    back[lines.ravel()] = np.arange(node.size)
    return representation.pick(sums, back)


def _fma(block: Block, a: Value, b: Value, c: Value) -> Value:
    return block.fma(a, b, c)


@rule("matmul")
def _(representation: Representation, node: Node, operands: list[Value]) -> Value:
    left, right = node.inputs
    a, b = positions(left.shape), positions(right.shape)
    a = a[None, :] if left.ndim == 1 else a
    b = b[:, None] if right.ndim == 1 else b
    total: Value = None
    for j in range(a.shape[-1]):
        full = np.broadcast_shapes(a[..., j, None].shape, b[..., None, j, :].shape)
        column = representation.take(operands[0], np.broadcast_to(a[..., j, None], full))
        row = representation.take(operands[1], np.broadcast_to(b[..., None, j, :], full))
        if total is None:
            total = representation.map(_ARITHMETIC["multiply"], column, row)
        else:
            total = representation.map(_fma, column, row, total)
    return total
