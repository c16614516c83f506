"""What a cluster costs a sweep: 1, 2 and 4 workers beside one process, on this machine.

    python benchmarks/sweep_workers.py [--seeds 60000] [--json FILE]

Overhead is the part of the workers' time that is not spent in training: one less the seconds that
chunks took, over the time that the sweep took times the number of workers. The start of the workers
is not in it and shown beside.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from chainrule.sweep import run_sweep
from chainrule.sweep.cluster import local_cluster, run_on_cluster
from chainrule.sweep.plan import grid_of
from chainrule.training.recipes import Recipe


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    plan = grid_of(Recipe("xor"), {}, first=0, count=options.seeds, goal=0.01)
    cores = len(os.sched_getaffinity(0))
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name:
        here = run_sweep(plan, Path(name) / "here")
        rows.append({"workers": "one process", "seconds": here.seconds})
        for workers in (1, 2, 4):
            began = time.monotonic()
            with local_cluster(workers) as client:
                start = time.monotonic() - began
                done = run_on_cluster(plan, Path(name) / str(workers), client)
            trained = float(done.frame()["seconds"].sum())
            # More workers than cores share them, and each chunk then takes as much longer.
            share = trained / (done.seconds * workers)
            rows.append(
                {
                    "workers": str(workers),
                    "seconds": done.seconds,
                    "start": start,
                    "overhead": 1 - share,
                }
            )
    print(f"{options.seeds:,} seeds of xor, {cores} cores")
    for row in rows:
        print(
            "  ".join(
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            )
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
