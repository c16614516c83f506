"""Checks as one HTML page that stands alone: no script, and nothing that is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from chainrule.check.checks import Check
from chainrule.check.lines import (
    FACTOR,
    FIRST,
    FOLLOWS,
    MEANINGS,
    RIGHT,
    UNKNOWN,
    Marked,
    counts,
    in_short,
    mark_of,
    marked_lines,
)
from chainrule.check.programs import Place
from chainrule.check.repairs import CAUSES, Evidence, Repair, patch
from chainrule.pages.document import document, resource
from chainrule.pages.markup import Markup, element, joined

__all__ = ["page"]

_CLASSES = {
    RIGHT: "right", FACTOR: "factor", FIRST: "wrong", FOLLOWS: "follows", UNKNOWN: "unknown",
}  # fmt: skip


def page(checks: Sequence[Check]) -> str:
    """The checks as a page: a section for each, and for several a table with links to them."""
    several = len(checks) != 1
    what = counts(checks) if several else Path(checks[0].path).name
    body = joined(
        element("header", element("h1", "chainrule check"), element("p", what)),
        element("nav", _index(checks), aria_label="Programs") if several else "",
        element(
            "main",
            *(_section(each, f"program-{i + 1}", several) for i, each in enumerate(checks)),
        ),
        element(
            "footer",
            "Gradients written by hand beside the exact ones, which are computed from the same "
            "iterations of the same run.",
        ),
    )
    title = f"{what} – chainrule check"
    return document(title, body, styles=[resource("chainrule.check", "page.css")])


def _index(checks: Sequence[Check]) -> Markup:
    rows = [
        element(
            "tr",
            element("th", element("a", _path(each), href=f"#program-{i + 1}"), scope="row"),
            element("td", _badge(each)),
            element("td", in_short(each)),
        )
        for i, each in enumerate(checks)
    ]
    return _table("Programs", ("Program", "Verdict", "What was found"), rows, hidden=True)


def _table(
    caption: str, names: Sequence[str], rows: Sequence[Markup], *, hidden: bool = False
) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in names))
    return element(
        "table",
        element("caption", caption, class_="hidden" if hidden else False),
        element("thead", head),
        element("tbody", *rows),
        class_="list",
    )


def _path(check: Check) -> Markup:
    """Its path, which may be broken where one is read in parts."""
    parts = re.split(r"(?<=[/\\_.-])", check.path)
    return joined(*(joined(part, Markup("<wbr>")) for part in parts[:-1]), parts[-1])


def _badge(check: Check) -> Markup:
    mark = mark_of(check)
    words = joined(element("span", mark, aria_hidden="true"), f" {check.verdict}")
    return element("span", words, class_=f"badge {_CLASSES[mark]}")


def _section(check: Check, name: str, several: bool) -> Markup:
    title = element("h2", _path(check), id=f"{name}-title")
    back = element("p", element("a", "All programs", href="#top")) if several else ""
    found = element(
        "div",
        _verdict(check, name),
        _repair(check),
        _observations(check, name),
        element(
            "div",
            _evidence(check.repairs.evidence),
            _parameters(check),
            _facts(check),
            class_="beside",
        ),
        _source(check, name),
        back,
        class_="found",
        id=name,
        tabindex="-1",
    )
    # With many programs, only what somebody has to look at is open.
    return element(
        "details",
        element("summary", title, _badge(check)),
        element("section", found, aria_labelledby=f"{name}-title"),
        open=not several or check.exit_code > 0,
    )


def _verdict(check: Check, name: str) -> Markup:
    lead, *more = check.summary.split("\n")
    link: str = ""
    if check.first is not None:
        target = f"#{_line_id(name, check.first.place)}"
        link = element("p", element("a", f"Go to {check.first.place}", href=target))
    notes = (element("p", each) for each in (*more, *check.notes))
    return joined(element("p", lead, class_="lead"), *notes, link)


def _repair(check: Check) -> Markup:
    repairs = check.repairs
    if check.verdict != "wrong":
        return Markup()
    heading = element("h3", "Cause and repair")
    tried = f"{repairs.tried:,} edit{'' if repairs.tried == 1 else 's'} of the program"
    if not repairs.steps or check.program is None:
        none = f"No repair was found, though {tried} ran and were compared."
        return joined(heading, element("p", none)) if repairs.tried else Markup()
    lines = [_changed(each) for each in patch(check.program, repairs).splitlines()]
    return joined(
        heading,
        *map(_cause, repairs.steps),
        _derivation(repairs.derivation),
        element("pre", *lines, class_="diff", aria_label="The repair as a diff"),
    )


def _cause(step: Repair) -> Markup:
    cause = CAUSES[step.cause]
    strong = element("strong", f"{cause[0].upper()}{cause[1:]}.")
    return element("p", strong, f" {str(step.place).capitalize()}: {step.why.rstrip('.')}.")


def _derivation(lines: Sequence[str]) -> Markup:
    """How the right formula follows from the rules, a line for each step."""
    if not lines:
        return Markup()
    rows = (element("span", line) for line in lines)
    return element("pre", *rows, class_="derivation", aria_label="How the gradient follows")


def _changed(line: str) -> Markup:
    """A line of a diff. Its sign says what it is, and the colour says it again."""
    if line.startswith(("---", "+++", "@@")):
        return element("span", line, class_="muted")
    tag = {"+": "ins", "-": "del"}.get(line[:1], "span")
    return element(tag, f"{line[:1]} {line[1:]}")


def _evidence(evidence: Sequence[Evidence]) -> Markup:
    if not evidence:
        return Markup()
    names = list(dict.fromkeys(each.parameter for each in evidence))
    rows = [
        element(
            "tr",
            element("th", element("code", each.parameter), scope="row"),
            *(element("td", text, class_="number") for text in _numbers(each)),
        )
        for each in sorted(evidence, key=lambda each: names.index(each.parameter))
    ]
    caption = "Relative error of each gradient"
    columns = "Parameter", "Iteration", "Before", "Repaired"
    return element("div", element("h3", "Evidence"), _table(caption, columns, rows))


def _numbers(evidence: Evidence) -> tuple[str, str, str]:
    before, after = (
        "not finite" if error is None else f"{error:.1e}" if error else "0"
        for error in (evidence.before, evidence.after)
    )
    return str(evidence.iteration + 1), before, after


def _observations(check: Check, name: str) -> Markup:
    if not check.observations:
        return Markup()
    rows: list[Markup] = []
    for each in check.observations:
        where: str = ""
        if each.place is not None:
            words = str(each.place).capitalize()
            where = element("a", words, href=f"#{_line_id(name, each.place)}")
        rows.append(element("li", where, ": " if where else "", each.sentence))
    return joined(element("h3", "What else was seen"), element("ul", *rows))


def _source(check: Check, name: str) -> Markup:
    if check.program is None:
        return Markup()
    marked = {each.place: each for each in marked_lines(check)}
    caption = f"{Path(check.path).name}, with a mark on each line that computes a gradient"
    columns = ("Line", "Mark", "Text, and the gradient that it computes")
    head = element("tr", *(element("th", each, scope="col") for each in columns))
    table = element(
        "table",
        element("caption", caption, class_="hidden"),
        element("thead", head, class_="hidden"),
        *_cells(check, name, marked),
        class_="source",
    )
    found = {each.mark for each in marked.values()}
    items = [
        element("li", element("b", mark, class_=_CLASSES[mark]), f" {meaning}")
        for mark, meaning in MEANINGS.items()
        if mark in found
    ]
    legend = element("ul", *items, class_="legend") if items else ""
    return joined(element("h3", "Source"), table, legend)


def _cells(check: Check, name: str, marked: dict[Place, Marked]) -> Iterator[Markup]:
    """The lines of a script, or of the cells of a notebook, each in its own part of the table."""
    assert check.program is not None
    by_cell: dict[int | None, list[Markup]] = {}
    texts = check.program.own_text.rstrip("\n").split("\n")
    for text, place in zip(texts, check.program.places, strict=False):
        row = _line(text, place, _line_id(name, place), marked.get(place))
        by_cell.setdefault(place.cell, []).append(row)
    for cell, rows in by_cell.items():
        words = element("th", f"cell {cell}", colspan="3", scope="rowgroup")
        head = element("tr", words, class_="cell") if cell is not None else ""
        yield element("tbody", head, *rows)


def _line(text: str, place: Place, name: str, marked: Marked | None) -> Markup:
    mark = marked.mark if marked is not None else ""
    kind = _CLASSES.get(mark, "")
    said: str = ""
    if mark:  # of the others, the formula says it
        word = MEANINGS[mark] if mark in (RIGHT, FACTOR) else ""
        said = joined(
            element("span", mark, aria_hidden="true"), element("span", word, class_="hidden")
        )
    what = element("span", marked.what, class_=f"what {kind}") if marked is not None else ""
    return element(
        "tr",
        element("th", str(place.line), scope="row", class_="number"),
        element("td", said, class_=f"mark {kind}".rstrip()),
        element("td", element("div", element("code", text), what, class_="line")),
        id=name,
        class_="first" if mark == FIRST else False,
    )


def _line_id(name: str, place: Place) -> str:
    cell = "" if place.cell is None else f"-cell-{place.cell}"
    return f"{name}{cell}-line-{place.line}"


def _parameters(check: Check) -> Markup:
    if not check.parameters:
        return Markup()
    right = RIGHT if check.factor == 1.0 else FACTOR
    times = "" if check.factor == 1.0 else f"{check.factor:.6g} times ".replace("-", "−")
    rows: list[Markup] = []
    for each in check.parameters:
        mark = right if each.right else FIRST
        words = f" {times}that of the loss" if each.right else " not that of the loss"
        told = joined(element("b", mark, aria_hidden="true", class_=_CLASSES[mark]), words)
        name = element("th", element("code", each.name), scope="row")
        rows.append(element("tr", name, element("td", told)))
    return element(
        "div",
        element("h3", "Parameters"),
        _table("Parameters", ("Name", "Its gradient is"), rows, hidden=True),
    )


def _facts(check: Check) -> Markup:
    loss = element("code", check.loss) if check.loss else "without a name"
    facts = {
        "Verdict": check.verdict,
        "Loss": loss if check.parameters else "not found",
        "Factor": f"{check.factor:.6g}".replace("-", "−") if check.parameters else "",
        "Tolerance": f"{check.tolerance:.0e}" if check.parameters else "",
        "The program itself": check.outcome,
        "Time": f"{check.seconds:.1f} s" if check.seconds else "",
    }
    rows = [
        joined(element("dt", key), element("dd", value)) for key, value in facts.items() if value
    ]
    return element("div", element("h3", "The run"), element("dl", *rows))
