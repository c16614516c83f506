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
import json
import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from chainrule.check.comparison import Compared
from chainrule.check.conclusions import How, concluded, described
from chainrule.check.copies import WaitingCopy, copied
from chainrule.check.execution import execute, limit
from chainrule.check.iteration import Iteration, Trace
from chainrule.check.optimisers import Minimised, starts
from chainrule.check.programs import Program, load_program
from chainrule.check.roles import Roles, lost_at, roles_of
from chainrule.check.statements import renamed_at
from chainrule.check.symmetry import equal_units
from chainrule.check.truncation import cut_steps
from chainrule.check.values import is_misused
from chainrule.check.verdicts import CANNOT_TELL, NO_GRADIENT, NO_UPDATE, RIGHT, WHOLE
from chainrule.check.witness import Witness
from chainrule.errors import ChainruleError

__all__ = ["Watch", "main"]

_LOOKED_AT = (0, 3)
"""The iterations of each loop that are traced: the first, and one in which nothing is fresh."""
_MOST_SECONDS, _LEAST_SECONDS, _ALL_SECONDS = 8, 2, 20
"""How long a copy may take: no longer than is left of what all of them may, but that at least."""


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
            self._write({"loop": line, "iteration": 0, "reason": NO_GRADIENT})
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
        self._right += found.get("verdict") in RIGHT
        if "verdict" in found and not found["implied"]:
            self._own.add(loop)
        if found.get("reason") == WHOLE:
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
        computes = loop in self._own
        how = How(self.matches, self.locates, minimised, named=self.loss is not None, own=computes)
        roles, compared = concluded(trace, roles, how)
        found = self.found(trace, roles, compared)
        if found.get("verdict") not in RIGHT and trace.begins_whole(roles.loss):
            found = {"reason": WHOLE}
        found |= _seen(trace, roles)
        self._write({"loop": loop, "iteration": count, **found})
        os._exit(0)

    def found(self, trace: Trace, roles: Roles, compared: Compared | None) -> dict[str, Any]:
        """What is to be written down of an iteration."""
        if compared is None:
            return {"reason": roles.reason or "all gradients are 0"}
        if compared.verdict == CANNOT_TELL:
            name = compared.loss or "the loss that was found"
            reason = f"{NO_UPDATE} is made of the gradient of {name}"
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


def _seen(trace: Trace, roles: Roles) -> dict[str, Any]:
    """What else keeps the iteration from learning; that it cannot be told is no harm."""
    with suppress(Exception):
        return {"units": equal_units(trace, roles), "cut": cut_steps(trace, roles)}
    return {}


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, ChainruleError) else f"{type(error).__name__}: {error}"


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


if __name__ == "__main__":
    main()
