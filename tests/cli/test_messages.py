"""What is typed wrong gets one message, exit code 2, and nothing is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .test_train import table

WRONG = [
    (["train"], r"There is no data to train on"),
    (["train", "xorr"], r"no built-in data set xorr.*the closest name first"),
    (["train", "missing.csv"], r"There is no file missing.csv"),
    (["train", "xor", "--optimizer", "adm"], r"optimizer.*adm.*adam"),
    (["train", "xor", "--activation", "rleu"], r"activation.*rleu.*relu"),
    (["train", "xor", "--loss", "squarederror"], r"loss.*squared_error"),
    (["train", "xor", "--schedule", "cosin"], r"schedule.*cosine"),
    (["train", "xor", "--initializer", "hee"], r"initializer.*he"),
    (["train", "xor", "--epochs", "-3"], r"--epochs -3"),
    (["train", "xor", "--batch-size", "0"], r"--batch-size 0"),
    (["train", "xor", "--lr", "-1"], r"-1"),
    (["train", "xor", "--lr", "nan"], r"nan"),
    (["train", "xor", "--l2", "-1"], r"--l2 -1"),
    (["train", "xor", "--dropout", "1.5"], r"--dropout 1.5"),
    (["train", "xor", "--hidden", "two"], r"not a list of whole numbers"),
    (["train", "xor", "--hidden", "3,4", "--activation", "relu,relu,relu"], r"lists 3 values"),
    (["train", "xor", "--output", "softmax"], r"softmax"),
    (["train", "xor", "--samples", "5"], r"truth table"),
    (["train", "moons", "--bits", "3"], r"parity"),
    (["train", "moons", "--validation", "1.5"], r"1\.5"),
    (["train", "moons", "--patience", "-1"], r"--patience -1"),
    (["train", "shop.csv", "--target", "bougt"], r"no column 'bougt'.*bought"),
    (["train", "shop.csv", "--drop", "siz"], r"no column 'siz'.*size"),
    (["train", "shop.csv", "--task", "regression"], r"bought"),
    (["train", "shop.csv", "--loss", "poisson", "--output", "softmax"], r"softmax"),
    (["train", "xor", "--save", "shop.csv"], r"shop.csv is a file"),
    (["train", "xor", "--save", "."], r"holds other files"),
    (["train", "xor", "--plot", "x.gif"], r"picture's name ends in"),
    (["train", "xor", "--plot", "nowhere/x.png"], r"there is no folder nowhere"),
    (["train", "--resume", "nowhere"], r"no run to go on with in nowhere"),
    (["predict", "nowhere", "xor"], r"no folder nowhere"),
    (["predict", "shop.csv", "xor"], r"is not a folder"),
    (["show", "."], r"holds no model"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_one_message_and_nothing_written(run, tmp_path, arguments, message):
    table(tmp_path / "shop.csv")
    result = run(*arguments)
    assert result.code == 2
    assert re.search(message, result.err.replace("\n", " ")), result.err
    assert "Error: " in result.err
    assert "Traceback" not in result.err
    assert [file.name for file in tmp_path.iterdir()] == ["shop.csv"]


def test_a_run_that_diverges_says_where(run):
    result = run("train", "sine", "--lr", "1e300", "--optimizer", "gradient_descent")
    assert result.code == 1
    assert "the loss is no longer finite" in result.err
    assert "in epoch 0" in result.err
    assert "learning rate (1e+299 instead of 1e+300)" in result.err


@pytest.fixture
def model(run, tmp_path) -> Path:
    table(tmp_path / "shop.csv")
    assert run("train", "shop.csv", "--save", "model", "--epochs", 2).code == 0
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_model_is_refused(run, model, name, share):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: int(share * len(content))])
    result = run("predict", "model", "shop.csv")
    assert result.code == 2
    assert name in result.err
    assert "damaged" in result.err


def test_a_foreign_or_newer_model_is_refused(run, model):
    description = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**description, "version": 99}))
    assert "version 99 of its format, and this chainrule reads up to 1" in run("show", "model").err
    (model / "model.json").write_text(json.dumps({**description, "format": "other"}))
    assert "is not a chainrule model: it says 'other'" in run("show", "model").err
    (model / "model.json").unlink()
    assert "model.json is missing" in run("show", "model").err
    (model / "model.safetensors").unlink()
    assert "a run that has not ended" in run("show", "model").err


def test_weights_of_another_file_are_refused(run, model):
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"W1": np.zeros((2, 2))}, model / "model.safetensors")
    result = run("show", "model")
    assert result.code == 2
    assert "not a chainrule model: it says 'nothing' of its format" in result.err


def test_rows_that_do_not_fit_the_model_are_refused(run, model, tmp_path):
    (tmp_path / "less.csv").write_text("size,age\n1,2\n")
    assert "lacks the column 'city'" in run("predict", "model", "less.csv").err
    (tmp_path / "new.csv").write_text("size,age,city\n1,2,Lyon\n3,4,Nice\n")
    unseen = run("predict", "model", "new.csv")
    assert unseen.code == 2
    assert "Nice" in unseen.err
    (tmp_path / "text.csv").write_text("size,age,city\nbig,2,Lyon\n")
    assert "big" in run("predict", "model", "text.csv").err
    assert (
        "must end in .csv or .parquet" in run("predict", "model", "shop.csv", "--output", "x").err
    )


OPTIONS = """
--hidden --activation --loss --optimizer --schedule --lr --epochs --batch-size --seed --dropout --l1
--patience --clip-norm --output --initializer --report --validation --stop-loss --dtype --task
"""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(OPTIONS.split()),
    st.one_of(
        st.text(max_size=12),
        st.integers(-5, 5).map(str),
        st.floats(width=16).map(str),
        st.sampled_from(["adam(", "relu()", "huber(delta=0)", "step(every=0)", "1e999", "none"]),
    ),
)
def test_no_value_of_an_option_gives_a_traceback(run, option, value):
    result = run("train", "and", "--epochs", 2, f"{option}={value}")
    assert result.code in (0, 1, 2), (option, value)
    if result.code:
        assert "Error: " in result.err
