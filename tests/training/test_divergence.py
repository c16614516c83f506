"""Where a run stopped being finite: what the message says is what a replay by hand finds."""

import re

import numpy as np
import pytest

from chainrule import Network, train
from chainrule.errors import DivergedError
from chainrule.training.batches import Batches


def data(n=20, scale=100.0):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) * scale, rng.normal(size=(n, 1))


def message(model, X, y, **arguments):
    with pytest.raises(DivergedError) as caught:
        train(model, X, y, **arguments)
    text = str(caught.value)
    assert text.endswith(".")
    assert "chainrule/" not in text  # never a line of this package
    return text


def first_by_hand(start, X, y, rate, batch_size=None, epochs=1000):
    """The first value that is not finite in gradient descent on a 3-5-1 relu network.

    Its epoch and name, in the order of computing: forward, backward, update.
    """
    p = {name: value.copy() for name, value in start.items()}
    with np.errstate(all="ignore"):
        for epoch in range(epochs):
            for rows in Batches(len(X), batch_size, shuffle=True, seed=0).of_epoch(epoch):
                x, target = X[rows], y[rows]
                values = {"z1": x @ p["W1"] + p["b1"]}
                values["a1"] = np.maximum(values["z1"], 0)
                values["a2"] = values["a1"] @ p["W2"] + p["b2"]
                values["loss"] = np.mean((target - values["a2"]) ** 2)
                da2 = -2 * (target - values["a2"]) / len(x)
                gradients = {
                    "W2": values["a1"].T @ da2,
                    "b2": da2.sum(axis=0, keepdims=True),
                }
                dz1 = da2 @ p["W2"].T * (values["z1"] > 0)
                gradients |= {"W1": x.T @ dz1, "b1": dz1.sum(axis=0, keepdims=True)}
                order = dict(values)
                order |= {"gradient of a2": da2, "gradient of a1": da2 @ p["W2"].T}
                order |= {"gradient of " + name: g for name, g in gradients.items()}
                p = {name: value - rate * gradients[name] for name, value in p.items()}
                order |= {"update of " + name: value for name, value in p.items()}
                for name, value in order.items():
                    if not np.isfinite(value).all():
                        return epoch, name
    return None


PLACES = [
    (r"a(\d) \(outputs", r"a\1"),
    (r"z(\d) \(pre-activations", r"z\1"),
    (r"the gradient of the loss by (\w+) ", r"gradient of \1"),
    (r"the update of (\w+) ", r"update of \1"),
    (r"the loss is", "loss"),
]


def first_in_message(text):
    epoch = re.match(r"Training diverged in epoch (\d+): (.*)", text)
    assert epoch is not None, text
    for pattern, name in PLACES:
        found = re.match(pattern, epoch[2])
        if found:
            return int(epoch[1]), found.expand(name)
    raise AssertionError(text)


@pytest.mark.parametrize("batch_size", [None, 3, 7])
@pytest.mark.parametrize("exponent", [0.5, 1, 2, 3.3, 5, 8, 20, 40, 80, 120, 151, 160, 200, 280])
def test_the_first_is_truly_the_first(exponent, batch_size):
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    start, rate = network.initialize(0), 10.0**exponent
    text = message(
        network,
        X,
        y,
        parameters=start,
        optimizer="gradient_descent",
        learning_rate=rate,
        epochs=1000,
        batch_size=batch_size,
    )
    assert first_in_message(text) == first_by_hand(start, X, y, rate, batch_size)
    assert f"a smaller learning rate ({rate / 10:g} instead of {rate:g})" in text


def test_the_places_above_are_not_all_the_same():
    X, y = data()
    start = Network([3, 5, 1], activation="relu").initialize(0)
    places = {first_by_hand(start, X, y, 10.0**exponent) for exponent in (0.5, 5, 20, 80, 160, 280)}
    assert len({name for _, name in places if name}) > 1
    assert len({epoch for epoch, _ in places}) > 2


def test_a_loss_that_overflows():
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    assert message(network, X, y, optimizer="gradient_descent", learning_rate=10.0, epochs=100) == (
        "Training diverged in epoch 4: a2 (outputs of layer 2) is no longer finite. It first "
        "happened in computing a1 W2, which is -inf in 20 of 20 entries, from numbers between 0 "
        "and 4.9e+197 and others between -1.29e+195 and -5.68e+183. Try a smaller learning rate (1 "
        "instead of 10), clipped gradients (clip_norm=1) or standardised inputs (mean 0, deviation "
        "1)."
    )


def test_no_clipping_is_advised_where_it_is_done():
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    text = message(
        network, X, y, optimizer="gradient_descent", learning_rate=1e307, clip_norm=1.0, epochs=100
    )
    assert "Try a smaller learning rate (1e+306 instead of 1e+307) or standardised inputs" in text


def test_the_last_update_is_looked_at_too():
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    arguments = {"optimizer": "gradient_descent", "epochs": 1}
    text = message(network, X, y, **arguments, learning_rate=1e305)
    assert text.startswith(
        "Training diverged in epoch 0: the update of W1 (weights of layer 1) is no longer finite. "
        "It first happened in computing learning_rate · Xᵀ ("
    )
    assert re.search(
        r"which is -?inf in \d+ of 15 entries, from 1e\+305 and numbers between -", text
    )
    # Parameters that are finite, and yet lead to a loss that is not.
    text = message(network, X, y, **arguments, learning_rate=1e300)
    assert text.startswith(
        "Training diverged at the end of epoch 0: a2 (outputs of layer 2) is no longer finite. It "
        "first happened in computing a1 W2, which is nan in 20 of 20 entries, from"
    )


def test_a_logarithm_of_ones_own():
    X, y = data(scale=1.0)

    def curved(z):
        return np.log(z)

    text = message(Network([3, 4, 1], activation=curved), X, y)
    line = curved.__code__.co_firstlineno + 1
    z1 = X @ Network([3, 4, 1]).initialize(0)["W1"]
    assert text == (
        "Training diverged in epoch 0: a1 (outputs of layer 1) is no longer finite. It first "
        f"happened in computing log(z1), which is nan in {np.sum(z1 < 0)} of 80 entries, from "
        f"numbers between {z1.min():.3g} and {z1.max():.3g} ({__file__}, line {line}, in `return "
        "np.log(z)`). np.log takes numbers above 0: keep what goes in there, as in "
        "np.log(np.maximum(v, 1e-12))."
    )


def with_norm(parameters, X, y):
    error = X @ parameters["w"] - y
    norm = np.sqrt(np.sum(parameters["w"] ** 2))
    return np.mean(error**2) + norm


@pytest.mark.parametrize("epochs", [1, 5])
def test_a_gradient_that_is_not_finite_beside_a_loss_that_is(epochs):
    X, y = data(scale=1.0)
    text = message(with_norm, X, y, parameters={"w": np.zeros((3, 1))}, epochs=epochs)
    line = with_norm.__code__.co_firstlineno + 2
    assert text == (
        "Training diverged in epoch 0: the gradient of the loss by w is no longer finite. It first "
        f"happened in computing 1 / (2 · norm), which is inf, from 1 and 0 ({__file__}, line "
        f'{line}, in the derivative of `norm = np.sqrt(np.sum(parameters["w"] ** 2))`). The '
        "value is finite there and its derivative is not: keep what goes in away from 0, as in "
        "np.sqrt(v + 1e-12) or np.log(np.maximum(v, 1e-12))."
    )


def test_a_start_from_which_the_loss_overflows():
    X, y = data(scale=1.0)
    text = message(with_norm, X, y, parameters={"w": np.full((3, 1), 1e200)}, epochs=5)
    assert text.startswith("Training diverged in epoch 0: the loss is no longer finite.")
    assert "in computing error², which is inf in 20 of 20 entries, from numbers between" in text
    assert text.endswith(
        "No update had been made yet, so the learning rate is not the cause: start from smaller "
        "parameters, or standardise the inputs (mean 0, deviation 1)."
    )


def test_a_harmless_infinity_is_passed_over():
    X, y = data(scale=1.0)

    def loss(parameters, X, y):
        gate = 1 / (1 + np.exp(1000 * parameters["w"] ** 2))  # exp(1000) is inf, and the gate 0
        growth = np.exp(parameters["c"] * 300)
        return np.sum(gate) + np.mean((growth - y) ** 2)

    text = message(
        loss,
        X,
        y,
        parameters={"w": np.ones(2), "c": 1.3},
        optimizer="gradient_descent",
        learning_rate=0.001,
        epochs=50,
    )
    assert "exp(c · 300)" in text or "growth" in text
    assert "w" not in text.split("(")[0].partition("computing")[2]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w: np.sum(1 / w), "It divides by 0: add a small number to the divisor"),
        (lambda w: np.sum(np.sqrt(w - 1)), "np.sqrt takes numbers from 0 on: keep what goes in"),
        (lambda w: np.sum(np.log1p(w - 3)), "np.log1p takes numbers above -1: keep what goes in"),
        (lambda w: np.sum((w - 1) ** 0.5), "np.sqrt takes numbers from 0 on"),
        (lambda w: np.sum((w - 1) ** 0.3), "A negative number has no power that is not whole"),
        (lambda w: np.sum(w**-1.5), "It divides by 0"),
        (lambda w: np.sum(w**0.3), "The value is finite there and its derivative is not"),
    ],
)
def test_what_to_do_about_a_function_outside_its_domain(function, words):
    def loss(parameters, X):
        return function(parameters["w"])

    text = message(loss, np.zeros((1, 1)), None, parameters={"w": np.zeros(2)}, epochs=3)
    assert words in text
    assert "learning rate" not in text
    assert __file__ in text


def test_an_optimiser_of_ones_own_is_shown_by_its_line():
    X, y = data(scale=1.0)

    def wild(parameters, gradients, state, learning_rate):
        factor = np.exp(state.get("t", 0.0) * 400)
        new = {name: parameters[name] - factor * gradients[name] for name in parameters}
        return new, {"t": state.get("t", 0.0) + 1.0}

    def loss(parameters, X, y):
        return np.mean(np.tanh(X @ parameters["w"] - y))

    text = message(loss, X, y, parameters={"w": np.ones((3, 1))}, optimizer=wild, epochs=9)
    line = wild.__code__.co_firstlineno + 1
    assert "Training diverged in epoch 2: the update of w is no longer finite." in text
    assert f"({__file__}, line {line}, in `factor = np.exp(" in text


@pytest.mark.parametrize("engine", ["native", "interpreter"])
@pytest.mark.parametrize("batch_size", [None, 6])
def test_a_run_that_is_resumed_diverges_alike(batch_size, engine, tmp_path):
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    arguments = {
        "optimizer": "gradient_descent",
        "learning_rate": 0.01 if batch_size is None else 0.00012,
        "batch_size": batch_size,
        "engine": engine,
    }
    whole = message(network, X, y, **arguments, epochs=1000)
    epoch, _ = first_in_message(whole)
    assert epoch > 1
    path = tmp_path / "run"
    train(network, X, y, **arguments, epochs=epoch - 1, checkpoint=path)
    assert message(network, X, y, **arguments, epochs=1000, resume=path) == whole


def test_a_checkpoint_never_holds_what_is_not_finite(tmp_path):
    from chainrule.training.checkpoints import read_checkpoint

    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    path = tmp_path / "run"
    message(
        network,
        X,
        y,
        optimizer="gradient_descent",
        learning_rate=0.01,
        epochs=1000,
        checkpoint=path,
        checkpoint_every=0,
    )
    leaves = read_checkpoint(path).state.weights.leaves
    assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_only_the_reported_loss_is_not_finite():
    X, y = data(scale=1.0)

    def inverse(output, target):
        return np.sum(1 / (output - output))

    text = message(Network([3, 1]), X, y, report=inverse)
    assert text.startswith("Training diverged in epoch 0: the loss is no longer finite.")
    assert "It divides by 0" in text


def test_float32_overflows_earlier():
    X, y = data()
    network = Network([3, 5, 1], activation="relu")
    arguments = {"optimizer": "gradient_descent", "learning_rate": 0.1, "epochs": 1000}
    double = first_in_message(message(network, X, y, **arguments))
    single = first_in_message(message(network, X, y, dtype="float32", **arguments))
    assert single[0] < double[0]
