"""Where output goes, and what a run shows: a line now and then, a progress bar on a terminal.

rich is imported where there is a terminal, or a table to fold: it takes longer than many a run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeGuard

from chainrule.training import Epoch

if TYPE_CHECKING:
    from rich.console import Console

    from chainrule.cli.bar import Bar

__all__ = [
    "SECONDS_BETWEEN_DRAWINGS",
    "Plain",
    "Screen",
    "can_draw",
    "console",
    "duration",
    "number",
    "output_to",
    "percent",
]

_LINES = 10
SECONDS_BETWEEN_DRAWINGS = 0.1
_ANY_WIDTH = 10_000
_GAPS = ("   ", "  ", " ")


class Plain:
    """Output that no terminal shows: the text as it is, in no colour, of any width."""

    is_terminal = is_dumb_terminal = False
    width = _ANY_WIDTH

    def __init__(self, *, error: bool = False, quiet: bool = False) -> None:
        self.quiet = quiet
        self._error = error

    def print(self, text: str = "", *, style: str = "", soft_wrap: bool = True) -> None:
        """Print a text; the style and the wrapping are a terminal's."""
        if not self.quiet:
            print(text, file=sys.stderr if self._error else sys.stdout, flush=True)


def output_to(*, error: bool = False) -> Plain | Console:
    """Where to print: a console on a terminal, or where colours are asked for; or else plainly."""
    stream = sys.stderr if error else sys.stdout
    if stream.isatty() or os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE"):
        return console(error=error)
    return Plain(error=error)


def console(*, error: bool = False) -> Console:
    """A console that keeps numbers plain, wraps nothing in files, and respects NO_COLOR."""
    from rich.console import Console  # here, as `output_to` often needs none

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


def can_draw(output: Plain | Console) -> TypeGuard[Console]:
    """Whether a bar can be drawn there: on a terminal that moves its cursor."""
    if isinstance(output, Plain) or not output.is_terminal or output.is_dumb_terminal:
        return False
    return sys.stdout.isatty()


class Screen:
    """The callback that shows a run while it goes on.

    On a terminal a bar shows the epochs, the loss and the time left; everywhere a line is printed
    each tenth of the epochs.
    """

    def __init__(
        self,
        output: Plain | Console,
        epochs: int,
        score: str,
        start: int,
        opening: Callable[[], None],
    ) -> None:
        self.output, self.opening = output, opening
        self.every = max(1, epochs // _LINES)
        self.width = len(f"{max(epochs - 1, 0):,}")
        self.epochs = epochs
        self.score = score
        self.start = start
        self._drawn = 0.0
        self._bar: Bar | None = None

    def __enter__(self) -> Screen:
        if can_draw(self.output):
            from chainrule.cli.bar import Bar  # here, as only a terminal has one

            self._bar = Bar(self.output, self.epochs, min(self.start, self.epochs))
        return self

    def begin(self) -> None:
        """Print the heading and draw the bar, now that training begins."""
        self.opening()
        if self._bar is not None:
            self._bar.begin()

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
        if now - self._drawn > SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            self._bar.move(epoch.number + 1, number(epoch.loss))

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
