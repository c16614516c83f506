"""The tables in Markdown: the verdicts for the README, and every number for the documentation."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peers.measuring import Measurement
from peers.sides import SHORT
from peers.verdicts import Verdict, rate, seconds, times

BEGIN, END = "<!-- benchmarks: written by benchmarks/peers.py -->", "<!-- end of benchmarks -->"
ON = {"one": "one core", "all": "all cores"}


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown, aligned for reading as text too; all but the first column right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def row(cells: list[str]) -> str:
        padded = [
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if not i else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return "\n".join([row(lines[0]), row(rule), *map(row, lines[1:])])


def verdict_table(verdicts: list[Verdict]) -> str:
    """What is required and what was measured."""
    header = ("work", "beside", "theirs", "ours", "ratio", "required", "reached")
    return table(
        header,
        (
            (v.what, v.than, v.theirs, v.ours, v.ratio, v.required, "yes" if v.reached else "no")
            for v in verdicts
        ),
    )


def work_table(measured: Measurement, peak: float) -> str:
    """Every side's times of a work."""
    ours = [each for each in measured.timings if each.side == "ours"]
    rows = []
    for each in measured.timings:
        reached = measured.rate[f"{each.side} {each.variant}"]
        ratios = [times(each.best / own.best) for own in ours]
        rows.append(
            (
                f"{SHORT[each.side]}: {each.variant}",
                seconds(each.best) + (" (extrapolated)" if each.scale > 1 else ""),
                seconds(statistics.median(each.times)),
                str(len(each.times)),
                seconds(each.first),
                *ratios,
                rate(reached),
                f"{100 * reached / peak:.1f} %",
                f"{each.error:.0e}",
            )
        )
    header = (
        *("side", "best", "median", "runs", "first run"),
        *(f"to ours: {own.variant}" for own in ours),
        *("operations", "of the peak", "difference"),
    )
    return table(header, rows)


def described(machine: dict[str, Any], versions: dict[str, str], peaks: dict[str, float]) -> str:
    """Where and with what it was measured."""
    measured = ", ".join(
        f"{rate(value)} in {key.split()[1]} on {ON[key.split()[0]]}" for key, value in peaks.items()
    )
    text = (
        f"Measured on {machine['processor']} ({machine['llvm_name']} to LLVM), "
        f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, with "
        f"{', '.join(versions.values())}."
    )
    if peaks:
        text += f" The measured peak, a large product of matrices, is {measured}."
    if was_busy(peaks, machine["cores"]):
        text += (
            " **Other programs ran on these cores meanwhile**, so the times are unsteady, and what "
            "is said of all cores is in doubt."
        )
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def was_busy(peaks: dict[str, float], cores: int) -> bool:
    """Whether all cores together did far less than each by itself, so others had used them."""
    pairs = [
        (peaks.get(f"one {kind}"), peaks.get(f"all {kind}")) for kind in ("float64", "float32")
    ]
    return any(one and together and together < 0.75 * cores * one for one, together in pairs)


EXPLAINED = """\
Every side trains the same network from the same weights on the same samples in the same order, and
its weights and losses at the end are compared with those of chainrule's interpreter. The sides take
turns, each in a process of its own; the best of their times counts. "Steps" is training with code
that is ready, as the others' is; "whole call" is `chainrule.train` from its arguments to its
result. Numbers are those of the run that wrote this, other machines have others."""

CAPTION = (
    "Nanoseconds for each sample of each step on one core, against the width of the hidden "
    "layers, the batch size and the number of networks"
)


def readme_section(
    verdicts: list[Verdict], description: str, picture: str | None, details: str | None
) -> str:
    """What stands between the README's markers."""
    parts = [EXPLAINED, description, verdict_table(verdicts)]
    if picture is not None:
        parts.append(f"![{CAPTION}]({picture})")
    end = f"Every time is in [{details}]({details}). " if details else ""
    parts.append(f"{end}`python benchmarks/peers.py` measures again.")
    return "\n\n".join(parts)


def document(
    measurements: list[Measurement],
    verdicts: list[Verdict],
    description: str,
    peaks: dict[str, float],
    picture: str | None,
) -> str:
    """Every number, for the documentation."""
    parts = ["# Benchmarks", EXPLAINED, description, METHOD, "## Required", verdict_table(verdicts)]
    if picture is not None:
        parts += ["## Cost against size", f"![{CAPTION}]({picture})"]
    for measured in measurements:
        what = (
            f"{measured.work.title}. A step has {measured.operations:,.0f} operations; a side may "
            f"differ from the reference by {measured.tolerance:.0e}."
        )
        parts += [
            f"## {measured.work.name}, {ON[measured.cores]}",
            textwrap.fill(what, 100, break_on_hyphens=False),
            work_table(measured, peaks[f"{measured.cores} {measured.work.dtype}"]),
            *_tried(measured),
        ]
    return "\n\n".join(parts) + "\n"


METHOD = """\
- *to ours* is the side's best time divided by ours: more than 1 means that we are faster.
- *first run* is the time to get ready and to run once, with all that is compiled.
- *operations* are those of a step's graph: 2mnk for a product of matrices, and one for every
  element of an elementwise operation or of what is summed; a call of `exp` is one too. The peak is
  that of NumPy's or PyTorch's product of 2048 × 2048 matrices, the faster of the two, in this run.
- *difference* is the largest difference from the reference of a weight, or of the loss of the last
  epoch, relative to the largest weight. It may be 50 roundings for each step. In float32 with relu
  it is that of 95 % of the weights: on which side of the kink a sum falls that is nearly 0 is then
  a matter of its rounding.
- Of each peer several forms are tried, and the fastest counts. scikit-learn draws an order of its
  own, and is compared in a run without. NumPy's time for a population is that of two networks,
  extrapolated.
- *one core*: the processes are tied to it."""


def _tried(measured: Measurement) -> list[str]:
    """The forms of the peers that were tried."""
    lines = []
    for each in measured.timings:
        if len(each.tried) > 1:
            forms = (
                f"{form} {seconds(value) if isinstance(value, float) else 'failed'}"
                for form, value in each.tried.items()
            )
            lines.append(f"{SHORT[each.side]}: {', '.join(forms)}.")
    text = f"Tried, in a first look: {' '.join(lines)}"
    return [textwrap.fill(text, 100, break_on_hyphens=False)] if lines else []


def written(path: Path, section: str) -> None:
    """Put the section between the markers of a file, which has to have them."""
    text = path.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{path.name} has no lines '{BEGIN}' and '{END}'")
    path.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}{after}", encoding="utf-8")
