"""What makes a program wrong in ways that a multiple does not show, and what only looks like it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import numpy as np
import pytest

from chainrule.check import check_program
from chainrule.check.penalties import with_penalty

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

NET = """
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
P = {"W1": rng.normal(size=(3, 4)), "W2": rng.normal(size=(4, 2))}
G = {"W1": np.zeros((3, 4)), "W2": np.zeros((4, 2))}
V = {"W1": np.zeros((3, 4)), "W2": np.zeros((4, 2))}

def step(p, g, v):
    for k in p:
        STEP

for epoch in range(6):
    h = np.tanh(X @ P["W1"])
    e = h @ P["W2"] - y
    loss = 0.5 * np.sum(e ** 2)
    G["W2"] = h.T @ e
    G["W1"] = X.T @ ((e @ P["W2"].T) * (1 - h ** 2))
    step(P, G, V)
    print(loss)
"""
PLAIN = "p[k] -= 0.01 * g[k]"
SUMMED = NET.replace('G["W2"] = ', 'G["W2"] += ')


def line_of(text: str, start: str) -> int:
    return next(i for i, line in enumerate(text.split("\n"), 1) if line.strip().startswith(start))


def verdict(folder: Path, text: str, step: str = PLAIN) -> tuple[str, int | None]:
    path = folder / "net.py"
    path.write_text(textwrap.dedent(text).replace("STEP", step), encoding="utf-8")
    check = check_program(path, repair_seconds=0)
    return check.verdict, None if check.first is None else check.first.place.line


@pytest.mark.parametrize(
    "step",
    [
        PLAIN,
        "p[k] -= 0.01 * (g[k] + 0.001 * p[k])",
        "g_k = g[k] + 0.001 * p[k]; p[k] -= 0.01 * g_k",
        "v[k] = 0.9 * v[k] + g[k]; p[k] -= 0.01 * v[k]",
        "v[k] = 0.9 * v[k] + 0.1 * g[k]; p[k] -= 0.01 * v[k]",
        "v[k] += g[k] ** 2; p[k] -= 0.01 * g[k] / np.sqrt(v[k] + 1e-8)",
    ],
)
def test_what_an_optimiser_does_with_a_right_gradient_is_right(tmp_path: Path, step: str) -> None:
    assert verdict(tmp_path, NET, step) == ("exact", None)


@pytest.mark.parametrize("size", [1e-2, 1e-5])
def test_a_penalty_in_the_gradient_and_not_in_the_loss(tmp_path: Path, size: float) -> None:
    text = NET.replace("h.T @ e\n", f'h.T @ e + {size} * P["W2"]\n')
    assert verdict(tmp_path, text) == ("wrong", line_of(text, 'G["W2"]'))


def test_a_penalty_in_the_loss_and_not_in_the_gradient(tmp_path: Path) -> None:
    text = NET.replace("np.sum(e ** 2)", 'np.sum(e ** 2) + 0.001 * np.sum(P["W2"] ** 2)')
    assert verdict(tmp_path, text)[0] == "wrong"
    right = text.replace("h.T @ e\n", 'h.T @ e + 0.002 * P["W2"]\n')
    assert verdict(tmp_path, right) == ("exact", None)


def test_a_gradient_that_is_never_set_to_zero(tmp_path: Path) -> None:
    assert verdict(tmp_path, SUMMED) == ("wrong", line_of(SUMMED, 'G["W2"] +='))
    assert verdict(tmp_path, SUMMED, PLAIN + "; g[k] = 0 * g[k]") == ("exact", None)
    assert verdict(tmp_path, SUMMED, PLAIN + "; g[k][...] = 0") == ("exact", None)


LINE = """
import numpy as np

x = np.array([0.5, 0.9, 1.4, 1.8, 2.3])
y = np.array([2.1, 3.3, 3.9, 5.6, 6.1])
m, c, n = 0.1, 0.2, 5.0

for i in range(8):
    e = m * x + c - y
    cost = np.sum(e ** 2) / n
    dm = 2 / n * np.sum(x * e)
    dc = 2 / n * np.sum(e)
    m = m - 0.05 * dm
    c = c - 0.05 * dc
    print(cost)
"""


def test_a_line_of_two_numbers(tmp_path: Path) -> None:
    assert verdict(tmp_path, LINE) == ("exact", None)
    half = LINE.replace("dc = 2 / n", "dc = 1 / n")
    assert verdict(tmp_path, half) == ("wrong", line_of(LINE, "dc ="))
    rates = LINE.replace("c - 0.05 * dc", "c - 0.1 * dc")
    assert verdict(tmp_path, rates)[0] != "wrong"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_penalties_are_told_from_rounding(dtype: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        exact = rng.normal(size=(6, 4)).astype(dtype)
        weights = rng.normal(size=(6, 4)).astype(dtype)
        tolerance = 1e-4 if dtype == "f4" else 1e-7
        noise = (tolerance / 3 * rng.normal(size=(6, 4))).astype(dtype)
        assert with_penalty(exact, exact, weights, tolerance) is None
        assert with_penalty(exact + noise, exact, weights, tolerance) is None
        assert with_penalty(exact + 1e4 * noise, exact, weights, tolerance) is None
        for direction in (weights, np.sign(weights)):
            small = exact + (1e-3 if dtype == "f4" else 1e-5) * direction
            found = with_penalty(2 * small, exact, weights, tolerance)
            assert found is not None
            assert found[0] == pytest.approx(2.0, rel=1e-5)


ONLINE = """
from math import exp

rows = [((0.5, 1.2), 0), ((1.0, 0.4), 0), ((2.6, 1.1), 1), ((3.2, 2.0), 1)]
w, b = [0.1, -0.2], 0.3

for epoch in range(5):
    total = 0
    for x, t in rows:
        y = 1 / (1 + exp(-(w[0] * x[0] + w[1] * x[1] + b)))
        e = y - t
        total += e ** 2
        d = 2 * e * y * (1 - y)
        w[0] -= 0.5 * d * x[0]
        w[1] -= 0.5 * d * x[1]
        b -= 0.5 * d
    print(total)
"""


def test_a_sum_of_losses_is_the_loss_and_exp_is_followed_by_any_name(tmp_path: Path) -> None:
    assert verdict(tmp_path, ONLINE) == ("exact", None)
    assert verdict(tmp_path, ONLINE.replace("b -= 0.5 * d", "b += 0.5 * d"))[0] == "wrong"


LAYERS = """
import numpy as np

rng = np.random.default_rng(3)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))

def squash(z):
    return np.tanh(z)

def slope(z):
    return 1 - np.tanh(z) ** 2

for epoch in range(5):
    z1 = X @ W1
    a1 = squash(z1)
    z2 = a1 @ W2
    a2 = squash(z2)
    loss = 0.5 * np.sum((a2 - y) ** 2)
    d2 = (a2 - y) * slope(z2)
    d1 = d2 @ W2.T * slope(z1)
    W2 -= 0.1 * a1.T @ d2
    W1 -= 0.1 * X.T @ d1
    print(loss)
"""


def test_a_wrong_function_is_named_and_not_the_lines_that_call_it(tmp_path: Path) -> None:
    assert verdict(tmp_path, LAYERS) == ("exact", None)
    wrong = LAYERS.replace("1 - np.tanh(z) ** 2", "1 - np.tanh(z)")
    assert verdict(tmp_path, wrong) == ("wrong", line_of(wrong, "return 1 - np.tanh(z)"))
    given = LAYERS.replace("* slope(z1)", "* slope(a1)")
    assert verdict(tmp_path, given) == ("wrong", line_of(given, "d1 ="))


RECURRENT = """
import numpy as np

rng = np.random.default_rng(3)
xs, t = rng.normal(size=(4, 2)), rng.normal(size=3)
W, U = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))

for epoch in range(5):
    hs, raws = [np.zeros(3)], []
    for x in xs:
        raw = W @ hs[-1] + U @ x
        raws.append(raw)
        h = np.tanh(raw)
        hs.append(h)
    loss = 0.5 * np.sum((h - t) ** 2)
    dh = h - t
    dW, dU = np.zeros_like(W), np.zeros_like(U)
    for i in reversed(range(4)):
        draw = dh * (1 - hs[i + 1] ** 2)
        dW += np.outer(draw, hs[i])
        dU += np.outer(draw, xs[i])
        dh = W.T @ draw
    W -= 0.1 * dW
    U -= 0.1 * dU
    print(loss)
"""


def test_a_line_that_is_wrong_at_every_time(tmp_path: Path) -> None:
    assert verdict(tmp_path, RECURRENT) == ("exact", None)
    wrong = RECURRENT.replace("1 - hs[i + 1] ** 2", "1 - hs[i + 1]")
    assert verdict(tmp_path, wrong) == ("wrong", line_of(wrong, "draw ="))


GENERAL = """
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
p = dict(W1=rng.normal(size=(3, 4)), W2=rng.normal(size=(4, 2)), b2=np.zeros(2))

def back(dZ, X, W):
    dX = dZ @ W.T
    return dX, X.T @ dZ

def gradients(X):
    H = np.tanh(X @ p["W1"])
    dy = H @ p["W2"] + p["b2"] - y
    dH, dW2 = back(dy, H, p["W2"])
    dX, dW1 = back(dH * (1 - H**2), X, p["W1"])
    return 0.5 * np.sum(dy**2), dict(W1=dW1 * 1.0, W2=dW2 * 1.0, b2=dy.sum(axis=0))

for i in range(6):
    loss, g = gradients(X)
    for k in UPDATED:
        p[k] -= 0.01 * g[k]
    print(loss)
"""


def test_what_is_never_updated_is_a_parameter_and_no_input(tmp_path: Path) -> None:
    right = GENERAL.replace("UPDATED", "p")
    assert verdict(tmp_path, right) == ("exact", None)
    for updated in ('("W1", "W2")', '("W1", "b2")'):
        wrong = GENERAL.replace("UPDATED", updated)
        assert verdict(tmp_path, wrong) == ("wrong", line_of(wrong, "return 0.5"))


def test_the_loss_of_one_sample_shown_for_a_batch(tmp_path: Path) -> None:
    whole = "0.5 * np.sum((a2 - y) ** 2)"
    assert verdict(tmp_path, LAYERS.replace(whole, whole.replace("y", "y + 0 * a2"))) == (
        "exact",
        None,
    )
    one = LAYERS.replace(whole, "0.5 * np.sum((a2[0] - y[0]) ** 2)")
    assert verdict(tmp_path, one) == ("wrong", line_of(one, "loss ="))
    another = LAYERS.replace(whole, "np.mean(np.abs(a2 - y))")
    assert verdict(tmp_path, another) == ("not this loss", None)
