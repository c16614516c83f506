"""The page of a derivation as a person uses it, in Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.explain import Derivation
from chainrule.explain.moments import Training, moment_of, training_of
from chainrule.explain.numbers import index_text, shown
from chainrule.explain.page.epochs import held_epochs
from chainrule.explain.values import short_number
from chainrule.training.recipes import Recipe

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
ASKED = 731


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    flags = ["--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def training() -> Training:
    return training_of(Recipe(data="xor", epochs=1000))


@pytest.fixture(scope="module")
def derivation(training) -> Derivation:
    return Derivation.of_moment(moment_of(training, ASKED), "xor")


@pytest.fixture(scope="module")
def file(derivation, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "xor.html"
    path.write_text(derivation.to_html(), encoding="utf-8")
    return path


class Opened:
    """A page, what it asked for, and what it complained of."""

    def __init__(self, browser: Any, file: Path, width: int = 1280, **settings: Any) -> None:
        settings = {"color_scheme": "light", "reduced_motion": "reduce", **settings}
        self.context = browser.new_context(viewport={"width": width, "height": 800}, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(file.as_uri())
        self.file = file

    def close(self) -> None:
        """Whatever was done with it, it asked for nothing and complained of nothing."""
        self.page.wait_for_timeout(50)
        self.context.close()
        assert self.requests == [self.file.as_uri()]
        assert self.said == []


@pytest.fixture
def opened(browser, file, request) -> Iterator[Opened]:
    """The page; a test's parameter may say how wide, and in which colours."""
    page = Opened(browser, file, **getattr(request, "param", {}))
    yield page
    page.close()


@pytest.fixture
def page(opened) -> Any:
    return opened.page


def tables_of(page: Any) -> dict[str, list[list[str]]]:
    """The numbers of all tables by what they are called, as they stand there."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("table")].map((table) =>
          [table.ariaLabel, [...table.tBodies[0].rows].map((row) =>
            [...row.querySelectorAll("td")].map((cell) => cell.textContent))]))"""
    )


def wanted_tables(derivation: Derivation) -> dict[str, list[list[str]]]:
    """The same from a derivation of that epoch, worked out anew."""
    found = {}
    for each in (*derivation.given, *derivation.steps):
        value = each.value if each.value.ndim else each.value.reshape(1, 1)
        size = " by ".join(map(str, each.value.shape))
        rows = [[short_number(number) for number in row] for row in value]
        name = f"{each.label}{f', {size}' if size else ''}"
        if each.name.endswith("_new"):
            old = next(x for x in derivation.given if f"{x.name}_new" == each.name)
            found[f"before {old.label}, {size}"] = [
                [short_number(number) for number in row] for row in old.value
            ]
            name = f"after {name}"
        found[name] = rows
    return found


def set_epoch(page: Any, training: Training, epoch: int) -> Derivation:
    """Move the slider to an epoch; a derivation of it that does not come from the page."""
    place = page.evaluate("(epoch) => data.epochs.findIndex((each) => each.epoch === epoch)", epoch)
    assert place >= 0
    page.locator("#epoch").fill(str(place))
    return Derivation.of_moment(moment_of(training, epoch), "xor")


@pytest.mark.parametrize("epoch", [0, 1, 2, ASKED, 999, 1000])
def test_every_number_in_the_tables_is_the_interpreters(page, training, epoch):
    there = set_epoch(page, training, epoch)
    assert tables_of(page) == wanted_tables(there)
    place = "trained for 1,000 epochs, and the step" if epoch == 1000 else f"epoch {epoch:,} of"
    assert place in page.locator("#place").inner_text().lower()


@pytest.mark.parametrize("epoch", [0, ASKED, 1000])
def test_every_number_says_its_rule_with_the_numbers_put_in(page, training, epoch):
    there = set_epoch(page, training, epoch)
    said = page.evaluate(
        """() => [...document.querySelectorAll("td[data-i]")].map((cell) => {
          cell.focus();
          const lit = [...document.querySelectorAll("td.source")].map((each) => each.dataset.i);
          const names = [...new Set(lit)].map((i) => data.values[data.of[i]].name + "[" +
            placeOf(i).join(",") + "]");
          return [data.values[data.of[cell.dataset.i]].name, placeOf(cell.dataset.i),
            document.getElementById("said").textContent, names.sort(),
            document.querySelector("#number .full").textContent];
        })"""
    )
    assert len(said) > 90
    for name, place, sentence, lit, full in said:
        element = there.number(f"{name}{index_text(place)}")
        value = (
            repr(element.value).replace("-", "−", 1) if element.value < 0 else repr(element.value)
        )
        assert full == value
        if element.indexed is None:
            assert sentence == f"{element.name} = {value}, given"
        else:
            numbers = f" = {element.numbers}" if element.cells else ""
            assert sentence == f"{element.name} = {value} = {element.indexed}{numbers}"
        wanted = [f"{there.labels.names[x]}[{','.join(map(str, at))}]" for x, at in element.cells]
        assert lit == sorted(wanted)


def test_the_loss_before_and_after_an_update(page, training):
    for epoch in (0, ASKED):
        there = set_epoch(page, training, epoch)
        after = Derivation.of_moment(moment_of(training, epoch + 1), "xor")
        before, then = page.locator("#before-after dd").all_inner_texts()
        assert before == repr(float(there["loss"].value))
        assert float(then) == pytest.approx(float(after["loss"].value), rel=1e-12)


def test_numbers_are_written_as_python_writes_them(page):
    rng = np.random.default_rng(0)
    sizes = rng.normal(size=400) * 10.0 ** rng.integers(-30, 30, size=400)
    ties = [1 / 128, 3 / 128, 0.0078125, 2.5, 12345.0, 1234.5, 1233.5, 99995.0, 9999.5, 0.00012345]
    ends = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 9.999e15, 1e-4, 9.9999e-5, 1e5, 0.1]
    values = [*map(float, sizes), *ties, *(-x for x in ties), *ends, 1e22, 123456789.0]
    written = page.evaluate(
        "(values) => values.map((x) => [short(x), full(x), formulaText(parts(x, false))])", values
    )
    for value, (short, full, formula) in zip(values, written, strict=True):
        assert short == short_number(value)
        assert full == repr(value).replace("-", "−", 1 if value < 0 or full[0] == "−" else 0)
        assert formula == str(shown(value))
    special = page.evaluate(
        '["NaN", "Infinity", "-Infinity", true].map((x) => [short(x), formulaText(parts(x))])'
    )
    for value, (short, formula) in zip([np.nan, np.inf, -np.inf, np.True_], special, strict=True):
        assert short == short_number(value)
        assert formula == str(shown(value))


def drawn(page: Any, name: str) -> str:
    return page.locator(f"#{name} .value").text_content()


def test_stepping_by_buttons_and_keys(page, derivation):
    at, current = page.locator("#at"), page.locator(".step.current")
    count = len(derivation.steps)
    assert at.inner_text() == f"0 of {count}"
    assert page.locator("#previous").is_disabled()
    assert (drawn(page, "u-1-0"), drawn(page, "u-loss")) == ("", "")
    page.click("#next")
    assert at.inner_text() == f"1 of {count}"
    assert drawn(page, "u-1-0") == short_number(derivation["z1"].value[0, 0])
    page.keyboard.press("ArrowRight")
    assert drawn(page, "u-1-0") == short_number(derivation["a1"].value[0, 0])
    assert page.locator("#l-1").text_content() == "a1"
    assert current.get_attribute("data-step") == "2"
    assert current.get_attribute("aria-current") == "step"
    assert "a1 = σ(z1)" in page.locator("#said").inner_text()
    page.keyboard.press("ArrowLeft")
    assert current.get_attribute("data-step") == "1"
    page.keyboard.press("End")
    assert at.inner_text() == f"{count} of {count}"
    assert page.locator("#next").is_disabled()
    assert drawn(page, "u-loss") == short_number(derivation["loss"].value)
    assert drawn(page, "u-1-1") == short_number(derivation["d_loss_z1"].value[0, 1])
    inside = """() => { const box = document.querySelector(".step.current").getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight; }"""
    assert page.evaluate(inside)
    page.keyboard.press("Home")
    assert at.inner_text() == f"0 of {count}"
    page.click("#last")
    page.click("#previous")
    assert at.inner_text() == f"{count - 1} of {count}"


def test_the_drawing_shows_weights_or_gradients_of_a_row(page, derivation):
    page.keyboard.press("End")
    number = page.locator("#t-1-0-1")
    assert number.text_content() == short_number(derivation["W1"].value[0, 1])
    page.check("input[value=gradient]")
    assert number.text_content() == short_number(derivation["d_loss_W1"].value[0, 1])
    classes = page.locator("#e-1-0-1").get_attribute("class")
    assert ("negative" in classes) == (derivation["d_loss_W1"].value[0, 1] < 0)
    page.select_option("#row", "2")
    assert drawn(page, "u-0-0") == short_number(derivation["X"].value[2, 0])
    assert drawn(page, "u-2-0") == short_number(derivation["d_loss_z2"].value[2, 0])
    gradients = {
        f"e-{layer}-{i}-{j}": abs(derivation[f"d_loss_W{layer}"].value[i, j])
        for layer, rows, columns in ((1, 2, 2), (2, 2, 1))
        for i in range(rows)
        for j in range(columns)
    }
    widths = {
        name: float(page.locator(f"#{name}").evaluate("(x) => x.style.getPropertyValue('--width')"))
        for name in gradients
    }
    assert sorted(gradients, key=gradients.__getitem__) == sorted(widths, key=widths.__getitem__)


def test_hovering_lights_up_where_a_number_came_from(page):
    page.hover('[data-step="3"] td[data-i] >> nth=1')
    lit = page.locator("td.source").all_inner_texts()
    assert len(lit) == 8  # two of a1; two of W2 and one of b2, each given and before its update
    assert page.locator("#number .full").count() == 1
    assert (
        page.locator("#u-1-0.source, #u-1-1.source, #e-2-0-0.source, #e-2-1-0.source").count() == 4
    )
    assert page.locator("#u-2-0.chosen, #b-2-0.source").count() == 2
    page.hover("h1")
    assert page.locator("td.chosen").count() == 1, "what was pointed at last stays"
    page.click(".chips button >> nth=0")
    assert "a1[1,0]" in page.locator("#said").inner_text()
    assert page.locator('[data-step="2"] td.chosen').count() == 1
    page.click("#close")
    assert page.locator(".chosen, .source").count() == 0


def test_the_drawing_can_be_pointed_at(page):
    page.click("#next")
    page.hover("#u-1-0")
    assert page.locator('[data-step="1"] td.chosen').count() == 1
    page.hover("#t-2-1-0")
    assert page.locator("td.chosen").count() == 2  # W2 is given, and stands before its update


def test_the_keyboard_goes_everywhere(page):
    def focused() -> str:
        return page.evaluate("document.activeElement.dataset.i ?? document.activeElement.id")

    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.closest('table')?.ariaLabel "
                                  "?? document.activeElement.id"))  # fmt: skip
    tables = list(tables_of(page))
    assert [each for each in dict.fromkeys(seen) if each in tables] == tables
    # There is nothing before the beginning, so those buttons are not to be had.
    assert {"epoch", "earlier", "later", "row", "next", "last"} <= set(seen)
    page.focus('[data-step="2"] td[data-i]')
    start = int(focused())
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert int(focused()) == start + 3
    page.keyboard.press("Home")
    assert int(focused()) == start + 2
    page.keyboard.press("ArrowLeft")
    assert int(focused()) == start + 2, "there is nothing to the left"
    page.keyboard.press("Enter")
    assert page.locator("#panel.kept").count() == 1
    page.keyboard.press("End")
    assert page.locator("td.chosen").inner_text() == page.locator(":focus").inner_text()
    page.keyboard.press("Escape")
    assert focused() == "step-2"
    assert page.locator("#at").inner_text().startswith("2 of")
    page.keyboard.press("ArrowRight")
    assert page.locator("#at").inner_text().startswith("3 of")


def test_the_keyboard_goes_back_to_where_a_number_came_from(page):
    page.focus('[data-step="8"] td[data-i]')
    chain = []
    while "given" not in page.locator("#said").inner_text():
        chain.append(page.locator("#said").inner_text().partition(" = ")[0])
        page.keyboard.press("Shift+Enter")
        assert page.evaluate("document.activeElement.closest('.chips') !== null")
        page.keyboard.press("Enter")
    chain.append(page.locator("#said").inner_text().partition(" = ")[0])
    assert chain == [
        "(∂L/∂z2)[0,0]", "(∂L/∂a2)[0,0]", "a2[0,0]", "z2[0,0]", "a1[0,0]", "z1[0,0]", "X[0,0]",
    ]  # fmt: skip


def test_the_focus_can_be_seen(page):
    for selector in ("#next", "#epoch", '[data-step="1"] td[data-i]'):
        page.keyboard.press("Tab")
        page.focus(selector)
        style = "(x) => getComputedStyle(x).outlineStyle + getComputedStyle(x).outlineWidth"
        assert page.locator(selector).first.evaluate(style) == "solid3px"


def test_the_slider_and_the_curve(page, training):
    held = held_epochs(1000, ASKED, 150)
    slider = page.locator("#epoch")
    assert slider.get_attribute("aria-valuetext") == f"epoch {ASKED} of 0 to 999"
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("#place").inner_text() == "Epoch 0 of 0 to 999"
    page.keyboard.press("ArrowRight")
    assert page.locator("#place").inner_text() == "Epoch 1 of 0 to 999"
    assert page.locator("#at").inner_text().startswith("0 of"), "the steps stay where they are"
    page.click("#later")
    assert page.locator("#place").inner_text() == f"Epoch {held[2]} of 0 to 999"
    box = page.locator("#curve").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (78 + 0.5 * 628) / 720, box["y"] + 40)
    epoch = min(held, key=lambda each: abs(each - 500))
    assert page.locator("#place").inner_text() == f"Epoch {epoch} of 0 to 999"
    assert tables_of(page) == wanted_tables(Derivation.of_moment(moment_of(training, epoch), "xor"))


NARROW, DARK = {"width": 360}, {"color_scheme": "dark"}


@pytest.mark.parametrize("opened", [NARROW], indirect=True)
def test_it_fits_a_narrow_window(page):
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate(fits)
    page.keyboard.press("End")
    page.locator("#controls summary").click()
    page.focus('[data-step="9"] td[data-i]')
    assert page.evaluate(fits)
    above = """() => document.activeElement.getBoundingClientRect().bottom <=
      document.getElementById("panel").getBoundingClientRect().top"""
    assert page.evaluate(above), "the number is not behind what is said of it"
    page.click("#close")
    assert not page.locator("#panel").is_visible()


@pytest.mark.parametrize("opened", [DARK], indirect=True)
def test_dark_is_dark(page):
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 60


@pytest.mark.parametrize("opened", [{}, DARK, NARROW], indirect=True)
def test_axe_finds_nothing(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.keyboard.press("End")
    for selector in (None, '[data-step="9"] td[data-i]'):
        if selector:
            page.focus(selector)
        violations = axe.run(page).response["violations"]
        assert violations == [], [
            (each["id"], each["help"], [node["html"] for node in each["nodes"]][:3])
            for each in violations
        ]


def test_formulas_are_set_in_the_font_that_the_page_brings(opened):
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.focus('[data-step="9"] td[data-i]')
    tools = opened.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    found = tools.send("DOM.querySelectorAll", {"nodeId": root, "selector": "math *"})["nodeIds"]
    fonts: dict[tuple[str, bool], float] = {}
    for node in found:
        for font in tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]:
            key = font["familyName"], font["isCustomFont"]
            fonts[key] = fonts.get(key, 0) + font["glyphCount"]
    assert set(fonts) == {("Chainrule Mathematics", True)}, fonts


def test_nothing_moves_where_less_motion_is_wanted(browser, file):
    durations = {}
    for wanted in ("reduce", "no-preference"):
        opened = Opened(browser, file, reduced_motion=wanted)
        line = opened.page.locator("#e-1-0-0 line").first
        durations[wanted] = line.evaluate("(x) => getComputedStyle(x).transitionDuration")
        opened.close()
    assert durations["reduce"] == "0s"
    assert durations["no-preference"] != "0s"


def test_without_scripts_the_steps_and_their_numbers_are_there(browser, file, derivation):
    opened = Opened(browser, file, java_script_enabled=False)
    text = opened.page.locator("body").inner_text()
    assert "Without JavaScript this page shows the steps" in text
    assert short_number(derivation["W1_new"].value[0, 0]) in text
    assert not opened.page.locator("#controls").is_visible()
    opened.close()


def test_a_name_that_is_markup_is_only_a_name(browser, derivation, tmp_path):
    hostile = (
        "</script><img src=x onerror=document.title='run'><script>document.title='run'</script>"
    )
    path = tmp_path / "page.html"
    other = Derivation.of_moment(derivation.moment, hostile)
    path.write_text(other.to_html(), encoding="utf-8")
    opened = Opened(browser, path)
    assert hostile in opened.page.locator("h1").inner_text()
    opened.page.keyboard.press("End")
    assert opened.page.title() != "run"
    opened.close()


def test_a_function_of_ones_own(browser, tmp_path):
    def loss(w, x):
        scaled = np.where(x > 0, x * w, 1e-9 * x)
        return np.sum(np.exp(scaled)) - np.sum(scaled)

    derivation = Derivation.of(loss, 2.0, np.array([1.0, -3.0, 0.5]))
    path = tmp_path / "function.html"
    path.write_text(derivation.to_html(), encoding="utf-8")
    opened = Opened(browser, path)
    page = opened.page
    page.keyboard.press("End")
    cells = page.locator("td[data-i]")
    for at in range(cells.count()):
        cells.nth(at).focus()
        name = page.evaluate("(i) => data.values[data.of[i]].name", at_index(cells.nth(at)))
        place = page.evaluate("(i) => placeOf(i)", at_index(cells.nth(at)))
        element = derivation.number(f"{name}{index_text(place)}")
        if element.numbers is not None and element.cells:
            assert page.locator("#said").inner_text().endswith(f" = {element.numbers}")
    opened.close()


def at_index(cell: Any) -> int:
    return int(cell.get_attribute("data-i"))
