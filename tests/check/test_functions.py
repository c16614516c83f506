"""Functions that train, in the place of a program's path."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chainrule.check import assert_backprop, check_program
from chainrule.check.repairs import patch, write_repaired
from chainrule.errors import SettingError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

MODULE = """
from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np


@dataclass
class Rate:
    value: float = 0.1


def train(steps=6, *, rate=Rate()):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 1))
    for step in range(steps):
        h = np.tanh(X @ W1)
        out = h @ W2
        loss = np.mean((out - y) ** 2)
        d_out = 2 * (out - y) / len(y)
        dW2 = h.T @ d_out
        dW1 = X.T @ (d_out @ W2.T * (1 - h ** 2))
        W1 -= rate.value * dW1
        W2 -= rate.value * dW2
    return loss


def shown(function):
    @functools.wraps(function)
    def run():
        print("training")
        return function()
    return run


@shown
def decorated():
    return train()


def several(steps, /, rate, *more, seed, **options):
    train(steps)


def generator():
    yield train()


async def coroutine():
    train()


def inner():
    def train_here():
        train()
    return train_here


class Model:
    def fit(self=None):
        train()


nameless = lambda: train()
replaced = train
other_name = functools.partial(train, 6)

if __name__ == "__main__":
    raise SystemExit("only for a script")
"""
WRONG = MODULE.replace("(1 - h ** 2)", "(1 - h)")


def module(folder: Path, text: str, name: str = "student") -> ModuleType:
    """A module, imported as a teacher's test may import one: it is in no list of modules."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, name, made)  # for its dataclasses
        spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("name", ["train", "decorated"])
def test_a_function_that_trains_rightly(tmp_path: Path, name: str) -> None:
    assert_backprop(getattr(module(tmp_path, MODULE), name))


def test_a_function_that_trains_wrongly(tmp_path: Path) -> None:
    train = module(tmp_path, WRONG).train
    with pytest.raises(AssertionError) as caught:
        assert_backprop(train)
    line = next(i for i, text in enumerate(WRONG.split("\n"), 1) if "(1 - h)" in text)
    assert f"student.py: The first wrong line is line {line}: dW1 =" in str(caught.value)


def test_the_repair_of_a_function_is_one_of_its_file(tmp_path: Path) -> None:
    check = check_program(module(tmp_path, WRONG).train)
    assert check.program is not None
    diff = patch(check.program, check.repairs)
    assert "-        dW1 = X.T @ (d_out @ W2.T * (1 - h))" in diff
    write_repaired(check.program, check.repairs, tmp_path / "repaired.py")
    old, new = WRONG.split("\n"), (tmp_path / "repaired.py").read_text().split("\n")
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1


@pytest.mark.parametrize("ending", ["", "\n", "\n\n    # more\n"])
def test_however_the_file_ends(tmp_path: Path, ending: str) -> None:
    text = MODULE.partition("def shown")[0].rstrip() + ending
    check = check_program(module(tmp_path, text).train)
    assert check.verdict == "exact", check.summary
    assert check.program is not None
    assert check.program.own_text == text


def test_a_file_named_as_a_module_of_pythons(tmp_path: Path) -> None:
    assert_backprop(module(tmp_path, MODULE, "json").train)


def test_a_function_that_fails_says_where(tmp_path: Path) -> None:
    made = module(tmp_path, "def train():\n    raise OSError('no data')\n")
    check = check_program(made.train)
    assert check.exit_code == 2
    assert check.summary == "The program failed in line 2: OSError: no data."


@pytest.mark.parametrize(
    ("get", "words"),
    [
        (
            lambda m: m.several,
            "several needs steps, rate, seed: a check calls it without arguments.",
        ),
        (lambda m: m.nameless, "A lambda cannot be checked, as it has no name to call it by."),
        (lambda m: m.inner(), "train_here is defined inside another function"),
        (lambda m: m.Model.fit, r"Model.fit cannot be called by the name fit in its module"),
        (lambda m: m.Model().fit, "is neither a path nor a function of a module"),
        (lambda m: m.Model, "is neither a path nor a function of a module"),
        (lambda m: m.other_name, "is neither a path nor a function of a module"),
        (lambda m: functools.wraps(m.train)(lambda: 0), "train cannot be called by the name train"),
        (lambda m: m.generator, "generator does nothing when it is called"),
        (lambda m: m.coroutine, "coroutine does nothing when it is called"),
    ],
)
def test_what_cannot_be_called_by_name_is_refused(
    tmp_path: Path, get: Callable[[ModuleType], Any], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        assert_backprop(get(module(tmp_path, MODULE)))


def test_a_function_of_no_file_is_refused() -> None:
    space: dict[str, Any] = {"__name__": "typed"}
    exec("def train(): pass", space)
    with pytest.raises(SettingError, match="train is in no Python file that can be run: save it"):
        assert_backprop(space["train"])
