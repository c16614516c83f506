"""What was made for one run and serves the next one like it, in the same process.

Tracing a step takes a few milliseconds and making its code ready a few more, which is longer than
many a small network trains. Only what depends on nothing but its key is remembered: graphs of a
`Network` whose parts all have names, with an optimiser and losses that have names too.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["Remembered"]

Thing = TypeVar("Thing")


class Remembered:
    """The things made last, by their keys.

    >>> squares = Remembered(most=2)
    >>> squares.get(3, lambda: 9), squares.get(3, lambda: 10)
    (9, 9)
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._things: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """What was made for a key, or is made now."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key]  # type: ignore[return-value]  # made for this very key
        made = make()
        with self._lock:
            self._things[key] = made
            while len(self._things) > self._most:
                self._things.popitem(last=False)
        return made
