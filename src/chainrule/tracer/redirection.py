"""What is changed in NumPy's and SciPy's namespaces while a trace runs, in any thread."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from chainrule.tracer import numpy_functions, scipy_functions

__all__ = ["redirected"]

_lock = threading.Lock()
_running = 0


@contextmanager
def redirected() -> Generator[None]:
    """Let functions that no protocol reaches look for traced arguments while the block runs."""
    global _running
    with _lock:
        _running += 1
        if _running == 1:
            numpy_functions.install()
            scipy_functions.install()
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                scipy_functions.remove()
                numpy_functions.remove()
