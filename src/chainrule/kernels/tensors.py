"""How an array of known shape stands in registers: whole in one vector, or one vector an element.

`Whole` keeps an array as one vector of all its elements, in row-major order: a small network trains
with its samples and units side by side in the lanes. `Lanes` keeps one vector for each element,
with a network in each lane: thousands of networks train at once. The rules that turn primitives
into instructions are written once, over `take` and `map`, so both compute each number by the same
operations in the same order, to the last bit.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.kernels.block import Block, vector_type

__all__ = ["Lanes", "Representation", "Whole"]

Value = Any
Positions = NDArray[np.intp]
Rule = Callable[..., Any]
_BIT = ir.IntType(1)


def register_type(dtype: np.dtype[Any], width: int) -> Any:
    """The type of a vector of ``width`` elements in registers, where truth values are bits."""
    return ir.VectorType(_BIT, width) if dtype.kind == "b" else vector_type(dtype, width)


class Representation(Protocol):
    """What the rules need of a way to keep arrays."""

    block: Block

    def constant(self, array: NDArray[Any]) -> Value:
        """A constant array."""
        ...

    def take(self, value: Value, positions: Positions) -> Value:
        """The array whose element i is element ``positions[i]`` of another."""
        ...

    def pick(self, values: Sequence[Value], positions: Positions) -> Value:
        """An array picked from several, whose elements are counted one after the other."""
        ...

    def map(self, function: Rule, *values: Value) -> Value:
        """A function of vectors, applied to arrays of one size."""
        ...

    def size(self, value: Value) -> int:
        """How many elements an array has."""
        ...


class Whole:
    """Each array is one vector of all its elements."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def constant(self, array: NDArray[Any]) -> Value:
        """A constant array."""
        kind = register_type(array.dtype, array.size)
        return self.block.numbers(kind, array.ravel().tolist())

    def take(self, value: Value, positions: Positions) -> Value:
        """The array whose element i is element ``positions[i]`` of another."""
        return self.block.shuffle(value, positions)

    def pick(self, values: Sequence[Value], positions: Positions) -> Value:
        """An array picked from several, whose elements are counted one after the other."""
        joined = values[0]
        for value in values[1:]:
            joined = self._joined(joined, value)
        return self.block.shuffle(joined, positions)

    def _joined(self, first: Value, second: Value) -> Value:
        a, b = first.type.count, second.type.count
        width = max(a, b)
        # Both get one width: shufflevector takes operands of one type.
        first, second = (
            self.block.shuffle(value, np.minimum(np.arange(width), value.type.count - 1))
            for value in (first, second)
        )
        return self.block.join(first, second, [*range(a), *range(width, width + b)])

    def map(self, function: Rule, *values: Value) -> Value:
        """A function of vectors, applied to arrays of one size."""
        return function(self.block, *values)

    def size(self, value: Value) -> int:
        """How many elements an array has."""
        return value.type.count


class Lanes:
    """Each array is a list with one vector for each element; lane l is the l-th network's."""

    def __init__(self, block: Block, width: int) -> None:
        self.block = block
        self.width = width

    def constant(self, array: NDArray[Any]) -> Value:
        """A constant array, the same for every network."""
        kind = register_type(array.dtype, self.width)
        return [self.block.number(kind, value) for value in array.ravel().tolist()]

    def take(self, value: Value, positions: Positions) -> Value:
        """The array whose element i is element ``positions[i]`` of another."""
        return [value[position] for position in np.ravel(positions)]

    def pick(self, values: Sequence[Value], positions: Positions) -> Value:
        """An array picked from several, whose elements are counted one after the other."""
        joined = [element for value in values for element in value]
        return [joined[position] for position in np.ravel(positions)]

    def map(self, function: Rule, *values: Value) -> Value:
        """A function of vectors, applied to arrays of one size."""
        return [function(self.block, *elements) for elements in zip(*values, strict=True)]

    def size(self, value: Value) -> int:
        """How many elements an array has."""
        return len(value)
