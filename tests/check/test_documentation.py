"""The guide shows what the program prints."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli import main
from chainrule.cli.commands import check

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^`\$ chainrule (check [^`\n]+)`\n```text\n(.*?)^```$", GUIDE, re.M | re.S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")
@pytest.mark.parametrize(("command", "printed"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_guide_shows_what_is_printed(command: str, printed: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(main, shlex.split(command)).stdout == printed


def test_there_is_an_example_for_every_verdict() -> None:
    kinds = ("exact", "constant factor", "sign convention", "not this loss", "wrong", "cannot tell")
    verdicts = GUIDE.partition("\n## Verdicts\n")[2].partition("\n## ")[0]
    parts = re.split(r"^\*\*(.+?)\*\*: ", verdicts, flags=re.M)[1:]
    assert tuple(parts[::2]) == kinds
    assert all("`$ chainrule check " in part for part in parts[1::2])
    assert len(SHOWN) == len(kinds) + 1  # one of a loss that is not computed


def test_every_option_is_in_the_guide() -> None:
    options = {each for parameter in check.params for each in parameter.opts if each[:2] == "--"}
    assert options == set(re.findall(r"^\| `(--[\w-]+)", GUIDE, re.M))
