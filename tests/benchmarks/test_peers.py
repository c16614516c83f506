"""The benchmark's sides compute the same thing, at tiny sizes; absent peers are skipped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import ours, report, verdicts
from peers.measuring import Crew, Measurement, Timing, difference, tolerance_of
from peers.problems import Result, Work, problem_of
from peers.sides import SIDES, Absent, Side, SideError
from peers.works import DIGITS, IMAGES, REQUIREMENTS, SMALL, WORKS, XOR, Requirement

TINY: dict[str, Work] = {
    "xor": replace(XOR, epochs=30),
    "population": replace(XOR, networks=6, epochs=20),
    "small": replace(SMALL, samples=40, epochs=3),
    "digits": replace(DIGITS, sizes=(64, 7, 10), samples=60, batch=20, epochs=2),
    "images": replace(IMAGES, sizes=(12, 5, 3), samples=64, epochs=2),
    "images, tanh": replace(
        IMAGES, sizes=(12, 5, 3), samples=64, activation="tanh", dtype="float64"
    ),
}


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        with Crew("one", SIDES, {}) as made:
            yield made


@pytest.mark.parametrize("work", TINY)
@pytest.mark.parametrize("side", SIDES)
def test_sides_give_the_interpreters_result(crew: Crew, side: str, work: str) -> None:
    if side not in crew.versions:
        pytest.skip(f"{side} is not installed")
    problem = problem_of(TINY[work], compiler=False)
    told = crew.side(side, problem.work.networks).ask("prepare", problem)
    failed = {name: why for name, why in told.items() if isinstance(why, str)}
    assert not failed
    wanted = ours.reference(problem, min(problem.work.networks, 2))
    for variant in told:
        assert crew.apart(problem, side, variant, wanted) <= tolerance_of(problem.work)


def test_a_measurement_has_every_side_that_is_there(crew: Crew) -> None:
    measured = crew.measure(TINY["small"], 0.01, compiler=False)
    assert not measured.failures
    assert {each.side for each in measured.timings} == set(crew.versions)
    assert [each.variant for each in measured.timings if each.side == "ours"] == ["steps", "train"]
    assert all(len(each.times) >= 2 and each.best > 0 for each in measured.timings)


def test_another_result_fails_the_run(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ours.reference

    def other(*arguments: Any, **options: Any) -> Result:
        result = real(*arguments, **options)
        result.parameters[0] = result.parameters[0] * (1 + 1e-6)
        return result

    monkeypatch.setattr(ours, "reference", other)
    measured = crew.measure(TINY["small"], 0.01, compiler=False)
    assert any("numpy_loop, loop: differs by" in failure for failure in measured.failures)


def test_what_a_worker_cannot_do_is_told(crew: Crew) -> None:
    with pytest.raises(SideError, match="KeyError: 'no such variant'"):
        crew.side("numpy_loop").ask("run", "no such variant")
    with Side("no_such_side", "one") as side, pytest.raises(Absent, match="No module named"):
        side.ask("version")


def test_operations_of_a_product_and_of_elements() -> None:
    work = Work("line", (3, 1), "tanh", "identity", "squared_error", "smooth", 8, 4, 1)
    products = 2 * 4 * 3 * 1 * 2  # forward, and the gradient by the weights
    counted = ours.operations(problem_of(work))
    assert products < counted < products + 60


def test_differences_are_relative_to_the_largest_number() -> None:
    wanted = Result([np.array([10.0, 1.0]), np.array([0.0])], 2.0)
    assert difference(Result([np.array([10.0, 1.5]), np.array([0.0])], 2.0), wanted) == 0.05
    assert difference(Result([np.array([10.0, 1.0]), np.array([0.0])], 2.5), wanted) == 0.25


def measured(times: dict[str, float]) -> Measurement:
    timings = [Timing(*key.split(), 0.0, [value]) for key, value in times.items()]
    return Measurement(replace(XOR, name="xor"), "one", timings, 200.0, 1e-9, [])


def test_verdicts() -> None:
    times = {"ours steps": 1e-3, "ours train": 2e-3, "c_loops loops": 0.8e-3}
    times |= {"numpy_loop loop": 0.3, "jax_scan scan": 9e-3}
    found = {each.than: each for each in verdicts.of_works([measured(times)], {})}
    assert (found["C"].ratio, found["C"].reached) == ("1.25 of its time", True)
    assert (found["NumPy"].ratio, found["NumPy"].reached) == ("300 ×", False)
    assert (found["JAX"].ratio, found["JAX"].reached) == ("9.00 ×", True)
    assert found["C"].required == "at most 1.3 times its time"
    assert Requirement("jax_scan", 1).text == "not behind"


def test_each_requirement_is_of_a_work_and_a_side() -> None:
    assert set(REQUIREMENTS) <= set(WORKS)
    sides = {each.side for requirements in REQUIREMENTS.values() for each in requirements}
    assert sides <= {*SIDES, "peak"}


def test_units() -> None:
    assert [verdicts.seconds(value) for value in (5.47e-4, 0.0123, 0.9996, 345.2)] == [
        *("547 µs", "12.3 ms", "1.00 s", "345 s")
    ]
    assert [verdicts.times(ratio) for ratio in (0.00183, 1.3, 2221)] == [
        *("0.0018 ×", "1.30 ×", "2,221 ×")
    ]


def test_busy_cores_are_told() -> None:
    quiet = {"one float64": 50e9, "all float64": 98e9}
    assert not report.was_busy(quiet, 2)
    assert report.was_busy({**quiet, "one float32": 100e9, "all float32": 104e9}, 2)
    assert not report.was_busy({"one float64": 50e9}, 2)


def test_the_section_is_written_between_the_markers(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.written(path, "new")
    assert path.read_text() == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    path.write_text("no markers\n")
    with pytest.raises(ValueError, match=r"README\.md has no lines"):
        report.written(path, "new")


def test_the_readme_has_the_markers() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)
