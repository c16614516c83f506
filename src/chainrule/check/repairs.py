"""Repairs that held, and the program with them: as a diff, or as a file."""

from __future__ import annotations

import difflib
import json
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.check.multiples import finite
from chainrule.check.programs import Place, Program
from chainrule.errors import DataError
from chainrule.training.files import written_whole

__all__ = ["CAUSES", "Evidence", "Repair", "Repairs", "patch", "repairs_of", "write_repaired"]

CAUSES = {
    "factor": "a missing or doubled factor",
    "derivative-missing": "the derivative of an activation is left out",
    "derivative-twice": "the derivative of an activation is applied twice",
    "derivative-point": "the derivative of an activation is taken at the wrong value",
    "derivative-of-another": "the derivative is that of another activation",
    "transpose": "a transpose, or the order of a product",
    "axis": "a sum over the wrong axis",
    "mean-for-sum": "a mean for a sum",
    "bias": "the gradient of a bias is summed up wrongly, or not at all",
    "updated-early": "weights are changed before the gradient goes back through them",
    "sign": "a sign",
    "stale": "a value of the iteration before",
    "update": "a parameter is never updated, or with the gradient of another",
    "regularisation": "regularisation in the loss and not in the gradient, or the reverse",
    "one-sample-loss": "the loss of one sample stands for that of a batch",
}
"""What can be wrong with a line of a backward pass."""


@dataclass(frozen=True)
class Repair:
    """Lines to write in the place of others.

    ``cause`` is one of `CAUSES`, and ``why`` says what was wrong in a clause. The lines ``before``
    stand from ``place`` on. With several repairs, each is of the program with those before it.
    """

    place: Place
    cause: str
    why: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def at(self) -> Place:
        """Where the line is that was wrong, or where one was missing."""
        more = len(self.before) if self.is_added else 0
        return Place(self.place.line + more, self.place.cell)

    @property
    def is_added(self) -> bool:
        """Whether lines are added, and none changed."""
        return self.after[: len(self.before)] == self.before

    def to_json(self) -> dict[str, Any]:
        """The repair as plain data."""
        return {
            "line": self.place.line,
            "cell": self.place.cell,
            "cause": self.cause,
            "why": self.why,
            "before": list(self.before),
            "after": list(self.after),
        }


@dataclass(frozen=True)
class Evidence:
    """How far a parameter's gradient was from the exact one in an iteration, and is repaired.

    The distance is relative to the exact gradient's size, and None where it is not finite.
    """

    parameter: str
    iteration: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Repairs:
    """Repairs that were tried together, what they came to, and how many edits were tried for it.

    ``derivation`` says how the gradient that the last repaired line computes follows from rules.
    Without any ``steps`` none was found that held.
    """

    steps: tuple[Repair, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    tried: int = 0
    derivation: tuple[str, ...] = ()
    program: Program | None = field(default=None, compare=False, repr=False)


def repairs_of(program: Program, found: Mapping[str, Any]) -> Repairs:
    """The repairs that a search has found."""
    steps: list[Repair] = []
    repaired = program
    for each in found["edits"]:
        first, last, lines = _changed(repaired, each["first"], each["last"], each["lines"])
        before = tuple(repaired.line(n) for n in range(first, last + 1))
        place = repaired.place(first)
        steps.append(Repair(place, each["cause"], each["why"], before, tuple(lines)))
        repaired = repaired.with_lines(first, last, lines)
    evidence = [
        Evidence(name, int(number), finite(before), finite(found["after"][number].get(name)))
        for number, errors in found["before"].items()
        for name, before in errors.items()
        if number in found["after"]
    ]
    return Repairs(
        tuple(steps),
        tuple(evidence) if steps else (),
        found["tried"],
        tuple(found["derivation"]),
        repaired,
    )


def _changed(
    program: Program, first: int, last: int, lines: Sequence[str]
) -> tuple[int, int, list[str]]:
    """Only the lines that differ, of those that an edit puts in the place of others."""
    new = list(lines)
    while last > first and len(new) > 1 and program.line(last) == new[-1]:
        last, new = last - 1, new[:-1]
    while last > first and len(new) > 1 and program.line(first) == new[0]:
        first, new = first + 1, new[1:]
    return first, last, new


def patch(program: Program, repairs: Repairs) -> str:
    """The repairs as a unified diff of the user's file; of a notebook, cell by cell."""
    if repairs.program is None:
        return ""
    name = program.path.name
    parts: list[str] = []
    for cell in dict.fromkeys(place.cell for place in program.places):
        old, new = _lines_of(program, cell), _lines_of(repairs.program, cell)
        label = name if cell is None else f"{name} (cell {cell})"
        parts += difflib.unified_diff(old, new, label, label, lineterm="", n=2)
    return "".join(f"{line}\n" for line in parts)


def _lines_of(program: Program, cell: int | None) -> list[str]:
    text = program.own_text.split("\n")
    return [line for line, place in zip(text, program.places, strict=False) if place.cell == cell]


def write_repaired(program: Program, repairs: Repairs, target: Path) -> None:
    """Write the repaired program, or the diff where the file ends in .diff or .patch.

    All else in the file stays as it is. Raises DataError where it cannot be written.
    """
    if repairs.program is None or not repairs.steps:
        raise DataError(f"{program.path}: there is no repair to write.")
    data = _repaired(program, repairs, target)
    try:
        with written_whole(target) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}.") from None


def _repaired(program: Program, repairs: Repairs, target: Path) -> bytes:
    assert repairs.program is not None
    if target.suffix in (".diff", ".patch"):
        return patch(program, repairs).encode()
    if program.path.suffix == ".ipynb":
        return _notebook(program, repairs).encode()
    with program.path.open("rb") as file:
        encoding, _ = tokenize.detect_encoding(file.readline)
    text = repairs.program.own_text
    if b"\r\n" in program.path.read_bytes():
        text = text.replace("\n", "\r\n")
    return text.encode(encoding)


def _notebook(program: Program, repairs: Repairs) -> str:
    """The notebook with the repairs; magics and indentation of its cells stay."""
    text = program.path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    for step in repairs.steps:
        cell = notebook["cells"][step.place.cell]
        is_list = isinstance(cell["source"], list)
        lines = "".join(cell["source"]).split("\n")
        first = step.place.line - 1
        own, plain = lines[first], step.before[0]
        margin = own[: len(own) - len(own.lstrip())]
        margin = margin[: len(margin) - (len(plain) - len(plain.lstrip()))]
        lines[first : first + len(step.before)] = [margin + line for line in step.after]
        source = "\n".join(lines)
        cell["source"] = source.splitlines(keepends=True) if is_list else source
    second = text.split("\n")[1] if "\n" in text else ""
    indent = len(second) - len(second.lstrip()) or None
    ending = "\n" if text.endswith("\n") else ""
    return json.dumps(notebook, indent=indent, ensure_ascii=False) + ending
