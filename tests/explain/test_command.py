"""`chainrule explain`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object):
        result = CliRunner().invoke(main, ["explain", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def refusal(result) -> str:
    assert result.exit_code == 2, result.stdout
    assert result.stdout == ""
    return result.stderr.removeprefix("Error: ").strip()


def test_a_step_line_by_line(run):
    result = run("xor", "--epoch", 0)
    assert result.exit_code == 0
    text = result.stdout
    for line in (
        "xor: network 2-2-1, epoch 0 of 0 to 9,999",
        "  z1 = X W1 + b1   4×2",
        "      sigmoid: a2 = σ(z2), so z̄2 = ā2 · a2 · (1 − a2)",
        "  W1′ = W1 − learning_rate · (∂L/∂W1)   2×2",
    ):
        assert line in text.splitlines()


def test_why_a_number(run):
    text = run("xor", "--why", "W1[0,1]", "--epoch", 731).stdout
    assert "    = W1[0,1] − learning_rate · (∂L/∂W1)[0,1]\n" in text
    assert "58.6 %  W1[0,1] → z1[2,1] → a1[2,1] → z2[2,0] → a2[2,0] → loss" in text
    data = json.loads(run("xor", "--why", "W1[0,1]", "--epoch", 731, "--json").stdout)
    assert sum(path["product"] for path in data["paths"]) == pytest.approx(data["gradient"])


def test_files(run, tmp_path):
    result = run(
        "and", "--epochs", 5, "--notebook", "n.ipynb", "--python", "p.py", "--latex", "l.tex"
    )
    assert result.stdout.splitlines() == [
        "Notebook in n.ipynb", "Script in p.py", "LaTeX document in l.tex",
    ]  # fmt: skip
    assert json.loads((tmp_path / "n.ipynb").read_text())["nbformat"] == 4
    assert "d_loss_W1 = X.T @ d_loss_z1" in (tmp_path / "p.py").read_text()


@pytest.mark.parametrize("name", ["xor", "moons --l2 0.1 --samples 20 --dropout 0.2", "sine"])
def test_latex_compiles(run, tmp_path, name):
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if engine is None:
        pytest.skip("needs a LaTeX engine")
    assert run(*name.split(), "--epoch", 2, "--latex", "l.tex").exit_code == 0
    mode = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in engine else []
    compiled = subprocess.run([engine, *mode, "l.tex"], cwd=tmp_path, capture_output=True)
    assert compiled.returncode == 0, compiled.stdout[-2000:]
    assert Path(tmp_path / "l.pdf").stat().st_size > 1000


def test_a_saved_model_at_any_epoch(run, tmp_path):
    trained = CliRunner().invoke(
        main, ["train", "moons", "--samples", "30", "--epochs", "20", "--save", "model"]
    )
    assert trained.exit_code == 0
    text = run("model", "--epoch", 7).stdout
    assert "model: network 2-16-16-1, epoch 7 of 0 to 19" in text
    assert "every loss is the one recorded, to the last bit" in text
    assert "epoch 19 of 0 to 19" in run("model").stdout
    assert "--epoch 21 is not in this run" in refusal(run("model", "--epoch", 21))
    assert "--hidden is of a new training run" in refusal(run("model", "--hidden", 3))


def test_what_is_large_is_folded_and_can_be_asked_for(run):
    text = run("moons", "--samples", 80, "--epochs", 2, "--hidden", "30").stdout
    assert len(text.splitlines()) < 300
    assert "likewise" not in text  # four parameters are few
    assert "…" in text
    whole = run("moons", "--samples", 80, "--epochs", 2, "--hidden", "30", "--all").stdout
    assert len(whole) > 3 * len(text)
    one = run("moons", "--samples", 80, "--epochs", 2, "--hidden", "30", "--why", "W1[1,29]")
    assert one.exit_code == 0
    assert "W1′[1,29] = " in one.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("xorr", "There is no built-in set, file or saved model xorr. The nearest built-in names"),
        ("xor --epoch 10001", "--epoch 10001 is not in this run, whose epochs are 0 to 9999"),
        ("xor --epochs 3 --why W7[0,0]", "The nearest names are W1, W2"),
        ("xor --notebook n.txt", "--notebook n.txt: its name must end in .ipynb."),
        ("xor --batch 2", "--batch 2 is not in an epoch of this run"),
    ],
)
def test_refusals(run, arguments, message):
    assert message in refusal(run(*arguments.split()))
