"""How far a sweep is: a bar with the time left on a terminal, a line each tenth elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from chainrule.cli.screen import SECONDS_BETWEEN_DRAWINGS, Plain, can_draw, duration

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["RunsBar"]

_SECONDS_UNTIL_A_LINE = 2.0


class RunsBar:
    """Called with the runs that are done and how many there are, while it is entered."""

    def __init__(self, output: Plain | Console, runs: int) -> None:
        self._output, self._runs = output, runs
        self._began = self._drawn = time.monotonic()
        self._before: int | None = None
        self._tenths = 0
        self._bar: Any = None

    def __enter__(self) -> RunsBar:
        if can_draw(self._output):
            from chainrule.cli.bar import runs_bar  # here, as only a terminal has one

            self._bar = runs_bar(self._output)
            self._bar.start()
            self._task = self._bar.add_task("", total=self._runs)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, runs: int) -> None:
        """Show that so many are done."""
        now = time.monotonic()
        if self._before is None:
            self._before = done
        if self._bar is not None:
            if now - self._drawn > SECONDS_BETWEEN_DRAWINGS:
                self._drawn = now
                self._bar.update(self._task, completed=done, refresh=True)
            return
        tenths = 10 * done // max(runs, 1)
        if tenths > self._tenths and done < runs and now - self._began > _SECONDS_UNTIL_A_LINE:
            new = done - self._before
            left = (now - self._began) * (runs - done) / new if new > 0 else 0.0
            ending = f", {duration(left)} left" if new > 0 else ""
            self._output.print(f"{done:,} of {runs:,} runs{ending}")
        self._tenths = max(tenths, self._tenths)
