"""Random expressions over the registry, for Hypothesis.

Values stay of moderate size (what is multiplied or exponentiated goes through tanh), so that a
gradient is accurate to many digits and a wrong rule shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from chainrule import primitives as p
from chainrule.graph import Node, argument, constant
from chainrule.primitives.domains import reals

Array = np.ndarray[Any, Any]
Choose = Callable[[Any], Any]
LARGEST = 60


@dataclass(frozen=True)
class Expression:
    """Arguments with their values, and outputs that depend on them."""

    arguments: list[Node]
    values: list[Array]
    outputs: list[Node]

    @property
    def given(self) -> dict[Node, Array]:
        """The value of each argument node."""
        return dict(zip(self.arguments, self.values, strict=True))


def _axes(x: Node, choose: Choose) -> tuple[int, ...]:
    return tuple(i for i in range(x.ndim) if choose([True, False]))


_UNARY: list[Callable[[Node], Node]] = [
    p.negative,
    p.tanh,
    p.sin,
    p.cos,
    p.expit,
    p.erf,
    p.arctan,
    p.absolute,
    lambda x: p.exp(p.tanh(x)),
    lambda x: p.exp2(p.tanh(x)),
    lambda x: p.expm1(p.tanh(x)),
    lambda x: p.sinh(p.tanh(x)),
    lambda x: p.cosh(p.tanh(x)),
    lambda x: p.tan(p.tanh(x)),
    lambda x: p.square(p.tanh(x)),
    lambda x: p.log1p(p.square(x)),
    lambda x: p.log(1 + p.square(x)),
    lambda x: p.sqrt(1 + p.square(x)),
    lambda x: p.reciprocal(1 + p.square(x)),
    lambda x: (1 + p.square(p.tanh(x))) ** 1.5,
    lambda x: 3 - x / 2,
    lambda x: p.maximum(x, 0),
]


def _unary(x: Node, choose: Choose) -> Node:
    return choose(_UNARY)(x)


_BINARY: list[Callable[[Node, Node], Node]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: p.tanh(a) * b,
    lambda a, b: a / (1 + p.square(b)),
    lambda a, b: (1 + p.square(p.tanh(a))) ** p.tanh(b),
    lambda a, b: p.xlogy(p.tanh(a), 1 + p.square(b)),
    p.logaddexp,
    p.maximum,
    p.minimum,
    lambda a, b: p.where(a > b, p.tanh(a), b),
]


def _binary(a: Node, b: Node, choose: Choose) -> Node | None:
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return None
    return choose(_BINARY)(a, b) if np.prod(shape) <= LARGEST else None


def _reduction(x: Node, choose: Choose) -> Node:
    kind = choose(["sum", "prod", "max", "min", "logsumexp", "softmax", "log_softmax", "cumsum"])
    axis = _axes(x, choose)
    if kind == "softmax":
        return p.softmax(x, axis=axis)
    if kind == "log_softmax":
        return p.log_softmax(x, axis=axis)
    if kind == "cumsum":
        return p.cumsum(x, axis=choose(list(range(x.ndim)))) if x.ndim else p.tanh(x)
    rule = {"sum": p.total, "max": p.largest, "min": p.smallest, "logsumexp": p.logsumexp}
    keepdims = choose([True, False])
    return rule.get(kind, p.prod)(p.tanh(x), axis=axis, keepdims=keepdims)


def _contraction(a: Node, b: Node, choose: Choose) -> Node | None:
    a = p.tanh(a)
    if a.ndim == 2 and b.ndim in (1, 2) and a.shape[1] == b.shape[0]:
        return a @ b
    if a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[1]:
        return p.einsum(a, b, subscripts="ij,kj->ik")
    if a.size * b.size <= LARGEST and a.ndim + b.ndim <= 4:
        first, second = "abcd"[: a.ndim], "efgh"[: b.ndim]
        output = "".join(letter for letter in first + second if choose([True, True, False]))
        return p.einsum(a, b, subscripts=f"{first},{second}->{output}")
    return None


def _arrangement(x: Node, choose: Choose) -> Node | None:
    kind = choose(["flat", "column", "transpose", "broadcast", "join"])
    if kind == "flat":
        return p.reshape(x, shape=(x.size,))
    if kind == "column":
        return p.reshape(x, shape=(*x.shape, 1))
    if kind == "transpose":
        order = list(range(x.ndim))
        axes = tuple(order.pop(choose(list(range(len(order))))) for _ in range(x.ndim))
        return p.transpose(x, axes=axes)
    if kind == "broadcast" and x.size * 2 <= LARGEST:
        return p.broadcast_to(x, shape=(2, *x.shape))
    if kind == "join" and x.ndim and x.size * 2 <= LARGEST:
        return p.concatenate(x, p.tanh(x), axis=choose(list(range(x.ndim))))
    return None


def _indexing(x: Node, choose: Choose) -> Node | None:
    if not x.ndim or not x.size:
        return None
    n, rest = x.shape[0], x.shape[1:]
    kind = choose(["reverse", "every second", "element", "gather", "write", "scatter"])
    if kind == "reverse":
        return p.getitem(x, template=(("slice", None, None, -1),), shape=x.shape)
    if kind == "every second":
        return p.getitem(x, template=(("slice", None, None, 2),), shape=((n + 1) // 2, *rest))
    if kind == "element":
        return p.getitem(x, template=(("integer", choose(range(n))),), shape=rest)
    order = np.array([choose(range(n)) for _ in range(3)])
    template = (("array",),)
    if 3 * x.size // n > LARGEST:
        return None
    part = p.getitem(x, constant(order), template=template, shape=(3, *rest))
    if kind == "gather":
        return part
    other = constant(np.array([choose(range(n)) for _ in range(3)]))
    if kind == "write":
        return p.setitem(x, p.tanh(part), other, template=template)
    return p.embed(part, other, template=template, shape=x.shape)


@st.composite
def expressions(draw: Any, dtype: Any = np.float64, steps: int = 12) -> Expression:
    """Up to three arguments of some shapes, and what a dozen operations make of them."""

    def choose(options: Any) -> Any:
        return draw(st.sampled_from(list(options)))

    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    shapes = draw(
        st.lists(
            st.sampled_from([(), (3,), (2, 3), (4, 1), (1, 3), (3, 4)]), min_size=1, max_size=3
        )
    )
    arguments = [argument(f"x{i}", shape, dtype) for i, shape in enumerate(shapes)]
    pool = list(arguments)
    for _ in range(draw(st.integers(1, steps))):
        kind = choose(["unary", "binary", "binary", "reduce", "contract", "arrange", "index"])
        x = choose(reversed(pool))
        if kind == "binary":
            made = _binary(x, choose(reversed(pool)), choose)
        elif kind == "contract":
            made = _contraction(x, choose(reversed(pool)), choose)
        else:
            rule = {"reduce": _reduction, "arrange": _arrangement, "index": _indexing}
            made = rule.get(kind, _unary)(x, choose)
        if made is not None:
            pool.append(made)
    outputs = [choose(reversed(pool)) for _ in range(draw(st.integers(1, 3)))]
    values = [rng.uniform(reals.low, reals.high, x.shape).astype(dtype) for x in arguments]
    return Expression(arguments, values, outputs)
