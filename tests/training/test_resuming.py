"""A run that was stopped and goes on is, to the last bit, the run that was never stopped."""

import os
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule import Network, train
from chainrule.errors import ModelFileError, SettingError, TrainingError
from chainrule.interpreter import compile_graph
from chainrule.kernels.engine import NativeEngine
from chainrule.training.checkpoints import read_checkpoint, save_run
from chainrule.training.optimizers import OPTIMIZERS
from chainrule.training.state import Flat


def data(n=22, seed=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.tanh(X @ rng.normal(size=(3, 2))) + 0.1 * rng.normal(size=(n, 2))


class Interrupting:
    """An engine that presses Ctrl-C in the middle of the step after so many; it runs by NumPy."""

    def __init__(self, steps):
        self.left = steps

    def count(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), 2)

    def __call__(self, graph):
        program = compile_graph(graph)

        def run(*arrays):
            if graph.name == "_compute":
                self.count()
            return program(*arrays)

        return run


class InterruptingNative(Interrupting):
    """The same, by native code, with one step in each call."""

    def __init__(self, steps):
        super().__init__(steps)
        self.native = NativeEngine()

    def __call__(self, graph):
        program = self.native(graph)

        def run(*arrays):
            if graph.name == "_compute":
                self.count()
            return program(*arrays)

        return run

    def steps(self, *arguments):
        steps = self.native.steps(*arguments)

        def run(carried, data, order, rates, objective, reported):
            assert len(rates) == 1
            self.count()
            return steps(carried, data, order, rates, objective, reported)

        return run


ENGINES = {"interpreter": Interrupting, "native": InterruptingNative}


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def same_bits(one, other):
    assert one.structure == other.structure
    for a, b in zip(one.leaves, other.leaves, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


COUNTERS = "schedule", "epoch", "batch", "updates", "sums", "best_loss", "best_epoch", "stalled"


def assert_same_run(one, other):
    same_bits(Flat.of(one.parameters), Flat.of(other.parameters))
    same_bits(one.state.weights, other.state.weights)
    same_bits(one.state.memory, other.state.memory)
    assert one.history == other.history
    assert list(one.history) == list(other.history)
    for name in COUNTERS:
        assert getattr(one.state, name) == getattr(other.state, name), name
    if one.state.best is None:
        assert other.state.best is None
    else:
        same_bits(Flat.of(one.state.best), Flat.of(other.state.best))
    assert (one.loss, one.stopped, one.epochs, one.best_epoch) == (
        other.loss,
        other.stopped,
        other.epochs,
        other.best_epoch,
    )


WAYS = ["run", "state", "file", "saved"]


def interrupted(way, path, steps, model, X, y, *, engine, **arguments):
    """What to resume from after Ctrl-C in the middle of a step."""
    if way == "file":
        arguments["checkpoint"] = path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.training.native._CALL_SECONDS", 0.0)
        run = train(model, X, y, **arguments, engine=ENGINES[engine](steps))
    assert run.stopped == "interrupted"
    assert run.state.updates == steps
    if way == "saved":
        save_run(path, run)
    return {"run": run, "state": run.state, "file": path, "saved": path}[way]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("steps", [1, 3, 5, 10, 13])
def test_resuming_at_any_step(way, steps, path, engine):
    X, y = data()
    arguments = {
        "engine": engine,
        "epochs": 4,
        "batch_size": 5,
        "optimizer": "adam",
        "learning_rate": 0.02,
    }
    network = Network([3, 6, 2], dropout=0.2)
    whole = train(network, X, y, **arguments)
    halfway = interrupted(way, path, steps, network, X, y, **arguments)
    assert_same_run(train(network, X, y, **arguments, resume=halfway), whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_resuming_with_every_optimiser(name, dtype, path, engine):
    X, y = data()
    arguments = {
        "engine": engine,
        "epochs": 3,
        "batch_size": 5,
        "optimizer": name,
        "dtype": dtype,
        "clip_norm": 0.5,
    }
    network = Network([3, 4, 2])
    whole = train(network, X, y, **arguments)
    halfway = interrupted("file", path, 7, network, X, y, **arguments)
    assert_same_run(train(network, X, y, **arguments, resume=halfway), whole)


@pytest.mark.parametrize(
    "schedule",
    [
        "cosine",
        "step(every=2)",
        "warmup(length=8)",
        "exponential(unit='step')",
        "inverse_scaling",
        "adaptive(patience=1, tolerance=0.01, factor=0.5)",
        "warmup(length=8, then='adaptive(patience=0, tolerance=1.0)')",
    ],
)
def test_resuming_with_every_schedule(schedule, path, engine):
    X, y = data()
    arguments = {
        "engine": engine,
        "epochs": 8,
        "batch_size": 5,
        "schedule": schedule,
        "learning_rate": 0.1,
    }
    network = Network([3, 4, 2])
    whole = train(network, X, y, **arguments)
    for way in ("run", "file"):
        halfway = interrupted(way, path, 23, network, X, y, **arguments)
        assert_same_run(train(network, X, y, **arguments, resume=halfway), whole)


@pytest.mark.parametrize("steps", [2, 11, 24, 50])
def test_resuming_keeps_the_best_parameters_and_the_patience(steps, path, engine):
    X, y = data(10)
    arguments = {
        "engine": engine,
        "epochs": 200,
        "batch_size": 4,
        "learning_rate": 0.05,
        "validation": (data(20, 5)[0], -data(20, 5)[1]),
        "patience": 30,
    }
    network = Network([3, 6, 2])
    whole = train(network, X, y, **arguments)
    assert whole.stopped == "patience"
    assert whole.best_epoch is not None
    assert 10 < whole.epochs < 200
    for way in ("state", "file"):
        halfway = interrupted(way, path, steps, network, X, y, **arguments)
        assert_same_run(train(network, X, y, **arguments, resume=halfway), whole)


def test_resuming_again_and_again(path, engine):
    X, y = data()
    arguments = {"engine": engine, "epochs": 4, "batch_size": 5, "validation": 0.2}
    network = Network([3, 4, 2])
    whole = train(network, X, y, **arguments)
    run = None
    for _ in range(100):
        resume = None if run is None else path
        more = {**arguments, "engine": ENGINES[engine](1), "checkpoint": path, "resume": resume}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("chainrule.training.native._CALL_SECONDS", 0.0)
            run = train(network, X, y, **more)
        if run.stopped != "interrupted":
            break
    assert run is not None
    done = train(network, X, y, **arguments, resume=run)
    assert_same_run(done, whole)


def test_more_epochs_than_before(path):
    X, y = data()
    network = Network([3, 4, 2])
    arguments = {"batch_size": 5, "optimizer": "nesterov", "validation": 0.2}
    whole = train(network, X, y, epochs=9, **arguments)
    part = train(network, X, y, epochs=4, **arguments, checkpoint=path)
    assert part.stopped == "epochs"
    for resume in (part, part.state, path, str(path)):
        assert_same_run(train(network, X, y, epochs=9, **arguments, resume=resume), whole)


def test_a_run_that_is_complete_is_given_again(path):
    X, y = data()
    network = Network([3, 4, 2])
    whole = train(network, X, y, epochs=4, checkpoint=path)
    for resume in (whole, path):
        assert_same_run(train(network, X, y, epochs=4, resume=resume), whole)


@pytest.mark.parametrize(
    "ending",
    [
        {"patience": 2, "tolerance": 1.0},
        {"stop_loss": 0.5},
        {"schedule": "adaptive(patience=0, tolerance=9.0, factor=0.01, minimum=0.01)"},
    ],
)
def test_what_had_ended_a_run_still_ends_it(ending, path):
    X, y = data()
    network = Network([3, 4, 2])
    arguments = {"epochs": 500, "learning_rate": 0.05, **ending}
    whole = train(network, X, y, **arguments, checkpoint=path)
    assert whole.stopped in ("patience", "loss", "schedule")
    for resume in (whole, path):
        assert_same_run(train(network, X, y, **arguments, resume=resume), whole)


def test_resuming_leaves_what_is_resumed_as_it_was():
    X, y = data()
    network = Network([3, 4, 2])
    part = train(network, X, y, epochs=3, schedule="adaptive", learning_rate=0.01)
    history, state = part.history.copy(), part.state.copy()
    arguments = {"epochs": 6, "schedule": "adaptive", "learning_rate": 0.01}
    one = train(network, X, y, **arguments, resume=part)
    assert part.history == history
    assert part.state.history == history
    assert part.state.schedule == state.schedule
    assert part.state.epoch == 3
    same_bits(part.state.weights, state.weights)
    assert_same_run(train(network, X, y, **arguments, resume=part), one)
    assert_same_run(train(network, X, y, **arguments, resume=part.state), one)


def test_changing_the_parameters_of_a_run_does_not_change_its_state():
    X, y = data()
    network = Network([3, 4, 2])
    part = train(network, X, y, epochs=3)
    for value in part.parameters.values():
        value[...] = 0
    expected = train(network, X, y, epochs=6)
    assert_same_run(train(network, X, y, epochs=6, resume=part), expected)


def counting(parameters, gradients, state, learning_rate):
    step = state.get("step", 0) + 1
    sums = state.get("sums", gradients)
    sums = {name: 0.5 * sums[name] + gradients[name] for name in sums}
    new = {name: parameters[name] - learning_rate / step * sums[name] for name in parameters}
    return new, {"step": step, "sums": sums}


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8])
def test_resuming_with_an_optimiser_of_ones_own(steps, path, engine):
    X, y = data()
    network = Network([3, 4, 2])
    arguments = {
        "engine": engine,
        "epochs": 3,
        "batch_size": 6,
        "optimizer": counting,
        "learning_rate": 0.1,
    }
    whole = train(network, X, y, **arguments)
    for way in WAYS:
        halfway = interrupted(way, path, steps, network, X, y, **arguments)
        assert_same_run(train(network, X, y, **arguments, resume=halfway), whole)


@dataclass
class Layer:
    W: np.ndarray
    b: np.ndarray


Pair = namedtuple("Pair", ["first", "second"])


def layered_loss(parameters, X, y):
    a = np.tanh(X @ parameters.first.W + parameters.first.b)
    return np.mean((a @ parameters.second["a/b"][0] + parameters.second["a"]["b"][0] - y) ** 2)


def layered_start():
    rng = np.random.default_rng(0)
    return Pair(
        Layer(rng.normal(size=(3, 4)), np.zeros(4)),
        # Keys with the same path: "a/b" and "a" followed by "b".
        {"a/b": [rng.normal(size=(4, 2))], "a": {"b": (np.zeros(2),)}},
    )


def test_any_pytree_is_kept_in_a_checkpoint(path, engine):
    X, y = data()
    arguments = {"engine": engine, "parameters": layered_start(), "epochs": 6, "batch_size": 5}
    whole = train(layered_loss, X, y, **arguments)
    for way in WAYS:
        halfway = interrupted(way, path, 12, layered_loss, X, y, **arguments)
        run = train(layered_loss, X, y, **arguments, resume=halfway)
        assert_same_run(run, whole)
        assert type(run.parameters) is Pair
        assert type(run.parameters.first) is Layer
        assert type(run.state.memory.tree["mean"].first) is Layer


def test_a_class_that_is_not_at_hand_is_not_made(path):
    X, y = data()
    train(layered_loss, X, y, parameters=layered_start(), epochs=1, checkpoint=path)
    with pytest.raises(ModelFileError) as caught:
        train(layered_loss, X, y, epochs=2, resume=path)
    assert "made of Pair, which is not at hand. Give parameters= made of it too." in str(
        caught.value
    )


def test_parameters_need_not_be_given_again(path):
    X, y = data()

    def loss(parameters, X, y):
        return np.mean((X @ parameters["W"] - y) ** 2)

    start = {"W": np.zeros((3, 2))}
    whole = train(loss, X, y, parameters=start, epochs=5)
    train(loss, X, y, parameters=start, epochs=2, checkpoint=path)
    assert_same_run(train(loss, X, y, epochs=5, resume=path), whole)


def test_lbfgs_goes_on(path):
    X, y = data()
    network = Network([3, 6, 2])
    arguments = {"optimizer": "lbfgs(memory=4)", "validation": 0.2, "patience": 100}
    whole = train(network, X, y, epochs=25, **arguments)
    part = train(network, X, y, epochs=9, **arguments, checkpoint=path)
    assert part.epochs == 9
    for resume in (part, part.state, path):
        assert_same_run(train(network, X, y, epochs=25, **arguments, resume=resume), whole)


def test_the_note_is_kept(path):
    X, y = data()
    note = {"who": "me", "when": [1, 2.5, None, True], "α": np.int64(3)}
    run = train(Network([3, 2]), X, y, epochs=1, checkpoint=path, note=note)
    assert run.note is note
    assert read_checkpoint(path).note == {**note, "α": 3}


def test_seconds_add_up(path):
    X, y = data()
    part = train(Network([3, 2]), X, y, epochs=50, checkpoint=path)
    more = train(Network([3, 2]), X, y, epochs=51, resume=path)
    assert more.seconds > 0
    assert more.seconds >= read_checkpoint(path).state.seconds >= part.seconds > 0


def test_numpy_numbers_as_settings(path):
    X, y = data()
    arguments = {
        "epochs": np.int64(2),
        "batch_size": np.int32(5),
        "seed": np.uint8(3),
        "clip_norm": np.float64(1.0),
        "learning_rate": np.float64(0.01),
        "validation": np.float32(0.25),
    }
    run = train(Network([3, 2]), X, y, **arguments, checkpoint=path)
    again = train(Network([3, 2]), X, y, **arguments, resume=path)
    assert_same_run(again, run)


def test_networks_with_functions_of_ones_own_resume_in_another_process(path):
    """A checkpoint names such functions; their addresses differ from process to process."""
    X, y = data()

    def make():
        def bent(z):
            return np.tanh(z) + 0.1 * z

        return Network([3, 4, 2], activation=bent)

    train(make(), X, y, epochs=2, checkpoint=path)
    run = train(make(), X, y, epochs=4, resume=path)
    assert_same_run(run, train(make(), X, y, epochs=4))


# What cannot be gone on with.


def refusal(path, model=None, X=None, y=None, **arguments):
    """The message with which a checkpoint of a plain run is refused."""
    given_X, given_y = data()
    base = {"epochs": 2, "batch_size": 5, "schedule": "cosine", "learning_rate": 0.01}
    network = Network([3, 4, 2])
    run = train(network, given_X, given_y, **base, checkpoint=path)
    texts = []
    for resume in (run, path):
        with pytest.raises(TrainingError) as caught:
            train(
                model or network,
                given_X if X is None else X,
                given_y if y is None else y,
                **{**base, **arguments},
                resume=resume,
            )
        texts.append(str(caught.value))
    of_run, of_file = texts
    assert of_run.replace("The run to go on with", f"The checkpoint {path}") == of_file
    return of_run


def test_other_settings_are_refused(path):
    assert refusal(path, batch_size=6) == (
        "The run to go on with has batch_size = 5, and you ask for 6. Resume with the same "
        "settings, or start afresh without resume=."
    )
    text = refusal(path, optimizer="lion(beta1=0.8)")
    assert 'has optimizer = "adam(beta1=0.9, beta2=0.999, ' in text
    assert "and you ask for 'lion(beta1=0.8, " in text
    assert "has seed = 0, and you ask for 1." in refusal(path, seed=1)
    assert "has patience = None, and you ask for 3." in refusal(path, patience=3)
    assert "has report = None, and you ask for 'huber'." in refusal(path, report="huber")
    other = Network([3, 5, 2])
    assert "has model = 'Network 3-4-2 of tanh, identity with" in refusal(path, model=other)


def test_the_length_of_a_schedule_can_be_kept(path):
    text = refusal(path, epochs=4)
    written = "cosine(base=0.01, total=2, minimum=0.0, unit='epoch')"
    assert f'Write schedule="{written}" to go on with the rates as they were.' in text
    X, y = data()
    arguments = {"batch_size": 5, "learning_rate": 0.01}
    run = train(Network([3, 4, 2]), X, y, epochs=4, schedule=written, **arguments, resume=path)
    assert run.history["learning_rate"].tolist() == [0.01, 0.005, 0.0, 0.0]


def test_other_data_is_refused(path):
    X, y = data()
    assert "is of other data: the shapes are the same, the numbers are not." in refusal(
        path, X=X + 1e-9
    )
    assert "is of 22 samples, and this one has 20." in refusal(path, X=X[:20], y=y[:20])


def test_another_state_is_refused():
    X, y = data()
    state = train(Network([3, 4, 2]), X, y, epochs=1).state
    with pytest.raises(TrainingError) as caught:
        train(Network([3, 5, 2]), X, y, epochs=2, resume=state)
    assert str(caught.value) == (
        "parameters['W1'] in the state to go on with has shape (3, 4) and dtype float64; this "
        "model's has shape (3, 5) and dtype float64."
    )
    with pytest.raises(TrainingError, match=r"are parameters\['W1'\], .*; this model's are"):
        train(Network([3, 2]), X, y, epochs=2, resume=state)
    with pytest.raises(TrainingError) as caught:
        train(Network([3, 4, 2]), X, y, epochs=2, resume=state, optimizer="momentum")
    assert "The optimiser's state in the state to go on with is not momentum's" in str(caught.value)


def test_resume_takes_runs_states_and_paths():
    X, y = data()
    with pytest.raises(SettingError, match="resume=7 cannot be gone on from: give a Run"):
        train(Network([3, 2]), X, y, resume=7)


def test_parameters_are_needed_with_a_function_of_ones_own():
    X, y = data()
    with pytest.raises(SettingError, match="parameters= is needed with a loss function of your"):
        train(lambda parameters, X, y: 0.0, X, y)


class Odd:
    pass


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"note": Odd()}, "The note or the schedule's state cannot be kept in a checkpoint (of "),
        (
            {"optimizer": lambda p, g, s, r: (p, s), "parameters": {(1, 2): np.ones((3, 2))}},
            "The key (1, 2) at parameters cannot be kept in a checkpoint. Use texts or whole",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_before_training(arguments, words, path):
    X, y = data()

    def loss(parameters, X, y):
        raise AssertionError("training has begun")

    arguments = {"parameters": {"W": np.ones((3, 2))}, **arguments}
    with pytest.raises(SettingError) as caught:
        train(loss, X, y, **arguments, checkpoint=path)
    assert words in str(caught.value)
    assert not path.exists()
