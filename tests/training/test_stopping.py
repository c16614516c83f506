"""What ends a run, and which parameters it gives: callbacks, limits, validation."""

import warnings

import numpy as np
import pytest

from chainrule import Network, train
from chainrule.data import split
from chainrule.training.state import Epoch


def data(n=30):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 2))
    return X, X[:, :1] * X[:, 1:] + 0.1 * rng.normal(size=(n, 1))


def network():
    return Network([2, 5, 1])


def assert_same(found, expected):
    for name, value in expected.items():
        assert found[name].tobytes() == value.tobytes(), name


# Callbacks.


def test_a_callback_is_told_of_every_epoch():
    X, y = data()
    told: list[Epoch] = []
    run = train(network(), X, y, epochs=4, callbacks=told.append, report="absolute_error")
    assert [epoch.number for epoch in told] == [0, 1, 2, 3]
    assert {epoch.epochs for epoch in told} == {4}
    assert [epoch.loss for epoch in told] == run.history["loss"].tolist()
    assert told[2].values == {name: run.history[name][2] for name in run.history}
    assert set(told[0].values) == {"loss", "objective", "learning_rate"}
    seconds = [epoch.seconds for epoch in told]
    assert seconds == sorted(seconds)
    assert_same(told[-1].parameters, run.parameters)


def test_a_callback_stops_the_run_with_a_true_answer():
    X, y = data()
    run = train(network(), X, y, epochs=50, callbacks=[lambda e: None, lambda e: e.number == 6])
    assert (run.stopped, run.epochs, len(run.history)) == ("callback", 7, 7)


def test_every_callback_is_called_even_if_one_stops_the_run():
    X, y = data()
    told = []
    train(network(), X, y, epochs=5, callbacks=[lambda e: True, lambda e: told.append(e.number)])
    assert told == [0]


def test_a_callback_cannot_change_the_run_by_accident():
    X, y = data()

    def vandal(epoch):
        for value in epoch.parameters.values():
            value[...] = 99.0

    run = train(network(), X, y, epochs=4, callbacks=vandal)
    assert run.history == train(network(), X, y, epochs=4).history


def test_what_a_callback_raises_is_not_swallowed():
    import signal

    X, y = data()
    handler, errors = signal.getsignal(signal.SIGINT), np.geterr()

    def fail(epoch):
        raise LookupError(f"no more after epoch {epoch.number}")

    with pytest.raises(LookupError, match="no more after epoch 0"):
        train(network(), X, y, epochs=4, callbacks=fail)
    assert signal.getsignal(signal.SIGINT) is handler
    assert np.geterr() == errors


def test_a_callbacks_own_warnings_are_shown():
    X, y = data()

    def divide(epoch):
        return bool(np.float64(1.0) / np.float64(0.0) < 0)

    with pytest.warns(RuntimeWarning, match="divide by zero"):
        train(network(), X, y, epochs=1, callbacks=divide)


def test_training_itself_warns_of_nothing():
    X, y = data()
    net = Network([2, 4, 1], activation="sigmoid", loss="binary_cross_entropy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(net, 1e3 * X, y > 0, epochs=20, learning_rate=5.0, optimizer="gradient_descent")


def test_a_run_inside_a_callback():
    X, y = data()
    inner = []

    def look(epoch):
        inner.append(train(network(), X, y, epochs=2).loss)

    run = train(network(), X, y, epochs=3, callbacks=look)
    assert len(set(inner)) == 1
    assert run.history == train(network(), X, y, epochs=3).history


# Limits.


def test_stop_loss():
    X, y = data()
    whole = train(network(), X, y, epochs=60, learning_rate=0.05)
    wanted = whole.history["loss"][37]
    first = int(np.argmax(whole.history["loss"] <= wanted))
    run = train(network(), X, y, epochs=60, learning_rate=0.05, stop_loss=wanted)
    assert (run.stopped, run.epochs) == ("loss", first + 1)


def test_max_time():
    X, y = data()
    run = train(network(), X, y, epochs=10**9, max_time=0.2)
    assert run.stopped == "time"
    assert 0.2 <= run.seconds < 20
    assert run.epochs == len(run.history) > 10


@pytest.mark.parametrize(("engine", "rows"), [("interpreter", 200_000), ("native", 3_000_000)])
def test_max_time_is_looked_at_within_an_epoch_and_is_given_anew_when_resumed(engine, rows):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(rows, 2)), rng.normal(size=(rows, 1))
    arguments = {"epochs": 3, "batch_size": 2, "max_time": 0.1, "engine": engine}
    run = train(network(), X, y, **arguments)
    assert (run.stopped, run.epochs) == ("time", 0)
    assert run.state.batch > 10
    assert 0.1 <= run.seconds < 20
    more = train(network(), X, y, **arguments, resume=run)
    assert (more.stopped, more.epochs) == ("time", 0)
    assert more.state.batch > run.state.batch + 10
    assert more.seconds > run.seconds + 0.1


def test_the_adaptive_schedule_ends_a_run_that_no_longer_gains():
    X, y = data()
    text = "adaptive(patience=1, tolerance=10.0, factor=0.1, minimum=0.002)"
    run = train(network(), X, y, epochs=500, learning_rate=0.1, schedule=text)
    assert run.stopped == "schedule"
    # The first epoch is the best; then every two stalls divide the rate by 10, down to 0.002.
    assert run.epochs == 1 + 2 + 2 + 2


# Patience.


def epochs_until(losses, patience, tolerance):
    """How many epochs are done when patience ends, by the rule in words."""
    best, stalled = np.inf, 0
    for epoch, loss in enumerate(losses):
        stalled = 0 if loss < best - tolerance else stalled + 1
        best = min(best, loss)
        if stalled > patience:
            return epoch + 1
    return len(losses)


@pytest.mark.parametrize("patience", [0, 1, 5])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_patience_with_the_training_loss(patience, batch_size):
    X, y = data()
    arguments = {"batch_size": batch_size, "learning_rate": 0.03}
    losses = train(network(), X, y, epochs=300, **arguments).history["loss"]
    run = train(network(), X, y, epochs=300, patience=patience, tolerance=2e-4, **arguments)
    assert run.epochs == epochs_until(losses, patience, 2e-4)
    assert run.stopped == ("patience" if run.epochs < 300 else "epochs")
    assert run.best_epoch is None  # the last parameters are given


def test_patience_with_a_validation_loss():
    X, y = data()
    held = data(60)[0][30:], data(60)[1][30:]
    arguments = {"validation": held, "learning_rate": 0.05}
    losses = train(network(), X, y, epochs=300, **arguments).history["validation_loss"]
    run = train(network(), X, y, epochs=300, patience=3, **arguments)
    assert run.stopped == "patience"
    assert run.epochs == epochs_until(losses, 3, 1e-4)


# Validation.


def test_the_best_parameters_are_restored():
    X, y = data(8)
    held = data(60)[0][30:], -data(60)[1][30:]  # the opposite of what is learned
    kept = []
    run = train(
        network(),
        X,
        y,
        epochs=200,
        learning_rate=0.05,
        validation=held,
        callbacks=lambda epoch: kept.append(epoch.parameters),
    )
    best = int(np.argmin(run.history["validation_loss"]))
    assert run.best_epoch == best < 199
    assert_same(run.parameters, kept[best])
    np.testing.assert_allclose(
        run.history["validation_loss"][best], network().loss(kept[best], *held)
    )
    np.testing.assert_allclose(run.loss, network().loss(kept[best], X, y))
    last = train(
        network(),
        X,
        y,
        epochs=200,
        learning_rate=0.05,
        validation=held,
        restore_best=False,
    )
    assert last.best_epoch is None
    assert_same(last.parameters, kept[-1])


def test_a_fraction_is_held_out_by_the_seed():
    X, y = data()
    kept, held = split(30, 0.2, 9)
    by_fraction = train(network(), X, y, epochs=3, validation=0.2, seed=9)
    by_pair = train(network(), X[kept], y[kept], epochs=3, validation=(X[held], y[held]), seed=9)
    assert by_fraction.history == by_pair.history
    assert len(held) == 6
    other = train(network(), X, y, epochs=3, validation=0.2, seed=10)
    assert other.history != by_fraction.history


def test_no_validation_at_all():
    X, y = data()
    for nothing in (None, 0, 0.0):
        assert "validation_loss" not in train(network(), X, y, epochs=1, validation=nothing).history


@pytest.mark.parametrize("one_hot", [False, True])
def test_classes_keep_their_shares(one_hot):
    X, _ = data(40)
    classes = np.array([0] * 20 + [1] * 16 + [2] * 4)
    y = np.eye(3)[classes] if one_hot else classes
    net = Network([2, 3], loss="categorical_cross_entropy")
    kept, held = split(40, 0.25, 2, classes)
    assert np.bincount(classes[held]).tolist() == [5, 4, 1]
    run = train(net, X, y, epochs=2, validation=0.25, seed=2)
    expected = train(net, X[kept], y[kept], epochs=2, validation=(X[held], y[held]), seed=2)
    assert run.history == expected.history


def test_a_score_is_recorded_where_the_task_is_known():
    X, y = data()
    held = X[20:], y[20:]
    run = train(
        network(),
        X[:20],
        y[:20],
        epochs=5,
        validation=held,
        task="regression",
        restore_best=False,
    )
    predicted = network().predict(run.parameters, held[0])
    r_squared = 1 - np.sum((held[1] - predicted) ** 2) / np.sum((held[1] - held[1].mean()) ** 2)
    np.testing.assert_allclose(run.history["validation_score"][-1], r_squared)

    classifier = Network([2, 1], loss="binary_cross_entropy")
    run = train(
        classifier,
        X,
        y > 0,
        epochs=5,
        validation=(X, y > 0),
        task="classification",
        restore_best=False,
    )
    right = np.mean((classifier.predict(run.parameters, X) > 0.5) == (y > 0))
    assert run.history["validation_score"][-1] == right


def test_a_validation_loss_of_ones_own_function():
    X, y = data()

    def loss(parameters, X, y):
        return np.mean((X @ parameters["w"] - y) ** 2)

    held = X[20:], y[20:]
    run = train(loss, X[:20], y[:20], parameters={"w": np.ones((2, 1))}, validation=held, epochs=5)
    best = run.history["validation_loss"][run.best_epoch]
    np.testing.assert_allclose(best, loss(run.parameters, *held))


def test_a_validation_loss_that_is_not_finite_is_no_gain_and_no_end():
    X, y = data()

    def loss(parameters, X, y):
        return np.mean(np.log(X[:, 0] + 10 * parameters["c"] ** 2))

    held = np.abs(X) + 1
    held[0, 0] = -(10 * 0.6**2)  # as c falls below 0.6, its logarithm is no longer a number
    run = train(
        loss,
        np.abs(X) + 1,
        y,
        parameters={"c": 0.7},
        optimizer="gradient_descent",
        learning_rate=0.01,
        validation=(held, y),
        epochs=30,
        patience=4,
        schedule="adaptive",
    )
    assert np.isnan(run.history["validation_loss"]).any()
    assert run.stopped == "patience"
    assert run.best_epoch is not None
    assert np.isfinite(run.history["validation_loss"][run.best_epoch])
    assert run.parameters["c"] > 0.6
