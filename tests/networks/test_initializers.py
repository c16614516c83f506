"""Initial weights: variances, bounds, the notebook's draws, and bits that repeat."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.networks.initializers import INITIALIZERS, initializer

IN, OUT = 300, 200
VARIANCES = {
    "standard_normal": 1,
    "standard_normal(scale=0.1)": 0.01,
    "uniform": 1 / (3 * IN),
    "uniform(limit=0.5)": 0.25 / 3,
    "glorot": 2 / (IN + OUT),
    "glorot_uniform": 2 / (IN + OUT),
    "glorot_normal": 2 / (IN + OUT),
    "he": 2 / IN,
    "he_uniform": 2 / IN,
    "he_normal": 2 / IN,
    "lecun": 1 / IN,
    "lecun_uniform": 1 / IN,
    "lecun_normal": 1 / IN,
    "orthogonal": 1 / IN,
    "orthogonal(gain=2)": 4 / IN,
    "zeros": 0,
}


def test_every_initializer_has_a_variance_here():
    assert {text.split("(")[0] for text in VARIANCES} == set(INITIALIZERS)


@pytest.mark.parametrize("text", VARIANCES)
@pytest.mark.parametrize("rng", [np.random.default_rng, np.random.RandomState])
def test_mean_and_variance(text, rng):
    W = initializer(text)(rng(0), IN, OUT)
    assert W.shape == (IN, OUT)
    # Over 60,000 draws, four standard errors of either estimate stay below these bounds.
    np.testing.assert_allclose(W.var(), VARIANCES[text], rtol=0.025)
    assert abs(W.mean()) <= 4 * math.sqrt(VARIANCES[text] / W.size)


@pytest.mark.parametrize("text", VARIANCES)
def test_the_shape_of_the_distribution(text):
    W = initializer(text)(np.random.default_rng(1), IN, OUT).ravel()
    if text == "zeros":
        return
    kurtosis = np.mean(W**4) / np.mean(W**2) ** 2
    uniform = "uniform" in text or text == "glorot"
    # 1.8 for a uniform distribution, 3 for a normal one (and nearly so for orthogonal entries).
    assert abs(kurtosis - (1.8 if uniform else 3)) < 0.12
    if uniform:
        assert np.abs(W).max() <= math.sqrt(3 * VARIANCES[text])


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_orthogonal_rows_or_columns(fan_in, fan_out, seed):
    W = initializer("orthogonal")(np.random.default_rng(seed), fan_in, fan_out)
    product = W @ W.T if fan_in < fan_out else W.T @ W
    np.testing.assert_allclose(product, np.eye(min(fan_in, fan_out)), atol=1e-13)


def test_the_draws_of_numpy_random_randn():
    np.random.seed(42)
    expected = np.random.randn(2, 3)
    W = initializer("standard_normal")(np.random.RandomState(42), 2, 3)
    np.testing.assert_array_equal(W, expected)


@pytest.mark.parametrize("text", VARIANCES)
def test_the_same_seed_gives_the_same_bits(text):
    draw = initializer(text)
    one, two = draw(np.random.default_rng(5), 4, 3), draw(np.random.default_rng(5), 4, 3)
    np.testing.assert_array_equal(one, two)
