"""A sweep while it runs: chunks sized to seconds, each written as it comes, on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.sweep.chunks import Chunk, Results, train_chunk
from chainrule.sweep.plan import Plan
from chainrule.sweep.store import Store
from chainrule.training.interruption import interruptible

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Progress", "Sizes", "Sweep", "run_sweep"]

SECONDS_EACH = 2.0
"""How long a chunk is to take: what Ctrl-C may lose, and long beside what starting one costs."""
_FIRST_RUNS = 64
_GROWTH = 8
_MOST_RUNS = 65_536
Progress = Callable[[int, int], object]
"""Called with the runs that are done, and how many there are."""


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended: its plan, the folder it is kept in, and whether it was interrupted.

    ``seconds`` is the time that this start took, ``new`` how many runs it did.
    """

    plan: Plan
    store: Store
    seconds: float
    new: int
    interrupted: bool

    def frame(self) -> pl.DataFrame:
        """What became of each run."""
        return self.store.frame()


class Sizes:
    """How many runs the next chunk of a setting is to have, by how long those before took."""

    def __init__(self, seconds: float = SECONDS_EACH) -> None:
        self._seconds = seconds
        self._runs: dict[int, int] = {}

    def of(self, setting: int) -> int:
        """The number of runs for a chunk of this setting."""
        return self._runs.get(setting, _FIRST_RUNS)

    def learn(self, results: Results) -> None:
        """Note how long a chunk took."""
        setting, count = results.chunk.setting, len(results)
        fitting = math.ceil(count * self._seconds / max(results.seconds, 1e-6))
        self._runs[setting] = max(1, min(fitting, _GROWTH * count, _MOST_RUNS))


def run_sweep(plan: Plan, folder: Path, progress: Progress | None = None) -> Sweep:
    """Do what is still to do of a sweep, and keep it in a folder.

    Ctrl-C ends it after what is in training; the same call goes on. Raises what `Store` and
    `chainrule.training.preparing.prepare` raise.
    """
    store = Store(folder, plan)
    began = time.monotonic()
    gaps = list(store.gaps())
    done = plan.runs - sum(gap.count for gap in gaps)
    start, sizes, interrupted = done, Sizes(), False
    with interruptible() as interruption:
        for gap in gaps:
            at = gap.first
            while at < gap.first + gap.count and not interrupted:
                count = min(sizes.of(gap.setting), gap.first + gap.count - at)
                results = train_chunk(
                    plan.settings[gap.setting],
                    Chunk(gap.setting, at, count),
                    plan.goal,
                    progress=_beyond(progress, done, plan.runs),
                    stop=lambda: interruption.asked,
                )
                if results is None or interruption.asked:
                    interrupted = True
                if results is None:
                    break
                store.write(results)
                sizes.learn(results)
                done, at = done + count, at + count
                if progress is not None:
                    progress(done, plan.runs)
            if interrupted:
                break
    return Sweep(plan, store, time.monotonic() - began, done - start, interrupted)


def _beyond(progress: Progress | None, done: int, runs: int) -> Callable[[int], object] | None:
    return None if progress is None else lambda more: progress(done + more, runs)
