"""`chainrule train`: what a person sees and gets."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest

from chainrule.training.models import Model

from .conftest import PROGRAM, table

LOSSES = [0.2558, 0.2455, 0.1532, 0.1336, 0.1298, 0.1282, 0.1274, 0.1269, 0.1266, 0.1264]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def notebook():
    """The classic run, written out by hand."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([[0], [1], [1], [0]])
    rng = np.random.RandomState(42)
    W1, b1 = rng.randn(2, 2), np.zeros((1, 2))
    W2, b2 = rng.randn(2, 1), np.zeros((1, 1))
    for _ in range(10_000):
        a1 = sigmoid(X @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        d2 = 2 * (a2 - y) * a2 * (1 - a2)
        d1 = d2 @ W2.T * a1 * (1 - a1)
        W2, b2 = W2 - 0.1 * a1.T @ d2, b2 - 0.1 * d2.sum(axis=0, keepdims=True)
        W1, b1 = W1 - 0.1 * X.T @ d1, b1 - 0.1 * d1.sum(axis=0, keepdims=True)
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def test_xor_is_the_notebook_s_run(run, tmp_path):
    result = run("train", "xor", "--save", "model")
    assert result.code == 0
    printed = [float(x) for x in re.findall(r"Epoch +[\d,]+ +loss ([\d.]+)", result.out)]
    assert printed == LOSSES
    assert re.findall(r"^ [01]   [01]  [01] +([\d.]+)$", result.out, re.MULTILINE) == [
        "0.03",
        "0.498",
        "0.971",
        "0.501",
    ]
    parameters = Model.load(tmp_path / "model").parameters
    for name, expected in notebook().items():
        np.testing.assert_allclose(parameters[name], expected, rtol=0, atol=1e-9)


def test_xor_is_said_not_to_be_learned_with_an_option_that_works(run):
    result = run("train", "xor")
    verdict = [line for line in result.out.splitlines() if line.startswith("XOR was not learned")]
    assert len(verdict) == 1
    assert "2 of 4 outputs" in verdict[0]
    option = re.search(r"Tried, and it was learned: (--.+) \(loss", verdict[0])
    assert option
    again = run("train", "xor", *option[1].split())
    assert "XOR was learned." in again.out


@pytest.mark.parametrize("name", ["and", "or"])
def test_what_is_learned_is_said(run, name):
    assert f"{name.upper()} was learned." in run("train", name).out


@pytest.mark.parametrize("name", ["parity", "moons", "circles", "spirals", "sine"])
def test_built_in_sets(run, name):
    result = json.loads(run("train", name, "--epochs", 3, "--json").out)
    assert result["epochs"] == 3
    assert result["data"] == name


def test_json_alone_is_printed(run):
    result = run("train", "xor", "--epochs", 20, "--json")
    data = json.loads(result.out)
    assert result.err == ""
    assert len(data["history"]["loss"]) == 20
    assert data["learned"] is False
    assert set(data["advice"]) == {"option", "loss", "seconds"}


@pytest.mark.parametrize(
    ("options", "check"),
    [
        (["--hidden", "3,4"], lambda d: d["network"]["sizes"] == [2, 3, 4, 1]),
        (["--hidden", "0"], lambda d: d["network"]["sizes"] == [2, 1]),
        (["--activation", "tanh"], lambda d: d["network"]["activation"] == "tanh"),
        (
            ["--hidden", "3,4", "--activation", "relu,leaky_relu(slope=0.2)"],
            lambda d: d["network"]["activation"][0] == "relu",
        ),
        (["--loss", "binary_cross_entropy"], lambda d: d["recipe"]["report"] is None),
        (["--initializer", "he"], lambda d: d["network"]["initializer"] == "he"),
        (["--l1", "0.1", "--l2", "0.2"], lambda d: d["network"]["l2"] == 0.2),
        (["--dropout", "0.5"], lambda d: d["network"]["dropout"] == 0.5),
        (["--dtype", "float32"], lambda d: d["recipe"]["dtype"] == "float32"),
        (["--optimizer", "adam(beta1=0.8)"], lambda d: "beta1" in d["recipe"]["optimizer"]),
        (["--optimizer", "lbfgs"], lambda d: d["loss"] < 0.26),
        (["--lr", "0.5"], lambda d: d["history"]["learning_rate"][0] == 0.5),
        (
            ["--schedule", "exponential(factor=0.5)"],
            lambda d: d["history"]["learning_rate"][:3] == [0.1, 0.05, 0.025],
        ),
        (["--batch-size", "2"], lambda d: d["recipe"]["batch_size"] == 2),
        (["--batch-size", "2", "--no-shuffle"], lambda d: d["recipe"]["shuffle"] is False),
        (["--seed", "7"], lambda d: d["recipe"]["seed"] == 7),
        (["--patience", "2", "--tolerance", "1"], lambda d: d["stopped"] == "patience"),
        (["--clip-norm", "1e-9"], lambda d: abs(d["loss"] - 0.2558) < 1e-4),
        (["--clip-value", "1e-9"], lambda d: abs(d["loss"] - 0.2558) < 1e-4),
        (["--stop-loss", "0.3"], lambda d: (d["stopped"], d["epochs"]) == ("loss", 1)),
        (["--max-time", "1e-9"], lambda d: d["stopped"] == "time"),
        (["--report", "absolute_error"], lambda d: 0.45 < d["loss"] < 0.55),
        (["--output", "identity"], lambda d: d["network"]["output"] == "identity"),
    ],
)
def test_each_option_does_something(run, monkeypatch, options, check):
    # Five epochs learn nothing, and what would help is not the question here.
    monkeypatch.setattr("chainrule.cli.training.tried_advice", lambda recipe: None)
    result = run("train", "xor", "--epochs", 5, "--json", *options)
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert check(data), data


def test_options_of_the_data(run):
    data = json.loads(run("train", "parity", "--bits", 3, "--epochs", 1, "--json").out)
    assert data["rows"] == 8
    moons = run("train", "moons", "--samples", 50, "--noise", 0.3, "--epochs", 1, "--json")
    assert json.loads(moons.out)["rows"] == 40
    kept = run("train", "moons", "--epochs", 1, "--validation", 0, "--keep-last", "--json")
    assert json.loads(kept.out)["rows"] == 200


def test_a_table_is_learned_saved_shown_and_predicted(run, tmp_path):
    table(tmp_path / "shop.csv")
    result = run("train", "shop.csv", "--save", "model", "--epochs", 60, "--lr", 0.01)
    assert "shop.csv: 108 rows and 12 held out, 4 inputs, classification of bought (no, yes)" in (
        result.out
    )
    assert "Saved to model" in result.out
    assert {file.name for file in (tmp_path / "model").iterdir()} == {
        "model.safetensors",
        "model.json",
        "history.csv",
        "checkpoint.safetensors",
    }
    predicted = run("predict", "model", "shop.csv")
    lines = predicted.out.splitlines()
    assert lines[0] == "prediction"
    assert len(lines) == 121
    assert re.match(r"accuracy on 120 rows: (9\d\.\d|100) %", predicted.err)
    with_numbers = run("predict", "model", "shop.csv", "--probabilities")
    assert with_numbers.out.splitlines()[0] == "prediction,probability of no,probability of yes"
    shown = run("show", "model")
    assert "size, age, city" in shown.out
    assert "4×100" in shown.out
    described = json.loads(run("show", "model", "--json").out)
    assert described["format"] == "chainrule model"
    assert described["history"]["epochs"] == 60
    assert json.loads(run("predict", "model", "shop.csv", "--json").out)["score"].keys() == {
        "accuracy"
    }


def test_predictions_of_a_saved_model_are_the_same_to_the_bit(run, tmp_path):
    from chainrule.data import read_table
    from chainrule.training.preparing import prepare
    from chainrule.training.recipes import Recipe

    table(tmp_path / "shop.csv")
    trained = prepare(Recipe(str(tmp_path / "shop.csv"), epochs=10)).train()
    trained.model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    X = trained.prepared.X
    assert loaded.outputs(X).tobytes() == trained.model.outputs(X).tobytes()
    rows = read_table(str(tmp_path / "shop.csv"))
    again = loaded.preparation.transform_features(rows)
    before = trained.prepared.preparation.transform_features(rows)
    assert again.tobytes() == before.tobytes()
    run("predict", tmp_path / "model", tmp_path / "shop.csv", "--output", tmp_path / "out.parquet")
    import polars

    written = polars.read_parquet(tmp_path / "out.parquet")["prediction"].to_list()
    assert written == trained.model.predict(rows).tolist()


def test_a_number_is_regressed(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)).round(4)
    rows = "".join(f"{a},{b},{3 * a - b + 10}\n" for a, b in x)
    (tmp_path / "line.csv").write_text("a,b,price\n" + rows)
    result = run("train", "line.csv", "--epochs", 100, "--lr", 0.01, "--save", "m")
    *_, score = re.findall(r"held out .*R² ([\d.]+)", result.out)
    assert float(score) > 0.98
    assert run("predict", "m", "line.csv").err.startswith("R² on 200 rows: 0.9")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures(run, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    result = run("train", "moons", "--epochs", 5, "--plot", f"moons.{suffix}")
    assert f"Picture in moons.{suffix}" in result.out
    start = (tmp_path / f"moons.{suffix}").read_bytes()[:8]
    assert start.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])


def test_help_needs_neither_numpy_nor_rich():
    code = (
        "import sys; from chainrule.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'rich', 'scipy', 'polars', 'matplotlib'} & set(sys.modules)))"
    )
    python = PROGRAM.with_name("python")
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_no_colour_in_a_file_or_where_it_is_not_wanted():
    result = subprocess.run([PROGRAM, "train", "and"], capture_output=True, text=True, check=True)
    assert "\x1b" not in result.stdout
