"""Formulas as MathML that may be broken into lines, which browsers do not do inside of one."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from chainrule.notation import Formula
from chainrule.pages.markup import Markup, element, joined

__all__ = ["BREAK", "broken", "inner", "math"]

BREAK = "<break/>"
"""Where a line may be broken."""


def inner(formula: Formula) -> str:
    """The MathML of a formula without the element around all of it."""
    whole = formula.write("mathml")
    return _text(ElementTree.fromstring(whole[whole.index(">") + 1 : whole.rindex("<")]))


def broken(mathml: str) -> str:
    """An equation or a sum with a break before each sign that its terms are joined by."""
    return BREAK.join(_terms(ElementTree.fromstring(mathml)))


def math(formula: Formula) -> Markup:
    """A formula on a page."""
    terms = broken(inner(formula)).split(BREAK)
    parts = (f'<math displaystyle="true"><mrow>{term}</mrow></math>' for term in terms)
    return element("span", joined(Markup(" ".join(parts))), class_="math")


def _terms(formula: Element) -> list[str]:
    """The terms of an equation or a sum, each with the sign before it."""
    parts = list(formula)
    sign = parts[1].text if formula.tag == "mrow" and len(parts) == 3 else None
    if sign not in ("+", "−", "="):
        return [_text(formula)]
    first = [_text(parts[0])] if sign == "=" else _terms(parts[0])
    second, *more = _terms(parts[2]) if sign == "=" else [_text(parts[2])]
    return [*first, f'<mo form="infix">{sign}</mo>{second}', *more]


def _text(formula: Element) -> str:
    return ElementTree.tostring(formula, "unicode")
