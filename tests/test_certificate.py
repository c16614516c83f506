"""The certificate passes right gradients, catches wrong ones, and tells kinks from faults."""

import json
import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.special
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainrule import Network, check_gradients, grad, stop_gradient
from chainrule.certificate import Certificate, Entry
from chainrule.certificate.points import Point
from chainrule.certificate.subject import Subject
from chainrule.errors import GradientError, TraceError
from chainrule.primitives import absolute, add, matmul, maximum, tanh, total

RNG = np.random.default_rng(20)
X = RNG.normal(size=(6, 3))
W = RNG.normal(size=(3, 4))
b = RNG.normal(size=4)
Y = RNG.normal(size=(6, 4))


def loss(W, b):
    z = X @ W + b
    return np.mean((np.tanh(z) - Y) ** 2)


def right(W, b):
    g = 2 * (np.tanh(X @ W + b) - Y) / Y.size * (1 - np.tanh(X @ W + b) ** 2)
    return X.T @ g, g.sum(axis=0)


# Right gradients.


def test_a_right_gradient_passes_all_three():
    certificate = check_gradients(loss, W, b)
    assert certificate
    assert certificate.size == len(certificate.entries) == 16
    assert [check.passed for check in certificate.checks] == [True, True, True]
    assert certificate.complex_step.worst < 1e-13
    assert certificate.central_differences.worst < 1e-7
    assert certificate.taylor.worst == pytest.approx(2.0, abs=0.05)
    assert not certificate.problems
    assert not certificate.notes


@pytest.mark.parametrize("given", [right, right(W, b), list(right(W, b))])
def test_a_gradient_by_hand_passes(given):
    assert check_gradients(loss, W, b, gradient=given)


def test_each_tolerance_is_far_below_the_derivative():
    for entry in check_gradients(loss, W, b).entries:
        assert entry.difference_tolerance < 1e-5 * abs(entry.gradient)
        assert entry.complex_tolerance < 1e-5 * abs(entry.gradient)


def test_all_real_arguments_are_checked_unless_chosen():
    def f(x, n, parameters, scale):
        return scale * np.sum(x**n) + np.sum(np.sin(parameters["W"] @ parameters["v"][0]))

    arguments = (b, 3, {"W": W, "v": [np.ones(4)], "rounds": 2}, 2.0)
    assert list(check_gradients(f, *arguments).worst) == [
        "x",
        "W",
        "parameters['v'][0]",
        "scale",
    ]
    assert list(check_gradients(f, *arguments, argnums="scale").worst) == ["scale"]
    assert list(check_gradients(f, *arguments, argnums=(3, "x")).worst) == ["scale", "x"]


def test_keywords_go_to_the_function():
    def f(x, *, power):
        return np.sum(x**power)

    certificate = check_gradients(f, b, power=2.0, argnums="x", gradient=2 * b)
    assert certificate
    assert certificate.size == 4
    assert not check_gradients(f, np.abs(b), power=3.0, argnums="x", gradient=2 * b)


def test_gradients_nested_as_the_arguments():
    @dataclass
    class Layer:
        W: np.ndarray
        b: np.ndarray
        name: str

    def f(layers):
        return sum(np.sum(np.sin(layer.W) * layer.b) for layer in layers)

    def by_hand(layers):
        return [
            replace(layer, W=np.cos(layer.W) * layer.b, b=np.sin(layer.W).sum(0))
            for layer in layers
        ]

    layers = [Layer(W, b, "first"), Layer(2 * W, -b, "second")]
    assert check_gradients(f, layers)
    assert check_gradients(f, layers, gradient=by_hand)
    assert check_gradients(f, layers, gradient=by_hand(layers))
    wrong = by_hand(layers)
    wrong[1].b[2] += 0.1
    assert check_gradients(f, layers, gradient=wrong).wrong[0].component == "layers[1].b[2]"


def test_a_network():
    network = Network((3, 5, 4), activation="relu")
    parameters = network.initialize(seed=3)
    certificate = check_gradients(network.loss, parameters, X, Y, argnums=0)
    assert certificate, str(certificate)


def test_linear_constant_and_unused():
    linear = check_gradients(lambda x: 3 * np.sum(x), b)
    assert linear
    assert linear.taylor.note == "exactly linear"
    assert check_gradients(lambda x: np.sum(x * 0) + 1.0, b)
    assert check_gradients(lambda x: 5.0, b)
    assert check_gradients(lambda x, unused: np.sum(x**2), b, W)
    assert check_gradients(lambda x: np.sum(x), np.zeros((0, 3)))


def test_where_the_second_derivative_vanishes_the_slope_is_three():
    assert check_gradients(lambda x: np.sum(np.sin(x)), np.zeros(3)).taylor.worst > 2.9


def test_single_precision():
    W32, X32, Y32 = (a.astype(np.float32) for a in (W, X, Y))

    def f(W):
        return np.mean((np.tanh(X32 @ W) - Y32) ** 2)

    certificate = check_gradients(f, W32)
    assert certificate
    assert certificate.precision == "float32"
    assert "12 numbers of float32" in str(certificate)
    # The differences are of doubles, so the tolerance is that of the gradient's own rounding.
    assert certificate.central_differences.tolerance < 1e-3
    assert check_gradients(f, W32, gradient=grad(f))
    wrong = grad(f)(W32)
    wrong[1, 1] *= 1.03
    assert not check_gradients(f, W32, gradient=wrong)


def test_a_function_that_refuses_doubles_is_compared_in_single_precision():
    def f(x):
        if x.dtype != np.float32:
            raise TypeError("only float32")
        return np.sum(np.sin(x))

    x = b.astype(np.float32)
    certificate = check_gradients(f, x)
    assert certificate, str(certificate)
    assert "f does not run in double precision (TypeError: only float32)" in certificate.notes[0]
    assert not check_gradients(f, x, gradient=2 * np.cos(x))

    def deeper(x):
        return f(np.exp(np.tanh(x) * x))

    certificate = check_gradients(deeper, x)
    assert certificate, str(certificate)
    assert not check_gradients(deeper, x, gradient=1.1 * grad(deeper)(x))


def test_a_function_that_rounds_inside_is_given_its_rounding():
    def f(x):
        return np.sum(np.tanh(x.astype(np.float32)).astype(np.float64))

    certificate = check_gradients(f, b)
    assert certificate, str(certificate)
    assert certificate.noise > 1e-9
    assert not check_gradients(f, b, gradient=1.03 * (1 - np.tanh(b) ** 2))


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e3, 1e6])
def test_arguments_of_any_size(size):
    x = size * np.array([1.0, -0.5, 0.7])

    def f(x):
        return np.sum(np.tanh(x / size) * np.arange(1, 4))

    assert check_gradients(f, x)
    assert not check_gradients(f, x, gradient=1.03 * grad(f)(x))


def test_steps_stay_where_the_function_is_defined():
    x = np.array([1e-9, 1.0, 3.0])
    certificate = check_gradients(lambda x: np.sum(np.log(x)), x)
    assert certificate, str(certificate)
    assert certificate.entries[0].step < 1e-9
    assert not check_gradients(
        lambda x: np.sum(np.log(x)), x, gradient=np.array([1e9, 1.03, 1 / 3])
    )


def test_waves_within_a_step_are_seen():
    x = np.array([40.0, 90.0])
    assert check_gradients(lambda x: np.sum(np.sin(30 * x**2)), x)


def test_many_numbers_are_drawn_and_the_others_count_along_directions():
    big = RNG.normal(size=(30, 20))

    def f(W, b):
        return np.sum(np.exp(-(W**2))) + np.sum(b**3)

    certificate = check_gradients(f, big, b)
    assert certificate
    assert len(certificate.entries) == 30 + 2 + 4
    assert certificate.notes == (
        "Of 604 numbers 34 were drawn and compared one by one, the others along random directions.",
    )
    wrong = grad(f)(big, b)
    wrong[7, 11] += 0.03
    assert not check_gradients(f, big, b, gradient=(wrong, 3 * b**2))
    few = check_gradients(f, big, b, argnums=1, samples=2)
    assert len(few.entries) == 4
    assert len(check_gradients(f, big, b, samples=604).entries) == 604


def test_the_seed_decides_what_is_drawn():
    big = RNG.normal(size=300)
    first, same, other = (
        check_gradients(lambda x: np.sum(np.sin(x)), big, seed=seed) for seed in (1, 1, 2)
    )
    assert first == same
    assert first.entries[-1].component != other.entries[-1].component


# Wrong gradients.


def fault_factor(W, b):
    return tuple(2 * g for g in right(W, b))


def fault_sign(W, b):
    return tuple(-g for g in right(W, b))


def fault_sum_for_mean(W, b):
    return tuple(g * Y.size for g in right(W, b))


def fault_mean_over_samples(W, b):
    gW, gb = right(W, b)
    return gW, gb / 6


def fault_activated_value(W, b):
    a = np.tanh(X @ W + b)
    g = 2 * (a - Y) / Y.size * (1 - np.tanh(a) ** 2)
    return X.T @ g, g.sum(axis=0)


def fault_no_derivative(W, b):
    g = 2 * (np.tanh(X @ W + b) - Y) / Y.size
    return X.T @ g, g.sum(axis=0)


def fault_no_upstream(W, b):
    g = 1 - np.tanh(X @ W + b) ** 2
    return X.T @ g, g.sum(axis=0)


def fault_missing_term(W, b):
    a = np.tanh(X @ W + b)
    g = 2 * a / Y.size * (1 - a**2)  # the part with Y is forgotten
    return X.T @ g, g.sum(axis=0)


FAULTS = [
    fault_factor,
    fault_sign,
    fault_sum_for_mean,
    fault_mean_over_samples,
    fault_activated_value,
    fault_no_derivative,
    fault_no_upstream,
    fault_missing_term,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_check_catches_a_fault_by_itself(fault):
    certificate = check_gradients(loss, W, b, gradient=fault)
    assert not certificate
    assert [check.passed for check in certificate.checks] == [False, False, False]
    assert certificate.taylor.worst < 1.5
    assert str(certificate).startswith("gradient of loss: WRONG")


def test_three_in_a_hundred_in_one_term():
    def regularised(W):
        return np.mean((np.tanh(X @ W) - Y) ** 2) + np.sum(W**2)

    data = grad(lambda W: np.mean((np.tanh(X @ W) - Y) ** 2))(W)
    assert check_gradients(regularised, W, gradient=data + 2 * W)
    certificate = check_gradients(regularised, W, gradient=data + 1.03 * 2 * W)
    assert [check.passed for check in certificate.checks] == [False, False, False]
    assert certificate.taylor.worst == pytest.approx(1.16, abs=0.1)
    assert "The Taylor slope is 1." in certificate.problems[-1]


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3)])
def test_three_in_a_hundred_in_one_number(place):
    gradient, gb = right(W, b)
    gradient[place] *= 1.03
    certificate = check_gradients(loss, W, b, gradient=(gradient, gb))
    assert not certificate
    assert [entry.component for entry in certificate.wrong] == [f"W[{place[0]}, {place[1]}]"]


def test_a_transposed_gradient_of_a_square_matrix():
    square = RNG.normal(size=(3, 3))

    def f(W):
        return np.sum(np.sin(X @ W) * Y[:, :3])

    assert check_gradients(f, square)
    certificate = check_gradients(f, square, gradient=grad(f)(square).T)
    assert certificate.problems[0] == "The gradient of W is transposed."


def test_a_factor_is_named():
    assert check_gradients(loss, W, b, gradient=fault_sum_for_mean).problems[0] == (
        "Every gradient is 24 times what it should be."
    )
    assert check_gradients(loss, W, b, gradient=fault_sign).problems[0] == (
        "Every gradient is the negative of what it should be."
    )
    assert check_gradients(loss, W, b, gradient=fault_mean_over_samples).problems[0] == (
        "The gradient of b is 0.1667 times what it should be."
    )


@pytest.mark.parametrize(
    ("primitive", "rule"),
    [
        (tanh, lambda g, y, x: (g * (1 - y),)),
        (add, lambda g, y, a, b: (g, -g)),
        (matmul, lambda g, y, a, b: (None, 1.03 * (_transposed(a) @ g))),
        (total, lambda g, y, x, **_: (2 * _right_total(g, y, x, **_)[0],)),
    ],
)
def test_a_wrong_rule_of_ours_is_caught(monkeypatch, primitive, rule):
    monkeypatch.setattr(primitive, "rule", rule)
    certificate = check_gradients(loss, W, b)
    assert [check.passed for check in certificate.checks] == [False, False, False]


_right_total = total.rule


def _transposed(x):
    from chainrule.primitives import transpose

    return transpose(x, axes=(1, 0))


def test_a_wrong_rule_is_caught_in_single_precision(monkeypatch):
    monkeypatch.setattr(tanh, "rule", lambda g, y, x: (g * (1.03 - y * y),))
    x = b.astype(np.float32)
    assert not check_gradients(lambda x: np.sum(np.tanh(x)), x)


def test_a_program_that_is_traced_as_something_else_is_caught():
    def f(x):
        return np.sum(x**2) if type(x) is np.ndarray else np.sum(x**3)

    certificate = check_gradients(f, b)
    assert not certificate
    assert "The traced graph gives" in certificate.problems[0]
    assert certificate.complex_step.passed
    assert not certificate.central_differences.passed


# Kinks.


def test_on_a_kink_is_reported_with_its_line_and_is_no_failure():
    def f(z):
        hidden = np.maximum(z, 0)
        return np.sum(hidden * np.arange(1, 5))

    certificate = check_gradients(f, np.array([1.0, 0.0, -2.0, 0.0]))
    assert certificate
    (kink,) = certificate.kinks
    assert kink.operation == "maximum"
    assert "test_certificate.py, line" in kink.place
    assert "hidden = np.maximum(z, 0)" in kink.place
    assert kink.components == ("z[1]", "z[3]")
    assert (kink.gradient, kink.before, kink.after) == pytest.approx((0, 0, 2))
    assert kink.beside is True
    text = " ".join(str(certificate).split())
    assert "at a kink, where there is no derivative and either slope may be taken:" in text
    assert "z[1] and 1 more: 0 is taken for z[1], between slopes of 0 and 2." in text
    assert "Beside the kink it is right." in text


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: np.sum(np.abs(x)), [1.0, 0.0]),
        (lambda x: np.sum(np.maximum(0, x) ** 2 + np.maximum(0, x)), [0.0, 1.0]),
        (lambda x: np.max(x), [1.0, 2.0, 2.0]),
        (lambda x: np.sum(np.clip(x, -1, 1)), [1.0, 0.5]),
        (lambda x: np.sum(np.where(x > 1, x, x**2)), [1.0, 3.0]),
        (lambda x: x[np.argmax(x)], [2.0, 2.0]),
        (lambda x: x[0] if x[0] >= x[1] else 3 * x[1], [2.0, 2.0]),
        (lambda x: np.sum(x[x >= 0.0] + 1), [0.0, 1.0]),
        (lambda x: np.sum(x * np.floor(x)), [2.0, 1.3]),
    ],
)
def test_kinks_of_every_kind(function, x):
    certificate = check_gradients(function, np.array(x))
    assert certificate, str(certificate)
    assert certificate.kinks


def test_the_notebooks_zero_sample_puts_the_bias_on_a_kink():
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([[0.0], [1], [1], [0]])

    def f(W1, b1, W2, b2):
        return np.mean((np.maximum(X @ W1 + b1, 0) @ W2 + b2 - y) ** 2)

    def by_hand(W1, b1, W2, b2, at_zero=0.0, factor=1.0):
        z = X @ W1 + b1
        a = np.maximum(z, 0)
        g = 2 * (a @ W2 + b2 - y) / 4
        gz = g @ W2.T * np.where(z == 0, at_zero, z > 0)
        return X.T @ gz, factor * gz.sum(0, keepdims=True), a.T @ g, g.sum(0, keepdims=True)

    rng = np.random.default_rng(1)
    arguments = (
        rng.normal(size=(2, 3)),
        np.zeros((1, 3)),
        rng.normal(size=(3, 1)),
        np.ones((1, 1)),
    )
    ours = check_gradients(f, *arguments)
    assert ours
    assert ours.kinks[0].components == ("b1[0, 0]", "b1[0, 1]", "b1[0, 2]")
    assert ours.kinks[0].beside is True
    for at_zero in (0.0, 0.5, 1.0):
        assert check_gradients(f, *arguments, gradient=by_hand(*arguments, at_zero=at_zero))
        assert check_gradients(f, *arguments, gradient=by_hand)
    wrong = check_gradients(f, *arguments, gradient=by_hand(*arguments, factor=4.0))
    assert {entry.argument for entry in wrong.wrong} == {"b1"}
    beside = check_gradients(f, *arguments, gradient=lambda *a: by_hand(*a, factor=4.0))
    assert beside.kinks[0].beside is False
    assert "Beside it, it is WRONG." in str(beside)


def test_a_rule_that_is_wrong_beside_its_kink_is_caught(monkeypatch):
    monkeypatch.setattr(absolute, "rule", lambda g, y, x: (2 * _right_absolute(g, y, x)[0],))
    assert not check_gradients(lambda x: np.sum(np.abs(x)), np.zeros(2))


_right_absolute = absolute.rule


@pytest.mark.parametrize("distance", [1e-3, 4e-6, -1e-7, 1e-9])
def test_near_a_kink_the_step_is_made_smaller(distance):
    certificate = check_gradients(
        lambda x: np.sum(np.maximum(x, 0) ** 3 + np.abs(x)), np.array([1.0, distance])
    )
    assert certificate, str(certificate)
    assert not certificate.kinks
    assert certificate.entries[1].step <= abs(distance) or distance == 1e-3


def test_a_fault_near_a_kink_is_caught(monkeypatch):
    rule = maximum.rule
    monkeypatch.setattr(maximum, "rule", lambda *a: tuple(p and 1.03 * p for p in rule(*a)))
    assert not check_gradients(lambda x: np.sum(np.maximum(x, 0)), np.array([1e-7, -1e-7]))


# Kinks that the rounding of single precision carries a point over, or onto.

ROOT, SQUARE = 1 + 2.0**-13, 1 + 2.0**-12  # the root's square is larger by 2⁻²⁶
CARRIED = [
    # In double the first is beside the kink by less than single precision shows.
    (lambda x: np.sum(np.clip(x - 2.0**-26, -1.0, 1.0) * [3, 2]), [1.0, 0.5]),
    (lambda x: np.sum(np.abs(x * x - SQUARE) * [3, 2]), [ROOT, 0.5]),
    (lambda x: np.sum(np.where(x > 0.1, 3 * x, x)), [0.1, 0.5]),
    (lambda x: np.max(x * x - [2.0**-12, 0.0, 3.0]) + np.sum(x), [ROOT, 1.0, 1.0]),
    (lambda x: np.sum(np.floor(x - 2.0**-26) * x), [3.0, 1.5]),
    # The program itself is led elsewhere, or a shape is another one.
    (lambda x: 5 * x[0] if x[0] > 0.1 else np.sum(x * x), [0.1, 0.5]),
    (lambda x: np.sum((x * x)[x * x > SQUARE]), [ROOT, 2.0]),
]


@pytest.mark.parametrize(("function", "x"), CARRIED)
def test_rounding_over_a_kink_is_no_fault(function, x):
    x = np.array(x, np.float32)
    ours = grad(function)(x)
    assert not np.allclose(ours, grad(function)(x.astype(np.float64)))
    certificate = check_gradients(function, x)
    assert certificate, str(certificate)
    assert "another branch is taken than in double: " in certificate.notes[0]
    assert "test_certificate.py, line" in certificate.notes[0]
    assert check_gradients(function, x, gradient=ours)
    # What is not carried over is compared as closely as ever, and the other up to the jump.
    for position, fault in ((0, 20), (-1, 0.01)):
        wrong = ours.copy()
        wrong[position] += fault
        assert check_gradients(function, x, gradient=wrong).contradicted


def test_a_fault_of_single_precision_alone_is_caught_beside_a_kink(monkeypatch):
    def rule(g, y, x):
        factor = 1.03 if x.dtype == np.float32 else 1.0
        return (factor * g * (1 - y * y),)

    def f(x):
        return np.sum(np.clip(x[:2] - 2.0**-26, -1, 1) * [3, 2]) + np.sum(np.tanh(x[2:]))

    x = np.array([1.0, 0.5, 0.3, 0.4], np.float32)
    assert check_gradients(f, x)
    monkeypatch.setattr(tanh, "rule", rule)
    certificate = check_gradients(f, x)
    assert [entry.component for entry in certificate.wrong] == ["x[2]", "x[3]"]


# What cannot be compared, and what is not finite.


def test_what_stop_gradient_holds_is_held():
    def f(x):
        return np.sum(x * stop_gradient(x))

    certificate = check_gradients(f, b)
    assert certificate, str(certificate)
    assert "What stop_gradient lets no gradient through is held still" in certificate.notes[0]
    assert "test_certificate.py" in certificate.notes[0]
    assert not check_gradients(f, b, gradient=2 * b)


def test_a_value_that_is_not_finite_is_located():
    def f(p):
        logarithm = np.log(p)
        return np.sum(logarithm * p)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = check_gradients(f, np.array([1.0, -1.0]))
    assert not certificate
    (problem,) = certificate.problems
    assert problem.startswith("The value is nan. It first appears in log, ")
    assert problem.endswith("in `logarithm = np.log(p)`.")
    assert certificate.checks == tuple(replace(c, passed=None) for c in certificate.checks)
    assert str(certificate).startswith("gradient of f: NOT PROVED")


def test_a_gradient_that_is_not_finite_is_located():
    def f(x):
        norm = np.sqrt(np.sum(x**2))
        return norm

    (problem,) = check_gradients(f, np.zeros(3)).problems
    assert problem.startswith("The gradient of x[0] is nan. It first appears while the derivative")
    assert "in divide, " in problem
    assert "norm = np.sqrt(np.sum(x**2))" in problem
    (problem,) = check_gradients(np.sum, b, gradient=np.array([1.0, np.inf, 1, 1])).problems
    assert problem.endswith("[1] is inf.")


def test_an_overflow_that_a_gradient_meets_is_located():
    def f(z):
        grown = np.exp(-z)
        return np.sum(1 / (1 + grown))

    (problem,) = check_gradients(f, np.array([-1000.0])).problems
    assert "in exp, " in problem
    assert "grown = np.exp(-z)" in problem


def test_an_argument_that_is_not_finite_is_named():
    assert check_gradients(loss, W, np.array([1.0, np.nan, 1, 1])).problems == (
        "The argument b[1] is nan.",
    )


def test_a_function_that_cannot_be_traced_is_checked_by_its_values():
    def f(x):
        return float(np.sum(np.sin(np.array(x.tolist()))))

    with pytest.raises(TraceError):
        check_gradients(f, b)
    certificate = check_gradients(f, b, gradient=np.cos)
    assert certificate
    assert certificate.complex_step.passed is None
    assert "The complex step is not made, since f cannot be traced" in certificate.notes[0]
    assert not check_gradients(f, b, gradient=1.03 * np.cos(b))


def test_where_python_raises_beside_the_point_there_is_no_difference():
    def f(x):
        return math.sqrt(float(x))

    certificate = check_gradients(f, 1e-30, gradient=0.5e15)
    assert certificate, str(certificate)
    assert not check_gradients(f, 1e-30, gradient=0.6e15)
    (problem,) = check_gradients(f, 0.0, gradient=1.0).problems
    assert problem == "No derivative could be compared."


def test_a_kink_is_found_without_a_graph():
    def f(x):
        return float(sum(max(value, 0.0) for value in x.tolist()))

    x = np.array([1.0, 0.0, -1.0])
    certificate = check_gradients(f, x, gradient=(x > 0) * 1.0)
    assert certificate
    assert certificate.kinks[0].place == "found from the values alone"
    assert not check_gradients(f, x, gradient=np.array([1.0, 2.0, 0.0]))


def test_the_same_random_numbers_are_drawn_each_time():
    def dropout(x):
        return np.sum(np.sin(x) * (np.random.random(x.shape) < 0.5))

    def with_generator(x, rng):
        return np.sum(np.sin(x) * (rng.random(4) < 0.5))

    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    assert check_gradients(dropout, b)
    assert np.array_equal(np.random.random(3), expected)
    assert check_gradients(with_generator, b, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    (problem,) = check_gradients(lambda x: np.sum(x * rng.normal(size=4)), b).problems
    assert "for the same arguments. Pass its random numbers, or a generator" in problem


def test_arguments_are_not_changed():
    def f(x, scratch):
        scratch += 1
        x *= 2
        return np.sum(np.sin(x)) + 0 * np.sum(scratch)

    x, scratch = b.copy(), np.zeros(3)
    assert check_gradients(f, x, scratch, argnums=0)
    assert np.array_equal(x, b)
    assert not scratch.any()


def test_rounding_that_hides_a_derivative_is_said():
    def f(x):
        return np.sum(np.sin(3e4 * (x + np.float32(1e5))))

    certificate = check_gradients(f, b.astype(np.float32))
    assert not certificate
    assert "Rounding is too large to compare the derivatives: x[0] is" in certificate.problems[0]
    assert str(certificate).startswith("gradient of f: NOT PROVED")


# Refusals.


def test_refused_arguments():
    with pytest.raises(GradientError, match=r"No argument of f holds.*Write 3\.0 in place of 3"):
        check_gradients(_named_f, 3)
    with pytest.raises(GradientError, match=r"The argument n is the whole number 3.*Write 3\.0"):
        check_gradients(_named_f, 3, argnums=0)
    with pytest.raises(GradientError, match=r"The argument n has no floating-point numbers"):
        check_gradients(_named_f, "three", argnums="n")
    with pytest.raises(GradientError, match=r"has no argument 'm' in this call"):
        check_gradients(_named_f, 3.0, argnums="m")
    with pytest.raises(GradientError, match=r"returns an array of shape \(4,\)"):
        check_gradients(_named_f, b)
    with pytest.raises(GradientError, match=r"returns an array of shape \(4,\) and dtype float64"):
        check_gradients(lambda x: np.array(x.tolist()), b, gradient=b)


def _named_f(n):
    return n * 2


_named_f.__name__ = "f"


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        ((W.T, b), r"given for W has shape \(4, 3\), and W has shape \(3, 4\). It seems to be tr"),
        ((W, b.sum()), r"for b has shape \(\), and b has shape \(4,\). It seems to be summed over"),
        ((W, X @ W), r"shape \(6, 4\), and b has shape \(4,\). A broadcast argument's gradient is"),
        (W, r"The gradient given is a ndarray; it is to be a tuple of 2, one for each of the arg"),
        (({"W": W}, b), r"The gradient given for W is nested as W\['W'\], and the argument as W"),
        ((W, b * 1j), r"The gradient given for b has dtype complex128"),
    ],
)
def test_refused_gradients(gradient, message):
    with pytest.raises(GradientError, match=message):
        check_gradients(loss, W, b, gradient=gradient)


def test_refused_inside_a_trace():
    def f(x):
        check_gradients(np.sum, x)
        return np.sum(x)

    with pytest.raises(GradientError, match="is called inside a traced function"):
        grad(f)(b)


# The certificate.


def test_raise_if_wrong():
    check_gradients(loss, W, b).raise_if_wrong()
    gradient, gb = right(W, b)
    gradient[2, 1] += 1.0
    certificate = check_gradients(loss, W, b, gradient=(gradient, gb))
    assert certificate.worst["W"].component == "W[2, 1]"
    assert not certificate.worst["b"].wrong
    with pytest.raises(GradientError, match=r"gradient of loss: WRONG") as raised:
        certificate.raise_if_wrong()
    assert "1 of 16 derivatives differ from what is measured, most of all W[2, 1]" in str(
        raised.value
    )


def test_the_report_of_a_right_gradient():
    lines = str(check_gradients(loss, W, b)).splitlines()
    assert lines[0] == "gradient of loss: right"
    assert lines[1].endswith("; 16 numbers of float64")
    assert lines[3].split() == ["check", "compared", "largest", "rel.", "error", "allowed", "there"]
    assert lines[4].startswith("complex step                16 ")
    assert lines[6].startswith("Taylor slope                 3 ")
    assert lines[6].endswith("≥ 1.90  right")
    assert [line.split("[")[0] for line in lines[9:]] == ["W", "b"]


def test_reports_fit_a_terminal():
    long = {f"a_rather_long_name_of_a_parameter_{i}": RNG.normal(size=(2, 2)) for i in range(3)}
    deep = {"layers": [long, {"bias": np.zeros(3)}]}

    def a_function_with_a_name_that_is_quite_a_bit_longer_than_anyone_would_like_it_to_be(deep):
        first, second = deep["layers"]
        return sum(np.sum(np.maximum(v, 0)) for v in first.values()) + np.sum(
            np.abs(second["bias"])
        )

    f = a_function_with_a_name_that_is_quite_a_bit_longer_than_anyone_would_like_it_to_be
    for gradient in (None, {"layers": [long, {"bias": np.ones(3)}]}):
        certificate = check_gradients(f, deep, gradient=gradient)
        assert certificate.passed is (gradient is None)
        assert max(map(len, str(certificate).splitlines())) <= 80
    assert "[0]['a_rather_long_name_of" in str(certificate) or "_parameter_2'][" in str(certificate)


def test_as_data():
    gradient, gb = right(W, b)
    data = check_gradients(loss, W, b, gradient=(gradient, 2 * gb)).to_dict()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text) == data
    assert data["passed"] is False
    assert data["function"] == "loss"
    assert len(data["entries"]) == 16
    assert sum(entry["wrong"] for entry in data["entries"]) == 4
    assert set(data["worst"]) == {"W", "b"}
    assert data["taylor"]["passed"] is False
    not_finite = check_gradients(lambda x: np.divide(x, 0.0), 1.0).to_dict()
    assert not_finite["value"] == "inf"
    json.dumps(not_finite, allow_nan=False)


def test_a_certificate_is_frozen():
    certificate = check_gradients(loss, W, b)
    assert isinstance(certificate, Certificate)
    with pytest.raises(AttributeError):
        certificate.value = 3.0


def test_a_relative_error_of_two_zeros_is_zero():
    entry = Entry("x", "x[0]", 1e-17, 0.0, 1e-12, 0.0, 1e-12, 1e-6)
    assert entry.relative_error == 0
    assert not entry.wrong


# How far rounding goes, against what is known.


@pytest.mark.parametrize("noise", [1e-12, 1e-9, 1e-6])
def test_noise_is_measured(noise):
    def f(x):
        # Its noise has no graph: it comes from the numbers' last digits.
        shaken = np.sin(1e15 * np.sum(np.array(x.tolist()) * [1.0, 3.0]))
        return float(np.sum(np.sin(x)) + noise * shaken)

    subject = Subject(f, (np.array([0.3, 0.9]),), {}, None)
    point = Point(subject, subject.origin, gradient=np.cos)
    point.measure_noise(np.random.default_rng(0))
    assert noise / 10 < point.noise < 5 * noise


# Random programs.

PIECES = {
    "tanh": np.tanh,
    "exp": lambda x: np.exp(0.3 * x),
    "relu": lambda x: np.maximum(x, 0),
    "leaky": lambda x: np.where(x > 0, x, 0.01 * x),
    "abs": np.abs,
    "square": np.square,
    "softmax": lambda x: scipy.special.softmax(x, axis=-1),
    "log-softmax": lambda x: scipy.special.log_softmax(x, axis=-1),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "largest": lambda x: x - np.max(x, axis=-1, keepdims=True),
    "cumsum": lambda x: np.cumsum(x, axis=0),
    "rational": lambda x: x / (1 + x * x),
    "clip": lambda x: np.clip(x, -1, 1),
    "normal": lambda x: (
        (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 0.01)
    ),
    "root": lambda x: np.sqrt(np.abs(x) + 0.01),
    "waves": lambda x: np.sin(10 * x),
    "mask": lambda x: x * (x > np.mean(x)),
    "larger": lambda x: 100 * x,
    "smaller": lambda x: 0.01 * x,
    "nothing": lambda x: 0 * x,
}
PROGRAMS = st.tuples(
    st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=4),
    st.sampled_from([np.float64, np.float64, np.float32]),
    st.sampled_from(["anywhere", "on whole numbers", "small", "large"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)


def drawn(program):
    """A random scalar function, and where to check it."""
    names, dtype, where, mixed, seed = program
    rng = np.random.default_rng(seed)
    weights, M = (rng.normal(size=s).astype(dtype) for s in ((3, 4), (4, 4)))
    x, bias = (rng.normal(size=s) for s in ((3, 4), 4))
    if where == "on whole numbers":
        x, bias = np.round(x), np.round(bias)
    scale = {"small": 1e-3, "large": 30.0}.get(where, 1.0)

    def f(x, bias):
        x = x @ M + bias if mixed else x + bias
        for name in names:
            x = PIECES[name](x)
        return np.mean((x - weights) ** 2)

    return f, ((scale * x).astype(dtype), bias.astype(dtype))


@settings(max_examples=300)
@given(PROGRAMS)
# Single precision rounds the sigmoid to 1, which is where the clip has its kink.
@example((["abs", "larger", "sigmoid", "clip"], np.float32, "anywhere", True, 91))
def test_no_false_alarm(program):
    f, arguments = drawn(program)
    certificate = check_gradients(f, *arguments)
    assert not certificate.contradicted, str(certificate)
    # Some have no finite value or gradient there, or one that single precision cannot tell.
    excuses = ("The value is", "The gradient of", "Rounding is too large")
    assert all(text.startswith(excuses) for text in certificate.problems), str(certificate)


@settings(max_examples=60)
@given(PROGRAMS)
def test_no_fault_goes_unseen(program):
    f, arguments = drawn(program)
    with np.errstate(all="ignore"):
        gradients = [np.array(g) for g in grad(f, argnums=(0, 1))(*arguments)]
    before = check_gradients(f, *arguments)
    place = np.argmax(np.abs(gradients[0]))
    clear = [
        entry
        for entry in before.entries[: gradients[0].size]
        if abs(entry.gradient) > 100 * entry.difference_tolerance
    ]
    if before.kinks or len(clear) < gradients[0].size:
        return
    gradients[0].flat[place] *= 1.03
    certificate = check_gradients(f, *arguments, gradient=tuple(gradients))
    assert certificate.contradicted, str(certificate)
