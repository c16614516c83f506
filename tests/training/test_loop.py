"""The training loop against the same arithmetic by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Network, train
from chainrule.errors import SettingError
from chainrule.training.batches import Batches
from chainrule.training.optimizers import OPTIMIZERS, optimizer
from chainrule.training.schedules import schedule

X_XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y_XOR = np.array([[0], [1], [1], [0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def xor_by_hand(epochs):
    """The notebook's run, written out in NumPy."""
    rng = np.random.RandomState(42)
    W1, b1 = rng.randn(2, 2), np.zeros((1, 2))
    W2, b2 = rng.randn(2, 1), np.zeros((1, 1))
    losses = []
    for _ in range(epochs):
        a1 = sigmoid(X_XOR @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        losses.append(np.mean((Y_XOR - a2) ** 2))
        dz2 = 2 * (a2 - Y_XOR) * a2 * (1 - a2)
        dz1 = dz2 @ W2.T * a1 * (1 - a1)
        W2 = W2 - 0.1 * a1.T @ dz2
        b2 = b2 - 0.1 * dz2.sum(axis=0, keepdims=True)
        W1 = W1 - 0.1 * X_XOR.T @ dz1
        b1 = b1 - 0.1 * dz1.sum(axis=0, keepdims=True)
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}, losses


def xor_network(**settings):
    return Network(
        [2, 2, 1],
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error_sum",
        initializer="standard_normal",
        **settings,
    )


def test_the_notebooks_run():
    network = xor_network()
    run = train(
        network,
        X_XOR,
        Y_XOR,
        parameters=network.initialize(42, generator="legacy"),
        optimizer="gradient_descent",
        learning_rate=0.1,
        epochs=10_000,
        report="squared_error",
    )
    shown = [0.2558, 0.2455, 0.1532, 0.1336, 0.1298, 0.1282, 0.1274, 0.1269, 0.1266, 0.1264]
    assert run.history["loss"][::1000].round(4).tolist() == shown
    predictions = network.predict(run.parameters, X_XOR).round(3).ravel().tolist()
    assert predictions == [0.03, 0.498, 0.971, 0.501]
    by_hand, losses = xor_by_hand(10_000)
    for name, value in by_hand.items():
        np.testing.assert_allclose(run.parameters[name], value, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.history["objective"], 4 * np.array(losses), rtol=0, atol=1e-11)
    assert run.stopped == "epochs"
    assert run.epochs == len(run.history) == 10_000


def regression_data(n=23, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X @ rng.normal(size=(3, 2)))


def linear_loss(parameters, X, y):
    return np.mean((X @ parameters["W"] + parameters["b"] - y) ** 2)


def linear_start():
    return {"W": np.full((3, 2), 0.1), "b": np.zeros(2)}


def linear_gradient(parameters, X, y):
    error = 2 * (X @ parameters["W"] + parameters["b"] - y) / y.size
    return {"W": X.T @ error, "b": error.sum(axis=0)}


def linear_by_hand(
    chosen, rates, epochs, X, y, batch_size=None, start=None, change=lambda gradients: gradients
):
    """Training written out: every batch in the order that the seed gives."""
    parameters = start or linear_start()
    state = chosen.initialize(parameters)
    losses, update = [], 0
    for epoch in range(epochs):
        total = 0.0
        for rows in Batches(len(X), batch_size, shuffle=True, seed=7).of_epoch(epoch):
            gradients = change(linear_gradient(parameters, X[rows], y[rows]))
            total += linear_loss(parameters, X[rows], y[rows]) * len(rows)
            rate = rates(update, epoch)
            parameters, state = chosen.update(parameters, gradients, state, rate)
            update += 1
        losses.append(total / len(X))
    return parameters, losses


def assert_close(found, expected, tolerance=1e-12):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [None, 5])
def test_every_optimiser_through_the_loop(name, batch_size):
    X, y = regression_data()
    run = train(
        linear_loss,
        X,
        y,
        parameters=linear_start(),
        optimizer=name,
        learning_rate=0.05,
        batch_size=batch_size,
        epochs=6,
        seed=7,
    )
    parameters, losses = linear_by_hand(
        optimizer(name), lambda step, epoch: 0.05, 6, X, y, batch_size
    )
    assert_close(run.parameters, parameters)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "constant",
        "step(every=2, factor=0.5)",
        "exponential(factor=0.9, unit='step')",
        "cosine",
        "warmup(length=7)",
        "warmup(length=4, then='cosine')",
        "inverse_scaling",
        "adaptive(patience=1, tolerance=1.0, factor=0.5)",
    ],
)
def test_every_schedule_through_the_loop(text):
    X, y = regression_data()
    run = train(
        linear_loss,
        X,
        y,
        parameters=linear_start(),
        optimizer="momentum",
        learning_rate=0.05,
        schedule=text,
        batch_size=5,
        epochs=6,
        seed=7,
    )
    rates = schedule(text, base=0.05, total=6, samples=len(X))
    if text.startswith("adaptive"):
        # Every epoch but the first is a stall: the rate halves after each second one.
        assert run.history["learning_rate"].tolist() == [0.05, 0.05, 0.05, 0.025, 0.025, 0.0125]
        return
    parameters, _ = linear_by_hand(optimizer("momentum"), rates, 6, X, y, 5)
    assert_close(run.parameters, parameters)
    last_steps = [rates(5 * epoch + 4, epoch) for epoch in range(6)]
    assert run.history["learning_rate"].tolist() == last_steps


def test_a_schedule_of_ones_own():
    X, y = regression_data()

    def halving(step, epoch):
        return 0.1 / 2**epoch

    run = train(
        linear_loss,
        X,
        y,
        parameters=linear_start(),
        optimizer="gradient_descent",
        schedule=halving,
        epochs=4,
        seed=7,
    )
    parameters, _ = linear_by_hand(optimizer("gradient_descent"), halving, 4, X, y)
    assert_close(run.parameters, parameters)
    assert run.history["learning_rate"].tolist() == [0.1, 0.05, 0.025, 0.0125]


@given(st.integers(1, 40), st.none() | st.integers(1, 45), st.booleans(), st.integers(0, 99))
def test_batches_see_every_sample_once(n, size, shuffle, seed):
    batches = Batches(n, size, shuffle=shuffle, seed=seed)
    parts = list(batches.of_epoch(2))
    assert len(parts) == batches.count
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all(len(part) == batches.size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= batches.size
    for start in range(batches.count):
        for part, again in zip(parts[start:], batches.of_epoch(2, start), strict=True):
            assert part.tolist() == again.tolist()


def test_batches_are_shuffled_anew_in_every_epoch_and_by_the_seed():
    orders = [
        tuple(Batches(20, 4, shuffle=True, seed=seed).order(epoch))
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len(set(orders)) == 9
    assert Batches(20, 4, shuffle=False, seed=0).order(1).tolist() == list(range(20))


def test_the_epochs_loss_is_the_mean_over_samples_not_over_batches():
    X, y = regression_data(n=7)
    run = train(
        linear_loss,
        X,
        y,
        parameters=linear_start(),
        optimizer="gradient_descent",
        learning_rate=0.0,
        batch_size=5,
        epochs=1,
    )
    # The rate is 0, so that the batches of 5 and 2 must add up to the loss of all.
    np.testing.assert_allclose(run.history["loss"][0], linear_loss(linear_start(), X, y))
    np.testing.assert_allclose(run.loss, linear_loss(linear_start(), X, y))


@pytest.mark.parametrize("batch_size", [None, 6])
def test_the_same_seed_gives_the_same_bits(batch_size):
    X, y = regression_data()
    network = Network([3, 8, 2], dropout=0.3)

    def run(seed):
        return train(network, X, y, epochs=5, batch_size=batch_size, seed=seed)

    one, same, other = run(1), run(1), run(2)
    assert one.history == same.history
    for name, value in one.parameters.items():
        assert value.tobytes() == same.parameters[name].tobytes()
        assert value.tobytes() != other.parameters[name].tobytes() or not value.any()


def test_training_changes_none_of_its_arguments():
    X, y = regression_data()
    start = linear_start()
    copies = X.copy(), y.copy(), linear_start()
    train(linear_loss, X, y, parameters=start, epochs=3, batch_size=5)
    assert np.array_equal(X, copies[0])
    assert np.array_equal(y, copies[1])
    assert_close(start, copies[2], 0)


@pytest.mark.parametrize("name", [*OPTIMIZERS, "lbfgs"])
def test_float32_stays_float32(name):
    X, y = regression_data()
    network = Network([3, 6, 2], activation="gelu", l2=0.01)
    run = train(
        network,
        X.astype(np.float32),
        y.astype(np.float32),
        optimizer=name,
        epochs=3,
        batch_size=None if name == "lbfgs" else 5,
        clip_norm=None if name == "lbfgs" else 1.0,
    )
    assert {value.dtype for value in run.parameters.values()} == {np.dtype(np.float32)}
    leaves = run.state.memory.leaves
    assert {leaf.dtype for leaf in leaves} <= {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("X_dtype", "asked", "expected"),
    [
        (np.float64, None, np.float64),
        (np.float32, None, np.float32),
        (np.float64, "float32", np.float32),
        (np.float32, "float64", np.float64),
        (np.int64, None, np.float64),
    ],
)
def test_the_dtype_is_the_one_asked_for_or_that_of_the_inputs(X_dtype, asked, expected):
    X, y = regression_data()
    run = train(Network([3, 2]), (10 * X).astype(X_dtype), y, dtype=asked, epochs=1)
    assert run.parameters["W1"].dtype == expected


def test_parameters_are_cast_to_the_dtype_asked_for():
    X, y = regression_data()
    network = Network([3, 2])
    given = network.initialize(0)
    assert train(network, X, y, parameters=given, epochs=1).parameters["W1"].dtype == np.float64
    run = train(network, X, y, parameters=given, dtype=np.float32, epochs=1)
    assert run.parameters["W1"].dtype == np.float32
    small = network.initialize(0, np.float32)
    assert train(network, X, y, parameters=small, epochs=1).parameters["W1"].dtype == np.float32


# Functions of the user's own.


@dataclass
class Layer:
    W: np.ndarray
    b: np.ndarray


def test_parameters_may_be_any_pytree():
    X, y = regression_data()

    def loss(parameters, X, y):
        first, rest = parameters["first"], parameters["rest"]
        hidden = np.tanh(X @ first.W + first.b)
        return np.mean((hidden @ rest[0] + rest[1] - y) ** 2)

    rng = np.random.default_rng(0)
    start = {
        "first": Layer(rng.normal(size=(3, 4)), np.zeros(4)),
        "rest": [rng.normal(size=(4, 2)), np.zeros(2)],
    }
    run = train(loss, X, y, parameters=start, epochs=50, learning_rate=0.05)
    assert isinstance(run.parameters["first"], Layer)
    assert isinstance(run.parameters["rest"], list)
    assert run.loss < 0.5 * run.history["loss"][0]
    network = Network([3, 4, 2])
    named = {
        "W1": start["first"].W,
        "b1": start["first"].b[np.newaxis],
        "W2": start["rest"][0],
        "b2": start["rest"][1][np.newaxis],
    }
    same = train(network, X, y, parameters=named, epochs=50, learning_rate=0.05)
    np.testing.assert_allclose(run.history["loss"], same.history["loss"], rtol=1e-10)


def test_a_function_without_targets():
    X = np.array([[1.0], [2.0], [6.0]])

    def spread(parameters, X):
        return np.mean((X - parameters["centre"]) ** 2)

    run = train(spread, X, parameters={"centre": 0.0}, optimizer="gradient_descent", epochs=200)
    np.testing.assert_allclose(run.parameters["centre"], 3.0)


def test_whole_numbers_of_ones_own_function_stay_whole():
    words, y = np.array([0, 2, 1, 2]), np.array([[1.0], [3.0], [2.0], [3.0]])

    def loss(parameters, words, y):
        return np.mean((parameters["vectors"][words] - y) ** 2)

    run = train(
        loss, words, y, parameters={"vectors": np.zeros((3, 1))}, epochs=500, learning_rate=0.05
    )
    np.testing.assert_allclose(run.parameters["vectors"].ravel(), [1, 2, 3], atol=1e-3)


def test_a_loss_that_branches_is_followed_into_each_branch():
    X, y = regression_data()

    def loss(parameters, X, y):
        error = np.mean((X @ parameters["W"] + parameters["b"] - y) ** 2)
        if error > 0.4:
            return 2 * error
        return error

    settings = {"optimizer": "gradient_descent", "epochs": 30, "batch_size": 5}
    run = train(loss, X, y, parameters=linear_start(), **settings)
    parameters, seen = linear_start(), set()
    for epoch in range(30):
        for rows in Batches(len(X), 5, shuffle=True, seed=0).of_epoch(epoch):
            high = bool(linear_loss(parameters, X[rows], y[rows]) > 0.4)
            seen.add(high)
            gradients = linear_gradient(parameters, X[rows], y[rows])
            factor = 0.2 if high else 0.1
            parameters = {k: v - factor * gradients[k] for k, v in parameters.items()}
    assert seen == {True, False}
    assert_close(run.parameters, parameters)


def averaging(parameters, gradients, state, learning_rate):
    """An optimiser whose state has another structure after the first update, and counts."""
    if "mean" not in state:
        state = {"mean": gradients, "count": 1}
    else:
        mean = {name: 0.5 * state["mean"][name] + 0.5 * gradients[name] for name in state["mean"]}
        state = {"mean": mean, "count": state["count"] + 1}
    new = {
        name: value - learning_rate / state["count"] * state["mean"][name]
        for name, value in parameters.items()
    }
    return new, state


def test_an_optimiser_of_ones_own_whose_state_changes_its_structure():
    X, y = regression_data()
    run = train(
        linear_loss,
        X,
        y,
        parameters=linear_start(),
        optimizer=averaging,
        learning_rate=0.3,
        epochs=5,
        batch_size=6,
        seed=7,
    )
    parameters, _ = linear_by_hand(optimizer(averaging), lambda step, epoch: 0.3, 5, X, y, 6)
    assert_close(run.parameters, parameters)
    assert int(run.state.memory.tree["count"]) == 5 * 4


def test_an_optimiser_of_ones_own_may_change_its_arguments():
    X, y = regression_data()

    def descent(parameters, gradients, state, learning_rate):
        for name in parameters:
            parameters[name] -= learning_rate * gradients[name]
        return parameters, state

    start = linear_start()
    run = train(
        linear_loss, X, y, parameters=start, optimizer=descent, learning_rate=0.1, epochs=5, seed=7
    )
    expected, _ = linear_by_hand(optimizer("gradient_descent"), lambda step, epoch: 0.1, 5, X, y)
    assert_close(run.parameters, expected)
    assert_close(start, linear_start(), 0)


# What changes the gradient or the loss.


@pytest.mark.parametrize(("setting", "limit"), [("clip_norm", 0.05), ("clip_value", 0.02)])
def test_clipping(setting, limit):
    X, y = regression_data()

    def clipped(gradients):
        if setting == "clip_value":
            return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}
        norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
        return {name: g * min(1.0, limit / norm) for name, g in gradients.items()}

    arguments = {"parameters": linear_start(), "learning_rate": 0.5, "epochs": 4, "seed": 7}
    run = train(linear_loss, X, y, optimizer="gradient_descent", **arguments, **{setting: limit})
    expected, _ = linear_by_hand(
        optimizer("gradient_descent"), lambda step, epoch: 0.5, 4, X, y, change=clipped
    )
    free = train(linear_loss, X, y, optimizer="gradient_descent", **arguments)
    assert_close(run.parameters, expected)
    assert np.max(np.abs(run.parameters["W"] - free.parameters["W"])) > 0.01


def test_penalties_are_in_the_loss_and_in_the_gradient():
    X, y = regression_data()
    start = Network([3, 2]).initialize(0)
    run = train(
        Network([3, 2], l1=0.1, l2=0.4),
        X,
        y,
        parameters=start,
        optimizer="gradient_descent",
        learning_rate=0.2,
        epochs=2,
    )
    W, b = start["W1"], start["b1"]
    for epoch in range(2):
        error = X @ W + b - y
        loss = np.mean(error**2) + 0.1 * np.abs(W).sum() + 0.2 * (W**2).sum()
        np.testing.assert_allclose(run.history["loss"][epoch], loss)
        gradient = 2 * X.T @ error / y.size + 0.1 * np.sign(W) + 0.4 * W
        W, b = W - 0.2 * gradient, b - 0.2 * 2 * error.sum(axis=0) / y.size
    np.testing.assert_allclose(run.parameters["W1"], W)


def test_dropout_draws_its_masks_from_the_seed_and_is_off_afterwards():
    X, y = regression_data()
    network = Network([3, 5, 2], activation="relu", dropout=0.4)
    start = network.initialize(0)
    run = train(
        network,
        X,
        y,
        parameters=start,
        optimizer="gradient_descent",
        learning_rate=0.0,
        batch_size=10,
        epochs=2,
        seed=5,
    )
    batches = Batches(len(X), 10, shuffle=True, seed=5)
    for epoch in range(2):
        total = 0.0
        for number, rows in enumerate(batches.of_epoch(epoch)):
            masks = network.dropout_masks(batches.mask_generator(epoch, number), len(rows))
            total += float(network.loss(start, X[rows], y[rows], masks)) * len(rows)
        np.testing.assert_allclose(run.history["loss"][epoch], total / len(X), rtol=1e-12)
    assert run.history["loss"][0] != run.history["loss"][1]
    np.testing.assert_allclose(run.loss, network.loss(start, X, y), rtol=1e-12)


def test_a_loss_may_be_reported_that_is_not_the_one_minimised():
    X, y = regression_data()
    network = Network([3, 2], loss="half_squared_error", l2=0.5)
    run = train(network, X, y, epochs=3, report="absolute_error")
    start = network.initialize(0)
    predicted = network.predict(start, X)
    np.testing.assert_allclose(run.history["loss"][0], np.mean(np.abs(y - predicted)))
    np.testing.assert_allclose(run.history["objective"][0], network.loss(start, X, y))
    final = np.mean(np.abs(y - network.predict(run.parameters, X)))
    np.testing.assert_allclose(run.loss, final)
    assert "objective" not in train(network, X, y, epochs=1, report="half_squared_error").history


# Targets in the shapes in which people have them.


def test_targets_of_one_output_may_be_one_dimensional():
    X, y = regression_data()
    network = Network([3, 4, 1])
    flat = train(network, X, y[:, 0], epochs=3)
    column = train(network, X, y[:, :1], epochs=3)
    assert flat.history == column.history


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float64])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_class_numbers(dtype, shape):
    X, _ = regression_data()
    classes = np.arange(len(X)) % 3
    network = Network([3, 4, 3], loss="categorical_cross_entropy")
    numbers = train(network, X, classes.astype(dtype).reshape(shape), epochs=3)
    one_hot = train(network, X, np.eye(3)[classes], epochs=3)
    np.testing.assert_allclose(numbers.history["loss"], one_hot.history["loss"], rtol=1e-12)


def test_truth_values_are_classes():
    X, y = regression_data()
    network = Network([3, 1], loss="binary_cross_entropy")
    truth = train(network, X, y[:, 0] > 0, epochs=3)
    assert truth.history == train(network, X, (y[:, :1] > 0).astype(float), epochs=3).history


def test_lists_and_frames_are_data_too():
    pandas = pytest.importorskip("pandas")
    X, y = regression_data()
    network = Network([3, 1])
    expected = train(network, X, y[:, 0], epochs=2).history
    assert train(network, X.tolist(), y[:, 0].tolist(), epochs=2).history == expected
    frame = pandas.DataFrame(X, columns=list("abc"))
    assert train(network, frame, pandas.Series(y[:, 0]), epochs=2).history == expected


def test_no_epochs_at_all():
    X, y = regression_data()
    network = Network([3, 2])
    run = train(network, X, y, epochs=0)
    assert_close(run.parameters, network.initialize(0), 0)
    assert len(run.history) == 0
    np.testing.assert_allclose(run.loss, network.loss(network.initialize(0), X, y))


def test_an_engine_of_ones_own_runs_every_step():
    from chainrule.interpreter import compile_graph

    X, y = regression_data()
    calls = []

    def engine(graph):
        program = compile_graph(graph)

        def counted(*arrays):
            calls.append(graph.name)
            return program(*arrays)

        return counted

    run = train(Network([3, 2]), X, y, epochs=4, batch_size=10, engine=engine)
    assert calls.count("_compute") == 4 * 3
    interpreted = train(Network([3, 2]), X, y, epochs=4, batch_size=10, engine="interpreter")
    assert run.history == interpreted.history


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda p, g, s, r: p, "returned a dict; it must return the pair (parameters, state)."),
        (
            lambda p, g, s, r: ({"W": p["W"]}, s),
            "returned parameters['W']; it must return parameters['W'], parameters['b'], nested",
        ),
        (lambda p, g, s, r: ({}, s), "returned no parameters; it must return parameters['W']"),
        (
            lambda p, g, s, r: ({"W": p["W"][0], "b": p["b"]}, s),
            "turned parameters['W'] of shape (3, 2) and dtype float64 into shape (2,)",
        ),
    ],
)
def test_an_optimiser_that_returns_something_else(function, words):
    X, y = regression_data()
    with pytest.raises(SettingError) as caught:
        train(linear_loss, X, y, parameters=linear_start(), optimizer=function, epochs=1)
    assert words in str(caught.value)
