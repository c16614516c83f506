"""A copy of the process that waits at the moment it was made, until it is told to go on or to end.

An iteration is looked at in a copy from its beginning, but whether it is worth that is known at its
end: where the loop within it has shown all, following every one of its steps once more would only
take time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["WaitingCopy", "copied"]


@dataclass(frozen=True)
class WaitingCopy:
    """A copy of this process, and the pipe by which it is told."""

    process: int
    pipe: int

    def go(self, seconds: int) -> None:
        """Let it go on for at most some seconds, and wait for its end."""
        self._tell(max(1, min(seconds, 255)))

    def end(self) -> None:
        """Let it end."""
        self._tell(0)

    def _tell(self, seconds: int) -> None:
        # Where the program itself has waited for its processes, there is none left.
        with suppress(OSError):
            os.write(self.pipe, bytes([seconds]))
        os.close(self.pipe)
        with suppress(ChildProcessError):
            os.waitpid(self.process, 0)


def copied() -> WaitingCopy | int:
    """Copy the process: the copy, and in the copy the seconds that it may take, once it may."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(reading)
        return WaitingCopy(process, writing)
    os.close(writing)
    told = os.read(reading, 1)  # empty where the program was ended
    os.close(reading)
    if not told or not told[0]:
        os._exit(0)
    return told[0]
