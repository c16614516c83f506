"""Functions that NumPy lacks, of plain arrays and of traced ones alike.

The layers, losses and activations of this package use these in place of those of scipy.special,
whose import takes longer than many a training run.
"""

# Traced values and arrays stand beside each other here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import Primitive
from chainrule.tracer.arrays import bind, entered
from chainrule.tracer.operands import as_dtype, as_traced, axes_of, common_dtype, is_traced

__all__ = ["erf", "expit", "log_softmax", "softmax", "xlogy"]


def expit(x: Any) -> Any:
    """The logistic sigmoid, elementwise.

    >>> float(expit(0.0))
    0.5
    """
    return _apply(p.expit, x)


def erf(x: Any) -> Any:
    """The error function, elementwise."""
    return _apply(p.erf, x)


def xlogy(a: Any, b: Any) -> Any:
    """The first input times the logarithm of the second, elementwise; 0 where the first is 0."""
    return _apply(p.xlogy, a, b)


def softmax(x: Any, axis: Any = None) -> Any:
    """The softmax over axes, or over all of them."""
    return _apply(p.softmax, x, axis=axes_of(axis, np.ndim(x)))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of the softmax over axes, or over all of them."""
    return _apply(p.log_softmax, x, axis=axes_of(axis, np.ndim(x)))


def _apply(primitive: Primitive, *operands: Any, **attributes: Any) -> Any:
    if not any(map(is_traced, operands)):
        return primitive.value(*map(np.asarray, operands), **attributes)
    return entered(_record, primitive, *operands, **attributes)


def _record(primitive: Primitive, *operands: Any, **attributes: Any) -> Any:
    arrays = [as_traced(x) for x in operands]
    dtype = common_dtype(*arrays)
    if dtype.kind != "f":
        dtype = np.dtype("float64")
    return bind(primitive, *(as_dtype(x, dtype) for x in arrays), **attributes)
