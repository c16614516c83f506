"""Compiled code on disk: shared by processes, and done without where it is damaged or forbidden."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import trace
from chainrule.kernels.whole import WholeProgram

PROGRAM = """
import numpy as np
from chainrule import trace
from chainrule.kernels.whole import WholeProgram
x = np.array([0.5, 1.5, 2.5])
for k in range(1, 6):
    print(repr(WholeProgram(trace(lambda x: np.sum(np.tanh(x) * k), x))(x)[0].item()))
"""


def answer(x: np.ndarray) -> float:
    return float(WholeProgram(trace(lambda x: np.sum(np.exp(x)), x))(x)[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "code"))
    return tmp_path / "code"


def test_code_is_kept_and_found_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([1.0, 2.0])
    first = answer(x)
    (file,) = folder.iterdir()
    before = file.stat().st_mtime_ns
    # With the emitter gone, only what is on disk can give the answer.
    monkeypatch.setattr("chainrule.kernels.machine._compile", None)
    assert answer(x) == first
    assert file.stat().st_mtime_ns == before
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text"])
def test_damaged_code_is_compiled_anew(folder: Path, damage: str) -> None:
    x = np.array([1.0, 2.0])
    first = answer(x)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 0xFF
    file.write_bytes(
        {"cut": content[:-40], "changed": bytes(changed), "empty": b"", "text": b"no code"}[damage]
    )
    assert answer(x) == first
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file" / "code"))
    assert answer(np.array([0.0])) == 1.0


def test_processes_that_write_the_same_code_do_not_disturb_one_another(folder: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        for _ in range(4)
    ]
    printed = {process.communicate(timeout=120)[0] for process in running}
    assert {process.returncode for process in running} == {0}
    assert len(printed) == 1
    assert len(list(folder.iterdir())) == 5  # and nothing half written beside them
