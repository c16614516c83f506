"""Activations against long-double closed forms, at the extremes, and against PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.networks.activations import ACTIVATIONS, activation

LONG = np.longdouble
SELU_ALPHA = LONG("1.6732632423543772848170429916717")
SELU_SCALE = LONG("1.0507009873554804934193349852946")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def gelu(x):
    tails = np.array([math.erfc(-float(v) / math.sqrt(2)) for v in x.ravel()], LONG)
    return LONG("0.5") * x * tails.reshape(x.shape)


CLOSED_FORMS = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, LONG(0.01) * x),
    "elu": elu,
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * elu(x)),
    "gelu": gelu,
    "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    "softmax": softmax,
    "exponential": np.exp,
    "identity": lambda x: x,
}
# Elementwise, and finite at any finite input.
BOUNDED = sorted(set(ACTIVATIONS) - {"softmax", "exponential"})


def test_every_activation_has_a_closed_form_here():
    assert set(CLOSED_FORMS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_closed_form(name):
    x = np.random.default_rng(0).normal(size=(7, 5)) * 4
    x[0] = [0.0, -0.5, 0.5, 1e-9, -1e-9]
    expected = CLOSED_FORMS[name](x.astype(LONG)).astype(float)
    # gelu's 1 + erf loses digits in the far negative tail, where the value itself is tiny.
    np.testing.assert_allclose(
        activation(name)(x), expected, rtol=1e-14, atol=1e-15 if name == "gelu" else 0
    )


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_and_the_input_are_kept(name, dtype):
    x = np.linspace(-3, 3, 12).reshape(3, 4).astype(dtype)
    before = x.copy()
    y = activation(name)(x)
    assert y.dtype == dtype
    assert y.shape == x.shape
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_inputs_neither_overflow_nor_warn(name, dtype):
    x = np.array([[-1e30, -1000, -50, 0, 50, 1000, 1e30]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = activation(name)(x)
    assert np.isfinite(y).all()
    # The two far ends are the asymptotes.
    limits = {
        "sigmoid": (0, 1),
        "tanh": (-1, 1),
        "relu": (0, x[0, -1]),
        "leaky_relu": (dtype(0.01) * x[0, 0], x[0, -1]),
        "elu": (-1, x[0, -1]),
        "selu": (-1.7580993408473766, 1.0507009873554805 * x[0, -1]),
        "gelu": (0, x[0, -1]),
        "silu": (0, x[0, -1]),
        "softplus": (0, x[0, -1]),
        "identity": (x[0, 0], x[0, -1]),
    }
    np.testing.assert_allclose(y[0, [0, -1]], limits[name], rtol=1e-6)


def test_softmax_at_large_inputs():
    x = np.array([[1000.0, -1000.0, 999.0], [-1e30, -1e30, -1e30]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = activation("softmax")(x)
    np.testing.assert_allclose(y[0], [1 / (1 + math.exp(-1)), 0, 1 / (1 + math.e)], atol=1e-16)
    np.testing.assert_allclose(y[1], [1 / 3] * 3)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_nan_is_carried_through(name):
    x = np.array([[0.5, np.nan, -0.5]])
    with np.errstate(invalid="ignore"):  # NumPy's logaddexp says so when it meets one.
        y = activation(name)(x)
    assert np.isnan(y[0, 1])
    if name != "softmax":
        assert np.isfinite(y[0, [0, 2]]).all()


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_infinite_inputs_give_the_limit(name):
    with np.errstate(invalid="ignore"):
        low, high = activation(name)(np.array([-np.inf, np.inf]))
    lows = {
        "tanh": -1,
        "leaky_relu": -np.inf,
        "elu": -1,
        "selu": -1.7580993408473766,
        "identity": -np.inf,
        # -inf times 0, as in PyTorch.
        "gelu": np.nan,
        "silu": np.nan,
    }
    np.testing.assert_allclose(low, lows.get(name, 0))
    assert high == (1 if name in ("sigmoid", "tanh") else np.inf)


@given(hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-700, 700)))
def test_softmax_rows_are_probabilities(x):
    y = activation("softmax")(x)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=1), 1)


def test_settings():
    x = np.array([-2.0, 3.0])
    np.testing.assert_allclose(activation("leaky_relu(slope=0.3)")(x), [-0.6, 3.0])
    np.testing.assert_allclose(activation("elu(alpha=2)")(x), [2 * math.expm1(-2), 3.0])


def test_as_pytorch_computes_them():
    torch = pytest.importorskip("torch")
    x = np.concatenate([np.random.default_rng(1).normal(size=50) * 5, [0.0, 1000.0, -1000.0]])
    functional = torch.nn.functional
    theirs = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": functional.leaky_relu,
        "elu": functional.elu,
        "selu": functional.selu,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "softplus": functional.softplus,
        "softmax": lambda t: torch.softmax(t, -1),
    }
    for name, function in theirs.items():
        expected = function(torch.from_numpy(x)).numpy()
        # PyTorch's softplus is the identity above 20.
        tolerance = 3e-9 if name == "softplus" else 1e-12
        np.testing.assert_allclose(activation(name)(x), expected, tolerance, 1e-14, err_msg=name)
