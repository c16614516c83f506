#!/usr/bin/env python
"""Our training beside NumPy, PyTorch, JAX, scikit-learn, Numba and C, in one run.

    pip install -e '.[peers]'
    python benchmarks/peers.py                    everything; about half an hour
    python benchmarks/peers.py --quick            less of it; a few minutes
    python benchmarks/peers.py --only xor,wide    some works
    python benchmarks/peers.py --write README.md  and the tables, and the picture, into the docs

The sides train the same networks and take turns; what one computes is compared with the interpreter
and a difference fails the run. A peer that is not installed is left out. The works are xor,
population, small, digits-200, digits-10, images and wide; besides them there are process (XOR as
whole processes), memory (rows on disk) and sizes (the picture).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from peers import machine, memory, picture, processes, report, scaling, verdicts
from peers.measuring import Crew, Measurement, names_of
from peers.works import WORKS, cores_of, quick

ROOT = Path(__file__).parents[1]
BESIDES = ("process", "memory", "sizes")
ROWS, QUICK_ROWS = 10_000_000, 1_000_000


class Benchmark:
    """One run of the command: what it is asked for, and what it has found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.chosen = options.only.split(",") if options.only else [*WORKS, *BESIDES]
        self.seconds = 0.4 if options.quick else 2.0
        self.measurements: list[Measurement] = []
        self.peaks: dict[str, float] = {}
        self.versions: dict[str, str] = {}
        self.besides: dict[str, Any] = {}
        self.failures: list[str] = []

    def run(self) -> None:
        """Measure all that is asked for."""
        for cores in ("one", "all"):
            self._on(cores)
        if "process" in self.chosen:
            self._tell("processes")
            self.besides["process"] = found = processes.measure(3 if self.options.quick else 10)
            self.failures += found["failures"]
        if "memory" in self.chosen:
            self._tell("memory")
            self.besides["memory"] = memory.measure(QUICK_ROWS if self.options.quick else ROWS)

    def _on(self, cores: str) -> None:
        """The works that are measured on so many cores."""
        names = [
            name
            for name in WORKS
            if name in self.chosen and cores in cores_of(name, only_required=self.options.quick)
        ]
        sizes = cores == "one" and "sizes" in self.chosen
        if not names and not sizes:
            return
        with Crew(cores, names_of(self.options.sides), _pythons(self.options.python)) as crew:
            self.versions |= crew.versions
            for name in names:
                self._work(crew, name)
            if sizes:
                seconds = self.seconds / 4
                self.besides["sizes"] = found = scaling.sweeps(crew, seconds, self._tell)
                self.failures += found["failures"]

    def _work(self, crew: Crew, name: str) -> None:
        work = quick(WORKS[name]) if self.options.quick else WORKS[name]
        self._tell(f"{name}, {crew.cores}: {work.title}")
        crew.peak(work.dtype)
        measured = crew.measure(work, self.seconds, compiler=not self.options.quick)
        # What all cores do together, one of them does at least: elsewhere they were busy.
        alone = self.peaks.get(f"one {work.dtype}", 0.0)
        self.peaks[f"{crew.cores} {work.dtype}"] = max(alone, crew.peak(work.dtype))
        self.measurements.append(measured)
        self.failures += [f"{name}, {crew.cores}: {each}" for each in measured.failures]

    def _tell(self, text: str) -> None:
        print(text, file=sys.stderr)

    def verdicts(self) -> list[verdicts.Verdict]:
        """What was required of what was measured."""
        found = list(verdicts.of_works(self.measurements, self.peaks))
        if "process" in self.besides:
            found += verdicts.of_processes(self.besides["process"])
        if "memory" in self.besides:
            found.append(verdicts.of_memory(self.besides["memory"]))
        return found

    def facts(self) -> dict[str, Any]:
        """All of it, for JSON."""
        works = [
            {
                "work": each.work.name,
                "title": each.work.title,
                "cores": each.cores,
                "operations_of_a_step": each.operations,
                "steps": each.work.steps,
                "tolerance": each.tolerance,
                "operations_a_second": each.rate,
                "sides": [timing.facts() for timing in each.timings],
            }
            for each in self.measurements
        ]
        return {
            "machine": machine.facts(),
            "versions": self.versions,
            "peaks": self.peaks,
            "works": works,
            **self.besides,
            "required": [each.facts() for each in self.verdicts()],
            "failures": self.failures,
        }

    def write(self, readme: Path) -> None:
        """Into the README what was required, into the documentation every number."""
        drawing = None
        if "sizes" in self.besides:
            drawing = ROOT / "docs" / "benchmarks.svg"
            picture.drawn(self.besides["sizes"], drawing)
        name = drawing.name if drawing else None
        description = report.described(machine.facts(), self.versions, self.peaks)
        details = report.document(self.measurements, self.verdicts(), description, self.peaks, name)
        (ROOT / "docs" / "benchmarks.md").write_text(details, encoding="utf-8")
        shown = f"docs/{name}" if name else None
        section = report.readme_section(self.verdicts(), description, shown, "docs/benchmarks.md")
        report.written(readme, section)

    def show(self) -> None:
        """The tables, on standard output."""
        print(report.described(machine.facts(), self.versions, self.peaks))
        for each in self.measurements:
            peak = self.peaks[f"{each.cores} {each.work.dtype}"]
            print(f"\n{each.work.name}, {each.cores}: {each.work.title}")
            print(report.work_table(each, peak))
        if self.verdicts():
            print()
            print(report.verdict_table(self.verdicts()))


def _pythons(given: list[str]) -> dict[str, str]:
    """Interpreters for sides that are installed elsewhere: ``SIDE=PATH``."""
    return dict(each.split("=", 1) for each in given)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="WORKS", help="some of the works, with commas between")
    parser.add_argument("--sides", help="some of the sides, such as c_loops,jax_scan")
    parser.add_argument("--python", action="append", default=[], metavar="SIDE=PATH")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--write", type=Path, metavar="README.md")
    options = parser.parse_args()
    benchmark = Benchmark(options)
    unknown = set(benchmark.chosen) - {*WORKS, *BESIDES}
    if unknown:
        parser.error(f"no such work: {', '.join(sorted(unknown))}")
    benchmark.run()
    if options.json:
        print(json.dumps(benchmark.facts()))
    else:
        benchmark.show()
    if benchmark.failures:
        sys.exit("\n".join(["These failed:", *benchmark.failures]))
    if options.write is not None:
        benchmark.write(options.write)


if __name__ == "__main__":
    main()
