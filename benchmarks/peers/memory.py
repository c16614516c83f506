"""The memory of a run over rows that stay on disk: its peak does not grow from epoch to epoch.

    python -m peers.memory ROWS

What the array's own pages take while the system keeps them in memory is counted in the peak, and
is shown apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from peers.sides import BENCHMARKS

COLUMNS = 32
EPOCHS = 4
BATCH = 4096
GROWTH_LIMIT = 2_000_000
"""Bytes by which the peak may grow after the first epoch: what Python's own bookkeeping takes."""


def measure(rows: int) -> dict[str, Any]:
    """The run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "peers.memory", str(rows)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
    )
    return json.loads(done.stdout.splitlines()[-1])


def _resident() -> dict[str, int]:
    """Bytes in memory now and at most, and those of files, from the system."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    names = {"peak": "VmHWM", "own": "RssAnon", "files": "RssFile"}
    return {key: int(told[name].split()[0]) * 1024 for key, name in names.items()}


def _filled(path: Path, rows: int) -> None:
    """Numbers on disk, a part at a time."""
    import numpy as np

    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, rows, 100_000):
            part = rng.standard_normal((min(100_000, rows - start), COLUMNS + 1), np.float32)
            file.write(part.tobytes())


def run(rows: int) -> dict[str, Any]:
    """Train in this process, and look at its memory after each epoch."""
    import numpy as np

    from chainrule import Network, train

    with tempfile.TemporaryDirectory() as folder:
        inputs, targets = Path(folder) / "X", Path(folder) / "y"
        _filled(inputs, rows)
        X: Any = np.memmap(inputs, np.float32, "r", shape=(rows, COLUMNS))
        y: Any = np.memmap(targets, np.float32, "w+", shape=(rows, 1))
        y[...] = X[:, :1]
        y.flush()
        before = _resident()
        epochs: list[dict[str, int]] = []
        train(
            Network([COLUMNS, 16, 1]),
            X,
            y,
            epochs=EPOCHS,
            batch_size=BATCH,
            dtype="float32",
            callbacks=lambda _: epochs.append(_resident()),
        )
    return {
        "rows": rows,
        "bytes": rows * (COLUMNS + 1) * 4,
        "before": before,
        "epochs": epochs,
        "growth": epochs[-1]["peak"] - epochs[0]["peak"],
        "limit": GROWTH_LIMIT,
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
