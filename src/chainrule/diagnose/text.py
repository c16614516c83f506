"""A diagnosis in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.diagnose.diagnosis import Diagnosis
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, exact, number

if TYPE_CHECKING:
    from chainrule.diagnose.experiments import Tried

__all__ = ["advice_rows", "lines_of", "opening", "short_form"]

_WIDTH = 96
_FEW_OUTPUTS = 8


def lines_of(diagnosis: Diagnosis, *, whole: bool = False) -> Iterator[tuple[str, str]]:
    """The lines, each with its style on a terminal."""
    yield from ((line, "") for line in opening(diagnosis))
    for verdict in diagnosis.verdicts:
        yield "", ""
        yield from _of_verdict(verdict)
    yield from _of_advice(diagnosis, whole)


def opening(diagnosis: Diagnosis) -> tuple[str, str]:
    """What is diagnosed, and where it stands."""
    subject = diagnosis.subject
    sizes = "-".join(map(str, subject.network.sizes))
    activations = ", ".join(dict.fromkeys(layer.text for layer in subject.network.layers))
    rows = counted(len(subject.X), "row")
    ended = f" after {counted(subject.epochs, 'epoch')}" if subject.epochs else ""
    loss = f"{_up(subject.reported.measures)} {number(subject.loss)}{ended}"
    return (
        f"{subject.name}: network {sizes}, {activations}, on {rows}",
        f"{loss}; the goal is {number(subject.goal)}",
    )


@dataclass(frozen=True)
class Row:
    """One line of what was tried; ``note`` says of what is compared with that it is that."""

    words: str
    option: str
    tried: Tried
    helped: bool
    note: str = ""


def advice_rows(diagnosis: Diagnosis, *, whole: bool) -> tuple[str, list[Row]]:
    """What was tried, with a heading; changes that did not help only if ``whole``."""
    subject, rows = diagnosis.subject, list[Row]()
    heading = (
        f"Tried: who reaches {number(subject.goal)} within {counted(subject.epochs, 'epoch')} "
        "(95 % intervals)"
    )
    for here, words in ((False, "your setting, fresh starts"), (True, "trained on from here")):
        base = next((each.without for each in diagnosis.advice if each.beside == here), None)
        if base is not None:
            rows.append(Row(words, "", base, helped=False, note="to compare with"))
    for each in diagnosis.advice:
        if each.helped or whole:
            where = f"{each.change}, from here" if each.here else each.change
            rows.append(Row(where, each.option, each.result, each.helped))
    return heading, rows


def short_form(diagnosis: Diagnosis) -> str | None:
    """The first verdict in one sentence; None where nothing was found."""
    verdict = diagnosis.verdicts[0]
    if verdict.name in ("not-known", "solved"):
        return None
    said = verdict.evidence[0].partition(". ")[0].rstrip(".")
    if verdict.name == "infinity":
        outputs = [value for row in verdict.facts["outputs"] for value in row]
        tend = (
            f"the outputs tend to {', '.join(map(exact, outputs))} and "
            if (len(outputs) <= _FEW_OUTPUTS)
            else ""
        )
        said = f"{tend}the loss to {exact(verdict.facts['loss'])}"
    if said[:1].isupper() and said[1:2].islower():
        said = said[0].lower() + said[1:]
    return f"{verdict.title}: {said}."


def _of_verdict(verdict: Verdict) -> Iterator[tuple[str, str]]:
    mark, style = ("✗", "bold red") if verdict.fault else ("✓", "bold green")
    yield f"{mark} {verdict.title} ({verdict.certainty})", style
    for sentence in verdict.evidence:
        for line in textwrap.wrap(sentence, _WIDTH):
            yield f"  {line}", ""


def _of_advice(diagnosis: Diagnosis, whole: bool) -> Iterator[tuple[str, str]]:
    """What was tried: how many networks reached the goal with each change, and without it."""
    if not diagnosis.advice:
        return
    heading, rows = advice_rows(diagnosis, whole=whole)
    yield "", ""
    yield heading, "bold"
    for row in rows:
        mark = "+" if row.helped else " " if row.note else "·"
        yield f"  {mark} {row.words:<38}{_share(row.tried)}", ""
        if row.option and row.helped:
            yield f"      {row.option}", "dim"
    if not any(each.helped for each in diagnosis.advice):
        yield "  None of the changes tried did better than that.", ""


def _share(tried: Tried) -> str:
    """A count of networks, its share and its interval."""
    low, high = tried.interval
    return f"{tried.reached:>4} of {tried.tried} = {tried.share:.1%} ({low:.0%} to {high:.0%})"


def _up(text: str) -> str:
    return text[:1].upper() + text[1:]
