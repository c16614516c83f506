"""What is shown of checks, on a terminal and on a page alike: marks, formulas and short words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.check.checks import Check, Value
from chainrule.check.programs import Place
from chainrule.check.verdicts import CANNOT_TELL

__all__ = [
    "FACTOR",
    "FIRST",
    "FOLLOWS",
    "MEANINGS",
    "RIGHT",
    "UNKNOWN",
    "Marked",
    "counts",
    "in_short",
    "mark_of",
    "marked_lines",
    "shortened",
]

RIGHT, FACTOR, FIRST, FOLLOWS, UNKNOWN = "✓", "~", "✗", "·", "?"
MEANINGS = {
    RIGHT: "exact",
    FACTOR: "right but for a factor",
    FIRST: "the first wrong one",
    FOLLOWS: "follows it",
}
"""What the mark of a line means."""
_VERDICTS = {
    "exact": RIGHT,
    "constant factor": FACTOR,
    "sign convention": FACTOR,
    "wrong": FIRST,
}
_LONGEST_LINE, _MOST_NAMES = 60, 3


@dataclass(frozen=True)
class Marked:
    """A line that computes a gradient: its mark, where it stands, and what it is, in a formula."""

    mark: str
    place: Place
    text: str
    what: str


def mark_of(check: Check) -> str:
    """The mark of a whole program."""
    return _VERDICTS.get(check.verdict, UNKNOWN)


def in_short(check: Check) -> str:
    """What was found, as short as it can be."""
    if check.verdict == "wrong" and check.first is not None:
        return f"{check.first.place}: {shortened(check.first.text.strip())}"
    return check.summary if check.verdict == CANNOT_TELL else check.summary.partition(",")[0]


def counts(checks: Sequence[Check]) -> str:
    """How many programs are right and how many not, in a sentence."""
    codes = [check.exit_code for check in checks]
    names = ("right", "wrong", "cannot be told")
    parts = [f"{codes.count(i)} {name}" for i, name in enumerate(names) if i in codes]
    return f"{len(checks):,} program{'s' if len(checks) > 1 else ''}: {', '.join(parts)}."


def marked_lines(check: Check) -> Iterator[Marked]:
    """The lines that compute gradients, in the order of the file."""
    by_place: dict[tuple[int, int], list[Value]] = {}
    after_first = False
    first = [] if check.first is None or check.first in check.values else [check.first]
    for value in [*check.values, *first]:
        after_first = after_first or value is check.first
        # A parameter's new value may be a multiple of a gradient as well, as from zeros.
        is_gradient = value.of is not None or (check.first is not None and after_first)
        if value is check.first or (is_gradient and not _is_parameter(value, check)):
            cell = -1 if value.place.cell is None else value.place.cell
            by_place.setdefault((cell, value.place.line), []).append(value)
    for _, values in sorted(by_place.items()):
        yield _marked(check, values)


def _marked(check: Check, values: list[Value]) -> Marked:
    known = [value for value in values if value.of is not None]
    if check.first in values:
        mark = FIRST
    elif not known or (check.first is not None and len(known) < len(values)):
        mark = FOLLOWS
    else:
        mark = RIGHT if all(value.factor == 1.0 for value in known) else FACTOR
    names = list(dict.fromkeys(map(_derivative, known)))
    if len(names) > _MOST_NAMES:
        names = [*names[:_MOST_NAMES], "…"]
    what = ", ".join(names)
    if mark in (FIRST, FOLLOWS):
        what += " at times" if known and len(known) < len(values) else ""
        what = ": ".join(filter(None, ["first wrong" if mark == FIRST else "follows", what]))
    return Marked(mark, values[0].place, values[0].text, what)


def _derivative(value: Value) -> str:
    of = value.of or ""
    top, by, bottom = of.partition(" by ")
    name = f"∂{top}/∂{bottom}" if by else f"∂L/∂{of}" if of else "∂L/∂(unnamed)"
    if value.factor == 1.0:
        return name
    return f"−{name}" if value.factor == -1.0 else f"{value.factor:.6g} {name}".replace("-", "−", 1)


def _is_parameter(value: Value, check: Check) -> bool:
    """Whether a value is a parameter after its step, by its name without what is in brackets."""
    name = _bare(value.name)
    return any(
        name == _bare(each.name) or _last(name) == _last(_bare(each.name)) != ""
        for each in check.parameters
    )


def _bare(name: str) -> str:
    return re.sub(r"\[.*\]", "", name)


def _last(name: str) -> str:
    """The attribute, where a name has one."""
    return name.rpartition(".")[2] if "." in name else ""


def shortened(line: str) -> str:
    """A line of a program that fits beside what is said of it."""
    line = " ".join(line.split("\t"))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
