"""Steps of programs that others wrote."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import DataError, GradientError, SettingError
from chainrule.explain import Derivation
from chainrule.explain.following import main as follow
from chainrule.explain.stored import restored, stored
from chainrule.explain.tracing import trace_function

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
TWO_LAYERS = """
import numpy as np

rng = np.random.default_rng(1)
X, T = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
V, c, W = rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(4, 2))
seen = []
for turn in range({turns}):
    seen.append((V.copy(), c.copy(), W.copy()))
    h = np.tanh(X @ V + c)
    out = h @ W
    err = out - T
    mse = np.mean(err ** 2)
    dout = {factor} * err / err.size
    dW = h.T @ dout
    dh = dout @ W.T * (1 - h ** 2)
    dV = X.T @ dh
    dc = {bias}
    V -= 0.3 * dV
    c -= 0.3 * dc
    W -= 0.3 * dW
print(mse)
"""
RIGHT_BIAS = "dh.sum(axis=0)"


def program(folder, *, turns=12, factor=2, bias=RIGHT_BIAS, name="net.py"):
    path = folder / name
    path.write_text(TWO_LAYERS.format(turns=turns, factor=factor, bias=bias))
    return path


@pytest.mark.parametrize("turn", [0, 7])
def test_every_number_is_that_of_the_programs_iteration(tmp_path, turn):
    path = program(tmp_path)
    derivation = Derivation.of_program(path, turn)
    ran = runpy.run_path(str(path))
    V, c, W = ran["seen"][turn]
    X, T = ran["X"], ran["T"]
    h = np.tanh(X @ V + c)
    err = h @ W - T
    dout = 2 * err / err.size
    dz = dout @ W.T * (1 - h**2)
    wanted = {
        "V": V, "c": c, "W": W, "X": X, "h": h, "out": h @ W, "mse": np.mean(err**2),
        "d_mse_out": dout, "d_mse_W": h.T @ dout, "d_mse_V": X.T @ dz, "d_mse_c": dz.sum(axis=0),
    }  # fmt: skip
    after = dict(zip(("V_new", "c_new", "W_new"), ran["seen"][turn + 1], strict=True))
    for name, value in {**wanted, **after}.items():
        # Sums of a few products, in another order at most.
        np.testing.assert_allclose(derivation[name].value, value, rtol=1e-13, atol=1e-15)
    assert derivation.notes == ()
    (h_step,) = (step for step in derivation.steps if step.name == "h")
    assert h_step.source == "net.py, line 10: np.tanh(X @ V + c)"
    assert str(derivation["W_new"].formula) == "W′ = W − 0.3 · (∂mse/∂W)"
    assert derivation.to_text().startswith(f"net.py, iteration {turn} of the loop in line 8\n")


def test_a_factor_and_a_wrong_gradient_are_said(tmp_path):
    factor = Derivation.of_program(program(tmp_path, factor=1))
    assert "The program's own dW is 0.5 times ∂L/∂W." in factor.notes
    assert str(factor["W_new"].formula) == "W′ = W − 0.3 · 0.5 · (∂mse/∂W)"
    wrong = Derivation.of_program(program(tmp_path, bias="(dh * h).sum(axis=0)"))
    (note,) = (note for note in wrong.notes if "not made of" in note)
    assert note.startswith("The program's update of c is not made of ∂L/∂c")
    (h,) = (step for step in wrong.steps if step.name == "h")
    # The exact gradient beside it, by numbers and by hand.
    dout = 2 * (wrong["out"].value - wrong["T"].value) / 10
    dz = dout @ wrong["W"].value.T * (1 - h.value**2)
    np.testing.assert_allclose(wrong["d_mse_c"].value, dz.sum(axis=0), rtol=1e-13)
    moved = wrong["c"].value - 0.3 * (dz * h.value).sum(axis=0)
    np.testing.assert_allclose(wrong["c_new"].value, moved, rtol=1e-13)


def test_why_a_number_of_a_program_is_what_it_is(tmp_path):
    why = Derivation.of_program(program(tmp_path), 3).why("V[1,2]")
    assert why.paths is not None
    assert why.paths.total == pytest.approx(why.paths.value, rel=1e-13)


@pytest.mark.parametrize(
    "name",
    ["online_outer.py", "conv1d_signal.py", "mini_framework.py", "softmax_homework.ipynb"],
)
def test_other_ways_of_writing(name):
    derivation = Derivation.of_program(PROGRAMS / name)
    changed = [step for step in derivation.part("update") if step.name.endswith("_new")]
    assert changed
    for step in changed:
        gradient = derivation[f"d_{derivation.loss}_{step.name.removesuffix('_new')}"]
        assert np.all(np.isfinite(gradient.value))
    assert derivation.to_latex()
    json.dumps(derivation.to_json())


def test_what_is_refused(tmp_path):
    path = program(tmp_path)
    with pytest.raises(SettingError, match=r"loop in line 8, did not come to iteration 12"):
        Derivation.of_program(path, 12)
    with pytest.raises(SettingError, match="epoch=-1 is out of range"):
        Derivation.of_program(path, -1)
    with pytest.raises(DataError, match="There is no file"):
        Derivation.of_program(tmp_path / "none.py")
    empty = tmp_path / "empty.py"
    empty.write_text("print(3)\n")
    with pytest.raises(
        GradientError, match=r"cannot be explained\. No loop of the program was run"
    ):
        Derivation.of_program(empty)
    with pytest.raises(SettingError, match="chainrule's own is written as a program"):
        Derivation.of_program(path).to_python()


def test_a_step_written_down_is_the_same_step(tmp_path):
    def loss(w, x):
        h = np.tanh(x[1:, ::2] @ w)
        return np.mean(np.where(h > 0, h, 0.1 * h) ** 2)

    rng = np.random.default_rng(0)
    traced = trace_function(loss, rng.normal(size=(2, 3)), rng.normal(size=(4, 4)))
    ours, again = Derivation(traced), Derivation(restored(stored(traced)))
    assert [str(step.formula) for step in ours.steps] == [str(s.formula) for s in again.steps]
    for step, other in zip(ours.steps, again.steps, strict=True):
        assert step.source == other.source
        np.testing.assert_array_equal(step.value, other.value)


def test_nothing_that_runs_is_read(tmp_path):
    np.savez(tmp_path / "step.npz", text=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        restored((tmp_path / "step.npz").read_bytes())


def test_the_process_writes_nothing_of_an_iteration_that_is_none(tmp_path):
    empty = tmp_path / "empty.py"
    empty.write_text("print(3)\n")
    results = tmp_path / "results"
    results.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.modules", dict(__import__("sys").modules))
        patch.setattr("sys.argv", ["x"])
        patch.setattr("sys.path", list(__import__("sys").path))
        follow([str(empty), str(results), "--loop=1", "--iteration=0"])
    assert not (results / "step.npz").exists()
