"""Runs the sides in turns, keeps their times, and compares what they computed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peers import ours
from peers.problems import Problem, Result, Work, problem_of
from peers.sides import SIDES, Absent, Side, SideError, available_cores

_PAUSE = 0.02
_FIRST_NETWORKS = 2
_SAFETY = 50
_KINKS = 2e-3


@dataclass
class Timing:
    """One side's times of a work."""

    side: str
    variant: str
    first: float
    """Seconds to prepare and run it for the first time, what it compiles included."""
    times: list[float] = field(default_factory=list)
    scale: float = 1.0
    error: float = 0.0
    """The largest difference from the reference, relative to the largest number there."""
    tried: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> float:
        """The least of its times, in seconds."""
        return min(self.times)

    def facts(self) -> dict[str, Any]:
        """What is written to JSON."""
        return {
            "side": self.side,
            "variant": self.variant,
            "best_seconds": self.best,
            "median_seconds": statistics.median(self.times),
            "runs": len(self.times),
            "first_seconds": self.first,
            "extrapolated": self.scale > 1,
            "difference": self.error,
            "variants_tried": self.tried,
        }


@dataclass
class Measurement:
    """A work on one core or on all: the sides' times, and what failed."""

    work: Work
    cores: str
    timings: list[Timing]
    operations: float
    tolerance: float
    failures: list[str]

    def timing(self, side: str, variant: str | None = None) -> Timing | None:
        """A side's timing, of one of its variants or of the first."""
        for each in self.timings:
            if each.side == side and variant in (None, each.variant):
                return each
        return None

    @property
    def rate(self) -> dict[str, float]:
        """Operations a second by the best time of each side."""
        total = self.operations * self.work.steps * max(self.work.networks, 1)
        return {f"{each.side} {each.variant}": total / each.best for each in self.timings}


def tolerance_of(work: Work) -> float:
    """How far a side may be from the reference: 50 roundings for every step, but never 5 %.

    In float32 now and then a sum is so near 0 that its rounding decides on which side of relu's
    kink it falls. Then an update differs by one sample's part of it, a hundredth of the whole, in
    sides that are both right; so there two thousandths of the largest weight are allowed.
    """
    rounding = min(_SAFETY * float(np.finfo(work.dtype).eps) * (work.steps + 10), 0.05)
    kinks = work.dtype == "float32" and work.activation == "relu"
    return max(rounding, _KINKS) if kinks else rounding


def difference(found: Result, wanted: Result) -> float:
    """The largest difference of any parameter or the loss, relative to the largest number."""
    pairs = list(zip(found.parameters, wanted.parameters, strict=True))
    largest = max(float(np.max(np.abs(b))) for _, b in pairs)
    apart = max(float(np.max(np.abs(a - b))) for a, b in pairs)
    loss = abs(found.loss - wanted.loss) / max(abs(wanted.loss), 1e-12)
    return max(apart / largest, loss)


class Crew:
    """The sides' processes, started when first needed, for one choice of cores."""

    def __init__(self, cores: str, names: Iterable[str], pythons: dict[str, str]) -> None:
        self.cores, self.names, self.pythons = cores, list(names), pythons
        self._stack = ExitStack()
        self._sides: dict[tuple[str, int], Side] = {}
        self.versions: dict[str, str] = {}
        self._peaks: dict[str, float] = {}

    def __enter__(self) -> Crew:
        for name in self.names:
            try:
                self.versions[name] = self.side(name).ask("version")
            except Absent:
                continue
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def side(self, name: str, networks: int = 0) -> Side:
        """A side's process; for populations JAX has a device for each core."""
        devices = 1
        if name == "jax_scan" and networks and self.cores == "all":
            devices = len(available_cores())
        key = name, devices
        if key not in self._sides:
            made = Side(name, self.cores, self.pythons.get(name), devices)
            self._sides[key] = self._stack.enter_context(made)
        return self._sides[key]

    def peak(self, dtype: str) -> float:
        """The measured peak: the fastest large product of any side so far, measured once more."""
        for name in self.versions:
            if name in ("numpy_loop", "pytorch"):
                found = self.side(name).ask("peak", dtype)
                self._peaks[dtype] = max(found, self._peaks.get(dtype, 0.0))
        return self._peaks[dtype]

    def measure(self, work: Work, seconds: float, *, compiler: bool = True) -> Measurement:
        """All sides' times of a work, in turns, ``seconds`` of running for each at most."""
        problem = problem_of(work, compiler=compiler)
        timings: list[Timing] = []
        failures: list[str] = []
        for name in self.versions:
            found, failed = self._prepared(name, problem)
            timings += found
            failures += failed
        self._in_turns(work, timings, seconds)
        result = Measurement(
            work, self.cores, timings, ours.operations(problem), tolerance_of(work), failures
        )
        self._check(problem, result)
        return result

    def _prepared(self, name: str, problem: Problem) -> tuple[list[Timing], list[str]]:
        """The side ready to run: our variants all, of a peer's the fastest."""
        side = self.side(name, problem.work.networks)
        try:
            told = side.ask("prepare", problem)
        except SideError as error:
            return [], [f"{name}: {error}"]
        failed = [f"{name}, {key}: {why}" for key, why in told.items() if isinstance(why, str)]
        timings = []
        for key, first in told.items():
            if isinstance(first, str):
                continue
            times, scale = side.ask("run", key, first > 2)
            timings.append(Timing(name, key, first, times, scale))
        if name == "ours" or not timings:
            return timings, failed
        chosen = min(timings, key=lambda each: each.best)
        chosen.tried = {each.variant: each.best for each in timings} | told_errors(told)
        return [chosen], [] if timings else failed

    def _in_turns(self, work: Work, timings: list[Timing], seconds: float) -> None:
        running = list(timings)
        while running:
            for timing in list(running):
                spent = sum(timing.times) / timing.scale
                if spent >= seconds and len(timing.times) >= 2:
                    running.remove(timing)
                    continue
                time.sleep(_PAUSE)
                side = self.side(timing.side, work.networks)
                long = timing.best / timing.scale > 0.3
                timing.times += side.ask("run", timing.variant, long)[0]

    def _check(self, problem: Problem, result: Measurement) -> None:
        """Compare every side with the interpreter; what differs is a failure."""
        few = min(problem.work.networks, _FIRST_NETWORKS)
        wanted = ours.reference(problem, few)
        for timing in result.timings:
            timing.error = self.apart(problem, timing.side, timing.variant, wanted)
            if not timing.error <= result.tolerance:
                result.failures.append(
                    f"{timing.side}, {timing.variant}: differs by {timing.error:.1e} from the "
                    f"reference; at most {result.tolerance:.1e} is allowed"
                )

    def apart(self, problem: Problem, name: str, variant: str, wanted: Result) -> float:
        """How far a prepared side's result is from the one wanted.

        scikit-learn draws its own order, so it and the interpreter run once more without one.
        """
        work = problem.work
        side = self.side(name, work.networks)
        if name == "scikit_learn":
            in_order = problem_of(work, shuffle=False)
            found = side.ask("check", in_order)
            kind = "adam(correction='rate')" if work.optimizer == "adam" else work.optimizer
            wanted = ours.reference(in_order, shuffle=False, optimizer=kind)
        else:
            found = side.ask("result", variant)
        if work.networks:
            found.parameters = [each[: len(wanted.parameters[0])] for each in found.parameters]
        return difference(found, wanted)


def told_errors(told: dict[str, Any]) -> dict[str, str]:
    """The variants that failed, and why."""
    return {key: why for key, why in told.items() if isinstance(why, str)}


def names_of(text: str | None) -> list[str]:
    """The sides that are to take part; ours always does."""
    chosen = set(text.split(",")) if text else set(SIDES)
    return [name for name in SIDES if name in chosen or name == "ours"]
