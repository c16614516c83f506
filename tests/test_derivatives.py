"""Derivatives by some arguments, of any order, in threads, against closed forms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import softmax

from chainrule import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from chainrule.errors import GradientError

x = np.array([0.3, -1.2, 2.0])
w = np.array([1.5, 0.2, -0.7])
v = np.array([1.0, -2.0, 0.5])


def product(w, x):
    return np.sum(np.sin(w * x))


@pytest.mark.parametrize("chosen", [1, -1, "x"])
def test_an_argument_by_position_or_name(chosen):
    expected = w * np.cos(w * x)
    np.testing.assert_allclose(grad(product, chosen)(w, x), expected, rtol=1e-14)
    _, slope = jvp(product, (w, x), v, argnums=chosen)
    np.testing.assert_allclose(slope, expected @ v, rtol=1e-13)
    _, pull = vjp(product, w, x, argnums=chosen)
    np.testing.assert_allclose(pull(2.0), 2 * expected, rtol=1e-14)
    second = hvp(product, (w, x), v, argnums=chosen)
    np.testing.assert_allclose(second, -(w**2) * np.sin(w * x) * v, rtol=1e-13)


def test_several_arguments():
    value, (dw, dx) = value_and_grad(product, ("w", "x"))(w, x)
    np.testing.assert_allclose(value, product(w, x))
    np.testing.assert_allclose(dw, x * np.cos(w * x), rtol=1e-14)
    np.testing.assert_allclose(dx, w * np.cos(w * x), rtol=1e-14)


def test_matrices():
    def f(x):
        return np.stack([x[0] * x[1], np.exp(x[2])])

    expected = [[x[1], x[0], 0], [0, 0, np.exp(x[2])]]
    np.testing.assert_allclose(jacobian(f)(x), expected, rtol=1e-14)
    np.testing.assert_allclose(
        hessian(lambda x: np.sum(x**3))(x), np.diag(6 * x), rtol=1e-14, atol=1e-14
    )


def test_to_the_fourth_order():
    f = np.sin
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        f = grad(f)
        np.testing.assert_allclose(f(0.7), expected(0.7), rtol=1e-13)


def test_perturbations_are_not_confused():
    # The classic case: the inner derivative is by y alone, so it is x and not 2 x.
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: grad(lambda y: x * y * y)(x))(3.0) == 12.0


@dataclass
class Layer:
    W: np.ndarray
    width: int


def test_a_dataclass_with_a_whole_number():
    gradient = grad(lambda layer, x: np.sum(layer.W * x) / layer.width)(Layer(w, 3), x)
    np.testing.assert_allclose(gradient.W, x / 3)


def test_an_argument_that_is_not_there():
    with pytest.raises(GradientError, match=r"product has no argument 'z' in this call"):
        grad(product, "z")(w, x)


def test_traces_in_several_threads():
    def loss(x):
        buffer = np.zeros(3)
        buffer[:] = softmax(x)
        return np.sum(buffer * w)

    expected = grad(loss)(x)
    plain = np.zeros
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: grad(loss)(x), range(200)))
    assert all(np.array_equal(result, expected) for result in results)
    assert np.zeros is plain
    p = softmax(x)
    np.testing.assert_allclose(expected, p * (w - p @ w), rtol=1e-13)
