"""Functions that a program writes out are known again, and nothing else is."""

import numpy as np
import pytest

from chainrule import trace
from chainrule.graph import topological_order
from chainrule.interpreter import evaluate_nodes
from chainrule.recognition import recognised

Z = np.random.default_rng(3).normal(size=(4, 4))


def stable(z, axis):
    powers = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


KNOWN = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), "expit"),
    "sigmoid turned": (lambda z: 1.0 / (np.exp(-z) + 1.0), "expit"),
    "sigmoid by exp(z)": (lambda z: np.exp(z) / (1 + np.exp(z)), "expit"),
    "sigmoid of minus": (lambda z: 1 / (1 + np.exp(z)), "expit"),
    "tanh": (lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)), "tanh"),
    "softmax": (lambda z: np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True), "softmax"),
    "softmax reshaped": (lambda z: np.exp(z) / np.sum(np.exp(z), axis=1)[:, None], "softmax"),
    "softmax of all": (lambda z: np.exp(z) / np.sum(np.exp(z)), "softmax"),
    "softmax, largest first": (lambda z: stable(z, 1), "softmax"),
    "softmax of columns": (lambda z: stable(z, 0), "softmax"),
}
OTHERS = {
    "sums along the other axis": lambda z: np.exp(z) / np.sum(np.exp(z), axis=1),
    "columns by rows": lambda z: np.exp(z) / np.sum(np.exp(z), axis=0)[:, None],
    "another numerator": lambda z: np.exp(2 * z) / np.sum(np.exp(z), axis=1, keepdims=True),
    "two": lambda z: 1 / (2 + np.exp(-z)),
    "another above": lambda z: 2 / (1 + np.exp(-z)),
    "exp of another": lambda z: np.exp(z) / (1 + np.exp(2 * z)),
    "sinh over sinh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-2 * z)),
}


def again(function):
    graph = trace(function, Z)
    (output,) = graph.outputs
    new = recognised([output])[output]
    (value,) = evaluate_nodes([new], {graph.arguments[0]: Z})
    return {node.primitive.name for node in topological_order([new])}, value


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_written_out_is_known_again(name):
    function, primitive = KNOWN[name]
    names, value = again(function)
    assert primitive in names
    assert "divide" not in names
    np.testing.assert_allclose(value, function(Z), rtol=1e-14)


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_alike_stays(name):
    function = OTHERS[name]
    names, value = again(function)
    assert not names & {"expit", "softmax", "tanh"}
    np.testing.assert_array_equal(value, function(Z))


def test_a_softmax_with_another_maximum_keeps_it():
    def shifted(z):
        powers = np.exp(z - np.max(z, axis=0, keepdims=True))
        return powers / np.sum(powers, axis=1, keepdims=True)

    names, value = again(shifted)
    assert {"softmax", "max"} <= names
    np.testing.assert_allclose(value, shifted(Z), rtol=1e-14)


def test_the_name_stays():
    def loss(z):
        a = 1 / (1 + np.exp(-z))
        return np.sum(a)

    (output,) = trace(loss, Z).outputs
    new = recognised([output])[output]
    assert new.inputs[0].primitive.name == "expit"
    assert new.inputs[0].name == "a"
