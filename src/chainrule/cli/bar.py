"""The progress bars: what is done, the loss, and the time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from chainrule.cli.screen import duration

__all__ = ["Bar", "runs_bar"]


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


def runs_bar(output: Console) -> Progress:
    """A bar of runs that are done, with the time left."""
    return Progress(
        BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan"),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} runs"),
        _TimeLeft(),
        console=output,
        transient=True,
        auto_refresh=False,
    )


class Bar:
    """A bar below the lines, gone again at the end."""

    def __init__(self, output: Console, epochs: int, start: int) -> None:
        self._epochs = epochs
        self._start = start
        self._task = TaskID(0)
        self._progress = Progress(
            BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TextColumn("loss {task.fields[loss]}"),
            _TimeLeft(),
            console=output,
            transient=True,
            auto_refresh=False,
        )

    def begin(self) -> None:
        """Draw it for the first time."""
        self._progress.start()
        self._task = self._progress.add_task(
            "", total=self._epochs, completed=self._start, loss="…"
        )

    def move(self, done: int, loss: str) -> None:
        """Draw it as it is now."""
        self._progress.update(self._task, completed=done, loss=loss, refresh=True)

    def stop(self) -> None:
        """Take it away."""
        self._progress.stop()
