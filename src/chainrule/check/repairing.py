"""The process in which repairs are tried: edits of a program, each run and compared.

    python -m chainrule.check.repairing PROGRAM RESULTS --loop LINE --iteration N --seconds S

Every run is a copy of this process, so that what it imports is imported once. One copy runs the
program as it is and notes the exact gradients; one evaluates, where a suspect statement stands,
what each edit of it would give, and keeps the edits that give an exact gradient; and then the
edited programs run, the likeliest first, and are compared like any program. What held is written
to ``repairs.json``.
"""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.check.candidates import edits_of
from chainrule.check.edits import Edit, Source
from chainrule.check.execution import execute, limit
from chainrule.check.probing import Probe
from chainrule.check.programs import Program, load_program
from chainrule.check.running import Watch
from chainrule.check.study import Study, Studying, Suspect, Wanted, read_study
from chainrule.check.verdicts import RIGHT

__all__ = ["main"]

_SECONDS_EACH = 10.0
_MOST_TRIALS = 120
_MOST_FAULTS = 3
_SECONDS_BETWEEN_LOOKS = 0.002


@dataclass(frozen=True)
class Trial:
    """An edited program that ran: what each looked-at iteration came to, by its number."""

    edit: Edit
    program: Program
    wanted: Wanted
    found: dict[int, dict[str, Any]]

    def wrong(self, before: Study) -> int | None:
        """How many parameters are wrong in the worst iteration; None where it does not compare."""
        judged = {number: each for number, each in self.found.items() if "verdict" in each}
        if not judged or any(number not in judged for number in before.judged & {*self.found}):
            return None
        counts: list[int] = []
        for number, each in judged.items():
            names = {parameter["name"] for parameter in each["parameters"]}
            by_another = each["descends"] is not None
            loss = each["descends"] if by_another else each["loss"]
            if not before.names(number) <= names or loss != before.compared["loss"]:
                return None
            if by_another:  # every update is made of that loss's gradient
                counts.append(0)
                continue
            wrong = sum(not parameter["right"] for parameter in each["parameters"])
            same = before.found[number] if number in before.judged else before.compared
            uneven = _is_uneven(each, same)
            counts.append(wrong or int(uneven or each["verdict"] not in RIGHT))
        return max(counts)


def _is_uneven(found: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether parameters take steps of other lengths or directions than each other.

    What is said of single numbers is weak, as all of them are each other's multiples. So a repair
    is to make their steps those of the others too, but where these were not alike before.
    """
    if found["iteration"] == 0 and 0 < len(found["uphill"]) < len(found["parameters"]):
        return True
    arrays = {name: found["steps"].get(name) for name in found["arrays"]}
    right = [e["name"] for e in before["parameters"] if e["right"] and e["name"] in arrays]
    known = [before["steps"].get(name) for name in right]
    if len(_different(known)) > 1:
        return False
    if known and None not in known and None in arrays.values():
        return True
    # Where the steps are no multiples, as Adam's, those of single numbers say nothing.
    steps = arrays if None in arrays.values() else found["steps"]
    return len(_different(steps.values())) > 1


def _different(steps: Iterable[float | None]) -> list[float]:
    found: list[float] = []
    for step in steps:
        if step is not None and not any(math.isclose(step, each, rel_tol=1e-4) for each in found):
            found.append(step)
    return found


class Repairing:
    """A search for edits that put every gradient right."""

    def __init__(self, results: Path, end: float) -> None:
        self.results, self.end = results, end
        self.tried = 0
        self._number = 0

    def repairs(self, program: Program, wanted: Wanted) -> dict[str, Any]:
        """The edits that together put all right, each in the text with those before it.

        ``edits`` is empty where there are none. ``before`` and ``after`` are how far each
        parameter's gradient was from the exact one, and is, by iteration.
        """
        edits: list[dict[str, Any]] = []
        study = self.run(program, wanted)
        errors = {} if study is None else _errors(study.found)
        for _ in range(_MOST_FAULTS):
            if study is None or time.monotonic() > self.end:
                break
            trial = self._best(program, wanted, study)
            if trial is None:
                break
            edits.append(_as_lines(trial.edit, program))
            if trial.wrong(study) == 0:
                return {
                    "edits": edits,
                    "before": errors,
                    "after": _errors(trial.found),
                    "derivation": self._derivation(trial),
                }
            program, wanted = trial.program, trial.wanted
            study = self.run(program, wanted)
        return {"edits": [], "before": errors, "after": {}, "derivation": []}

    def _derivation(self, trial: Trial) -> list[str]:
        """How the gradient that the repaired line computes follows from the rules."""
        first, last = trial.edit.line, trial.edit.end[0]
        for line in range(first, max(last, first + trial.edit.text.count("\n")) + 1):
            study = self.run(trial.program, replace(trial.wanted, line=line))
            found = [] if study is None else study.compared["derivation"]
            if found:
                return list(found)
        return []

    def run(self, program: Program, wanted: Wanted) -> Study | None:
        """What the program as it is comes to, with the exact gradients."""
        folder = self._folder()
        process = _copied(lambda: execute(program, Studying(program, folder, wanted)), self._left())
        _wait([process], self.end)
        return read_study(folder, wanted.iteration, _found(folder, wanted.loop))

    def _best(self, program: Program, wanted: Wanted, before: Study) -> Trial | None:
        """The likeliest edit that puts all right, or else the one that leaves fewest wrong."""
        source = Source(program.text, program.tree())
        partly: list[tuple[int, float, Trial]] = []
        count = sum(not each["right"] for each in before.compared["parameters"])
        for suspects in before.waves():
            edits = self._likely(program, wanted, before, source, suspects)
            for trial in self._trials(program, wanted, edits):
                left = trial.wrong(before)
                if left == 0:
                    return trial
                if left is not None and left < count:
                    partly.append((left, trial.edit.cost, trial))
            if partly:
                break
        return min(partly, key=lambda each: each[:2])[2] if partly else None

    def _likely(
        self,
        program: Program,
        wanted: Wanted,
        before: Study,
        source: Source,
        suspects: Sequence[Suspect],
    ) -> list[Edit]:
        """The edits of some lines that are worth a run, the likeliest first."""
        edits = edits_of(source, suspects, before)
        folder = self._folder()
        probe = Probe(program, folder, before, edits)
        process = _copied(
            lambda: probe.run(wanted.loop, wanted.iteration), min(self._left(), _SECONDS_EACH)
        )
        _wait([process], self.end)
        return probe.kept()[:_MOST_TRIALS]

    def _trials(self, program: Program, wanted: Wanted, edits: Sequence[Edit]) -> Iterator[Trial]:
        """Run the edited programs, some at a time; what each came to, in their order."""
        waiting = list(edits)
        running: list[tuple[int, Path, Edit, Program, Wanted]] = []
        at_once = os.cpu_count() or 1
        while (waiting or running) and time.monotonic() < self.end:
            while waiting and len(running) < at_once:
                edit = waiting.pop(0)
                started = self._start(program, wanted, edit)
                if started is not None:
                    running.append(started)
            if not running:
                return
            process, folder, edit, edited, new = running.pop(0)
            _wait([process], self.end)
            self.tried += 1
            yield Trial(edit, edited, new, _found(folder, new.loop))

    def _start(
        self, program: Program, wanted: Wanted, edit: Edit
    ) -> tuple[int, Path, Edit, Program, Wanted] | None:
        first, last = edit.line, edit.end[0]
        if program.place(first).cell != program.place(last).cell:
            return None
        lines = edit.lines(program.text)
        edited = program.with_lines(first, last, lines)
        try:
            ast.parse(edited.text)
        except (SyntaxError, ValueError):
            return None
        more = len(lines) - (last - first + 1)
        loop = wanted.loop + (more if edit.end[0] < wanted.loop else 0)
        if edit.line < wanted.loop <= edit.end[0]:  # a statement went into the loop
            loop -= 1
        new = replace(wanted, loop=loop, line=None, proved=False)
        folder = self._folder()
        process = _copied(lambda: _try(edited, folder, new), min(self._left(), _SECONDS_EACH))
        return process, folder, edit, edited, new

    def _left(self) -> float:
        return max(self.end - time.monotonic(), 0.1)

    def _folder(self) -> Path:
        self._number += 1
        folder = self.results / f"trial-{self._number}"
        folder.mkdir()
        return folder


class _Trying(Watch):
    """Looks at some iterations of one loop, and ends the program then."""

    def __init__(self, program: Program, folder: Path, wanted: Wanted) -> None:
        super().__init__(program, folder, wanted.loss, only=wanted.loop, also=wanted.iteration)
        # By a loss that is not shown it is compared only where the first wrong line is looked for.
        self.matches = self.locates = wanted.is_known_loss


def _try(program: Program, folder: Path, wanted: Wanted) -> None:
    execute(program, _Trying(program, folder, wanted))


def _copied(run: Any, seconds: float) -> int:
    """A copy of this process that runs something, silently and for no longer than this."""
    process = os.fork()
    if process:
        return process
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        # So that a program without a seed begins alike each time.
        np.random.seed(0)
        random.seed(0)
        run()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _wait(processes: Sequence[int], end: float) -> None:
    for process in processes:
        while time.monotonic() < end:
            done, _ = os.waitpid(process, os.WNOHANG)
            if done:
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        else:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _as_lines(edit: Edit, program: Program) -> dict[str, Any]:
    return {
        "first": edit.line,
        "last": edit.end[0],
        "lines": edit.lines(program.text),
        "cause": edit.cause,
        "why": edit.why,
    }


def _errors(found: dict[int, dict[str, Any]]) -> dict[int, dict[str, float]]:
    return {number: each["errors"] for number, each in sorted(found.items()) if "errors" in each}


def _found(folder: Path, loop: int) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for path in folder.glob(f"{loop}-*.json"):
        with suppress(OSError, ValueError):
            each = json.loads(path.read_text(encoding="utf-8"))
            found[each["iteration"]] = each
    return found


def _import_what_it_imports(program: Program) -> None:
    """So that each copy need not."""
    for node in ast.walk(program.tree()):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            if not (program.path.parent / f"{name.partition('.')[0]}.py").exists():
                with suppress(Exception):
                    importlib.import_module(name)


def main(arguments: list[str] | None = None) -> None:
    """Search for repairs of one program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--loop", type=int, required=True)
    parser.add_argument("--line", type=int)
    parser.add_argument("--proved", action="store_true")
    parser.add_argument("--known-loss", action="store_true")
    parser.add_argument("--iteration", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--loss")
    parser.add_argument("--call", default="")
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    program = load_program(options.program, options.call)
    limit(options.memory)
    _import_what_it_imports(program)
    search = Repairing(options.results, end)
    wanted = Wanted(
        options.loop, options.iteration, options.loss, options.line, options.proved,
        options.known_loss,
    )  # fmt: skip
    found = search.repairs(program, wanted)
    found["tried"] = search.tried
    (options.results / "repairs.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
