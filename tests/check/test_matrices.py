"""Traced np.matrix values do what np.matrix does, operation by operation."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.check.matrices import TracedMatrix
from chainrule.errors import UnsupportedError
from chainrule.graph import argument
from chainrule.tracer import TracedArray
from chainrule.tracer.leaks import Context, recording
from chainrule.tracer.redirection import redirected

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

rng = np.random.default_rng(4)
A, B, C = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=(3, 3))
ROW = rng.normal(size=3)

Operation = Callable[[Any, Any, Any], Any]
SAME: dict[str, Operation] = {
    "product": lambda a, b, c: a * b,
    "number": lambda a, b, c: 2 * a * 0.5,
    "array on the left": lambda a, b, c: np.array(C) * a,
    "array on the right": lambda a, b, c: a * np.array(C),
    "a new matrix": lambda a, b, c: a * np.matrix(C),
    "one axis": lambda a, b, c: np.array(ROW) * a,
    "multiply": lambda a, b, c: np.multiply(a, c),
    "multiply by an array": lambda a, b, c: np.multiply(np.array(C), a),
    "power": lambda a, b, c: a**3,
    "elementwise power": lambda a, b, c: np.power(a, 2),
    "transpose": lambda a, b, c: b.T * a.transpose(),
    "array": lambda a, b, c: a.A * c.A,
    "flat array": lambda a, b, c: a.A1,
    "functions": lambda a, b, c: 1 / (1 + np.exp(-a)) - c,
    "sum": lambda a, b, c: np.sum(a) + a.sum(),
    "sum of columns": lambda a, b, c: np.sum(b, axis=0),
    "sum of rows": lambda a, b, c: b.sum(1),
    "means": lambda a, b, c: (b - b.mean(axis=0)) / np.std(b, 0),
    "largest": lambda a, b, c: np.max(b, axis=1) + b.max(1),
    "row": lambda a, b, c: a[0],
    "column": lambda a, b, c: a[:, 1],
    "element": lambda a, b, c: a[1, 2],
    "part": lambda a, b, c: a[1:, :2],
    "rows": lambda a, b, c: [row * b for row in a][1],
    "stack": lambda a, b, c: np.hstack([a, b]),
    "concatenation": lambda a, b, c: np.concatenate((a, c), axis=0),
    "dot": lambda a, b, c: np.dot(a, b),
    "dot method": lambda a, b, c: a.dot(b),
    "matmul": lambda a, b, c: a @ b,
    "ravel": lambda a, b, c: a.ravel(),
    "reshape": lambda a, b, c: b.reshape(2, 3),
    "where": lambda a, b, c: np.where(a > 0, a, 0.0),
    "in place": lambda a, b, c: _changed(a, c),
    "product in place": lambda a, b, c: _multiplied(a, c),
    "assignment": lambda a, b, c: _assigned(a, b),
    "through the array": lambda a, b, c: _through_the_array(a),
}


def _changed(a: Any, c: Any) -> Any:
    a -= 0.5 * c
    return a


def _multiplied(a: Any, c: Any) -> Any:
    a *= c
    return a


def _assigned(a: Any, b: Any) -> Any:
    a[:, :2] = b
    a[0] = 1.0
    return a


def _through_the_array(a: Any) -> Any:
    a.A[0, 0] = 7.0
    return a * a


@pytest.mark.parametrize("name", SAME)
def test_it_does_what_np_matrix_does(name: str) -> None:
    expected = SAME[name](*[np.matrix(each.copy()) for each in (A, B, C)])
    context = Context(allow_cuts=True)
    with recording(context), redirected():
        traced = [
            _traced(context, letter, each) for letter, each in zip("abc", (A, B, C), strict=True)
        ]
        found = SAME[name](*traced)
    assert isinstance(found, np.matrix) == isinstance(expected, np.matrix)
    assert found.shape == np.shape(expected)
    assert np.array_equal(found.value, np.asarray(expected))
    assert found.node.shape == found.shape


def _traced(context: Context, name: str, value: Any) -> TracedMatrix:
    node = argument(name, value.shape, value.dtype)
    context.values[node] = value.copy()
    return TracedMatrix(value.copy(), node)


def test_a_traced_array_beside_a_matrix_gives_way_to_it() -> None:
    context = Context(allow_cuts=True)
    with recording(context), redirected():
        a = _traced(context, "a", A)
        array: Any = TracedArray(C.copy(), argument("c", C.shape, C.dtype))
        assert np.array_equal((array * a).value, C @ A)
        assert np.array_equal((array + a).value, C + A)
        assert isinstance(array - a, np.matrix)


@pytest.mark.parametrize(
    "operation",
    [
        lambda a: a**-1,
        lambda a: a**0.5,
        lambda a: np.asarray(a),
        lambda a: np.add.reduce(a),
        lambda a: a.I,
    ],
)
def test_what_is_not_followed_is_refused(operation: Callable[[Any], Any]) -> None:
    context = Context(allow_cuts=True)
    with recording(context), redirected(), pytest.raises(UnsupportedError):
        operation(_traced(context, "a", A))
