"""Why there is no verdict for a program, and how the program itself ended, in sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chainrule.check.programs import Program
from chainrule.check.sandbox import GIBIBYTE, Ran
from chainrule.check.verdicts import (
    LARGER,
    MEANT,
    NO_CHANGE,
    NO_GRADIENT,
    NO_LOSS,
    NO_UPDATE,
    SEVERAL_STEPS,
    WHOLE,
)

__all__ = ["LARGE_FOLDER", "Limits", "ending", "is_open", "reason"]

LARGE_FOLDER = (
    "Its folder is larger than 50 MB, so the program ran in an empty one, beside copies of its "
    "Python files alone."
)


@dataclass(frozen=True)
class Limits:
    """The name of the loss, where one was given, and the seconds and bytes for the program."""

    loss: str | None
    timeout: float
    memory: int


def is_open(reason: str | None) -> bool:
    """Whether a reason is that no loss fits what an iteration does."""
    return reason is not None and (reason == NO_LOSS or reason.startswith(NO_UPDATE))


def ending(program: Program, ran: Ran, limits: Limits) -> str:
    """How the program ended, in a sentence; "" where it ran to its end."""
    where = f" in {program.place(ran.line)}" if ran.line else ""
    if ran.outcome == "timed out":
        return f"The program was stopped after {limits.timeout:g} s; --timeout gives it longer."
    if ran.outcome == "too much memory":
        size = f"{limits.memory / GIBIBYTE:.3g} GiB"
        return f"The program ran out of memory{where}: it may have {size}."
    if ran.outcome == "too much output":
        return "The program was stopped, as it had printed more than 50 MB."
    if ran.outcome == "stopped":
        return "The program was stopped."
    if ran.outcome == "exited":
        return f"The program ended itself{where}, with exit code {ran.code}."
    if ran.outcome == "failed":
        if ran.kind == "EOFError":
            return f"The program reads standard input{where}, which is empty in a check."
        error = " ".join(_with_places(program, ran.error).split())
        text = f"The program failed{where}: {error}"
        text += "" if text.endswith((".", "!", "?")) else "."
        if ran.kind == "FileNotFoundError":
            text += " It ran in a copy of its own folder: files beside that folder are not there."
        return text
    return ""


def reason(program: Program, ran: Ran, limits: Limits, ended: str) -> str:
    """Why there is no verdict, in a sentence: what stopped the program, or the likeliest loop."""
    if ended:
        return ended
    reasons = [each for each in ran.found if "reason" in each]
    if not reasons:
        return "No loop of the program was run, so there is no training to check."

    def rank(each: dict[str, Any]) -> int:
        return {NO_CHANGE: 4, WHOLE: 3, NO_LOSS: 2, SEVERAL_STEPS: 1, NO_GRADIENT: 1}.get(
            each["reason"], 0
        )

    best = min(reasons, key=rank)
    where = program.place(best["loop"])
    if best["reason"] == NO_CHANGE:
        return "No loop was found that trains: none changes a number by what it computes from it."
    if best["reason"] == NO_LOSS:
        if limits.loss is not None:
            return (
                f"No number named {limits.loss} was found that the parameters of the loop in "
                f"{where} have a part in."
            )
        return (
            f"No loss was found that what changes in the loop in {where} has a part in: it is to "
            "be one number, computed in the loop."
        )
    if best["reason"] == NO_GRADIENT:
        return (
            f"The optimiser in {where} is given no gradient and works one out itself, so there is "
            "none to check."
        )
    if best["reason"] == SEVERAL_STEPS:
        return (
            f"An iteration of the loop in {where} takes several steps, and no loss was found in "
            "the loop within it whose iterations are single ones."
        )
    reason = " ".join(_with_places(program, best["reason"]).split())
    if reason.startswith(NO_UPDATE):
        return (
            f"In the loop in {where}, {reason}: the program may descend another loss, which is not "
            "among the known ones, or several of its lines are wrong."
        )
    if reason.startswith(LARGER):
        return (
            f"In the loop in {where}, {reason}: that is right of a likelihood and its like, and "
            "wrong of a loss, and its name does not tell."
        )
    if reason.startswith(MEANT):
        return f"In the loop in {where}, {reason}: that may be meant, and then it is no mistake."
    return f"The loop in {where} cannot be followed: {reason.rstrip('.')}."


def _with_places(program: Program, text: str) -> str:
    """A message in which lines of the program's text are those of the user's file."""
    pattern = rf"{re.escape(str(program.path.absolute()))}, line (\d+)"
    return re.sub(pattern, lambda m: f"{program.path.name}, {program.place(int(m[1]))}", text)
