"""The process in which a checked program runs: as it is, but for copies that trace an iteration.

    python -m chainrule.check.running PROGRAM RESULTS [--loss NAME] [--call NAME] [--memory BYTES]

What each copy finds is written to RESULTS, a folder, as JSON, and how the program itself ended to
``outcome.json`` there.
"""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import argparse
import builtins
import json
import linecache
import math
import os
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from chainrule.check.comparison import Compared, compare
from chainrule.check.copies import WaitingCopy, copied
from chainrule.check.hooks import HOOK, with_hooks
from chainrule.check.implied import implied
from chainrule.check.iteration import Iteration, Trace
from chainrule.check.multiples import tolerance_of
from chainrule.check.optimisers import Minimised, as_wrong, follow_optimisers, starts
from chainrule.check.programs import Program, load_program
from chainrule.check.purposes import MEANT
from chainrule.check.roles import Roles, lost_at, roles_of
from chainrule.check.several import by_several, other_losses
from chainrule.check.statements import renamed_at
from chainrule.check.symmetry import equal_units
from chainrule.check.truncation import cut_steps
from chainrule.check.values import Value, is_misused
from chainrule.check.witness import Witness
from chainrule.errors import ChainruleError

__all__ = ["Watch", "execute", "limit", "main"]

_LOOKED_AT = (0, 3)
"""The iterations of each loop that are traced: the first, and one in which nothing is fresh."""
_MOST_SECONDS, _LEAST_SECONDS, _ALL_SECONDS = 8, 2, 20
"""How long a copy may take: no longer than is left of what all of them may, but that at least."""
_RIGHT = ("exact", "constant factor", "sign convention")
_NO_GRADIENT = "the optimiser is given no gradient"
_WHOLE = "a parameter is a whole number before its first step"
_LARGEST_FILE = 2**30


class Watch:
    """What the program's hooks call.

    With ``only`` the iterations of that loop alone are looked at, ``also`` the one of that number,
    and the program ends after them.
    """

    matches = locates = True

    def __init__(
        self,
        program: Program,
        results: Path,
        loss: str | None,
        *,
        only: int | None = None,
        also: int = 0,
    ) -> None:
        self.file, self.results, self.loss = str(program.path), results, loss
        self._tree = program.tree()
        self.witness = Witness(self._tree, self.file, results)
        self.reached = self.witness.reached
        self._only, self._iterations = only, {*_LOOKED_AT, also}
        self._losses: dict[int, str | None] = {}
        self.looked_at = ""
        self._waiting: dict[int, tuple[int, WaitingCopy, int]] = {}
        self._right = 0  # how many iterations have been found right
        self._around: set[int] = set()  # loops around those that were found right
        self._whole: set[int] = set()  # loops whose first iteration begins with whole numbers
        self._own: set[int] = set()  # loops whose iterations compute their loss, if not all of them
        self._minimised: set[int] = set()  # lines in which an optimiser was called
        self._seconds = float(_ALL_SECONDS)
        self._copy: tuple[int, int, FrameType, Iteration] | None = None

    def before(self, loop: int) -> None:
        """The loop in this line will take a name that stands for something else."""
        if self._copy is None:
            self.witness.before(loop, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]

    def begin(self, loop: int) -> None:
        """An iteration of the loop in this line begins."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if self._copy is not None:
            if self._copy[0] == loop and self._copy[2] is frame:
                self._finish()
            return
        if self._only not in (None, loop):
            return
        if loop in self._waiting:
            self._decide(loop)
        count = self.witness.begin(loop, frame)
        if self._only is not None and count > max(self._iterations):
            os._exit(0)
        if loop in self._around or not (
            count in self._iterations or (count == 1 and loop in self._whole)
        ):
            return
        sys.stdout.flush()
        sys.stderr.flush()
        copy = copied()
        if isinstance(copy, WaitingCopy):
            self._waiting[loop] = count, copy, self._right
        else:
            self.become(loop, count, frame, copy)

    def end(self, loop: int) -> None:
        """The loop in this line has ended."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if self._copy is None:
            self.witness.end(loop, frame)
            if loop in self._waiting:
                self._decide(loop)
        elif self._copy[0] == loop and self._copy[2] is frame:
            self._finish()

    def close(self) -> None:
        """The program has ended, perhaps within its loops."""
        for loop in [*self._waiting][::-1]:
            self._decide(loop)

    def minimise(self, line: int, frame: FrameType, pair: Minimised | None) -> None:
        """An optimiser is called in this line with a loss and its gradient, if it is given one."""
        if self._copy is not None or self._only not in (None, line) or line in self._minimised:
            return
        self._minimised.add(line)
        if pair is None:
            self._write({"loop": line, "iteration": 0, "reason": _NO_GRADIENT})
            return
        sys.stdout.flush()
        sys.stderr.flush()
        for count, each in zip(sorted(_LOOKED_AT), starts(pair), strict=True):
            copy = copied()
            if isinstance(copy, WaitingCopy):
                copy.go(_MOST_SECONDS)
                continue
            self.become(line, count, frame, copy)
            try:
                assert self._copy is not None
                trace, roles = each.traced(self._copy[3], frame)
                self._conclude(trace, roles, minimised=True)
            except BaseException as error:
                self._give_up(_reason(error))
        if self._only is not None:
            os._exit(0)

    def _decide(self, loop: int) -> None:
        """Look at the iteration that has ended, unless a loop within it has been found right."""
        count, copy, right = self._waiting.pop(loop)
        if self._right > right:
            self._around.add(loop)
            copy.end()
            return
        begun = time.monotonic()
        copy.go(min(_MOST_SECONDS, max(_LEAST_SECONDS, math.ceil(self._seconds))))
        self._seconds -= time.monotonic() - begun
        try:
            found = json.loads((self.results / f"{loop}-{count}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        self._right += found.get("verdict") in _RIGHT
        if "verdict" in found and not found["implied"]:
            self._own.add(loop)
        if found.get("reason") == _WHOLE:
            self._whole.add(loop)
        elif count < 2 and self.loss is None:  # later iterations may not print it
            self._losses[loop] = found.get("loss") or None

    def display(self, value: Any) -> None:
        """Show a notebook's last expression."""
        if value is not None:
            print(repr(value))

    def become(self, loop: int, count: int, frame: FrameType, seconds: int) -> None:
        """Be the copy: silent, short of time, and traced."""
        import signal

        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        # By the processor's clock, as the machine may be busy; by the wall's, as it may wait.
        signal.signal(signal.SIGPROF, self._late)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.signal(signal.SIGALRM, self._late)
        signal.alarm(4 * seconds)
        np.seterr(all="ignore")
        try:
            self._copy = loop, count, frame, Iteration(frame, self.file)
        except BaseException as error:
            self._give_up(_reason(error))

    def _late(self, number: int, frame: FrameType | None) -> None:
        self._give_up("it took too long")

    def _finish(self) -> None:
        """Compare what the iteration came to, write it down, and end the copy."""
        assert self._copy is not None
        loop, _, frame, iteration = self._copy
        try:
            trace = iteration.ended(frame)
            self._conclude(trace, roles_of(trace, self.loss or self._losses.get(loop)))
        except BaseException as error:
            self._give_up(_reason(error))

    def _conclude(self, trace: Trace, roles: Roles, *, minimised: bool = False) -> None:
        assert self._copy is not None
        loop, count = self._copy[:2]
        self.looked_at = f"{loop}-{count}"
        match, locate, rate = self.matches, self.locates, -1.0 if minimised else None
        compared = None
        if roles.reason is None:
            compared = compare(trace, roles, match=match, locate=locate, rate=rate)
        if minimised:
            compared = None if compared is None else as_wrong(compared)
        elif self.loss is None and loop not in self._own and _is_open(roles, compared):
            roles, compared = implied(trace, roles, compared, match=match, locate=locate)
        known = minimised or self.loss is not None
        if compared is not None and not (known or compared.implied) and _is_unsettled(compared):
            roles, compared = self._by_another(trace, roles, compared)
        found = self.found(trace, roles, compared)
        if found.get("verdict") not in _RIGHT and trace.begins_whole(roles.loss):
            found = {"reason": _WHOLE}
        found |= _seen(trace, roles)
        self._write({"loop": loop, "iteration": count, **found})
        os._exit(0)

    def _by_another(self, trace: Trace, roles: Roles, compared: Compared) -> tuple[Roles, Compared]:
        """What an iteration comes to by another of its numbers, where that is no mistake."""
        for other in other_losses(trace, roles):
            by_it = compare(trace, other, match=False, locate=False)
            if by_it is not None and _is_all_of(by_it, roles):
                whole = compare(trace, other, match=self.matches, locate=self.locates)
                if whole is not None and whole.verdict in _RIGHT:
                    return other, whole
        if compared.verdict == "wrong" and by_several(trace, roles, compared):
            reason = f"{MEANT[2]}, or of another one than {roles.name or 'the one shown'}"
            return roles, replace(compared, verdict="cannot tell", reason=reason)
        return roles, compared

    def found(self, trace: Trace, roles: Roles, compared: Compared | None) -> dict[str, Any]:
        """What is to be written down of an iteration."""
        if compared is None:
            return {"reason": roles.reason or "all gradients are 0"}
        if compared.verdict == "cannot tell":
            name = compared.loss or "the loss that was found"
            reason = f"no update is made of the gradient of {name}"
            return {"reason": compared.reason or reason}
        lost = lost_at(trace, roles, self.file)
        if compared.verdict in ("wrong", "not this loss") and lost is not None:
            # What was lost of the loss is lost of its gradient too.
            return {"reason": f"a function in {self.file}, line {lost}, cannot be followed"}
        found = described(compared)
        if compared.first is not None and is_misused(compared.first, compared.factor):
            # It is right where it is computed, and wrong by another name.
            first = compared.first
            found["first"]["line"] = renamed_at(self._tree, first.name, first.line) or first.line
        return found

    def give_up(self, error: BaseException) -> None:
        """End the copy where the traced program failed; do nothing in the program itself."""
        if self._copy is not None:
            self._give_up(_reason(error))

    def _give_up(self, reason: str) -> None:
        loop, count = self._copy[:2] if self._copy is not None else (0, 0)
        self._write({"loop": loop, "iteration": count, "reason": reason})
        os._exit(0)

    def _write(self, found: dict[str, Any]) -> None:
        path = self.results / f"{found['loop']}-{found['iteration']}.json"
        path.write_text(json.dumps(found), encoding="utf-8")


def _is_open(roles: Roles, compared: Compared | None) -> bool:
    """Whether an iteration goes down no loss that it computes itself, as far as one can tell."""
    if roles.reason is not None or compared is None:
        return roles.loss is None
    if compared.verdict == "not this loss":
        return True
    return compared.verdict == "cannot tell" and compared.reason is None


def _is_unsettled(compared: Compared) -> bool:
    """Whether another number of the iteration may be the one that is descended."""
    return compared.verdict == "wrong" or (
        compared.verdict == "cannot tell" and compared.reason is None
    )


def _is_all_of(compared: Compared, roles: Roles) -> bool:
    """Whether another loss moves all parameters, and arrays tell so."""
    paths = {each.path for each in compared.parameters}
    some = any(each.start.size > 1 for each in compared.parameters)
    return compared.verdict in _RIGHT and some and {e.path for e in roles.parameters} <= paths


def _seen(trace: Trace, roles: Roles) -> dict[str, Any]:
    """What else keeps the iteration from learning; that it cannot be told is no harm."""
    with suppress(Exception):
        return {"units": equal_units(trace, roles), "cut": cut_steps(trace, roles)}
    return {}


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, ChainruleError) else f"{type(error).__name__}: {error}"


def described(compared: Compared) -> dict[str, Any]:
    """A comparison as plain data."""
    first = compared.first
    return {
        "verdict": compared.verdict,
        "factor": compared.factor,
        "ascends": compared.ascends,
        "never": compared.never,
        "descends": compared.descends,
        "implied": compared.implied,
        "loss": compared.loss,
        "tolerance": max(tolerance_of(each.start) for each in compared.parameters),
        "parameters": [
            {"name": each.path, "right": each not in compared.wrong} for each in compared.parameters
        ],
        "values": [
            {"name": each.name, "line": each.line, "of": each.of, "factor": each.factor}
            for each in compared.values
        ],
        "errors": compared.errors,
        "steps": compared.steps,
        "arrays": [each.path for each in compared.parameters if each.start.size > 1],
        "uphill": compared.uphill,
        "adds_up": compared.adds_up,
        "known_loss": compared.is_known_loss,
        "first": None if first is None else _of_first(first),
    }


def _of_first(first: Value) -> dict[str, Any]:
    return {
        "name": first.name,
        "line": first.line,
        "should_be": first.should_be,
        "proved": first.is_proved or first.should_be is not None,
    }


def main(arguments: list[str] | None = None) -> None:
    """Run a program and look at its iterations."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--loss")
    parser.add_argument("--call", default="")
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args(arguments)
    program = load_program(options.program, options.call)
    watch = Watch(program, options.results, options.loss)
    limit(options.memory)
    execute(program, watch)


def execute(
    program: Program, watch: Watch, probed: Mapping[tuple[int, int], int] | None = None
) -> None:
    """Run a program as a script, watched; how it ended is written to ``outcome.json``.

    ``probed`` are the statements before which ``watch.probe`` is called.
    """
    code = with_hooks(program, probed)
    # Values get their names from these lines, also where the file is a notebook or is overwritten.
    lines = [f"{line}\n" for line in program.text.split("\n")]
    linecache.cache[str(program.path)] = len(program.text), None, lines, str(program.path)
    setattr(builtins, HOOK, watch)
    module = ModuleType(program.path.stem if program.call else "__main__")
    module.__dict__.update(__file__=str(program.path), __builtins__=builtins)
    if program.call:  # Python's own modules keep their names
        sys.modules.setdefault(module.__name__, module)
    else:
        sys.modules["__main__"] = module
    sys.argv = [str(program.path)]
    sys.path.insert(0, str(program.path.parent))
    follow_optimisers(program, watch.minimise)
    process = os.getpid()
    outcome: dict[str, Any] = {"outcome": "ran"}
    try:
        exec(code, module.__dict__)
        watch.give_up(ChainruleError("the iteration did not come to an end"))
    except BaseException as error:
        watch.give_up(error)
        outcome = _outcome(error, str(program.path))
        if isinstance(error, Exception) and not isinstance(error, MemoryError):
            outcome["names"] = watch.witness.failed(error)
        raise
    finally:
        if os.getpid() == process:
            watch.close()
            outcome["seen"] = watch.witness.facts()
            path = watch.results / "outcome.json"
            path.write_text(json.dumps(outcome), encoding="utf-8")


def limit(memory: int) -> None:
    """Let this process and its copies have no more memory each, and write no file without end."""
    import resource  # here, as Windows has none

    limits = [(resource.RLIMIT_FSIZE, _LARGEST_FILE), (resource.RLIMIT_CORE, 0)]
    if memory:
        limits.append((resource.RLIMIT_AS, memory))
    for kind, most in limits:
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _outcome(error: BaseException, file: str) -> dict[str, Any]:
    """How the program ended, and in which of its lines."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
        return {"outcome": "exited", "code": code if type(code) is int else 1, "line": line}
    text = "".join(traceback.format_exception_only(error)).strip()
    kind = "too much memory" if isinstance(error, MemoryError) else "failed"
    return {"outcome": kind, "error": text, "kind": type(error).__name__, "line": line}


if __name__ == "__main__":
    main()
