"""Every option of `chainrule train` has an effect, which is seen beside a run without it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from chainrule.cli import main
from chainrule.networks.activations import ACTIVATIONS
from chainrule.networks.initializers import INITIALIZERS
from chainrule.networks.losses import LOSSES
from chainrule.training.models import Model
from chainrule.training.optimizers import OPTIMIZERS
from chainrule.training.schedules import SCHEDULES

from .conftest import table

Result = dict[str, Any]
TRAIN = main.commands["train"]


def weights(name: str) -> np.ndarray:
    return np.concatenate([w.ravel() for w in Model.load(name).parameters.values()])


def rate(result: Result) -> list[float]:
    return result["history"]["learning_rate"]


def same(a: Result, b: Result) -> bool:
    return a["history"] == b["history"]


# The data and options of a run, what is added to it, and what the two results then are.
EFFECTS: dict[str, list[tuple[str, str, Callable[[Result, Result], bool]]]] = {
    "--target": [
        ("shop.csv", "--target city", lambda a, b: (a["task"], b["recipe"]["target"]) ==
         ("classification", "city") and not same(a, b)),
    ],
    "--task": [("shop.csv --target age", "--task regression", lambda a, b: same(a, b)),
               ("grades.csv", "--task regression", lambda a, b: b["task"] == "regression" and
                a["network"]["sizes"][-1] == 3)],
    "--drop": [("shop.csv", "--drop age", lambda a, b: b["network"]["sizes"][0] == 3),
               ("shop.csv", "--drop age --drop city", lambda a, b: b["network"]["sizes"][0] == 1)],
    "--categorical": [("grades.csv", "--categorical room", lambda a, b: (
        a["network"]["sizes"][0], b["network"]["sizes"][0]) == (2, 5))],
    "--no-standardise": [("shop.csv", "--no-standardise", lambda a, b: not same(a, b))],
    "--encoding": [("shop.csv", "--encoding latin-1", same)],
    "--header": [("bare.csv", "--no-header", lambda a, b: same(a, b) and b["rows"] == 30)],
    "--samples": [("moons", "--samples 50", lambda a, b: (a["rows"], b["rows"]) == (160, 40))],
    "--bits": [("parity", "--bits 3", lambda a, b: (a["rows"], b["rows"]) == (16, 8))],
    "--noise": [("moons --seed 3", "--noise 0", lambda a, b: not same(a, b))],
    "--hidden": [("xor", "--hidden 3,4", lambda a, b: b["network"]["sizes"] == [2, 3, 4, 1]),
                 ("xor", "--hidden 0", lambda a, b: b["network"]["sizes"] == [2, 1])],
    "--activation": [
        ("xor", "--activation tanh", lambda a, b: not same(a, b)),
        ("xor --hidden 3,4", "--activation relu,leaky_relu(slope=0.2)",
         lambda a, b: b["network"]["activation"] == ["relu", "leaky_relu(slope=0.2)"]),
    ],
    "--output": [("xor", "--output identity", lambda a, b: not same(a, b))],
    "--loss": [("xor", "--loss binary_cross_entropy", lambda a, b: b["recipe"]["report"] is None
                and b["history"]["loss"][0] > 0.69),
               ("moons", "--loss huber(delta=0.1)", lambda a, b: b["loss"] < a["loss"])],
    "--report": [("xor", "--report absolute_error", lambda a, b:
                  0.45 < b["loss"] < 0.55 and
                  a["history"]["objective"] == b["history"]["objective"])],
    "--initializer": [("xor", "--initializer zeros", lambda a, b: b["history"]["loss"][0] == 0.25)],
    "--l1": [("xor", "--l1 0.1", lambda a, b: np.abs(weights("b")).sum() <
              np.abs(weights("a")).sum() and b["history"]["loss"][0] == a["history"]["loss"][0] and
              b["history"]["objective"][0] > a["history"]["objective"][0])],
    "--l2": [("xor", "--l2 0.1", lambda a, b: np.square(weights("b")).sum() <
              np.square(weights("a")).sum() and
              b["history"]["objective"][0] > a["history"]["objective"][0])],
    "--dropout": [("moons", "--dropout 0.5", lambda a, b: not same(a, b)),
                  ("moons", "--dropout 0.5,0.2", lambda a, b: b["network"]["dropout"] ==
                   [0.5, 0.2])],
    "--dtype": [("xor", "--dtype float32", lambda a, b: (weights("a").dtype, weights("b").dtype) ==
                 (np.float64, np.float32))],
    "--optimizer": [("xor", "--optimizer momentum(momentum=0)", lambda a, b: a["loss"] ==
                     b["loss"]),
                    ("xor", "--optimizer lbfgs", lambda a, b: b["loss"] < a["loss"])],
    "--learning-rate": [("xor", "--learning-rate 0.5", lambda a, b: (rate(a)[0], rate(b)[0]) ==
                         (0.1, 0.5)),
                        ("xor", "--lr 0", lambda a, b: b["history"]["loss"] ==
                         [b["history"]["loss"][0]] * 6)],
    "--schedule": [("xor", "--schedule exponential(factor=0.5)", lambda a, b: rate(b)[:3] ==
                    [0.1, 0.05, 0.025])],
    "--epochs": [("xor", "--epochs 9", lambda a, b: (a["epochs"], b["epochs"]) == (6, 9)),
                 ("xor", "--epochs 1e1", lambda a, b: b["epochs"] == 10),
                 ("xor", "--epochs 0", lambda a, b: b["history"] == {})],
    "--batch-size": [("moons", "--batch-size 160", lambda a, b: not same(a, b))],
    "--no-shuffle": [("moons", "--no-shuffle", lambda a, b: not same(a, b)),
                     ("moons --batch-size 1000", "--no-shuffle", same)],
    "--seed": [("moons", "--seed 0", same), ("moons", "--seed 1", lambda a, b: not same(a, b))],
    "--validation": [("moons", "--validation 0.5", lambda a, b: b["rows"] == 100),
                     ("moons", "--validation 0", lambda a, b: b["rows"] == 200 and
                      b["validation"] is None)],
    "--validation-data": [("shop.csv", "--validation-data shop.csv", lambda a, b: b["rows"] == 120
                           and abs(b["validation"]["score"] - b["score"]) < 1e-12)],
    "--patience": [("moons --lr 0", "--patience 2", lambda a, b: (b["stopped"], b["epochs"]) ==
                    ("patience", 4))],
    "--tolerance": [("moons --patience 2 --lr 1e-9", "--tolerance 0", lambda a, b: (
        a["stopped"], b["stopped"]) == ("patience", "epochs"))],
    "--keep-last": [("moons --lr 4", "--keep-last", lambda a, b: a["best_epoch"] != 5 and
                     b["best_epoch"] is None and same(a, b) and a["loss"] != b["loss"])],
    "--clip-norm": [("xor", "--clip-norm 1e-9", lambda a, b: abs(b["loss"] - 0.2558) < 1e-4)],
    "--clip-value": [("xor", "--clip-value 1e-9", lambda a, b: abs(b["loss"] - 0.2558) < 1e-4)],
    "--stop-loss": [("xor", "--stop-loss 0.3", lambda a, b: (b["stopped"], b["epochs"]) ==
                     ("loss", 1))],
    "--engine": [("xor", "--engine interpreter", lambda a, b: a["loss"] != b["loss"] and
                  abs(a["loss"] - b["loss"]) < 1e-12)],
    "--max-time": [("moons", "--max-time 1e-9", lambda a, b: b["stopped"] == "time")],
}  # fmt: skip
ELSEWHERE = {"--show-kernel", "--save", "--plot", "--resume", "--json", "--help"}


@pytest.fixture(autouse=True)
def no_advice(monkeypatch):
    """A few epochs learn nothing, and what would help is not the question here."""
    monkeypatch.setattr("chainrule.cli.training.tried_advice", lambda recipe: None)


@pytest.fixture
def tables(tmp_path) -> None:
    table(tmp_path / "shop.csv")
    lines = [f"{i % 7 / 3},{100 + i % 4},{i % 3}" for i in range(60)]
    (tmp_path / "grades.csv").write_text("\n".join(["points,room,grade", *lines]) + "\n")
    (tmp_path / "bare.csv").write_text("\n".join(f"{i}.5,{i % 2}" for i in range(30)) + "\n")


CASES = [(option, *case) for option, cases in EFFECTS.items() for case in cases]


@pytest.mark.parametrize(("option", "typed", "more", "check"), CASES, ids=[c[2] for c in CASES])
def test_an_option_has_its_effect(run, tables, option, typed, more, check):
    def trained(*words: str, name: str) -> Result:
        result = run("train", *words, "--save", name, "--json")
        assert result.code == 0, result.err
        assert result.err == ""
        return json.loads(result.out)

    typed = [*typed.split(), "--epochs", "6"]
    before = trained(*typed, name="a")
    after = trained(*typed, *more.split(), name="b")
    assert check(before, after), (before, after)


def test_every_option_is_among_these():
    names = {name for parameter in TRAIN.params for name in parameter.opts if "--" in name}
    assert names - {"--lr"} == EFFECTS.keys() | ELSEWHERE - {"--help"}


def help_of(option: str) -> str:
    (found,) = (each for each in TRAIN.params if option in each.opts)
    assert isinstance(found, click.Option)
    assert found.help
    return found.help


@pytest.mark.parametrize(
    ("option", "table_of"),
    [
        ("--activation", ACTIVATIONS),
        ("--loss", LOSSES),
        ("--optimizer", {**OPTIMIZERS, "lbfgs": None}),
        ("--schedule", SCHEDULES),
        ("--initializer", {name.removesuffix("_uniform") for name in INITIALIZERS}
         - {name for name in INITIALIZERS if name.endswith("_normal")} | {"standard_normal"}),
    ],
)  # fmt: skip
def test_the_help_names_every_choice_and_no_other(run, option, table_of):
    words = set(re.findall(r"[a-z]+(?:_[a-z]+)*", re.sub(r"\(.*?\)", "", help_of(option))))
    assert set(table_of) <= words
    for written in re.findall(r"[a-z_]+\([a-z]+=[\d.]+\)", help_of(option)):
        result = run("train", "moons", "--epochs", 1, "--batch-size", 200, option, written)
        assert result.code == 0, result.err


@pytest.mark.parametrize("name", [*ACTIVATIONS])
def test_each_activation_trains(run, name):
    assert run("train", "moons", "--epochs", 1, "--activation", name).code == 0


@pytest.mark.parametrize("name", [*LOSSES])
def test_each_loss_trains(run, tables, name):
    data = "grades.csv" if name == "categorical_cross_entropy" else "moons"
    result = run("train", data, "--epochs", 1, "--loss", name)
    assert result.code == 0, result.err
    assert LOSSES[name].measures in result.out


@pytest.mark.parametrize("name", [*OPTIMIZERS, "lbfgs"])
def test_each_optimizer_trains(run, name):
    result = json.loads(run("train", "moons", "--epochs", 3, "--optimizer", name, "--json").out)
    assert len(result["history"]["loss"]) == 3


@pytest.mark.parametrize("name", [*INITIALIZERS])
def test_each_initializer_trains(run, name):
    assert run("train", "moons", "--epochs", 1, "--initializer", name).code == 0


@pytest.mark.parametrize("name", ["constant", "step(every=2)", "exponential", "cosine",
                                  "warmup(length=2)", "inverse_scaling", "adaptive"])  # fmt: skip
def test_each_schedule_trains(run, name):
    assert run("train", "moons", "--epochs", 3, "--schedule", name).code == 0
    assert name.partition("(")[0] in SCHEDULES


def test_counts_are_predicted_as_counts(run, tmp_path):
    """A target of counts is not standardised for the Poisson loss."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300).round(3)
    lines = [f"{a},{b}" for a, b in zip(x, rng.poisson(np.exp(1 + x)), strict=True)]
    Path("calls.csv").write_text("\n".join(["hour,calls", *lines]) + "\n")
    typed = ["--task", "regression", "--loss", "poisson", "--epochs", 200, "--lr", 0.01]
    result = run("train", "calls.csv", *typed, "--save", "m")
    assert "standard deviations" not in result.out
    predicted = json.loads(run("predict", "m", "calls.csv", "--json").out)["prediction"]
    assert min(predicted) > 0
    assert np.corrcoef(np.log(predicted), 1 + x)[0, 1] > 0.95


@pytest.mark.parametrize(
    ("data", "optimizer", "expected"),
    [
        ("xor", None, 0.1), ("xor", "adam", 0.001), ("xor", "momentum", 0.1),
        ("moons", None, 0.01), ("moons", "adam(beta1=0.8)", 0.01), ("moons", "adamw", 0.01),
        ("moons", "gradient_descent", 0.1), ("moons", "lion", 0.0001), ("shop.csv", None, 0.001),
    ],
)  # fmt: skip
def test_the_rate_goes_with_the_data_and_the_optimizer(run, tables, data, optimizer, expected):
    typed = [] if optimizer is None else ["--optimizer", optimizer]
    result = json.loads(run("train", data, *typed, "--epochs", 1, "--json").out)
    assert rate(result) == [expected]
    assert f"at rate {expected:g} on" in run("train", data, *typed, "--epochs", 1).out
