"""Ctrl-C and `kill -9` in a real process; going on gives the bits of a run never interrupted."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule.training.models import Model

from .conftest import PROGRAM

OPTIONS = ["moons", "--batch-size", "16", "--dropout", "0.1", "--optimizer", "adam"]
EPOCHS = ["--epochs", "1500"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")


def finished(folder: Path, *arguments: str) -> None:
    subprocess.run([PROGRAM, "train", *arguments], cwd=folder, check=True, capture_output=True)


def begun(folder: Path, *arguments: str, until: str) -> subprocess.Popen[str]:
    """Start a run and wait until it has printed a line."""
    process = subprocess.Popen(
        [PROGRAM, "train", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONUNBUFFERED": "1", "PATH": ""},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if until in line:
            return process
    raise AssertionError(process.communicate())


def same_models(first: Path, second: Path) -> None:
    a, b = Model.load(first), Model.load(second)
    for name, array in a.parameters.items():
        assert array.tobytes() == b.parameters[name].tobytes()
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()


@pytest.mark.parametrize("saved", [True, False])
def test_ctrl_c_keeps_what_was_learned_and_the_run_goes_on(tmp_path, saved):
    save = ["--save", "kept"] if saved else []
    process = begun(tmp_path, *OPTIONS, *EPOCHS, *save, until="Epoch   150")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in out
    said = re.search(r"Go on with: chainrule (train --resume (\S+))", out)
    assert said
    assert said[2] == ("kept" if saved else "moons-interrupted")
    subprocess.run([PROGRAM, *said[1].split()], cwd=tmp_path, check=True, capture_output=True)
    finished(tmp_path, *OPTIONS, *EPOCHS, "--save", "whole")
    same_models(tmp_path / said[2], tmp_path / "whole")


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    # The first checkpoint is written at the end of a first, short run; the kill comes in the next.
    finished(tmp_path, *OPTIONS, "--epochs", "100", "--save", "kept")
    process = begun(tmp_path, "--resume", "kept", "--epochs", "1500", until="Epoch   300")
    time.sleep(0.05)
    process.kill()
    process.communicate(timeout=30)
    finished(tmp_path, "--resume", "kept", *EPOCHS)
    finished(tmp_path, *OPTIONS, *EPOCHS, "--save", "whole")
    same_models(tmp_path / "kept", tmp_path / "whole")


def test_a_run_does_not_go_on_with_other_data_or_settings(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(30)))
    finished(tmp_path, "a.csv", "--epochs", "2", "--save", "kept")

    def refused(*arguments: str) -> str:
        result = subprocess.run(
            [PROGRAM, "train", "--resume", "kept", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 2
        return result.stderr

    assert "Only --epochs, --max-time and --stop-loss may change" in refused("--lr", "0.5")
    assert "The run in kept is on a.csv, and you name xor" in refused("xor")
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i + 1},{i % 2}\n" for i in range(30)))
    assert "The data has changed" in refused()
