"""What native code is given: right for arrays that lie otherwise, an error for what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ChainruleError, GraphError
from chainrule.graph import Graph, Node, argument
from chainrule.interpreter import Program
from chainrule.kernels.engine import NativeEngine, NotCompiledWarning
from chainrule.kernels.loops import LoopProgram, LoopSteps
from chainrule.kernels.whole import WholeProgram, WholeSteps
from chainrule.networks import Network
from chainrule.primitives import matmul, stop_gradient, tanh, total
from chainrule.pytrees import flatten
from chainrule.training.optimizers import momentum
from chainrule.training.steps import Objective, Stepper

PROGRAMS = (WholeProgram, LoopProgram)
STEPS = (WholeSteps, LoopSteps)
ROWS = 5


@pytest.fixture(autouse=True, scope="module")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


def graph_of(arguments: list[Node], outputs: list[Node]) -> Graph:
    none: Any = None
    return Graph(tuple(arguments), tuple(outputs), none, none)


def product() -> Graph:
    a, b = argument("a", (3, 5), "float64"), argument("b", (5, 2), "float64")
    return graph_of([a, b], [tanh(matmul(a, b))])


def numbers(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape)


def misaligned(array: Any) -> Any:
    memory = np.empty(array.nbytes + 1, np.uint8)
    other = memory[1:].view(array.dtype).reshape(array.shape)
    other[...] = array
    assert not other.flags.aligned
    return other


def read_only(array: Any) -> Any:
    other = array.copy()
    other.flags.writeable = False
    return other


SAME: dict[str, Callable[[Any], Any]] = {
    "misaligned": misaligned,
    "read-only": read_only,
    "in column-major order": np.asfortranarray,
    "every other element": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "in another order of bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "a list": lambda x: x.tolist(),
}


# Programs.


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("form", SAME)
def test_arrays_that_lie_otherwise(kind: Any, form: str) -> None:
    a, b = numbers(3, 5), numbers(5, 2)
    given = [SAME[form](a), SAME[form](b)]
    (found,) = kind(product())(*given)
    (expected,) = Program(product())(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.array_equal(given[0], a)


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("dtype", ["float32", "int64", "int8", "bool"])
def test_other_kinds_of_numbers_become_the_right_one(kind: Any, dtype: str) -> None:
    a, b = numbers(3, 5).round().astype(dtype), numbers(5, 2)
    np.testing.assert_array_equal(kind(product())(a, b), kind(product())(a.astype(float), b))


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((numbers(3, 5),), "takes 2 arrays, one for each argument node, and is given 1"),
        ((numbers(5, 3), numbers(5, 2)), r"'a' has shape \(5, 3\); this was compiled for shape"),
        ((numbers(15), numbers(5, 2)), r"'a' has shape \(15,\)"),
        ((numbers(0, 5), numbers(5, 2)), r"'a' has shape \(0, 5\)"),
        ((numbers(3, 5), 1.0), r"'b' has shape \(\)"),
        ((numbers(3, 5) + 0j, numbers(5, 2)), "of dtype complex128, which does not become float64"),
        ((numbers(3, 5).astype(str), numbers(5, 2)), "which does not become float64"),
        ((numbers(3, 5).astype(object), numbers(5, 2)), "of dtype object"),
    ],
)
def test_what_a_program_refuses(kind: Any, given: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        kind(product())(*given)


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("dtype", ["float16", "longdouble", "complex64", ">f8", "O"])
def test_what_is_not_compiled(kind: Any, dtype: str) -> None:
    x = argument("x", (3,), dtype)
    with pytest.raises(ChainruleError, match=r"This graph cannot be compiled, because of"):
        kind(graph_of([x], [stop_gradient(x)]))


def test_an_argument_that_is_not_used_is_not_read() -> None:
    x, unused = argument("x", (3,), "float64"), argument("unused", (0, 4), "float64")
    graph = graph_of([unused, x], [tanh(x)])
    for kind in PROGRAMS:
        np.testing.assert_allclose(kind(graph)(numbers(0, 4), [0, 1, 2])[0], np.tanh([0, 1, 2]))


def test_empty_arrays() -> None:
    x = argument("x", (0, 3), "float64")
    graph = graph_of([x], [tanh(x), total(x, axis=(0, 1), keepdims=False)])
    for kind in PROGRAMS:
        with pytest.raises(GraphError, match="because of an empty array"):
            kind(graph)
    with pytest.warns(NotCompiledWarning, match="because of an empty array"):
        empty, none = NativeEngine()(graph)(numbers(0, 3))
    assert (empty.shape, float(none)) == ((0, 3), 0.0)


# Training steps.


class Given:
    """Arguments of training steps, which a test changes one of."""

    def __init__(self) -> None:
        network = Network([3, 4, 2], activation="tanh", loss="squared_error")
        optimizer, parameters = momentum(), network.initialize(3)
        X, y = numbers(30, 3), numbers(30, 2)
        state = optimizer.initialize(parameters)
        stepper = Stepper(Objective(network), optimizer)
        self.graph = stepper.step(parameters, state, X[:ROWS], y[:ROWS], None).graph
        self.carried = [np.array(leaf) for leaf in (*flatten(parameters)[0], *flatten(state)[0])]
        self.data: list[Any] = [X, y]
        self.order: Any = np.arange(20) % 30
        self.rates: Any = np.full(4, 0.1)
        self.objective, self.reported = np.zeros(4), np.zeros(4)

    def run(self, kind: Any) -> int:
        steps = kind(self.graph, len(self.carried), ROWS, False)
        order, rates = self.order, self.rates
        return steps(self.carried, self.data, order, rates, self.objective, self.reported)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("form", SAME)
def test_steps_with_arrays_that_lie_otherwise(kind: Any, form: str) -> None:
    plain, other = Given(), Given()
    other.data = [SAME[form](array) for array in other.data]
    other.order, other.rates = SAME[form](other.order), SAME[form](other.rates)
    if form in ("misaligned", "in column-major order", "every other element", "backwards"):
        other.carried = [SAME[form](array) for array in other.carried]
        other.objective, other.reported = SAME[form](other.objective), SAME[form](other.reported)
    before = other.carried[0].copy()
    assert plain.run(kind) == other.run(kind) == 4
    for a, b in zip(plain.carried, other.carried, strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(plain.objective, other.objective)
    assert plain.reported.all()
    assert not np.array_equal(before, other.carried[0])


def changed(name: str, value: Callable[[Any], Any], position: int | None = None) -> Any:
    def change(given: Given) -> None:
        if position is None:
            setattr(given, name, value(getattr(given, name)))
        else:
            arrays = getattr(given, name)
            arrays[position] = value(arrays[position])

    return change


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("carried", lambda x: x.T.copy(), 0), r"has shape \(4, 3\); this was compiled"),
        (changed("carried", lambda x: x.astype("float32"), 0), "must be of dtype float64; it is"),
        (changed("carried", SAME["in another order of bytes"], 0), "in another order of bytes"),
        (changed("carried", read_only, 0), "changed in place, but it is read-only"),
        (changed("carried", SAME["a list"], 0), "must be one of NumPy's; it is list"),
        (changed("data", lambda x: x[:, :2], 0), r"has shape \(30, 2\); this was compiled"),
        (changed("data", lambda x: x[:7], 1), r"has shape \(7, 2\); this was compiled for"),
        (changed("data", lambda x: x[:0], 0), "has shape"),
        (changed("data", lambda x: x + 0j, 0), "does not become float64"),
        (changed("data", lambda x: x[:1]), "takes 2 arrays of data and is given 1"),
        (changed("data", lambda x: [a[:0] for a in x]), "the data have rows 0 to -1"),
        (changed("order", lambda x: x[:19]), r"4 steps of 5 rows take an order of 20 row numbers"),
        (changed("order", lambda x: x.reshape(4, 5)), r"it has shape \(4, 5\)"),
        (changed("order", lambda x: x + 15), "rows from 15 to 34; the data have rows 0 to 29"),
        (changed("order", lambda x: x - 1), "names rows from -1 to 18"),
        (changed("order", lambda x: x / 2), "the order of rows is of dtype float64"),
        (changed("rates", lambda x: x[:, None]), "Each step has a learning rate"),
        (changed("rates", lambda x: x[0]), "Each step has a learning rate"),
        (changed("objective", lambda x: x[:3]), "4 steps have 4 losses"),
        (changed("reported", read_only), "The array for the losses is changed in place"),
        (changed("reported", lambda x: x.astype("float32")), "must be of dtype float64"),
    ],
)
def test_what_steps_refuse(kind: Any, change: Any, message: str) -> None:
    given = Given()
    change(given)
    before = [np.array(array) for array in given.carried]
    with pytest.raises(GraphError, match=message):
        given.run(kind)
    for a, b in zip(before, given.carried, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", STEPS)
def test_no_steps_change_nothing(kind: Any) -> None:
    given = Given()
    given.rates, given.order = np.zeros(0), np.zeros(0, np.int64)
    before = given.carried[0].copy()
    assert given.run(kind) == 0
    assert np.array_equal(before, given.carried[0])


@pytest.mark.parametrize("kind", STEPS)
def test_steps_without_rows_are_not_compiled(kind: Any) -> None:
    weights, X = argument("W", (3,), "float64"), argument("X", (0, 3), "float64")
    rate = argument("rate", (), "float64")
    loss = total(matmul(X, weights), axis=(0,), keepdims=False)
    graph = graph_of([weights, X, rate], [weights * rate, loss, loss])
    with pytest.raises(GraphError, match=r"an empty array|at least one row"):
        kind(graph, 1, 0, False)
    some = argument("X", (2, 3), "float64")
    loss = total(matmul(some, weights), axis=(0,), keepdims=False)
    graph = graph_of([weights, some, rate], [weights * rate, loss, loss])
    with pytest.raises(GraphError, match=r"A step of 5 rows was to be compiled, but the argument"):
        kind(graph, 1, 5, False)


@pytest.mark.parametrize("kind", STEPS)
def test_all_rows_must_be_there(kind: Any) -> None:
    given = Given()
    steps = kind(given.graph, len(given.carried), ROWS, True)
    with pytest.raises(GraphError, match=r"'X' has shape \(30, 3\); this was compiled for shape"):
        steps(given.carried, given.data, given.order, given.rates, given.objective, given.reported)
