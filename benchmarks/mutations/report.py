"""What was found of the mutants, in tables, in sentences and for the documentation."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Callable, Iterable, Sequence

from peers.report import table

from mutations.changes import KINDS
from mutations.judging import FAILS, Mutant
from mutations.programs import RIGHT, Subject
from mutations.truth import ALIKE, EQUIVALENT, FACTOR, WRONG

__all__ = ["document", "sentences", "wrong_table"]

_FACTORS = RIGHT[1:]
_COUNTS: dict[str, Callable[[Mutant], bool]] = {
    "wrong mutants": lambda mutant: True,
    "found": lambda mutant: mutant.is_found,
    "told as a factor": lambda mutant: mutant.verdict in _FACTORS,
    "cannot tell": lambda mutant: mutant.verdict == "cannot tell",
    "called exact": lambda mutant: mutant.verdict == "exact",
    "at the line": lambda mutant: mutant.is_located,
    "repaired": lambda mutant: mutant.repaired is not None,
    "restored": lambda mutant: mutant.is_restored,
}


def wrong_table(mutants: Sequence[Mutant]) -> str:
    """Of the mutants that are wrong, by kind: how many were found, located and repaired."""
    wrong = [each for each in mutants if each.truth == WRONG]
    kinds = {kind: [each for each in wrong if each.kind == kind] for kind in KINDS}
    rows = [[kind, *_counted(each)] for kind, each in kinds.items() if each]
    shares = [f"{100 * int(n) / max(len(wrong), 1):.0f} %" for n in _counted(wrong)]
    return table(("kind", *_COUNTS), [*rows, ["all", *_counted(wrong)], ["of all", *shares]])


def _counted(mutants: Iterable[Mutant]) -> list[str]:
    of = list(mutants)
    return [str(sum(map(test, of))) for test in _COUNTS.values()]


def sentences(subjects: Sequence[Subject], mutants: Sequence[Mutant]) -> list[str]:
    """What is to be said beside the table."""
    truths = [each.truth for each in mutants]
    factors = [each for each in mutants if each.truth == FACTOR]
    alike = [each for each in mutants if each.truth == ALIKE]
    told = sum(each.verdict in (*_FACTORS, "exact") for each in factors)
    verdicts = [each.check.verdict for each in subjects]
    seconds = [each.seconds for each in mutants if each.verdict]
    left = sum(each.behaviour is None for each in subjects)
    unchanged = (
        f"Of the {len(subjects)} right programs, unchanged, {verdicts.count('wrong')} were called "
        f"wrong, and of {verdicts.count('cannot tell')} it could not be told; {left} were not "
        "changed."
    )
    harmless = (
        f"{len(factors)} mutants step in the right direction, each by the same multiple of the "
        f"step: {told} were told as right or as that, {_found(factors)} called wrong."
    )
    small = (
        f"{len(alike)} differ from the right program by less than a thousandth in their first "
        f"steps, as where an optimiser evens a factor out; {_found(alike)} of them were called "
        "wrong. They are not counted above."
    )
    left_out = (
        f"Drawn and left out: {truths.count(FAILS)} that fail by themselves, "
        f"{truths.count(EQUIVALENT)} that do what the right program does."
    )
    mean = statistics.mean(seconds) if seconds else 0.0
    time = f"A check took {mean:.1f} s on average, with the search for repairs."
    return [unchanged, harmless, small, left_out, time]


def _found(mutants: Iterable[Mutant]) -> int:
    return sum(each.is_found for each in mutants)


EXPLAINED = """\
Right programs of [tests/programs](../tests/programs) get one small change each, at random, in a
statement that computes a gradient or updates a parameter; then `chainrule check` judges them.
Whether a mutant is wrong is found out without it: the mutant and the right program run as they are,
and what they print and the first changes of their parameters are compared. *Found* is called wrong,
or the gradient of another loss. *At the line*: the line that is called the first wrong one is the
changed one. *Repaired*: an edit was proposed with which every gradient is the loss's. *Restored*:
with it the program does what the right one does, or its first step is a positive multiple of it."""


def document(
    subjects: Sequence[Subject], mutants: Sequence[Mutant], command: str, repair_seconds: float
) -> str:
    """All of it in Markdown."""
    kinds = "\n".join(f"- *{kind}*: {what}" for kind, what in KINDS.items())
    how = (
        f"Written by `{command}`; repairs were searched for {repair_seconds:g} s at most. Kinds "
        "are drawn alike often, then programs, then one of the program's changes of the kind."
    )
    said = [_filled(each) for each in (how, *sentences(subjects, mutants))]
    parts = ["# Mutants", EXPLAINED, said[0], wrong_table(mutants), *said[1:], "The kinds:", kinds]
    return "\n\n".join(parts) + "\n"


def _filled(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
