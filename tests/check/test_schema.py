"""What `chainrule check --json` prints, against the schema that comes with the package."""

from __future__ import annotations

import json
import math
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chainrule.check import Check, check_program
from chainrule.check.checks import unreadable
from chainrule.check.repairs import CAUSES
from chainrule.cli import main
from chainrule.errors import DataError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

PROGRAMS = Path(__file__).parents[1] / "programs"
GUIDE = Path(__file__).parents[2] / "docs" / "check.md"
SCHEMA: dict[str, Any] = json.loads(
    resources.files("chainrule.check").joinpath("check.schema.json").read_text(encoding="utf-8")
)
TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
    "number": (int, float), "null": type(None),
}  # fmt: skip
WORDS = {"$schema", "$defs", "title", "description"}  # which ask nothing of a value


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Where a value is not as a schema has it; a word of the schema that is not known fails."""
    found: list[str] = []
    for word, wanted in schema.items():
        if word == "$ref":
            found += faults(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")], where)
        elif word == "anyOf":
            tried = [faults(value, each, where) for each in wanted]
            found += min(tried, key=len) if all(tried) else []
        elif word == "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            boolean = isinstance(value, bool) and "boolean" not in kinds
            if boolean or not any(isinstance(value, TYPES[kind]) for kind in kinds):
                found.append(f"{where}: {value!r} is no {wanted}")
        elif word in ("enum", "const"):
            if value not in (wanted if word == "enum" else [wanted]):
                found.append(f"{where}: {value!r} is not {wanted}")
        elif word in ("minimum", "exclusiveMinimum"):
            if value is not None and not (
                value > wanted or (word == "minimum" and value == wanted)
            ):
                found.append(f"{where}: {value!r} is below {wanted}")
        elif word == "items":
            for i, each in enumerate(value if isinstance(value, list) else ()):
                found += faults(each, wanted, f"{where}[{i}]")
        elif word == "properties":
            for key, each in value.items() if isinstance(value, dict) else ():
                if key in wanted:
                    found += faults(each, wanted[key], f"{where}.{key}")
                else:  # which the schema allows, for later versions
                    found.append(f"{where}: {key} is not in the schema")
        elif word == "required":
            missing = set(wanted) - set(value) if isinstance(value, dict) else set()
            found += [f"{where}: {key} is missing" for key in sorted(missing)]
        else:
            assert word in WORDS, word
    return found


KINDS = {
    "line_fit.py": "exact",
    "softmax_homework__factor.ipynb": "constant factor",
    "xor_sigmoid.py": "sign convention",
    "many_methods__another_loss.py": "not this loss",
    "main_guard__derivative_of_another.py": "wrong",
    "pure_xor__derivative_point.py": "cannot tell",
}


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return [check_program(PROGRAMS / name) for name in KINDS]


def test_every_verdict_is_as_the_schema_has_it(checks):
    assert [check.verdict for check in checks] == list(KINDS.values())
    assert set(KINDS.values()) == set(SCHEMA["$defs"]["check"]["properties"]["verdict"]["enum"])
    for check in checks:
        assert faults(check.to_json(), SCHEMA) == []
    assert faults([check.to_json() for check in checks], SCHEMA) == []
    for part in ("parameters", "values", "observations", "repairs", "evidence", "derivation"):
        assert any(check.to_json()[part] for check in checks), f"no {part} to look at"


def test_programs_that_have_not_run_are_as_the_schema_has_them(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("x = 1", encoding="utf-8")
    assert faults(unreadable("net.py", DataError("no")).to_json(), SCHEMA) == []
    assert faults(check_program(tmp_path / "net.py").to_json(), SCHEMA) == []
    monkeypatch.delattr(os, "fork")
    assert faults(check_program(tmp_path / "net.py").to_json(), SCHEMA) == []


def test_numbers_that_are_not_finite_are_none():
    found = Check("net.py", "wrong", "ran", factor=math.inf).to_json()
    assert found["factor"] is None
    assert faults(found, SCHEMA) == []


def test_what_is_printed_is_as_the_schema_has_it():
    result = CliRunner().invoke(main, ["check", str(PROGRAMS / "line_fit.py"), "--json"])
    assert faults(json.loads(result.stdout), SCHEMA) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"more": 1}, ": more is not in the schema"),
        ({"schema": 2}, ".schema: 2 is not 1"),
        ({"verdict": "fine"}, ".verdict: 'fine' is not"),
        ({"tried": -1}, ".tried: -1 is below 0"),
        ({"tried": True}, ".tried: True is no integer"),
        ({"tolerance": 0}, ".tolerance: 0 is below 0"),
        ({"notes": [None]}, ".notes[0]: None is no string"),
        ({"first": {}}, ".first: "),
        ({"parameters": [{"name": "W"}]}, ".parameters[0]: right is missing"),
    ],
)
def test_what_is_not_as_the_schema_has_it_is_noticed(change, fault):
    found = faults(
        {**Check("net.py", "exact", "ran").to_json(), **change}, SCHEMA["$defs"]["check"]
    )
    assert found
    assert found[0].startswith(fault)


def test_the_causes_in_the_schema_are_those_that_there_are():
    assert SCHEMA["$defs"]["repair"]["properties"]["cause"]["enum"] == list(CAUSES)


def test_the_guide_says_all_that_the_schema_does():
    guide = GUIDE.read_text(encoding="utf-8")
    fields = guide.partition("## JSON")[2].partition("\n## ")[0]
    for name, schema in SCHEMA["$defs"].items():
        table = fields.partition(f"\n### {name}\n\n")[2].partition("\n\n")[0]
        told = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", table, re.MULTILINE)
        assert told == list(schema["properties"]), name
    for value in ("verdict", "outcome"):
        for each in SCHEMA["$defs"]["check"]["properties"][value]["enum"]:
            assert f"`{each}`" in guide, each
    for cause in CAUSES:
        assert f"| `{cause}` |" in guide, cause
    for kind in SCHEMA["$defs"]["observation"]["properties"]["kind"]["enum"]:
        assert f"| `{kind}` |" in guide, kind
