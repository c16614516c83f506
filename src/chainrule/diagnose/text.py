"""A diagnosis in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from chainrule.diagnose.diagnosis import Diagnosis
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, number

__all__ = ["lines_of"]

_WIDTH = 96


def lines_of(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """The lines, each with its style on a terminal."""
    subject = diagnosis.subject
    sizes = "-".join(map(str, subject.network.sizes))
    activations = ", ".join(dict.fromkeys(layer.text for layer in subject.network.layers))
    yield f"{subject.name}: network {sizes}, {activations}, on {counted(len(subject.X), 'row')}", ""
    ended = f" after {counted(subject.epochs, 'epoch')}" if subject.epochs else ""
    yield (
        f"{_up(subject.reported.measures)} {number(subject.loss)}{ended}; the goal is "
        f"{number(subject.goal)}",
        "",
    )
    for verdict in diagnosis.verdicts:
        yield "", ""
        yield from _of_verdict(verdict)


def _of_verdict(verdict: Verdict) -> Iterator[tuple[str, str]]:
    mark, style = ("✗", "bold red") if verdict.fault else ("✓", "bold green")
    yield f"{mark} {verdict.title} ({verdict.certainty})", style
    for sentence in verdict.evidence:
        for line in textwrap.wrap(sentence, _WIDTH):
            yield f"  {line}", ""


def _up(text: str) -> str:
    return text[:1].upper() + text[1:]
