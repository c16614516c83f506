"""The certificate passes right gradients, catches wrong ones, and does not cry at kinks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import check_gradients, grad, stop_gradient
from chainrule.errors import GradientError

RNG = np.random.default_rng(20)
X = RNG.normal(size=(6, 3))
W = RNG.normal(size=(3, 4))
b = RNG.normal(size=4)
y = RNG.normal(size=(6, 4))


def loss(W, b):
    z = X @ W + b
    return np.mean((np.tanh(z) - y) ** 2)


def right(W, b):
    return grad(loss, argnums=(0, 1))(W, b)


def test_a_right_gradient_passes_all_three():
    certificate = check_gradients(loss, W, b)
    assert certificate.passed
    assert certificate.entries == 16
    assert len(certificate.complex_step) == len(certificate.central) == 16
    assert certificate.worst("complex_step").relative < 1e-12
    assert certificate.worst("central").relative < 1e-6
    assert certificate.slope == pytest.approx(2.0, abs=0.05)
    assert "gradient of loss: right" in str(certificate)


def factor(dW, db):
    return 2 * dW, 2 * db


def sign(dW, db):
    return -dW, -db


def bias_mean_for_sum(dW, db):
    return dW, db / 6


def one_entry_three_percent(dW, db):
    dW = dW.copy()
    dW[1, 2] *= 1.03
    return dW, db


def derivative_at_the_activation(dW, db):
    z = X @ W + b
    g = 2 * (np.tanh(z) - y) / y.size * (1 - np.tanh(np.tanh(z)) ** 2)
    return X.T @ g, g.sum(axis=0)


def activation_left_out(dW, db):
    g = 2 * (np.tanh(X @ W + b) - y) / y.size
    return X.T @ g, g.sum(axis=0)


@pytest.mark.parametrize(
    "fault",
    [
        factor,
        sign,
        bias_mean_for_sum,
        one_entry_three_percent,
        derivative_at_the_activation,
        activation_left_out,
    ],
)
def test_a_wrong_gradient_is_caught_by_each_comparison(fault):
    certificate = check_gradients(loss, W, b, gradient=lambda W, b: fault(*right(W, b)))
    assert not certificate
    text = "\n".join(certificate.problems)
    assert "differ from the complex step" in text
    assert "differ from the central difference" in text
    assert "The Taylor slope is" in text
    assert certificate.slope < 1.6


def test_a_transposed_gradient_of_a_square_matrix_is_caught():
    square = RNG.normal(size=(3, 3))

    def f(W):
        return np.sum(np.sin(X @ W) * y[:, :3])

    assert check_gradients(f, square)
    assert not check_gradients(f, square, gradient=grad(f)(square).T)


def test_a_wrong_rule_of_ours_is_caught(monkeypatch):
    from chainrule.primitives import tanh

    monkeypatch.setattr(tanh, "rule", lambda g, y, x: (g * (1 - y),))
    assert not check_gradients(loss, W, b)


def test_the_worst_entry_is_named():
    gradient = right(W, b)
    gradient[0][2, 1] += 1.0
    certificate = check_gradients(loss, W, b, gradient=gradient)
    assert certificate.worst().name == "W[2, 1]"
    assert "W[2, 1]" in str(certificate)
    with pytest.raises(GradientError, match=r"The gradient of loss is wrong"):
        certificate.raise_if_wrong()


@pytest.mark.parametrize(
    "function",
    [lambda x: np.sum(np.maximum(x, 0) ** 2 + np.maximum(0, x)), lambda x: np.sum(np.abs(x))],
)
def test_on_a_kink_is_reported_and_no_failure(function):
    certificate = check_gradients(function, np.array([1.0, 0.0, -2.0]))
    assert certificate.passed
    assert len(certificate.central) == 2
    assert any(
        "There is a kink" in text and "test_certificate.py" in text for text in certificate.kinks
    )


def test_near_a_kink_the_step_is_made_smaller():
    certificate = check_gradients(lambda x: np.sum(np.maximum(x, 0) ** 3), np.array([1.0, 4e-6]))
    assert certificate.passed
    assert len(certificate.central) == 2
    assert not certificate.kinks


def test_linear_constant_and_unused():
    assert check_gradients(lambda x: 3 * np.sum(x), b).linear
    assert check_gradients(lambda x: np.sum(x * 0) + 1.0, b)
    assert check_gradients(lambda x, unused: np.sum(x**2), b, W)
    assert not check_gradients(lambda x: 3 * np.sum(x), b, gradient=np.full(4, 3.1))


def test_single_precision():
    W32 = W.astype(np.float32)

    def f(W):
        return np.sum(np.tanh(X.astype(np.float32) @ W))

    assert check_gradients(f, W32)
    assert not check_gradients(f, W32, gradient=1.03 * grad(f)(W32))


def test_many_entries_are_sampled_and_directions_drawn():
    big = RNG.normal(size=(30, 20))
    certificate = check_gradients(lambda W: np.sum(np.exp(-(W**2))), big)
    assert certificate
    assert len(certificate.central) == 65
    wrong = grad(lambda W: np.sum(np.exp(-(W**2))))(big)
    wrong[3] *= 1.5
    assert not check_gradients(lambda W: np.sum(np.exp(-(W**2))), big, gradient=wrong)


def test_nested_arguments_and_names():
    def f(parameters, scale):
        return scale * np.sum(np.sin(parameters["W"] @ parameters["v"][0]))

    arguments = ({"W": W, "v": [np.ones(4)]}, 2.0)
    assert check_gradients(f, *arguments).entries == 17
    assert check_gradients(f, *arguments, argnums="scale").entries == 1


def test_a_cut_is_said_and_not_compared():
    certificate = check_gradients(lambda x: np.sum(x * stop_gradient(x)), b)
    assert not certificate.central
    assert any("stop_gradient" in note for note in certificate.notes)


def test_what_is_not_finite_is_located():
    with np.errstate(all="ignore"):
        certificate = check_gradients(lambda x: np.sum(np.log(x)), np.array([1.0, -1.0]))
    assert "not finite at" in certificate.problems[0]
    assert "np.log(x)" in certificate.problems[0]


def test_refusals():
    with pytest.raises(GradientError, match=r"no gradient to check.*Write 2\.0 in place of 2"):
        check_gradients(lambda n: n * 2, 3)
    with pytest.raises(GradientError, match=r"has the shapes \[\(3,\)\], and the arguments have"):
        check_gradients(lambda x: np.sum(x), b, gradient=np.ones(3))
    with pytest.raises(GradientError, match=r"returns an array of shape \(4,\)"):
        check_gradients(lambda x: 2 * x, b)


def test_as_data():
    data = check_gradients(loss, W, b).to_dict()
    assert data["passed"] is True
    assert len(data["central"]) == 16
    assert set(data["central"][0]) == {"name", "gradient", "numeric", "allowed", "relative"}


PIECES = {
    "tanh": np.tanh,
    "exp": lambda x: np.exp(0.3 * x),
    "relu": lambda x: np.maximum(x, 0),
    "abs": np.abs,
    "square": np.square,
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True),
    "largest": lambda x: x - np.max(x, axis=-1, keepdims=True),
    "sorted sum": lambda x: np.cumsum(x, axis=0),
    "divide": lambda x: x / (1 + x * x),
    "clip": lambda x: np.clip(x, -1, 1),
}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_no_false_alarm(names, seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, 4))

    def f(x):
        for name in names:
            x = PIECES[name](x)
        return np.sum(weights * x)

    certificate = check_gradients(f, rng.normal(size=(3, 4)), seed=seed)
    assert certificate.passed, str(certificate)
