"""Run a program and write down how its parameters change at first, and at which lines.

    python recording.py PROGRAM.py CHANGES.json EXPRESSION ...

The expressions are those of the parameters, as they may be written where the program trains. This
knows nothing of chainrule: Python tells it of every line, and it looks at the parameters.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

_CHANGES = 8
"""This many changes of each parameter are written down."""
_MOST_LINES = 300_000
"""After this many lines of the program it is enough, however little has changed."""


class Recorder:
    """Looks at expressions before each line of a program, in every function that has them."""

    def __init__(self, file: str, expressions: list[str]) -> None:
        self.file = file
        self.codes = [compile(each, "<parameter>", "eval") for each in expressions]
        self.states: dict[str, list[Any]] = {}
        self.changes: dict[str, list[tuple[int, int, Any]]] = {}
        self.enough = _CHANGES * len(expressions)
        self.line = self.lines = 0

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        """What Python calls at every line, as `sys.settrace` has it."""
        if frame.f_code.co_filename != self.file:
            return None
        if event in ("line", "return"):
            self._look(frame)
            self.line = frame.f_lineno
            self.lines += 1
            counts = map(len, self.changes.values())
            if self.lines > _MOST_LINES or max(counts, default=0) >= self.enough:
                raise Enough
        return self

    def _look(self, frame: Any) -> None:
        """What has changed since the line before, as each of the running functions sees it."""
        while frame is not None and frame.f_code.co_filename == self.file:
            name = frame.f_code.co_qualname
            names, globals_ = frame.f_locals, frame.f_globals
            try:
                values = [np.array(eval(code, globals_, names)) for code in self.codes]
            except (NameError, AttributeError, LookupError, TypeError, ValueError):
                values = []
            if values and all(each.dtype.kind in "fiu" for each in values):
                self._compare(name, values)
            frame = frame.f_back

    def _compare(self, name: str, values: list[Any]) -> None:
        if name not in self.states:
            self.changes[name] = [(i, 0, value) for i, value in enumerate(values)]
        else:
            for i, (old, new) in enumerate(zip(self.states[name], values, strict=True)):
                if not np.array_equal(old, new, equal_nan=True):
                    self.changes[name].append((i, self.line, new))
        self.states[name] = values


class Enough(BaseException):
    """Enough was seen; a program does not catch it by `except Exception`."""


def main() -> None:
    program, target, *expressions = sys.argv[1:]
    sys.argv = [program]
    code = compile(Path(program).read_text(encoding="utf-8"), program, "exec")
    recorder = Recorder(program, expressions)
    sys.settrace(recorder)
    try:
        exec(code, {"__name__": "__main__", "__file__": program})
    except (Enough, SystemExit):
        pass
    finally:
        sys.settrace(None)
    found = {
        name: [(i, line, str(value.dtype), value.tolist()) for i, line, value in changes]
        for name, changes in recorder.changes.items()
    }
    Path(target).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
