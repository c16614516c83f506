"""Anything that stands in a traced expression as a traced array, and NumPy's dtype rules."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import primitives as p
from chainrule.graph import constant
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, unsupported
from chainrule.tracer.leaks import keeps

__all__ = [
    "as_dtype",
    "as_traced",
    "axes_of",
    "axis_of",
    "check_dtype",
    "common_dtype",
    "contains_traced",
    "is_masked",
    "is_traced",
    "plain_array",
    "python_type",
]

_KINDS = "biuf"


_as_array = np.asarray  # NumPy's own, which looks for no traced values


def is_traced(value: Any) -> bool:
    """Whether a value is a traced array."""
    return type(value) is TracedArray


def as_traced(value: Any) -> TracedArray:
    """A value as a traced array; what is not traced becomes a constant."""
    if is_traced(value):
        return value
    weak = type(value) in (int, float)  # a Python bool has NumPy's dtype
    if isinstance(value, list | tuple) and contains_traced(value):
        return _stack_nested(value)
    array = plain_array(value, "A value beside traced ones")
    node = constant(array)
    node.source = here()
    node.without_name()
    return TracedArray(array if isinstance(value, np.ndarray) else array[()], node, weak=weak)


def plain_array(value: Any, what: str) -> NDArray[Any]:
    """A value as a plain array of numbers; refuses what is an array by other rules than NumPy's."""
    if isinstance(value, np.matrix):
        raise unsupported(
            f"{what} that is a np.matrix, where * is the matrix product,",
            "Convert it with np.asarray and write @ for products.",
        )
    if is_masked(value):
        raise unsupported(f"{what} that is a masked array", "Fill it and pass the mask beside it.")
    if hasattr(value, "to_numpy") and not keeps():
        library = type(value).__module__.partition(".")[0]
        raise unsupported(
            f"{what} that is a {library} {type(value).__name__}",
            "Pass its numbers: .to_numpy().",
        )
    array = _as_array(value)
    check_dtype(array.dtype, what)
    return array


def is_masked(value: Any) -> bool:
    """Whether a value is a masked array, without importing what nobody has imported: numpy.ma."""
    masked: Any = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(value, masked.MaskedArray)


def check_dtype(dtype: np.dtype[Any], what: str) -> None:
    """Refuse what is neither boolean, whole nor single or double precision."""
    if dtype.kind == "c":
        raise unsupported(
            f"{what} of dtype {dtype}",
            "Gradients here are of real functions: pass real and imaginary parts separately.",
        )
    if dtype.kind not in _KINDS:
        raise unsupported(f"{what} of dtype {dtype}", "Use numbers: float64 or float32.")
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        raise unsupported(f"{what} of dtype {dtype}", "Use .astype('float32') or 'float64'.")


def contains_traced(value: Any) -> bool:
    """Whether a value is traced, or a list or tuple that holds a traced one at any depth."""
    kind = type(value)
    return kind is TracedArray or (
        (kind is list or kind is tuple) and any(map(contains_traced, value))
    )


def _stack_nested(value: Any) -> TracedArray:
    # Within an array Python's numbers have dtypes of their own; they give way only in arithmetic.
    parts = [as_traced(part) for part in value]
    dtype = np.result_type(*(part.dtype for part in parts))
    return FUNCTIONS[np.stack]([as_dtype(part, dtype) for part in parts])


def common_dtype(*operands: TracedArray) -> np.dtype[Any]:
    """The dtype that NumPy gives the operands together; Python numbers give way (NEP 50)."""
    return np.result_type(*(python_type(x)(0) if x.weak else x.dtype for x in operands))


def python_type(x: TracedArray) -> type:
    """The Python number type that a weak operand stands for."""
    return float if x.dtype.kind == "f" else int


def as_dtype(x: TracedArray, dtype: np.dtype[Any]) -> TracedArray:
    """A traced array in another dtype."""
    if x.dtype == dtype:
        return x
    if x.node.primitive.name == "constant":
        value = x.value.astype(dtype)
        node = constant(value)
        node.source = x.node.source
        return TracedArray(value, node.without_name())
    return bind(p.cast, x, dtype=np.dtype(dtype))


def axis_of(axis: Any, ndim: int) -> int:
    """One axis, counted from 0."""
    number = int(axis)
    if not -ndim <= number < ndim:
        raise np.exceptions.AxisError(number, ndim)
    return number % ndim


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction, in order, counted from 0; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, tuple | list):
        return (axis_of(axis, ndim),)
    axes = tuple(sorted(axis_of(each, ndim) for each in axis))  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes
