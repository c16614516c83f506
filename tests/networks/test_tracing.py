"""What is written in NumPy here is traced, and its gradients are those of its values."""

import numpy as np
import pytest

from chainrule.derivatives import grad, value_and_grad
from chainrule.networks import ACTIVATIONS, LOSSES, Network

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 3))
CLASSES = np.array([1, 0, 0, 1, 1])
ONE_HOT = np.eye(2)[CLASSES]


def parameters_of(network, dtype=np.float64):
    """Fresh parameters with biases other than 0: every output is then off the losses' kinks."""
    return {
        name: (value + 0.1 * np.random.default_rng(1).normal(size=value.shape)).astype(dtype)
        for name, value in network.initialize(2).items()
    }


def assert_gradient(function, parameters):
    """Reverse mode against a central difference along random directions, one per parameter."""
    value, gradient = value_and_grad(function)(parameters)
    np.testing.assert_allclose(value, function(parameters), rtol=1e-12)
    assert list(gradient) == list(parameters)
    for name, W in parameters.items():
        direction = np.random.default_rng(3).normal(size=W.shape)
        above, below = (function({**parameters, name: W + h * direction}) for h in (1e-6, -1e-6))
        expected = (above - below) / 2e-6
        actual = np.sum(gradient[name] * direction)
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_gradient_of_every_loss_and_activation(loss, activation):
    network = Network([3, 4, 2], activation, loss=loss)
    assert_gradient(lambda p: network.loss(p, X, ONE_HOT), parameters_of(network))


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_with_penalties_masks_and_weights(loss):
    network = Network([3, 6, 2], loss=loss, l1=0.01, l2=0.1, dropout=0.3)
    masks = network.dropout_masks(np.random.default_rng(0), 5)
    weight = np.arange(1.0, 6.0)
    assert_gradient(lambda p: network.loss(p, X, ONE_HOT, masks, weight), parameters_of(network))


def test_the_gradient_for_class_numbers():
    network = Network([3, 2], loss="categorical_cross_entropy")
    parameters = parameters_of(network)
    classes = grad(network.loss)(parameters, X, CLASSES)
    one_hot = grad(network.loss)(parameters, X, ONE_HOT)
    p = network.predict(parameters, X)
    np.testing.assert_allclose(classes["W1"], X.T @ (p - ONE_HOT) / 5, rtol=1e-12)
    np.testing.assert_allclose(one_hot["W1"], classes["W1"], rtol=1e-12)


def test_the_gradient_of_binary_cross_entropy_is_a_minus_y():
    network = Network([3, 1], loss="binary_cross_entropy")
    parameters = parameters_of(network)
    y = CLASSES[:, None]
    gradient = grad(network.loss)(parameters, X, y)
    a = network.predict(parameters, X)
    np.testing.assert_allclose(gradient["W1"], X.T @ (a - y) / 5, rtol=1e-12)
    np.testing.assert_allclose(gradient["b1"], [[np.mean(a - y)]], rtol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_gradients_at_extreme_logits_are_finite_and_right(size):
    for loss, width in (("binary_cross_entropy", 1), ("categorical_cross_entropy", 2)):
        network = Network([1, width], loss=loss)
        W = np.full((1, width), size) * [1, -1][:width]
        parameters = {"W1": W, "b1": np.zeros((1, width))}
        y = np.array([[0.0], [1.0]]) if width == 1 else np.array([[0.0, 1.0], [1.0, 0.0]])
        gradient = grad(network.loss)(parameters, np.ones((2, 1)), y)
        np.testing.assert_allclose(gradient["b1"], [[0.5, -0.5][:width]])


@pytest.mark.parametrize("activation", ["elu", "selu"])
def test_the_slope_of_elu_at_zero_is_that_of_its_lower_branch(activation):
    function = ACTIVATIONS[activation]
    slope = grad(lambda x: np.sum(function(x)))(np.zeros(1))
    alpha = {"elu": 1.0, "selu": 1.0507009873554805 * 1.6732632423543772}[activation]
    np.testing.assert_allclose(slope, alpha)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_gradients_of_float32_parameters_are_float32(loss, activation):
    network = Network([3, 4, 2], activation, loss=loss, l1=0.1, l2=0.1)
    value, gradient = value_and_grad(network.loss)(
        parameters_of(network, np.float32), X.astype(np.float32), ONE_HOT.astype(np.float32)
    )
    assert np.asarray(value).dtype == np.float32
    assert {leaf.dtype for leaf in gradient.values()} == {np.dtype(np.float32)}


def test_the_shape_checks_hold_while_tracing():
    network = Network([3, 1])
    with pytest.raises(ValueError, match=r"NumPy would broadcast the two to \(5, 5\)"):
        grad(network.loss)(network.initialize(0), X, np.zeros(5))


def test_the_gradient_is_the_notebook_s():
    network = Network(
        [2, 2, 1], "sigmoid", "sigmoid", "squared_error_sum", initializer="standard_normal"
    )
    parameters = network.initialize(42, generator="legacy")
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([[0], [1], [1], [0]])
    values = network.forward(parameters, X)
    a1, a2 = values["a1"], values["a2"]
    d_loss_z2 = 2 * (a2 - y) * a2 * (1 - a2)
    d_loss_z1 = d_loss_z2 @ parameters["W2"].T * a1 * (1 - a1)
    gradient = grad(network.loss)(parameters, X, y)
    expected = {
        "W1": X.T @ d_loss_z1,
        "b1": np.sum(d_loss_z1, axis=0, keepdims=True),
        "W2": a1.T @ d_loss_z2,
        "b2": np.sum(d_loss_z2, axis=0, keepdims=True),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(gradient[name], value, rtol=1e-12, atol=1e-16)
