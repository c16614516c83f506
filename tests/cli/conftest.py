"""Running the program, in this process where that is enough."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli import main

PROGRAM = Path(sys.executable).with_name("chainrule")


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one message of a command that was refused."""
        assert self.code == 2, (self.out, self.err)
        assert self.out == ""
        assert self.err.startswith("Error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("Error: ").rstrip()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `chainrule` with arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ran:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


def environment(**more: str) -> dict[str, str]:
    """An environment for a process of its own."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


def table(path: Path, n: int = 120) -> Path:
    """A table of two numbers and a category, whose last column can be learned."""
    rng = np.random.default_rng(1)
    size, age = rng.normal(5, 2, n), rng.integers(20, 60, n)
    city = rng.choice(["Lyon", "Brest"], n)
    bought = np.where(size + (city == "Lyon") * 3 > 6.5, "yes", "no")
    rows = zip(size.round(3), age, city, bought, strict=True)
    path.write_text("size,age,city,bought\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows))
    return path


def numbers(path: Path, n: int = 60) -> Path:
    """A table of two numbers and a third, which is negative in some rows."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, 2)).round(4)
    lines = [f"{a},{b},{round(3 * a - b, 4)}\n" for a, b in rows]
    path.write_text("a,b,price\n" + "".join(lines))
    return path
