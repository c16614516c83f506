"""Whether a changed program trains as the one it was, found out by running both.

Nothing of `chainrule check` has a part in this: the programs run as they are, once for what they
print and once for the first changes of their parameters.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ALIKE", "EQUIVALENT", "FACTOR", "WRONG", "Behaviour", "behaviour_of", "compared"]

EQUIVALENT, ALIKE, FACTOR, WRONG = "equivalent", "alike", "factor", "wrong"
SAME, NEARLY, PROPORTIONAL = 1e-9, 1e-3, 1e-6
"""Relative to a change: as good as the same; nearly the same; a multiple of it."""
_SECONDS = 60.0
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\b(?:nan|inf)\b")


@dataclass(frozen=True)
class Change:
    """A parameter's new value, and the line that has changed it (0 for its first value)."""

    parameter: int
    line: int
    value: Any


@dataclass(frozen=True)
class Behaviour:
    """What a program prints, and the first changes of its parameters, by the functions it runs."""

    output: str
    changes: dict[str, list[Change]]

    @property
    def function(self) -> str | None:
        """The outermost function in which all parameters are seen to change."""
        seen = {
            name: len({each.parameter for each in changes if each.line})
            for name, changes in self.changes.items()
        }
        return max(seen, key=lambda name: seen[name]) if any(seen.values()) else None

    def updates(self) -> set[int]:
        """The lines that change a parameter more than once: not those that set it up."""
        lines = [each.line for each in self.changes.get(self.function or "", ()) if each.line]
        return {line for line in lines if lines.count(line) > 1}


def behaviour_of(text: str, parameters: Sequence[str], folder: Path) -> Behaviour | None:
    """Run a program's text in a folder; None where it fails."""
    program, target = folder / "program.py", folder / "changes.json"
    program.write_text(text, encoding="utf-8")
    target.unlink(missing_ok=True)
    printed = _run([str(program)], folder)
    if printed is None:
        return None
    recording = str(Path(__file__).with_name("recording.py"))
    _run([recording, str(program), str(target), *parameters], folder)
    changes = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    return Behaviour(printed, {name: list(map(_change, each)) for name, each in changes.items()})


def _change(raw: tuple[int, int, str, Any]) -> Change:
    parameter, line, dtype, value = raw
    return Change(parameter, line, np.array(value, dtype))


def _run(command: Sequence[str], folder: Path) -> str | None:
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            cwd=folder,
            env={**os.environ, **threads, "MPLBACKEND": "agg"},
        )
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else done.stdout


def compared(right: Behaviour, other: Behaviour) -> str:
    """What a program does beside the one it was.

    *equivalent*: it prints the same and changes its parameters alike. *alike*: its first steps are
    those of the other but for a thousandth, as where an optimiser evens a factor out. *factor*:
    its first step is a positive multiple of the other's, the same for every parameter. *wrong*: all
    else.
    """
    if _first_difference(right, other, SAME) is None:
        return EQUIVALENT if _prints_the_same(right.output, other.output) else WRONG
    step = _first_difference(right, other, NEARLY)
    if step is None:
        return ALIKE
    factor = _factor(*step[0])
    alike = factor > 0 and all(_is_multiple(factor, *change) for change in step)
    return FACTOR if alike else WRONG


def _prints_the_same(right: str, other: str) -> bool:
    """Whether two texts are the same but for roundings of their numbers."""
    if _NUMBER.sub("#", right) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(right), _NUMBER.findall(other), strict=True)
    return all(np.isclose(float(a), float(b), SAME, 1e-12, equal_nan=True) for a, b in pairs)


Step = list[tuple[Any, Any, Any]]
"""Of each parameter: its value, and its next one in the one program and in the other."""


def _first_difference(right: Behaviour, other: Behaviour, tolerance: float) -> Step | None:
    """The first step in which they part; None where there is none."""
    function = right.function or ""
    ours, theirs = _steps(right.changes.get(function, [])), _steps(other.changes.get(function, []))
    now: dict[int, Any] = {}
    for own in ours:
        found = next(theirs, {})
        step = [(now.get(i), own.get(i), found.get(i)) for i in {**own, **found}]
        if any(not _is_near(*change, tolerance) for change in step):
            return [(a, a if b is None else b, a if c is None else c) for a, b, c in step]
        now |= own
    return None


def _steps(changes: list[Change]) -> Iterator[dict[int, Any]]:
    """The new values of some parameters, up to where one of them changes once more."""
    step: dict[int, Any] = {}
    for change in changes:
        if change.parameter in step:
            yield step
            step = {}
        step[change.parameter] = change.value
    # The last step may lack what was not written down any more, so it is left out.


def _is_near(before: Any, right: Any, other: Any, tolerance: float) -> bool:
    if right is None or other is None or right.size != other.size:
        return False
    other = other.reshape(right.shape)  # axes of length 1 more or fewer change no number
    size = np.abs(right - before).max() if before is not None else 0.0
    return bool(np.abs(right - other).max() <= tolerance * size + _rounding(right))


def _factor(before: Any, right: Any, other: Any) -> float:
    """By which number a change is to be multiplied to be the other one, if by any."""
    if before is None or not before.shape == right.shape == other.shape:
        return 0.0
    step, found = (right - before).astype(float), (other - before).astype(float)
    return float(np.vdot(step, found) / np.vdot(step, step)) if step.any() else 0.0


def _is_multiple(factor: float, before: Any, right: Any, other: Any) -> bool:
    if before is None or not before.shape == right.shape == other.shape:
        return False
    step, found = (right - before).astype(float), (other - before).astype(float)
    allowed = PROPORTIONAL * factor * np.abs(step).max() + _rounding(right, other)
    return bool(np.abs(found - factor * step).max() <= allowed)


def _rounding(*values: Any) -> float:
    """What may be lost in a few operations on numbers of this size and kind."""
    sizes = [float(np.abs(each).max()) * 8 * _epsilon(each) for each in values]
    return max(sizes) if np.isfinite(sizes).all() else 0.0


def _epsilon(value: Any) -> float:
    return float(np.finfo(value.dtype).eps) if value.dtype.kind == "f" else 1e-16
