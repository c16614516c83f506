"""One side in a process of its own, with its own threads: prepares problems and times their runs.

    python -m peers.worker SIDE

Requests and answers are pickled on standard input and output. Whatever a library prints goes to
standard error.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peers.problems import Problem

_SECONDS = 0.03
_MOST_RUNS = 30


@dataclass
class Variant:
    """A way to run a problem: ``run(fresh())`` is timed without ``fresh``; ``read`` gives a Result.

    ``scale`` is how often the run stands for: more than 1 where the time is extrapolated.
    """

    run: Callable[[Any], Any]
    read: Callable[[Any], Any]
    fresh: Callable[[], Any] = lambda: None
    scale: float = 1.0


class Worker:
    """Answers requests about one side."""

    def __init__(self, side: str, cores: int) -> None:
        self.side, self.cores = importlib.import_module(f"peers.{side}"), cores
        self.variants: dict[str, Variant] = {}

    def version(self) -> str:
        """What the side is."""
        return self.side.version()

    def prepare(self, problem: Problem) -> dict[str, Any]:
        """Make the variants, run each once, and say how long that took or why it failed."""
        self.variants = {}
        told: dict[str, Any] = {}
        for name, make in self.side.variants(problem, self.cores).items():
            began = time.perf_counter()
            try:
                variant = make()
                variant.read(variant.run(variant.fresh()))
            except Exception as error:  # whatever a peer raises is told, and the others go on
                told[name] = f"{type(error).__name__}: {error}".splitlines()[0]
                traceback.print_exc()
                continue
            told[name] = time.perf_counter() - began
            self.variants[name] = variant
        return told

    def run(self, name: str, once: bool = False) -> tuple[list[float], float]:
        """Times of some runs, and how often each stands for."""
        variant, times = self.variants[name], []
        while sum(times) < _SECONDS and len(times) < _MOST_RUNS:
            state = variant.fresh()
            began = time.perf_counter()
            variant.run(state)
            times.append(time.perf_counter() - began)
            if once:
                break
        return [each * variant.scale for each in times], variant.scale

    def result(self, name: str) -> Any:
        """What a run comes to."""
        variant = self.variants[name]
        return variant.read(variant.run(variant.fresh()))

    def check(self, problem: Problem) -> Any:
        """The result for a problem with its samples in order, if the side can only check that."""
        return self.side.check(problem) if hasattr(self.side, "check") else None

    def compilation(self, problem: Problem) -> float:
        """Seconds to make code for a problem; of our side alone."""
        return self.side.compilation(problem)

    def peak(self, dtype: str) -> float | None:
        """Floating-point operations a second in a large matrix product."""
        return self.side.peak(dtype) if hasattr(self.side, "peak") else None


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        worker: Any = Worker(sys.argv[1], cores or 1)
    except ImportError as error:
        worker = error
    while True:
        try:
            method, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            if isinstance(worker, ImportError):
                raise worker
            answer = ("answer", getattr(worker, method)(*arguments))
        except Exception as error:  # it is the answer; the worker goes on
            traceback.print_exc()
            kind = "absent" if isinstance(error, ImportError) else "error"
            answer = (kind, f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
