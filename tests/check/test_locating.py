"""Which line is named as the first wrong one, and what is right and looks as if it were not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainrule.check import Check, check_program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

NET: str = """import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(12, 3)), rng.uniform(size=(12, 2))
W1, b1 = rng.normal(size=(3, 4)), np.zeros(4)
W2, b2 = rng.normal(size=(4, 2)), np.zeros(2)
lr = 0.03
for epoch in range(6):
    h = np.tanh(X @ W1 + b1)
    out = h @ W2 + b2
    loss = 0.5 * np.sum((out - y) ** 2)
    d = out - y
    dh = d @ W2.T
    dz = dh * (1 - h ** 2)
    dW1 = X.T @ dz
    db1 = dz.sum(axis=0)
    W2 -= lr * (h.T @ d)
    b2 -= lr * d.sum(axis=0)
    W1 -= lr * dW1
    b1 -= lr * db1
    print(loss)
"""


def checked(folder: Path, *changes: tuple[str, str], text: str = NET) -> Check:
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "net.py"
    path.write_text(text, encoding="utf-8")
    return check_program(path, repair_seconds=0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("d = out - y", "d = y - out"),  # all steps go up
        ("dh = d @ W2.T", "dh = d @ W2.T / 2"),
        ("dz = dh * (1 - h ** 2)", "dz = dh * (1 - h)"),
        ("dz = dh * (1 - h ** 2)", "dz = dh"),
        ("dW1 = X.T @ dz", "dW1 = X.T @ dz / 12"),
        ("db1 = dz.sum(axis=0)", "db1 = -dz.sum(axis=0)"),
        ("W2 -= lr * (h.T @ d)", "W2 -= 2 * lr * (h.T @ d)"),
        ("b2 -= lr * d.sum(axis=0)", "b2 += lr * d.sum(axis=0)"),
        ("W1 -= lr * dW1", "W1 -= dW1"),  # without the rate
        ("b1 -= lr * db1", "b1 -= lr * 0.5 * db1"),
    ],
)
def test_the_changed_line_is_the_first_wrong_one(tmp_path: Path, old: str, new: str) -> None:
    check = checked(tmp_path, (old, new))
    line = 1 + [each.strip() for each in NET.split("\n")].index(old)
    assert check.verdict == "wrong"
    assert check.first is not None
    assert check.first.place.line == line


def test_axes_of_length_1_are_no_change(tmp_path: Path) -> None:
    grown = ("dz.sum(axis=0)", "dz.sum(axis=0, keepdims=True)")
    check = checked(tmp_path, grown, ("b1 -= lr * db1", "b1 = b1 - lr * db1"))
    assert check.verdict == "exact"


def test_steps_by_the_same_number_of_gradients_that_differ(tmp_path: Path) -> None:
    text = NET.replace("lr * ", "0.03 * ").replace("dW1 = X.T @ dz", "dW1 = X.T @ dz * 0.3")
    assert checked(tmp_path, text=text).verdict == "wrong"


def test_a_rate_of_its_own_is_no_mistake(tmp_path: Path) -> None:
    rates = ("lr = 0.03", "lr, bias_lr = 0.03, 0.06")
    check = checked(tmp_path, rates, ("b1 -= lr * db1", "b1 -= bias_lr * db1"))
    assert check.verdict == "exact"


SHOWN = ("loss = 0.5 * np.sum((out - y) ** 2)", "loss = np.mean(np.abs(out - y))")


def test_another_loss_than_the_shown_one_with_one_wrong_line(tmp_path: Path) -> None:
    check = checked(tmp_path, SHOWN, ("dz.sum(axis=0)", "dz.mean(axis=0)"))
    assert (check.verdict, check.loss) == ("wrong", "the squared error")
    assert check.first is not None
    assert check.first.text.strip() == "db1 = dz.mean(axis=0)"
    assert checked(tmp_path, SHOWN).verdict == "not this loss"


LIKELIHOOD = """import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(30, 2))
t = (X[:, 0] > 0.3).astype(float)
w = np.zeros(2)
for step in range(6):
    p = 1 / (1 + np.exp(-(X @ w)))
    log_likelihood = np.sum(t * np.log(p) + (1 - t) * np.log(1 - p))
    w += 0.01 * X.T @ (t - p)
    print(log_likelihood)
"""


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("log_likelihood", "exact"), ("q", "cannot tell"), ("loss", "wrong")],
)
def test_what_is_to_grow_may_go_up(tmp_path: Path, name: str, verdict: str) -> None:
    text = LIKELIHOOD.replace("log_likelihood", name)
    check = checked(tmp_path, text=text)
    assert check.verdict == verdict
