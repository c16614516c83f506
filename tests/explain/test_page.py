"""The page of a derivation: what is in it, and what it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from chainrule.cli import main
from chainrule.errors import SettingError
from chainrule.explain import Derivation
from chainrule.explain.moments import moment_of, moments_of, training_of
from chainrule.explain.numbers import element_of
from chainrule.explain.page.curve import Curve
from chainrule.explain.page.drawing import drawing_of
from chainrule.explain.page.epochs import held_epochs
from chainrule.explain.page.mathematics import broken, inner
from chainrule.explain.page.numbers import Numbers
from chainrule.notation.formulas import Number, Symbol, prefix
from chainrule.training.recipes import Recipe


def data_of(page: str) -> dict[str, Any]:
    """The data of a page, as its script reads it."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def derived(training, epoch=None) -> Derivation:
    return Derivation.of_moment(moment_of(training, epoch), "a run")


def number_in_formula(value: Any) -> Any:
    """A number with four digits as formulas have it, by a way of its own."""
    if isinstance(value, bool):
        return Symbol(str(value).lower())
    value = float(value)
    if value != value:
        return Symbol("NaN")
    if value == 0:
        return Number("0")  # without a sign
    if value < 0:
        return prefix("−", number_in_formula(-value))
    if value == float("inf"):
        return Symbol("∞")
    digits, _, power = repr(float(f"{value:.4g}")).partition("e")
    return Number(digits.removesuffix(".0"), int(power) if power else None)


def filled(template: list[Any], values: list[Any], style: int) -> str:
    """A template with its numbers, as the page's script fills it."""
    formulas = [number_in_formula(value) for value in values]
    kinds = [
        "-" if str(formula).startswith("−") else "e" if "e" in str(formula) else ""
        for formula in formulas
    ]
    written = [inner(formula) if style == 0 else str(formula) for formula in formulas]
    found = ""
    for part in template[style]:
        if isinstance(part, int):
            found += written[part]
        elif isinstance(part, str):
            found += part
        elif kinds[part[0]] == part[1]:
            found += part[2]
    return found


def test_every_formula_with_numbers_is_that_of_the_derivation(training):
    derivation = derived(training, min(3, training.epochs))
    data = data_of(derivation.to_html())
    numbers = Numbers(derivation)
    cells = list(numbers.index)
    compared = 0
    for epoch in data["epochs"][:: max(len(data["epochs"]) // 3, 1)]:
        there = derived(training, epoch["epoch"])
        nodes = dict(zip(derivation.values, there.values, strict=True))
        few = data["origins"][:: max(len(data["origins"]) // 60, 1)]
        for index, template, slots, *_ in few:
            node, place = cells[index]
            element = element_of(there.labels, there.values, nodes[node], place)
            assert float(epoch["numbers"][index]) == element.value
            if template is None:
                assert element.numbers is None
                continue
            values = [epoch["numbers"][i] for i in slots]
            assert filled(data["templates"][template], values, 1) == str(element.numbers)
            mathml = broken(inner(element.numbers))
            assert filled(data["templates"][template], values, 0) == mathml
            compared += 1
    assert compared > 100


def test_the_sources_of_a_number_are_those_of_the_derivation(training):
    derivation = derived(training, 2)
    numbers = Numbers(derivation)
    for cell, origin in list(numbers.origins.items())[::3]:
        wanted = set(element_of(derivation.labels, derivation.values, *cell).cells)
        found = {*origin.slots, *origin.named, *origin.others}
        assert found == {each for each in wanted if each in numbers.index}
        assert origin.count == len(wanted)


def test_numbers_at_other_epochs_are_those_of_a_derivation_there(training):
    derivation = derived(training, 0)
    reached = []
    for moment, run in moments_of(training, [0, 1, 5, training.epochs - 1, training.epochs]):
        there = derived(training, moment.epoch)
        for value, again in zip(
            derivation.values_at(moment).values(), there.values.values(), strict=True
        ):
            np.testing.assert_array_equal(value, again)
        assert run.epochs == moment.epoch
        reached.append(moment.epoch)
    assert reached == [0, 1, 5, training.epochs - 1, training.epochs]


@given(st.integers(1, 100_000), st.integers(4, 200), st.data())
def test_the_epochs_held_are_few_and_have_the_ends_and_the_one_asked_for(last, most, data):
    asked = data.draw(st.integers(0, last))
    held = held_epochs(last, asked, most)
    assert held == sorted(set(held))
    assert {0, last - 1, last, asked} <= set(held)
    assert held[-1] == last
    assert len(held) <= max(most, 11)


def test_ten_thousand_epochs_of_xor_stay_under_two_megabytes():
    page = Derivation.of_moment(moment_of(training_of(Recipe(data="xor")), 731), "xor").to_html()
    assert len(page.encode()) < 2_000_000
    data = data_of(page)
    epochs = [each["epoch"] for each in data["epochs"]]
    assert {0, 1, 2, 731, 9999, 10_000} <= set(epochs)
    assert epochs[data["asked"]] == 731
    assert f"{len(epochs)} epochs are on this page" in page
    assert ", ".join(f"{epoch:,}" for epoch in epochs) in page


def test_nothing_is_fetched_and_no_text_gets_out_of_its_place():
    hostile = "</script><script>document.title='run'</script><!--<script>"
    training = training_of(Recipe(data="xor", epochs=3))
    page = Derivation.of_moment(moment_of(training, 1), hostile).to_html()
    assert page.count("<script") == page.count("</script") == 2
    assert "<!--" not in page
    assert not re.search(r"""(src|href|action)=["']?(?!data:)""", page.partition("<body>")[2])
    assert not re.search(r"url\((?!\"data:font/woff2)", page)
    assert "default-src 'none'" in page
    assert "&lt;/script&gt;" in page


def test_a_function_has_a_page_without_epochs_and_drawing():
    def loss(w, x):
        return np.sum(np.where(x > 0, x * w, 1e-9 * x))

    page = Derivation.of(loss, 2.0, np.array([1.0, -3.0, 0.5])).to_html()
    data = data_of(page)
    assert data["drawing"] is None
    assert len(data["epochs"]) == 1
    assert 'type="range"' not in page
    assert "<svg" not in page


def test_what_is_large_is_shown_in_part_and_says_so():
    training = training_of(Recipe(data="moons", samples=80, epochs=2, hidden=(30,)))
    page = derived(training, 1).to_html()
    assert "6 of 30 columns shown" in page
    assert "6 of 32 rows shown" in page
    assert "Drawn in part: 6 of 30 in layer 1" in page
    assert len(page.encode()) < 2_000_000


def test_a_deep_network_is_not_drawn_but_its_steps_are_there():
    recipe = Recipe(data="xor", epochs=2, hidden=(2,) * 12, activation=("tanh",))
    page = derived(training_of(recipe), 1).to_html()
    assert "The network has 13 layers, too many to draw: up to 12 are." in page
    assert "<svg" not in page.partition('id="network"')[2].partition("</section>")[0]
    assert 'data-step="50"' in page


def test_more_numbers_than_a_page_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr("chainrule.explain.page.numbers._MOST", 40)
    monkeypatch.setattr("chainrule.explain.page.numbers._MANY", 30)
    with pytest.raises(
        SettingError, match=r"A page of a run would have 90 numbers on it"
    ) as raised:
        derived(training_of(Recipe(data="xor", epochs=2)), 1).to_html()
    assert "at most 40 are put on one" in str(raised.value)


def test_a_run_that_diverges_is_shown_up_to_there():
    recipe = Recipe(data="sine", epochs=400, learning_rate=30.0, optimizer="gradient_descent",
                    activation=("relu",), loss="squared_error")  # fmt: skip
    training = training_of(recipe)
    page = derived(training, 0).to_html()
    assert "The run diverges after the last epoch here." in page
    assert len(data_of(page)["epochs"]) >= 1


def test_the_curve_is_logarithmic_over_decades_and_knows_what_is_not_finite():
    even, decades = Curve(np.array([2.0, 1.0, 0.5]), 2), Curve(np.array([100.0, 1.0, 0.01]), 2)
    assert not even.is_logarithmic
    assert decades.is_logarithmic
    assert decades.down(100.0) < decades.down(1.0) < decades.down(0.01)
    assert decades.down(1.0) == pytest.approx((decades.down(100.0) + decades.down(0.01)) / 2)
    holed = Curve(np.array([2.0, np.nan, 0.5]), 3)
    assert holed.point(1) == (holed.across(1), None)
    assert holed.point(3) == (holed.across(3), None)


def test_the_drawing_has_the_units_and_edges_of_the_network():
    training = training_of(Recipe(data="xor", epochs=2))
    derivation = derived(training, 1)
    drawing = drawing_of(derivation, Numbers(derivation))
    assert drawing is not None
    assert set(re.findall(r'id="u-([\w-]+)"', drawing.markup)) == {
        "0-0", "0-1", "1-0", "1-1", "2-0", "loss",
    }  # fmt: skip
    assert len(re.findall(r'id="e-', drawing.markup)) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("page.txt", "page.txt is no name for a page: it is to end in .html."),
        ("no/page.html", "There is no folder no to write the page page.html to."),
    ],
)
def test_files_that_are_refused(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["explain", "xor", "--epochs", "2", "--html", name])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["explain", "and", "--epochs", "4", "--html", "and.html"])
    assert result.exit_code == 0
    assert result.stdout == "Page in and.html\n"
    data = data_of((tmp_path / "and.html").read_text(encoding="utf-8"))
    assert [each["epoch"] for each in data["epochs"]] == [0, 1, 2, 3, 4]
