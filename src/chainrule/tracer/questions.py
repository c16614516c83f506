"""NumPy's functions that ask something of an array other than its values."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tracer.arrays import TracedArray, traces
from chainrule.tracer.operands import as_traced, is_traced

__all__: list[str] = []


@traces(np.shape)
def shape_of(a: Any) -> tuple[int, ...]:
    return as_traced(a).shape


@traces(np.ndim)
def ndim_of(a: Any) -> int:
    return as_traced(a).ndim


@traces(np.size)
def size_of(a: Any, axis: Any = None) -> int:
    array = as_traced(a)
    return array.size if axis is None else array.shape[axis]


@traces(np.result_type)
def result_type(*arrays: Any) -> np.dtype[Any]:
    return np.result_type(*(each.value if is_traced(each) else each for each in arrays))


@traces(np.real)
def real(val: Any) -> TracedArray:
    return as_traced(val)


@traces(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return False


@traces(np.may_share_memory, np.shares_memory)
def may_share_memory(a: Any, b: Any, max_work: Any = 0) -> bool:
    return np.may_share_memory(as_traced(a).value, as_traced(b).value)
