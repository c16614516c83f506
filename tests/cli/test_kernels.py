"""`--show-kernel`: the plan and the code of the step that would run, with the graph's lines."""

import json
import re

import llvmlite.binding as llvm
import pytest


@pytest.mark.parametrize("data", ["xor", "moons"])
def test_the_plan_and_the_code_name_the_lines_of_the_graph(run, data):
    result = run("train", data, "--show-kernel")
    assert (result.code, result.err) == (0, "")
    plan, _, code = result.out.partition("; ModuleID")
    for equation, line in (
        ("z1 = v1 + b1", "network.py"), ("a1 = ", "activations.py"), ("W1 − ", "optimizers.py"),
    ):  # fmt: skip
        if data == "xor":
            equation = equation.replace("v1 ", "v3 ")
        assert re.search(rf"(?m)^ .*{re.escape(equation)}.* {line}:\d+", plan), equation
        assert re.search(rf"(?m)^ *; .*{re.escape(equation)}.*\[{line}:\d+\]$", code), equation
    assert "→ W1" in plan
    assert 'define i64 @"steps"' in code
    assert "epochs in" not in result.out


@pytest.mark.parametrize("data", ["xor", "moons"])
def test_as_json_the_code_is_what_llvm_takes(run, data):
    listings = json.loads(run("train", data, "--show-kernel", "--json").out)
    assert len(listings) == 1
    for each in listings:
        assert each["plan"].startswith("A training step of ")
        llvm.parse_assembly(each["code"]).verify()


def test_a_last_batch_of_another_size_has_code_of_its_own(run):
    listings = json.loads(run("train", "moons", "--batch-size", 50, "--show-kernel", "--json").out)
    sizes = [re.search(r"step of (\d+) rows", each["plan"])[1] for each in listings]
    assert sizes == ["50", "10"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--save", "x"], "there is nothing for --save"),
        (["--plot", "x.png"], "there is nothing for --plot"),
        (["--engine", "interpreter"], "--engine interpreter has none"),
        (["--optimizer", "lbfgs"], "L-BFGS takes its steps itself"),
    ],
)
def test_what_it_cannot_be_used_with(run, typed, words):
    result = run("train", "xor", "--show-kernel", *typed)
    assert result.code == 2
    assert words in result.err
    assert result.out == ""
