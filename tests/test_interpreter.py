"""Running graphs: the same bits however they are run, and a clear word where they cannot be."""

import numpy as np
import pytest
from hypothesis import given

from chainrule import primitives as p
from chainrule.errors import GraphError, GuardError
from chainrule.gradient import pull_back
from chainrule.graph import Guard, argument, constant
from chainrule.interpreter import (
    Program,
    compile_graph,
    evaluate,
    evaluate_nodes,
    flat_arguments,
)
from chainrule.source import Source
from chainrule.tracer import trace

from .primitives.checking import assert_same_bits, graph_of
from .primitives.random_graphs import expressions


def with_gradients(expression):
    """The outputs of an expression and their gradients, as one list of nodes."""
    rng = np.random.default_rng(6)
    upstream = [constant(rng.uniform(-2, 2, y.shape), dtype=y.dtype) for y in expression.outputs]
    return [*expression.outputs, *pull_back(expression.outputs, upstream, expression.arguments)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_program_computes_the_bits_of_plain_evaluation(dtype):
    @given(expressions(dtype=dtype))
    def check(expression):
        outputs = with_gradients(expression)
        before = [a.copy() for a in expression.values]
        expected = evaluate_nodes(outputs, expression.given)
        program = compile_graph(graph_of(expression.arguments, outputs))
        for _ in range(3):  # one by one, then twice as a straight line
            values = program(*expression.values)
            for value, wanted, node in zip(values, expected, outputs, strict=True):
                assert_same_bits(value, wanted)
                assert (np.shape(value), np.asarray(value).dtype) == (node.shape, node.dtype)
        for a, b in zip(expression.values, before, strict=True):
            assert_same_bits(a, b)

    check()


@given(expressions())
def test_no_slot_is_written_while_its_value_is_needed(expression):
    outputs = with_gradients(expression)
    program = Program(graph_of(expression.arguments, outputs))
    held = dict(enumerate(expression.arguments))
    constants = {slot: value for slot, value in enumerate(program._slots) if value is not None}

    def holds(slot, node):
        if node.primitive.name == "broadcast_to" and held.get(slot) is not node:
            node = node.inputs[0]  # a broadcast that NumPy does on the way
        if node.primitive.name == "constant":
            return constants[slot] is node.value
        return held[slot] is node

    for node, (_, target, sources) in zip(program._nodes, program._instructions, strict=True):
        assert all(holds(slot, x) for slot, x in zip(sources, node.inputs, strict=True))
        assert target not in constants
        held[target] = node
    assert all(holds(slot, y) for slot, y in zip(program._outputs, outputs, strict=True))


def test_slots_are_used_again():
    x = argument("x", (), "float64")
    y = x
    for _ in range(100):
        y = p.sin(y)
    assert len(Program(graph_of([x], [y]))._slots) == 3
    # Unless every value is asked for.
    steps = [x]
    for _ in range(100):
        steps.append(p.sin(steps[-1]))
    assert len(Program(graph_of([x], steps))._slots) == 101


def test_a_broadcast_for_elementwise_use_does_not_happen():
    x, b = argument("x", (4, 3), "float64"), argument("b", (3,), "float64")
    shifted = Program(graph_of([x, b], [x + b]))
    assert [node.primitive.name for node in shifted._nodes] == ["add"]
    # One that is an output, is reduced, or has nothing of the full shape beside it, does.
    column = argument("a", (4, 1), "float64")
    spread = p.broadcast_to(b, shape=(4, 3))
    for outputs, values in (
        ([x + spread, spread], (np.ones((4, 3)), np.arange(3.0))),
        ([column + b], (np.ones((4, 1)), np.arange(3.0))),
        ([p.total(spread, axis=(0,), keepdims=False)], (np.ones((4, 3)), np.arange(3.0))),
        ([p.square(spread)], (np.ones((4, 3)), np.arange(3.0))),
    ):
        first = column if column in outputs[0].inputs[0].inputs else x
        program = Program(graph_of([first, b], outputs))
        assert "broadcast_to" in [node.primitive.name for node in program._nodes]
        for value, node in zip(program(*values), outputs, strict=True):
            assert value.shape == node.shape


def test_constants_and_arguments_as_outputs():
    x = argument("x", (2,), "float64")
    seven = constant(7.0)
    program = Program(graph_of([x], [seven, x, x, p.broadcast_to(seven, shape=(2,))]))
    for _ in range(3):
        value, same, again, spread = program(np.array([1.0, 2.0]))
        assert value == 7
        np.testing.assert_array_equal(same, [1, 2])
        assert same is again
        np.testing.assert_array_equal(spread, [7, 7])
    with pytest.raises(ValueError, match="read-only"):
        value[()] = 8  # a constant of the program stays what it is


def test_one_call_leaves_nothing_behind_for_the_next():
    x = argument("x", (3,), "float64")
    program = Program(graph_of([x], [p.cumsum(x * 2, axis=0), p.exp(x)]))
    rng = np.random.default_rng(0)
    for _ in range(5):
        value = rng.uniform(size=3)
        first, second = program(value)
        assert_same_bits(first, np.cumsum(value * 2))
        assert_same_bits(second, np.exp(value))
        first[:] = second[:] = np.nan  # what the caller does with the outputs is his affair


def test_very_deep_programs_run():
    x = argument("x", (), "float64")
    y = x
    for _ in range(20_000):
        y = -y
    program = Program(graph_of([x], [y]))
    assert [program(np.asarray(1.5)) for _ in range(2)] == [[1.5], [1.5]]


# Errors.


def matrix_program(parameters, x, power):
    h = np.tanh(x @ parameters["W"])
    return np.sum(h**power)


W, X = np.ones((3, 2)), np.ones((4, 3))


def traced():
    return trace(matrix_program, {"W": W}, X, 2)


def message(error, call):
    with pytest.raises(error) as caught:
        call()
    assert caught.value.__cause__ is not caught.value
    return str(caught.value)


def test_evaluate_takes_arguments_nested_as_traced():
    graph = traced()
    expected = np.sum(np.tanh(X @ W) ** 2)
    assert evaluate(graph, {"W": W}, X, 2) == expected
    assert evaluate(graph, {"W": W.astype(np.float32)}, np.ones((4, 3), int), 2) == expected
    assert [a.dtype for a in flat_arguments(graph, ({"W": W}, np.ones((4, 3), bool), 2))] == [
        np.float64,
        np.float64,
    ]


def test_another_shape():
    assert message(GraphError, lambda: evaluate(traced(), {"W": W}, X[:3], 2)) == (
        "matrix_program was traced with x of shape (4, 3), and is given shape (3, 3). "
        "Trace it again for that shape."
    )


def test_another_dtype():
    graph = trace(lambda n: n * 2, np.array([1, 2]))
    text = message(GraphError, lambda: evaluate(graph, np.array([1.5, 2.0])))
    assert text.endswith("of dtype int64, and is given float64. Convert it with .astype('int64').")
    assert message(GraphError, lambda: evaluate(traced(), {"W": W * 1j}, X, 2)) == (
        "matrix_program was traced with W of dtype float64, and is given complex128. "
        "Pass real and imaginary parts as two arguments."
    )


def test_another_nesting():
    nested = {"W": W, "b": np.ones(2)}
    assert message(GraphError, lambda: evaluate(traced(), nested, X, 2)) == (
        "matrix_program was traced with the arguments [0]['W'], [1], [2], and is given "
        "[0]['W'], [0]['b'], [1], [2]. Give the same nesting, or trace it again."
    )
    for arguments in (({"W": W}, X), ([W], X, 2), ({"V": W}, X, 2), ({"W": W}, X.tolist(), 2)):
        text = message(GraphError, lambda: evaluate(traced(), *arguments))  # noqa: B023
        assert text.endswith("Give the same nesting, or trace it again.")


def test_another_static_value():
    assert message(GraphError, lambda: evaluate(traced(), {"W": W}, X, 3)) == (
        "matrix_program was traced with [2] = 2, which is part of the program, and is given 3. "
        "Trace it again with that value."
    )
    assert "is given True" in message(GraphError, lambda: evaluate(traced(), {"W": W}, X, True))


class Awkward:
    """Something whose comparison gives an array, as that of a table does."""

    def __eq__(self, other):
        return np.array([True, True])

    __hash__ = None


def test_static_values_that_do_not_compare_are_the_same_only_if_they_are_one():
    setting = Awkward()
    graph = trace(lambda x, setting: x * 2, 3.0, setting)
    assert evaluate(graph, 4.0, setting) == 8
    with pytest.raises(GraphError, match="which is part of the program"):
        evaluate(graph, 4.0, Awkward())


def test_another_branch():
    def program(x):
        if np.sum(x) > 0:
            return x * 2
        return x

    graph = trace(program, np.ones(3))
    np.testing.assert_array_equal(evaluate(graph, np.full(3, 2.0)), [4, 4, 4])
    text = message(GuardError, lambda: evaluate(graph, -np.ones(3)))
    assert text.startswith("The program was traced where a value that steers it was True (")
    assert "in `if np.sum(x) > 0:`); with these arguments it is False." in text
    assert text.endswith("Trace it again for them, or write the choice with np.where.")
    run = Program(graph)
    for _ in range(3):
        assert message(GuardError, lambda: run(-np.ones(3))) == text


def test_a_guard_on_not_a_number_holds_where_the_value_is_that_again():
    x = argument("x", (), "float64")
    graph = graph_of([x], [x * 2])
    graph.guards = (Guard(x, np.nan, Source(())),)
    assert np.isnan(Program(graph)(np.asarray(np.nan))[0])
    assert "(an unknown place)" in message(GuardError, lambda: Program(graph)(np.asarray(1.0)))


def test_another_count_under_a_mask():
    def program(x):
        positive = x[x > 0]
        return np.sum(positive)

    graph = trace(program, np.array([1.0, -1.0, 2.0]))
    assert evaluate(graph, np.array([-1.0, 3.0, 2.0])) == 5
    text = message(GuardError, lambda: evaluate(graph, np.array([1.0, 1.0, 2.0])))
    assert text.startswith(
        "The mask selects an array of shape (3,); the program was traced with one of shape (2,). "
        "Trace it again for these values, or use np.where instead of a boolean mask. "
        "(Computing getitem, "
    )
    assert text.endswith("in `positive = x[x > 0]`.)")
    run = Program(graph)
    for _ in range(3):
        assert message(GuardError, lambda: run(np.array([1.0, 1.0, 2.0]))) == text


def test_an_error_of_numpy_names_the_operation_and_the_line():
    def program(x, index):
        part = x[index]
        return part * 2

    graph = trace(program, np.ones(3), np.array([0, 2]))
    run = Program(graph)
    expected = "index 7 is out of bounds for axis 0 with size 3. (Computing getitem, "
    for _ in range(3):
        text = message(GraphError, lambda: run(np.ones(3), np.array([0, 7])))
        assert text.startswith(expected)
        assert text.endswith("in `part = x[index]`.)")
    with pytest.raises(GraphError) as caught:
        run(np.ones(3), np.array([0, 7]))
    assert isinstance(caught.value.__cause__, IndexError)


def test_an_error_without_a_source_is_given_as_it_is():
    x = argument("x", (0,), "float64")
    program = Program(graph_of([x], [p.largest(x, axis=(0,), keepdims=False)]))
    expected = "zero-size array to reduction operation maximum which has no identity."
    for _ in range(3):
        assert message(GraphError, lambda: program(np.ones(0))) == expected


def test_another_number_of_arrays():
    x = argument("x", (3,), "float64")
    program = Program(graph_of([x], [x * 2]))
    for arrays in ((), (np.ones(3), np.ones(3))) * 2:
        assert message(GraphError, lambda: program(*arrays)) == (  # noqa: B023
            "The program of function takes 1 arrays, one for each argument node, "
            f"and is given {len(arrays)}."
        )
        program(np.ones(3))


def test_an_argument_that_is_not_the_graphs():
    x, stray = argument("x", (3,), "float64"), argument("w", (3,), "float64")
    assert message(GraphError, lambda: Program(graph_of([x], [x * stray]))) == (
        "The argument 'w' is used but not among the graph's."
    )


# Complex steps.


def test_choices_are_made_by_the_real_part():
    x = argument("x", (4,), "float64")
    value = np.array([-2.0, -0.5, 0.5, 3.0])
    moved = value + 1e-30j
    choices = [
        (p.maximum(x, 0), value > 0),
        (p.minimum(x, 0), value < 0),
        (p.absolute(x), np.sign(value)),
        (p.where(x > 0, x * x, -x), np.where(value > 0, 2 * value, -1)),
        (p.largest(x, axis=(0,), keepdims=True), [1]),
        (p.sign(x) * x, np.sign(value)),
    ]
    for node, slope in choices:
        [result] = evaluate_nodes([node], {x: moved})
        np.testing.assert_array_equal(result.imag / 1e-30, slope)
        [real] = evaluate_nodes([node], {x: value})
        np.testing.assert_array_equal(result.real, real)


def test_given_values_of_inner_nodes_are_used():
    x = argument("x", (), "float64")
    y = x * 2
    assert evaluate_nodes([y + 1], {y: np.asarray(10.0)}) == [11]
