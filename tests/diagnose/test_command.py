"""`chainrule diagnose`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli import main
from chainrule.diagnose import diagnose

PROGRAM = Path(sys.executable).with_name("chainrule")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def xor(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("xor") / "model"
    assert run("train", "xor", "--save", folder)[0] == 0
    return folder


def test_the_xor_run_in_words(xor):
    code, out, _ = run("diagnose", xor)
    assert code == 0
    said = " ".join(out.split())
    assert "✗ Crawling toward an infimum at infinity (proved)" in said
    assert "Hidden units 1 and 2 of layer 1 tend to 1 for 01 and 11" in said
    assert "the weights of x2" in said
    assert "the outputs tend to 0, ½, 1, ½ and the loss to 0.125 = 1/8" in said
    assert "+ 3 hidden units" in said


def test_the_xor_run_as_json(xor):
    code, out, _ = run("diagnose", xor, "--json", "--time", "0")
    data = json.loads(out)
    assert code == 0
    assert data["verdicts"][0]["name"] == "infinity"
    assert data["advice"] == []
    assert data["measures"]["spectrum"]["index"] == 0
    assert data["measures"]["tied_outputs"] == [[1, 3]]
    assert set(data["measures"]["gradient"]) == {"W1", "b1", "W2", "b2"}


def test_what_is_advised_works_when_it_is_typed(xor, tmp_path):
    advice = [each for each in diagnose(xor, time=60).advice if each.helped and each.option]
    assert advice
    for each in advice:
        out = run("train", "xor", *each.option.split())[1]
        # A share of all seeds reach the goal; the option with a seed is one that did.
        if each.option.startswith("--seed") or each.result.share == 1:
            assert "XOR was learned." in out


def test_train_says_why_in_a_line_before_its_last():
    lines = run("train", "xor")[1].splitlines()
    assert lines[-2] == (
        "Crawling toward an infimum at infinity: the outputs tend to 0, ½, 1, ½ and the loss to "
        "1/8."
    )
    assert "why" in json.loads(run("train", "xor", "--json")[1])


def test_other_data_can_be_named(xor):
    code, out, _ = run("diagnose", xor, "and", "--time", "0")
    assert code == 0
    assert "on 4 rows" in out


def test_what_cannot_be_diagnosed_is_refused_in_one_sentence(xor, tmp_path):
    for arguments in ((tmp_path / "none",), (xor, "sine"), (xor, tmp_path / "none.csv")):
        code, out, err = run("diagnose", *arguments)
        assert (code, out) == (2, ""), arguments
        assert err.startswith("Error: ")
        assert "Traceback" not in err


def test_it_answers_in_a_process_of_its_own(xor):
    result = subprocess.run(
        [PROGRAM, "diagnose", xor, "--time", "1"], capture_output=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stderr
    assert "infimum at infinity" in result.stdout
