"""The steps of a derivation as HTML, with their numbers in tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chainrule.explain.labels import UPDATE
from chainrule.explain.page.mathematics import math
from chainrule.explain.page.numbers import Numbers, Sheet
from chainrule.explain.text import TITLES
from chainrule.explain.values import short_number
from chainrule.graph import Node
from chainrule.notation import Formula
from chainrule.pages.markup import Markup, element, joined

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.steps import Step

__all__ = ["Matrices", "steps_markup"]


class Matrices:
    """Values as tables of numbers, each number with its index."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def matrix(self, node: Node, label: Formula, what: str = "") -> Markup:
        """A value with its name above."""
        sheet = self.numbers.sheets[node]
        size = " × ".join(map(str, node.shape))
        caption = [math(label), element("span", f" {size}", class_="size") if size else ""]
        if what:
            caption.insert(0, element("span", f"{what} ", class_="what"))
        said = f"{what} {label}".strip() + (f", {size.replace('×', 'by')}" if size else "")
        table = element(
            "table", *self._body(sheet), role="grid", aria_label=said,
            class_="" if node.shape else "single",
        )  # fmt: skip
        left_out = sheet.left_out
        return element(
            "figure",
            element("figcaption", *caption),
            element("div", table, class_="scroll"),
            element("p", left_out, class_="left-out") if left_out else "",
            class_="matrix",
        )

    def _body(self, sheet: Sheet) -> Iterator[Markup]:
        if sheet.node.shape:
            heads = (
                element("th", "" if column is None else str(column), scope="col")
                for column in sheet.columns
            )
            corner = element("td", "") if sheet.node.ndim > 1 else ""
            yield element("thead", element("tr", corner, *heads))
        yield element("tbody", *(self._row(sheet, row) for row in sheet.rows))

    def _row(self, sheet: Sheet, row: int | None) -> Markup:
        cells = (self._cell(sheet, row, column) for column in sheet.columns)
        if sheet.node.ndim < 2:
            return element("tr", *cells)
        place = "" if row is None else ",".join(map(str, sheet.place(row, 0)[:-1]))
        return element("tr", element("th", place, scope="row"), *cells)

    def _cell(self, sheet: Sheet, row: int | None, column: int | None) -> Markup:
        if row is None or column is None:
            return element("td", "…", class_="gap")
        place = sheet.place(row, column)
        value = self.numbers.derivation.values[sheet.node][place]
        index = self.numbers.index[sheet.node, place]
        return element("td", short_number(value), data_i=str(index), tabindex="-1")


def steps_markup(derivation: Derivation, matrices: Matrices) -> Markup:
    """What is given, and a section for each part of the steps."""
    given = [matrices.matrix(each.node, each.label) for each in derivation.given]
    parts = [
        element(
            "section",
            element("h2", "Given", id="given", tabindex="-1"),
            element("div", *given, class_="matrices"),
            class_="step",
            data_step="0",
        )
    ]
    number = 0
    for part, title in TITLES.items():
        steps = list(derivation.part(part))
        if not steps:
            continue
        sections: list[Markup] = []
        for step in steps:
            number += 1
            sections.append(_step(derivation, step, number, matrices))
        parts.append(element("section", element("h2", title), *sections, class_=f"part {part}"))
    return joined(*parts)


def _step(derivation: Derivation, step: Step, number: int, matrices: Matrices) -> Markup:
    name = f"step-{number}"
    one = step.shape and str(step.index_formula) != str(step.formula)
    title = joined(element("span", f"{number}", class_="count"), math(step.formula))
    return element(
        "section",
        element(
            "div",
            element("h3", title, id=name, tabindex="-1"),
            element("p", step.why, class_="why") if step.why else "",
            element("p", element("code", step.source), class_="why") if step.source else "",
            element("p", math(step.index_formula), class_="one") if one else "",
            _rules(step),
            class_="words",
        ),
        element("div", *_matrices(derivation, step, matrices), class_="matrices"),
        class_="step",
        data_step=str(number),
        aria_labelledby=name,
    )


def _matrices(derivation: Derivation, step: Step, matrices: Matrices) -> Iterator[Markup]:
    old = derivation.labels.old.get(step.node) if step.part == UPDATE else None
    if old is not None:
        yield matrices.matrix(old, derivation.labels.notation.labels[old], "before")
        yield element("span", "→", class_="arrow", aria_hidden="true")
        yield matrices.matrix(step.node, step.label, "after")
    else:
        yield matrices.matrix(step.node, step.label)


def _rules(step: Step) -> Markup:
    if not step.rules:
        return Markup()
    rows = [
        element(
            "li",
            element("span", f"{rule.name}: ", class_="rule-name"),
            math(rule.operation.formula), element("span", ", so "), math(rule.gradient),
        )
        for rule in step.rules
    ]  # fmt: skip
    count = len(rows)
    summary = f"{count} rule{'' if count == 1 else 's'} of calculus behind it"
    return element("details", element("summary", summary), element("ol", *rows), class_="rules")
