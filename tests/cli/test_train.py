"""`chainrule train`: what a person sees and gets."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.training.models import Model

from .conftest import PROGRAM, environment, table

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


@pytest.fixture(scope="module")
def xor(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `chainrule train xor --save model` prints in a process of its own, and the model."""
    folder = tmp_path_factory.mktemp("xor")
    result = subprocess.run(
        [PROGRAM, "train", "xor", "--save", "model"],
        cwd=folder, capture_output=True, encoding="utf-8", env=environment(),
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout, folder / "model"


def test_xor_prints_the_notebook_s_losses_and_predictions(xor):
    printed = re.findall(r"^Epoch +([\d,]+)   loss ([\d.]+)$", xor[0], re.MULTILINE)
    assert [float(loss) for _, loss in printed] == LOSSES
    assert [int(epoch.replace(",", "")) for epoch, _ in printed] == list(range(0, 10_000, 1000))
    rows = re.findall(r"^ ([01])   ([01])  ([01]) +([\d.]+)$", xor[0], re.MULTILINE)
    assert rows == [("0", "0", "0", "0.03"), ("0", "1", "1", "0.498"), ("1", "0", "1", "0.971"),
                    ("1", "1", "0", "0.501")]  # fmt: skip
    assert "10,000 epochs in" in xor[0]
    assert ": mean squared error 0.1262, accuracy 50.0 %\n" in xor[0]


def test_xor_learns_the_notebook_s_weights(xor):
    parameters = Model.load(xor[1]).parameters
    expected = notebook()
    assert parameters.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(parameters[name], array, rtol=0, atol=1e-9)


def test_xor_is_said_not_to_be_learned_in_one_line(xor):
    verdicts = [line for line in xor[0].splitlines() if "learned" in line]
    assert len(verdicts) == 1
    assert re.fullmatch(
        r"XOR was not learned: 2 of 4 outputs are wrong or near one half\. "
        r"Tried, and it was learned: --\S+ \S+ \(loss [\d.]+\)\.",
        verdicts[0],
    )


@pytest.mark.parametrize(
    "typed",
    [
        "xor",
        "xor --epochs 2000",
        "xor --optimizer adam",
        "xor --hidden 0",
        "xor --hidden 4 --activation relu --seed 1 --epochs 100",
        "xor --batch-size 2 --epochs 3000",
        "parity --bits 5 --epochs 30",
    ],
)
def test_what_is_advised_works_when_it_is_typed(run, typed):
    result = run("train", *typed.split())
    assert result.code == 0
    advised = re.search(
        r"was not learned: .* Tried, and it was learned: (--.+) \(loss (.+)\)", result.out
    )
    assert advised, result.out
    again = run("train", *typed.split(), *advised[1].split())
    assert f"{typed.split()[0].upper()} was learned." in again.out
    assert f" {advised[2]}" in again.out


def test_where_nothing_helps_there_is_no_advice(run, monkeypatch):
    monkeypatch.setattr("chainrule.training.advice._candidates", lambda recipe: [])
    out = run("train", "xor", "--epochs", 50).out
    assert out.endswith("XOR was not learned: 4 of 4 outputs are wrong or near one half.\n")


@pytest.mark.parametrize(
    ("name", "typed"), [("and", ""), ("or", ""), ("parity", ""), ("or", "--loss hinge")]
)
def test_what_is_learned_is_said(run, name, typed):
    assert run("train", name, *typed.split()).out.endswith(f"\n{name.upper()} was learned.\n")


@pytest.mark.parametrize(
    ("name", "score"),
    [("parity", 1), ("moons", 0.99), ("circles", 0.97), ("spirals", 0.9), ("sine", 0.95)],
)
def test_built_in_sets_are_learned(run, name, score):
    result = json.loads(run("train", name, "--json").out)
    assert result["data"] == name
    assert result["score"] >= score


def strict(text: str) -> dict[str, Any]:
    """JSON as it is defined, without NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    "typed",
    [
        "xor --epochs 20",
        "xor --epochs 0",
        "moons --epochs 0",
        "moons --epochs 2",
        "small.csv",
        "small.csv --validation 0.9",
        "notes.csv --epochs 2",
    ],
)
def test_json_is_all_that_is_printed(run, tmp_path, typed):
    (tmp_path / "small.csv").write_text("a,b\n1,2.5\n2,3.1\n3,4.2\n")
    rows = "".join(f"1,{i},?,{i % 2}\n" for i in range(60))
    (tmp_path / "notes.csv").write_text("one,counter,word,y\n" + rows)
    result = run("train", *typed.split(), "--json", "--save", "model")
    data = strict(result.out)
    assert (result.code, result.err) == (0, "")
    assert len(data["history"].get("loss", [])) == data["epochs"]
    assert data["saved"] == "model"
    if "xor" in typed:
        assert data["learned"] is False
        assert set(data["advice"]) == {"option", "loss", "seconds"}
    if "notes" in typed:
        assert len(data["notes"]) == 3
    strict(run("show", "model", "--json").out)
    strict(run("predict", "model", typed.split()[0], "--json").out)


def test_nothing_is_said_on_standard_error_of_notes(run, tmp_path):
    rows = "".join(f"1,{i},?,{i % 2}\n" for i in range(60))
    (tmp_path / "notes.csv").write_text("one,counter,word,y\n" + rows)
    result = run("train", "notes.csv", "--epochs", 2)
    assert result.err == ""
    notes = [line for line in result.out.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 3
    assert notes[0].startswith("Note: The columns 'one' and 'word' of the file notes.csv have one ")


def test_a_wide_and_odd_table(run, tmp_path):
    """Windows' line ends, columns beyond ASCII, commas and quotes in names and categories."""
    name = 'Länge, in "cm"'
    rows = [[f"{1e9 * i}", f"{1e-9 * i}", f'Art, Nr. "{i % 3}"', i % 2] for i in range(12)]
    path = tmp_path / "eine Tabelle.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows([[name, "größe", "art", "ja?"], *rows])
    result = run("train", path, "--epochs", 3, "--save", "ein Modell", "--target", "art")
    assert result.code == 0, result.err
    assert 'classification of art (Art, Nr. "0", Art, Nr. "1", Art, Nr. "2")' in result.out
    assert re.search(
        r"^Länge, in \"cm\" +größe +ja\? +art +prediction +probability$", result.out, re.M
    )
    assert re.search(r"^ +1.1e\+10  1.1e-08 +1  Art, Nr. \"2\" +Art, Nr. \"\d\" +\d\d\.\d %$",
                     result.out, re.M)  # fmt: skip
    predicted = run("predict", "ein Modell", path)
    assert {row[0] for row in csv.reader(predicted.out.splitlines()[1:])} <= {
        f'Art, Nr. "{i}"' for i in range(3)
    }
    assert name in run("show", "ein Modell").out


def test_many_classes_and_long_names_are_cut_short(run, tmp_path):
    lines = [f"{i % 7},{i % 11},{'very ' * 9}long class {i % 30}" for i in range(300)]
    (tmp_path / "many.csv").write_text("\n".join(["a,b,kind", *lines]) + "\n")
    heading = run("train", "many.csv", "--epochs", 1, "--save", "model").out.splitlines()[0]
    assert heading.endswith("… 30 classes)")
    assert len(heading) < 180
    assert "… 30 classes)" in run("show", "model").out


def test_small_tables_are_shown_in_their_own_units(run, tmp_path):
    (tmp_path / "small.csv").write_text("km,euros\n100,2500\n200,3100\n300,4200\n")
    out = run("train", "small.csv", "--epochs", 300, "--lr", 0.01).out
    assert re.search(r"^ km  euros  prediction\n100   2500 +25\d\d|2[45]\d\d\n", out, re.M)
    assert "mean squared error of euros in standard deviations" in out


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


def loaded_by(*arguments: str, **variables: str) -> set[str]:
    """The modules that a command has loaded, and the packages that they are of."""
    code = (
        "import sys; from chainrule.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sys.modules)"
    )
    result = subprocess.run(
        [PROGRAM.with_name("python"), "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(**variables),
    )
    modules = result.stdout.splitlines()[-1].split()
    return {*modules, *(name.partition(".")[0] for name in modules)}


def test_help_needs_neither_numpy_nor_rich():
    heavy = {"numpy", "rich", "scipy", "polars", "matplotlib"}
    assert not loaded_by("train", "--help") & heavy


# What takes long to import, and the first command of the README has no use for.
NOT_FOR_XOR = {
    *("scipy", "sklearn", "polars", "pandas", "pyarrow", "matplotlib", "safetensors", "torch"),
    *("threadpoolctl", "numpy.ma", "numpy.testing", "unittest", "csv", "difflib"),
    *("chainrule.pictures", "chainrule.notation", "chainrule.certificate", "chainrule.data.frames"),
    *("chainrule.cli.bar", "chainrule.cli.prediction", "chainrule.cli.showing"),
    *("chainrule.data.textfiles", "chainrule.training.divergence"),
}


def test_xor_needs_numpy_and_little_else():
    loaded = loaded_by("train", "xor", "--epochs", "20")
    assert "numpy" in loaded
    assert not loaded & NOT_FOR_XOR
    assert "rich" not in loaded


def test_colours_need_rich_but_not_its_progress_bar():
    loaded = loaded_by("train", "and", FORCE_COLOR="1")
    assert "rich.console" in loaded
    assert not loaded & NOT_FOR_XOR
    assert "rich.progress" not in loaded


def test_no_colour_in_a_file_or_where_it_is_not_wanted():
    result = subprocess.run([PROGRAM, "train", "and"], capture_output=True, text=True, check=True)
    assert "\x1b" not in result.stdout
