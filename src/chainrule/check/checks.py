"""What a check of a program found, as plain data and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chainrule.check.multiples import finite
from chainrule.check.observations import Observation
from chainrule.check.programs import Place, Program
from chainrule.check.repairs import Repairs
from chainrule.check.verdicts import CANNOT_TELL
from chainrule.errors import DataError

__all__ = ["Check", "Parameter", "Step", "Value", "unreadable"]

_FEW_NAMES = 6
_LONGEST_LINE = 100


@dataclass(frozen=True)
class Parameter:
    """A parameter of the program, and whether its gradient is the loss's."""

    name: str
    right: bool


@dataclass(frozen=True)
class Value:
    """A value on the way to the updates, and where its line stands in the user's file.

    It is ``factor`` times the gradient of the loss by ``of``, which is "" where that has no name,
    and None where the value is no gradient of the loss.
    """

    name: str
    place: Place
    text: str
    of: str | None = None
    factor: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The value as plain data."""
        return {
            "name": self.name,
            **_place(self.place),
            "text": self.text,
            "of": self.of,
            "factor": finite(self.factor),
        }


@dataclass(frozen=True)
class Step:
    """An iteration of a loop: the loop's line in `Program.text` and in the user's file."""

    loop: int
    place: Place
    iteration: int


@dataclass(frozen=True)
class Check:
    """What was found of a program's gradients.

    ``verdict`` is exact, constant factor, sign convention, not this loss (but the one that
    ``descends`` names), wrong, or cannot tell, and then ``reason`` says why. ``outcome`` is how the
    program itself ended: ran, failed, exited, timed out, too much memory, too much output; or
    unreadable, or cannot run where there is no `os.fork`.
    ``first`` is the first wrong value; ``should_be`` says what it should be the gradient of ("" for
    what has no name), where that was tried and puts every update right. ``never`` is a parameter
    that is not updated though its gradient is there. ``implied`` names a known loss that the loop
    does not compute; ``loss`` is then its formula. ``notes`` are sentences about the run, and
    ``observations`` what else keeps the program from learning, which does not change the verdict.
    ``repairs`` are edits that were tried: with them every gradient is the loss's. ``program`` is
    the text that was checked; None where it could not be read. ``step`` is the iteration that the
    verdict is on.
    """

    path: str
    verdict: str
    outcome: str
    factor: float = 1.0
    loss: str = ""
    tolerance: float = 1e-7
    ascends: bool = False
    parameters: tuple[Parameter, ...] = ()
    values: tuple[Value, ...] = ()
    first: Value | None = None
    should_be: str | None = None
    never: str | None = None
    descends: str | None = None
    implied: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    observations: tuple[Observation, ...] = ()
    repairs: Repairs = field(default_factory=Repairs)
    program: Program | None = field(default=None, compare=False, repr=False)
    step: Step | None = field(default=None, compare=False, repr=False)

    @property
    def exit_code(self) -> int:
        """0 where the program goes down its loss's gradient, 1 where not, 2 where none can tell."""
        return {"wrong": 1, "not this loss": 1, CANNOT_TELL: 2}.get(self.verdict, 0)

    @property
    def summary(self) -> str:
        """The verdict in one or two sentences."""
        if self.verdict == CANNOT_TELL:
            return self.reason or "It cannot be told whether the gradients are right."
        if self.verdict == "wrong":
            return self._wrong()
        loss, size = self._loss, abs(self.factor)
        alike = math.isclose(size, 1.0)
        times = f"{size:.6g} times"
        within = f"to within {self.tolerance:.0e}".replace("e-0", "e-")
        rate = f"it acts like a learning rate {times} as large."
        if self.verdict == "not this loss":
            return (
                f"The program shows {loss} and descends another loss: its gradients are those of "
                f"{self.descends}. Show that one, or descend {loss}."
            )
        if self.verdict == "exact":
            return f"{_all(len(self.parameters))} {loss}, {within}."
        if self.verdict == "constant factor":
            several = _all(len(self.parameters), f"{times} ")
            return f"{several} {loss}, {within}. The direction is right: {rate}"
        negative = _all(len(self.parameters), "the negatives of " if alike else f"−{times} ")
        text = f"{negative} {loss}, {within}, and the steps are added: that goes downhill as well"
        return f"{text}." if alike else f"{text}, and {rate}"

    @property
    def _loss(self) -> str:
        """The loss as it stands in a sentence."""
        if self.implied is not None:
            return f"{self.loss}, {self.implied}, which the loop does not compute"
        return self.loss or "the loss"

    def _wrong(self) -> str:
        loss = self._loss
        wrong = [each.name for each in self.parameters if not each.right]
        several = len(wrong) > 1
        if self.never is not None and self.first is not None:
            return (
                f"{self.never} is never updated: {self.first.place} computes its gradient, which "
                f"nothing uses: {self.first.text.strip()[:_LONGEST_LINE]}"
            )
        if self.first is not None:
            first = self.first
            text = f"The first wrong line is {first.place}: {first.text.strip()[:_LONGEST_LINE]}"
            if wrong:
                those = "those" if several else "that"
                text += f"\nThe gradient{'s' if several else ''} of {_listed(wrong)} "
                text += f"{'are' if several else 'is'} not {those} of {loss}."
            elif self.ascends:
                text += f"\nThe steps go up the gradient of {loss}, so that it grows."
            if self.should_be is not None:
                what = f" by {self.should_be}" if self.should_be else ""
                text += f" With the exact gradient{what} in this place every update is right."
            return text
        if wrong:
            if several:
                return f"The steps of {_listed(wrong)} do not follow the gradients of {loss}."
            return f"The step of {wrong[0]} does not follow the gradient of {loss}."
        return (
            f"The steps go up the gradient of {loss}, so that it grows: they are to be taken off."
        )

    def to_json(self) -> dict[str, Any]:
        """The check as plain data."""
        return {
            "schema": 1,
            "path": self.path,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "factor": finite(self.factor),
            "loss": self.loss,
            "tolerance": self.tolerance,
            "ascends": self.ascends,
            "parameters": [asdict(each) for each in self.parameters],
            "values": [each.to_json() for each in self.values],
            "first": None if self.first is None else self.first.to_json(),
            "should_be": self.should_be,
            "never": self.never,
            "descends": self.descends,
            "implied": self.implied,
            "reason": self.reason,
            "outcome": self.outcome,
            "notes": list(self.notes),
            "observations": [each.to_json() for each in self.observations],
            "repairs": [each.to_json() for each in self.repairs.steps],
            "evidence": [asdict(each) for each in self.repairs.evidence],
            "tried": self.repairs.tried,
            "derivation": list(self.repairs.derivation),
            "seconds": round(self.seconds, 3),
        }


def unreadable(path: str | Path, error: DataError) -> Check:
    """The check of a file that is no program, among others."""
    return Check(str(path), CANNOT_TELL, "unreadable", reason=str(error))


def _all(count: int, times: str = "") -> str:
    if count == 1:
        return f"Its one gradient is {times}that of"
    return f"{'Both' if count == 2 else f'All {count}'} gradients are {times}those of"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _FEW_NAMES:
        return f"{', '.join(names[:_FEW_NAMES])} and {len(names) - _FEW_NAMES} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _place(place: Place) -> dict[str, int | None]:
    return {"line": place.line, "cell": place.cell}
