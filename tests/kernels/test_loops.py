"""Graphs as loops over arrays: the interpreter's numbers, and the bits of small compiled graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chainrule.errors import GraphError
from chainrule.graph import Graph, Node, argument, constant
from chainrule.interpreter import Program
from chainrule.kernels.loops import LoopProgram, LoopSteps, unsupported_in_loops
from chainrule.kernels.lowering import lowered
from chainrule.kernels.rules import RULES, unsupported
from chainrule.kernels.whole import WholeProgram, WholeSteps
from chainrule.networks import Network
from chainrule.primitives import (
    argmax,
    argmin,
    broadcast_to,
    cast,
    concatenate,
    cumsum,
    embed,
    equal,
    exp,
    getitem,
    largest,
    matmul,
    prod,
    reshape,
    setitem,
    smallest,
    square,
    tanh,
    total,
    transpose,
)
from chainrule.pytrees import flatten
from chainrule.tracer import trace
from chainrule.training.optimizers import OPTIMIZERS, adam, gradient_descent
from chainrule.training.steps import Objective, Stepper

from ..primitives.random_graphs import Expression, expressions

SIZES = (1, 2, 3, 7, 17, 33)
DTYPES = (np.float64, np.float32)
TOLERANCE = {np.float64: 1e-11, np.float32: 1e-4}
slow_to_draw = settings(max_examples=30, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True, scope="module")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


def graph_of(arguments: list[Node], outputs: list[Node]) -> Graph:
    none: Any = None
    return Graph(tuple(arguments), tuple(outputs), none, none)


def numbers(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(
    arguments: list[Node], outputs: list[Node], *values: Any, tolerance: float = 1e-11
) -> Any:
    """Compile and interpret, and compare; the compiled outputs."""
    graph = graph_of(arguments, outputs)
    expected, found = Program(graph)(*values), LoopProgram(graph)(*values)
    for wanted, array in zip(expected, found, strict=True):
        assert (array.shape, array.dtype) == (np.shape(wanted), wanted.dtype)
        np.testing.assert_allclose(array, wanted, rtol=tolerance, atol=tolerance)
    return found


# Any graph.


@pytest.mark.parametrize("dtype", DTYPES)
def test_drawn_graphs_give_the_interpreters_numbers(dtype: Any) -> None:
    @slow_to_draw
    @given(expressions(dtype=dtype))
    def run(drawn: Expression) -> None:
        assume(not any(map(unsupported_in_loops, graph_of(drawn.arguments, drawn.outputs).nodes())))
        check(drawn.arguments, drawn.outputs, *drawn.values, tolerance=100 * TOLERANCE[dtype])

    run()


@pytest.mark.parametrize("dtype", DTYPES)
def test_drawn_graphs_give_the_bits_of_whole_code(dtype: Any) -> None:
    @slow_to_draw
    @given(expressions(dtype=dtype))
    def run(drawn: Expression) -> None:
        graph = graph_of(drawn.arguments, lowered(drawn.outputs))
        assume(not any(unsupported(node) or unsupported_in_loops(node) for node in graph.nodes()))
        whole, loops = WholeProgram(graph)(*drawn.values), LoopProgram(graph)(*drawn.values)
        assert [a.tobytes() for a in whole] == [b.tobytes() for b in loops]

    run()


@slow_to_draw
@given(expressions())
def test_lowering_keeps_the_numbers(drawn: Expression) -> None:
    graph = graph_of(drawn.arguments, drawn.outputs)
    simpler = graph_of(drawn.arguments, lowered(drawn.outputs))
    for a, b in zip(Program(graph)(*drawn.values), Program(simpler)(*drawn.values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


# Products, reductions, and the rest, in sizes that fill no register.


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=10)
@given(st.tuples(*[st.sampled_from((*SIZES, 130))] * 3))
def test_products_of_odd_sizes(dtype: Any, sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    a, b = argument("a", (m, k), dtype), argument("b", (k, n), dtype)
    a_turned, b_turned = argument("at", (k, m), dtype), argument("bt", (n, k), dtype)
    left, right = numbers((m, k), dtype), numbers((k, n), dtype, 1)
    outputs = [
        matmul(first, second)
        for first in (a, transpose(a_turned, axes=(1, 0)))
        for second in (b, transpose(b_turned, axes=(1, 0)))
    ]
    values = left, right, left.T, right.T
    found = check([a, b, a_turned, b_turned], outputs, *values, tolerance=10 * TOLERANCE[dtype])
    # However the factors lie, the same terms are added in the same order.
    assert len({array.tobytes() for array in found}) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [((5,), (5, 7)), ((5, 7), (7,)), ((9,), (9,)), ((2, 3, 5, 7), (2, 3, 7, 4))],
)
def test_products_of_vectors_and_stacks(left: Any, right: Any) -> None:
    a, b = argument("a", left, "float64"), argument("b", right, "float64")
    check([a, b], [matmul(a, b)], numbers(left), numbers(right, seed=1))


def test_products_of_large_matrices_whose_rows_are_pages_apart() -> None:
    a, b = argument("a", (65, 600), "float64"), argument("b", (65, 600), "float64")
    y = matmul(transpose(a, axes=(1, 0)), b)
    z = matmul(a, transpose(b, axes=(1, 0)))
    check([a, b], [y, z], numbers((65, 600)), numbers((65, 600), seed=1))


def test_what_follows_a_product_is_computed_from_its_tiles() -> None:
    x, w = argument("x", (33, 17), "float64"), argument("w", (17, 29), "float64")
    b = argument("b", (1, 29), "float64")
    z = matmul(x, w) + b
    a = tanh(z)
    column = broadcast_to(total(a, axis=(1,), keepdims=True), shape=a.shape)
    values = numbers((33, 17)), numbers((17, 29), seed=1), numbers((1, 29), seed=2)
    check([x, w, b], [a, 1 - a * a, a * column, z], *values)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=12)
@given(
    st.tuples(*[st.sampled_from((*SIZES, 70))] * 3),
    st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]),
)
def test_reductions_of_odd_sizes(dtype: Any, shape: tuple[int, int, int], axis: Any) -> None:
    x = argument("x", shape, dtype)
    outputs = [rule(x, axis=axis, keepdims=True) for rule in (total, largest, smallest)]
    outputs.append(prod(tanh(x), axis=axis, keepdims=False))
    outputs.append(total(square(transpose(x, axes=(2, 0, 1))), axis=axis, keepdims=False))
    check([x], outputs, numbers(shape, dtype), tolerance=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("count", [1, 2, 64, 65, 129, 1000, 1001])
def test_a_sum_adds_halves_onto_halves(count: int) -> None:
    values = numbers((count,))
    x = argument("x", (count,), "float64")
    (found,) = LoopProgram(graph_of([x], [total(x, axis=(0,), keepdims=False)]))(values)
    while len(values) > 1:
        half = (len(values) + 1) // 2
        upper = values[half:]
        values = np.concatenate([values[: len(upper)] + upper, values[len(upper) : half]])
    assert found == values[0]


def test_reductions_pass_on_what_is_not_a_number() -> None:
    x = argument("x", (3, 70), "float64")
    values = numbers((3, 70))
    values[1, 68] = np.nan
    outputs = [rule(x, axis=(1,), keepdims=False) for rule in (total, largest, smallest)]
    outputs += [argmax(x, axis=1, keepdims=False), argmin(x, axis=0, keepdims=False)]
    check([x], outputs, values)


def test_running_sums_positions_and_joins() -> None:
    x = argument("x", (5, 7), "float64")
    outputs = [cumsum(x, axis=0), cumsum(x, axis=1)]
    outputs += [argmax(x, axis=1, keepdims=True), argmin(x, axis=0, keepdims=False)]
    outputs.append(concatenate(x, exp(x), axis=1))
    outputs.append(reshape(transpose(x, axes=(1, 0)), shape=(5, 7)))
    back = getitem(x, template=(("slice", None, None, -2), ("slice", 1, None, 3)), shape=(3, 2))
    template = (("slice", 4, 1, -2), ("integer", -1))
    part = getitem(x, template=template, shape=(2,))
    outputs += [back, embed(part, template=template, shape=(5, 7))]
    outputs.append(setitem(x, tanh(part), template=template))
    check([x], outputs, numbers((5, 7)))


def test_whole_numbers_count_and_compare() -> None:
    x, y = argument("x", (9, 4), "float32"), argument("y", (9,), "int64")
    hits = equal(argmax(x, axis=1, keepdims=False), y)
    count = total(cast(hits, dtype=np.dtype("int64")), axis=(0,), keepdims=False)
    share = total(cast(hits, dtype=np.dtype("float32")), axis=(0,), keepdims=False)
    labels = np.arange(9) % 4
    check(
        [x, y],
        [hits, count, share, total(hits, axis=(0,), keepdims=True)],
        numbers((9, 4), "f4"),
        labels,
    )


# Indices that are computed.

TEMPLATES: list[tuple[Any, tuple[int, ...]]] = [
    ((("array",),), (4, 6, 3)),
    ((("array",), ("array",)), (4, 3)),
    ((("slice", None, None, -1), ("array",)), (5, 4, 3)),
    ((("slice", None, None, 2), ("array",), ("integer", 1)), (3, 4)),
    ((("array",), ("slice", None, None, None), ("array",)), (4, 6)),
    ((("newaxis",), ("array",), ("slice", 1, 5, 2)), (1, 4, 2, 3)),
    ((("integer", -1), ("slice", None, None, None), ("array",)), (4, 6)),
]


@pytest.mark.parametrize(("template", "shape"), TEMPLATES)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_computed_indices(template: Any, shape: Any, dtype: str) -> None:
    x, part = argument("x", (5, 6, 3), "float64"), argument("part", shape, "float64")
    count = sum(kind == "array" for kind, *_ in template)
    indices = [argument(f"i{n}", (4,), dtype) for n in range(count)]
    drawn = [np.array([2, 0, 2, 1], dtype), np.array([0, 2, 0, 1], dtype)][:count]
    if dtype != "uint8":
        drawn[0] = np.array([2, 0, -3, 1], dtype)
    outputs = [
        getitem(x, *indices, template=template, shape=shape),
        embed(part, *indices, template=template, shape=(5, 6, 3)),
        setitem(x, part, *indices, template=template),
    ]
    values = numbers((5, 6, 3)), numbers(shape, seed=1)
    check([x, part, *indices], outputs, *values, *drawn)


def test_an_index_that_is_out_of_range_is_an_error() -> None:
    z, y = argument("z", (4, 3), "float64"), argument("y", (4,), "int64")
    rows = constant(np.arange(4))
    part = getitem(z, rows, y, template=(("array",), ("array",)), shape=(4,))
    program = LoopProgram(graph_of([z, y], [part]))
    for bad in (3, -4, 2**40):
        with pytest.raises(GraphError) as raised:
            program(numbers((4, 3)), np.array([0, 1, bad, 2]))
        assert str(raised.value).startswith(
            f"The index {bad} is out of range for an axis of length 3."
        )
    assert program(numbers((4, 3)), np.array([0, 1, -3, 2]))[0][2] == numbers((4, 3))[2, 0]


def test_an_index_made_of_no_number_is_an_error() -> None:
    z, f = argument("z", (5,), "float64"), argument("f", (2,), "float64")
    index = cast(f, dtype=np.dtype("int64"))
    part = getitem(z, index, template=(("array",),), shape=(2,))
    program = LoopProgram(graph_of([z, f], [part]))
    assert program(np.arange(5.0), np.array([2.5, 4.0]))[0].tolist() == [2.0, 4.0]
    for bad in (np.inf, -np.inf, 1e30):
        with pytest.raises(GraphError):
            program(np.arange(5.0), np.array([0.0, bad]))


# Arguments as they come.


def test_arguments_may_be_views_read_only_or_of_another_dtype() -> None:
    x = argument("x", (6, 4), "float64")
    program = LoopProgram(graph_of([x], [x * 2, total(x, axis=(0,), keepdims=False)]))
    values = numbers((8, 12))[1:7, ::3]
    values.flags.writeable = False
    before = values.copy()
    found = program(values)
    assert np.array_equal(found[0], before * 2)
    assert np.array_equal(values, before)
    assert np.array_equal(program(np.asfortranarray(before))[0], before * 2)
    assert np.array_equal(program(before.astype(np.float32))[0], before.astype(np.float32) * 2.0)
    raw = np.zeros(8 * 24 + 1, np.uint8)[1:].view(np.float64).reshape(6, 4)
    raw[...] = before
    assert np.array_equal(program(raw)[0], before * 2)


def test_an_argument_and_a_constant_can_be_outputs_and_an_output_twice() -> None:
    x = argument("x", (3,), "float64")
    y = x + 1
    found = LoopProgram(graph_of([x], [x, y, y, constant(np.arange(3.0))]))(np.ones(3))
    assert [array.tolist() for array in found] == [[1] * 3, [2] * 3, [2] * 3, [0, 1, 2]]
    assert len({array.ctypes.data for array in found}) == 4


def test_two_threads_can_run_one_program() -> None:
    from concurrent.futures import ThreadPoolExecutor

    x = argument("x", (300, 100), "float64")
    y = total(
        exp(x) + exp(transpose(reshape(x, shape=(100, 300)), axes=(1, 0))), axis=(1,), keepdims=True
    )
    program = LoopProgram(graph_of([x], [y]))
    inputs = [numbers((300, 100), seed=i) for i in range(20)]
    alone = [program(value)[0] for value in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda value: program(value)[0], inputs))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: argument("x", (0, 3), "float64") * 2, "an empty array, argument of shape (0, 3)"),
        (lambda: argument("x", (3,), "float16") * 2, "argument of float16"),
        (lambda: argument("x", (3,), ">f8") * 2, "argument of numbers in another byte order"),
        (
            lambda: argument("x", (3,), "uint8") + argument("x", (3,), "uint8"),
            "add of whole numbers",
        ),
        (
            lambda: getitem(
                argument("x", (3,), "float64"),
                argument("m", (3,), "bool"),
                template=(("array",),),
                shape=(2,),
            ),
            "getitem with a mask",
        ),
    ],
)
def test_what_cannot_be_compiled_is_said(make: Callable[[], Node], reason: str) -> None:
    reasons = [unsupported_in_loops(node) for node in graph_of([], [make()]).nodes()]
    assert next(each for each in reasons if each is not None) == reason


def test_an_index_is_checked_once() -> None:
    table, index = argument("table", (5, 3), "float64"), argument("index", (4,), "int64")
    template = (("array",),)
    picked = getitem(table, index, template=template, shape=(4, 3))
    added = embed(picked, index, shape=(5, 3), template=template)
    program = LoopProgram(graph_of([table, index], [picked, added]))
    assert [kernel.kind for kernel in program.schedule.kernels].count("check") == 1
    with pytest.raises(GraphError, match="The index -6 is out of range for an axis of length 5"):
        program(numbers((5, 3)), np.array([0, -5, 4, -6]))


def test_a_constant_index_is_checked_when_it_is_compiled() -> None:
    table = argument("table", (5, 3), "float64")
    inside = getitem(table, constant(np.array([4, -5, 0])), template=(("array",),), shape=(3, 3))
    program = LoopProgram(graph_of([table], [inside]))
    assert [kernel.kind for kernel in program.schedule.kernels] == ["getitem"]
    check([table], [inside], numbers((5, 3)))


# Training steps.


def stepper(network: Network, optimizer: Any, rows: int, dtype: Any, labels: bool) -> Any:
    """A step's graph, what it carries, and data for it."""
    rng = np.random.default_rng(5)
    parameters = network.initialize(3, dtype)
    state = optimizer.initialize(parameters)
    X = rng.standard_normal((60, network.sizes[0])).astype(dtype)
    width = network.sizes[-1]
    y: Any = rng.integers(0, width, 60) if labels else rng.integers(0, 2, (60, width)).astype(dtype)
    step = Stepper(Objective(network), optimizer).step(parameters, state, X[:rows], y[:rows], None)
    carried = [np.array(leaf) for leaf in (*flatten(parameters)[0], *flatten(state)[0])]
    return step.graph, carried, [X, y]


def interpreted(graph: Graph, carried: Any, data: Any, order: Any, rates: Any, rows: int) -> Any:
    """The same steps with the interpreter: what is carried at the end, and the losses."""
    program, losses = Program(graph), []
    for i, rate in enumerate(rates):
        chosen = order[i * rows : (i + 1) * rows]
        outputs = program(*carried, *(array[chosen] for array in data), np.asarray(rate))
        carried = outputs[: len(carried)]
        losses.append(float(outputs[-2]))
    return carried, losses


def check_steps(graph: Graph, carried: Any, data: Any, rows: int, tolerance: float) -> None:
    order = np.random.default_rng(1).integers(0, 60, 5 * rows)
    rates = np.array([0.01, 0.02, 0.01, 0.005, 0.01])
    wanted, losses = interpreted(graph, carried, data, order, rates, rows)
    objective, reported = np.empty(5), np.empty(5)
    found = [array.copy() for array in carried]
    run = LoopSteps(graph, len(carried), rows, False)
    assert run(found, data, order, rates, objective, reported) == 5
    np.testing.assert_allclose(objective, losses, rtol=tolerance)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer: str, dtype: Any) -> None:
    network = Network([5, 9, 3], activation="relu", loss="categorical_cross_entropy")
    chosen = OPTIMIZERS[optimizer]()
    graph, carried, data = stepper(network, chosen, 7, dtype, labels=True)
    tolerance = 3e-3 if optimizer == "lion" else 30 * TOLERANCE[dtype]
    check_steps(graph, carried, data, 7, tolerance)


LOSSES = (
    "squared_error",
    "absolute_error",
    "huber",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "hinge",
    "poisson",
    "quantile(q=0.3)",
)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str) -> None:
    graph, carried, data = stepper(Network([4, 6, 2], loss=loss), adam(), 5, np.float64, False)
    if any(map(unsupported_in_loops, graph.nodes())):
        pytest.fail("a loss that is not compiled")
    check_steps(graph, carried, data, 5, 1e-9)


@pytest.mark.parametrize(
    "activation",
    [
        *("relu", "leaky_relu", "tanh", "sigmoid", "elu", "selu", "softplus", "silu"),
        pytest.param(
            "gelu",
            marks=pytest.mark.skipif("erf" not in RULES, reason="erf is not compiled yet"),
        ),
    ],
)
def test_every_activation(activation: str) -> None:
    network = Network([4, 33, 17, 2], activation=activation, loss="squared_error")
    graph, carried, data = stepper(network, gradient_descent(), 11, np.float64, False)
    check_steps(graph, carried, data, 11, 1e-9)


def test_steps_give_the_bits_of_whole_code() -> None:
    network = Network([3, 5, 2], activation="tanh", loss="squared_error")
    graph, carried, data = stepper(network, adam(), 6, np.float64, labels=False)
    order, rates = np.arange(60), np.full(10, 0.01)
    results = []
    for made in (WholeSteps, LoopSteps):
        found = [array.copy() for array in carried]
        losses = np.empty(10), np.empty(10)
        assert made(graph, len(carried), 6, False)(found, data, order, rates, *losses) == 10
        results.append([array.tobytes() for array in (*found, *losses)])
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_team_gives_the_bits_of_one_thread(dtype: Any) -> None:
    network = Network([70, 300, 130, 10], loss="categorical_cross_entropy")
    graph, carried, data = stepper(network, adam(), 33, dtype, labels=True)
    order, rates = np.tile(np.arange(60), 3)[: 5 * 33], np.full(5, 0.01)
    results = []
    for threads in (1, 2, 3):
        found = [array.copy() for array in carried]
        losses = np.empty(5), np.empty(5)
        run = LoopSteps(graph, len(carried), 33, False, threads=threads)
        assert run(found, data, order, rates, *losses) == 5
        results.append([array.tobytes() for array in (*found, *losses)])
    assert results[0] == results[1] == results[2]
    data[1][3] = 10
    with pytest.raises(GraphError, match="The index 10 is out of range"):
        run(found, data, order, rates, *losses)


def test_all_rows_in_their_order() -> None:
    network = Network([3, 20, 1], activation="tanh", loss="squared_error")
    graph, carried, data = stepper(network, adam(), 60, np.float64, labels=False)
    rates = np.full(4, 0.01)
    wanted, losses = interpreted(graph, carried, data, np.tile(np.arange(60), 4), rates, 60)
    objective, reported = np.empty(4), np.empty(4)
    found = [array.copy() for array in carried]
    run = LoopSteps(graph, len(carried), 60, True)
    assert run(found, data, np.zeros(1, np.int64), rates, objective, reported) == 4
    np.testing.assert_allclose(objective, losses, rtol=1e-12)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_steps_end_before_the_update_of_one_whose_loss_is_not_finite() -> None:
    network = Network([3, 20, 1], activation="tanh", loss="squared_error")
    graph, carried, (X, y) = stepper(network, adam(), 4, np.float64, labels=False)
    y[13] = np.inf
    run = LoopSteps(graph, len(carried), 4, False)
    order, rates = np.arange(20), np.full(5, 0.01)
    found, shorter = ([array.copy() for array in carried] for _ in range(2))
    objective, reported = np.zeros(5), np.zeros(5)
    assert run(found, [X, y], order, rates, objective, reported) == 3
    assert np.isinf(objective[3])
    assert objective[4] == 0
    assert run(shorter, [X, y], order, rates[:3], objective, reported) == 3
    assert all(np.array_equal(a, b) for a, b in zip(found, shorter, strict=True))
    assert run(shorter, [X, y], order, rates[:0], objective, reported) == 0


def test_a_class_number_out_of_range_changes_nothing() -> None:
    network = Network([3, 20, 4], loss="categorical_cross_entropy")
    graph, carried, (X, y) = stepper(network, adam(), 4, np.float64, labels=True)
    y[2] = 4
    run = LoopSteps(graph, len(carried), 4, False)
    found = [array.copy() for array in carried]
    with pytest.raises(GraphError, match="The index 4 is out of range for an axis of length 4"):
        run(found, [X, y], np.arange(4), np.full(1, 0.1), np.empty(1), np.empty(1))
    assert all(np.array_equal(a, b) for a, b in zip(found, carried, strict=True))


def test_what_is_carried_may_be_exchanged_or_left() -> None:
    def step(tree: Any, X: Any, rate: Any) -> Any:
        a, b, kept = tree
        loss = np.sum(X * a)
        return (b + rate * X[0], a * 2, kept), loss, loss

    X = numbers((2, 3))
    tree = numbers((3,)), numbers((3,), seed=1), numbers((3,), seed=2)
    graph = trace(step, tree, X, np.float64(0.1))
    found = [array.copy() for array in tree]
    losses = np.empty(2), np.empty(2)
    run = LoopSteps(graph, 3, 2, True)
    assert run(found, [X], np.zeros(1, np.int64), np.array([0.1, 0.2]), *losses) == 2
    a, b, kept = tree
    for rate in (0.1, 0.2):
        a, b = b + rate * X[0], a * 2
    for array, wanted in zip(found, (a, b, kept), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-15)


def test_a_parameter_that_its_own_gradient_is_multiplied_by() -> None:
    def step(W: Any, X: Any, rate: Any) -> Any:
        loss = np.sum(X @ W)
        return W - rate * (W @ W), loss, loss

    X, W = numbers((2, 20)), numbers((20, 20))
    graph = trace(step, W, X, np.float64(0.1))
    found = [W.copy()]
    losses = np.empty(1), np.empty(1)
    LoopSteps(graph, 1, 2, True)(found, [X], np.zeros(1, np.int64), np.array([0.1]), *losses)
    np.testing.assert_allclose(found[0], W - 0.1 * (W @ W), rtol=1e-12)
