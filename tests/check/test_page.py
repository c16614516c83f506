"""The page of a check: what is on it, and how it is in a browser."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chainrule.check import Check, check_program
from chainrule.check.page import page
from chainrule.cli import main
from chainrule.errors import DataError, SettingError
from chainrule.pages.document import write_page


def _beside(name: str):
    """A module in this folder; tests are in no package to import it from."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chromium = _beside("chromium")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")
needs_chromium = pytest.mark.skipif(chromium.CHROMIUM is None, reason="Chromium is not installed")

PROGRAMS = Path(__file__).parents[1] / "programs"
KINDS = (
    "little_net.py",
    "little_net__mean_for_sum.py",
    "softmax_homework__factor.ipynb",
    "softmax_homework__derivative_missing.ipynb",
    "raw_pixels__overflow.py",
)
# Text that would be markup, were it not escaped, and characters that reorder what is around them.
HOSTILE = '''
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
one, two = "<script>document.title='run'</script>", "<img src=x onerror=document.title='run'>"
P = {one: rng.normal(size=(3, 4)), two: rng.normal(size=(4, 1))}
note = """</code></td></table></style><script>document.title='run'</script>
<img src=x onerror="document.title='run'"> ]]> <!-- &lt; \u202e
"""
for step in range(6):
    h = np.tanh(X @ P[one])  # <b>bold</b> & "quoted" 'too'
    out = h @ P[two]
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(y)
    g_two = h.T @ d_out  # </pre><script>document.title='run'</script>
    g_one = X.T @ (d_out @ P[two].T * (1 - h))  # </ins></pre><script>document.title='run'</script>
    P[one] -= 0.1 * g_one
    P[two] -= 0.1 * g_two
raise OSError("<script>document.title='run'</script>")
'''


class Elements(HTMLParser):
    """The elements of a page with their attributes, and whether each one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return [check_program(PROGRAMS / name) for name in KINDS]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Check:
    path = tmp_path_factory.mktemp("hostile") / "<script>document.title='run'<!--.py"
    path.write_text(HOSTILE, encoding="utf-8")
    return check_program(path)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[chromium.Browser]:
    with chromium.chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def text_of(markup: str) -> str:
    """What can be read, without styles and tags."""
    markup = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", markup.replace("</", " </")))


def test_it_stands_alone_and_is_well_formed(checks, hostile):
    for found in ([checks[1]], checks, [hostile], [hostile, *checks]):
        elements = Elements(page(found))
        assert elements.open == []
        assert not {"script", "link", "img", "iframe", "form"} & {tag for tag, _ in elements.found}
        named = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
        assert len(named) == len(set(named))
        for tag, attributes in elements.found:
            assert not {name for name in attributes if name.startswith("on") or name == "style"}
            assert "src" not in attributes
            if "href" in attributes:
                assert tag == "a"
                assert attributes["href"] == "#top" or attributes["href"].removeprefix("#") in named


def test_a_wrong_program_has_its_cause_repair_and_evidence(checks):
    check = checks[1]
    assert check.verdict == "wrong"
    assert check.repairs.steps, "the repair is what this test is about"
    text = page([check])
    step = check.repairs.steps[0]
    assert f"<ins>+ {step.after[0]}</ins>" in text
    assert f"<del>- {step.before[0]}</del>" in text
    assert f'<tr id="program-1-line-{step.place.line}" class="first">' in text
    told = text_of(text)
    assert f"Line {step.place.line}: {step.why}." in told
    for each in check.repairs.evidence:
        numbers = (f"{e:.1e}" if e else "0" for e in (each.before, each.after))
        assert f"{each.parameter} {each.iteration + 1} {' '.join(numbers)}" in told
    for each in check.parameters:
        assert f"{each.name} {'✓ that' if each.right else '✗ not that'} of the loss" in told


def test_every_line_of_the_source_is_there(checks):
    told = text_of(page([checks[0]])).replace("&#x27;", "'").replace("&quot;", '"')
    lines = (PROGRAMS / KINDS[0]).read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert checks[0].verdict == "exact"
    for number, line in enumerate(lines, 1):
        text = re.sub(r"\s+", " ", line).strip().replace("<", "&lt;").replace(">", "&gt;")
        assert f"{number} {text}".strip() in told.replace("✓ exact ", "")
    assert re.search(r"dE_dW1 = .*? ∂L/∂W1", told)


def test_a_notebook_is_shown_cell_by_cell(checks):
    check = checks[3]
    assert check.first is not None
    told = text_of(page([check]))
    cells = json.loads((PROGRAMS / KINDS[3]).read_text(encoding="utf-8"))["cells"]
    shown = [int(number) for number in re.findall(r"\bcell (\d+) 1 ", told)]
    assert shown == [i for i, cell in enumerate(cells) if cell["cell_type"] == "code"]
    name = f"program-1-cell-{check.first.place.cell}-line-{check.first.place.line}"
    assert f'<tr id="{name}" class="first">' in page([check])
    assert f'href="#{name}"' in page([check])


def test_several_have_a_table_with_links_and_those_to_look_at_are_open(checks):
    text = page(checks)
    told = text_of(text)
    assert "5 programs: 2 right, 2 wrong, 1 cannot be told." in told
    for i, check in enumerate(checks, 1):
        assert f'href="#program-{i}"' in text
        opened = re.search(
            rf"<details( open)?>(?:(?!<details).)*id=\"program-{i}\"", text, re.DOTALL
        )
        assert opened is not None
        assert bool(opened[1]) == (check.exit_code > 0)
    assert "<nav" not in page(checks[:1])


def test_what_was_seen_beside_the_gradients_is_told(checks):
    check = checks[4]
    assert check.observations
    told = text_of(page([check])).replace("&#x27;", "'").replace("&quot;", '"')
    for each in check.observations:
        assert re.sub(r"\s+", " ", each.sentence) in told.replace("&gt;", ">").replace("&lt;", "<")


def test_the_command_writes_it_beside_what_it_prints(tmp_path):
    file = tmp_path / "page.html"
    result = call(PROGRAMS / KINDS[0], "--html", file)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"Page in {file}\n")
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    found = json.loads(call(PROGRAMS / KINDS[0], "--html", file, "--json").stdout)
    assert found["verdict"] == "exact"


def test_a_folder_with_a_broken_file_is_one_page(tmp_path):
    (tmp_path / "a.py").write_text("x = (", encoding="utf-8")
    (tmp_path / "b.py").write_text("x = 1", encoding="utf-8")
    file = tmp_path / "page.htm"
    assert call(tmp_path, "--html", file).exit_code == 2
    told = text_of(file.read_text(encoding="utf-8"))
    assert "2 programs: 2 cannot be told." in told
    assert "Python cannot read it" in told
    assert "No loop of the program was run" in told


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, monkeypatch):
    program = tmp_path / "net.py"
    program.write_text("x = 1", encoding="utf-8")
    (tmp_path / "folder.html").mkdir()
    monkeypatch.setattr("chainrule.cli.checking.check_program", None)
    for file, words in (
        (program, "net.py is no name for a page: it is to end in .html."),
        (tmp_path / "nowhere" / "page.html", "There is no folder"),
        (tmp_path / "folder.html", "folder.html is a folder."),
    ):
        result = call(program, "--html", file)
        assert result.exit_code == 2
        assert words in result.stderr
        with pytest.raises(SettingError, match=re.escape(words)):
            write_page(page([Check("net.py", "exact", "ran")]), file)
    assert program.read_text(encoding="utf-8") == "x = 1"


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "page.html"
    file.write_text("the page before", encoding="utf-8")

    def full(path, text, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match=r"page.html cannot be written: No space left on device\."):
        write_page(page([Check("net.py", "exact", "ran")]), file)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert file.read_bytes() == b"the page before"


def opened(browser, checks: list[Check], folder: Path, width: int = 1100, *, dark: bool = False):
    file = folder / "page.html"
    write_page(page(checks), file)
    browser.requests.clear()
    browser.said.clear()
    browser.open(file, width, dark=dark)
    return file


# The contrast of each text with what is behind it, and whether it is large, as WCAG counts.
CONTRASTS = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    throw Error("nothing is behind it");
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    const a = light(rgba(getComputedStyle(node).color)), b = light(behind(node));
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), walk.currentNode.data]);
  }
  return found;
})()"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_contrasts_are_those_of_wcag_aa(browser, checks, tmp_path, dark):
    opened(browser, checks, tmp_path, dark=dark)
    found = browser.value(CONTRASTS)
    assert len(found) > 300
    assert min(found)[0] >= 4.5, min(found)
    body = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", body))) < 3 * 128) == dark


@needs_chromium
def test_a_low_contrast_is_noticed(browser, checks, tmp_path):
    opened(browser, checks, tmp_path)
    browser.value("document.body.style.setProperty('--muted', '#909090')")
    assert min(browser.value(CONTRASTS))[0] < 4.5


@needs_chromium
@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_window(browser, checks, hostile, tmp_path, width):
    opened(browser, [*checks, hostile], tmp_path, width)
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.value("document.documentElement.scrollWidth") <= width
    small = "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.checkVisibility())"
    assert browser.value(f"{small}.map(e => parseFloat(getComputedStyle(e).fontSize)))") >= 12


@needs_chromium
def test_a_program_cannot_do_anything_in_the_page(browser, hostile, tmp_path):
    assert hostile.verdict == "wrong"
    assert hostile.repairs.steps
    assert any("<script>" in each.name for each in hostile.parameters)
    file = opened(browser, [hostile, hostile], tmp_path)
    assert browser.requests == [file.as_uri()]
    assert browser.said == []
    assert browser.value("document.title").endswith("chainrule check")
    assert browser.value("document.querySelectorAll('script, img, b:not([class])').length") == 0
    code = browser.value(
        "[...document.querySelectorAll('#program-1 .source code')].map(e => e.textContent)"
    )
    assert "\n".join(code) == HOSTILE.rstrip("\n").replace("\u202e", "\\u202e")


@needs_chromium
def test_what_would_run_all_the_same_is_kept_from_it(browser, checks, tmp_path):
    file = opened(browser, checks[:1], tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("<main>", "<main><script>document.title='run'</script>"))
    browser.open(file)
    assert browser.value("document.title") != "run"
    assert any("Content Security Policy" in each for each in browser.said)


@needs_chromium
def test_it_can_be_used_by_keyboard(browser, checks, tmp_path):
    opened(browser, checks, tmp_path)
    browser.press("Tab")
    assert browser.value("document.activeElement.getAttribute('href')") == "#program-1"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert not browser.value("document.getElementById('program-1').checkVisibility()")
    browser.press("Enter")  # to the section, which opens
    assert browser.value("document.getElementById('program-1').checkVisibility()")
    focused = "document.activeElement.closest('details') === document.querySelector('details')"
    assert browser.value(focused)
    browser.value("document.querySelectorAll('summary')[1].focus()")
    assert browser.value("document.querySelectorAll('details')[1].open")
    browser.press("Enter")
    assert not browser.value("document.querySelectorAll('details')[1].open")


@needs_chromium
def test_it_is_told_to_those_who_do_not_see_it(browser, checks, tmp_path):
    opened(browser, checks, tmp_path)
    names = browser.names()
    roles = [role for role, _ in names]
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        assert roles.count(landmark) == 1, landmark
    assert browser.value("document.documentElement.lang") == "en"
    levels = browser.value("[...document.querySelectorAll('h1,h2,h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for role, name in names:
        assert name or role not in ("link", "heading", "table", "navigation", "region"), role
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    told = [name.strip() for role, name in browser.names() if role == "StaticText"]
    lines = browser.value("document.querySelectorAll('.source .mark.factor').length")
    assert lines > 1
    assert told.count("right but for a factor") == lines + 1  # and in the legend


@needs_chromium
def test_marks_are_no_matter_of_colour_alone(browser, checks, tmp_path):
    opened(browser, checks, tmp_path)
    marks = browser.value(
        "[...document.querySelectorAll('.source .what')].map(e => "
        "[e.className, e.closest('tr').querySelector('.mark').textContent.trim()[0]])"
    )
    by_class = {name: {mark for other, mark in marks if other == name} for name, _ in marks}
    assert len(by_class) == 4
    assert all(len(each) == 1 for each in by_class.values())
    assert len(set.union(*by_class.values())) == 4
