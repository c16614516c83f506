"""What a training run shows: the heading, a line now and then, a progress bar on a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from chainrule.training import Epoch

__all__ = ["Screen", "console", "duration", "number", "percent"]

_LINES = 10
_SECONDS_BETWEEN_DRAWINGS = 0.1


def console(*, error: bool = False) -> Console:
    """A console that keeps numbers plain, wraps nothing in files, and respects NO_COLOR."""
    made = Console(stderr=error, highlight=False, soft_wrap=True, markup=False, emoji=False)
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
    """A time for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


class Screen:
    """The callback that shows a run while it goes on.

    On a terminal a bar shows the epochs, the loss and the time left; everywhere a line is printed
    each tenth of the epochs.
    """

    def __init__(self, output: Console, epochs: int, score: str) -> None:
        self.output = output
        self.every = max(1, epochs // _LINES)
        self.width = len(f"{max(epochs - 1, 0):,}")
        self.epochs = epochs
        self.score = score
        self._drawn = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Screen:
        if self.output.is_terminal and not self.output.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("  "),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("loss {task.fields[loss]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=self.output,
                transient=True,
                auto_refresh=False,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self.epochs, loss="…")
        return self

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
        """An epoch as a line."""
        text = f"Epoch {epoch:>{self.width},}   loss {number(values['loss'])}"
        if "validation_loss" in values:
            text += f"   held out {number(values['validation_loss'])}"
        if "validation_score" in values:
            score = values["validation_score"]
            shown = percent(score) if self.score == "accuracy" else f"{score:.4f}"
            text += f"   {self.score} {shown}"
        return text
