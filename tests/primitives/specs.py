"""What each primitive is given in its tests, and how it is judged.

`SPECS` has one entry for each name in the registry; a test fails where one is missing. Shapes are
distinct and not square, so that a transpose, or one size taken for another, cannot hide. All
numbers drawn for a case are distinct, also between its inputs, so that no maximum is tied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.special

from chainrule.graph import registry
from chainrule.primitives.domains import Domain, positive, reals

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Input:
    """An input to draw with a shape, from a domain; or, where ``array`` is set, that array.

    An array of floating point takes the dtype of the case. Only drawn inputs are differentiated.
    """

    shape: tuple[int, ...] = ()
    domain: Domain | None = None
    array: Array | None = None


def real(*shape: int, domain: Domain | None = None) -> Input:
    """An input drawn from a domain, by default the primitive's own."""
    return Input(shape, domain)


def fixed(array: Any) -> Input:
    """An input that is given: a truth value, an index, a whole exponent."""
    return Input(array=np.asarray(array))


@dataclass(frozen=True)
class Case:
    """Inputs and attributes of one application; ``oracle`` where it is the case's own."""

    inputs: tuple[Input, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    oracle: Callable[..., Any] | None = None

    def __str__(self) -> str:
        shapes = (x.shape if x.array is None else x.array.shape for x in self.inputs)
        sizes = ",".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
        settings = "-".join(f"{v}".replace(" ", "") for v in self.attributes.values())
        return f"{sizes}-{settings}" if settings else sizes


@dataclass(frozen=True)
class Spec:
    """How a primitive is judged.

    ``oracle(*arrays, **attributes)`` is NumPy's or SciPy's own function, or a plain loop, and the
    value must be the same to the bit, or within ``ulps`` · ε · n · (1 + max |x|) for n elements:
    the roundings of a sum of n terms, and that of an exponent as large as x. With ``relative``
    that is a part of the value itself.

    ``method`` says how differences are taken: 'smooth', 'multilinear' (a central difference with
    step 1 is exact), 'piecewise' (linear between kinks), or None where there is no gradient.

    ``slack`` is how many units of rounding an element of a gradient may be off, for each element
    of the inputs; 8 covers the few operations of a rule. More has its reason beside it.

    ``alias`` allows the value to share memory with the input, as NumPy's views do.
    """

    oracle: Callable[..., Any]
    cases: tuple[Case, ...]
    method: str | None = "smooth"
    slack: float = 8
    ulps: float = 0
    relative: bool = False
    alias: bool = False


def draw(case: Case, name: str, dtype: Any, rng: np.random.Generator) -> list[Array]:
    """The arrays of a case. Drawn numbers are points of a jittered grid in random order."""
    count = sum(int(np.prod(x.shape)) for x in case.inputs if x.array is None)
    order = rng.permutation(count)
    jitter = rng.uniform(-0.3, 0.3, count)
    arrays: list[Array] = []
    for x in case.inputs:
        if x.array is not None:
            is_float = x.array.dtype.kind == "f"
            arrays.append(x.array.astype(dtype) if is_float else x.array.copy())
            continue
        size = int(np.prod(x.shape))
        places, order = order[:size], order[size:]
        domain = x.domain or registry[name].domain or reals
        # Fractions of the domain's length, without the stretch around 0 that its gap leaves out.
        at = (places + 0.5 + jitter[places]) / max(count, 1)
        values = domain.low + at * (domain.high - domain.low - 2 * domain.gap)
        values = np.where(values > -domain.gap, values + 2 * domain.gap, values)
        arrays.append(values.reshape(x.shape).astype(dtype))
    return arrays


# Elementwise primitives.

_UNARY = ((), (1,), (2, 5), (3, 1, 4), (0, 3))
_PAIRS = (
    ((), ()),
    ((2, 5), (2, 5)),
    ((3, 1), (4,)),
    ((), (2, 3)),
    ((2, 1, 3), (4, 1)),
    ((1,), ()),
    ((0, 3), (1, 3)),
)


def _unary(oracle: Any, domain: Domain | None = None, **judged: Any) -> Spec:
    return Spec(oracle, tuple(Case((real(*s, domain=domain),)) for s in _UNARY), **judged)


def _binary(
    oracle: Any,
    first: Domain | None = None,
    *extra: Case,
    second: Domain | None = None,
    **judged: Any,
) -> Spec:
    pairs = tuple(
        Case((real(*a, domain=first), real(*b, domain=second or first))) for a, b in _PAIRS
    )
    return Spec(oracle, pairs + extra, **judged)


def _logic(oracle: Any) -> Spec:
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    cases = (
        Case((fixed(a), fixed(b))),
        Case((fixed(a.reshape(2, 2)), fixed(np.True_))),
        Case((fixed(a[:0]), fixed(b[:0]))),
    )
    return Spec(oracle, cases, method=None)


_TIED = (
    Case((fixed([1.0, 2.0, 2.0, np.nan]), fixed([1.0, 2.0, 3.0, np.nan]))),
    Case((fixed([0.0, -0.0, np.inf]), fixed([-0.0, 0.0, -np.inf]))),
)


def _comparison(oracle: Any) -> Spec:
    return _binary(oracle, None, *_TIED, method=None)


_NOT_FINITE = Case((fixed([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310]),))
_CHOICE = np.array([[True, False, True], [False, False, True]])


# Reductions.


def _reductions(*shaped: tuple[tuple[int, ...], tuple[int, ...]], **more: Any) -> tuple[Case, ...]:
    return tuple(
        Case((real(*shape),), {"axis": axis, "keepdims": keepdims} | more)
        for shape, axis in shaped
        for keepdims in (False, True)
    )


_REDUCED = (
    ((), ()),
    ((4,), (0,)),
    ((2, 5), (0,)),
    ((2, 5), (1,)),
    ((2, 5), (0, 1)),
    ((2, 5), ()),
    ((2, 3, 4), (0, 2)),
    ((3, 1, 4), (1,)),
    ((0, 3), (1,)),
)


def _positions(oracle: Any) -> Spec:
    cases = tuple(
        Case((real(*shape),), {"axis": axis, "keepdims": keepdims})
        for shape, axis in (((4,), 0), ((2, 5), 0), ((2, 5), 1), ((2, 3, 4), 1), ((0, 3), 1))
        for keepdims in (False, True)
    )
    ties = Case((fixed([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]]),), {"axis": 1, "keepdims": False})
    return Spec(oracle, (*cases, ties), method=None)


_NORMALISED = tuple(Case((real(*shape),), {"axis": axis}) for shape, axis in _REDUCED)


def _logsumexp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    y = scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)
    return y if x.ndim else np.reshape(y, ())  # of a scalar and no axes, SciPy makes one element


# Indexing: the oracle is the index as NumPy writes it.


def template_of(index: tuple[Any, ...]) -> tuple[tuple[tuple[Any, ...], ...], tuple[Array, ...]]:
    """The template of an index that is written out in full, and the arrays in it."""
    template: list[tuple[Any, ...]] = []
    arrays: list[Array] = []
    for entry in index:
        if isinstance(entry, slice):
            template.append(("slice", entry.start, entry.stop, entry.step))
        elif entry is None:
            template.append(("newaxis",))
        elif isinstance(entry, int):
            template.append(("integer", entry))
        else:
            template.append(("array",))
            arrays.append(np.asarray(entry))
    return tuple(template), tuple(arrays)


_ALL = slice(None)
_MASK = np.array([[True, False, True], [False, True, True]])
INDICES: tuple[tuple[tuple[int, ...], tuple[Any, ...]], ...] = (
    ((), ()),
    ((), (None, None)),
    ((5,), (2,)),
    ((5,), (-1,)),
    ((5,), (slice(1, 4),)),
    ((5,), (slice(None, None, -1),)),
    ((7,), (slice(5, 0, -2),)),
    ((5,), (slice(3, 3),)),
    ((2, 5), (1,)),
    ((2, 5), (_ALL, slice(-2, None))),
    ((2, 5), (0, 3)),
    ((2, 5), (None, _ALL, None, slice(0, 5, 2))),
    ((2, 3, 4), (1, _ALL, slice(None, None, -3))),
    ((5,), (np.array([0, 2, 2, 4, 2]),)),
    ((5,), (np.array([[0, -1, 3], [3, 0, 0]]),)),
    ((5,), (np.array([], dtype=np.intp),)),
    ((4, 3), (np.array([0, 2, 0]), np.array([1, 1, 1]))),
    ((2, 3, 4), (_ALL, np.array([2, 0, 2, 2]))),
    ((2, 5, 3), (_ALL, np.array([[0, 4], [4, 1]]), slice(1, None))),
    ((2, 5, 3), (np.array([[0], [1]]), slice(4, 0, -2), np.array([0, 2, 2]))),
    ((4, 3), (1, np.array([2, 2, 0]))),
    ((5, 2), (np.array([True, False, True, True, False]),)),
    ((2, 3), (_MASK,)),
    ((2, 3, 4), (_MASK, slice(0, 4, 2))),
    ((2, 3), (np.zeros((2, 3), dtype=bool),)),
    ((2, 3, 4), (np.array([True, True]), _ALL, np.array([3, 3]))),
    ((0, 3), (_ALL, 1)),
)


def places_of(shape: tuple[int, ...], index: tuple[Any, ...]) -> Array:
    """The positions, counted in row-major order, of the elements that an index selects."""
    return np.asarray(np.arange(int(np.prod(shape))).reshape(shape)[index])


def _getitem(shape: tuple[int, ...], index: tuple[Any, ...]) -> Case:
    template, arrays = template_of(index)
    return Case(
        (real(*shape), *map(fixed, arrays)),
        {"template": template, "shape": places_of(shape, index).shape},
        lambda x, *_, **__: x[index],
    )


def _embed(shape: tuple[int, ...], index: tuple[Any, ...]) -> Case:
    template, arrays = template_of(index)
    places = places_of(shape, index)

    def loop(x: Array, *_: Any, **__: Any) -> Array:
        out = np.zeros(shape, x.dtype)
        for place, value in zip(places.flat, x.flat, strict=True):
            out.flat[place] += value
        return out

    inputs = (real(*places.shape), *map(fixed, arrays))
    return Case(inputs, {"template": template, "shape": shape}, loop)


def _setitem(shape: tuple[int, ...], index: tuple[Any, ...]) -> Case:
    template, arrays = template_of(index)
    places = places_of(shape, index)

    def loop(x: Array, value: Array, *_: Any, **__: Any) -> Array:
        out = np.array(x)
        for place, each in zip(places.flat, value.flat, strict=True):
            out.flat[place] = each
        return out

    inputs = (real(*shape), real(*places.shape), *map(fixed, arrays))
    return Case(inputs, {"template": template}, loop)


def _cases(*rows: tuple[tuple[tuple[int, ...], ...], dict[str, Any]]) -> tuple[Case, ...]:
    return tuple(Case(tuple(real(*s) for s in shapes), attributes) for shapes, attributes in rows)


_EINSUMS = (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("i,j->ij", (2,), (3,)),
    ("i,i->", (4,), (4,)),
    ("i,ij,j->", (2,), (2, 3), (3,)),
    ("ij,j,jk->ki", (2, 3), (3,), (3, 4)),
    ("ij,kl->ik", (2, 3), (4, 5)),
    ("ijk,kj->i", (2, 3, 4), (4, 3)),
    ("ij->ji", (2, 3)),
    ("ij->j", (2, 3)),
    ("ij->", (2, 3)),
    ("->", ()),
    (",i->i", (), (3,)),
    ("ij,jk->ik", (1, 3), (3, 1)),
    ("ij,jk->ik", (2, 0), (0, 3)),
)

SPECS: dict[str, Spec] = {
    "negative": _unary(np.negative, method="multilinear"),
    "square": _unary(np.square),
    "reciprocal": _unary(np.reciprocal),
    "absolute": _unary(np.absolute, method="piecewise"),
    "sign": _unary(np.sign, method=None),
    "floor": _unary(np.floor, method=None),
    "ceil": _unary(np.ceil, method=None),
    "rint": _unary(np.rint, method=None),
    "exp": _unary(np.exp),
    "exp2": _unary(np.exp2),
    # exp(x) = y + 1 cancels where y is near −1: at x = −3, by a factor 20.
    "expm1": _unary(np.expm1, slack=160),
    "log": _unary(np.log),
    "log2": _unary(np.log2),
    "log10": _unary(np.log10),
    "log1p": _unary(np.log1p, Domain(-0.8, 4.0), slack=40),  # 1 + x cancels at −0.8, by 5
    "sqrt": _unary(np.sqrt),
    "sin": _unary(np.sin),
    "cos": _unary(np.cos),
    "tan": _unary(np.tan),
    "sinh": _unary(np.sinh),
    "cosh": _unary(np.cosh),
    "tanh": _unary(np.tanh, slack=800),  # 1 − y² cancels at |x| = 3, by a factor 100
    "arctan": _unary(np.arctan),
    # 1 − y cancels at x = 3, by a factor 21. NumPy's exp and SciPy's may round differently.
    "expit": _unary(scipy.special.expit, slack=160, ulps=3, relative=True),
    "erf": _unary(scipy.special.erf, slack=72),  # exp(−x²): the rounding of x² counts 9-fold
    "add": _binary(np.add, method="multilinear"),
    "subtract": _binary(np.subtract, method="multilinear"),
    "multiply": _binary(np.multiply, method="multilinear"),
    "divide": _binary(np.divide),
    "power": _binary(
        np.power,
        positive,
        Case((real(2, 3, domain=reals), fixed([2.0, 3.0, 1.0]))),
        Case((real(3, domain=Domain(-3.0, -0.5)), fixed([-1.0, 0.0, 4.0]))),
        second=reals,
    ),
    "maximum": _binary(np.maximum, method="piecewise"),
    "minimum": _binary(np.minimum, method="piecewise"),
    "logaddexp": _binary(np.logaddexp, slack=48),  # expit(a − b), a − b up to 6
    "xlogy": _binary(scipy.special.xlogy, reals, second=positive),
    "greater": _comparison(np.greater),
    "greater_equal": _comparison(np.greater_equal),
    "less": _comparison(np.less),
    "less_equal": _comparison(np.less_equal),
    "equal": _comparison(np.equal),
    "not_equal": _comparison(np.not_equal),
    "isfinite": Spec(np.isfinite, (_NOT_FINITE, Case((real(2, 5),))), method=None),
    "isnan": Spec(np.isnan, (_NOT_FINITE, Case((real(2, 5),))), method=None),
    "logical_not": Spec(
        np.logical_not,
        (Case((fixed([True, False]),)), Case((fixed(_CHOICE),)), Case((fixed(np.True_),))),
        method=None,
    ),
    "logical_and": _logic(np.logical_and),
    "logical_or": _logic(np.logical_or),
    "logical_xor": _logic(np.logical_xor),
    "where": Spec(
        np.where,
        (
            Case((fixed(_CHOICE), real(2, 3), real(2, 3))),
            Case((fixed(_CHOICE), real(3), real(2, 1))),
            Case((fixed(_CHOICE[0]), real(), real(2, 1, 1))),
            Case((fixed(np.True_), real(), real())),
            Case((fixed(_CHOICE[:0]), real(0, 3), real(1))),
        ),
        method="multilinear",
    ),
    "sum": Spec(np.sum, _reductions(*_REDUCED, ((0, 3), (0,))), method="multilinear"),
    "prod": Spec(np.prod, _reductions(*_REDUCED, ((0, 3), (0,))), method="multilinear"),
    "max": Spec(np.max, _reductions(*_REDUCED), method="piecewise"),
    "min": Spec(np.min, _reductions(*_REDUCED), method="piecewise"),
    "cumsum": Spec(
        np.cumsum,
        tuple(
            Case((real(*shape),), {"axis": axis})
            for shape, axis in (((4,), 0), ((2, 5), 0), ((2, 5), 1), ((2, 3, 4), 1), ((0, 3), 0))
        ),
        method="multilinear",
    ),
    "argmax": _positions(np.argmax),
    "argmin": _positions(np.argmin),
    # SciPy sums the terms beside the largest one apart: neither is the exact value.
    "logsumexp": Spec(_logsumexp, _reductions(*_REDUCED), slack=16, ulps=1),
    "softmax": Spec(scipy.special.softmax, _NORMALISED, slack=16, ulps=1, relative=True),
    # exp(y), with y down to −8
    "log_softmax": Spec(scipy.special.log_softmax, _NORMALISED, slack=64, ulps=1),
    "matmul": Spec(
        np.matmul,
        _cases(
            (((2, 3), (3, 4)), {}),
            (((1, 3), (3, 1)), {}),
            (((3,), (3,)), {}),
            (((3,), (3, 4)), {}),
            (((2, 3), (3,)), {}),
            (((5, 2, 3), (5, 3, 4)), {}),
            (((2, 1, 2, 3), (2, 1, 3, 4)), {}),
            (((0, 3), (3, 2)), {}),
            (((2, 0), (0, 3)), {}),
            (((0,), (0,)), {}),
        ),
        method="multilinear",
    ),
    "einsum": Spec(
        lambda *arrays, subscripts: np.einsum(subscripts, *arrays),
        _cases(*((shapes, {"subscripts": text}) for text, *shapes in _EINSUMS)),
        method="multilinear",
        alias=True,  # NumPy's answer to ij->ji is a view
    ),
    "reshape": Spec(
        lambda x, shape: np.reshape(x, shape),
        _cases(
            (((2, 6),), {"shape": (3, 4)}),
            (((2, 3, 4),), {"shape": (8, 3)}),
            (((1,),), {"shape": ()}),
            (((),), {"shape": (1, 1)}),
            (((0, 3),), {"shape": (5, 0)}),
        ),
        method="multilinear",
        alias=True,
    ),
    "transpose": Spec(
        lambda x, axes: np.transpose(x, axes),
        _cases(
            (((2, 3),), {"axes": (1, 0)}),
            (((2, 3, 4),), {"axes": (1, 2, 0)}),
            (((2, 3, 4, 5),), {"axes": (2, 0, 3, 1)}),
            (((4,),), {"axes": (0,)}),
            (((),), {"axes": ()}),
            (((0, 3),), {"axes": (1, 0)}),
        ),
        method="multilinear",
        alias=True,
    ),
    "broadcast_to": Spec(
        lambda x, shape: np.broadcast_to(x, shape),
        _cases(
            (((),), {"shape": (2, 3)}),
            (((3,),), {"shape": (2, 3)}),
            (((2, 1),), {"shape": (2, 3)}),
            (((1, 3, 1),), {"shape": (5, 2, 3, 4)}),
            (((1,),), {"shape": (1, 1)}),
            (((1, 3),), {"shape": (0, 3)}),
            (((),), {"shape": ()}),
        ),
        method="multilinear",
        alias=True,
    ),
    "concatenate": Spec(
        lambda *arrays, axis: np.concatenate(arrays, axis),
        _cases(
            (((3,),), {"axis": 0}),
            (((2, 3), (4, 3)), {"axis": 0}),
            (((2, 3), (2, 1), (2, 4)), {"axis": 1}),
            (((2, 0, 3), (2, 2, 3)), {"axis": 1}),
        ),
        method="multilinear",
    ),
    "cast": Spec(
        lambda x, dtype: x.astype(dtype),
        (
            Case((real(2, 3),), {"dtype": np.dtype("float64")}),
            Case((real(2, 3),), {"dtype": np.dtype("float32")}),
            Case((real(),), {"dtype": np.dtype("float32")}),
            Case((fixed([-1.7, 0.0, 2.5]),), {"dtype": np.dtype("int64")}),
            Case((fixed([-1.7, 0.0, 2.5]),), {"dtype": np.dtype(bool)}),
            Case((fixed([True, False]),), {"dtype": np.dtype("float64")}),
            Case((fixed([3, -4]),), {"dtype": np.dtype("float32")}),
        ),
        method="multilinear",
        slack=16,
    ),
    "stop_gradient": Spec(
        lambda x: x, _cases((((2, 3),), {}), (((),), {})), method=None, alias=True
    ),
    "getitem": Spec(
        lambda *_: None, tuple(_getitem(*i) for i in INDICES), method="multilinear", alias=True
    ),
    "embed": Spec(lambda *_: None, tuple(_embed(*i) for i in INDICES), method="multilinear"),
    "setitem": Spec(lambda *_: None, tuple(_setitem(*i) for i in INDICES), method="multilinear"),
}


def missing_specs(names: Any) -> set[str]:
    """The primitives among some names that no spec covers."""
    return set(names) - set(SPECS)
