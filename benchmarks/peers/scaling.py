"""What a sample costs in a step, from the smallest sizes to large ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from peers import ours
from peers.measuring import Crew
from peers.problems import Work, problem_of
from peers.works import XOR

_OPERATIONS = 2e8
_MOST_STEPS = 1600
_BATCHES = 8

WIDTHS = (2, 8, 32, 128, 512, 2048)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
NETWORKS = (1, 10, 100, 1000, 10_000, 100_000)


def of_width(width: int) -> Work:
    """Two hidden layers of a width, in batches of 32."""
    return _work("width", (16, width, width, 1), 32)


def of_batch(batch: int) -> Work:
    """Hidden layers of 64, in batches of a size."""
    return _work("batch", (16, 64, 64, 1), batch)


def of_networks(networks: int) -> Work:
    """That many networks on XOR."""
    return replace(XOR, name="networks", networks=networks, epochs=200)


SWEEPS: dict[str, tuple[tuple[int, ...], Callable[[int], Work]]] = {
    "width": (WIDTHS, of_width),
    "batch": (BATCHES, of_batch),
    "networks": (NETWORKS, of_networks),
}


def _work(name: str, sizes: tuple[int, ...], batch: int) -> Work:
    """A work of so many steps that they take long enough and not too long."""
    work = Work(
        name,
        sizes,
        "tanh",
        "identity",
        "squared_error",
        "smooth",
        _BATCHES * batch,
        batch,
        epochs=1,
        dtype="float32",
        rate=0.01,
    )
    steps = min(_MOST_STEPS, _OPERATIONS / ours.operations(problem_of(work)))
    return replace(work, epochs=max(1, round(steps / _BATCHES)))


def sweep(crew: Crew, name: str, seconds: float) -> Iterator[tuple[int, dict[str, float], list]]:
    """For each size: ns for a sample in a step by each side, and what failed."""
    sizes, work_of = SWEEPS[name]
    for size in sizes:
        work = work_of(size)
        measured = crew.measure(work, seconds, compiler=False)
        each = work.steps * work.batch * max(work.networks, 1)
        costs: dict[str, float] = {}
        for timing in measured.timings:
            costs.setdefault(timing.side, 1e9 * timing.best / each)
        yield size, costs, measured.failures


def sweeps(crew: Crew, seconds: float, tell: Callable[[str], Any]) -> dict[str, Any]:
    """All sweeps: ``{"width": {"ours": [[size, ns], …], …}, …}``, and the failures."""
    results: dict[str, Any] = {"failures": []}
    for name in SWEEPS:
        lines: dict[str, list[list[float]]] = {}
        for size, costs, failures in sweep(crew, name, seconds):
            tell(f"{name} {size:,}: " + ", ".join(f"{k} {v:.3g} ns" for k, v in costs.items()))
            results["failures"] += failures
            for side, cost in costs.items():
                lines.setdefault(side, []).append([size, cost])
        results[name] = lines
    return results
