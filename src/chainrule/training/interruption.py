"""Ctrl-C: finish the step, then stop; a second one stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "interruptible"]


class Interruption:
    """Whether Ctrl-C was pressed."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def interruptible() -> Generator[Interruption]:
    """Note Ctrl-C while the block runs instead of raising KeyboardInterrupt.

    Signals reach the main thread only; in another thread nothing is changed. Nor is it in a process
    that ignores Ctrl-C, such as one in a shell's background.
    """
    interruption = Interruption()
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or before in (signal.SIG_IGN, None):
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
