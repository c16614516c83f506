"""Checking a program: it is run, and what its iterations came to is gathered in a `Check`.

>>> from chainrule.check import check_program  # doctest: +SKIP
>>> print(check_program("my_network.py").summary)  # doctest: +SKIP
All 4 gradients are those of loss, to within 1e-7.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.check.checks import Check, Parameter, Step, Value
from chainrule.check.functions import file_and_call
from chainrule.check.observations import observe
from chainrule.check.programs import Program, load_program
from chainrule.check.reasons import LARGE_FOLDER, Limits, ending, is_open, reason
from chainrule.check.repairs import Repairs, repairs_of
from chainrule.check.sandbox import MEMORY, Ran, run_program, run_repairs
from chainrule.check.verdicts import CANNOT_TELL, RIGHT, VERDICTS
from chainrule.errors import SettingError

__all__ = ["assert_backprop", "check_program"]

_LOADING = threading.Lock()  # what Python warns of in a program's text is silenced for all threads


def check_program(
    program: str | Path | Callable[..., Any],
    *,
    loss: str | None = None,
    timeout: float = 60.0,
    memory: int = MEMORY,
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
        why = "Checking a program needs Linux or macOS, as its process is copied (os.fork)."
        return Check(str(path), CANNOT_TELL, "cannot run", reason=why, program=loaded)
    ran = run_program(loaded.path, loss=loss, call=call, timeout=timeout, memory=memory, stop=stop)
    check = _check(loaded, ran, Limits(loss, timeout, memory))
    check = replace(check, observations=observe(loaded, ran), program=loaded)
    chosen = _training(ran.found)
    if check.verdict != "wrong" or not repair_seconds or chosen is None:
        return check
    arguments = [f"--loop={chosen['loop']}", f"--iteration={chosen['iteration']}"]
    if chosen["first"] is not None:
        arguments.append(f"--line={chosen['first']['line']}")
        if chosen["first"]["proved"]:
            arguments.append("--proved")
    arguments.append(f"--call={call}")
    if chosen["known_loss"]:
        arguments.append("--known-loss")
    elif loss or chosen["loss"].isidentifier():
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
    return replace(check, repairs=repairs)


def assert_backprop(program: str | Path | Callable[..., Any], *, loss: str | None = None) -> None:
    """Raise AssertionError where a program's gradients are wrong, or where none can tell.

    The program is the path of a script or notebook, or a function of a module that trains.
    """
    check = check_program(program, loss=loss)
    if check.exit_code:
        raise AssertionError("\n".join([f"{check.path}: {check.summary}", *check.notes]))


def _check(program: Program, ran: Ran, limits: Limits) -> Check:
    ended = ending(program, ran, limits)
    notes = [] if ran.whole_folder else [LARGE_FOLDER]
    chosen = _training(ran.found)
    if chosen is None:
        why = reason(program, ran, limits, ended)
        return Check(
            str(program.path), CANNOT_TELL, ran.outcome, reason=why, notes=tuple(notes),
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
        implied=chosen.get("implied"),
        notes=tuple(notes),
        seconds=ran.seconds,
        step=Step(chosen["loop"], program.place(chosen["loop"]), chosen["iteration"]),
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
    # What no loss explains is no accident of an iteration that another is explained by.
    open_loops = {each["loop"] for each in found if is_open(each.get("reason"))}
    known = [
        each
        for each in found
        if each.get("verdict") in VERDICTS
        and not (each.get("implied") and each["verdict"] in RIGHT and each["loop"] in open_loops)
    ]
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
        verdict = VERDICTS.index(each["verdict"])
        return verdict, each["first"] is not None, len(each["parameters"])

    return max(chosen, key=weight)
