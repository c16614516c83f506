"""Native code touches no memory but its arrays': one element too far ends a process.

`guarded` runs it in a process of its own, on arrays beside pages that cannot be read or written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("code"))


def run(cache: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.kernels.guarded", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=ROOT,
        env={**os.environ, "CHAINRULE_CACHE": cache},
    )


@pytest.mark.parametrize("side", ["end", "begin"])
def test_nothing_beside_the_arrays_is_touched(side: str, cache: str) -> None:
    found = run(cache, side)
    lines = found.stdout.splitlines() or ["nothing"]
    assert found.returncode == 0, f"it ended during: {lines[-1]}\n{found.stderr[-3000:]}"
    assert lines[-1] == "all ran"


@pytest.mark.parametrize("side", ["end", "begin"])
def test_what_is_beside_them_cannot_be_touched(side: str, cache: str) -> None:
    found = run(cache, "touch", side)
    assert found.returncode in (-signal.SIGSEGV, -signal.SIGBUS), found
