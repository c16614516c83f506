"""Training in native code is the interpreter's training, however its steps are cut into calls."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Network, train
from chainrule.errors import DivergedError
from chainrule.kernels.engine import NativeEngine, NotCompiledWarning
from chainrule.training.optimizers import OPTIMIZERS
from chainrule.training.steps import Steps

ULPS = 2**12
"""What a few dozen steps may add to the last bits in which the two differ."""


def data(n=23, outputs=2, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.tanh(X @ rng.normal(size=(3, outputs))) + 0.1 * rng.normal(size=(n, outputs))


def assert_close(native, interpreted, dtype="float64"):
    eps = float(np.finfo(dtype).eps)
    assert (native.stopped, native.epochs, native.best_epoch) == (
        interpreted.stopped,
        interpreted.epochs,
        interpreted.best_epoch,
    )
    assert native.state.updates == interpreted.state.updates
    assert list(native.history) == list(interpreted.history)
    for name in native.history:
        one, other = native.history[name], interpreted.history[name]
        np.testing.assert_allclose(one, other, rtol=ULPS * eps, atol=ULPS * eps)
    for name, value in interpreted.parameters.items():
        assert native.parameters[name].dtype == value.dtype
        np.testing.assert_allclose(native.parameters[name], value, rtol=ULPS * eps, atol=ULPS * eps)


def both(model, X, y, dtype="float64", **arguments):
    runs = [
        train(model, X, y, engine=engine, dtype=dtype, **arguments)
        for engine in ("native", "interpreter")
    ]
    assert_close(*runs, dtype)
    return runs[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser(name, dtype):
    X, y = data()
    both(Network([3, 5, 2]), X, y, dtype, optimizer=name, epochs=6, batch_size=8)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "gelu", "softplus"])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 23])
def test_batches_and_activations(activation, batch_size):
    X, y = data()
    network = Network([3, 4, 2], activation=activation)
    both(network, X, y, epochs=5, batch_size=batch_size, learning_rate=0.01)


def test_a_network_too_large_for_registers():
    X, y = data(90)
    labels = (y[:, 0] > 0).astype(int)
    network = Network([3, 40, 2], loss="categorical_cross_entropy", l2=0.01)
    both(network, X, labels, epochs=4, batch_size=16)


@pytest.mark.parametrize(
    "arguments",
    [
        {"stop_loss": 0.2},
        {"stop_loss": 0.2, "batch_size": 5},
        {"patience": 3, "tolerance": 1e-3},
        {"patience": 3, "tolerance": 1e-3, "batch_size": 23},
        {"schedule": "cosine"},
        {"schedule": "warmup(length=8)", "batch_size": 5},
        {"schedule": "adaptive(patience=1, tolerance=0.05, factor=0.5)"},
        {"schedule": lambda step, epoch: 0.1 / (1 + step)},
        {"validation": 0.3, "patience": 5},
        {"validation": data(9, seed=8), "batch_size": 5, "restore_best": False},
        {"clip_norm": 0.1},
        {"clip_value": 0.01, "batch_size": 7},
        {"report": "absolute_error"},
        {"report": "absolute_error", "batch_size": 6},
        {"shuffle": False, "batch_size": 4},
    ],
    ids=str,
)
def test_settings(arguments):
    X, y = data()
    arguments = {"optimizer": "gradient_descent", "epochs": 60, **arguments}
    run = both(Network([3, 5, 2]), X, y, **arguments)
    assert len(run.history) == run.epochs > 1


def test_no_epochs_at_all():
    X, y = data()
    run = both(Network([3, 2]), X, y, epochs=0)
    assert len(run.history) == 0


@given(
    seconds=st.sampled_from([0.0, 1e-5, 1e-4, 0.05]),
    growth=st.sampled_from([1, 2, 64]),
    batch_size=st.sampled_from([None, 4, 6, 12]),
    ending=st.sampled_from(
        [{}, {"stop_loss": 0.15}, {"patience": 4, "tolerance": 1e-3}, {"schedule": "cosine"}]
    ),
    every=st.sampled_from([None, 1, 3, 10]),
)
@settings(max_examples=40, deadline=None)
def test_the_bits_do_not_depend_on_how_steps_are_cut_into_calls(
    seconds, growth, batch_size, ending, every
):
    X, y = data(24)
    told = []
    arguments = {"optimizer": "gradient_descent", "epochs": 50, "batch_size": batch_size, **ending}
    whole = train(Network([3, 4, 2]), X, y, **arguments)

    def callback(epoch):
        told.append((epoch.number, epoch.loss, epoch.parameters["W1"].tobytes()))

    if every is not None:
        callback.every = every
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.training.native._CALL_SECONDS", seconds)
        patch.setattr("chainrule.training.native._GROWTH", growth)
        run = train(Network([3, 4, 2]), X, y, **arguments, callbacks=callback)
    assert run.history == whole.history
    assert (run.stopped, run.epochs, run.loss) == (whole.stopped, whole.epochs, whole.loss)
    for name, value in whole.parameters.items():
        assert run.parameters[name].tobytes() == value.tobytes()
    numbers = [number for number, *_ in told]
    assert numbers == sorted(set(numbers))
    wanted = set(range(0, run.epochs, every or 1))
    assert wanted <= set(numbers)
    for number, loss, _ in told:
        assert loss == whole.history["loss"][number]
    assert told[-1][0] < run.epochs


def test_parameters_that_a_callback_was_given_stay_as_they_were():
    X, y = data()
    kept = []

    def callback(epoch):
        kept.append((epoch, epoch.parameters["W1"]))

    train(Network([3, 4, 2]), X, y, epochs=20, batch_size=5, callbacks=callback)
    assert len(kept) == 20
    assert len({early.tobytes() for _, early in kept}) == 20
    for epoch, early in kept:
        assert epoch.parameters["W1"].tobytes() == early.tobytes()


def message(*arguments, **settings):
    with pytest.raises(DivergedError) as caught:
        train(*arguments, **settings)
    return str(caught.value)


@pytest.mark.parametrize("seconds", [0.0, 1e-5, 0.05])
@pytest.mark.parametrize("batch_size", [None, 6, 12])
@pytest.mark.parametrize("scale", [1.0, 20.0, 1e150])
def test_divergence_is_told_as_the_interpreter_tells_it(batch_size, scale, seconds, monkeypatch):
    monkeypatch.setattr("chainrule.training.native._CALL_SECONDS", seconds)
    X, y = data(24)
    network = Network([3, 5, 2], activation="relu")
    settings = {"optimizer": "gradient_descent", "learning_rate": 9.0, "epochs": 2000}
    texts = [
        message(network, scale * X, y, engine=engine, batch_size=batch_size, **settings)
        for engine in ("native", "interpreter")
    ]
    assert texts[0].split(", from ")[0] == texts[1].split(", from ")[0]


def test_a_reported_loss_that_is_not_finite_ends_the_run():
    X, y = data()
    network = Network([3, 4, 2], activation="relu", loss="absolute_error")
    settings = {"optimizer": "gradient_descent", "learning_rate": 1e153, "epochs": 50}
    texts = [
        message(network, X, y, engine=engine, report="squared_error", **settings)
        for engine in ("native", "interpreter")
    ]
    assert texts[0].split(", from ")[0] == texts[1].split(", from ")[0]


def test_a_run_that_reaches_its_loss_before_it_diverges_is_no_failure():
    def loss(parameters, X):
        # Falls below 0.5 and then leaves the logarithm's domain.
        return np.log(parameters["w"][0])

    settings = {"parameters": {"w": np.array([3.0])}, "optimizer": "gradient_descent"}
    X = np.zeros((1, 1))
    with pytest.raises(DivergedError):
        train(loss, X, **settings, learning_rate=0.5, epochs=500)
    run = train(loss, X, **settings, learning_rate=0.5, epochs=500, stop_loss=0.5)
    assert run.stopped == "loss"
    assert run.history["loss"][-1] <= 0.5 < run.history["loss"][-2]


def test_a_users_own_loss_and_optimiser():
    X, y = data()

    def loss(parameters, X, y):
        hidden = np.tanh(X @ parameters["layers"][0] + parameters["b"])
        return np.mean(np.abs(hidden @ parameters["layers"][1] - y) ** 1.5)

    def own(parameters, gradients, state, learning_rate):
        state = state or {"v": np.zeros((3, 4)), "t": 0.0}
        v = 0.9 * state["v"] + gradients["layers"][0]
        layers = [
            parameters["layers"][0] - learning_rate * v,
            parameters["layers"][1] - learning_rate * gradients["layers"][1],
        ]
        b = parameters["b"] - learning_rate * gradients["b"]
        return {"layers": layers, "b": b}, {"v": v, "t": state["t"] + 1.0}

    rng = np.random.default_rng(0)
    start = {"layers": [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))], "b": np.zeros(4)}
    runs = [
        train(loss, X, y, parameters=start, optimizer=own, epochs=9, batch_size=5, engine=engine)
        for engine in ("native", "interpreter")
    ]
    assert runs[0].state.memory.tree["t"] == runs[1].state.memory.tree["t"] == 45
    for one, other in zip(runs[0].state.weights.leaves, runs[1].state.weights.leaves, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [None, 4, 7])
def test_a_loss_that_branches(batch_size, monkeypatch):
    X, y = data(24)

    def loss(parameters, X, y):
        error = np.mean((X @ parameters["W"] - y) ** 2)
        if error > 0.3:
            return 2 * error
        return (
            error
            if np.max(np.abs(parameters["W"])) < 0.3
            else error + 0.01 * np.sum(parameters["W"] ** 2)
        )

    start = {"W": np.zeros((3, 2))}
    settings = {"parameters": start, "epochs": 40, "batch_size": batch_size, "learning_rate": 0.03}
    whole = both(loss, X, y, **settings)
    half = train(loss, X, y, **{**settings, "epochs": 17})
    monkeypatch.setattr("chainrule.training.native._CALL_SECONDS", 0.0)
    resumed = train(loss, X, y, **settings, resume=half)
    assert resumed.history == whole.history
    assert resumed.parameters["W"].tobytes() == whole.parameters["W"].tobytes()


def test_whole_numbers_in_an_optimisers_state_are_interpreted():
    X, y = data()

    def counting(parameters, gradients, state, learning_rate):
        t = state.get("t", 0) + 1
        rate = learning_rate / t
        return {k: v - rate * gradients[k] for k, v in parameters.items()}, {"t": t}

    run = both(Network([3, 2]), X, y, optimizer=counting, epochs=4)
    assert run.state.memory.tree == {"t": 4}


class Counting(NativeEngine):
    """The native engine, counting calls and steps."""

    def __init__(self):
        super().__init__()
        self.calls = self.done = 0

    def steps(self, *arguments) -> Callable[..., int] | None:
        made: Steps | None = super().steps(*arguments)
        assert made is not None

        def run(carried, data, order, rates, objective, reported):
            self.calls += 1
            done = made(carried, data, order, rates, objective, reported)
            self.done += done
            return done

        return run


def test_many_epochs_are_one_call():
    X, y = data(24)
    engine = Counting()
    run = train(Network([3, 4, 2]), X, y, epochs=3000, engine=engine)
    assert run.epochs == engine.done == 3000
    assert engine.calls < 300
    batches = Counting()
    train(Network([3, 4, 2]), X, y, epochs=300, batch_size=6, engine=batches)
    assert batches.done == 1200
    assert batches.calls < 120


def test_what_cannot_be_compiled_is_interpreted_and_said_once():
    X, y = data()

    def loss(parameters, X, y):
        errors = np.sort(np.ravel((X @ parameters["w"] - y) ** 2))
        return np.mean(errors[:3])

    start = {"w": np.zeros((3, 2))}
    words = "runs with NumPy .* because of a count or an order that depends on values"
    with pytest.warns(NotCompiledWarning, match=words) as seen:
        run = train(loss, X, y, parameters=start, epochs=9, batch_size=11)
    assert len(seen) == 1
    interpreted = train(loss, X, y, parameters=start, epochs=9, batch_size=11, engine="interpreter")
    assert run.history == interpreted.history


def test_arrays_that_lie_otherwise_in_memory():
    X, y = data()
    wanted = train(Network([3, 4, 2]), X, y, epochs=5, batch_size=6)
    wide = np.zeros((46, 7))
    wide[::2, 1:4] = X
    raw = np.empty(X.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.float64).reshape(X.shape)
    misaligned[:] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for other in (wide[::2, 1:4], np.asfortranarray(X), misaligned, frozen, X.astype(">f8")):
        run = train(Network([3, 4, 2]), other, np.asfortranarray(y), epochs=5, batch_size=6)
        assert run.history == wanted.history


def test_runs_alike_share_what_was_made_and_not_what_was_learned():
    X, y = data()
    network = Network([3, 4, 2])
    first = train(network, X, y, epochs=5, batch_size=6)
    second = train(Network([3, 4, 2]), X, y, epochs=5, batch_size=6)
    assert first.history == second.history
    other = train(network, X, -y, epochs=5, batch_size=6)
    assert other.history != first.history
    assert train(network, X, y, epochs=5, batch_size=6).history == first.history


def test_a_function_of_ones_own_is_traced_anew_in_every_run():
    X, y = data()
    factor = 1.0

    def scaled(z):
        return factor * z

    network = Network([3, 4, 2], activation=scaled)
    before = train(network, X, y, epochs=3)
    factor = 2.0
    after = train(network, X, y, epochs=3)
    assert before.history != after.history


@pytest.mark.parametrize("batch_size", [None, 6, 7])
def test_dropout(batch_size, monkeypatch):
    X, y = data()
    network = Network([3, 8, 6, 2], dropout=[0.2, 0.4])
    settings = {"epochs": 12, "batch_size": batch_size, "optimizer": "momentum"}
    whole = both(network, X, y, **settings)
    monkeypatch.setattr("chainrule.training.native._MOST_WITH_MASKS", 1)
    assert train(network, X, y, **settings).history == whole.history


def test_divergence_under_dropout_is_told_as_the_interpreter_tells_it():
    X, y = data(24)
    network = Network([3, 5, 2], activation="relu", dropout=0.3)
    settings = {"optimizer": "gradient_descent", "learning_rate": 9.0, "epochs": 2000}
    texts = [
        message(network, X, y, engine=engine, batch_size=6, **settings)
        for engine in ("native", "interpreter")
    ]
    assert texts[0].split(", from ")[0] == texts[1].split(", from ")[0]
