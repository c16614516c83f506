"""What a check sees beside the gradients: each kind where it is certain, and where it is not."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.check import Check, check_program
from chainrule.check.programs import Place
from chainrule.cli import main

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

PROGRAMS = Path(__file__).parents[1] / "programs"

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 1))
lr = 0.1
"""
STEP = """
h = np.tanh(X @ W1)
error = h @ W2 - y
loss = np.mean(error ** 2)
d = 2 * error / len(X)
dW1 = X.T @ (d @ W2.T * (1 - h ** 2))
dW2 = h.T @ d
W1 -= lr * dW1
W2 -= lr * dW2
"""


def training(loop: str = "for epoch in range(6):", body: str = STEP) -> str:
    return f"{loop}\n{textwrap.indent(body.strip(), '    ')}\n"


def checked(folder: Path, *parts: str) -> Check:
    path = folder / "net.py"
    path.write_text("".join(parts), encoding="utf-8")
    return check_program(path)


def seen(check: Check) -> list[tuple[str, Place | None]]:
    return [(each.kind, each.place) for each in check.observations]


def line_of(*parts: str, text: str) -> Place:
    lines = "".join(parts).split("\n")
    (number,) = [i for i, line in enumerate(lines, 1) if line.strip().startswith(text)]
    return Place(number)


CORPUS = {
    "dataclass_layers__symmetric_start.py": [("symmetric start", Place(15))],
    "deep_columns__symmetric_start.py": [("symmetric start", Place(10))],
    "deep_lists__print_outside_loop.py": [("progress outside the loop", Place(42))],
    "inplace_sums__integer_truncation.py": [("whole numbers", Place(20))],
    "inplace_sums__print_outside_loop.py": [("progress outside the loop", Place(22))],
    "logistic_by_hand__overflow.py": [("overflow", Place(9))],
    "mini_framework__loop_never_reached.py": [("never reached", Place(83))],
    "raw_pixels__overflow.py": [("overflow", Place(16))],
    "slice_assign__integer_truncation.py": [("whole numbers", Place(30))],
    "until_converged__loop_never_reached.py": [("never reached", Place(23))],
    "weather_notebook__shadowed_name.ipynb": [("shadowed name", Place(6, 3))],
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_was_planted_in_the_corpus_is_seen(name: str) -> None:
    assert seen(check_program(PROGRAMS / name)) == CORPUS[name]


def test_data_whose_name_a_counter_takes() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    check = check_program(PROGRAMS / "moons_sklearn__shadowed_name.py")
    # With the wrong y the loss overflows as well.
    assert seen(check) == [("shadowed name", Place(40)), ("overflow", Place(42))]
    assert "the array of line 8 is lost" in check.observations[0].sentence


def test_a_right_program_has_none(tmp_path: Path) -> None:
    check = checked(tmp_path, DATA, training(), "print(loss)\n")
    assert (check.verdict, check.observations) == ("exact", ())
    assert check.to_json()["observations"] == []


# Progress outside the loop.

LATE = "if epoch % 1000 == 0:\n    print(f'{epoch}: {loss}')\n"


def test_a_print_in_the_cell_after_the_loop(tmp_path: Path) -> None:
    cells = [DATA.strip(), training(), textwrap.indent(LATE, "    "), "print(loss)"]
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    path = tmp_path / "net.ipynb"
    path.write_text(json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5}))
    check = check_program(path)
    assert (check.verdict, check.exit_code) == ("exact", 0)
    assert seen(check) == [("progress outside the loop", Place(1, 2))]
    shown = CliRunner().invoke(main, ["check", str(path)])
    assert shown.exit_code == 0
    assert "\nCell 2, line 1: This stands after the loop in cell 1, line 1" in shown.stdout
    told = json.loads(CliRunner().invoke(main, ["check", str(path), "--json"]).stdout)
    assert told["schema"] == 1
    assert (told["observations"][0]["line"], told["observations"][0]["cell"]) == (1, 2)


def test_a_late_print_in_a_function_and_of_a_while_loop(tmp_path: Path) -> None:
    body = training() + "if not epoch % 2: print(loss)\n"
    text = "def main(W1, W2):\n" + textwrap.indent(body, "    ") + "main(W1, W2)\n"
    assert seen(checked(tmp_path, DATA, text)) == [
        ("progress outside the loop", line_of(DATA, text, text="if not epoch"))
    ]
    loop = "i = 0\n" + training("while i < 6:", f"{STEP}i += 1")
    late = "if i % 5 == 0: print(i)\n"
    assert seen(checked(tmp_path, DATA, loop, late)) == [
        ("progress outside the loop", line_of(DATA, loop, late, text="if i % 5"))
    ]


@pytest.mark.parametrize(
    "after",
    [
        "print('final', loss)\n",
        "if epoch == 5: print('not converged', loss)\n",  # whether it ended early
        "if epoch % 4 != 0: print(epoch, loss)\n",  # the last one, if not yet printed
        "if epoch % 2 == 0: print('an even number of epochs')\n",  # shows no progress
        "if epoch % 2 == 0: final = loss\n",
        "for epoch in range(3):\n    if epoch % 2 == 0: print(epoch)\n",
        "epoch = 7\nif epoch % 7 == 0: print(epoch)\n",
        "if len(X) % 8 == 0: print(loss)\n",
    ],
)
def test_what_may_stand_after_the_loop(tmp_path: Path, after: str) -> None:
    assert seen(checked(tmp_path, DATA, training(), after)) == []


def test_a_late_print_is_none_in_an_epoch_or_beside_another(tmp_path: Path) -> None:
    epochs = "for epoch in range(2):\n    for i in range(3):\n" + textwrap.indent(STEP, " " * 8)
    epochs += "    if i % 2 == 0: print(epoch, i, loss)\n"
    assert seen(checked(tmp_path, DATA, epochs)) == []
    inside = training(body=f"{STEP}if epoch % 2 == 0: print(epoch, loss)")
    assert seen(checked(tmp_path, DATA, inside, LATE)) == []
    # A function that is called for every epoch counts on.
    text = "step = 0\ndef run():\n    global step, W1, W2\n"
    text += textwrap.indent(training("for _ in range(3):", f"{STEP}step += 1"), "    ")
    text += "    if step % 6 == 0: print(step)\nfor epoch in range(4): run()\n"
    assert seen(checked(tmp_path, DATA, text)) == []
    other = "for k in range(5):\n    total = k * 2\nif k % 2 == 0: print(total)\n"
    assert seen(checked(tmp_path, DATA, other, training())) == []


# Whole numbers.

LINE = """
import numpy as np
X = np.array([[0.5, 1.0], [1.5, 0.2], [0.3, 0.9]])
y = np.array([1.0, 2.0, 0.5])
w = np.array([1, -2])
"""
BY_ELEMENT = """
error = X @ w - y
loss = np.mean(error ** 2)
dw = 2 * X.T @ error / 3
for i in range(2):
    w[i] -= 0.1 * dw[i]
"""


@pytest.mark.parametrize(
    "update",
    [
        "w[:] = w - 0.1 * dw",
        "w = (w - 0.1 * dw).astype(int)",
        "w[0] = w[0] - 0.1 * dw[0]",
        "np.subtract(w, 0.1 * dw, out=w, casting='unsafe')",
    ],
)
def test_steps_that_are_cut(tmp_path: Path, update: str) -> None:
    body = BY_ELEMENT.partition("for i")[0] + update
    loop = training(body=body)
    check = checked(tmp_path, LINE, loop)
    assert seen(check) == [("whole numbers", line_of(LINE, loop, text=update))]
    assert "w holds whole numbers" in check.observations[0].sentence


def test_elements_that_are_cut(tmp_path: Path) -> None:
    loop = training(body=BY_ELEMENT)
    place = line_of(LINE, loop, text="w[i] -=")
    assert seen(checked(tmp_path, LINE, loop)) == [("whole numbers", place)]


@pytest.mark.parametrize("update", ["w -= 0.1 * dw", "np.subtract(w, 0.1 * dw, out=w)"])
def test_a_failure_for_whole_numbers_is_explained(tmp_path: Path, update: str) -> None:
    loop = training(body=BY_ELEMENT.partition("for i")[0] + update)
    check = checked(tmp_path, LINE, loop)
    assert check.outcome == "failed"
    assert seen(check) == [("whole numbers", line_of(LINE, loop, text=update))]
    assert "write np.array(…, dtype=float)" in check.observations[0].sentence


@pytest.mark.parametrize(
    "update",
    [
        "w = w - 0.1 * dw",  # makes a new array, of fractions
        "w = np.round(w - dw).astype(int)",  # rounded by its author
        "w = w - 0.1 * dw; counts[:] = counts + 1",
        "w = w - 0.1 * dw; counts[:] = counts * 1.5",  # has no part in the loss
        "w = w - 0.1 * dw; labels = (X @ w).astype(int)",
    ],
)
def test_whole_numbers_that_are_no_fault(tmp_path: Path, update: str) -> None:
    loop = training(body=BY_ELEMENT.partition("for i")[0] + update)
    assert seen(checked(tmp_path, LINE, "counts = np.array([1, 2])\n", loop)) == []


# Never reached.


@pytest.mark.parametrize(
    ("loop", "start", "why"),
    [
        ("for epoch in range(0):", "", "had nothing to go over"),
        ("while lr < 0:", "", "the loop in line 7 was not entered"),
        ("for epoch in range(6):", "if epoch >= 0: continue", "the continue in line 8"),
        ("for epoch in range(6):", "if np.sum(X) < 1e9: break", "the break in line 8"),
    ],
)
def test_steps_that_are_never_taken(tmp_path: Path, loop: str, start: str, why: str) -> None:
    text = training(loop, f"{start}\n{STEP.strip()}" if start else STEP)
    check = checked(tmp_path, DATA, text)
    steps = [line_of(DATA, text, text=f"W{i} -=") for i in (1, 2)]
    assert seen(check) == [("never reached", place) for place in steps]
    assert why in check.observations[0].sentence


def test_a_condition_that_is_never_true(tmp_path: Path) -> None:
    text = training(
        body=STEP.replace("W1 -=", "if loss < 0: W1 -=").replace("W2 -=", "if 0: W2 -=")
    )
    check = checked(tmp_path, DATA, text)
    assert [each.kind for each in check.observations] == ["never reached"] * 2
    assert "no iteration of the loop in line 7 came to it" in check.observations[0].sentence


def test_steps_in_an_inner_loop_and_behind_a_condition(tmp_path: Path) -> None:
    body = "if X.size: continue\nfor w in [W1, W2]:\n    w -= lr * 0.5 * w\n"
    check = checked(tmp_path, DATA, training(body=body))
    assert "as the continue in line 8 came before it" in check.observations[0].sentence
    body = "if epoch < 3: continue\nif X.size == 0: W1 -= lr * 0.5 * W1\n"
    check = checked(tmp_path, DATA, training(body=body))
    assert "no iteration of the loop in line 7 came to it" in check.observations[0].sentence


@pytest.mark.parametrize(
    "text",
    [
        # One of two ways to step.
        training(body=STEP + "if lr > 1: W1 -= lr * 0.01 * W1"),
        # A loop that trains, and one that is left out.
        training() + training("for again in range(0):"),
        # A jump in some iterations alone.
        training(body="if epoch == 3: continue\n" + STEP),
        # No training at all: nothing is known of why.
        "position = 0.0\nfor t in range(5):\n    if X[0, 0] > 1e9:\n        position -= 2.0 * t\n",
        # Not to its end.
        training("for epoch in range(0):") + "raise SystemExit(1)\n",
        # In a function that nothing calls.
        "def descend(W1, W2):\n" + textwrap.indent(training(), "    "),
    ],
)
def test_steps_that_may_be_left_out(tmp_path: Path, text: str) -> None:
    assert "never reached" not in [kind for kind, _ in seen(checked(tmp_path, DATA, text))]


@pytest.mark.parametrize("made", ["list(zip(X, y))", "zip(X, y)"])
def test_what_can_be_gone_over_once(tmp_path: Path, made: str) -> None:
    body = STEP.replace("X", "x").replace("y\n", "t\n").replace("len(x)", "1")
    body = "x, t = x[None], t[None]\n" + body.strip()
    loop = "for epoch in range(3):\n    for x, t in pairs:\n" + textwrap.indent(body, " " * 8)
    check = checked(tmp_path, DATA, f"pairs = {made}\n", loop)
    place = line_of(DATA, "\n", loop, text="for x, t")
    expected = [("never reached", place)] if made.startswith("zip") else []
    assert check.verdict == "exact"
    assert seen(check) == expected


# Shadowed names.

LOSS = "def loss(o, t):\n    return np.mean((o - t) ** 2)\n"
CALLED = STEP.replace("np.mean(error ** 2)", "loss(h @ W2, y)")


def test_a_function_that_becomes_a_number(tmp_path: Path) -> None:
    loop = training(body=CALLED)
    check = checked(tmp_path, DATA, LOSS, loop)
    place = line_of(DATA, LOSS, loop, text="loss =")
    assert check.outcome == "failed"
    assert seen(check) == [("shadowed name", place)]
    assert "loss is the function of line 7" in check.observations[0].sentence
    inside = "def main(W1, W2):\n" + textwrap.indent(loop, "    ") + "main(W1, W2)\n"
    place = line_of(DATA, LOSS, inside, text="loss =")
    assert seen(checked(tmp_path, DATA, LOSS, inside)) == [("shadowed name", place)]


def test_a_function_of_pythons_and_a_module_that_become_numbers(tmp_path: Path) -> None:
    loop = training(body=STEP + "total = sum([loss])")
    check = checked(tmp_path, DATA, "sum = 0\n", loop)
    assert seen(check) == [("shadowed name", line_of(DATA, "sum = 0\n", text="sum ="))]
    assert "sum is a function of Python's" in check.observations[0].sentence
    check = checked(tmp_path, DATA, "np = 3\n", training())
    assert seen(check) == [("shadowed name", line_of(DATA, "np = 3\n", text="np ="))]
    assert "np is an imported module" in check.observations[0].sentence


def test_a_loop_that_takes_the_name_of_its_data(tmp_path: Path) -> None:
    body = STEP.replace("y\n", "y[i:i + 1]\n").replace("len(X)", "1")
    body = "X = X.reshape(1, 3)\n" + body.strip()
    inner = "for i, X in enumerate(X):\n" + textwrap.indent(body, "    ")
    loop = training("for epoch in range(3):", inner)
    # With a line in the loop that makes X anew the data may be there again.
    assert "shadowed name" not in [kind for kind, _ in seen(checked(tmp_path, DATA, loop))]
    loop = loop.replace("X = X.reshape(1, 3)", "x = X.reshape(1, 3)")
    loop = loop.replace("X @ W1", "x @ W1").replace("X.T", "x.T")
    check = checked(tmp_path, DATA, loop)
    assert seen(check) == [("shadowed name", line_of(DATA, loop, text="for i, X"))]
    assert "the data is gone" in check.observations[0].sentence
    once = loop.replace("range(3)", "range(1)")
    assert seen(checked(tmp_path, DATA, once)) == []
    other = loop.replace("for i, X in enumerate(X)", "for i, row in enumerate(X)")
    other = other.replace("x = X.", "x = row.")
    assert seen(checked(tmp_path, DATA, other)) == []


@pytest.mark.parametrize(
    "text",
    [
        # Read before the loop takes the name.
        "n = len(X)\nscale = 1 / n\nfor n in range(1, 7):\n    rate = 1 / n\n",
        # A number that nothing reads, and a rate that falls: the gradients are right.
        "n = len(X)\n" + training("for n in range(1, 7):", STEP.replace("lr * dW", "lr / n * dW")),
        # An array of other data, which nothing reads.
        "t = np.arange(30.)\n" + training("for t in range(6):", STEP + "print(1.0 * t)"),
        # One for the data's own rows, and a rate that follows the counter.
        "t = np.arange(8.)\n"
        + training("for t in range(6):", STEP.replace("lr * dW", "lr * (6 - t) * dW")),
        # One for the data's own rows, whose name is only printed or an index.
        "k = np.arange(8.)\n" + training("for k in range(6):", STEP + "print(k * 2, X[k])"),
        # A rate that falls, as in Adam.
        "t = np.arange(8.)\n"
        + training("for t in range(1, 7):", STEP.replace("lr * dW", "lr * (1 - 0.9 ** t) * dW")),
        # A function has names of its own.
        "total = 0\ndef sum(a):\n    total = 0.0\n    for x in a: total += x\n    return total\n"
        + training(body=STEP + "sum([loss])"),
    ],
)
def test_names_that_may_be_used_again(tmp_path: Path, text: str) -> None:
    check = checked(tmp_path, DATA, text)
    assert check.outcome == "ran"
    assert "shadowed name" not in [kind for kind, _ in seen(check)]


# Overflows.

CLASSIFIER = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(12, 2))
t = (X[:, 0] > 0) * 1.0
w = np.array([0.1, 0.2])
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
"""
CROSS_ENTROPY = """
p = sigmoid(SCALE * X @ w)
loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
w -= 0.1 * SCALE * X.T @ (p - t) / 12
"""


def test_a_logarithm_of_zero_behind_a_sigmoid_that_overflows(tmp_path: Path) -> None:
    loop = training("for epoch in range(9):", CROSS_ENTROPY.replace("SCALE", "1e4"))
    check = checked(tmp_path, CLASSIFIER, loop)
    assert seen(check) == [("overflow", line_of(CLASSIFIER, loop, text="loss ="))]
    assert "encountered in log" in check.observations[0].sentence


def test_an_overflow_in_a_function_and_steps_that_grow(tmp_path: Path) -> None:
    softmax = "def softmax(z):\n    e = np.exp(z)\n    return e / e.sum(axis=1, keepdims=True)\n"
    loop = training(
        body="""
        p = softmax(300 * X @ W1)
        loss = -np.mean(np.log(p[:, 0]))
        d = p.copy()
        d[:, 0] -= 1
        W1 -= lr * 300 * X.T @ d / 8
        """.replace("        ", "")
    )
    check = checked(tmp_path, DATA, softmax, loop)
    assert seen(check) == [("overflow", line_of(DATA, softmax, loop, text="e = np.exp"))]
    loop = training("for epoch in range(800):", STEP.replace("np.tanh(X @ W1)", "X @ W1"))
    loop = loop.replace(" * (1 - h ** 2)", "").replace("lr *", "9 *")
    (found,) = checked(tmp_path, DATA, loop).observations
    assert found.kind == "overflow"
    assert "of the loop in line 7" in found.sentence


@pytest.mark.parametrize(
    "text",
    [
        # 1 / (1 + inf) is 0, as it should be.
        CLASSIFIER
        + training(
            "for epoch in range(9):",
            "p = sigmoid(1e4 * X @ w)\nloss = np.mean((p - t) ** 2)\n"
            "w -= 0.1 * X.T @ ((p - t) * p * (1 - p)) / 12",
        ),
        # The other branch is taken.
        CLASSIFIER
        + training(
            "for epoch in range(9):",
            "z = 1e4 * X @ w\ngrown = np.exp(np.abs(z))\n"
            "p = np.where(z > 0, 1 / (1 + 1 / grown), 0)\n"
            "loss = np.mean((p - t) ** 2)\nw -= 0.1 * X.T @ (p - t) / 12",
        ),
        # Beside the training, and after it.
        DATA + training(body=STEP + "share = np.float64(0) / np.sum(0 * h)"),
        DATA + training() + "print(np.log(np.zeros(3)), np.exp(np.array([1e4])))\n",
        # The data was not finite to begin with, and the loss is not for that reason.
        DATA
        + "X[0, 0] = np.nan\n"
        + training(body=STEP + "share = np.float64(0) / np.sum(0 * d.size)"),
        # A first value that is infinite by intention.
        DATA
        + "best = np.inf\n"
        + training(body=STEP + "best = min(best, loss)\nnp.log(np.zeros(2))"),
    ],
)
def test_harmless_overflows(tmp_path: Path, text: str) -> None:
    check = checked(tmp_path, text)
    assert check.outcome == "ran"
    assert seen(check) == []


def test_warnings_come_to_the_program_as_they_do_without_a_check(tmp_path: Path) -> None:
    text = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    np.exp(np.array([1e4]))
assert len(caught) == 1
with np.errstate(all="raise"):
    try:
        np.exp(np.array([1e4]))
    except FloatingPointError:
        pass
"""
    check = checked(tmp_path, DATA, text, training(), "import sys; assert sys.gettrace() is None\n")
    assert (check.outcome, check.verdict, check.observations) == ("ran", "exact", ())


# A symmetric start.


@pytest.mark.parametrize(
    "start",
    [
        "W1, W2 = np.zeros((3, 4)), np.zeros((4, 1))",
        "W1, W2 = np.full((3, 4), 0.2), np.ones((4, 1))",
        "W1, W2 = np.repeat(rng.normal(size=(3, 1)), 4, axis=1), np.ones((4, 1))",
    ],
)
def test_hidden_units_that_are_alike(tmp_path: Path, start: str) -> None:
    body = STEP.replace("np.tanh(X @ W1)", "1 / (1 + np.exp(-(X @ W1)))").replace(
        "(1 - h ** 2)", "h * (1 - h)"
    )
    data, loop = DATA.replace("W1, W2 =", "_ ="), training(body=body)
    check = checked(tmp_path, data, start, "\n", loop)
    assert check.verdict == "exact"
    (found,) = check.observations
    assert found.kind == "symmetric start"
    assert "hidden units of W1 (4) start equal" in found.sentence


@pytest.mark.parametrize(
    ("start", "body"),
    [
        # Zeros that the next layer tells apart.
        ("W1, W2 = np.zeros((3, 4)), rng.normal(size=(4, 1))", STEP),
        # One hidden unit.
        ("W1, W2 = np.ones((3, 1)), np.ones((1, 1))", STEP),
        # No hidden layer: a regression may start from zeros.
        (
            "W1 = np.zeros((3, 1))",
            "error = X @ W1 - y\nloss = np.mean(error ** 2)\nW1 -= lr * 2 * X.T @ error / 8",
        ),
        # Outputs that are alike, as what they are to be is alike.
        (
            "W1 = np.zeros((3, 2))",
            "error = X @ W1 - y\nloss = np.mean(error ** 2)\nW1 -= lr * X.T @ error / 8",
        ),
    ],
)
def test_equal_starts_that_do_no_harm(tmp_path: Path, start: str, body: str) -> None:
    data = DATA.replace("W1, W2 =", "_ =")
    check = checked(tmp_path, data, start, "\n", training(body=body))
    assert check.verdict in ("exact", "constant factor")
    assert seen(check) == []


def test_units_that_a_mask_tells_apart(tmp_path: Path) -> None:
    body = STEP.replace(
        "h = np.tanh(X @ W1)", "m = rng.random((8, 4)) < 0.5\nh = m * np.tanh(X @ W1)"
    )
    body = body.replace("(1 - h ** 2)", "m * (1 - h ** 2)")
    data = DATA.replace("W1, W2 =", "_ =")
    start = "W1, W2 = np.full((3, 4), 0.2), np.ones((4, 1))\n"
    check = checked(tmp_path, data, start, training(body=body))
    assert check.verdict == "exact"
    assert seen(check) == []
