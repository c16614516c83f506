"""Programs that descend several losses, or show another number than the one they descend."""

from __future__ import annotations

import os

import pytest

from chainrule.check import Check, check_program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies processes")

TWO_TASKS = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 4))
numbers, kinds = X[:, :1] * 2, (X[:, 1:2] > 0).astype(float)
W, V, U = rng.normal(size=(4, 5)), rng.normal(size=(5, 1)), rng.normal(size=(5, 1))
for it in range(8):
    h = np.tanh(X @ W)
    number, share = h @ V, 1 / (1 + np.exp(-h @ U))
    number_loss = np.mean((number - numbers) ** 2)
    kind_loss = -np.mean(kinds * np.log(share) + (1 - kinds) * np.log(1 - share))
    d_number, d_kind = 2 * (number - numbers) / 30, (share - kinds) / 30
    d_h = (d_number @ V.T + d_kind @ U.T) * {derivative}
    W -= 0.1 * X.T @ d_h
    V -= 0.1 * h.T @ d_number
    U -= 0.1 * h.T @ d_kind
    print(it, number_loss, kind_loss)
"""
TWO_NETWORKS = """
import numpy as np

rng = np.random.default_rng(0)
scale, shift, weight, bias, lr = 1.0, 0.0, 0.1, 0.0, 0.05
judged = lambda x: 1 / (1 + np.exp(-(weight * x + bias)))
for it in range(8):
    true, z = rng.normal(3, 0.5, 32), rng.normal(size=32)
    made = scale * z + shift
    of_true, of_made = judged(true), judged(made)
    judge_loss = -np.mean(np.log(of_true) + np.log(1 - of_made))
    d_weight = np.mean(-(1 - of_true) * true + of_made * made)
    d_bias = np.mean(-(1 - of_true) + of_made)
    weight -= lr * d_weight
    bias -= lr * d_bias
    z = rng.normal(size=32)
    of_made = judged(scale * z + shift)
    maker_loss = -np.mean(np.log(of_made))
    d_made = -(1 - of_made) * weight
    scale -= lr * np.mean(d_made * z)
    shift -= lr * np.mean(d_made)
    print(it, judge_loss, maker_loss)
"""
MEASURE = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = X @ np.array([2.0, -1.0, 0.5]) + rng.standard_t(2, 40)
theta, history = np.zeros(3), []
for it in range(8):
    error = y - X @ theta
    size = np.abs(error)
    history.append(np.mean(np.where(size <= 1, 0.5 * error**2, size - 0.5)))
    theta += 0.1 * X.T @ np.clip(error, -1, 1) / {n}
    print("mean absolute error", size.mean())
"""
SIGNS = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = X @ np.array([1.0, 2.0, -1.0]) + 0.3
params, state = {"w": np.zeros(3), "b": np.zeros(1)}, {}
for it in range(8):
    error = X @ params["w"] + params["b"] - y
    loss = np.mean(error**2)
    grads = {"w": 2 * X.T @ error / 40, "b": np.array([2 * np.mean(error)])}
    for k in params:
        m = state.setdefault(k, np.zeros_like(params[k]))
        params[k] = params[k] - 0.02 * (np.sign(0.9 * m + 0.1 * grads[k]) + 0.01 * params[k])
        state[k] = 0.99 * m + 0.01 * grads[k]
    print(loss)
"""


def checked(folder, text: str) -> Check:
    path = folder / "net.py"
    path.write_text(text)
    return check_program(path, repair_seconds=0)


def test_tasks_side_by_side_are_not_called_wrong(tmp_path):
    check = checked(tmp_path, TWO_TASKS.format(derivative="(1 - h**2)"))
    assert check.verdict == "cannot tell"
    assert "updates are made of several losses, or of another one than kind_loss" in check.summary


def test_a_fault_in_what_two_tasks_share_is_still_found(tmp_path):
    assert checked(tmp_path, TWO_TASKS.format(derivative="(1 - h)")).verdict == "wrong"


def test_networks_in_turn_are_not_called_wrong(tmp_path):
    assert checked(tmp_path, TWO_NETWORKS).verdict == "cannot tell"


def test_a_measure_that_is_shown_beside_the_loss_that_is_kept(tmp_path):
    # Its updates are those of the number that is kept; the one that is shown is a measure.
    check = checked(tmp_path, MEASURE.format(n="len(y)"))
    assert check.verdict in ("sign convention", "cannot tell")


def test_steps_of_signs(tmp_path):
    assert checked(tmp_path, SIGNS).verdict == "exact"
