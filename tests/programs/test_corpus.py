"""The training programs here are what their manifest says: they run, and bugs are one line each."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
MANIFEST: dict[str, Any] = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))
PROGRAMS: dict[str, dict[str, Any]] = MANIFEST["programs"]
CHANGED = [name for name, entry in PROGRAMS.items() if "parent" in entry]
RIGHT = ("exact", "constant factor", "sign convention", "not this loss")

Outcome = subprocess.CompletedProcess[str]


def cells(name: str) -> dict[int, list[str]]:
    """The lines of each code cell by its number; a script is one cell, number 0."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    if not name.endswith(".ipynb"):
        return {0: text.split("\n")}
    return {
        number: "".join(cell["source"]).split("\n")
        for number, cell in enumerate(json.loads(text)["cells"])
        if cell["cell_type"] == "code"
    }


def script(name: str) -> str:
    """The program as plain Python: a notebook's cells one after another, without its magics."""
    if name.endswith(".py"):
        return (FOLDER / name).read_text(encoding="utf-8")
    blocks = [
        textwrap.dedent("\n".join(line for line in lines if not line.startswith(("%", "!"))))
        for lines in cells(name).values()
    ]
    return "\n".join(blocks)


def run(path: Path) -> Outcome:
    environment = {**os.environ, "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, path],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        cwd=path.parent,
        env=environment,
    )


def lacks(name: str) -> list[str]:
    needs: list[str] = PROGRAMS[name].get("needs", [])
    return [module for module in needs if importlib.util.find_spec(module) is None]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    """Each program's run; they run side by side, and each test waits for its own."""
    folder = tmp_path_factory.mktemp("programs")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running: dict[str, Future[Outcome]] = {}
        for name in PROGRAMS:
            path = folder / f"{name}.py"
            path.write_text(script(name), encoding="utf-8")
            if not lacks(name):
                running[name] = pool.submit(run, path)
        yield running
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_runs_and_says_something(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    if lacks(name):
        pytest.skip(f"needs {', '.join(lacks(name))}")
    outcome = outcomes[name].result()
    failure: str | None = PROGRAMS[name].get("fails")
    if failure:
        assert outcome.returncode == 1
        assert failure in outcome.stderr.splitlines()[-1]
    else:
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout.strip()


def test_each_file_is_in_the_manifest_and_each_entry_is_a_file() -> None:
    files = {path.name for path in FOLDER.glob("*.py")} | {p.name for p in FOLDER.glob("*.ipynb")}
    assert set(PROGRAMS) == {name for name in files if not name.startswith("test_")}
    assert len(PROGRAMS) >= 60


def test_no_program_is_taken_for_a_test() -> None:
    # tests/conftest.py and pyproject.toml leave out what does not begin with a t.
    assert not [name for name in PROGRAMS if name.startswith("t")]


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_entry_is_complete(name: str) -> None:
    entry = PROGRAMS[name]
    assert entry["verdict"] in (*RIGHT, "wrong", "other")
    assert {entry["style"], *entry.get("also", [])} <= set(MANIFEST["styles"])
    assert ("loss" in entry) != ("implied" in entry)
    if "loss" in entry:
        assert entry["loss"].isidentifier()
        assert entry["loss"] in script(name)
    assert ("factor" in entry) >= (entry["verdict"] == "constant factor")
    if entry["verdict"] == "wrong":
        assert "parent" in entry
    assert ("cell" in entry) == (name.endswith(".ipynb") and "parent" in entry)


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_program_differs_in_the_stated_line(name: str) -> None:
    entry = PROGRAMS[name]
    assert entry["cause"] in MANIFEST["causes"]
    assert PROGRAMS[entry["parent"]]["verdict"] in RIGHT
    ours, theirs = cells(name), cells(entry["parent"])
    assert ours != theirs
    lines = ours[entry.get("cell", 0)]
    if "seen" in entry:
        last = entry["seen_value"].split(".")[-1]
        assert last in lines[entry["seen"] - 1]
    at = entry["line"] - 1
    if entry.get("missing"):
        lines.insert(at, entry["right"])
    elif "moved_from" in entry:
        assert lines.pop(at).strip() == entry["right"].strip()
        lines.insert(entry["moved_from"] - 1, entry["right"])
    else:
        lines[at] = entry["right"]
    assert ours == theirs


def test_each_cause_of_a_wrong_gradient_is_in_three_styles() -> None:
    styles: dict[str, set[str]] = defaultdict(set)
    for entry in PROGRAMS.values():
        if entry["verdict"] == "wrong":
            styles[entry["cause"]].add(entry["style"])
    assert not {cause for cause, found in styles.items() if len(found) < 3}
    used = {entry["cause"] for entry in PROGRAMS.values() if "parent" in entry}
    assert used == set(MANIFEST["causes"])
    assert len(styles) == 15


def test_each_style_has_two_right_programs() -> None:
    right: dict[str, set[str]] = {style: set() for style in MANIFEST["styles"]}
    for name, entry in PROGRAMS.items():
        if "parent" not in entry:
            for style in {entry["style"], *entry.get("also", [])}:
                right[style].add(name)
    assert not {style for style, names in right.items() if len(names) < 2}
