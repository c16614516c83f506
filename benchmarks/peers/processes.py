"""XOR as whole processes from the shell: the notebook as a script, and ours with and without cache.

Each is started, imports what it needs, trains, prints and ends. "Uncached" starts with an empty
folder for compiled code.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from peers.problems import problem_of
from peers.sides import Side
from peers.works import XOR

FOLDER = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("chainrule")
LIMIT = 0.7
COMPILATION_LIMIT = 0.1
TOLERANCE = 1e-9
COMMANDS: dict[str, list[Any]] = {
    "notebook": [sys.executable, FOLDER.parent / "notebook.py"],
    "script": [sys.executable, FOLDER / "own_script.py"],
    "chainrule train xor": [PROGRAM, "train", "xor"],
}


def measure(repeat: int) -> dict[str, Any]:
    """Seconds of every process, the best and the median, and of compilation by itself."""
    times: dict[str, list[float]] = {}
    weights: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as filled:
        for turn in range(repeat + 1):
            for name, command in COMMANDS.items():
                kinds = ["cached"] if name == "notebook" else ["cached", "uncached"]
                for kind in kinds:
                    with tempfile.TemporaryDirectory() as empty:
                        folder = filled if kind == "cached" else empty
                        seconds, printed = _run(command, folder, empty)
                    label = name if name == "notebook" else f"{name}, {kind}"
                    if turn:  # the first turn fills caches: of files, of bytecode, of code
                        times.setdefault(label, []).append(seconds)
                    weights[label] = _weights(printed)
    return {
        "processes": {
            label: {"best_seconds": min(each), "median_seconds": statistics.median(each)}
            for label, each in times.items()
        },
        "compilation_seconds": compilation(repeat),
        "limit": LIMIT,
        "compilation_limit": COMPILATION_LIMIT,
        "failures": _differences(weights),
    }


def _run(command: list[Any], cache: str, folder: str) -> tuple[float, str]:
    environment = {**os.environ, "CHAINRULE_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    done = subprocess.run(
        command, check=True, cwd=folder, env=environment, capture_output=True, text=True
    )
    return time.perf_counter() - began, done.stdout


def _weights(printed: str) -> Any:
    last = printed.splitlines()[-1].split()
    return np.array(last[1:], float) if last and last[0] == "weights" else None


def _differences(weights: dict[str, Any]) -> list[str]:
    """Where a script's weights are not the notebook's."""
    wanted = weights["notebook"]
    found = {
        label: float(np.max(np.abs(each - wanted)))
        for label, each in weights.items()
        if each is not None
    }
    return [
        f"process, {label}: a weight differs by {apart:.1e} from the notebook's"
        for label, apart in found.items()
        if not apart <= TOLERANCE
    ]


def compilation(repeat: int) -> float:
    """Seconds to compile XOR's steps in a fresh process without a cache: the best of several."""
    times = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as empty:
            os.environ["CHAINRULE_CACHE"] = empty
            try:
                with Side("ours", "one") as side:
                    times.append(side.ask("compilation", problem_of(XOR)))
            finally:
                del os.environ["CHAINRULE_CACHE"]
    return min(times)
