"""Which of the required ratios were reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from peers.measuring import Measurement
from peers.sides import SHORT
from peers.works import REQUIREMENTS, Requirement


@dataclass
class Verdict:
    """A requirement with what was measured; ``theirs`` and ``ours`` are texts such as "1.2 ms"."""

    what: str
    than: str
    theirs: str
    ours: str
    ratio: str
    required: str
    reached: bool

    def facts(self) -> dict[str, Any]:
        """What is written to JSON."""
        return vars(self)


def of_works(measurements: list[Measurement], peaks: dict[str, float]) -> Iterator[Verdict]:
    """The verdicts of the works that were measured."""
    for measured in measurements:
        for each in REQUIREMENTS[measured.work.name]:
            if each.cores == measured.cores:
                verdict = _of_requirement(measured, each, peaks)
                if verdict is not None:
                    yield verdict


def _of_requirement(
    measured: Measurement, requirement: Requirement, peaks: dict[str, float]
) -> Verdict | None:
    work = measured.work
    ours = measured.timing("ours", requirement.ours)
    if ours is None:
        return None
    what = work.name if measured.cores == "one" else f"{work.name}, all cores"
    if requirement.side == "peak":
        peak = peaks[f"{measured.cores} {work.dtype}"]
        reached = measured.rate[f"ours {ours.variant}"]
        share = reached / peak
        texts = rate(peak), rate(reached), f"{share:.2f} of it"
        return Verdict(what, "measured peak", *texts, requirement.text, share >= requirement.ratio)
    theirs = measured.timing(requirement.side)
    if theirs is None:
        return None
    ratio = theirs.best / ours.best
    text = f"{1 / ratio:.2f} of its time" if requirement.ratio < 1 else times(ratio)
    return Verdict(
        f"{what} ({'whole call' if requirement.ours == 'train' else 'steps'})",
        SHORT[requirement.side],
        seconds(theirs.best) + (" (extrapolated)" if theirs.scale > 1 else ""),
        seconds(ours.best),
        text,
        requirement.text,
        ratio >= requirement.ratio,
    )


def of_processes(found: dict[str, Any]) -> Iterator[Verdict]:
    """The verdicts of whole processes, and of compilation."""
    best = {label: each["best_seconds"] for label, each in found["processes"].items()}
    notebook = best.pop("notebook")
    for label, ours in best.items():
        share = ours / notebook
        texts = seconds(notebook), seconds(ours), f"{share:.2f} of its time"
        required = f"at most {found['limit']:g} times its time"
        yield Verdict(
            f"xor, process: {label}", "notebook script", *texts, required, share <= found["limit"]
        )
    compiled, limit = found["compilation_seconds"], found["compilation_limit"]
    text = seconds(compiled)
    yield Verdict(
        "xor, compilation", "", "", text, "", f"at most {seconds(limit)}", compiled <= limit
    )


def of_memory(found: dict[str, Any]) -> Verdict:
    """The verdict of the run over rows on disk."""
    peak, growth, limit = found["epochs"][-1]["peak"], found["growth"], found["limit"]
    return Verdict(
        f"memory, {found['rows']:,} rows of {found['bytes'] // found['rows']} bytes on disk",
        "",
        "",
        f"peak {peak / 1e6:,.0f} MB, without the file's pages "
        f"{found['epochs'][-1]['own'] / 1e6:,.0f} MB",
        f"grows by {growth / 1e6:.2f} MB",
        f"by at most {limit / 1e6:.0f} MB after the first epoch",
        growth <= limit,
    )


def seconds(value: float) -> str:
    """A time in the unit that suits it, with three digits.

    >>> seconds(0.000547), seconds(0.0123), seconds(345.2)
    ('547 µs', '12.3 ms', '345 s')
    """
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if value < 999.5 * size:
            return f"{_three(value / size)} {unit}"
    return f"{_three(value)} s"


def rate(value: float) -> str:
    """Operations a second."""
    return f"{_three(value / 1e9)} Gflop/s"


def times(ratio: float) -> str:
    """How many times as fast we are."""
    return f"{_three(ratio)} ×"


def _three(number: float) -> str:
    if 0 < number < 0.0995:
        return f"{number:.2g}"
    decimals = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:,.{decimals}f}"
