"""The numbers of a derivation are those of training, and each is what its formula says."""

from __future__ import annotations

import json
import re
import time
import tracemalloc

import numpy as np
import pytest

from chainrule import Network, grad
from chainrule.errors import GradientError, SettingError
from chainrule.explain import Derivation
from chainrule.explain.moments import Moment, moment_of, training_of
from chainrule.explain.numbers import index_text
from chainrule.interpreter import evaluate_nodes
from chainrule.training.optimizers import adam, gradient_descent

from .conftest import derived, recipe


def test_the_update_gives_the_parameters_of_the_next_step(training):
    before = derived(training, epoch=2)
    last = training.batches.count - 1
    after = moment_of(training, 3) if last == 0 else moment_of(training, 2, 1)
    for name, value in after.parameters.items():
        step = before[f"{name}_new"]
        tolerance = 1e-12 if value.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(step.value, value, rtol=tolerance, atol=tolerance)


def test_the_loss_is_that_of_the_run(tmp_path):
    training = training_of(recipe("xor", tmp_path))
    losses = training.prepared.train().run.history["loss"]
    for epoch in (0, 1, 250, 299):
        assert float(derived(training, epoch)["reported"].value) == losses[epoch]


def test_names_are_those_of_the_notebook(tmp_path):
    derivation = derived(training_of(recipe("xor", tmp_path)))
    assert [step.name for step in derivation.steps] == [
        "z1", "a1", "z2", "a2", "loss", "reported",
        "d_loss_a2", "d_loss_z2", "d_loss_W2", "d_loss_b2",
        "d_loss_a1", "d_loss_z1", "d_loss_W1", "d_loss_b1",
        "W1_new", "b1_new", "W2_new", "b2_new",
    ]  # fmt: skip
    formulas = {step.name: str(step.formula) for step in derivation.steps}
    assert formulas["d_loss_a2"] == "∂L/∂a2 = 2 · (a2 − y)"
    assert formulas["d_loss_W2"] == "∂L/∂W2 = a1ᵀ (∂L/∂z2)"
    assert str(derivation["d_loss_W2"].index_formula) == (
        "(∂L/∂W2)[j,k] = Σₙ a1[n,j] (∂L/∂z2)[n,k]"
    )
    assert [str(rule) for rule in derivation["d_loss_z1"].rules] == [
        "sigmoid: a1 = σ(z1) gives z̄1 = ā1 · a1 · (1 − a1)"
    ]


def test_cross_entropy_with_its_output_is_the_error(tmp_path):
    derivation = derived(training_of(recipe("adam with l2", tmp_path)))
    assert str(derivation["d_loss_z2"].formula) == "∂L/∂z2 = (a2 − y) / 16"
    assert "d_loss_a2" not in derivation.names


def test_every_number_comes_from_the_numbers_that_are_named(training):
    """With all other numbers changed, each comes out the same."""
    derivation = derived(training, epoch=1)
    notation = derivation.labels.notation
    rng = np.random.default_rng(0)
    for step in derivation.steps:
        if step.is_alias:
            continue
        place = tuple(int(rng.integers(size)) for size in step.shape)
        element = derivation.number(f"{step.name}{index_text(place)}")
        changed = {x: np.array(derivation.values[x]) for x in notation.named_inputs(step.node)}
        for value in changed.values():
            if value.dtype.kind == "f":
                value += rng.normal(size=value.shape).astype(value.dtype)
        for node, at in element.cells:
            changed[node][at] = derivation.values[node][at]
        with np.errstate(all="ignore"):
            (again,) = evaluate_nodes([step.node], changed)
        np.testing.assert_allclose(again[place], element.value, rtol=1e-6 if (
            step.value.dtype == np.float32
        ) else 1e-14)  # fmt: skip


def python_of(indexed: str) -> str:
    """The formula of one element as Python."""
    text = re.sub(r"\(∂L/∂(\w+)\)(?=\[)", r"d_loss_\1", indexed)
    text = text.replace("−", "-").replace(" · ", " * ").replace("²", "**2")
    return re.sub(r"\] (?=\w)(?!if|else)", "] * ", text)


@pytest.mark.parametrize("name", ["xor", "deep tanh"])
def test_the_formula_of_each_number_gives_it(tmp_path, name):
    derivation = derived(training_of(recipe(name, tmp_path, samples=None)), epoch=1)
    names = {each.name: each.value for each in (*derivation.given, *derivation.steps)}
    functions = {"σ": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh}
    tried = 0
    for step in derivation.steps:
        for place in np.ndindex(*step.shape):
            element = derivation.number(f"{step.name}{index_text(place)}")
            text = python_of(str(element.indexed)).replace("L /", "loss /")
            if "…" not in text:
                assert eval(text, functions, names) == pytest.approx(element.value, rel=1e-12)
                tried += 1
    assert tried > 40


def test_changing_a_number_that_is_not_behind_another_leaves_it(tmp_path):
    derivation = derived(training_of(recipe("xor", tmp_path)), epoch=5)
    element = derivation.number("d_loss_W1[0,1]")
    behind = {derivation.cell_name(cell) for cell in element.cells}
    assert behind == {f"X[{n},0]" for n in range(4)} | {f"d_loss_z1[{n},1]" for n in range(4)}
    assert str(element.indexed).startswith("X[0,0] (∂L/∂z1)[0,1] + X[1,0] (∂L/∂z1)[1,1]")


def test_a_function_of_ones_own():
    def loss(w, X, y):
        hidden = np.tanh(X @ w)
        error = hidden.sum(axis=1) - y
        return np.mean(error**2)

    rng = np.random.default_rng(1)
    w, X, y = rng.normal(size=(2, 3)), rng.normal(size=(5, 2)), rng.normal(size=5)
    derivation = Derivation.of(loss, w, X, y)
    np.testing.assert_allclose(derivation["d_loss_w"].value, grad(loss)(w, X, y), rtol=1e-13)
    assert {"hidden", "error", "loss", "d_loss_hidden"} <= set(derivation.names)
    assert "test_derivation.py" in (derivation["hidden"].source or "")
    assert "np.tanh(X @ w)" in (derivation["hidden"].source or "")


def test_a_function_of_more_than_one_number_is_refused():
    with pytest.raises(GradientError, match="Return the loss alone"):
        Derivation.of(lambda x: 2 * x, np.ones(3))


def test_a_network_without_a_run():
    network = Network([2, 3, 1], activation="identity", output="identity")
    X, y = np.ones((4, 2)), np.zeros((4, 1))
    moment = Moment(network, network.initialize(0), X, y, optimizer=gradient_descent(), memory={})
    derivation = Derivation.of_moment(moment)
    # The identity gives one value two names.
    assert str(derivation["a1"].formula) == "a1 = z1"
    assert derivation["d_loss_z1"].value is derivation["d_loss_a1"].value
    assert derivation.to_text().startswith("Network 2-3-1")
    with pytest.raises(SettingError, match="Only a training run"):
        derivation.to_python()


def test_it_is_plain_data(training):
    data = json.loads(json.dumps(derived(training).to_json(), allow_nan=False))
    parts = dict.fromkeys(step["part"] for step in data["steps"])
    assert list(parts) == ["forward", "backward", "update"]
    names = {each["name"] for each in (*data["given"], *data["steps"])}
    for step in data["steps"]:
        assert set(step["inputs"]) <= names
        assert np.asarray(step["value"]).shape == tuple(step["shape"])


def test_notebooks_show_it_as_text_and_formulas(tmp_path):
    bundle = derived(training_of(recipe("xor", tmp_path)))._repr_mimebundle_()
    assert "z1 = X W1 + b1" in bundle["text/plain"]
    assert r"\frac{\partial L}{\partial W_1} &= X^{\mathrm{T}}" in bundle["text/latex"]


def test_epochs_and_batches_that_are_not_there(tmp_path):
    training = training_of(recipe("deep tanh", tmp_path))
    with pytest.raises(SettingError, match="epoch=41 is not in this run"):
        moment_of(training, 41)
    with pytest.raises(SettingError, match="batch=1 is not in an epoch"):
        moment_of(training, 3, 1)
    with pytest.raises(SettingError, match="which ended after 1 epochs"):
        moment_of(training_of(recipe("deep tanh", tmp_path, stop_loss=100.0)), 5)


def test_the_state_after_all_epochs_is_the_trained_one(tmp_path):
    training = training_of(recipe("deep tanh", tmp_path))
    trained = training.prepared.train().run.state.parameters
    for name, value in moment_of(training, 40).parameters.items():
        np.testing.assert_array_equal(value, trained[name])


def test_gradients_that_are_constants_or_given():
    derivation = Derivation.of(
        lambda w, x, b: np.sum(w * x) + np.sum(b), np.array([1.0, 2.0]), np.ones(2), np.zeros(3)
    )
    assert str(derivation["d_loss_w"].formula) == "∂L/∂w = x"
    assert str(derivation["d_loss_b"].formula) == "∂L/∂b = broadcast(1, (3,))"
    np.testing.assert_array_equal(derivation["d_loss_b"].value, np.ones(3))
    for name in ("w[1]", "b[2]", "x[0]"):
        paths = derivation.why(name).paths
        assert paths is not None
        assert paths.value == paths.total
        assert len(paths.paths) == 1


def test_a_graph_too_large_is_refused():
    def deep(x):
        for _ in range(2100):
            x = np.tanh(x)
        return x

    with pytest.raises(SettingError, match=r"deep has .* steps, and at most 2,000 are explained"):
        Derivation.of(deep, 1.0)


def test_a_large_network_is_explained_quickly_and_in_little_memory():
    network = Network([784, 128, 10], activation="relu", loss="categorical_cross_entropy")
    rng = np.random.default_rng(0)
    X, y = rng.random((64, 784)), np.eye(10)[rng.integers(10, size=64)]
    optimizer = adam()
    parameters = network.initialize(0)
    memory = optimizer.initialize(parameters)
    moment = Moment(network, parameters, X, y, optimizer=optimizer, memory=memory)
    began = time.process_time()
    derivation = Derivation.of_moment(moment)
    text = derivation.to_text()
    lines = list(derivation.why("W1[300,60]").lines())
    assert time.process_time() - began < 2
    tracemalloc.start()
    Derivation.of_moment(moment).to_text()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
    assert len(text.splitlines()) < 300
    assert derivation.number("W1_new[783,127]").value == derivation["W1_new"].value[783, 127]
    assert lines[-1][0].startswith("The sum of the paths is")


def test_a_gradient_by_data_may_be_said_by_another():
    """The gradient by y is the negative of the one by z, and stands before it."""

    def loss(W, X, y):
        z = X @ W
        return 0.5 * np.mean(np.sum((z - y) ** 2, axis=1))

    X, y = np.arange(6.0).reshape(3, 2), np.ones((3, 1))
    derivation = Derivation.of(loss, np.ones((2, 1)), X, y)
    error = X.sum(axis=1, keepdims=True) - y
    np.testing.assert_allclose(derivation["d_loss_y"].value, -error / 3)
    np.testing.assert_allclose(derivation["d_loss_z"].value, error / 3)
