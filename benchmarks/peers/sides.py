"""The sides as processes: each has its own interpreter, threads and cores, and waits its turn."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1]
SIDES = ("ours", "c_loops", "numba_loops", "numpy_loop", "jax_scan", "pytorch", "scikit_learn")
SHORT = {
    "ours": "chainrule",
    "c_loops": "C",
    "numba_loops": "Numba",
    "numpy_loop": "NumPy",
    "jax_scan": "JAX",
    "pytorch": "PyTorch",
    "scikit_learn": "scikit-learn",
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class SideError(Exception):
    """A side said that something failed."""


class Absent(SideError):
    """What the side needs is not installed."""


def available_cores() -> list[int]:
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity is not None else list(range(os.cpu_count() or 1))


class Side:
    """A side in a process of its own, on one core or on all.

    On one core it is tied to it, which no library's threads can get around.
    """

    def __init__(self, name: str, cores: str, python: str | None = None, devices: int = 1) -> None:
        self.name = name
        chosen = available_cores() if cores == "all" else available_cores()[-1:]
        environment = _environment(len(chosen))
        if devices > 1:
            environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
        self._process: Any = subprocess.Popen(
            [python or sys.executable, "-m", "peers.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("PEERS_VERBOSE") else subprocess.DEVNULL,
            env=environment,
            preexec_fn=lambda: _stay_on(chosen),
        )

    def ask(self, method: str, *arguments: Any) -> Any:
        """The worker's answer."""
        try:
            pickle.dump((method, arguments), self._process.stdin)
            self._process.stdin.flush()
            kind, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            raise SideError(f"{self.name} ended unexpectedly") from None
        if kind != "answer":
            raise (Absent if kind == "absent" else SideError)(answer)
        return answer

    def close(self) -> None:
        """End the process, and wait until it has ended."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _stay_on(cores: list[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _environment(threads: int) -> dict[str, str]:
    """Threads as many as cores; no setting that would make a library choose a slower kernel."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(BENCHMARKS), *([given] if given else [])])
    environment = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "XLA_FLAGS"):
        environment.pop(name, None)
    return {**environment, **dict.fromkeys(_THREADS, str(threads))}
