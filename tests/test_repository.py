"""What must hold of the repository as a whole."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import chainrule

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    match = re.match(r"[\w-]+", requirement)
    assert match
    return match.group()


def python_files() -> list[Path]:
    folders = [ROOT / name for name in ("src", "tests", "benchmarks", "docs")]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that users install, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile):
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "chainrule").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert "chainrule/py.typed" in wanted
    packed = set(wheel.namelist())
    metadata = f"chainrule-{chainrule.__version__}.dist-info/"
    assert {name for name in packed if not name.startswith(metadata)} == wanted
    assert f"{metadata}licenses/LICENSE" in packed


def test_wheel_installs_the_command(wheel: zipfile.ZipFile):
    entry_points = f"chainrule-{chainrule.__version__}.dist-info/entry_points.txt"
    assert "chainrule = chainrule.cli:main" in wheel.read(entry_points).decode()


def test_each_dependency_has_a_reason():
    reasons = (DECISIONS / "0001-dependencies.md").read_text()
    rows = {word for row in re.findall(r"^\|(.*)\|$", reasons, re.M) for word in row.split()}
    words = {word.strip(",") for word in rows}
    extras = [name for group in PROJECT["optional-dependencies"].values() for name in group]
    missing = {name_of(each) for each in [*PROJECT["dependencies"], *extras]} - words
    assert missing == {"chainrule"}  # the dev extra names the package's own extras


def test_each_decision_is_in_the_index():
    index = (DECISIONS / "README.md").read_text()
    for path in DECISIONS.glob("[0-9]*.md"):
        assert f"({path.name})" in index


def test_each_layer_is_explained():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    explained = (DECISIONS / "0002-layers.md").read_text()
    for layer in contract["contracts"][0]["layers"]:
        for module in re.findall(r"\w+", layer):
            assert f"`{module}`" in explained


def test_modules_take_nothing_but_the_version_from_the_package_itself():
    package = ROOT / "src" / "chainrule"
    modules = {path.stem for path in package.iterdir()}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "chainrule":
                names = {name.name for name in node.names}
                assert names <= modules | {"__version__"}, path


def test_links_in_the_documents_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_version_is_in_the_changelog():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == chainrule.__version__


def test_tools_are_pinned_alike_in_both_places():
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    for requirement in PROJECT["optional-dependencies"]["dev"]:
        name, _, version = requirement.partition("==")
        if version:
            assert pinned[name_of(name)] == version


def test_programs_are_executable():
    programs = [path for path in (ROOT / "scripts").iterdir() if not path.suffix]
    assert {path.name for path in programs} >= {"chainrule", "check", "test"}
    for path in [*programs, ROOT / ".ci" / "run"]:
        assert os.access(path, os.X_OK), path


def test_redefinitions_are_never_excused():
    rule = "F" + "811"
    for path in [*python_files(), ROOT / "pyproject.toml"]:
        assert rule not in path.read_text(encoding="utf-8"), path


def test_modules_are_named_for_what_they_hold():
    vague = {"utils", "util", "common", "base", "helpers", "misc"}
    assert not {path.stem.strip("_") for path in python_files()} & vague
