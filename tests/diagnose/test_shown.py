"""A diagnosis as a page and as a picture."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli import main
from chainrule.diagnose import diagnose
from chainrule.diagnose.drawing import slice_of
from chainrule.diagnose.page import page
from chainrule.training.preparing import prepare
from chainrule.training.recipes import Recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "xor"
    prepare(Recipe("xor")).train().model.save(folder)
    return folder


def test_the_page_says_what_the_terminal_says(model):
    diagnosis = diagnose(model, time=1.0)
    text = page(diagnosis)
    assert text.startswith("<!doctype html>")
    assert "http" not in text.replace("http-equiv", "")
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))
    for verdict in diagnosis.verdicts:
        assert verdict.title in plain
        for sentence in verdict.evidence:
            assert sentence in plain
    assert diagnosis.advice
    for each in diagnosis.advice:
        assert f"{each.result.reached} of {each.result.tried}" in plain
        assert each.change in plain


def test_what_comes_from_a_name_is_no_markup(model, tmp_path):
    folder = tmp_path / "<script>alert(1)<"
    model.rename(folder)
    try:
        text = page(diagnose(folder, time=0))
    finally:
        folder.rename(model)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_plane_is_cut_where_the_run_stands(model):
    diagnosis = diagnose(model, time=0)
    found = slice_of(diagnosis)
    assert found is not None
    across, up, values, start = found
    calculus, v = diagnosis.subject.calculus, diagnosis.subject.v
    begun = calculus.vector(diagnosis.subject.start)
    assert start == pytest.approx(-np.linalg.norm(v - begun))
    # Between the two points of the grid beside it, the loss is about that of the run.
    row = int(np.argmin(np.abs(up)))
    along = np.interp(0.0, across, values[row])
    assert along == pytest.approx(calculus.loss(v), rel=0.05)
    assert np.interp(start, across, values[row]) == pytest.approx(calculus.loss(begun), rel=0.05)


def test_the_command_writes_both(model, tmp_path):
    html, plot = tmp_path / "why.html", tmp_path / "why.png"
    arguments = ["diagnose", str(model), "--time", "0", "--html", str(html), "--plot", str(plot)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"Page in {html}\nPicture in {plot}\n")
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "infimum at infinity" in html.read_text(encoding="utf-8")
    for option, name in (("--html", "why.txt"), ("--plot", "why.txt")):
        refused = CliRunner().invoke(main, ["diagnose", str(model), option, str(tmp_path / name)])
        assert refused.exit_code == 2
        assert "Traceback" not in refused.output
