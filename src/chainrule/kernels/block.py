"""A stretch of LLVM code under construction: vectors, numbers, intrinsics.

Every value is a vector, of one element where need be, so that one rule serves any width. Nothing
here lets LLVM reassociate: a product and a sum become one ``fma`` only where that is said.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from llvmlite import ir

__all__ = ["Block", "element_type", "vector_type"]

Value = Any
_INT32 = ir.IntType(32)


def element_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type of one element: float and double as they are, truth values as one byte."""
    if dtype.kind == "f":
        return ir.DoubleType() if dtype.itemsize == 8 else ir.FloatType()
    return ir.IntType(8 * dtype.itemsize)


@cache
def vector_type(dtype: np.dtype[Any], width: int) -> Any:
    """LLVM's type of ``width`` elements."""
    return ir.VectorType(element_type(dtype), width)


class Block:
    """Instructions being added to one basic block of a function."""

    def __init__(self, module: Any, builder: Any) -> None:
        self.module = module
        self.builder = builder

    def number(self, like: Value, value: float) -> Value:
        """A constant vector like another, with one number everywhere."""
        kind = like.type if hasattr(like, "type") else like
        # Minus zero is another number than zero, though the two are equal.
        return _everywhere(kind.element, kind.count, value, str(value))

    def numbers(self, kind: Any, values: Sequence[float]) -> Value:
        """A constant vector with a number for each element."""
        integral = isinstance(kind.element, ir.IntType)
        return ir.Constant(
            kind, [int(value) if integral else _exact(kind, value) for value in values]
        )

    def intrinsic(self, name: str, *operands: Value, suffix: str | None = None) -> Value:
        """A call of ``llvm.<name>`` on vectors of one type, such as ``fma`` or ``sqrt``."""
        kind = operands[0].type
        full = f"llvm.{name}.{suffix or _mangled(kind)}"
        return self.call(full, kind, *operands)

    def call(self, name: str, result: Any, *operands: Value) -> Value:
        """A call of a function by its name, declared when first called."""
        declared = self.module.globals.get(name)
        if declared is None:
            signature = ir.FunctionType(result, [operand.type for operand in operands])
            declared = ir.Function(self.module, signature, name)
        return self.builder.call(declared, operands)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """A · b + c with one rounding."""
        return self.intrinsic("fma", a, b, c)

    def shuffle(self, vector: Value, positions: Any) -> Value:
        """The vector whose element i is element ``positions[i]`` of another."""
        mask = [int(position) for position in np.ravel(positions)]
        if mask == list(range(vector.type.count)):
            return vector
        return self.builder.shuffle_vector(
            vector,
            ir.Constant(vector.type, ir.Undefined),
            ir.Constant(ir.VectorType(_INT32, len(mask)), mask),
        )

    def join(self, first: Value, second: Value, positions: Any) -> Value:
        """A vector picked from two of one type, whose elements are counted one after the other."""
        mask = [int(position) for position in np.ravel(positions)]
        return self.builder.shuffle_vector(
            first, second, ir.Constant(ir.VectorType(_INT32, len(mask)), mask)
        )

    def bits(self, vector: Value) -> Value:
        """The same bits as whole numbers."""
        width = 64 if isinstance(vector.type.element, ir.DoubleType) else 32
        return self.builder.bitcast(vector, ir.VectorType(ir.IntType(width), vector.type.count))

    def floats(self, vector: Value) -> Value:
        """The same bits as floating-point numbers."""
        element = ir.DoubleType() if vector.type.element.width == 64 else ir.FloatType()
        return self.builder.bitcast(vector, ir.VectorType(element, vector.type.count))


@lru_cache(4096)
def _everywhere(element: Any, count: int, value: float, _: str) -> Value:
    """A constant vector, which is made once: it is long to write."""
    kind = ir.VectorType(element, count)
    integral = isinstance(element, ir.IntType)
    return ir.Constant(kind, [int(value) if integral else _exact(kind, value)] * count)


def _exact(kind: Any, value: float) -> float:
    """A number as LLVM prints it: in single precision it must be one already."""
    return float(np.float32(value)) if isinstance(kind.element, ir.FloatType) else float(value)


def _mangled(kind: Any) -> str:
    element = kind.element
    if isinstance(element, ir.DoubleType):
        name = "f64"
    elif isinstance(element, ir.FloatType):
        name = "f32"
    else:
        name = f"i{element.width}"
    return f"v{kind.count}{name}"
