"""What `chainrule check` says of repairs: the cause, the lines to write, and what they came to."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from chainrule.check.checks import Check
from chainrule.check.repairs import patch, write_repaired
from chainrule.errors import DataError, SettingError

__all__ = ["Fix", "repair_lines"]


def repair_lines(check: Check) -> Iterator[tuple[str, str]]:
    """The lines about the repairs of one program, each with the style that it is shown in."""
    repairs = check.repairs
    if not repairs.steps:
        if repairs.tried:
            yield f"No repair was found: {repairs.tried} edits were tried, and none held.", ""
        return
    for step in repairs.steps:
        yield f"Cause, {step.at}: {step.why}.", ""
    for line in repairs.derivation:
        yield f"  {line}", ""
    yield "", ""
    count = "This was" if len(repairs.steps) == 1 else f"These {len(repairs.steps)} changes were"
    loss = check.loss or "the loss"
    but = "" if check.factor == 1.0 else ", but for a factor of them all"
    yield f"{count} tried, and every gradient is then that of {loss}{but}:", "bold"
    program = check.program  # as it was checked: the file may be repaired by now
    assert program is not None
    for line in patch(program, repairs).splitlines()[2:]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        yield f"  {line}", style
    yield "", ""
    yield from ((text, "") for text in _evidence(check))


def _evidence(check: Check) -> Iterator[str]:
    """How far each gradient was from the exact one in the worst iteration, and is."""
    evidence = check.repairs.evidence
    names = list(dict.fromkeys(each.parameter for each in evidence))
    iterations = sorted({each.iteration + 1 for each in evidence})
    listed = " and ".join(str(each) for each in iterations)
    plural = "s" if len(iterations) > 1 else ""
    yield f"Relative error of the gradients, at worst in iteration{plural} {listed}:"
    worst = {
        name: (
            _worst([e.before for e in evidence if e.parameter == name]),
            _worst([e.after for e in evidence if e.parameter == name]),
        )
        for name in names
    }
    wrong = [name for name, (before, _) in worst.items() if not before <= check.tolerance]
    width = max(map(len, wrong), default=0)
    for name in wrong:
        yield f"  {name:<{width}}  {worst[name][0]:.1e} → {worst[name][1]:.1e}"
    if len(wrong) < len(names):
        largest = max(after for name, (_, after) in worst.items() if name not in wrong)
        yield f"  {'of the others':<{width}}  at most {largest:.1e}, as before"


def _worst(errors: list[float | None]) -> float:
    return max((math.inf if each is None else each for each in errors), default=math.inf)


class Fix:
    """Where the repaired program is to be written, if anywhere."""

    def __init__(self, program: Path, file: Path | None, *, in_place: bool) -> None:
        if file is not None and in_place:
            raise SettingError("--fix and --in-place cannot be given together.")
        self._program, self._file, self._in_place = program, file, in_place
        if file is None:
            return
        if file.is_dir():
            raise DataError(f"{file} is a folder: name a file in it to write to.")
        if file.exists() and file.samefile(program):
            raise DataError(f"{file} is the program itself: --in-place writes into it.")
        if file.exists():
            raise DataError(f"{file} is there already: name a file that is not.")
        kinds = (program.suffix, ".diff", ".patch")
        if file.suffix not in kinds:
            raise DataError(f"{file} is to end in {kinds[0]}, or in .diff or .patch for a diff.")
        if not file.absolute().parent.is_dir():
            raise DataError(f"There is no folder {file.parent} to write {file.name} to.")
        if not os.access(file.absolute().parent, os.W_OK):
            raise DataError(f"The folder {file.parent} cannot be written to: name another place.")

    def write(self, check: Check) -> str:
        """Write it; what to say of that, "" where nothing was asked for."""
        target = self._program if self._in_place else self._file
        if target is None:
            return ""
        if not check.repairs.steps or check.program is None:
            return f"{target} was not written, as there is no repair."
        write_repaired(check.program, check.repairs, target)
        return f"Written to {target}."
