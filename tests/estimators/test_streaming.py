"""Parquet files that are streamed."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from chainrule.errors import DataError
from chainrule.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 3))
    score = X[:, 0] * X[:, 1] + X[:, 2]
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    labels = np.where(score > 0.5, "high", np.where(score < -0.5, "low", "mid"))
    return frame.with_columns(label=pl.Series(labels), score=score, weight=rng.uniform(1, 2, 1000))


@pytest.fixture
def folder(table, tmp_path):
    for i in range(3):
        part = table[i * 400 : (i + 1) * 400]
        part.drop("score", "weight").write_parquet(tmp_path / f"{i}.parquet", row_group_size=90)
    return tmp_path


def test_what_fits_into_the_buffer_is_fitted_as_arrays_are(folder, table):
    X, y = table[["a", "b", "c"]], table["label"].to_numpy()
    one = MLPClassifier(**SMALL).fit(X, y)
    other = MLPClassifier(**SMALL).fit(folder, "label")
    assert one.loss_curve_ == other.loss_curve_
    assert list(other.feature_names_in_) == ["a", "b", "c"]


@pytest.mark.parametrize("batch_size", [100, 64])
def test_a_stream_goes_through_every_row_once(folder, table, batch_size):
    X, y = table[["a", "b", "c"]], table["label"].to_numpy()
    settings = {**SMALL, "batch_size": batch_size, "max_iter": 1, "learning_rate_init": 1e-12}
    streamed = MLPClassifier(**settings, buffer_size=160).fit(folder, "label")
    whole = MLPClassifier(**settings).fit(X, y)
    # With weights that stay as they are, the mean loss is that of all rows in whatever order.
    assert streamed.loss_ == pytest.approx(whole.loss_, rel=1e-9)
    assert streamed.t_ == 1000
    assert list(streamed.classes_) == ["high", "low", "mid"]


def test_a_stream_learns(folder, table):
    X, y = table[["a", "b", "c"]], table["label"].to_numpy()
    settings = {**SMALL, "learning_rate_init": 0.02}
    streamed = MLPClassifier(**settings, buffer_size=200).fit(folder, "label")
    assert streamed.score(X, y) > 0.85
    again = MLPClassifier(**settings, buffer_size=200).fit(folder, "label")
    assert again.loss_curve_ == streamed.loss_curve_


def test_without_shuffling_a_stream_is_the_arrays_in_order(folder, table):
    X, y = table[["a", "b", "c"]], table["label"].to_numpy()
    settings = {**SMALL, "shuffle": False, "batch_size": 70}
    streamed = MLPClassifier(**settings, buffer_size=240).fit(folder, "label")
    whole = MLPClassifier(**settings).fit(X, y)
    np.testing.assert_allclose(streamed.loss_curve_, whole.loss_curve_, rtol=1e-10)


def test_weights_classes_dropout_and_validation(table, tmp_path):
    path = tmp_path / "table.parquet"
    table.drop("score").write_parquet(path)
    settings = {**SMALL, "shuffle": False, "batch_size": 100, "class_weight": "balanced"}
    streamed = MLPClassifier(**settings, buffer_size=400)
    streamed.fit(path, "label", "weight", validation_data=(path, "label"))
    whole = MLPClassifier(**settings)
    X, y, weight = (table[name] for name in (["a", "b", "c"], "label", "weight"))
    whole.fit(X, y.to_numpy(), weight.to_numpy())
    np.testing.assert_allclose(streamed.loss_curve_, whole.loss_curve_, rtol=1e-9)
    assert len(streamed.history_["validation_score"]) == 30
    dropped = MLPClassifier(**settings, buffer_size=400, dropout=0.5).fit(path, "label", "weight")
    assert dropped.loss_curve_ != streamed.loss_curve_


def test_regression_of_several_columns(table, tmp_path):
    path = tmp_path / "table.parquet"
    table.drop("label").write_parquet(path)
    model = MLPRegressor(**SMALL, buffer_size=300).fit(str(path), ["score", "weight"])
    assert model.n_outputs_ == 2
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_what_is_wrong_is_said(folder, table, tmp_path):
    with pytest.raises(DataError, match="no column 'lable'"):
        MLPClassifier().fit(folder, "lable")
    with pytest.raises(DataError, match="no Parquet file"):
        MLPClassifier().fit(tmp_path / "none", "label")
    for settings in ({"solver": "lbfgs"}, {"early_stopping": True}):
        with pytest.raises(ValueError, match="needs all samples in memory"):
            MLPClassifier(**settings, buffer_size=100).fit(folder, "label")
    holes = table.with_columns(a=pl.when(pl.col("a") > 2).then(None).otherwise(pl.col("a")))
    holes.drop("score", "weight").write_parquet(tmp_path / "holes.parquet")
    with pytest.raises(ValueError, match="NaN"):
        MLPClassifier(buffer_size=300).fit(tmp_path / "holes.parquet", "label")


SCRIPT = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from chainrule.estimators import MLPRegressor
settings = dict(hidden_layer_sizes=4, max_iter=1, random_state=0, buffer_size=20_000)
MLPRegressor(**settings).fit(sys.argv[1], "y")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
MLPRegressor(**settings).fit(sys.argv[2], "y")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    columns = {f"f{i}": rng.standard_normal(40_000) for i in range(20)}
    frame = pl.DataFrame({**columns, "y": rng.standard_normal(40_000)})
    small, large = tmp_path / "small.parquet", tmp_path / "large"
    frame.write_parquet(small, row_group_size=10_000)
    large.mkdir()
    for i in range(12):
        frame.write_parquet(large / f"{i}.parquet", row_group_size=10_000)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(small), str(large)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    # All of it would be 80 MB as numbers; the difference is what the allocators keep.
    assert int(run.stdout) < 40_000, f"{run.stdout} kB more"
