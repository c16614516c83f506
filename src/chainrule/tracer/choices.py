"""NumPy's functions that choose between values, element by element."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.tracer import leaks
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, traces, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, common_dtype
from chainrule.tracer.steering import nonzero
from chainrule.tracer.ufuncs import call, store

__all__ = ["where"]


@traces(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **more: Any) -> TracedArray:
    lower = a_min if a_min is not None else more.pop("min", None)
    upper = a_max if a_max is not None else more.pop("max", None)
    if more:
        raise unsupported(f"np.clip(…, {next(iter(more))}=…)", "Use np.where(condition, …, …).")
    result = as_traced(a)
    if lower is not None:
        result = call(np.maximum, result, lower)
    if upper is not None:
        result = call(np.minimum, result, upper)
    if result is a:
        result = FUNCTIONS[np.copy](result)
    return result if out is None else store(out, result, "np.clip(…, out=…)")


@traces(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None or y is None:
        return nonzero(condition)
    truth = as_traced(condition)
    if truth.dtype.kind != "b":
        truth = call(np.not_equal, truth, 0)
    a, b = as_traced(x), as_traced(y)
    dtype = common_dtype(a, b)
    return bind(p.where, truth, as_dtype(a, dtype), as_dtype(b, dtype))


@traces(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> TracedArray:
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            f"np.select: {len(condlist)} conditions and {len(choicelist)} choices "
            f"({here().describe()})"
        )
    choices = [as_traced(choice) for choice in (*choicelist, default)]
    dtype = common_dtype(*choices)
    result = as_dtype(choices[-1], dtype)
    for condition, choice in reversed(list(zip(condlist, choices[:-1], strict=True))):
        result = where(condition, as_dtype(choice, dtype), result)
    return result


@traces(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> TracedArray:
    given = as_traced(x)
    result = given
    if given.dtype.kind == "f":
        limits = np.finfo(given.dtype)
        high = limits.max if posinf is None else posinf
        low = limits.min if neginf is None else neginf
        dtype = given.dtype.type
        result = where(call(np.isnan, given), dtype(nan), result)
        result = where(call(np.equal, given, np.inf), dtype(high), result)
        result = where(call(np.equal, given, -np.inf), dtype(low), result)
    if not copy:
        return store(given, result, "np.nan_to_num(…, copy=False)")
    return FUNCTIONS[np.copy](result) if result is given else result


def _triangle(m: Any, k: int, upper: bool) -> TracedArray:
    array = as_traced(m)
    rows, columns = array.shape[-2:] if array.ndim > 1 else (array.size, array.size)
    mask = np.tri(rows, columns, k=k - 1 if upper else k, dtype=bool)
    zero = np.zeros((), array.dtype)
    return where(mask, zero, array) if upper else where(mask, array, zero)


@traces(np.tril)
def tril(m: Any, k: int = 0) -> TracedArray:
    return _triangle(m, k, upper=False)


@traces(np.triu)
def triu(m: Any, k: int = 0) -> TracedArray:
    return _triangle(m, k, upper=True)


@traces(np.isclose)
def isclose(
    a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False
) -> TracedArray:
    x, y = as_traced(a), as_traced(b)
    distance = call(np.absolute, call(np.subtract, x, y))
    bound = call(np.add, atol, call(np.multiply, rtol, call(np.absolute, y)))
    near = call(np.logical_and, call(np.less_equal, distance, bound), call(np.isfinite, y))
    near = call(np.logical_or, near, call(np.equal, x, y))
    if equal_nan:
        near = call(np.logical_or, near, call(np.logical_and, call(np.isnan, x), call(np.isnan, y)))
    return near


@traces(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    return leaks.truth(FUNCTIONS[np.all](isclose(a, b, rtol, atol, equal_nan)))


@traces(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    x, y = as_traced(a1), as_traced(a2)
    if x.shape != y.shape:
        return False
    same = call(np.equal, x, y)
    if equal_nan:
        same = call(np.logical_or, same, call(np.logical_and, call(np.isnan, x), call(np.isnan, y)))
    return leaks.truth(FUNCTIONS[np.all](same))
