"""Runs to explain, of several architectures."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.explain import Derivation
from chainrule.explain.moments import Training, moment_of, training_of
from chainrule.training.recipes import Recipe


def three_classes(folder: Path) -> str:
    """A table of three numbers and one of three kinds."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3)).round(3)
    kinds = np.argmax(rows + 0.3 * rng.normal(size=rows.shape), axis=1)
    lines = [f"{a},{b},{c},{'pqr'[k]}\n" for (a, b, c), k in zip(rows, kinds, strict=True)]
    path = folder / "kinds.csv"
    path.write_text("a,b,c,kind\n" + "".join(lines))
    return str(path)


RECIPES: dict[str, dict[str, Any]] = {
    "xor": {"data": "xor", "epochs": 300},
    "deep tanh": {
        "data": "circles",
        "samples": 30,
        "hidden": (4, 3, 3, 2),
        "activation": ("tanh",),
        "loss": "squared_error",
        "optimizer": "gradient_descent",
        "epochs": 40,
        "batch_size": None,
    },
    "relu with softmax": {
        "data": "kinds.csv",
        "hidden": (5,),
        "activation": ("relu",),
        "optimizer": "momentum",
        "epochs": 30,
        "batch_size": 16,  # the last batch is smaller
        "validation": 0.0,
    },
    "adam with l2": {
        "data": "moons",
        "samples": 20,
        "hidden": (4,),
        "optimizer": "adam",
        "l2": 0.01,
        "epochs": 40,
    },
    "many settings": {
        "data": "moons",
        "samples": 24,
        "hidden": (4, 3),
        "activation": ("leaky_relu(slope=0.1)", "softplus"),
        "optimizer": "adamw",
        "l1": 0.001,
        "clip_norm": 0.5,
        "dropout": (0.25, 0.0),
        "schedule": "cosine",
        "epochs": 12,
        "batch_size": 10,
    },
    "float32 regression": {
        "data": "sine",
        "samples": 20,
        "hidden": (5,),
        "activation": ("silu",),
        "loss": "huber(delta=0.5)",
        "optimizer": "rmsprop",
        "schedule": "exponential(factor=0.95, unit='step')",
        "dtype": "float32",
        "epochs": 15,
        "batch_size": None,
    },
}


def recipe(name: str, folder: Path, **changes: Any) -> Recipe:
    """One of the recipes, with a table of its own where it needs one."""
    settings = {**RECIPES[name], **changes}
    if settings["data"] == "kinds.csv":
        settings["data"] = three_classes(folder)
    return Recipe(**settings, engine="interpreter")


@pytest.fixture(params=RECIPES)
def training(request, tmp_path) -> Training:
    """A run of each kind."""
    return training_of(recipe(request.param, tmp_path))


def derived(training: Training, epoch: int | None = None, batch: int = 0) -> Derivation:
    """The derivation of one of its steps."""
    return Derivation.of_moment(moment_of(training, epoch, batch), "a run")


def executed(text: str) -> tuple[dict[str, Any], str]:
    """The names that a program leaves behind, and what it printed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "<program>", "exec"), names)
    return names, printed.getvalue()
