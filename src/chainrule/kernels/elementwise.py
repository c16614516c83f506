"""One elementwise operation on vectors: the rules of floats, and whole numbers besides.

Floats and truth values have the rules that every representation shares, so that their numbers are
the same to the last bit. Whole numbers are for class labels and counts.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.graph import Node
from chainrule.kernels.block import Block, vector_type
from chainrule.kernels.code import Code
from chainrule.kernels.rules import RULES

__all__ = ["combination", "converted", "operation", "unsupported_operation"]

Value = Any


class _Plain:
    """The representation in which an array is the vector at hand."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def map(self, function: Callable[..., Value], *values: Value) -> Value:
        """A function of vectors."""
        return function(self.block, *values)


def _larger(block: Block, a: Value, b: Value) -> Value:
    return block.builder.select(block.builder.icmp_signed(">", a, b), a, b)


def _smaller(block: Block, a: Value, b: Value) -> Value:
    return block.builder.select(block.builder.icmp_signed("<", a, b), a, b)


_WHOLE: dict[str, Callable[..., Value]] = {
    "add": lambda block, a, b: block.builder.add(a, b),
    "subtract": lambda block, a, b: block.builder.sub(a, b),
    "multiply": lambda block, a, b: block.builder.mul(a, b),
    "negative": lambda block, x: block.builder.neg(x),
    "square": lambda block, x: block.builder.mul(x, x),
    "maximum": _larger,
    "minimum": _smaller,
}
_ANY_KIND = ("where", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
_TRUTH = ("logical_and", "logical_or", "logical_xor", "logical_not", *_ANY_KIND[:3])


def unsupported_operation(node: Node) -> str | None:
    """Why an elementwise node cannot be compiled, or None if it can."""
    name = node.primitive.name
    if name not in RULES:
        return name
    if name == "cast":
        return None
    if name.startswith("logical_") and any(operand.dtype.kind != "b" for operand in node.inputs):
        return f"{name} of numbers"
    kinds = {operand.dtype.kind for operand in node.inputs if operand.dtype.kind != "b"}
    if kinds == {"i"} and (name in _WHOLE or name in _ANY_KIND):
        return None
    if not kinds and name not in _TRUTH:
        return f"{name} of truth values"
    if kinds - {"f"}:
        return f"{name} of whole numbers"
    return None


def operation(code: Code, node: Node, operands: list[Value]) -> Value:
    """The vector that a node makes of its operands' vectors."""
    name = node.primitive.name
    if node.inputs[-1].dtype.kind == "i" and name in _WHOLE:
        return _WHOLE[name](code.block, *operands)
    if name == "cast":
        before, after = node.inputs[0].dtype, node.dtype
        if before.kind == "f" and after.kind in "iu":
            return _whole_part(code, operands[0], after)
        if before.kind in "iu" and after.kind in "iu":
            return _resized(code, operands[0], before, after)
    representation: Any = _Plain(code.block)
    return RULES[name](representation, node, operands)


def combination(name: str, dtype: np.dtype[Any]) -> tuple[Callable[..., Value], float]:
    """What a reduction combines two vectors by, and the number that changes nothing."""
    infinity = float("inf") if dtype.kind == "f" else 2 ** (8 * dtype.itemsize - 1) - 1
    primitive, neutral = {
        "sum": ("add", -0.0 if dtype.kind == "f" else 0),
        "prod": ("multiply", 1),
        "max": ("maximum", -infinity),
        "min": ("minimum", infinity),
    }[name]
    if dtype.kind == "i":
        return _WHOLE[primitive], neutral

    def combine(block: Block, a: Value, b: Value) -> Value:
        representation: Any = _Plain(block)
        node: Any = None  # these rules ask nothing of the node
        return RULES[primitive](representation, node, [a, b])

    return combine, neutral


def converted(code: Code, x: Value, before: np.dtype[Any], after: np.dtype[Any]) -> Value:
    """A vector of whole numbers or truth values as wider whole numbers."""
    if before.kind == "b":
        return code.builder.zext(x, vector_type(after, x.type.count))
    return _resized(code, x, before, after) if before.kind in "iu" else x


def _resized(code: Code, x: Value, before: np.dtype[Any], after: np.dtype[Any]) -> Value:
    kind = vector_type(after, x.type.count)
    if before.itemsize == after.itemsize:
        return x
    if before.itemsize > after.itemsize:
        return code.builder.trunc(x, kind)
    return code.builder.sext(x, kind) if before.kind == "i" else code.builder.zext(x, kind)


def _whole_part(code: Code, x: Value, after: np.dtype[Any]) -> Value:
    """Towards zero; beyond the range, or of what is no number, some whole number."""
    # A plain conversion would leave those undefined, and an index must never be that.
    kind = vector_type(after, x.type.count)
    sign = "s" if after.kind == "i" else "u"
    floats = "f64" if str(x.type.element) == "double" else "f32"
    count = x.type.count
    name = f"llvm.fpto{sign}i.sat.v{count}i{8 * after.itemsize}.v{count}{floats}"
    return code.block.call(name, kind, x)
