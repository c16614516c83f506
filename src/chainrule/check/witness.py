"""What is seen of a program while it runs, beside the iterations that are traced.

Facts alone, by the lines of `Program.text`; what they mean is said by
`chainrule.check.observations`. None of them costs an iteration more than a few dozen nanoseconds.
"""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from chainrule.check.frames import kinds_at, resolve
from chainrule.check.names import taken_names
from chainrule.check.overflows import Overflows
from chainrule.check.statements import Looping, assigned_names, names_read, steps_of

__all__ = ["Witness"]

_LOSS = re.compile(r"(?i)^(\w+_)?(loss|cost|mse|nll)$")


class Witness:
    """Which lines were reached, how often the loops ran, and what was the first nan or infinity."""

    def __init__(self, tree: ast.Module, file: str, results: Path) -> None:
        self._tree, self._file, self._results = tree, file, results
        self._loops = {n.lineno: n for n in ast.walk(tree) if isinstance(n, Looping)}
        self._reached: set[int] = set()
        self.reached = self._reached.add
        self._turns: Counter[int] = Counter()
        self._seen: dict[int, int] = {}  # the turns that a loop had when it ended last
        self._full: Counter[int] = Counter()  # how often a loop was run with iterations
        self._empty: Counter[int] = Counter()  # and how often without
        self._used_up: dict[int, str] = {}
        self._known: tuple[int, set[int]] = 0, set()
        self._taken = taken_names(tree)
        self._before: dict[int, dict[str, Any]] = {}
        self.overflows = Overflows(tree, file, self._watched)

    def before(self, loop: int, frame: FrameType) -> None:
        """The loop in this line takes a name for its counter: what it stands for till then."""
        if loop in self._before:
            return
        value = resolve(ast.Name(self._taken[loop].name, ast.Load()), frame)
        if type(value) is int:
            self._before[loop] = {"number": value}
        elif isinstance(value, np.ndarray) and value.ndim and value.size > 1:
            node = self._loops[loop]
            read = (resolve(ast.Name(name, ast.Load()), frame) for name in names_read(node))
            arrays = [each for each in read if isinstance(each, np.ndarray) and each is not value]
            alike = any(each.shape[:1] == value.shape[:1] for each in arrays)
            self._before[loop] = {"shape": list(value.shape), "alike": alike}

    def _meet(self, loop: int, frame: FrameType) -> None:
        """Whether the counter was computed with arrays that have the rows of what it took over."""
        before = self._before[loop]
        names = {name for each in self._taken[loop].others for name in names_read(each)}
        for value in (resolve(ast.Name(name, ast.Load()), frame) for name in names):
            if isinstance(value, np.ndarray) and before.get("alike"):
                before["met"] = value.shape[:1] == tuple(before["shape"][:1]) or before.get("met")

    def begin(self, loop: int, frame: FrameType) -> int:
        """An iteration of the loop in this line begins; how many there were before."""
        count = self._turns[loop]
        self._turns[loop] = count + 1
        if self.overflows.waiting and loop in self._training():
            self.overflows.look(loop, frame, count - 1)
        return count

    def end(self, loop: int, frame: FrameType) -> None:
        """The loop in this line has ended."""
        turns = self._turns[loop]
        if self.overflows.waiting and loop in self._training():
            self.overflows.look(loop, frame, turns - 1)
        if loop in self._before:
            self._meet(loop, frame)
        if turns != self._seen.get(loop, 0):
            self._seen[loop] = turns
            self._full[loop] += 1
            return
        self._empty[loop] += 1
        if self._full[loop] == 1 and loop not in self._used_up:
            self._used_up[loop] = self._exhausted(loop, frame)

    def _exhausted(self, loop: int, frame: FrameType) -> str:
        """What kind of iterator a loop has used up; "" where it goes over anything else."""
        node = self._loops.get(loop)
        if not isinstance(node, ast.For):
            return ""
        value = resolve(node.iter, frame)
        return type(value).__name__ if isinstance(value, Iterator) else ""

    def _traced(self) -> list[dict[str, Any]]:
        """What the copies have found so far of loops that train."""
        found: list[dict[str, Any]] = []
        for path in sorted(self._results.glob("*-0.json")):
            try:
                each = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if "verdict" in each:
                found.append(each)
        return found

    def _training(self) -> set[int]:
        """The lines of the loops that train: those that were found, or else have steps in them."""
        if self._known[0] != len(self._turns):  # a loop that has begun since may be one
            found = {each["loop"] for each in self._traced()}
            loops = [step.loop for step in steps_of(self._tree)]
            found = found or {(*loop.within, loop.node)[0].lineno for loop in loops}
            self._known = len(self._turns), found
        return self._known[1]

    def _watched(self) -> list[str]:
        """The parameters and the loss, by the paths and names that they have in the program."""
        steps = steps_of(self._tree)
        names = [ast.unparse(step.target) for step in steps]
        for loop in {(*step.loop.within, step.loop.node)[0] for step in steps}:
            names += filter(_LOSS.search, sorted(assigned_names(loop)))
        for each in self._traced():
            names += [*(parameter["name"] for parameter in each["parameters"]), each["loss"]]
        return [name for name in dict.fromkeys(names) if name]

    def failed(self, error: BaseException) -> dict[str, str]:
        """What the names stood for that the line read which failed."""
        return kinds_at(error, self._tree, self._file)

    def facts(self) -> dict[str, Any]:
        """What was seen, as plain data."""
        return {
            "reached": sorted(self._reached),
            "loops": {n: self._of_loop(n) for n in {*self._turns, *self._empty}},
            "used_up": self._used_up,
            "before": self._before,
            "spoiled": self.overflows.found,
        }  # fmt: skip

    def _of_loop(self, loop: int) -> dict[str, int]:
        turns, full, empty = self._turns[loop], self._full[loop], self._empty[loop]
        begun = full + empty + (turns != self._seen.get(loop, 0))  # it may not have ended
        return {"turns": turns, "begun": begun, "full": full}
