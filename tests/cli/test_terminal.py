"""What a person sees in a terminal: a bar, colours, lines that fit; and none of it elsewhere."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import PROGRAM, environment

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal of POSIX", allow_module_level=True)

import fcntl
import pty
import termios

STYLE = re.compile(r"\x1b\[([\d;]*)m")
COLOURS = re.compile(r"\x1b\[(?:\d+;)*(3[1-7]|38;|9[0-7])")
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def seen(folder: Path, *arguments: object, columns: int = 80, **more: str) -> str:
    """All that a command writes to a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = environment(**{"TERM": "xterm-256color", **more})
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        cwd=folder, stdin=slave, stdout=slave, stderr=slave, env=settings,
    )  # fmt: skip
    os.close(slave)
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    assert process.wait(60) in (0, 2)
    return b"".join(pieces).decode()


def lines(text: str) -> list[str]:
    """The lines that stay on the screen, without their colours."""
    return [CONTROL.sub("", line.rpartition("\r")[2] or line).strip("\r")
            for line in text.replace("\r\n", "\n").split("\n")]  # fmt: skip


def test_a_bar_shows_epochs_loss_and_time_left_while_it_goes_on(tmp_path):
    text = seen(tmp_path, "train", "moons", "--epochs", 20_000)
    assert re.search(r"[━╸╺]+", text)
    assert re.search(r"\d+ of 20,000", CONTROL.sub("", text))
    assert re.search(r"of 20,000 loss \d\.\d+ *\d+ s left", CONTROL.sub("", text))
    assert COLOURS.search(text)
    # The bar is wiped off at the end, and the cursor is shown again.
    assert text.rindex("\x1b[2K") > text.rindex(" of 20,000")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "20,000 epochs in" in text


def test_the_advice_is_sought_under_a_spinner(tmp_path):
    text = seen(tmp_path, "train", "xor", "--epochs", 3000)
    assert "Not learned yet: trying what helps" in text
    assert "XOR was not learned" in text


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_lines_fit_into_a_narrow_window(tmp_path, columns):
    for command in (
        ["train", "moons", "--epochs", 100, "--save", "model"],
        ["show", "model"],
        ["train", "xor", "--loss", "mse"],
    ):
        text = seen(tmp_path, *command, columns=columns)
        for line in lines(text):
            assert len(line) <= columns, line


@pytest.mark.parametrize("typed", [["--epochs", 60], ["--loss", "mse"]])
def test_no_word_is_cut_in_a_narrow_window(tmp_path, typed):
    def words(columns: int) -> set[str]:
        text = "\n".join(lines(seen(tmp_path, "train", "moons", *typed, columns=columns)))
        return set(re.findall(r"[^\W\d]{3,}", text)) - {"left"}

    assert words(50) == words(200)


def test_colours_only_where_they_are_wanted(tmp_path):
    assert COLOURS.search(seen(tmp_path, "train", "and", "--epochs", 2000))
    assert COLOURS.search(seen(tmp_path, "train", "and", "--lr", "fast"))
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not COLOURS.search(seen(tmp_path, "train", "and", "--epochs", 2000, **more))
        assert not COLOURS.search(seen(tmp_path, "train", "and", "--lr", "fast", **more))


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    assert "\x1b" not in seen(tmp_path, "train", "moons", "--epochs", 50, TERM="dumb")
    assert "\x1b" not in seen(tmp_path, "train", "xor", "--epochs", 50, TERM="dumb")


@pytest.mark.parametrize("more", [{}, {"FORCE_COLOR": "1"}])
def test_what_goes_into_a_file_has_no_bar(tmp_path, more):
    result = subprocess.run(
        [PROGRAM, "train", "moons", "--epochs", "50"],
        cwd=tmp_path, env=environment(**more), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stderr == ""
    assert "━" not in result.stdout
    assert CONTROL.sub("", result.stdout) == STYLE.sub("", result.stdout)
    assert more or "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 17


def test_long_lines_are_not_wrapped_in_a_file(tmp_path):
    result = subprocess.run(
        [PROGRAM, "train", "xor", "--epochs", "3000"],
        cwd=tmp_path, env=environment(COLUMNS="30"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.search(
        r"^XOR was not learned: .* Tried, and it was learned: .*$", result.stdout, re.M
    )


def test_a_terminal_without_unicode(tmp_path):
    ascii_only = environment(PYTHONIOENCODING="ascii")
    for command in (
        ["train", "sine", "--epochs", "20", "--save", "model"],
        ["show", "model"],
        ["predict", "model", "sine"],
    ):
        result = subprocess.run(
            [PROGRAM, *command], cwd=tmp_path, env=ascii_only, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert result.stdout.isascii()
    assert r"R\xb2 on 200 rows" in subprocess.run(
        [PROGRAM, "predict", "model", "sine"],
        cwd=tmp_path, env=ascii_only, capture_output=True, text=True,
    ).stderr  # fmt: skip
