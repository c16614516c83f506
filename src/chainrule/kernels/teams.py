"""Threads that run native code together: how many, and how they begin and end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from chainrule.kernels.emission import is_worth_sharing, work
from chainrule.kernels.schedule import Schedule

__all__ = ["CALL", "STEP", "in_team", "processors", "threads_worth"]

STEP, CALL = 8_000_000, 100_000_000
"""The operations that are worth another thread: of each of many steps, and of a lone call, for
which the threads are started."""


def threads_worth(schedule: Schedule, share: int) -> int:
    """How many threads kernels are worth by their size, with so many operations for each."""
    shared = [kernel for kernel in schedule.kernels if is_worth_sharing(kernel, schedule)]
    return max(1, sum(work(kernel, schedule) for kernel in shared) // share)


def processors() -> int:
    """How many processors this process may use now.

    They are those that it is bound to, and at most ``OMP_NUM_THREADS``, with which joblib, and so
    scikit-learn's ``n_jobs``, shares the processors out among processes.
    """
    found, asked = _available(), os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(asked)) if asked.isdecimal() and int(asked) else found


def _available() -> int:
    count: Callable[[], int | None] | None = getattr(os, "process_cpu_count", None)
    if count is None and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return (count or os.cpu_count)() or 1


def in_team(run: Callable[[int, int], int], threads: int) -> int:
    """The result of ``run(thread, team)`` in the first of several threads that run together.

    If the system gives fewer threads, the team is smaller. An interruption is raised when all have
    ended: none of them may be left waiting for another.
    """
    if threads == 1:
        return run(0, 1)
    results: dict[int, int] = {}
    begin, team, ends = threading.Event(), 0, list[threading.Event]()

    def join_in(number: int, end: threading.Event) -> None:
        try:
            begin.wait()
            if number < team:
                results[number] = run(number, team)
        finally:
            end.set()

    try:
        for number in range(threads):
            end = threading.Event()
            try:
                threading.Thread(target=join_in, args=(number, end)).start()
            except RuntimeError:
                break
            ends.append(end)
        team = len(ends)
    finally:
        begin.set()
        _wait_for(ends)
    return results[0] if ends else run(0, 1)


def _wait_for(ends: list[threading.Event]) -> None:
    """Wait for all of them, however often that is interrupted."""
    # Not with Thread.join: before Python 3.13 one that is interrupted takes the thread for ended.
    interruption: KeyboardInterrupt | None = None
    for end in ends:
        while not end.is_set():
            try:
                end.wait()
            except KeyboardInterrupt as error:
                interruption = error
    if interruption is not None:
        raise interruption
