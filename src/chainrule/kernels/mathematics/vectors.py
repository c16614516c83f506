"""Vectors of one block with operators, so that a function reads like its formula.

Nothing is rounded once that is written as two operations: ``a * b + c`` is a product and a sum,
and only ``fma(a, b, c)`` is one instruction.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.kernels.block import Block

__all__ = ["DOUBLE", "SINGLE", "Format", "Vector", "fma", "function", "polynomial", "where"]

Value = Any


@dataclass(frozen=True)
class Format:
    """A floating-point format."""

    name: str
    bits: int
    fraction: int
    """How many bits the fraction has."""
    bias: int

    @property
    def magic(self) -> float:
        """A number so large that adding it rounds to a whole one, left in the lowest bits."""
        return 1.5 * 2.0**self.fraction

    @property
    def tiny(self) -> float:
        """Half a unit in the last place of 1: where 1 + x is 1."""
        return 2.0 ** (-self.fraction - 1)

    @property
    def sign(self) -> int:
        """The bits of −0."""
        return -(1 << (self.bits - 1))

    def bits_of(self, number: float) -> int:
        """The bits of the nearest float, as a whole number."""
        return int(np.array(number, self.name).view(f"int{self.bits}"))


DOUBLE = Format("float64", 64, 52, 1023)
SINGLE = Format("float32", 32, 23, 127)


@dataclass(frozen=True, eq=False)
class Vector:
    """A vector: of floats, of whole numbers as wide as they are, or of truth values."""

    block: Block
    value: Value

    @property
    def format(self) -> Format:
        """The format of floats, or that of the floats with as many bits."""
        element = self.value.type.element
        wide = isinstance(element, ir.DoubleType) or getattr(element, "width", 32) == 64
        return DOUBLE if wide else SINGLE

    def of(self, number: float | Vector) -> Vector:
        """A number in every lane; a vector as it is."""
        if isinstance(number, Vector):
            return number
        return Vector(self.block, self.block.number(self.value, number))

    def _binary(self, name: str, other: float | Vector) -> Vector:
        made = getattr(self.block.builder, name)(self.value, self.of(other).value)
        return Vector(self.block, made)

    def __add__(self, other: float | Vector) -> Vector:
        return self._binary("add" if self._whole else "fadd", other)

    def __sub__(self, other: float | Vector) -> Vector:
        return self._binary("sub" if self._whole else "fsub", other)

    def __rsub__(self, other: float) -> Vector:
        return self.of(other) - self

    def __mul__(self, other: float | Vector) -> Vector:
        return self._binary("fmul", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: float | Vector) -> Vector:
        return self._binary("fdiv", other)

    def __rtruediv__(self, other: float) -> Vector:
        return self.of(other) / self

    def __neg__(self) -> Vector:
        return Vector(self.block, self.block.builder.fneg(self.value))

    def __abs__(self) -> Vector:
        return self.intrinsic("fabs")

    def __and__(self, other: int | Vector) -> Vector:
        return self._binary("and_", other)

    def __or__(self, other: int | Vector) -> Vector:
        return self._binary("or_", other)

    def __xor__(self, other: int | Vector) -> Vector:
        return self._binary("xor", other)

    def __invert__(self) -> Vector:
        return Vector(self.block, self.block.builder.not_(self.value))

    def __lshift__(self, count: int) -> Vector:
        return self._binary("shl", count)

    def __rshift__(self, count: int) -> Vector:
        """Zeros come from the left."""
        return self._binary("lshr", count)

    def _compare(self, sign: str, other: float | Vector) -> Vector:
        builder = self.block.builder
        compare = builder.icmp_signed if self._whole else builder.fcmp_ordered
        return Vector(self.block, compare(sign, self.value, self.of(other).value))

    def __lt__(self, other: float | Vector) -> Vector:
        return self._compare("<", other)

    def __gt__(self, other: float | Vector) -> Vector:
        return self._compare(">", other)

    def equals(self, other: float | Vector) -> Vector:
        """Where both are the same number."""
        return self._compare("==", other)

    @property
    def is_nan(self) -> Vector:
        """Where it is not a number."""
        made = self.block.builder.fcmp_unordered("uno", self.value, self.value)
        return Vector(self.block, made)

    @property
    def bits(self) -> Vector:
        """The same bits as whole numbers."""
        return Vector(self.block, self.block.bits(self.value))

    @property
    def floats(self) -> Vector:
        """The same bits as floating-point numbers."""
        return Vector(self.block, self.block.floats(self.value))

    @property
    def rounded(self) -> Vector:
        """The nearest whole number, halves to the even one."""
        return self.intrinsic("rint")

    @property
    def _whole(self) -> bool:
        return isinstance(self.value.type.element, ir.IntType)

    def intrinsic(self, name: str, *others: Vector) -> Vector:
        """A call of ``llvm.<name>``."""
        values = [other.value for other in others]
        return Vector(self.block, self.block.intrinsic(name, self.value, *values))

    def with_sign(self, other: Vector) -> Vector:
        """The same size with the sign of another."""
        return self.intrinsic("copysign", other)

    def as_double(self) -> Vector:
        """The same numbers in double precision."""
        kind = ir.VectorType(ir.DoubleType(), self.value.type.count)
        return Vector(self.block, self.block.builder.fpext(self.value, kind))

    def as_single(self) -> Vector:
        """The nearest numbers in single precision."""
        kind = ir.VectorType(ir.FloatType(), self.value.type.count)
        return Vector(self.block, self.block.builder.fptrunc(self.value, kind))


def fma(a: Vector, b: float | Vector, c: float | Vector) -> Vector:
    """The product a · b plus c with one rounding."""
    return a.intrinsic("fma", a.of(b), a.of(c))


def where(condition: Vector, a: float | Vector, b: float | Vector) -> Vector:
    """Lane by lane a or b, at least one of which is a vector."""
    like = a if isinstance(a, Vector) else b
    assert isinstance(like, Vector)
    made = condition.block.builder.select(condition.value, like.of(a).value, like.of(b).value)
    return Vector(condition.block, made)


def polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """A polynomial by Estrin's scheme, in which few operations wait for one another."""
    terms = [x.of(coefficient) for coefficient in coefficients]
    power = x
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        odd = terms[-1:] if len(terms) % 2 else []
        terms = [fma(high, power, low) for low, high in pairs] + odd
        power = power * power if len(terms) > 1 else power
    return terms[0]


def function(compute: Callable[..., Vector]) -> Callable[..., Value]:
    """A function of vectors as one of a block and LLVM's values."""

    @functools.wraps(compute)
    def emit(block: Block, *values: Value) -> Value:
        return compute(*(Vector(block, value) for value in values)).value

    return emit
