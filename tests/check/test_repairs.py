"""Repairs end to end: found, shown, and written without a change to anything else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chainrule.check import Check, check_program
from chainrule.check.repairs import Repairs, patch, write_repaired
from chainrule.cli import main
from chainrule.errors import DataError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

PROGRAMS = Path(__file__).parents[1] / "programs"
RIGHT = ("exact", "constant factor", "sign convention")
NET = textwrap.dedent("""
    import numpy as np

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    W1, b1, W2 = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2))

    for step in range(6):
        h = np.tanh(X @ W1 + b1)
        out = h @ W2
        loss = np.mean(np.sum((out - y) ** 2, axis=1))
        d_out = 2 * (out - y) / len(y)  # größer
        dW2 = h.T @ d_out
        d_z = d_out @ W2.T * (1 - h ** 2)
        dW1 = X.T @ d_z
        db1 = d_z.sum(axis=0)
        W1 -= 0.1 * dW1
        b1 -= 0.1 * db1
        W2 -= 0.1 * dW2
""")
WRONG = NET.replace("d_z.sum(axis=0)", "d_z.mean(axis=0)")
TWICE = WRONG.replace("(1 - h ** 2)", "(1 - h)")


def program(folder: Path, text: str, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def written(check: Check, target: Path) -> Path:
    assert check.program is not None
    assert check.repairs.steps
    write_repaired(check.program, check.repairs, target)
    return target


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("name", "cause", "line", "after"),
    [
        ("little_net__mean_for_sum.py", "mean-for-sum", 44, "dE_db1 = dE_dz1.sum(axis=0)"),
        ("line_fit__factor.py", "factor", 17, None),
        ("many_methods__derivative_twice.py", "derivative-twice", 41,
         "self._first -= rate * self._inputs.T.dot(hidden_deltas)"),
        ("main_guard__derivative_of_another.py", "derivative-of-another", 31,
         "d_a = d_h * (1 - h ** 2)"),
        ("inplace_sums__sign.py", "sign", 21, None),
        ("float32_net__mean_for_sum.py", "mean-for-sum", 23, None),
        ("matrix_net__derivative_point.py", "derivative-point", 21,
         "D1=np.multiply(D2*W2.T,gprime(Z1))"),
        ("xor_notebook__transpose.ipynb", "transpose", 17, None),
    ],
)  # fmt: skip
def test_a_repair_is_found_and_the_repaired_program_is_right(
    tmp_path: Path, name: str, cause: str, line: int, after: str | None
) -> None:
    check = check_program(PROGRAMS / name, repair_seconds=30)
    (step,) = check.repairs.steps
    assert (step.cause, step.place.line) == (cause, line)
    assert check.first is not None
    assert check.first.place == step.place
    if after is not None:
        assert [each.strip() for each in step.after] == [after]
    worst = {each.parameter: 0.0 for each in check.repairs.evidence}
    for each in check.repairs.evidence:
        assert each.after is not None
        assert each.after <= check.tolerance
        worst[each.parameter] = max(worst[each.parameter], each.before or 0.0)
    wrong = [each.name for each in check.parameters if not each.right]
    assert wrong
    assert all(worst[each] > check.tolerance for each in wrong)
    target = written(check, tmp_path / f"right{Path(name).suffix}")
    assert check_program(target, repair_seconds=0).verdict in RIGHT


def test_two_faults_have_a_repair_each(tmp_path: Path) -> None:
    check = check_program(program(tmp_path, TWICE), repair_seconds=30)
    steps = check.repairs.steps
    assert len(steps) == 2
    assert {each.after[0].strip() for each in steps} == {
        "d_z = d_out @ W2.T * (1 - h ** 2)",
        "db1 = d_z.sum(axis=0)",
    }
    assert written(check, tmp_path / "right.py").read_text(encoding="utf-8") == NET


def test_what_is_right_has_no_repair(tmp_path: Path) -> None:
    check = check_program(program(tmp_path, NET))
    assert check.repairs == Repairs()
    assert check.program is not None
    with pytest.raises(DataError, match="no repair to write"):
        write_repaired(check.program, check.repairs, tmp_path / "right.py")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Check:
    return check_program(program(tmp_path_factory.mktemp("net"), WRONG), repair_seconds=30)


@pytest.mark.parametrize("tool", [["git", "apply"], ["patch", "-p0", "-i"]], ids=["git", "patch"])
def test_a_diff_can_be_applied(tmp_path: Path, checked: Check, tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    path = program(tmp_path, WRONG)
    diff = written(checked, tmp_path / "right.diff")
    options = ["-p0"] if tool[0] == "git" else []
    subprocess.run([*tool, *options, diff.name], cwd=tmp_path, check=True, capture_output=True)
    assert path.read_text(encoding="utf-8") == NET


@pytest.mark.parametrize(
    ("head", "encoding", "end"),
    [
        ("", "utf-8", "\r\n"),
        ("", "utf-8-sig", "\n"),
        ("# -*- coding: latin-1 -*-\n", "latin-1", "\n"),
        ("# coding: cp1252\n", "cp1252", "\r\n"),
    ],
)
def test_the_bytes_of_a_script_stay_as_they_are(
    tmp_path: Path, head: str, encoding: str, end: str
) -> None:
    def data(text: str) -> bytes:
        return (head + text).replace("\n", end).encode(encoding)

    path = tmp_path / "net.py"
    path.write_bytes(data(WRONG))
    check = check_program(path, repair_seconds=30)
    assert written(check, tmp_path / "right.py").read_bytes() == data(NET)
    assert path.read_bytes() == data(WRONG)


def notebook(training: str, **about: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Größe\n", "text"]},
        {"cell_type": "code", "execution_count": 3, "metadata": {"tags": ["é"]},
         "outputs": [{"output_type": "stream", "name": "stdout", "text": ["0.5\n"]}],
         "source": ["%matplotlib inline\n", "!ls\n", "x = 1"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None,
         "source": training.splitlines(keepends=True)},
    ]  # fmt: skip
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize("indent", [1, 2, None])
def test_all_else_in_a_notebook_stays_as_it_is(tmp_path: Path, indent: int | None) -> None:
    def text(training: str) -> str:
        cell = "%%time\n" + textwrap.indent(training.strip("\n"), "  ").replace("  \n", "\n")
        made = notebook(cell, kernelspec={"name": "python3"})
        return json.dumps(made, indent=indent, ensure_ascii=False) + "\n"

    path = program(tmp_path, text(WRONG), "net.ipynb")
    check = check_program(path, repair_seconds=30)
    (step,) = check.repairs.steps
    assert step.place.cell == 2
    target = written(check, tmp_path / "right.ipynb")
    assert target.read_text(encoding="utf-8") == text(NET)
    assert check.program is not None
    assert "net.ipynb (cell 2)" in patch(check.program, check.repairs)


# The command.


def test_fix_writes_a_new_file(tmp_path: Path) -> None:
    path, target = program(tmp_path, WRONG), tmp_path / "right.py"
    result = call(path, "--fix", target)
    assert result.exit_code == 1
    assert f"\nWritten to {target}.\n" in result.stdout
    assert target.read_text(encoding="utf-8") == NET
    assert path.read_text(encoding="utf-8") == WRONG


def test_in_place_writes_into_the_program(tmp_path: Path) -> None:
    path = program(tmp_path, WRONG)
    result = call(path, "--in-place")
    assert result.exit_code == 1
    assert path.read_text(encoding="utf-8") == NET
    old, new = (set(text.splitlines()) for text in (WRONG, NET))
    for mark, lines in (("-", old - new), ("+", new - old)):
        assert lines
        assert all(f"{mark}{line}" in result.stdout for line in lines)  # as it was, and as it is
    assert [each.name for each in tmp_path.iterdir()] == ["net.py"]


@pytest.mark.parametrize("option", ["--fix", "--in-place"])
def test_without_a_repair_nothing_is_written(tmp_path: Path, option: str) -> None:
    path = program(tmp_path, NET)
    arguments = [option, tmp_path / "new.py"] if option == "--fix" else [option]
    result = call(path, *arguments)
    assert result.exit_code == 0
    assert "was not written, as there is no repair." in result.stdout
    assert path.read_text(encoding="utf-8") == NET
    assert [each.name for each in tmp_path.iterdir()] == ["net.py"]


def test_no_time_for_repairs_is_no_search(tmp_path: Path) -> None:
    path = program(tmp_path, WRONG)
    found = json.loads(call(path, "--repair-time", 0, "--json").stdout)
    assert (found["verdict"], found["repairs"], found["tried"]) == ("wrong", [], 0)
    assert "Cause" not in call(path, "--repair-time", 0).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["net.py", "--fix", "net.py"], "net.py is the program itself: --in-place writes into it."),
        (["net.py", "--fix", "there.py"], "there.py is there already: name a file that is not."),
        (["net.py", "--fix", "new.txt"], "new.txt is to end in .py, or in .diff or .patch"),
        (["net.py", "--fix", "new.ipynb"], "new.ipynb is to end in .py"),
        (["net.py", "--fix", "none/new.py"], "There is no folder none to write new.py to."),
        (["net.py", "--fix", "new.py", "--in-place"], "cannot be given together"),
        (["net.py", "there.py", "--fix", "new.py"], "take one program, not several or a folder"),
        (["net.py", "there.py", "--in-place"], "take one program, not several or a folder"),
        ([".", "--in-place"], "take one program, not several or a folder"),
        (["net.py", "--repair-time", "-1"], "is out of range"),
        (["net.py", "--repair-time", "soon"], "soon"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    program(tmp_path, "open('ran', 'w')\n" + WRONG)
    program(tmp_path, NET, "there.py")
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.py", "there.py"]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, checked: Check) -> None:
    assert checked.program is not None
    with pytest.raises(DataError, match="cannot be written"):
        write_repaired(checked.program, checked.repairs, tmp_path / "none" / "right.py")
