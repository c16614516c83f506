"""Running a program as a script, watched and within limits; how it ended is written down."""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import builtins
import json
import linecache
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from chainrule.check.hooks import HOOK, with_hooks
from chainrule.check.optimisers import follow_optimisers
from chainrule.check.programs import Program
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.check.running import Watch

__all__ = ["execute", "limit"]

_LARGEST_FILE = 2**30


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
