"""Ctrl-C and `kill -9` in a real process; going on gives the bits of a run never interrupted."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule.training.models import Model

from .conftest import PROGRAM, environment

OPTIONS = ["moons", "--batch-size", "8", "--dropout", "0.1", "--optimizer", "momentum"]
EPOCHS = 600

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")


def finished(folder: Path, *arguments: object) -> str:
    program = [PROGRAM, "train", *map(str, arguments)]
    result = subprocess.run(program, cwd=folder, check=True, capture_output=True, text=True)
    return result.stdout


def begun(folder: Path, *arguments: object, until: str | None) -> subprocess.Popen[str]:
    """Start a run, and wait until it has printed a line."""
    process = subprocess.Popen(
        [PROGRAM, "train", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    for line in process.stdout if until is not None else ():
        if until in line:
            return process
    if until is None:
        return process
    raise AssertionError(process.communicate())


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    return out, err


def same_models(first: Path, second: Path) -> None:
    a, b = Model.load(first), Model.load(second)
    for name, array in a.parameters.items():
        assert array.tobytes() == b.parameters[name].tobytes()
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    finished(folder, *OPTIONS, "--epochs", EPOCHS, "--save", "model")
    return folder / "model"


@pytest.mark.parametrize("save", [None, "my models/kept one"])
def test_the_command_that_ctrl_c_prints_goes_on(tmp_path, whole, save):
    options = [] if save is None else ["--save", save]
    process = begun(tmp_path, *OPTIONS, "--epochs", EPOCHS, *options, until="Epoch  60")
    out, err = interrupted(process)
    assert err == ""
    said = re.search(
        r"epochs in .*, interrupted.*Kept in (.*)\. Go on with: (.*)\n$", out, re.DOTALL
    )
    assert said, out
    assert said[1] == (save or "moons-interrupted")
    subprocess.run(
        shlex.join([str(PROGRAM), *shlex.split(said[2])[1:]]),
        shell=True, cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    same_models(tmp_path / said[1], whole)


def test_a_second_folder_is_not_mixed_with_the_first(tmp_path):
    for folder in ("moons-interrupted", "moons-interrupted-2"):
        out, _ = interrupted(begun(tmp_path, *OPTIONS, "--epochs", 5000, until="Epoch   500"))
        assert f"Go on with: chainrule train --resume {folder}\n" in out


def test_json_is_whole_when_interrupted(tmp_path):
    process = begun(tmp_path, *OPTIONS, "--epochs", 200_000, "--json", until=None)
    time.sleep(2)
    out, err = interrupted(process)
    assert err == ""
    result = json.loads(out)
    assert result["stopped"] == "interrupted"
    assert result["saved"] == "moons-interrupted"
    assert len(result["history"]["loss"]) == result["epochs"] > 0


def test_a_second_ctrl_c_leaves_no_traceback(tmp_path):
    # Steps of a quarter of a second, the first of which the first Ctrl-C lets finish.
    long = ["--samples", 20_000, "--batch-size", 20_000, "--hidden", "200,200", "--validation", 0]
    process = begun(tmp_path, "moons", *long, "--save", "model", until="Adam at rate")
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    out, err = interrupted(process)
    # The second comes in the step, or in what follows it.
    assert err in ("", "Interrupted.\n") or err.startswith("Stopped at once. Go on from the last")
    assert "Traceback" not in out + err


@pytest.mark.parametrize("saved", [False, True])
def test_a_second_ctrl_c_stops_at_once(run, monkeypatch, saved):
    assert run("train", "moons", "--epochs", 1, "--save", "model").code == 0

    def pressed_twice(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.training.preparing.train", pressed_twice)
    result = run("train", "moons", *(["--save", "model"] if saved else []))
    assert result.code == 130
    assert result.err == (
        "Stopped at once. Go on from the last checkpoint: chainrule train --resume model\n"
        if saved
        else "Interrupted.\n"
    )


def test_ctrl_c_before_training_begins(tmp_path):
    os.mkfifo(tmp_path / "table.csv")
    process = begun(tmp_path, "table.csv", until=None)
    with (tmp_path / "table.csv").open("w"):  # opens once the program opens it to read
        out, err = interrupted(process)
    assert (out, err) == ("", "Interrupted.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("data", ["xor", "moons"])
def test_ctrl_c_between_calls_of_native_code_that_take_many_epochs(tmp_path, data):
    process = begun(tmp_path, data, "--epochs", 10**9, "--save", "cut", until="Epoch")
    time.sleep(0.1)
    interrupted(process)
    epochs = Model.load(tmp_path / "cut").record["epochs"]
    assert epochs > 100
    finished(tmp_path, data, "--epochs", epochs, "--save", "whole")
    same_models(tmp_path / "cut", tmp_path / "whole")
    finished(tmp_path, "--resume", "cut", "--epochs", epochs + 777)
    finished(tmp_path, data, "--epochs", epochs + 777, "--save", "more")
    same_models(tmp_path / "cut", tmp_path / "more")


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, whole):
    # The first checkpoint is written at the end of a first, short run; the kill comes in the next.
    finished(tmp_path, *OPTIONS, "--epochs", 50, "--save", "kept")
    process = begun(tmp_path, "--resume", "kept", "--epochs", EPOCHS, until="Epoch 300")
    process.kill()
    process.communicate(timeout=60)
    assert len(Model.load(tmp_path / "kept").history) == 50
    went_on = finished(tmp_path, "--resume", "kept", "--epochs", EPOCHS)
    assert "Going on from epoch 50 of the run in kept\n" in went_on
    same_models(tmp_path / "kept", whole)


def test_a_run_killed_at_any_moment_goes_on(tmp_path, whole):
    """A checkpoint is written after every epoch, and the kill may come while it is."""
    program = (
        "import chainrule.training.preparing as preparing\n"
        "from functools import partial\n"
        "preparing.train = partial(preparing.train, checkpoint_every=0.0)\n"
        "from chainrule.cli import main; main()"
    )
    typed = [*OPTIONS, "--epochs", str(EPOCHS), "--save", "kept"]
    for place in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", program, "train", *typed],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(),
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3 + 0.037 * place)
        process.kill()
        process.communicate(timeout=60)
        if (tmp_path / "kept" / "checkpoint.safetensors").exists():
            typed = ["--resume", "kept"]
    assert typed == ["--resume", "kept"]
    finished(tmp_path, *typed)
    same_models(tmp_path / "kept", whole)
