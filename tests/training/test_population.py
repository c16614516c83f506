"""`Population`: whom it trains, from where, how it ends, and that nothing depends on the rest."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, SettingError
from chainrule.kernels.population import NotInLanesWarning
from chainrule.networks import Network
from chainrule.pytrees import flatten
from chainrule.training import train
from chainrule.training.population import Population, PopulationRun

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])


@pytest.fixture(autouse=True, scope="module")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


def xor_network(hidden: int = 2, **settings: Any) -> Network:
    return Network(
        [2, hidden, 1],
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error_sum",
        initializer="standard_normal",
        **settings,
    )


def descent(**changes: Any) -> dict[str, Any]:
    settings = {
        "optimizer": "gradient_descent",
        "learning_rate": 0.5,
        "epochs": 60,
        "report": "squared_error",
    }
    return {**settings, **changes}


def same(a: PopulationRun, b: PopulationRun) -> bool:
    leaves = zip(flatten(a.parameters)[0], flatten(b.parameters)[0], strict=True)
    return (
        all(x.tobytes() == y.tobytes() for x, y in leaves)
        and a.loss.tobytes() == b.loss.tobytes()
        and a.objective.tobytes() == b.objective.tobytes()
        and a.epochs.tolist() == b.epochs.tolist()
        and a.outcome.tolist() == b.outcome.tolist()
    )


def test_each_network_is_what_train_makes_of_it() -> None:
    network = xor_network()
    seeds = [5, 1, 42]
    settings = descent(stop_loss=0.2, epochs=300)
    run = Population(network, X, Y, seeds=seeds, record_every=7, **settings).run()
    for i, seed in enumerate(seeds):
        alone = train(network, X, Y, seed=seed, **settings)
        assert run.outcome[i] == alone.stopped
        assert run.epochs[i] == alone.epochs
        np.testing.assert_allclose(run.loss[i], alone.loss, rtol=1e-9)
        for name, value in run.network(i).items():
            np.testing.assert_allclose(value, alone.parameters[name], rtol=1e-8)
        assert run.losses is not None
        losses = run.losses[i][~np.isnan(run.losses[i])]
        np.testing.assert_allclose(losses, alone.history["loss"][::7], rtol=1e-9)
    assert set(run.outcome) == {"loss", "epochs"}


def test_mini_batches_are_those_of_train() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((11, 3)), rng.standard_normal((11, 2))
    network = Network([3, 4, 2], activation="relu", l2=0.01)
    settings: dict[str, Any] = {
        "optimizer": "momentum", "learning_rate": 0.02, "epochs": 5, "batch_size": 4, "seed": 9
    }  # fmt: skip
    starts = [network.initialize(seed) for seed in range(5)]
    run = Population(network, inputs, targets, parameters=starts, record_every=1, **settings).run()
    for i, start in enumerate(starts):
        alone = train(network, inputs, targets, parameters=start, **settings)
        np.testing.assert_allclose(run.loss[i], alone.loss, rtol=1e-9)
        np.testing.assert_allclose(run.objective[i], alone.loss, rtol=1e-9)
        assert run.losses is not None
        np.testing.assert_allclose(run.losses[i], alone.history["loss"], rtol=1e-9)
        for name, value in run.network(i).items():
            np.testing.assert_allclose(value, alone.parameters[name], rtol=1e-8)


def test_lanes_threads_and_chunks_change_no_bit() -> None:
    network = xor_network()
    settings = descent(stop_loss=0.21, seeds=range(37), generator="legacy", record_every=20)
    wanted = Population(network, X, Y, lanes=1, threads=1, **settings).run()
    assert set(wanted.outcome) == {"loss", "epochs"}
    for lanes, threads in ((8, 1), (4, 2), (16, 3), (2, 5)):
        run = Population(network, X, Y, lanes=lanes, threads=threads, **settings).run()
        assert same(run, wanted)
        assert run.losses is not None
        assert wanted.losses is not None
        assert run.losses.tobytes() == wanted.losses.tobytes()
    parts = list(Population(network, X, Y, **settings).chunks(size=5))
    assert [part.first for part in parts] == list(range(0, 37, 5))
    assert np.concatenate([part.loss for part in parts]).tobytes() == wanted.loss.tobytes()


@pytest.mark.parametrize("generator", ["legacy", "default"])
@pytest.mark.parametrize("initializer", ["glorot", "orthogonal", "standard_normal"])
def test_seeds_draw_what_the_network_draws(generator: str, initializer: str) -> None:
    network = Network([3, 4, 2], initializer=initializer)
    inputs, targets = np.ones((2, 3)), np.ones((2, 2))
    seeds = [3, 0, np.int64(8), 2**31]
    run = Population(
        network, inputs, targets, seeds=seeds, generator=generator, epochs=0, initial_scale=3.0
    ).run()
    for i, seed in enumerate(seeds):
        for name, drawn in network.initialize(int(seed), generator=generator).items():
            assert (run.parameters[name][i] == 3.0 * drawn).all()
    assert run.outcome.tolist() == ["epochs"] * 4
    assert run.epochs.tolist() == [0] * 4


def test_an_initializer_of_ones_own_draws_too() -> None:
    def halves(rng: Any, fan_in: int, fan_out: int) -> Any:
        return rng.integers(0, 5, (fan_in, fan_out)) / 2

    network = Network([2, 3, 1], initializer=halves)
    run = Population(network, X, Y, seeds=[4, 7], epochs=0).run()
    assert (run.parameters["W1"][1] == network.initialize(7)["W1"]).all()


def test_rates_scales_and_targets_can_be_each_networks_own() -> None:
    network = xor_network()
    rng = np.random.default_rng(0)
    targets = rng.random((6, 4, 1))
    rates, scales = np.linspace(0.1, 1, 6), np.linspace(0.5, 2, 6)
    settings = descent()
    del settings["learning_rate"]
    run = Population(
        network, X, seeds=range(6), targets=targets, learning_rate=rates, initial_scale=scales,
        **settings,
    ).run()  # fmt: skip
    for i in range(6):
        one = Population(
            network, X, targets[i], seeds=[i], learning_rate=rates[i], initial_scale=scales[i],
            **settings,
        ).run()  # fmt: skip
        assert run.loss[i] == one.loss[0]
        assert (run.parameters["W1"][i] == one.parameters["W1"][0]).all()


def test_parameters_are_stacked_or_listed_or_come_one_by_one() -> None:
    network = xor_network()
    trees = [network.initialize(seed) for seed in range(9)]
    stacked = {name: np.stack([tree[name] for tree in trees]) for name in trees[0]}
    before = {name: value.copy() for name, value in stacked.items()}
    population = Population(network, X, Y, parameters=trees, **descent())
    wanted = population.run()
    assert same(population.run(), wanted)
    assert same(Population(network, X, Y, parameters=stacked, **descent()).run(), wanted)
    assert same(Population(network, X, Y, parameters=iter(trees), **descent()).run(), wanted)
    assert all((stacked[name] == before[name]).all() for name in before)
    none = {name: value[:0] for name, value in stacked.items()}
    empty = Population(network, X, Y, parameters=none, record_every=1, **descent()).run()
    assert len(empty) == 0
    assert empty.parameters["W1"].shape == (0, 2, 2)
    assert repr(empty) == "<0 networks: none>"


def test_endless_seeds_are_drawn_only_as_far_as_they_are_used() -> None:
    drawn = itertools.count()
    chunks = Population(xor_network(), X, Y, seeds=drawn, threads=2, **descent()).chunks(size=10)
    firsts = [part.first for part in itertools.islice(chunks, 3)]
    chunks.close()
    assert firsts == [0, 10, 20]
    assert next(drawn) <= 80


def test_a_function_and_an_optimizer_of_ones_own_run_in_lanes() -> None:
    def fit(parameters: Any, inputs: Any) -> Any:
        return np.mean((parameters["slope"] * inputs + parameters["level"] - 3 * inputs) ** 2)

    def toward_start(parameters: Any, gradients: Any, state: Any, rate: Any) -> Any:
        new = {
            name: parameters[name] - rate * gradients[name] + 0.01 * (state[name] - value)
            for name, value in parameters.items()
        }
        return new, state

    from chainrule.training.optimizers import Optimizer

    pulled = Optimizer("toward_start", toward_start, lambda parameters: dict(parameters), own=True)
    inputs = np.linspace(-1, 1, 5)
    starts = [{"slope": np.full((), float(i)), "level": np.ones(())} for i in range(5)]
    run = Population(
        fit, inputs, parameters=starts, optimizer=pulled, learning_rate=0.1, epochs=50
    ).run()
    for i, start in enumerate(starts):
        alone = train(fit, inputs, parameters=start, optimizer=pulled, learning_rate=0.1, epochs=50)
        np.testing.assert_allclose(run.parameters["slope"][i], alone.parameters["slope"])
        np.testing.assert_allclose(run.loss[i], alone.loss)


def test_a_network_that_diverges_says_so_and_the_others_go_on() -> None:
    def steep(parameters: Any, inputs: Any) -> Any:
        return np.mean(np.square(np.square(parameters * inputs)))

    run = Population(
        steep, np.ones((1, 1)), parameters=np.ones((3, 1, 1)), optimizer="gradient_descent",
        learning_rate=[0.01, 1000.0, 0.02], epochs=20, record_every=1,
    ).run()  # fmt: skip
    assert run.outcome.tolist() == ["epochs", "diverged", "epochs"]
    assert run.epochs[1] < 20
    assert not np.isfinite(run.loss[1])
    assert np.isfinite(run.loss[[0, 2]]).all()
    assert repr(run) == "<3 networks: 1 diverged, 2 epochs>"


def test_the_last_update_can_make_a_network_diverge() -> None:
    def steep(parameters: Any, inputs: Any) -> Any:
        return np.mean(np.square(np.square(parameters * inputs)))

    run = Population(
        steep, np.ones((1, 1)), parameters=np.ones((2, 1, 1)), optimizer="gradient_descent",
        learning_rate=[0.01, 1e100], epochs=1,
    ).run()  # fmt: skip
    assert run.outcome.tolist() == ["epochs", "diverged"]


def test_dropout_is_trained_one_by_one_and_a_warning_says_so() -> None:
    network = Network([2, 4, 1], dropout=0.5)
    starts = [network.initialize(seed) for seed in range(3)]
    settings: dict[str, Any] = {"epochs": 12, "learning_rate": 0.05, "optimizer": "momentum"}
    population = Population(network, X, Y, parameters=starts, record_every=5, **settings)
    with pytest.warns(NotInLanesWarning, match="one by one with NumPy .* because of dropout"):
        run = population.run()
    for i, start in enumerate(starts):
        alone = train(network, X, Y, parameters=start, engine="interpreter", **settings)
        assert run.loss[i] == alone.loss
        assert (run.parameters["W1"][i] == alone.parameters["W1"]).all()
        assert run.losses is not None
        assert (run.losses[i] == alone.history["loss"][::5]).all()
    assert run.outcome.tolist() == ["epochs"] * 3


def test_progress_is_told() -> None:
    told: list[tuple[int, int | None]] = []
    population = Population(
        xor_network(), X, Y, seeds=range(50), threads=1,
        progress=lambda finished, total: told.append((finished, total)), **descent(),
    )  # fmt: skip
    population.run()
    assert told[-1] == (50, 50)
    assert [finished for finished, _ in told] == sorted(finished for finished, _ in told)


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored in the background"
)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_ctrl_c_ends_the_run_with_what_was_learned(batch_size: int | None) -> None:
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def begun(finished: int, total: int | None) -> None:
        # Told now and then while the networks train: the key is pressed once that has begun.
        if not timers:
            timers.append(threading.Timer(0.3, press))
            timers[0].start()

    timers: list[threading.Timer] = []
    run = Population(
        xor_network(), X, Y, seeds=range(40), batch_size=batch_size, progress=begun,
        **descent(epochs=10**9),
    ).run()  # fmt: skip
    # A slice takes a thirtieth of a second; the rest is for a machine that does other things too.
    assert time.monotonic() - pressed[0] < 10
    assert set(run.outcome) == {"interrupted"}
    assert 0 < len(run) <= 40
    assert run.epochs.max() > 100
    assert np.isfinite(run.loss).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "from parameters= or from seeds=: give one of the two"),
        ({"seeds": [1], "parameters": []}, "give one of the two"),
        ({"parameters": []}, "parameters holds no networks"),
        ({"seeds": range(3), "learning_rate": [0.1, 0.2]}, "learning_rate is for 2 networks, and"),
        ({"seeds": range(3), "learning_rate": "fast"}, "learning_rate='fast' cannot be used"),
        ({"seeds": range(2), "learning_rate": [0.1, -1.0]}, "learning_rate must be a number, 0"),
        ({"seeds": range(2), "learning_rate": [[0.1]]}, "learning_rate has shape"),
        ({"seeds": range(2), "initial_scale": np.inf}, "initial_scale must be a finite number"),
        ({"seeds": range(2), "lanes": 3}, "lanes=3 cannot be used: give 1, 2, 4"),
        ({"seeds": range(2), "threads": 0}, "threads=0"),
        ({"seeds": range(2), "record_every": 0}, "record_every=0"),
        ({"seeds": range(2), "optimizer": "lbfgs"}, "L-BFGS searches along a line"),
        ({"parameters": {"W1": np.ones(3, int)}}, r"parameters\['W1'\] has dtype int64"),
        (
            {"parameters": {"a": np.ones((2, 1)), "b": np.ones((3, 1))}},
            r"counts the networks, and here it differs: parameters\['a'\] \(2, 1\), parameters",
        ),
        ({"parameters": {"a": np.ones((2, 1))}}, "The parameters lack W1"),
        ({"seeds": range(2), "targets": np.ones((2, 4, 1))}, "y= has the targets of all networks"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Population(xor_network(), X, Y, **changes)


def test_seeds_need_a_network() -> None:
    with pytest.raises(SettingError, match="seeds= needs a Network"):
        Population(lambda parameters, inputs: np.sum(parameters), X, seeds=range(3))


def test_targets_are_checked() -> None:
    network = xor_network()
    with pytest.raises(DataError, match=r"targets has shape \(4,\): its first axis counts"):
        Population(network, X, seeds=range(4), targets=np.ones(4))
    wrong = np.ones((2, 4, 1))
    wrong[1, 0] = np.nan
    with pytest.raises(DataError, match="targets holds values that are missing or infinite"):
        Population(network, X, seeds=range(2), targets=wrong)


def test_a_network_of_another_architecture_is_refused() -> None:
    network = xor_network()
    trees = [network.initialize(0), xor_network(3).initialize(0)]
    with pytest.raises(SettingError, match=r"parameters\[1\] has arrays .* of one architecture"):
        Population(network, X, Y, parameters=trees, **descent()).run()


def test_more_networks_than_rates_are_refused() -> None:
    population = Population(
        xor_network(), X, Y, seeds=iter(range(5)), **descent(learning_rate=[0.1, 0.2])
    )
    with pytest.raises(SettingError, match="has more than the 2 networks that learning_rate"):
        population.run()


def test_a_seed_that_is_none_is_refused() -> None:
    population = Population(xor_network(), X, Y, seeds=[-1], **descent())
    with pytest.raises(SettingError, match="seed=-1 cannot be used"):
        population.run()


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("hidden", [4, 40])
def test_a_network_of_a_population_is_the_network_that_is_trained_alone(
    hidden: int, batch_size: int | None, optimizer: str
) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3))
    targets = np.tanh(inputs @ rng.normal(size=(3, 2)))
    network = Network([3, hidden, 2], activation="tanh")
    settings: dict[str, Any] = {
        "optimizer": optimizer, "learning_rate": 0.05, "epochs": 9, "batch_size": batch_size,
    }  # fmt: skip
    run = Population(network, inputs, targets, seeds=range(3), record_every=1, **settings).run()
    for i in range(3):
        start = network.initialize(i)
        alone = train(network, inputs, targets, parameters=start, **settings)
        for name, value in alone.parameters.items():
            assert run.parameters[name][i].tobytes() == value.tobytes()
        assert run.losses is not None
        assert run.losses[i].tolist() == alone.history["loss"].tolist()
