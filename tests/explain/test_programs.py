"""The generated script and notebook train as the run does, with NumPy alone, and are exact."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import numpy as np
import pytest

from chainrule.check import check_program
from chainrule.errors import SettingError
from chainrule.explain.moments import training_of
from chainrule.networks import ACTIVATIONS, LOSSES
from chainrule.training.optimizers import OPTIMIZERS

from .conftest import RECIPES, derived, executed, recipe


def code_of(notebook: dict) -> str:
    """All code of a notebook, one cell after the other."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def imported(text: str) -> set[str]:
    """The modules that a program imports."""
    return {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }


@pytest.mark.parametrize("form", ["script", "notebook"])
def test_it_ends_with_the_parameters_of_the_run(training, form):
    derivation = derived(training, epoch=0)
    text = derivation.to_python() if form == "script" else code_of(derivation.to_notebook())
    assert imported(text) <= {"numpy", "math"}
    names, _ = executed(text)
    trained = training.prepared.train().run.state.parameters
    for name, value in trained.items():
        tolerance = 1e-12 if value.dtype == np.float64 else 2e-4
        np.testing.assert_allclose(names[name], value, rtol=tolerance, atol=tolerance)
        assert names[name].dtype == value.dtype


def test_the_notebooks_own_run_prints_its_losses_and_predictions(tmp_path):
    training = training_of(recipe("xor", tmp_path, epochs=10_000))
    _, printed = executed(code_of(derived(training, epoch=0).to_notebook()))
    losses = training.prepared.train().run.history["loss"]
    lines = printed.splitlines()
    assert lines[:10] == [f"Epoch {e}, loss {losses[e]:.4f}" for e in range(0, 10_000, 1000)]
    assert lines[10:] == ["Predictions:", " [[0.03 ]", " [0.498]", " [0.971]", " [0.501]]"]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("ending", ["py", "ipynb"])
def test_its_gradients_are_exact(tmp_path, name, ending):
    derivation = derived(training_of(recipe(name, tmp_path, epochs=8)))
    path = tmp_path / f"program.{ending}"
    text = derivation.to_python() if ending == "py" else json.dumps(derivation.to_notebook())
    path.write_text(text)
    check = check_program(path)
    assert check.verdict == "exact", check.summary
    within = "1e-4" if "float32" in name else "1e-7"
    assert check.summary.endswith(f"are those of loss, to within {within}.")


@pytest.mark.parametrize("activation", ["gelu", "silu", "selu", "softmax"])
def test_gradients_of_other_activations_are_exact(tmp_path, activation):
    few = {"samples": 16, "epochs": 6, "hidden": (3,), "activation": (activation,)}
    path = tmp_path / "program.py"
    path.write_text(derived(training_of(recipe("adam with l2", tmp_path, **few))).to_python())
    assert check_program(path, repair_seconds=0).verdict == "exact"


@pytest.mark.parametrize("name", RECIPES)
def test_jupyter_runs_it(tmp_path, name):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = derived(training_of(recipe(name, tmp_path))).to_notebook()
    read = nbformat.reads(json.dumps(notebook), as_version=4)
    nbformat.validate(read)
    nbclient.NotebookClient(read, timeout=120).execute()
    assert "Predictions" in str(read.cells[-1].outputs)


def test_the_notebook_has_the_parts_that_its_format_asks_for(tmp_path):
    notebook = derived(training_of(recipe("xor", tmp_path))).to_notebook()
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in notebook["cells"]:
        code = cell["cell_type"] == "code"
        assert set(cell) - {"id", "cell_type", "metadata", "source"} == (
            {"execution_count", "outputs"} if code else set()
        )
    prose = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]
    assert any("Xᵀ" in text or r"X^" in text for text in prose)


def test_it_runs_without_this_package(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(derived(training_of(recipe("xor", tmp_path))).to_python())
    hide = "import sys; sys.modules['chainrule'] = None; import runpy; runpy.run_path(sys.argv[1])"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", hide, str(path)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Epoch 0, loss 0.2558\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "lbfgs", "batch_size": None, "learning_rate": None}, "L-BFGS"),
        ({"schedule": "adaptive"}, "has no form in NumPy here"),
        ({"samples": 20_000, "epochs": 1}, "at most 20,000 are written"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, changes, message):
    derivation = derived(training_of(recipe("adam with l2", tmp_path, **changes)), epoch=0)
    with pytest.raises(SettingError, match=message):
        derivation.to_python()


@pytest.mark.parametrize(
    "changes",
    [
        *({"activation": (name,)} for name in ACTIVATIONS),
        *({"loss": name} for name in LOSSES if name != "categorical_cross_entropy"),
        *({"optimizer": name} for name in OPTIMIZERS),
        {"schedule": "step(every=2)"},
        {"schedule": "inverse_scaling"},
        {"schedule": "warmup(length=7)"},
        {"schedule": "warmup(length=3, unit='epoch', then='cosine')"},
        {"clip_value": 0.01},
        {"hidden": ()},
    ],
    ids=str,
)
def test_every_choice_can_be_written(tmp_path, changes):
    few = {"samples": 16, "epochs": 6, "batch_size": 6, "hidden": (3,), **changes}
    training = training_of(recipe("adam with l2", tmp_path, **few))
    names, _ = executed(derived(training, epoch=2).to_python())
    for name, value in training.prepared.train().run.state.parameters.items():
        np.testing.assert_allclose(names[name], value, rtol=1e-12, atol=1e-12)
