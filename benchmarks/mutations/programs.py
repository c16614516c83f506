"""The right programs of tests/programs, and the statements in them that are changed."""

from __future__ import annotations

import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.check import Check, check_program
from chainrule.check.programs import Program, load_program
from mutations.changes import Change, changes_of
from mutations.truth import Behaviour, behaviour_of

__all__ = ["FOLDER", "RIGHT", "Subject", "right_programs", "subject_of"]

FOLDER = Path(__file__).parents[2] / "tests" / "programs"
RIGHT = ("exact", "constant factor", "sign convention")


@dataclass(frozen=True)
class Subject:
    """A right program, what was said of it, what it does, and how it may be changed."""

    program: Program
    check: Check
    behaviour: Behaviour | None
    changes: dict[str, list[Change]]

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.program.path.name

    @property
    def parameters(self) -> list[str]:
        """Its parameters, as the program writes them."""
        return [each.name for each in self.check.parameters]


def right_programs() -> list[Path]:
    """The programs whose manifest says that they are right."""
    manifest: dict[str, Any] = tomllib.loads((FOLDER / "manifest.toml").read_text("utf-8"))
    return [
        FOLDER / name for name, known in manifest["programs"].items() if known["verdict"] in RIGHT
    ]


def subject_of(path: Path) -> Subject:
    """Check a right program, run it, and find how it may be changed.

    The statements are those that compute what the check says to be gradients, and those that were
    seen to change a parameter. There are none where the check was not right, where the program does
    something else the second time, or where its parameters are not seen.
    """
    program, check = load_program(path), check_program(path, repair_seconds=0)
    runs: list[Behaviour | None] = []
    if check.verdict in RIGHT:
        with tempfile.TemporaryDirectory() as folder:
            names = [each.name for each in check.parameters]
            runs = [behaviour_of(program.text, names, Path(folder)) for _ in range(2)]
    behaviour = runs[0] if runs else None
    if behaviour is None or not behaviour.function or runs[1].output != behaviour.output:
        return Subject(program, check, None, {})
    places = {each.place for each in check.values if each.of is not None}
    gradients = {i + 1 for i, place in enumerate(program.places) if place in places}
    changes = changes_of(program.text, program.tree(), gradients, behaviour.updates())
    return Subject(program, check, behaviour, changes)
