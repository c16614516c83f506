"""Losses against the formulas of the textbooks, at extreme logits, and against peers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.networks import LOSSES, loss
from chainrule.networks.losses import Loss

rng = np.random.default_rng(7)
Z = rng.normal(size=(6, 3)) * 2
Y = rng.normal(size=(6, 3))
BITS = (rng.random((6, 3)) < 0.5).astype(float)
COUNTS = rng.poisson(2.0, size=(6, 3)).astype(float)
CLASSES = np.array([0, 2, 1, 1, 0, 2])
ONE_HOT = np.eye(3)[CLASSES]
WEIGHT = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.5])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def deviance(y):
    return np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y


# One entry per (sample, output), by the definition; all are then averaged.
ENTRIES = {
    "squared_error": (lambda a, y: (a - y) ** 2, Y),
    "half_squared_error": (lambda a, y: (a - y) ** 2 / 2, Y),
    "absolute_error": (lambda a, y: np.abs(a - y), Y),
    "huber": (
        lambda a, y: np.where(np.abs(a - y) <= 1, (a - y) ** 2 / 2, np.abs(a - y) - 0.5),
        Y,
    ),
    "quantile(q=0.8)": (lambda a, y: np.where(y > a, 0.8 * (y - a), 0.2 * (a - y)), Y),
    "binary_cross_entropy": (
        lambda z, y: -y * np.log(sigmoid(z)) - (1 - y) * np.log(1 - sigmoid(z)),
        BITS,
    ),
    "hinge": (lambda z, y: np.maximum(0, 1 - np.where(y == 1, 1, -1) * z), BITS),
    "poisson": (lambda z, y: np.exp(z) - y * z + deviance(y), COUNTS),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_mean_of_the_definition(name):
    entries, y = ENTRIES[name]
    value = loss(name)(Z, y)
    assert value.shape == ()
    np.testing.assert_allclose(value, entries(Z, y).mean(), rtol=1e-13)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_weighted_mean_of_the_definition(name):
    entries, y = ENTRIES[name]
    expected = np.average(entries(Z, y), axis=0, weights=WEIGHT).mean()
    np.testing.assert_allclose(loss(name)(Z, y, WEIGHT), expected, rtol=1e-13)


def test_sum_of_squared_errors():
    errors = (Z - Y) ** 2
    np.testing.assert_allclose(loss("squared_error_sum")(Z, Y), errors.sum(), rtol=1e-13)
    np.testing.assert_allclose(
        loss("squared_error_sum")(Z, Y, WEIGHT), (errors * WEIGHT[:, None]).sum(), rtol=1e-13
    )


def test_categorical_cross_entropy_of_classes_and_one_hot():
    p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    samples = -np.log(p[np.arange(6), CLASSES])
    chosen = loss("categorical_cross_entropy")
    for y in (CLASSES, ONE_HOT, ONE_HOT.astype(int)):
        np.testing.assert_allclose(chosen(Z, y), samples.mean(), rtol=1e-13)
        np.testing.assert_allclose(
            chosen(Z, y, WEIGHT), np.average(samples, weights=WEIGHT), rtol=1e-13
        )
    soft = np.full((6, 3), 1 / 3)
    np.testing.assert_allclose(chosen(Z, soft), -np.log(p).mean(), rtol=1e-13)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropies_are_exact_at_extreme_logits(size, dtype):
    z = np.array([[size], [-size], [size], [-size]], dtype)
    y = np.array([[1], [0], [0], [1]], dtype)
    pair = np.concatenate([z, np.zeros_like(z)], axis=1)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        binary = loss("binary_cross_entropy")(z, y)
        categorical = loss("categorical_cross_entropy")(pair, 1 - y[:, 0].astype(int))
        one_hot = loss("categorical_cross_entropy")(pair, np.concatenate([y, 1 - y], axis=1))
    # Two right and sure, two wrong and sure: each of those costs |z|.
    np.testing.assert_allclose([binary, categorical, one_hot], dtype(size) / 2, rtol=1e-6)


def test_huber_does_not_overflow_in_the_branch_not_taken():
    with np.errstate(over="raise"):
        value = loss("huber(delta=2)")(np.array([[1e200]]), np.array([[0.0]]))
    np.testing.assert_allclose(value, 2e200)


@given(st.floats(0.05, 0.95))
def test_the_quantile_loss_is_least_at_the_quantile(q):
    y = np.arange(101.0)[:, None]
    values = [loss(f"quantile(q={q!r})")(np.full_like(y, a), y) for a in range(101)]
    assert abs(np.argmin(values) - 100 * q) <= 1


def test_poisson_is_zero_where_the_rate_is_the_count():
    y = np.array([[1.0], [2.0], [7.0]])
    np.testing.assert_allclose(loss("poisson")(np.log(y), y), 0, atol=1e-15)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("target", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_float32_outputs_give_a_float32_loss(name, target):
    z = np.zeros((4, 2), np.float32)
    y = np.array([[1, 0], [0, 1], [1, 0], [0, 1]]).astype(target)
    for weight in (None, np.ones(4)):
        value = loss(name)(z, y, weight)
        assert value.dtype == np.float32
        assert np.isfinite(value)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("target", [np.int8, np.uint8, np.bool_])
def test_the_dtype_of_the_labels_changes_nothing(name, target):
    np.testing.assert_array_equal(
        loss(name)(Z, ONE_HOT.astype(target)), loss(name)(Z, ONE_HOT), strict=True
    )


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_nothing_is_changed_in_place(name):
    z, y, weight = Z.copy(), ONE_HOT.copy(), WEIGHT.copy()
    loss(name)(z, y, weight)
    np.testing.assert_array_equal(z, Z)
    np.testing.assert_array_equal(y, ONE_HOT)
    np.testing.assert_array_equal(weight, WEIGHT)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"squared_error_sum"}))
def test_equal_weights_change_nothing(name):
    y = BITS if name != "categorical_cross_entropy" else ONE_HOT
    np.testing.assert_allclose(loss(name)(Z, y, np.full(6, 3.0)), loss(name)(Z, y), rtol=1e-13)


def test_what_each_loss_says_of_itself():
    assert {name: (entry.takes, entry.output) for name, entry in LOSSES.items()} == {
        "squared_error": ("activation", "identity"),
        "squared_error_sum": ("activation", "identity"),
        "half_squared_error": ("activation", "identity"),
        "absolute_error": ("activation", "identity"),
        "huber": ("activation", "identity"),
        "quantile": ("activation", "identity"),
        "binary_cross_entropy": ("logits", "sigmoid"),
        "categorical_cross_entropy": ("logits", "softmax"),
        "hinge": ("logits", "identity"),
        "poisson": ("logits", "exponential"),
    }
    for name, entry in LOSSES.items():
        assert entry.name == name
        assert entry.measures
        assert (entry.reduction == "sum") == name.endswith("_sum")


def test_an_own_loss():
    own = loss(lambda a, y: np.mean((a - y) ** 4))
    assert own.own
    assert own.takes == "activation"
    assert own(np.array([[2.0]]), np.array([[0.0]])) == 16
    assert loss(own) is own
    assert loss(LOSSES["huber"].function).text == "huber"
    assert isinstance(own, Loss)


def test_as_scikit_learn_computes_them():
    base = pytest.importorskip("sklearn.neural_network._base")
    for weight in (WEIGHT, None):
        np.testing.assert_allclose(
            loss("half_squared_error")(Z, Y, weight), base.squared_loss(Y, Z, weight)
        )
        # Theirs adds the outputs up, so they are compared one output at a time.
        for k in range(3):
            z, bits, counts = Z[:, k : k + 1], BITS[:, k : k + 1], COUNTS[:, k : k + 1]
            np.testing.assert_allclose(
                loss("binary_cross_entropy")(z, bits, weight),
                base.binary_log_loss(bits, sigmoid(z), weight),
            )
            np.testing.assert_allclose(
                loss("poisson")(z, counts, weight), base.poisson_loss(counts, np.exp(z), weight)
            )
        p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(
            loss("categorical_cross_entropy")(Z, ONE_HOT, weight),
            base.log_loss(ONE_HOT, p, weight),
        )


def test_as_pytorch_computes_them():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    z, y, bits, counts = map(torch.from_numpy, (Z, Y, BITS, COUNTS))
    theirs = {
        "squared_error": functional.mse_loss(z, y),
        "squared_error_sum": functional.mse_loss(z, y, reduction="sum"),
        "absolute_error": functional.l1_loss(z, y),
        "huber(delta=0.7)": functional.huber_loss(z, y, delta=0.7),
    }
    for name, expected in theirs.items():
        np.testing.assert_allclose(loss(name)(Z, Y), expected.item(), err_msg=name)
    np.testing.assert_allclose(
        loss("binary_cross_entropy")(Z, BITS),
        functional.binary_cross_entropy_with_logits(z, bits).item(),
    )
    np.testing.assert_allclose(
        loss("categorical_cross_entropy")(Z, CLASSES),
        functional.cross_entropy(z, torch.from_numpy(CLASSES)).item(),
    )
    constant = np.mean(deviance(COUNTS))
    np.testing.assert_allclose(
        loss("poisson")(Z, COUNTS), functional.poisson_nll_loss(z, counts).item() + constant
    )
