"""What a training run shows: the heading, a line now and then, a progress bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from chainrule.training import Epoch

__all__ = ["Screen", "console", "duration", "number", "percent"]

_LINES = 10
_SECONDS_BETWEEN_DRAWINGS = 0.1
_ANY_WIDTH = 10_000
_GAPS = ("   ", "  ", " ")


def console(*, error: bool = False) -> Console:
    """A console that keeps numbers plain, wraps nothing in files, and respects NO_COLOR."""
    stream = sys.stderr if error else sys.stdout
    made = Console(stderr=error, highlight=False, markup=False, emoji=False)
    if not stream.isatty():
        made.width = _ANY_WIDTH
        made.soft_wrap = True
    return made


def number(value: float) -> str:
    """A loss with four decimals, or with three digits where those would hide it."""
    if value != value:
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4f}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as a percentage; all right and almost all right look different."""
    if value == 1:
        return "100 %"
    return f"{min(100 * value, 99.9):.1f} %"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.0123), duration(4.56), duration(75), duration(7384)
    ('12 ms', '4.6 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


class _TimeLeft(ProgressColumn):
    """The time that is left, in the words that the rest uses."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The time left, once there is a guess."""
        left = task.time_remaining
        if left is None:
            return Text("")
        words = f"{max(round(left), 1)} s" if left < 59.5 else duration(left)
        return Text(f"{words} left", style="dim")


class Screen:
    """The callback that shows a run while it goes on.

    On a terminal a bar shows the epochs, the loss and the time left; everywhere a line is printed
    each tenth of the epochs.
    """

    def __init__(
        self, output: Console, epochs: int, score: str, start: int, opening: Callable[[], None]
    ) -> None:
        self.output, self.opening = output, opening
        self.every = max(1, epochs // _LINES)
        self.width = len(f"{max(epochs - 1, 0):,}")
        self.epochs = epochs
        self.score = score
        self.start = start
        self._drawn = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Screen:
        if sys.stdout.isatty() and self.output.is_terminal and not self.output.is_dumb_terminal:
            self._bar = Progress(
                BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan"),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
                TextColumn("loss {task.fields[loss]}"),
                _TimeLeft(),
                console=self.output,
                transient=True,
                auto_refresh=False,
            )
        return self

    def begin(self) -> None:
        """Print the heading and draw the bar, now that training begins."""
        self.opening()
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                "", total=self.epochs, completed=min(self.start, self.epochs), loss="…"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, epoch: Epoch) -> None:
        """Show an epoch that is done."""
        if epoch.number % self.every == 0:
            self.output.print(self.line(epoch.number, epoch.values))
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._drawn > _SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            self._bar.update(
                self._task, completed=epoch.number + 1, loss=number(epoch.loss), refresh=True
            )

    def line(self, epoch: int, values: dict[str, Any]) -> str:
        """An epoch as a line, closer together where the window is narrow."""
        parts = [f"Epoch {epoch:>{self.width},}", f"loss {number(values['loss']):<8}"]
        if "validation_loss" in values:
            parts.append(f"held out {number(values['validation_loss']):<8}")
        if "validation_score" in values:
            score = values["validation_score"]
            shown = percent(score) if self.score == "accuracy" else f"{score:.4f}"
            parts.append(f"{self.score} {shown}")
        lines = [gap.join(parts).rstrip() for gap in _GAPS]
        lines.append(" ".join(" ".join(parts).split()))
        return next((line for line in lines if len(line) <= self.output.width), lines[-1])
