"""`chainrule predict`, `show` and `--resume` on folders that are whole, damaged or foreign."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from chainrule.training.models import Model

from .conftest import numbers, table


@pytest.fixture
def model(run, tmp_path) -> Path:
    table(tmp_path / "shop.csv")
    assert run("train", "shop.csv", "--save", "model", "--epochs", 2).code == 0
    return tmp_path / "model"


FILES = {
    "model.safetensors": ["predict model shop.csv", "show model"],
    "model.json": ["predict model shop.csv", "show model --json"],
    "checkpoint.safetensors": ["train --resume model --epochs 3"],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.99])
def test_a_truncated_file_is_refused(run, model, name, share):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: int(share * len(content))])
    for command in FILES[name]:
        assert f"{name} is damaged or not a chainrule " in run(*command.split()).refusal


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_tells_nothing_new(run, tmp_path, name, place, change):
    folder = tmp_path / "whole"
    if not folder.exists():
        table(tmp_path / "shop.csv")
        assert run("train", "shop.csv", "--save", "whole", "--epochs", 2).code == 0
    shutil.rmtree(tmp_path / "model", ignore_errors=True)
    shutil.copytree(folder, tmp_path / "model")
    content = bytearray((tmp_path / "model" / name).read_bytes())
    content[int(place * len(content))] ^= change
    (tmp_path / "model" / name).write_bytes(content)
    for command in FILES[name]:
        result = run(*command.split())
        if name == "model.json":
            assert result.code in (0, 2)
        else:
            assert result.refusal


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "checkpoint.safetensors"])
def test_a_newer_file_asks_for_a_newer_chainrule(run, model, name, monkeypatch):
    command = FILES[name][0]
    if name == "model.json":
        description = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps({**description, "version": 99}))
    else:
        module = "models" if name == "model.safetensors" else "checkpoints"
        with monkeypatch.context() as later:
            later.setattr(f"chainrule.training.{module}.VERSION", 99)
            assert run("train", "shop.csv", "--save", "new", "--epochs", 2).code == 0
        shutil.copy(Path("new") / name, model)
    assert run(*command.split()).refusal == (
        f"model/{name} has version 99 of its format, and this chainrule reads up to 1. Install a "
        "newer chainrule."
    )


def test_foreign_files_are_refused(run, model):
    description = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**description, "format": "other"}))
    assert "model.json is not a chainrule model: it says 'other'" in run("show", "model").refusal
    (model / "model.json").write_text("[" * 100_000)
    assert "model.json is damaged or not" in run("show", "model").refusal
    for name in ("model.safetensors", "checkpoint.safetensors"):
        save_file({"W1": np.zeros((2, 2))}, model / name)
        refusal = run(*FILES[name][0].split()).refusal
        assert f"model/{name} is a safetensors file, but not a chainrule " in refusal
        assert "it says 'nothing' of its format" in refusal
    shutil.copy(model / "model.json", model / "model.safetensors")
    assert "model.safetensors is damaged" in run("show", "model").refusal


def test_files_that_are_missing(run, model):
    (model / "history.csv").unlink()
    shown = run("show", "model")
    assert shown.code == 0
    assert "losses" not in shown.out
    (model / "model.json").unlink()
    assert "model.json is missing: the model's folder is not whole" in run("show", "model").refusal
    (model / "model.safetensors").unlink()
    assert run("show", "model").refusal == (
        "model holds a run that has not ended, and no model yet. Go on with: chainrule train "
        "--resume model"
    )
    (model / "checkpoint.safetensors").unlink()
    assert "The folder model holds no model" in run("show", "model").refusal
    assert "There is no run to go on with in model" in run("train", "--resume", "model").refusal


@pytest.mark.parametrize("text", ["", "epoch,loss\n0,1.0,2.0\n", "epoch,loss\n0,many\n"])
def test_a_damaged_history_can_be_done_without(run, model, text):
    (model / "history.csv").write_text(text)
    assert run("show", "model").refusal == (
        "model/history.csv is damaged: it is not a table with a row of numbers for each epoch. "
        "Delete it to use the model without its history."
    )


def test_the_description_of_another_model_is_noted(run, model, tmp_path):
    numbers(tmp_path / "price.csv")
    assert run("train", "price.csv", "--save", "other", "--epochs", 2).code == 0
    shutil.copy("other/model.json", model)
    result = run("predict", "model", "shop.csv")
    assert result.code == 0
    assert result.err.startswith(
        "Note: model/model.json has been changed, or is of another model; what counts is the "
        "description inside model.safetensors.\n"
    )
    shutil.copy("other/model.safetensors", model)
    assert "lacks the columns 'a' and 'b'" in run("predict", "model", "shop.csv").refusal


ROWS = {
    "size,age\n1,2\n": r"The file new.csv lacks the column 'city', which the model was trained on",
    "size,age,city\n1,2,Nice\n": r"has the category 'Nice', which the model was not trained on",
    "size,age,city\nbig,2,Lyon\n": r"is one of numbers and has the text 'big' in row 1 (line 2)",
    "size,age,city\n1,,Lyon\n": r"The column 'age' of the file new.csv has no value in row 1",
    "size,age,city\n": r"The file new.csv has a line of column names and no rows below it",
    "size,age,city\n1,2\n": r"The file new.csv",
    "": r"The file new.csv is empty",
}


@pytest.mark.parametrize("text", ROWS)
def test_rows_that_do_not_fit_the_model(run, model, text):
    Path("new.csv").write_text(text)
    assert ROWS[text] in run("predict", "model", "new.csv").refusal


def test_columns_in_another_order_and_more_of_them(run, model):
    Path("new.csv").write_text("more,city,age,size\nx,Lyon,2,1\n")
    Path("same.csv").write_text("size,age,city\n1,2,Lyon\n")
    one, other = (
        run("predict", "model", f"{name}.csv", "--probabilities") for name in ("new", "same")
    )
    assert one.out == other.out
    assert one.err == other.err == ""


def test_where_predictions_go(run, model):
    assert run("predict", "model", "shop.csv", "--output", "x.txt").refusal == (
        "--output x.txt: its name must end in .csv or .parquet."
    )
    assert "cannot be written" in run("predict", "model", "shop.csv", "--output", "a/x.csv").refusal
    both = run("predict", "model", "shop.csv", "--output", "x.csv", "--json")
    assert "choose one" in both.refusal
    written = run("predict", "model", "shop.csv", "--output", "x.csv", "--probabilities")
    assert written.out == "120 predictions in x.csv\n"
    printed = run("predict", "model", "shop.csv", "--probabilities")
    read = [
        [list(csv.reader(io.StringIO(text)))] for text in (Path("x.csv").read_text(), printed.out)
    ]
    assert read[0] == read[1]


def test_probabilities_only_where_there_are_some(run, model, tmp_path):
    table_of = run("predict", "model", "shop.csv", "--probabilities", "--json")
    columns = json.loads(table_of.out)
    p = np.array([columns["probability of no"], columns["probability of yes"]])
    np.testing.assert_allclose(p.sum(axis=0), 1)
    assert [["no", "yes"][i] for i in p.argmax(axis=0)] == columns["prediction"]
    numbers(tmp_path / "price.csv")
    assert run("train", "price.csv", "--save", "price", "--epochs", 2).code == 0
    assert "'price' is a number" in run("predict", "price", "price.csv", "--probabilities").refusal
    assert run("train", "shop.csv", "--loss", "hinge", "--save", "svm", "--epochs", 2).code == 0
    assert run("predict", "svm", "shop.csv", "--probabilities").refusal == (
        "--probabilities: the model's outputs are none. Its last layer is identity, trained on the "
        "mean hinge loss."
    )


@pytest.mark.parametrize("loss", ["hinge", "binary_cross_entropy"])
def test_two_classes_are_told_apart_by_the_sign_of_a_pre_activation(run, tmp_path, loss):
    options = ["--loss", loss, "--output", "identity", "--epochs", 100, "--save", "model"]
    result = json.loads(run("train", "moons", *options, "--json").out)
    assert result["score"] > 0.95
    loaded = Model.load(tmp_path / "model")
    predicted = run("predict", "model", "moons")
    accuracy = float(predicted.err.split()[-2])
    assert accuracy > 95
    assert {*predicted.out.split()} == {"prediction", "0", "1"}
    assert loaded.outputs(np.zeros((1, 2))).shape == (1, 1)


def test_built_in_sets_are_drawn_as_the_model_saw_them(run):
    options = ["--samples", 60, "--noise", 0.3, "--seed", 5, "--epochs", 3, "--save", "model"]
    trained = json.loads(run("train", "circles", *options, "--json").out)
    predicted = json.loads(run("predict", "model", "circles", "--json").out)
    assert predicted["rows"] == 60
    parts = [trained["score"] * 48, trained["validation"]["score"] * 12]
    assert predicted["score"]["accuracy"] == pytest.approx(sum(parts) / 60)
    assert "lacks the column" not in run("predict", "model", "moons").err
    assert "lacks the columns" in run("predict", "model", "sine").refusal


def test_rows_without_a_target_are_only_predicted(run, model):
    Path("new.csv").write_text("size,age,city,bought\n1,2,Lyon,perhaps\n3,4,Lyon,no\n")
    result = run("predict", "model", "new.csv")
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 3


def test_show_says_what_there_is_to_say(run, model):
    shown = run("show", "model").out
    for line in (
        "model: network 4-100-1, 601 parameters (float64)",
        "layer  activation      W      b  parameters  mean |W|",
        "trained on  the file shop.csv, 108 rows",
        "inputs      size, age, city",
        "target      bought (no, yes), classification",
        "loss        mean binary cross-entropy in nats",
        "optimizer   adam, rate 0.001",
        "seed        0",
    ):
        assert line in shown
    assert json.loads(run("show", "model", "--json").out)["history"]["epochs"] == 2
    run("train", "moons", "--dropout", 0.2, "--save", "dropped", "--epochs", 1)
    assert "dropout  mean |W|" in run("show", "dropped").out


def test_a_model_replaces_another_and_says_so(run, model):
    again = run("train", "shop.csv", "--epochs", 1, "--save", "model")
    assert again.out.endswith("Saved to model, in place of the model there\n")


def test_what_a_run_that_goes_on_may_change(run, model):
    def refused(*options: object) -> str:
        return run("train", "--resume", "model", *options).refusal

    only = "Only --epochs, --max-time and --stop-loss may change when a run goes on."
    assert refused("--lr", 0.5) == (
        f"--learning-rate of the run in model is 0.001, and you ask for 0.5. {only}"
    )
    assert refused("--hidden", "3,4") == (
        f"--hidden of the run in model is 100, and you ask for 3,4. {only}"
    )
    assert refused("--patience", 3) == (
        f"--patience of the run in model was not given, and you ask for 3. {only}"
    )
    assert refused("--no-shuffle") == (
        f"--no-shuffle is new to the run in model, which began without it. {only}"
    )
    assert (
        "is on shop.csv, and you name xor. Leave DATA out"
        in run("train", "xor", "--resume", "model").refusal
    )
    done = run("train", "--resume", "model")
    assert "Going on from epoch 2 of the run in model\nAll its epochs are done; ask for" in done.out
    more = run("train", "shop.csv", "--resume", "model", "--epochs", 4, "--save", "new")
    assert more.out.endswith("Saved to new\n")
    assert len(Model.load("new").history) == 4
    table(Path("shop.csv"), 100)
    assert refused() == (
        "The data has changed since the run in model began, so it cannot go on as if nothing had "
        "happened. Restore the data, or start afresh without --resume."
    )


def test_a_checkpoint_of_a_python_program_goes_on_in_python(run, tmp_path):
    from chainrule import Network, train

    X = np.arange(4.0)[:, None]
    (tmp_path / "run").mkdir()
    train(Network([1, 1]), X, X, epochs=2, checkpoint=tmp_path / "run" / "checkpoint.safetensors")
    assert run("train", "--resume", "run").refusal == (
        "The checkpoint in run is not of a run that was started on the command line. Go on with it "
        "in Python, where chainrule.train takes it as resume."
    )
