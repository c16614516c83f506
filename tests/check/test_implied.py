"""Losses that a loop does not compute: what is said of them, and where nothing is said."""

import os
from pathlib import Path

import pytest

from chainrule.check import Check, check_program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies processes")

RIGHT = ("exact", "constant factor", "sign convention")
START = """
import numpy as np

rng = np.random.default_rng(2)
X = rng.normal(size=(20, 3))
y = (X[:, :1] * X[:, 1:2] > 0).astype(float)
W = rng.normal(size=(3, 4))
V = rng.normal(size=(4, 1))
B = rng.normal(size=(4, 2))
for i in range(6):
    h = np.tanh(X @ W)
"""
SIGMOID = "    out = 1 / (1 + np.exp(-h @ V))\n"
LINEAR = "    out = h @ V\n"
BACK = """
    dV = h.T @ d
    dh = (d @ V.T) * (1 - h**2)
    dW = X.T @ dh
"""
STEP = """
    V -= 0.1 * dV
    W -= 0.1 * dW
"""


def checked(folder: Path, *parts: str) -> Check:
    program = folder / "net.py"
    program.write_text("".join(parts), encoding="utf-8")
    return check_program(program, repair_seconds=0)


@pytest.mark.parametrize(
    ("forward", "difference", "implied", "loss"),
    [
        (LINEAR, "    d = out - y", "the squared error", "½ Σ(out − y)²"),
        (LINEAR, "    d = 2 * (out - y) / len(y)", "the squared error", "1/20 Σ(out − y)²"),
        (SIGMOID, "    d = (out - y) * out * (1 - out)", "the squared error", "½ Σ(out − y)²"),
        (
            SIGMOID,
            "    d = (out - y) / len(y)",
            "the binary cross-entropy",
            "−1/20 Σ(y·log out + (1 − y)·log(1 − out))",
        ),
    ],
)
def test_the_loss_is_the_one_whose_gradients_all_updates_have(
    tmp_path: Path, forward: str, difference: str, implied: str, loss: str
) -> None:
    check = checked(tmp_path, START, forward, difference, BACK, STEP)
    assert (check.verdict, check.implied, check.loss) == ("exact", implied, loss)
    assert "which the loop does not compute" in check.summary
    assert check.to_json()["implied"] == implied


def test_the_one_of_the_right_class_is_found_where_it_is_taken_off(tmp_path: Path) -> None:
    text = (
        START
        + """
    p = np.exp(h @ B)
    p /= p.sum(axis=1, keepdims=True)
    d = p.copy()
    d[np.arange(20), y[:, 0].astype(int)] -= 1
    dB = h.T @ d
    W -= 0.1 * X.T @ (d @ B.T * (1 - h**2))
    B -= 0.1 * dB
"""
    )
    check = checked(tmp_path, text)
    assert (check.verdict, check.implied) == ("exact", "the cross-entropy")


@pytest.mark.parametrize(
    "shown",
    [
        "    print(out.mean())",
        "    print(np.abs(out - y).max())",
        "    print('error', np.mean(np.abs(out - y)))",
        "    print(np.mean((out > 0.5) == y))",
    ],
)
def test_a_measure_that_is_shown_is_no_loss(tmp_path: Path, shown: str) -> None:
    check = checked(tmp_path, START, LINEAR, "    d = out - y\n", shown, BACK, STEP)
    assert (check.verdict, check.implied) == ("exact", "the squared error")


def test_what_is_called_the_loss_is_taken_at_its_word(tmp_path: Path) -> None:
    shown = "    d = out - y\n    loss = np.mean(np.abs(d))\n    print(loss)"
    check = checked(tmp_path, START, LINEAR, shown, BACK, STEP)
    assert (check.verdict, check.descends) == ("not this loss", "the squared error")


def test_a_slip_behind_the_outputs_is_found(tmp_path: Path) -> None:
    back = BACK.replace("(1 - h**2)", "(1 - h)")
    check = checked(tmp_path, START, LINEAR, "    d = out - y", back, STEP)
    assert (check.verdict, check.implied) == ("wrong", "the squared error")
    assert check.first is not None
    assert check.first.name == "dh"
    assert [each.right for each in check.parameters] == [False, True]


UNTOLD = {
    "one layer by one loss and one by another": (
        SIGMOID,
        "    d = (out - y) * out * (1 - out)",
        BACK.replace("(d @ V.T)", "((out - y) @ V.T)"),
        STEP,
    ),
    "a penalty on the hidden values": (
        LINEAR,
        "    d = out - y",
        BACK.replace("(d @ V.T)", "(d @ V.T + 0.1 * np.sign(h))"),
        STEP,
    ),
    "a second output with targets of its own": (
        LINEAR,
        "    d = out - y\n    e = (h @ B - X[:, :2]) ** 3",
        BACK.replace("d @ V.T", "d @ V.T + e @ B.T"),
        STEP + "    B -= 0.1 * h.T @ e\n",
    ),
    "up and not down": (LINEAR, "    d = out - y", BACK, STEP.replace("-=", "+=")),
    "the cubes of errors": (LINEAR, "    d = (out - y) ** 3", BACK, STEP),
    "sums that are not set to 0": (
        LINEAR,
        "    d = out - y\n    if i == 0: SW, SV = 0 * W, 0 * V",
        BACK,
        "    SV += dV\n    SW += dW\n    V -= 0.1 * SV\n    W -= 0.1 * SW\n",
    ),
}


@pytest.mark.parametrize("case", UNTOLD)
def test_nothing_is_said_where_it_is_not_certain(tmp_path: Path, case: str) -> None:
    check = checked(tmp_path, START, *UNTOLD[case])
    assert check.verdict == "cannot tell", check.summary


def test_an_average_that_moves_on_is_no_training(tmp_path: Path) -> None:
    text = """
import numpy as np

mean, rows = np.zeros(3), np.random.default_rng(1).normal(size=(9, 3))
for row in rows:
    mean += 0.1 * (row - mean)
print(mean)
"""
    assert checked(tmp_path, text).verdict == "cannot tell"
