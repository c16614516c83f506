"""`chainrule sweep` as it is typed: in processes that are interrupted, killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from chainrule.cli import main

PROGRAM = Path(sys.executable).with_name("chainrule")


def typed(*arguments: str, folder: Path | None = None, code: int = 0) -> str:
    where = [] if folder is None else ["--save", str(folder)]
    result = CliRunner().invoke(main, ["sweep", *arguments, *where])
    assert result.exit_code == code, result.output
    return result.output


def begun(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [str(PROGRAM), "sweep", *arguments, "--save", str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder.parent
    )


def results(folder: Path) -> pl.DataFrame:
    frame = pl.concat(
        [pl.read_parquet(p) for p in folder.glob("*.parquet")], how="diagonal_relaxed"
    )
    return frame.drop("seconds").sort("setting", "seed")


def wait_for_parts(folder: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(list(folder.glob("*.parquet"))) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_grid_is_swept_shown_and_kept(tmp_path):
    options = ["xor", "--seeds", "100", "--hidden", "2,3", "--learning-rate", "0.5", "--epochs",
               "3000"]  # fmt: skip
    output = typed(*options, folder=tmp_path / "runs")
    lines = output.splitlines()
    assert lines[0] == (
        "xor: 2 settings, seeds 0 to 99, 200 runs; a run succeeds at a loss of 0.01 within 3,000 "
        "epochs"
    )
    assert lines[2].split() == [
        "hidden", "reached", "95", "%", "interval", "runs", "epochs", "until", "10", "%", "to",
        "90", "%",
    ]  # fmt: skip
    assert "0, ½, 1, ½" in output
    found = json.loads(typed(*options, "--json", folder=tmp_path / "runs"))
    frame = results(tmp_path / "runs")
    for number, setting in enumerate(found["settings"]):
        runs = frame.filter(pl.col("setting") == number)
        assert setting["setting"]["hidden"] == [2 + number]
        assert setting["reached"] == int(runs["reached"].sum())
        assert setting["runs"] == 100
        assert sum(end["runs"] for end in setting["ends"]) == 100 - setting["reached"]
    assert "All runs were done before" in typed(*options, folder=tmp_path / "runs")


def test_a_run_is_the_one_that_train_does(tmp_path):
    typed("xor", "--seeds", "5:8", "--epochs", "500", folder=tmp_path / "runs")
    frame = results(tmp_path / "runs")
    assert frame["seed"].to_list() == [5, 6, 7]
    for seed, loss in zip(frame["seed"], frame["loss"], strict=True):
        arguments = ["train", "xor", "--seed", str(seed), "--epochs", "500", "--json"]
        run = json.loads(CliRunner().invoke(main, arguments).output)
        assert run["loss"] == pytest.approx(loss, rel=1e-14)


def test_layers_names_and_ranges(tmp_path):
    few = ["xor", "--seeds", "3", "--epochs", "5"]
    layers = [*few, "--hidden", "3x2", "--activation", "tanh,tanh/sigmoid"]
    wrong = [*layers, "--optimizer", "adam,momentum(momentum=0.8, heavy=True)"]
    assert "heavy" in typed(*wrong, folder=tmp_path / "no", code=2)
    right = [*layers, "--optimizer", "adam,momentum(momentum=0.8)"]
    assert "4 settings" in typed(*right, folder=tmp_path / "right")
    drawn = [*few, "--learning-rate", "0.1..1", "--search", "random", "--trials", "4"]
    assert "4 settings" in typed(*drawn, folder=tmp_path / "drawn")
    assert len(set(results(tmp_path / "drawn")["learning_rate"])) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xor", "--seeds", "0"], "'0' is no number of seeds"),
        (["xor", "--seeds", "9:3"], "'9:3' is no number of seeds"),
        (["xor", "--hidden", "2,,3"], "empty value between its commas"),
        (["xor", "--learning-rate", "1..0.1"], "is empty: a range goes from less to more"),
        (["xor", "--learning-rate", "0.1..1"], "--learning-rate 0.1..1 is a range"),
        (["xor", "--learning-rate", "x"], "'x' is not a number"),
        (["xor", "--learning-rate", "0.1,-1"], "--learning-rate"),
        (["xor", "--search", "random"], "--search random needs --trials N"),
        (["xor", "--trials", "3"], "--search grid takes all"),
        (["xor", "--workers", "2", "--cluster", "x:1"], "give one of them"),
        (["xor", "--workers", "0"], "--workers"),
        (["nothing.csv"], "nothing.csv"),
        (["xor", "--plot", "x.txt"], "--plot"),
        (["xor", "--stop-loss", "0.1"], "No such option"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    output = typed(*arguments, code=2)
    assert message in " ".join(output.split())
    assert "Traceback" not in output


def test_a_picture_is_drawn(tmp_path):
    path = tmp_path / "curves.png"
    typed("xor", "--seeds", "20", "--hidden", "2,3", "--plot", str(path), folder=tmp_path / "runs")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_optuna_chooses_the_same_settings_again(tmp_path):
    pytest.importorskip("optuna")
    options = ["xor", "--seeds", "20", "--learning-rate", "0.05..2", "--hidden", "2,3", "--search",
               "tpe", "--trials", "4", "--epochs", "500", "--json"]  # fmt: skip
    first = json.loads(typed(*options, folder=tmp_path / "runs"))
    again = json.loads(typed(*options, folder=tmp_path / "runs"))
    assert len(first["settings"]) == 4
    assert first == again
    rates = [each["setting"]["learning_rate"] for each in first["settings"]]
    assert all(0.05 <= rate <= 2 for rate in rates)
    assert len(set(rates)) == 4


GRID = ["xor", "--seeds", "4000", "--hidden", "2,3"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pl.DataFrame:
    """The results of a sweep that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "runs"
    typed(*GRID, folder=folder)
    return results(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_the_same_command_goes_on(tmp_path, whole, sent):
    if sent == signal.SIGINT and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        pytest.skip("this process ignores Ctrl-C")
    folder = tmp_path / "runs"
    process = begun(folder, *GRID)
    wait_for_parts(folder, 2)
    process.send_signal(sent)
    output, _ = process.communicate(timeout=60)
    kept = len(results(folder))
    assert 0 < kept < 8000
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert "The same command goes on from here." in output
    typed(*GRID, folder=folder)
    assert results(folder).equals(whole)
    assert not list(folder.glob(".*.part"))
