"""One iteration of a user's own training program, as a traced step."""

from __future__ import annotations

import json
import math
from pathlib import Path

from chainrule.check import check_program
from chainrule.check.sandbox import MEMORY, run_module
from chainrule.errors import GradientError, SettingError
from chainrule.explain.stored import restored
from chainrule.explain.tracing import Traced

__all__ = ["trace_program"]


def trace_program(
    path: str | Path, iteration: int | None = None, *, loss: str | None = None, timeout: float = 60
) -> tuple[Traced, str]:
    """The forward pass of a program's iteration, its exact gradients, and its update; a title.

    Without ``iteration`` it is one that `chainrule.check.check_program` compared. The program runs
    as it does there, twice: in a process of its own and a copy of its folder.

    Raises DataError for a file that is no program, GradientError where the program's step cannot be
    followed, and SettingError for an iteration that its loop does not have.
    """
    if iteration is not None and iteration < 0:
        raise SettingError(f"epoch={iteration} is out of range: iterations count from 0.")
    check = check_program(path, loss=loss, timeout=timeout, repair_seconds=0)
    step = check.step
    if step is None:
        raise GradientError(f"{path}: its training step cannot be explained. {check.summary}")
    number = step.iteration if iteration is None else iteration
    arguments = [f"--loop={step.loop}", f"--iteration={number}"]
    named = loss or check.loss
    if named and named.isidentifier():
        arguments.append(f"--loss={named}")
    files = run_module(
        Path(path),
        "chainrule.explain.following",
        arguments,
        ["step.npz", f"{step.loop}-{number}.json"],
        seconds=timeout,
        memory=MEMORY,
    )
    written, said = files["step.npz"], files[f"{step.loop}-{number}.json"]
    where = f"the loop in {step.place}"
    if written:
        return restored(written), f"{Path(path).name}, iteration {number} of {where}"
    where = f"{path}, {where}"
    if not said:
        raise SettingError(
            f"{where}, did not come to iteration {number} within {_shown(timeout)} seconds, or has "
            "fewer iterations. They count from 0: ask for an earlier one."
        )
    reason = json.loads(said).get("reason", "it cannot be followed")
    raise GradientError(f"{where}: iteration {number} cannot be explained: {reason}.")


def _shown(seconds: float) -> str:
    return f"{math.floor(seconds)}" if seconds >= 1 else f"{seconds:g}"
