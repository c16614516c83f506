"""Gradients of whole expressions: against complex steps, between modes, and at any depth."""

import numpy as np
import pytest
from hypothesis import given

from chainrule import primitives as p
from chainrule.errors import GradientError
from chainrule.gradient import pull_back, push_forward, substitute
from chainrule.graph import Primitive, argument, constant, same_expression, topological_order
from chainrule.interpreter import evaluate_nodes

from .primitives.random_graphs import expressions

STEP = 1e-30


def random_like(nodes, rng):
    return [np.asarray(rng.uniform(-2, 2, x.shape), dtype=x.dtype) for x in nodes]


def weighted_sum(outputs, weights):
    """Σ weight · output, as a node."""
    terms = [
        p.total(y * constant(w), axis=tuple(range(y.ndim)), keepdims=False)
        for y, w in zip(outputs, weights, strict=True)
    ]
    return sum(terms[1:], terms[0])


def along(scalar, known, inputs, tangents):
    """The derivative of a scalar node along tangents of the inputs, by a complex step."""
    moved = {x: known[x] + STEP * 1j * t for x, t in zip(inputs, tangents, strict=True)}
    return evaluate_nodes([scalar], {**known, **moved})[0].imag / STEP


@given(expressions())
def test_gradients_of_random_expressions(expression):
    rng = np.random.default_rng(1)
    weights = random_like(expression.outputs, rng)
    tangents = random_like(expression.arguments, rng)
    loss = weighted_sum(expression.outputs, weights)
    nodes = pull_back(expression.outputs, [constant(w) for w in weights], expression.arguments)
    gradients = evaluate_nodes(nodes, expression.given)
    terms = [g * t for g, t in zip(gradients, tangents, strict=True)]
    expected = along(loss, expression.given, expression.arguments, tangents)
    # Some dozen operations on values of about 1, each with a derivative of a few units: the
    # roundings add up to far less than a millionth of a millionth; a wrong rule is off by more.
    bound = 1e-12 * (100 + sum(np.sum(np.abs(t)) for t in terms))
    assert abs(sum(np.sum(t) for t in terms) - expected) <= bound


@given(expressions(steps=6))
def test_second_order_gradients_of_random_expressions(expression):
    rng = np.random.default_rng(2)
    u = random_like(expression.outputs, rng)
    v, tangents = random_like(expression.arguments, rng), random_like(expression.arguments, rng)
    first = pull_back(expression.outputs, [constant(w) for w in u], expression.arguments)
    second = pull_back(first, [constant(w) for w in v], expression.arguments)
    terms = [g * t for g, t in zip(evaluate_nodes(second, expression.given), tangents, strict=True)]
    expected = along(weighted_sum(first, v), expression.given, expression.arguments, tangents)
    bound = 1e-11 * (100 + sum(np.sum(np.abs(t)) for t in terms))
    assert abs(sum(np.sum(t) for t in terms) - expected) <= bound


@given(expressions())
def test_forward_mode_is_the_transpose_of_reverse_mode(expression):
    rng = np.random.default_rng(3)
    weights = random_like(expression.outputs, rng)
    tangents = random_like(expression.arguments, rng)
    pushed = push_forward(expression.outputs, expression.arguments, [constant(t) for t in tangents])
    pulled = pull_back(expression.outputs, [constant(w) for w in weights], expression.arguments)
    assert [(y.shape, y.dtype) for y in pushed] == [(y.shape, y.dtype) for y in expression.outputs]
    left = [a * w for a, w in zip(evaluate_nodes(pushed, expression.given), weights, strict=True)]
    right = [a * t for a, t in zip(evaluate_nodes(pulled, expression.given), tangents, strict=True)]
    size = 100 + sum(np.sum(np.abs(t)) for t in (*left, *right))
    assert abs(sum(map(np.sum, left)) - sum(map(np.sum, right))) <= 1e-12 * size


@given(expressions(dtype=np.float32))
def test_single_precision_stays_single(expression):
    weights = random_like(expression.outputs, np.random.default_rng(4))
    nodes = pull_back(expression.outputs, [constant(w) for w in weights], expression.arguments)
    for node in topological_order(nodes):
        assert node.dtype != np.float64, node
    for array, x in zip(evaluate_nodes(nodes, expression.given), expression.arguments, strict=True):
        assert (np.asarray(array).dtype, np.shape(array)) == (np.float32, x.shape)


# What depends on what.


def scalar(name="x"):
    return argument(name, (), "float64")


def gradient_at(y, x, value, g=1.0):
    [gradient] = pull_back([y], [constant(g)], [x])
    return float(evaluate_nodes([gradient], {x: np.asarray(value)})[0])


def test_an_unused_argument_gets_zeros_of_its_shape_and_dtype():
    x, unused = scalar(), argument("w", (2, 3), "float32")
    gradients = pull_back([x * x], [constant(1.0)], [x, unused])
    assert (gradients[1].shape, gradients[1].dtype) == ((2, 3), np.float32)
    np.testing.assert_array_equal(evaluate_nodes(gradients[1:], {}), np.zeros((1, 2, 3)))
    [pushed] = push_forward([constant(2.0) * 3], [x], [constant(1.0)])
    assert evaluate_nodes([pushed], {x: np.asarray(1.0)}) == [0]


def test_an_output_that_is_an_input_passes_its_gradient_on():
    x = scalar()
    assert gradient_at(x, x, 2.0, g=7.0) == 7
    [pushed] = push_forward([x], [x], [constant(7.0)])
    assert evaluate_nodes([pushed], {x: np.asarray(2.0)}) == [7]


def test_an_output_given_twice_counts_twice():
    x = scalar()
    y = p.square(x)
    [gradient] = pull_back([y, y], [constant(1.0), constant(10.0)], [x])
    assert evaluate_nodes([gradient], {x: np.asarray(3.0)}) == [66]


def test_a_value_used_many_times_adds_up_its_gradients():
    x = scalar()
    assert gradient_at(x * x * x + p.sin(x) / x, x, 2.0) == pytest.approx(
        12 + np.cos(2) / 2 - np.sin(2) / 4, rel=1e-15
    )


def test_a_step_in_between_can_be_an_input():
    x = scalar()
    z = p.square(x)
    y = z * x
    by_z, by_x = pull_back([y], [constant(1.0)], [z, x])
    assert evaluate_nodes([by_z, by_x], {x: np.asarray(3.0)}) == [3, 27]


def test_no_gradient_passes_a_comparison_a_position_a_whole_number_or_a_stop():
    x = argument("x", (3,), "float64")
    whole = p.cast(p.cast(x, dtype=np.dtype("int64")), dtype=np.dtype("float64"))
    truth = p.cast(x > 0, dtype=np.dtype("float64"))
    place = p.cast(p.argmax(x, axis=0, keepdims=False), dtype=np.dtype("float64"))
    for cut in (whole, truth, p.stop_gradient(x), p.floor(x), p.sign(x)):
        [gradient] = pull_back([cut * 2 + x], [constant(np.ones(3))], [x])
        value = evaluate_nodes([gradient], {x: np.array([1.5, -2.5, 0.5])})[0]
        np.testing.assert_array_equal(value, np.ones(3))
    [gradient] = pull_back([place], [constant(1.0)], [x])
    assert not np.any(evaluate_nodes([gradient], {x: np.ones(3)})[0])


def test_a_primitive_without_a_rule_says_so():
    x = scalar()
    bare = Primitive("bare", np.positive, lambda x: (x.shape, x.dtype), "elementwise", "{x}", "")
    with pytest.raises(GradientError, match=r"^No gradient passes through bare\.$"):
        pull_back([bare(x)], [constant(1.0)], [x])
    # Where nothing asks for it, nothing is said.
    [gradient] = pull_back([x + bare(constant(1.0))], [constant(1.0)], [x])
    assert evaluate_nodes([gradient], {}) == [1]


def test_a_gradient_takes_one_pass_however_many_paths_there_are():
    x = scalar()
    y = x
    for _ in range(200):  # 2²⁰⁰ paths
        y = y / 2 + y / 2
    assert gradient_at(y, x, 3.0) == 1
    [gradient] = pull_back([y], [constant(1.0)], [x])
    assert len(topological_order([gradient])) < 2000


def test_gradients_of_very_deep_expressions():
    x = scalar()
    y = x
    for _ in range(50_000):
        y = p.sin(y)
    [gradient] = pull_back([y], [constant(1.0)], [x])
    expected, value = 1.0, 0.5
    for _ in range(50_000):
        expected, value = expected * np.cos(value), np.sin(value)
    # 50,000 factors, each rounded, multiplied in another order.
    actual = float(evaluate_nodes([gradient], {x: np.asarray(0.5)})[0])
    assert actual == pytest.approx(expected, rel=50_000 * 4e-16)


def test_any_order_of_derivative():
    x = scalar()
    derivative = p.exp(p.sin(x))
    values = []
    for _ in range(5):
        values.append(float(evaluate_nodes([derivative], {x: np.asarray(0.0)})[0]))
        [derivative] = pull_back([derivative], [constant(1.0)], [x])
    assert values == [1, 1, 1, 0, -3]  # Taylor: exp(sin x) = 1 + x + x²/2 − x⁴/8 + …


# Substitution.


def test_substitute_replaces_and_shares_the_rest():
    x, z = scalar(), scalar("z")
    kept = p.exp(z)
    y = p.sin(x) * kept
    [replaced] = substitute([y], {x: z + 1})
    assert same_expression([replaced], [p.sin(z + 1) * p.exp(z)], {z: z})
    assert replaced.inputs[1] is kept
    assert same_expression([y], [p.sin(x) * p.exp(z)], {x: x, z: z})
    assert substitute([kept, x], {x: z}) == [kept, z]


def test_substitute_keeps_names_and_attributes():
    x = argument("x", (2, 3), "float64")
    y = p.total(p.tanh(x), axis=(1,), keepdims=True)
    y.take_name("loss")
    other = argument("w", (2, 3), "float64")
    [replaced] = substitute([y], {x: other})
    assert (replaced.name, replaced.attributes, replaced.shape) == ("loss", y.attributes, (2, 1))
