"""Programs that leave the steps to an optimiser of SciPy's."""

import os
from pathlib import Path

import pytest

from chainrule.check import Check, check_program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies processes")

PAIR = """
import numpy as np
import scipy.optimize as so

rng = np.random.default_rng(4)
X, y = rng.normal(size=(15, 3)), rng.normal(size=15)

def J(w, X, y):
    cost = np.mean((np.tanh(X @ w) - y) ** 2)
    return cost

def slope(w, X, y):
    a = np.tanh(X @ w)
    grad = 2 * X.T @ ((a - y) * (1 - a**2)) / len(y)
    return grad

def both(w, X, y):
    return J(w, X, y), slope(w, X, y)

"""
CALLS = [
    "so.minimize(J, np.zeros(3), args=(X, y), jac=slope)",
    "so.minimize(both, np.zeros(3), (X, y), 'CG', True)",
    "so.fmin_cg(J, np.zeros(3), slope, (X, y))",
    "so.fmin_bfgs(J, np.zeros(3), fprime=slope, args=(X, y))",
    "so.fmin_tnc(both, np.zeros(3), args=(X, y))",
    "so.fmin_l_bfgs_b(both, [0.0, 0, 0], args=(X, y))",
    "so.fmin_ncg(f=J, x0=np.zeros(3), fprime=slope, args=(X, y))",
    "so.minimize(lambda w: J(w, X, y), np.zeros(3), jac=lambda w: slope(w, X, y))",
]


def checked(folder: Path, text: str) -> Check:
    program = folder / "fit.py"
    program.write_text(text, encoding="utf-8")
    return check_program(program, repair_seconds=0)


@pytest.mark.parametrize("call", CALLS)
def test_the_gradient_is_compared_however_the_optimiser_is_called(
    tmp_path: Path, call: str
) -> None:
    check = checked(tmp_path, PAIR + call)
    assert (check.verdict, check.loss) == ("exact", "cost")
    assert [each.name for each in check.parameters] == ["w"]
    wrong = checked(tmp_path, PAIR.replace("* (1 - a**2)", "* (1 - a)") + call)
    assert wrong.verdict == "wrong", wrong.summary


def test_a_factor_is_no_learning_rate_of_an_optimiser(tmp_path: Path) -> None:
    for text in (PAIR.replace("grad = 2 *", "grad = "), PAIR.replace("grad = 2 *", "grad = -2 *")):
        check = checked(tmp_path, text + CALLS[0])
        assert check.verdict == "wrong"
        assert check.first is not None
        assert check.first.name == "grad"


@pytest.mark.parametrize(
    "call",
    [
        "so.minimize(J, np.zeros(3), args=(X, y))",
        "so.minimize(J, np.zeros(3), args=(X, y), jac='2-point')",
        "so.fmin_l_bfgs_b(J, np.zeros(3), args=(X, y), approx_grad=True)",
    ],
)
def test_without_a_gradient_there_is_none_to_check(tmp_path: Path, call: str) -> None:
    check = checked(tmp_path, PAIR + call)
    assert check.verdict == "cannot tell"
    assert "is given no gradient" in check.summary


def test_what_the_optimiser_prints_and_finds_is_the_program_s_own(tmp_path: Path) -> None:
    check = checked(tmp_path, PAIR + f"assert {CALLS[0]}.success\nso.minimize(3)")
    assert (check.outcome, check.verdict) == ("failed", "exact")
