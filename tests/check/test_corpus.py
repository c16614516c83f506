"""The check against programs in many hands, whose verdicts are known (tests/programs)."""

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chainrule.check import check_program

PROGRAMS = Path(__file__).parents[1] / "programs"
MANIFEST: dict[str, dict[str, Any]] = tomllib.loads(
    (PROGRAMS / "manifest.toml").read_text(encoding="utf-8")
)["programs"]
RIGHT = ("exact", "constant factor", "sign convention")
REPAIR_SECONDS = 6.0
JUDGED = {name: known for name, known in MANIFEST.items() if known["verdict"] in (*RIGHT, "wrong")}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies processes")


@pytest.fixture(scope="module")
def checks() -> dict[str, Any]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(
            lambda name: check_program(PROGRAMS / name, repair_seconds=REPAIR_SECONDS), JUDGED
        )
        return dict(zip(JUDGED, found, strict=True))


def test_no_right_program_is_called_wrong(checks: dict[str, Any]) -> None:
    right = [name for name, known in JUDGED.items() if known["verdict"] in RIGHT]
    assert len(right) >= 50
    assert [name for name in right if checks[name].verdict == "wrong"] == []
    told = [name for name in right if checks[name].verdict in RIGHT]
    assert len(told) >= 0.96 * len(right)  # of the others it says that it cannot tell


def test_nothing_is_observed_of_right_programs(checks: dict[str, Any]) -> None:
    right = [name for name, known in JUDGED.items() if known["verdict"] in RIGHT]
    assert [name for name in right if checks[name].observations] == []


def test_wrong_programs_are_found_and_most_to_the_line(checks: dict[str, Any]) -> None:
    """Not all: what is missed is counted here, so that it can only become less."""
    wrong = {name: known for name, known in JUDGED.items() if known["verdict"] == "wrong"}
    found = [name for name in wrong if checks[name].verdict == "wrong"]
    located = [name for name in found if is_located(checks[name], wrong[name])]
    print(f"{len(wrong)} wrong, {len(found)} found, {len(located)} to the line")
    assert len(found) >= 0.93 * len(wrong)
    assert len(located) >= 0.8 * len(wrong)


def test_most_wrong_programs_are_repaired_with_the_right_cause(checks: dict[str, Any]) -> None:
    """How many depends on how fast the machine is: three in four on one that does nothing else."""
    wrong = {name: known for name, known in JUDGED.items() if known["verdict"] == "wrong"}
    repaired = [name for name in wrong if checks[name].repairs.steps]
    named = [n for n in repaired if checks[n].repairs.steps[0].cause == wrong[n]["cause"]]
    print(f"{len(wrong)} wrong, {len(repaired)} repaired, {len(named)} with the right cause")
    assert len(repaired) >= 0.75 * len(wrong)
    assert len(named) >= 0.9 * len(repaired)


def test_what_is_repaired_was_wrong_and_is_exact(checks: dict[str, Any]) -> None:
    for name, check in checks.items():
        if check.repairs.steps:
            assert check.verdict == "wrong", name
            errors = [(each.before, each.after) for each in check.repairs.evidence]
            assert all(after is not None and after <= 1e-4 for _, after in errors), name
            assert check.first.place.cell == check.repairs.steps[0].place.cell, name


def test_another_loss_than_the_one_that_is_shown() -> None:
    for name in ("gates_squared_report.py", "xor_notebook__another_loss.ipynb"):
        check = check_program(PROGRAMS / name)
        assert (check.verdict, check.descends) == ("not this loss", "the binary cross-entropy")
        assert check.exit_code == 1
        assert "descends another loss" in check.summary


def is_located(check: Any, known: dict[str, Any]) -> bool:
    place = None if check.first is None else check.first.place
    lines = (known["line"], known.get("seen"))
    return place is not None and place.line in lines and place.cell == known.get("cell")


def test_the_classic_loop_descends_the_sum_and_reports_the_mean() -> None:
    check = check_program(Path(__file__).parents[2] / "benchmarks" / "notebook.py")
    assert (check.verdict, check.factor, check.loss) == ("constant factor", 4.0, "loss")
    assert [each.name for each in check.parameters] == ["W1", "b1", "W2", "b2"]
    own = {"d_loss_W1": "W1", "d_loss_b1": "b1", "d_loss_W2": "W2", "d_loss_b2": "b2"}
    found = {each.name: (each.of, each.factor) for each in check.values}
    for name, of in own.items():
        assert found[name] == (of, 4.0)
