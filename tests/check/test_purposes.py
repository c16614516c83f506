"""Updates that are no gradient on purpose are not called wrong, and mistakes beside them are."""

import os
from pathlib import Path

import pytest

from chainrule.check import Check, check_program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies processes")

START = """
import numpy as np

rng = np.random.default_rng(7)
X = rng.normal(size=(24, 4))
Y = np.sin(X[:, :2])
W = rng.normal(size=(4, 6)) * 0.4
V = rng.normal(size=(6, 2)) * 0.4
B = rng.normal(size=(2, 6)) * 0.4
h = np.tanh(X @ W)
for i in range(6):
{forward}
    out = h @ V
    loss = np.mean((out - Y) ** 2)
    d = 2 * (out - Y) / out.size
    dV = {dV}
    dh = {dh}
    dW = X.T @ (dh * (1 - g**2))
    {step}V -= 0.1 * dV
    W -= 0.1 * dW
    print(loss)
"""
FORWARD = "    h = g = np.tanh(X @ W)"
PARTS = {"forward": FORWARD, "dV": "h.T @ d", "dh": "d @ V.T", "step": ""}


def checked(folder: Path, **parts: str) -> Check:
    text = START
    for name, part in (PARTS | parts).items():
        text = text.replace("{" + name + "}", part)
    program = folder / "net.py"
    program.write_text(text, encoding="utf-8")
    return check_program(program, repair_seconds=0)


def test_without_a_purpose(tmp_path: Path) -> None:
    assert checked(tmp_path).verdict == "exact"


@pytest.mark.parametrize("step", ["", "B -= 0.1 * out.T @ (out @ B - h) / 24; "])
def test_feedback_weights(tmp_path: Path, step: str) -> None:
    check = checked(tmp_path, dh="d @ B", step=step)
    assert check.verdict == "cannot tell"
    assert "goes back through B" in check.summary
    assert "cannot be followed" not in check.summary


def test_second_loss_of_hidden_values(tmp_path: Path) -> None:
    check = checked(tmp_path, dh="d @ V.T + 0.01 * h")
    assert check.verdict == "cannot tell"
    assert "added to a gradient in dh" in check.summary


def test_decoupled_decay(tmp_path: Path) -> None:
    assert checked(tmp_path, step="V *= 1 - 0.1 * 0.01; ").verdict == "exact"
    penalised = checked(tmp_path, dV="h.T @ d + 0.01 * V")
    assert penalised.verdict == "wrong"


def test_decay_beside_a_mistake(tmp_path: Path) -> None:
    check = checked(tmp_path, step="V *= 1 - 0.1 * 0.01; ", dh="d @ V.T * 2")
    assert check.verdict == "wrong"
    assert check.first is not None
    assert check.first.name == "dh"


def test_stale_hidden_values_are_no_feedback_weights(tmp_path: Path) -> None:
    check = checked(tmp_path, forward="    g = np.tanh(X @ W)\n    h_old, h = h, g",
                    dV="h_old.T @ d")  # fmt: skip
    assert check.verdict == "wrong"
