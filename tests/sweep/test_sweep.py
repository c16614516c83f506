"""Sweeps: what is counted, that each run is the one that is trained alone, and what is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from chainrule import Network
from chainrule.errors import ModelFileError, SettingError
from chainrule.networks.losses import binary_cross_entropy, squared_error
from chainrule.sweep import Plan, run_sweep, summary_of, sweep
from chainrule.sweep.chunks import Chunk, train_chunk
from chainrule.sweep.ends import tied
from chainrule.sweep.plan import Span, grid_of, random_of
from chainrule.sweep.running import Sizes
from chainrule.sweep.statistics import share_of, survival
from chainrule.training.preparing import prepare
from chainrule.training.recipes import Recipe

XOR = Recipe("xor", epochs=3000, learning_rate=0.5)
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])


def plan(count=40, first=0, goal=0.01, **choices) -> Plan:
    return grid_of(XOR, choices, first=first, count=count, goal=goal)


def alone(recipe: Recipe, seed: int, goal: float):
    return prepare(replace(recipe, seed=seed, stop_loss=goal)).train()


@pytest.mark.parametrize(
    "recipe",
    [
        XOR,
        replace(XOR, optimizer="momentum", dtype="float32"),
        replace(XOR, loss="binary_cross_entropy", hidden=(3,), activation=("tanh",)),
        Recipe("moons", samples=30, epochs=20),
        Recipe("parity", bits=3, hidden=(4,), epochs=60),
        replace(XOR, schedule="cosine", epochs=200),
        replace(XOR, dropout=(0.2,), epochs=50),
    ],
    ids=lambda recipe: f"{recipe.data} {recipe.optimizer} {recipe.schedule} {recipe.dropout}",
)
def test_each_run_is_the_one_that_is_trained_alone(recipe):
    chunk = Chunk(0, 3, 9)
    results = train_chunk(recipe, chunk, 0.02)
    assert results is not None
    for i, seed in enumerate(range(3, 12)):
        run = alone(recipe, seed, 0.02).run
        assert results.epochs[i] == run.epochs
        # The weights are the same to the bit; train works the loss out with NumPy's sums.
        eps = np.finfo(recipe.dtype).eps
        np.testing.assert_allclose(results.loss[i], run.loss, rtol=16 * eps)
        assert (results.outcome[i] == "reached") == (run.stopped == "loss")
    # In other chunks, and with another number of threads.
    for first, count, threads in ((3, 2, 1), (5, 7, 2)):
        again = train_chunk(recipe, Chunk(0, first, count), 0.02, threads=threads)
        assert again is not None
        at = slice(first - 3, first - 3 + count)
        np.testing.assert_array_equal(again.loss, results.loss[at])
        if results.outputs is not None:
            assert again.outputs is not None
            np.testing.assert_array_equal(again.outputs, results.outputs[at])


def test_outputs_are_those_of_the_trained_network():
    results = train_chunk(XOR, Chunk(0, 0, 12), 0.01)
    assert results is not None
    assert results.outputs is not None
    for seed in range(12):
        trained = alone(XOR, seed, 0.01)
        expected = trained.prepared.network.predict(trained.run.parameters, trained.prepared.X)
        np.testing.assert_allclose(results.outputs[seed], expected[:, 0], rtol=1e-12)


def test_what_is_kept_does_not_depend_on_the_chunks(tmp_path):
    first = run_sweep(plan(hidden=[(2,), (3,)]), tmp_path / "a").frame()
    ours = run_sweep(plan(count=10, hidden=[(2,), (3,)]), tmp_path / "b").frame()
    assert first.filter(pl.col("seed") < 10).drop("seconds").equals(ours.drop("seconds"))
    assert first["setting"].to_list() == [0] * 40 + [1] * 40
    assert first["seed"].to_list() == [*range(40)] * 2
    assert set(first["hidden"]) == {"2", "3"}


def test_the_same_call_goes_on_and_does_nothing_twice(tmp_path):
    whole = plan()
    done = run_sweep(whole, tmp_path)
    expected = done.frame()
    parts = sorted(tmp_path.glob("*.parquet"))
    assert done.new == 40
    parts[0].unlink()
    (tmp_path / ".runs-0-0-3.parquet.abc.part").write_bytes(b"half a file")
    again = run_sweep(whole, tmp_path)
    assert 0 < again.new <= 40
    assert again.frame().drop("seconds").equals(expected.drop("seconds"))
    assert run_sweep(whole, tmp_path).new == 0


def test_overlapping_parts_count_each_run_once(tmp_path):
    whole = plan()
    run_sweep(whole, tmp_path)
    (part, *_) = tmp_path.glob("runs-0-0-*.parquet")
    pl.read_parquet(part).head(3).write_parquet(tmp_path / "runs-0-0-3.parquet")
    frame = run_sweep(whole, tmp_path).frame()
    assert frame["seed"].to_list() == list(range(40))


def test_another_sweep_in_the_folder_is_refused_and_damage_is_told(tmp_path):
    run_sweep(plan(), tmp_path)
    with pytest.raises(SettingError, match="Another sweep is in"):
        run_sweep(plan(count=41), tmp_path)
    (part, *_) = tmp_path.glob("*.parquet")
    part.write_bytes(b"no parquet")
    with pytest.raises(ModelFileError, match=r"cannot be read .* Remove it"):
        run_sweep(plan(), tmp_path).frame()
    with pytest.raises(ModelFileError, match="cannot be written to"):
        run_sweep(plan(), Path("/proc/nowhere"))


def test_the_summary_counts_what_is_there(tmp_path):
    whole = plan(count=200, hidden=[(2,), (4,)])
    frame = run_sweep(whole, tmp_path).frame()
    two, four = summary_of(whole, frame).settings
    runs = frame.filter(pl.col("setting") == 0)
    assert two.reached.count == int(runs["reached"].sum()) == sum(runs["loss"] <= 0.01)
    assert two.reached.low < two.reached.value < two.reached.high
    assert two.reached.value < four.reached.value
    assert two.epochs is not None
    assert two.epochs[1] == np.quantile(
        runs.filter("reached")["epochs"], 0.5, method="inverted_cdf"
    )
    assert sum(end.share.count for end in two.ends) == 200 - two.reached.count
    assert sum(two.outcomes.values()) == 200
    json.dumps(summary_of(whole, frame).to_json())
    for end in two.ends:
        if end.outputs is None:
            continue
        trained = alone(replace(XOR, hidden=(2,)), end.example, 0.01)
        np.testing.assert_allclose(trained.outputs[:, 0], end.outputs, atol=0.1)
        assert end.loss == pytest.approx(
            float(np.mean((np.array(end.outputs) - TARGETS) ** 2)), abs=1e-12
        )


@pytest.mark.parametrize(
    ("outputs", "limit"),
    [
        ([0.03, 0.498, 0.971, 0.501], (0, 0.5, 1, 0.5)),
        ([0.49, 0.52, 0.5, 0.51], (0.5, 0.5, 0.5, 0.5)),
        ([0.03, 0.65, 0.68, 0.67], (0, 2 / 3, 2 / 3, 2 / 3)),
        ([0.03, 0.5, 0.971, 0.75], None),
        ([0.02, 0.98, 0.97, 0.04], (0, 1, 1, 0)),
        ([np.nan, 0, 0, 0], None),
    ],
)
def test_ends_are_known_by_which_outputs_are_tied(outputs, limit):
    found, distance = tied(np.array(outputs), TARGETS)
    assert found == (None if limit is None else pytest.approx(limit))
    assert (distance <= 0.1) == (limit is not None)


@pytest.mark.parametrize(
    ("loss", "half"), [(squared_error, 0.5), (binary_cross_entropy, 0.0)], ids=["squared", "cross"]
)
def test_the_mean_of_the_targets_is_the_best_that_tied_outputs_can_do(loss, half):
    # A cross-entropy takes pre-activations: 0 stands for an output of one half.
    same = np.full((4, 1), half)
    here = float(loss(same, TARGETS[:, None]))
    assert here < min(float(loss(same + d, TARGETS[:, None])) for d in (-0.01, 0.01))


def test_wilsons_interval_against_scipys():
    for k, n in ((0, 10), (733, 1000), (10, 10), (1, 1), (270_000, 1_000_000)):
        theirs = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        share = share_of(k, n)
        assert (share.low, share.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert np.isnan(share_of(0, 0).value)


def test_the_survival_curve_falls_to_the_share_that_never_gets_there():
    curve = survival(np.array([5, 50, 50, 500]), runs=8, last=1000)
    shares = [share for _, share in curve]
    assert shares == sorted(shares, reverse=True)
    assert dict(curve)[1000] == 0.5
    assert curve[0][1] == 1.0


def test_chunks_are_sized_to_seconds():
    results = train_chunk(XOR, Chunk(0, 0, 4), 0.01)
    assert results is not None
    sizes = Sizes(seconds=2.0)
    assert sizes.of(0) == 64
    sizes.learn(replace(results, seconds=0.001))
    assert sizes.of(0) == 32  # not more than eight times as many at once
    sizes.learn(replace(results, seconds=4.0))
    assert sizes.of(0) == 2
    sizes.learn(replace(results, seconds=1e6))
    assert sizes.of(0) == 1


def test_grids_and_draws():
    grid = plan(hidden=[(2,), (3,)], learning_rate=[0.1, 0.5], epochs=[100])
    assert grid.varied == ("hidden", "learning_rate")
    chosen = [(each.hidden, each.learning_rate, each.epochs) for each in grid.settings]
    assert chosen == [((2,), 0.1, 100), ((2,), 0.5, 100), ((3,), 0.1, 100), ((3,), 0.5, 100)]
    assert Plan.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    with pytest.raises(SettingError, match=r"learning_rate=0\.1\.\.1 is a range"):
        plan(learning_rate=[Span(0.1, 1.0)])
    with pytest.raises(SettingError, match="takes up to 100,000"):
        plan(seed=list(range(400)), epochs=list(range(400)))
    where = {"seed": 0, "first": 0, "count": 5, "goal": 0.1}
    choices = {"learning_rate": [Span(1e-3, 1.0)], "epochs": [Span(10, 20)], "dtype": ["float64"]}
    drawn = random_of(XOR, choices, 200, **where)
    assert drawn.varied == ("learning_rate", "epochs")
    rates = np.array([each.learning_rate for each in drawn.settings])
    assert rates.min() >= 1e-3
    assert rates.max() <= 1.0
    # Even in the logarithm: half below the geometric mean, within four standard deviations.
    assert abs(np.mean(rates < 10**-1.5) - 0.5) < 4 * 0.5 / np.sqrt(200)
    assert {each.epochs for each in drawn.settings} == set(range(10, 21))
    assert random_of(XOR, choices, 200, **where) == drawn


def test_the_frame_of_a_network_of_ones_own():
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])

    def network(hidden):
        return Network(
            [2, hidden, 1], activation="sigmoid", output="sigmoid", loss="squared_error_sum",
            initializer="standard_normal",
        )  # fmt: skip

    settings = {"optimizer": "gradient_descent", "epochs": 3000, "report": "squared_error"}
    runs = sweep(
        network, {"hidden": [2, 4], "learning_rate": [0.5]}, (X, TARGETS[:, None]), seeds=60,
        **settings,
    )  # fmt: skip
    assert runs.columns == [
        "hidden",
        "learning_rate",
        "seed",
        "reached",
        "outcome",
        "epochs",
        "loss",
    ]
    rates = runs.group_by("hidden", maintain_order=True).agg(pl.col("reached").mean())["reached"]
    assert rates[0] < rates[1]
    one = sweep(network(2), {}, (X, TARGETS[:, None]), seeds=[7], learning_rate=0.5, **settings)
    here = runs.filter((pl.col("hidden") == 2) & (pl.col("seed") == 7))
    assert one["loss"][0] == here["loss"][0]


def test_the_frame_of_a_function_of_ones_own():
    def loss(parameters, X, y):
        return np.mean((np.tanh(X @ parameters["w"]) - y) ** 2)

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    y = np.tanh(X @ np.array([1.0, -0.5]))
    runs = sweep(
        loss, {"learning_rate": [0.01, 1.0]}, (X, y), seeds=8, goal=1e-3, epochs=100,
        optimizer="gradient_descent",
        initialize=lambda seed: {"w": np.random.default_rng(seed).normal(size=2)},
    )  # fmt: skip
    slow, fast = (
        runs.filter(pl.col("learning_rate") == rate)["epochs"].mean() for rate in (0.01, 1)
    )
    assert fast < slow
    with pytest.raises(SettingError, match="give initialize="):
        sweep(loss, {}, (X, y), seeds=3)
    with pytest.raises(SettingError, match="no setting of training"):
        sweep(Network([2, 1]), {"hidden": [2]}, (X, y))
    with pytest.raises(SettingError, match="has no value for 'learning_rate'"):
        sweep(Network([2, 1]), {"learning_rate": []}, (X, y))
