"""The mutants are what they are said to be, and the truth about them is found without the check."""

import ast
import os
import textwrap
from pathlib import Path

import pytest
from mutations import report
from mutations.changes import KINDS, changes_of
from mutations.judging import FAILS, Mutant, drawn, judged
from mutations.programs import FOLDER, Subject, subject_of
from mutations.truth import ALIKE, EQUIVALENT, FACTOR, WRONG, Behaviour, behaviour_of, compared

from chainrule.check.programs import Place

PROGRAM = textwrap.dedent("""\
    import numpy as np

    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    w = 0.5
    b = 0.0
    for step in range(20):
        e = w * x + b - y
        dw = 2 * (e * x).mean()
        db = 2 * np.mean(e, axis=0)
        w = w - 0.01 * dw
        b -= 0.01 * db
    print(w, b)
    """)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Behaviour:
    behaviour = behaviour_of(PROGRAM, ["w", "b"], tmp_path_factory.mktemp("right"))
    assert behaviour is not None
    return behaviour


def lines_of(kind: str, text: str = PROGRAM) -> set[str]:
    changes = changes_of(text, ast.parse(text), {8, 9}, {10, 11})[kind]
    return {line.strip() for change in changes for line in change.lines}


def test_changes_are_of_their_kinds() -> None:
    assert "dw = (e * x).mean()" in lines_of("factor")
    assert "b -= 2 * (0.01 * db)" in lines_of("factor")
    assert {"w = w + 0.01 * dw", "b += 0.01 * db", "dw = -(2 * (e * x).mean())"} <= lines_of("sign")
    assert {"dw = 2 * e.mean()", "dw = 2 * x.mean()", "w = w"} <= lines_of("dropped")
    assert {"dw = 2 * (e * y).mean()", "b -= 0.01 * dw"} <= lines_of("name")
    assert {"db = 2 * np.mean(e)", "db = 2 * np.mean(e, axis=1)"} <= lines_of("axis")
    assert lines_of("mean for sum") == {"dw = 2 * (e * x).sum()", "db = 2 * np.sum(e, axis=0)"}
    product = "d = h.T @ g\n" * 9
    assert {"d = g @ h.T", "d = h @ g", "d = h.T @ g.T"} <= lines_of("transpose", product)


def test_a_change_is_of_one_statement_and_the_program_stays_one() -> None:
    for kind, changes in changes_of(PROGRAM, ast.parse(PROGRAM), {8, 9}, {10, 11}).items():
        for change in changes:
            lines = PROGRAM.split("\n")
            lines[change.first - 1 : change.last] = change.lines
            ast.parse("\n".join(lines))
            assert change.last - change.first == (kind == "moved")


def test_updates_are_seen_to_change_parameters(right: Behaviour) -> None:
    assert right.updates() == {10, 11}


@pytest.mark.parametrize(
    ("old", "new", "truth"),
    [
        ("2 * (e * x)", "2 * (x * e)", EQUIVALENT),
        ("step in", "turn in", EQUIVALENT),
        ("e = w * x + b - y", "e = 3 * (w * x + b - y)", FACTOR),
        ("2 * (e * x)", "3 * (e * x)", WRONG),
        ("w - 0.01 * dw", "w", WRONG),
        ("e = w * x + b - y", "e = y - w * x - b", WRONG),
        ("range(20)", "range(21)", WRONG),
        ("2 * (e * x)", "2.00001 * (e * x)", ALIKE),
    ],
)
def test_the_truth(right: Behaviour, tmp_path: Path, old: str, new: str, truth: str) -> None:
    assert old in PROGRAM
    other = behaviour_of(PROGRAM.replace(old, new), ["w", "b"], tmp_path)
    assert other is not None
    assert compared(right, other) == truth


def test_a_program_that_fails_has_no_behaviour(tmp_path: Path) -> None:
    assert behaviour_of(PROGRAM.replace("e * x", "e @ e * x[5]"), ["w", "b"], tmp_path) is None


@pytest.fixture(scope="module")
def subject() -> Subject:
    if not hasattr(os, "fork"):
        pytest.skip("copies processes")
    return subject_of(FOLDER / "slice_assign.py")


def test_mutants_are_judged(subject: Subject) -> None:
    factors = {change.lines: change for change in subject.changes["factor"]}
    wrong = judged(subject, factors[("    db2 = 2 * dp.sum(axis=0)",)], 0)
    assert (wrong.truth, wrong.is_found, wrong.is_located) == (WRONG, True, True)
    harmless = judged(subject, factors[("    dp = 2 * (2 * (p - y) / 8)",)], 0)
    assert (harmless.truth, harmless.verdict) == (FACTOR, "constant factor")


def test_a_notebook_is_changed_in_its_cell() -> None:
    notebook = subject_of(FOLDER / "weather_notebook.ipynb")
    change = next(
        c for c in notebook.changes["factor"] if c.lines == ("    grad_b = residual.sum()",)
    )
    mutant = judged(notebook, change, 0)
    assert (mutant.truth, mutant.is_located) == (WRONG, True)
    assert mutant.places == (Place(12, 3),)


def test_the_same_seed_draws_the_same_changes(subject: Subject) -> None:
    first, again = ([change for _, change in drawn([subject], 5)] for _ in range(2))
    assert first == again
    assert len(first) == sum(map(len, subject.changes.values()))
    assert first != [change for _, change in drawn([subject], 6)]
    assert {change.kind for change in first[:60]} == set(KINDS)


def test_the_table_counts_what_is_wrong_alone() -> None:
    found = Mutant(
        "a.py", "sign", (Place(3),), ("a",), ("b",), WRONG, "wrong", "", Place(3), FACTOR
    )
    missed = Mutant("a.py", "sign", (Place(4),), ("a",), ("b",), WRONG, "exact")
    others = [Mutant("a.py", "axis", (), (), (), each) for each in (FAILS, EQUIVALENT)]
    rows = report.wrong_table([found, missed, *others]).split("\n")[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0] == ["sign", "2", "1", "0", "0", "1", "1", "1", "1"]
    assert cells[2] == ["of all", "100 %", "50 %", "0 %", "0 %", "50 %", "50 %", "50 %", "50 %"]
    assert len(cells) == 3
