"""One mutant: what it does, what is said of it, and what becomes of it when it is repaired."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chainrule.check import Check, check_program
from chainrule.check.programs import Place, Program, load_program
from chainrule.check.repairs import Repair, Repairs, patch, write_repaired
from mutations.changes import KINDS, Change
from mutations.programs import Subject
from mutations.truth import EQUIVALENT, FACTOR, WRONG, behaviour_of, compared

__all__ = ["FAILS", "Mutant", "drawn", "judged"]

FAILS = "fails by itself"
_FOUND = ("wrong", "not this loss")


@dataclass(frozen=True)
class Mutant:
    """A changed program: the change, the truth about it, and what the check said.

    ``truth`` is one of those of `mutations.truth`, or that it fails by itself. ``repaired`` is what
    the program is with the repairs, beside the right one: equivalent, factor, wrong, alike or
    fails by itself; None where none was found.
    """

    program: str
    kind: str
    places: tuple[Place, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    truth: str
    verdict: str = ""
    summary: str = ""
    first: Place | None = None
    repaired: str | None = None
    repairs: str = ""
    tried: int = 0
    seconds: float = 0.0

    @property
    def is_counted(self) -> bool:
        """Whether it is another program than the right one, and runs."""
        return self.truth in (WRONG, FACTOR)

    @property
    def is_found(self) -> bool:
        """Whether it was called wrong."""
        return self.verdict in _FOUND

    @property
    def is_located(self) -> bool:
        """Whether the line that was called the first wrong one is the changed one."""
        return self.is_found and self.first in self.places

    @property
    def is_restored(self) -> bool:
        """Whether the repaired program does what the right one does, or steps in its direction."""
        return self.repaired in (EQUIVALENT, FACTOR)

    def to_json(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {**asdict(self), "is_found": self.is_found, "is_located": self.is_located}


def drawn(subjects: Sequence[Subject], seed: int) -> Iterator[tuple[Subject, Change]]:
    """Changes in a random order, each once: a program, a kind and one of its changes at a time."""
    rng = random.Random(seed)
    left = {
        i: {kind: [*changes] for kind, changes in subject.changes.items() if changes}
        for i, subject in enumerate(subjects)
    }
    while left := {i: kinds for i, kinds in left.items() if kinds}:
        kind = rng.choice([each for each in KINDS if any(each in kinds for kinds in left.values())])
        i = rng.choice([i for i, kinds in left.items() if kind in kinds])
        changes = left[i][kind]
        yield subjects[i], changes.pop(rng.randrange(len(changes)))
        if not changes:
            del left[i][kind]


def judged(subject: Subject, change: Change, repair_seconds: float) -> Mutant:
    """Run a changed program, and check it where it is another one."""
    program = subject.program
    before = tuple(program.line(n) for n in range(change.first, change.last + 1))
    new = program.with_lines(change.first, change.last, change.lines)
    places = tuple(new.place(line) for line in change.lines_of_it)
    found = Mutant(subject.name, change.kind, places, before, change.lines, FAILS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _with(found, truth=_truth(subject, new, folder))
        if found.truth in (FAILS, EQUIVALENT):
            return found
        step = Repair(program.place(change.first), "", "", before, change.lines)
        path = folder / "mutant" / program.path.name
        path.parent.mkdir()
        write_repaired(program, Repairs((step,), program=new), path)
        began = time.monotonic()
        check = check_program(path, repair_seconds=repair_seconds)
        found = _with(found, seconds=time.monotonic() - began)
        assert load_program(path).text.rstrip() == new.text.rstrip()
        return _with(found, **_said(subject, check, folder))


def _said(subject: Subject, check: Check, folder: Path) -> dict[str, Any]:
    repairs = check.repairs
    found = {
        "verdict": check.verdict,
        "summary": check.summary,
        "first": None if check.first is None else check.first.place,
        "tried": repairs.tried,
    }
    if repairs.steps and repairs.program is not None:
        found["repaired"] = _truth(subject, repairs.program, folder)
        found["repairs"] = patch(load_program(Path(check.path)), repairs)
    return found


def _truth(subject: Subject, program: Program, folder: Path) -> str:
    """What a program does beside the right one."""
    behaviour = behaviour_of(program.text, subject.parameters, folder)
    if behaviour is None or subject.behaviour is None:
        return FAILS
    return compared(subject.behaviour, behaviour)


def _with(mutant: Mutant, **known: Any) -> Mutant:
    return Mutant(**{**mutant.__dict__, **known})
