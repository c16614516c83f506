#!/usr/bin/env python
"""How many small mistakes in right training programs `chainrule check` finds.

    python benchmarks/mutations.py                  400 mutants; about half an hour on two cores
    python benchmarks/mutations.py --count 40       fewer
    python benchmarks/mutations.py --json FILE      every mutant and what was said of it
    python benchmarks/mutations.py --write          and the table into docs/mutations.md

The programs are the right ones of tests/programs. The same seed gives the same mutants, as long as
the programs stay the same and the same lines of them are seen to be gradients.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mutations import report
from mutations.judging import Mutant, drawn, judged
from mutations.programs import FOLDER, Subject, right_programs, subject_of

DOCUMENT = Path(__file__).parents[1] / "docs" / "mutations.md"


class Benchmark:
    """One run of the command, with so many processes at a time as there are cores."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.subjects: list[Subject] = []
        self.mutants: list[Mutant] = []
        self.began = time.monotonic()

    def run(self) -> None:
        """Check the right programs, then mutants until there are enough that count."""
        paths = right_programs()
        if self.options.programs:
            paths = [FOLDER / each for each in self.options.programs.split(",")]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for subject in pool.map(subject_of, paths):
                self.subjects.append(subject)
                done = len(self.subjects)
                self._tell(f"{done} of {len(paths)} right programs checked", done)
            self.began = time.monotonic()
            counted = 0
            for mutant in self._judged(pool):
                self.mutants.append(mutant)
                counted += mutant.is_counted
                self._tell(self._progress(counted), len(self.mutants))
                if counted == self.options.count:
                    break
            pool.shutdown(cancel_futures=True)
        self._tell("", 0)

    def _judged(self, pool: ThreadPoolExecutor) -> Iterator[Mutant]:
        """Mutants in the order in which they were drawn, some of them under way."""
        waiting: list[Future[Mutant]] = []
        for subject, change in drawn(self.subjects, self.options.seed):
            waiting.append(pool.submit(judged, subject, change, self.options.repair_seconds))
            if len(waiting) > 2 * (os.cpu_count() or 1):
                yield waiting.pop(0).result()
        for each in waiting:
            yield each.result()

    def _progress(self, counted: int) -> str:
        taken, count = time.monotonic() - self.began, self.options.count
        left = taken / counted * (count - counted) / 60 if counted else 0
        found = sum(each.is_found for each in self.mutants if each.is_counted)
        return f"{counted} of {count} mutants, {found} found, about {left:.0f} min left"

    def _tell(self, text: str, number: int) -> None:
        """The line of the progress, or where nobody looks on, every twentieth one."""
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif number % 20 == 0 and text:
            print(text, file=sys.stderr, flush=True)

    def show(self) -> None:
        """The table, on standard output."""
        print(report.wrong_table(self.mutants))
        for sentence in report.sentences(self.subjects, self.mutants):
            print(f"\n{sentence}")

    def write(self) -> None:
        """The table, into the documentation."""
        options = self.options
        command = f"python benchmarks/mutations.py --count {options.count} --seed {options.seed}"
        text = report.document(
            self.subjects, self.mutants, f"{command} --write", options.repair_seconds
        )
        DOCUMENT.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="so many mutants that are wrong")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", help="of some programs only, with commas between")
    parser.add_argument("--repair-seconds", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true")
    benchmark = Benchmark(parser.parse_args(arguments))
    benchmark.run()
    benchmark.show()
    options = benchmark.options
    if options.json is not None:
        found = [each.to_json() for each in benchmark.mutants]
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    if options.write:
        benchmark.write()


if __name__ == "__main__":
    main()
