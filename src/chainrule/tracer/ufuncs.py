"""NumPy's universal functions and the methods they have: call, reduce, accumulate, outer, at."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.graph import Primitive, registry
from chainrule.tracer.alternatives import MADE_INSIDE, alternative
from chainrule.tracer.arrays import (
    FUNCTIONS,
    UFUNCS,
    TracedArray,
    bind,
    entered,
    unsupported,
    without_tracing,
)
from chainrule.tracer.leaks import keeps
from chainrule.tracer.operands import as_dtype, as_traced, is_traced, python_type

__all__ = ["call", "store"]

_BY_UFUNC: dict[Any, Primitive] = {
    each.ufunc: each for each in registry.values() if each.ufunc is not None
}
_BY_SPECIAL: dict[str, Primitive] = {
    each.special: each for each in registry.values() if each.special is not None
}
_ALIASES: dict[Any, Primitive] = {
    np.fabs: p.absolute,
    np.bitwise_and: p.logical_and,
    np.bitwise_or: p.logical_or,
    np.bitwise_xor: p.logical_xor,
    np.invert: p.logical_not,
}
_LOGICAL = {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}


def call(
    ufunc: Any,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: str = "same_kind",
    **others: Any,
) -> TracedArray:
    """A universal function called on operands of which at least one is traced."""
    if others:
        raise unsupported(f"np.{ufunc.__name__}(…, {next(iter(others))}=…)", "Leave it out.")
    if len(inputs) > ufunc.nin:
        out, inputs = inputs[ufunc.nin :], inputs[: ufunc.nin]
    target = out[0] if isinstance(out, tuple) else out
    wanted = np.dtype(dtype) if dtype is not None else None
    if target is None and where is not True:
        raise unsupported(
            f"{_name(ufunc)}(…, where=…) without out=",
            "Elements left out have no value: use np.where(condition, …, …).",
        )
    operands = tuple(as_traced(x) for x in inputs)
    if where is not True:
        # Where the ufunc is not to be computed it must not be: 0/0 is why people write where=.
        operands = tuple(
            FUNCTIONS[np.where](where, x, x.dtype.type(1)) if x.dtype.kind != "b" else x
            for x in operands
        )
    result = _apply(ufunc, operands, wanted)
    if target is None:
        return result
    if where is not True:
        result = FUNCTIONS[np.where](where, result, target)
    return store(target, result, f"{_name(ufunc)}(…, out=…)", casting)


def store(target: Any, result: TracedArray, how: str, casting: Any = "same_kind") -> TracedArray:
    """Write a result into an array in place, as NumPy's ``out=`` and in-place operators do."""
    if not is_traced(target):
        raise unsupported(
            f"{how} into a plain array",
            f"The trace has not seen the array being made. {MADE_INSIDE}",
        )
    if not isinstance(target.value, np.ndarray):
        return result
    np.copyto(target.value, result.value, casting=casting)
    content = as_dtype(result, target.dtype)
    if content.shape != target.shape:
        content = bind(p.broadcast_to, content, shape=target.shape)
    target.write(content.node)
    return target


def _apply(ufunc: Any, operands: tuple[TracedArray, ...], dtype: Any) -> TracedArray:
    if ufunc in (np.positive, np.conjugate):
        return FUNCTIONS[np.copy](operands[0])
    special = _special_name(ufunc)
    composed = _COMPOSED.get(ufunc) or _COMPOSED_SPECIAL.get(special)
    if composed is not None:
        return composed(*operands)
    primitive = _BY_UFUNC.get(ufunc) or _ALIASES.get(ufunc) or _BY_SPECIAL.get(special)
    if ufunc is np.float_power:
        primitive, dtype = p.power, np.dtype("float64")
    if primitive is None or (ufunc in _ALIASES and ufunc is not np.fabs and not _boolean(operands)):
        plain = without_tracing(operands)
        if plain is not None:
            return as_traced(ufunc(*plain))
        raise unsupported(f"{_name(ufunc)}", alternative(ufunc.__name__))
    if ufunc not in _LOGICAL:
        operands = _promote(ufunc, operands, dtype)
    else:
        operands = tuple(_as_truth(x) for x in operands)
    return bind(primitive, *operands)


def _isinf(x: TracedArray) -> TracedArray:
    return call(np.logical_not, call(np.logical_or, call(np.isnan, x), call(np.isfinite, x)))


def _trunc(x: TracedArray) -> TracedArray:
    if x.dtype.kind != "f":
        return call(np.positive, x)
    return FUNCTIONS[np.where](call(np.less, x, 0), call(np.ceil, x), call(np.floor, x))


def _times_quotient(above: float, below: float) -> Any:
    def scaled(x: TracedArray) -> TracedArray:
        real = _real(x)
        number = real.dtype.type
        return call(np.multiply, real, number(above) / number(below))

    return scaled


def _real(x: TracedArray) -> TracedArray:
    return x if x.dtype.kind == "f" else as_dtype(x, np.dtype("float64"))


def _vecdot(a: TracedArray, b: TracedArray) -> TracedArray:
    a, b = FUNCTIONS[np.broadcast_arrays](a, b)
    product = FUNCTIONS[np.matmul](a[..., None, :], b[..., :, None])
    return product[..., 0, 0]


_COMPOSED: dict[Any, Any] = {
    np.isinf: _isinf,
    np.trunc: _trunc,
    np.matmul: lambda a, b: FUNCTIONS[np.matmul](a, b),
    np.deg2rad: _times_quotient(np.pi, 180),
    np.radians: _times_quotient(np.pi, 180),
    np.rad2deg: _times_quotient(180, np.pi),
    np.degrees: _times_quotient(180, np.pi),
    np.vecdot: _vecdot,
}
if hasattr(np, "matvec"):  # NumPy 2.2
    _COMPOSED[np.matvec] = lambda a, b: FUNCTIONS[np.matmul](a, b[..., :, None])[..., 0]
    _COMPOSED[np.vecmat] = lambda a, b: FUNCTIONS[np.matmul](a[..., None, :], b)[..., 0, :]


_COMPOSED_SPECIAL: dict[Any, Any] = {
    "log1p": lambda x: call(np.log1p, x),
    "expm1": lambda x: call(np.expm1, x),
    "log_expit": lambda x: call(np.negative, call(np.logaddexp, call(np.negative, x), 0)),
    "logit": lambda x: call(np.log, call(np.divide, x, call(np.subtract, 1, x))),
}


def _special_name(ufunc: Any) -> str:
    """The name of a ufunc of scipy.special, and "" for any other.

    SciPy is not imported to find out: a program that holds one of its ufuncs has done so.
    """
    special = sys.modules.get("scipy.special")
    name: str = ufunc.__name__
    return name if special is not None and getattr(special, name, None) is ufunc else ""


def _name(ufunc: Any) -> str:
    if getattr(np, ufunc.__name__, None) is ufunc:
        return f"np.{ufunc.__name__}"
    return f"scipy.special.{ufunc.__name__}" if _special_name(ufunc) else ufunc.__name__


def _boolean(operands: tuple[TracedArray, ...]) -> bool:
    return all(x.dtype.kind == "b" for x in operands)


def _as_truth(x: TracedArray) -> TracedArray:
    return x if x.dtype.kind == "b" else call(np.not_equal, x, 0)


def _promote(
    ufunc: Any, operands: tuple[TracedArray, ...], dtype: np.dtype[Any] | None
) -> tuple[TracedArray, ...]:
    """The operands in the dtypes that the ufunc's loop takes."""
    if dtype is not None:
        return tuple(as_dtype(x, dtype) for x in operands)
    # A Python number beside arrays takes their dtype; alone it has its own.
    alone = all(x.weak for x in operands)
    asked = tuple([python_type(x) if x.weak and not alone else x.dtype for x in operands])
    loop = _loop(ufunc, asked)
    return tuple([as_dtype(x, wanted) for x, wanted in zip(operands, loop, strict=False)])


@functools.lru_cache(maxsize=1024)
def _loop(ufunc: Any, asked: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the loop that a ufunc takes for operands of some dtypes."""
    return ufunc.resolve_dtypes((*asked, *(None,) * ufunc.nout))


def _reduce(
    ufunc: Any,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    **others: Any,
) -> TracedArray:
    functions = {
        np.add: np.sum,
        np.multiply: np.prod,
        np.maximum: np.max,
        np.minimum: np.min,
        np.logical_and: np.all,
        np.logical_or: np.any,
    }
    target = out[0] if isinstance(out, tuple) else out
    if ufunc not in functions:
        if ufunc not in _FOLDED or others or dtype is not None or target is not None:
            raise unsupported(f"{_name(ufunc)}.reduce", "Use np.sum, np.prod, np.max or np.min.")
        return FUNCTIONS["fold"](ufunc, x, axis, keepdims)
    settings = {"dtype": dtype, **others} if dtype is not None else others
    return FUNCTIONS[functions[ufunc]](x, axis=axis, out=target, keepdims=keepdims, **settings)


def _accumulate(ufunc: Any, x: Any, axis: int = 0, **others: Any) -> TracedArray:
    dtype, out = others.get("dtype"), others.get("out")
    if ufunc is np.add:
        return FUNCTIONS[np.cumsum](x, axis=axis, dtype=dtype, out=out)
    if ufunc not in (np.multiply, np.maximum, np.minimum, *_FOLDED) or out is not None:
        raise unsupported(f"{_name(ufunc)}.accumulate", "Use np.cumsum, or write the loop.")
    return FUNCTIONS["accumulate"](ufunc, x, axis, dtype)


_FOLDED = {np.logaddexp, np.subtract, np.divide, np.power}


def _outer(ufunc: Any, a: Any, b: Any, **settings: Any) -> TracedArray:
    left, right = as_traced(a), as_traced(b)
    column = FUNCTIONS[np.reshape](left, left.shape + (1,) * right.ndim)
    return call(ufunc, column, right, **settings)


def _at(ufunc: Any, target: Any, index: Any, value: Any = None) -> None:
    if ufunc not in (np.add, np.subtract):
        raise unsupported(f"np.{ufunc.__name__}.at", "Use np.add.at, or x[index] = value.")
    if not is_traced(target):
        store(target, as_traced(value), f"np.{ufunc.__name__}.at")
    part = target[index]
    added = as_dtype(as_traced(value), target.dtype)
    if added.shape != part.shape:
        added = bind(p.broadcast_to, added, shape=part.shape)
    inputs, attributes = FUNCTIONS["index"](target, index)
    spread = bind(p.embed, added, *inputs, **{**attributes, "shape": target.shape})
    store(target, call(ufunc, target, spread), f"np.{ufunc.__name__}.at")


def _refuse_reduceat(ufunc: Any, *_: Any, **__: Any) -> TracedArray:
    raise unsupported(f"np.{ufunc.__name__}.reduceat", "Sum slices, or use a matrix product.")


UFUNCS.update(
    {
        "__call__": call,
        "reduce": _reduce,
        "accumulate": _accumulate,
        "outer": _outer,
        "at": _at,
        "reduceat": _refuse_reduceat,
    }
)


def _operate(ufunc: Any, *operands: Any) -> TracedArray:
    result = call(ufunc, *operands)
    if all(type(x) in (bool, int, float) or (is_traced(x) and x.weak) for x in operands):
        result.weak = True  # Python's operators of Python's numbers give Python's numbers
    return result


def _power(base: Any, exponent: Any) -> Any:
    # NumPy's operator takes these exponents by quicker functions (numpy/_core, number.c).
    quick = {2: np.square, 1: np.positive, 0.5: np.sqrt, -1: np.reciprocal}
    if type(exponent) in (int, float) and is_traced(base) and base.dtype.kind == "f":
        if exponent in quick:
            return _operate(quick[exponent], base)
        if exponent == 0 and not base.weak:
            return FUNCTIONS[np.ones_like](base)
    return _operate(np.power, base, exponent)


def _divided(a: Any, b: Any) -> tuple[Any, Any]:
    """What ``//`` and ``%`` give, where a program is followed as it is; else they are refused."""
    if not keeps():
        raise unsupported("//, % and divmod", "Use np.floor(x / n) and x - n * np.floor(x / n).")
    whole = _operate(np.floor, _operate(np.divide, a, b))
    return whole, _operate(np.subtract, a, _operate(np.multiply, b, whole))


_OPERATORS: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "matmul": np.matmul,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_COMPARISONS: dict[str, Any] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


def _give_operators() -> None:
    """Give `TracedArray` its operators, each from the ufunc that NumPy uses for it."""

    def forward(ufunc: Any) -> Any:
        return lambda self, other: entered(_operate, ufunc, self, other)

    def backward(ufunc: Any) -> Any:
        return lambda self, other: entered(_operate, ufunc, other, self)

    def in_place(compute: Any, symbol: str) -> Any:
        def change(self: TracedArray, other: Any) -> TracedArray:
            return store(self, compute(self, other), f"{symbol}=")

        return lambda self, other: entered(change, self, other)

    for name, ufunc in _OPERATORS.items():
        setattr(TracedArray, f"__{name}__", forward(ufunc))
        setattr(TracedArray, f"__r{name}__", backward(ufunc))
        setattr(TracedArray, f"__i{name}__", in_place(forward(ufunc), name))
    for name, ufunc in _COMPARISONS.items():
        setattr(TracedArray, f"__{name}__", forward(ufunc))
    for name, ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
        setattr(
            TracedArray, f"__{name}__", lambda self, ufunc=ufunc: entered(_operate, ufunc, self)
        )
    others: dict[str, Any] = {
        "__pos__": lambda self: FUNCTIONS[np.copy](self),
        "__pow__": lambda self, other: entered(_power, self, other),
        "__rpow__": lambda self, base: entered(_operate, np.power, base, self),
        "__ipow__": in_place(_power, "**"),
    }
    for name, operator in others.items():
        setattr(TracedArray, name, operator)
    divisions: dict[str, Callable[[Any, Any], Any]] = {
        "floordiv": lambda a, b: _divided(a, b)[0],
        "mod": lambda a, b: _divided(a, b)[1],
        "divmod": _divided,
    }
    for name, divide in divisions.items():
        setattr(TracedArray, f"__{name}__", lambda a, b, divide=divide: entered(divide, a, b))
        setattr(TracedArray, f"__r{name}__", lambda b, a, divide=divide: entered(divide, a, b))


_give_operators()
