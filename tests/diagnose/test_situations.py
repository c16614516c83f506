"""Situations whose answer is known, each with the verdict that it must get."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Network, Population
from chainrule.diagnose import diagnose

from .runs import (
    ANSWERS,
    XOR,
    changed,
    faults,
    names,
    sigmoid_network,
    trained,
)

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(60, 2))
HEIGHTS = np.sin(2 * POINTS[:, :1]) + POINTS[:, 1:]
LINE = np.linspace(-1, 1, 20)[:, None]


def at_infinity(diagnosis):
    """The facts of the one fault that there is, an infimum at infinity."""
    assert faults(diagnosis) == ["infinity"]
    return diagnosis.verdicts[0].facts


# Infima at infinity


def test_the_notebook_s_run_crawls_toward_one_eighth():
    network = sigmoid_network(loss="squared_error_sum")
    diagnosis = trained(
        network, epochs=10_000, seed=42, generator="legacy", truth_table=True, time=2
    )
    facts = at_infinity(diagnosis)
    assert diagnosis.verdicts[0].certainty == "proved"
    assert {(each["unit"], *each["names"]) for each in facts["saturated"]} == {
        (0, "01", "11"),
        (1, "01", "11"),
    }
    assert np.ravel(facts["outputs"]).tolist() == [0, 0.5, 1, 0.5]
    assert facts["loss"] == 0.5  # the sum of four times the mean of 1/8
    assert facts["ray"].keys() == {"W1[1,0]", "W1[1,1]"}
    assert facts["points_checked"] > 10


@pytest.mark.parametrize(
    ("units", "seed", "outputs"),
    [
        (2, 6, (0, 0.5, 1, 0.5)),
        (2, 13, (0, 1, 0.5, 0.5)),
        (2, 50, (0, 2 / 3, 2 / 3, 2 / 3)),
        # Another unit is no proof of safety: 2-3-1 has a region that no path leads down from
        # (Sprinkhuizen-Kuyper and Boers 1999).
        (3, 222, (0, 1, 0.5, 0.5)),
    ],
)
def test_xor_with_tied_outputs_is_told_by_the_pattern(units, seed, outputs):
    diagnosis = trained(sigmoid_network(2, units, 1), rate=0.4, epochs=20_000, seed=seed, time=2)
    facts = at_infinity(diagnosis)
    np.testing.assert_allclose(np.ravel(facts["outputs"]), outputs, atol=1e-12)
    np.testing.assert_allclose(facts["loss"], np.mean((np.array(outputs) - ANSWERS[:, 0]) ** 2))
    assert diagnosis.subject.loss > facts["loss"]


def test_a_ray_that_the_run_turns_off_from_is_no_infimum():
    # It stands before outputs ⅓, 1, ⅓, ⅓ for a while; trained on, it learns.
    network = sigmoid_network(loss="squared_error_sum")
    assert names(trained(network, epochs=10_000, seed=5, time=4)) == ["descending"]


# Saddles


def all_one_half(network):
    """A finite stationary point of XOR with all outputs ½ (Hamey 1998): constant hidden units."""
    start = changed(network.initialize(0), W1=0, b1=[[0.3, -0.7]], W2=[[1.2], [-0.8]])
    hidden = 1 / (1 + np.exp(-start["b1"]))
    return changed(start, b2=-hidden @ start["W2"])


@pytest.mark.parametrize(
    ("loss", "value"), [("squared_error", 0.25), ("half_squared_error", 0.125)]
)
def test_all_outputs_one_half_is_a_saddle_whatever_the_loss_is(loss, value):
    network = sigmoid_network(loss=loss)
    diagnosis = diagnose(network, all_one_half(network), XOR, ANSWERS, time=0)
    assert faults(diagnosis) == ["saddle"]
    verdict = diagnosis.verdicts[0]
    assert verdict.certainty == "proved"
    assert verdict.facts["loss"] == pytest.approx(value, rel=1e-12)
    assert verdict.facts["index"] == 1
    assert verdict.facts["escape"]["loss"] < 0.01 * value


def test_tiny_initial_weights_stall_near_a_saddle():
    network = sigmoid_network(initializer="standard_normal(scale=0.001)")
    assert faults(trained(network, seed=1)) == ["saddle"]


def linear_data():
    X = RNG.normal(size=(40, 3))
    X = X - X.mean(axis=0)
    y = X @ np.diag([3.0, 2.0, 1.0]) @ RNG.normal(size=(3, 2))
    return X, y


@pytest.mark.parametrize("rank", [0, 1])
def test_deep_linear_networks_have_saddles_where_a_mode_is_not_learned(rank):
    # Saxe et al. 2014, Kawaguchi 2016: every stationary point that is not a global minimum.
    X, y = linear_data()
    root = np.linalg.cholesky(X.T @ X / len(X)).T
    U, sizes, V = np.linalg.svd(root @ np.linalg.lstsq(X, y, rcond=None)[0])
    network = Network([3, 3, 2], activation="identity")
    W1, W2 = np.zeros((3, 3)), np.zeros((3, 2))
    W1[:, :rank] = np.linalg.solve(root, U[:, :rank] * sizes[:rank])
    W2[:rank] = V[:rank]
    point = changed(network.initialize(0), W1=W1, W2=W2)
    if rank == 0:
        point = changed(point, W1=network.initialize(1)["W1"] * 1e-8)
    diagnosis = diagnose(network, point, X, y, time=0)
    assert faults(diagnosis)[-1] == "saddle"
    assert diagnosis.faults[-1].certainty == "proved"
    assert diagnosis.faults[-1].facts["escape"]["loss"] < 0.3


def test_a_saddle_of_third_order_is_found_by_going_down():
    network = Network([1, 1, 1, 1], activation="identity")
    zero = changed(network.initialize(0), W1=0, W2=0, W3=0)
    diagnosis = diagnose(network, zero, LINE, 2 * LINE, time=0)
    assert faults(diagnosis) == ["saddle"]
    assert diagnosis.verdicts[0].certainty == "measured"
    assert diagnosis.verdicts[0].facts["index"] == 0


def test_with_many_parameters_a_saddle_is_found_by_lanczos():
    network = Network([2, 600, 1])
    start = network.initialize(0)
    start = changed(start, W1=0, b1=RNG.normal(size=(1, 600)))
    start = changed(start, b2=0.5 - np.tanh(start["b1"]) @ start["W2"])
    diagnosis = diagnose(network, start, XOR, ANSWERS, time=0)
    assert faults(diagnosis) == ["saddle"]
    assert diagnosis.measures.spectrum["exact"] is False


# Minima


def test_a_linear_fit_of_noise_is_a_minimum_and_no_fault():
    y = POINTS @ [[1.0], [2.0]] + RNG.normal(size=(60, 1))
    diagnosis = trained(Network([2, 1]), POINTS, y)
    assert names(diagnosis) == ["minimum"]
    assert not diagnosis.faults


def test_a_minimum_is_one_up_to_the_symmetries_of_linear_layers():
    X, y = linear_data()
    y = y + np.random.default_rng(1).normal(size=y.shape)
    diagnosis = trained(Network([3, 3, 2], activation="identity"), X, y, epochs=5000, rate=0.02)
    assert names(diagnosis) == ["minimum"]
    # W1 and W2 have 15 weights, their product 6 and the biases 2 of 5: 3 · 3 + 3 are free.
    assert diagnosis.verdicts[0].facts["symmetries"] == 12


def test_a_local_minimum_is_told_from_a_global_one():
    # A lone tanh unit through two steps of unlike height: on the lower step it is stuck.
    X = np.array([[-3.0], [-2.0], [2.0], [3.0], [30.0], [31.0]])
    y = np.array([[0.0], [0.0], [1.0], [1.0], [0.2], [0.2]])
    network = Network([1, 1, 1])
    starts = [changed(network.initialize(0), W1=w, b1=b) for w, b in ((2.0, 0.0), (0.5, -8.0))]
    runs = [trained(network, X, y, start=s, epochs=20_000, rate=0.05) for s in starts]
    losses = [run.subject.loss for run in runs]
    assert abs(losses[0] - losses[1]) > 0.01
    assert not {"saddle", "descending"} & {*names(runs[0])}


# Steps


def test_steps_that_diverge():
    assert faults(trained(Network([2, 8, 1]), POINTS, HEIGHTS, rate=5, epochs=500)) == [
        "step-too-large"
    ]


def test_steps_that_swing():
    # The steepest direction has two stable points of a swing around the minimum.
    network = Network([1, 1], output="tanh")
    X = np.array([[-1.0], [1.0]])
    y = np.array([[-0.5], [0.5]])
    diagnosis = trained(network, X, y, rate=2.2, epochs=400)
    assert faults(diagnosis) == ["step-too-large"]
    facts = diagnosis.verdicts[0].facts
    assert facts["rises"] == pytest.approx(0.5, abs=0.01)


def test_the_edge_of_stability_is_no_fault():
    # Full-batch sharpness settles a little above 2/η while the loss falls (Cohen et al. 2021).
    network = Network([1, 16, 16, 1])
    diagnosis = trained(network, LINE, np.sin(8 * LINE), rate=0.2)
    assert diagnosis.measures.spectrum["sharpness"] > diagnosis.measures.spectrum["two_over_rate"]
    assert not diagnosis.faults


# Gradients and units


def test_gradients_vanish_in_a_deep_sigmoid_network():
    network = Network([2, *[10] * 10, 1], activation="sigmoid", output="sigmoid")
    assert faults(trained(network, rate=0.5, epochs=300)) == ["vanishing"]


def test_gradients_explode_in_a_deep_network_of_large_weights():
    network = Network([2, *[30] * 8, 1], activation="relu", initializer="standard_normal")
    diagnosis = diagnose(network, network.initialize(0), XOR, ANSWERS, rate=0.01, time=0)
    assert faults(diagnosis) == ["exploding"]
    assert set(faults(trained(network, rate=0.01, epochs=50))) == {"step-too-large", "exploding"}


def test_a_layer_of_dead_relu_units():
    network = Network([2, 4, 1], activation="relu", output="sigmoid")
    diagnosis = trained(network, start=changed(network.initialize(0), b1=-10))
    assert faults(diagnosis) == ["dead"]
    assert diagnosis.verdicts[0].certainty == "proved"
    assert diagnosis.verdicts[0].facts["units"] == [0, 1, 2, 3]


def test_half_a_layer_dead_binds_the_loss():
    network = Network([2, 2, 1], activation="relu", output="sigmoid")
    start = changed(network.initialize(0), W1=[[0, 1.0], [0, 0]], b1=[[-1.0, 0]], W2=[[1.0], [0.1]])
    diagnosis = trained(network, start=start, epochs=300)
    assert faults(diagnosis)[0] == "dead"
    assert diagnosis.verdicts[0].facts["units"] == [0]


def test_hidden_units_saturated_by_large_weights():
    network = Network([2, 6, 1], initializer="standard_normal(scale=50)")
    assert faults(trained(network, POINTS, HEIGHTS, rate=0.01, epochs=500)) == ["saturated"]


def test_outputs_that_are_sure_and_wrong():
    network = sigmoid_network()
    diagnosis = diagnose(network, changed(network.initialize(0), b2=-20), XOR, ANSWERS, time=0)
    assert faults(diagnosis) == ["saturated"]
    assert diagnosis.verdicts[0].facts["layer"] == 2


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_equal_weights_stay_equal(value):
    network = Network([2, 3, 1])
    start = {name: np.full(shape, value) for name, shape in network.parameter_shapes.items()}
    diagnosis = trained(network, start=start)
    assert faults(diagnosis)[0] == "symmetric"
    W1 = diagnosis.subject.parameters["W1"]
    assert np.ptp(W1, axis=1).max() < 1e-12


# Data


def test_contradictory_labels_bound_every_network():
    X, y = np.concatenate([XOR, XOR[:1]]), np.concatenate([ANSWERS, [[1.0]]])
    diagnosis = trained(sigmoid_network(2, 4, 1), X, y, epochs=20_000, rate=1)
    assert faults(diagnosis) == ["contradictory"]
    assert diagnosis.verdicts[0].facts["lowest_loss"] == pytest.approx(0.1)
    assert diagnosis.subject.loss >= 0.1


def test_constant_inputs():
    assert faults(trained(Network([2, 8, 1]), np.ones((60, 2)), HEIGHTS)) == ["constant-inputs"]


def test_constant_targets():
    network = Network([2, 8, 1], output="sigmoid")
    assert faults(trained(network, POINTS, np.ones((60, 1)), epochs=5)) == ["constant-targets"]


def test_unscaled_inputs():
    X = POINTS * [1, 1e3] + [0, 5e3]
    diagnosis = trained(Network([2, 1]), X, HEIGHTS, rate=1e-8, epochs=500)
    assert faults(diagnosis) == ["unscaled-inputs"]


# Runs that need no repair


def test_solved():
    diagnosis = trained(sigmoid_network(), rate=0.4, epochs=10_000, seed=1)
    assert names(diagnosis) == ["solved"]


def test_still_descending_with_the_epochs_that_it_takes():
    network = Network([2, 8, 1])
    short = trained(network, POINTS, HEIGHTS, epochs=300, rate=0.02)
    assert names(short) == ["descending"]
    foretold = short.verdicts[0].facts["epochs"]
    goal = short.subject.goal
    long = trained(network, POINTS, HEIGHTS, epochs=int(3 * foretold), rate=0.02)
    reached = int(np.flatnonzero(long.subject.losses <= goal)[0])
    assert foretold / 2 < reached < 2 * foretold


def test_overfitting():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), (rng.random((40, 1)) < 0.5) * 1.0
    network = Network([5, 40, 1], loss="binary_cross_entropy")
    settings = {"epochs": 1000, "rate": 0.01, "optimizer": "adam", "validation": 0.3}
    assert faults(trained(network, X, y, **settings, restore_best=False))[0] == "overfitting"
    kept = trained(network, X, y, **settings)
    assert names(kept)[0] == "overfitting"
    assert not kept.faults


def test_hamey_s_theorem_no_end_of_xor_is_called_a_minimum():
    network = sigmoid_network()
    population = Population(network, XOR, ANSWERS, seeds=range(64), learning_rate=0.4,
                            optimizer="gradient_descent", epochs=5000)  # fmt: skip
    run = population.run()
    stuck = [i for i in range(64) if run.loss[i] > 0.01]
    assert len(stuck) > 8
    for i in stuck:
        diagnosis = diagnose(network, run.network(i), XOR, ANSWERS, time=0)
        assert "minimum" not in names(diagnosis)
