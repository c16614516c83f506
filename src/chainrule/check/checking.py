"""What a check of a program says: its gradients beside those of its loss, in plain data and words.

>>> from chainrule.check import check_program  # doctest: +SKIP
>>> print(check_program("my_network.py").summary)  # doctest: +SKIP
All 4 gradients are those of loss, to within 1e-7.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chainrule.check.functions import file_and_call
from chainrule.check.observations import Observation, observe
from chainrule.check.programs import Place, Program, load_program
from chainrule.check.repairs import Repairs, repairs_of
from chainrule.check.sandbox import Ran, run_program, run_repairs
from chainrule.errors import DataError, SettingError

__all__ = ["Check", "Parameter", "Value", "assert_backprop", "check_program", "unreadable"]

_VERDICTS = ("exact", "constant factor", "sign convention", "not this loss", "wrong")
_CANNOT_TELL = "cannot tell"
_NO_LOSS = "no loss was found that the parameters have a part in"
_NO_CHANGE = "an iteration changes nothing that the next one reads"
_GIBIBYTE = 2**30
_SEVERAL_STEPS = "an iteration takes several steps"
_WHOLE = "a parameter is a whole number before its first step"
_FEW_NAMES = 6
_LONGEST_LINE = 100
_LOADING = threading.Lock()  # what Python warns of in a program's text is silenced for all threads


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
            "factor": _finite(self.factor),
        }


@dataclass(frozen=True)
class Check:
    """What was found of a program's gradients.

    ``verdict`` is exact, constant factor, sign convention, not this loss (but the one that
    ``descends`` names), wrong, or cannot tell, and then ``reason`` says why. ``outcome`` is how the
    program itself ended: ran, failed, exited, timed out, too much memory, too much output; or
    unreadable, or cannot run where there is no `os.fork`.
    ``first`` is the first wrong value; ``should_be`` says what it should be the gradient of ("" for
    what has no name), where that was tried and puts every update right. ``never`` is a parameter
    that is not updated though its gradient is there. ``notes`` are sentences about the run, and
    ``observations`` what else keeps the program from learning, which does not change the verdict.
    ``repairs`` are edits that were tried: with them every gradient is the loss's. ``program`` is
    the text that was checked; None where it could not be read.
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
    reason: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    observations: tuple[Observation, ...] = ()
    repairs: Repairs = field(default_factory=Repairs)
    program: Program | None = field(default=None, compare=False, repr=False)

    @property
    def exit_code(self) -> int:
        """0 where the program goes down its loss's gradient, 1 where not, 2 where none can tell."""
        return {"wrong": 1, "not this loss": 1, _CANNOT_TELL: 2}.get(self.verdict, 0)

    @property
    def summary(self) -> str:
        """The verdict in one or two sentences."""
        if self.verdict == _CANNOT_TELL:
            return self.reason or "It cannot be told whether the gradients are right."
        if self.verdict == "wrong":
            return self._wrong()
        loss, size = self.loss or "the loss", abs(self.factor)
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

    def _wrong(self) -> str:
        loss = self.loss or "the loss"
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
            "factor": _finite(self.factor),
            "loss": self.loss,
            "tolerance": self.tolerance,
            "ascends": self.ascends,
            "parameters": [asdict(each) for each in self.parameters],
            "values": [each.to_json() for each in self.values],
            "first": None if self.first is None else self.first.to_json(),
            "should_be": self.should_be,
            "never": self.never,
            "descends": self.descends,
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


def check_program(
    program: str | Path | Callable[..., Any],
    *,
    loss: str | None = None,
    timeout: float = 60.0,
    memory: int = 4 * _GIBIBYTE,
    repair_seconds: float = 10.0,
    stop: threading.Event | None = None,
) -> Check:
    """Run a script or notebook and compare its gradients with those of its loss.

    For a function that trains, the file of its module is run, and then the function is called.
    It runs in a process of its own and a copy of its folder, for at most ``timeout`` seconds with
    ``memory`` bytes; what it prints is not shown. ``loss`` names the loss, where there is a choice.
    Where a gradient is wrong, repairs are searched for, for ``repair_seconds`` or so, if not 0.
    ``stop`` ends the run early from another thread. Raises DataError for a file that is no program.
    """
    if not timeout > 0:
        raise SettingError(f"timeout={timeout} is out of range: it takes a number above 0.")
    if not 0 <= repair_seconds < math.inf:
        raise SettingError(
            f"repair_seconds={repair_seconds} is out of range: it takes a number of at least 0."
        )
    if memory < 1:
        raise SettingError(f"memory={memory} is out of range: it takes a number of bytes.")
    path, call = file_and_call(program) if callable(program) else (Path(program), "")
    with _LOADING:
        loaded = load_program(path, call)
        loaded.tree()
    if not hasattr(os, "fork"):
        reason = "Checking a program needs Linux or macOS, as its process is copied (os.fork)."
        return Check(str(path), _CANNOT_TELL, "cannot run", reason=reason, program=loaded)
    ran = run_program(loaded.path, loss=loss, call=call, timeout=timeout, memory=memory, stop=stop)
    check = _check(loaded, ran, _Limits(loss, timeout, memory))
    check = replace(check, observations=observe(loaded, ran), program=loaded)
    chosen = _training(ran.found)
    if check.verdict != "wrong" or not repair_seconds or chosen is None:
        return check
    arguments = [f"--loop={chosen['loop']}", f"--iteration={chosen['iteration']}"]
    if chosen["first"] is not None:
        arguments.append(f"--line={chosen['first']['line']}")
        if chosen["first"].get("should_be") is not None:
            arguments.append("--proved")
    arguments.append(f"--call={call}")
    if loss or chosen["loss"].isidentifier():
        arguments.append(f"--loss={loss or chosen['loss']}")
    found = run_repairs(loaded.path, arguments, seconds=repair_seconds, memory=memory, stop=stop)
    return check if found is None else _with_repairs(check, repairs_of(loaded, found))


def _with_repairs(check: Check, repairs: Repairs) -> Check:
    """A check with its repairs: the first line that is wrong is the one that was repaired."""
    if not repairs.steps:
        return replace(check, repairs=repairs)
    step = repairs.steps[0]
    first = check.first
    lines = range(step.place.line, step.place.line + len(step.before))
    own = first is not None and first.place.cell == step.place.cell and first.place.line in lines
    if not own or step.is_added:
        place = step.at
        here = [v for v in check.values if v.place == place]
        first = here[0] if here and not step.is_added else Value("", place, step.before[-1])
        check = replace(check, first=first, should_be=None)
    return replace(check, repairs=repairs, seconds=check.seconds)


def assert_backprop(program: str | Path | Callable[..., Any], *, loss: str | None = None) -> None:
    """Raise AssertionError where a program's gradients are wrong, or where none can tell.

    The program is the path of a script or notebook, or a function of a module that trains.
    """
    check = check_program(program, loss=loss)
    if check.exit_code:
        raise AssertionError("\n".join([f"{check.path}: {check.summary}", *check.notes]))


def unreadable(path: str | Path, error: DataError) -> Check:
    """The check of a file that is no program, among others."""
    return Check(str(path), _CANNOT_TELL, "unreadable", reason=str(error))


@dataclass(frozen=True)
class _Limits:
    loss: str | None
    timeout: float
    memory: int


def _check(program: Program, ran: Ran, limits: _Limits) -> Check:
    ended = _ended(program, ran, limits)
    notes = [] if ran.whole_folder else [_LARGE]
    chosen = _training(ran.found)
    if chosen is None:
        reason = _reason(program, ran, limits, ended)
        return Check(
            str(program.path), _CANNOT_TELL, ran.outcome, reason=reason, notes=tuple(notes),
            seconds=ran.seconds,
        )  # fmt: skip
    if ended:
        notes.insert(0, ended)
    values = tuple(_value(program, each) for each in chosen["values"])
    first = None
    if chosen["first"] is not None:
        wanted = chosen["first"]["name"], chosen["first"]["line"]
        found = [v for v, raw in zip(values, chosen["values"], strict=True)
                 if (raw["name"], raw["line"]) == wanted]  # fmt: skip
        # Of one line that is right in some turns of a loop and wrong in others, the wrong one.
        found.sort(key=lambda v: v.of is not None and v.factor == chosen["factor"])
        first = found[0] if found else _value(program, chosen["first"])
    return Check(
        str(program.path),
        chosen["verdict"],
        ran.outcome,
        factor=chosen["factor"],
        loss=chosen["loss"],
        tolerance=chosen.get("tolerance", 1e-7),
        ascends=chosen["ascends"],
        parameters=tuple(Parameter(e["name"], e["right"]) for e in chosen["parameters"]),
        values=values,
        first=first,
        should_be=None if chosen["first"] is None else chosen["first"].get("should_be"),
        never=chosen.get("never"),
        descends=chosen.get("descends"),
        notes=tuple(notes),
        seconds=ran.seconds,
    )


def _value(program: Program, raw: dict[str, Any]) -> Value:
    line = raw["line"]
    return Value(
        raw["name"], program.place(line), program.line(line), raw.get("of"), raw.get("factor", 0.0)
    )


def _training(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The worst iteration of the loop that trains.

    Around the loop whose iterations are steps there may be others, whose iterations are many steps
    and no gradient's; within it others, which change a part of the parameters. So it is the one
    with the fewest wrong ones, of those that change at least half of all.
    """
    known = [each for each in found if each.get("verdict") in _VERDICTS]
    if not known:
        return None
    most = max(len(each["parameters"]) for each in known)
    loops: dict[int, list[dict[str, Any]]] = {}
    for each in sorted(known, key=lambda each: each["iteration"]):
        if 2 * len(each["parameters"]) >= most:
            loops.setdefault(each["loop"], []).append(each)

    def wrong(iteration: dict[str, Any]) -> int:
        not_right = sum(not each["right"] for each in iteration["parameters"])
        return not_right + (iteration["verdict"] == "wrong")

    def rank(loop: int) -> tuple[int, int, int]:
        iterations = loops[loop]
        largest = max(len(each["parameters"]) for each in iterations)
        return max(wrong(each) for each in iterations), -largest, -loop

    chosen = loops[min(loops, key=rank)]

    def weight(each: dict[str, Any]) -> tuple[int, bool, int]:
        verdict = _VERDICTS.index(each["verdict"])
        return verdict, each["first"] is not None, len(each["parameters"])

    return max(chosen, key=weight)


_LARGE = (
    "Its folder is larger than 50 MB, so the program ran in an empty one, beside copies of its "
    "Python files alone."
)


def _ended(program: Program, ran: Ran, limits: _Limits) -> str:
    """How the program ended, in a sentence; "" where it ran to its end."""
    where = f" in {program.place(ran.line)}" if ran.line else ""
    if ran.outcome == "timed out":
        return f"The program was stopped after {limits.timeout:g} s; --timeout gives it longer."
    if ran.outcome == "too much memory":
        size = f"{limits.memory / _GIBIBYTE:.3g} GiB"
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


def _reason(program: Program, ran: Ran, limits: _Limits, ended: str) -> str:
    """Why there is no verdict, in a sentence: what stopped the program, or the likeliest loop."""
    if ended:
        return ended
    reasons = [each for each in ran.found if "reason" in each]
    if not reasons:
        return "No loop of the program was run, so there is no training to check."

    def rank(each: dict[str, Any]) -> int:
        return {_NO_CHANGE: 4, _WHOLE: 3, _NO_LOSS: 2, _SEVERAL_STEPS: 1}.get(each["reason"], 0)

    best = min(reasons, key=rank)
    where = program.place(best["loop"])
    if best["reason"] == _NO_CHANGE:
        return "No loop was found that trains: none changes a number by what it computes from it."
    if best["reason"] == _NO_LOSS:
        if limits.loss is not None:
            return (
                f"No number named {limits.loss} was found that the parameters of the loop in "
                f"{where} have a part in."
            )
        return (
            f"No loss was found that what changes in the loop in {where} has a part in: it is to "
            "be one number, computed in the loop."
        )
    if best["reason"] == _SEVERAL_STEPS:
        return (
            f"An iteration of the loop in {where} takes several steps, and no loss was found in "
            "the loop within it whose iterations are single ones."
        )
    reason = " ".join(_with_places(program, best["reason"]).split())
    if reason.startswith("no update"):
        return (
            f"In the loop in {where}, {reason}: the program may descend another loss, which is not "
            "among the known ones, or several of its lines are wrong."
        )
    return f"The loop in {where} cannot be followed: {reason.rstrip('.')}."


def _with_places(program: Program, text: str) -> str:
    """A message in which lines of the program's text are those of the user's file."""
    pattern = rf"{re.escape(str(program.path.absolute()))}, line (\d+)"
    return re.sub(pattern, lambda m: f"{program.path.name}, {program.place(int(m[1]))}", text)


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


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
