"""Formulas of single numbers with places for what changes, so that each stands on a page once.

A sum over a row is the same formula for every row and in every epoch but for the numbers in it,
and for the parentheses around those that are negative or have a power of ten. So a formula is
written with marks in place of its numbers: once for positive ones, and once for each kind that may
need parentheses. Where these differ is what the page's script decides by the numbers it puts in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chainrule.explain.numbers import Cell, Expansion, NoElement, Place, dotted, named_element
from chainrule.explain.page.mathematics import broken, inner
from chainrule.graph import Node
from chainrule.notation import Formula
from chainrule.notation.formulas import Index, Number, prefix

__all__ = ["NEGATIVE", "POWER", "Template", "Templates", "name_leaf"]

NEGATIVE, POWER = "-", "e"
"""The kinds of numbers that may need parentheses: negative ones, and those with a power of ten."""
_FIRST_MARK = 0xF0000
_OPEN = r'<mrow><mo fence="true" form="prefix" stretchy="(?:true|false)">\(</mo>'
_CLOSE = r'<mo fence="true" form="postfix" stretchy="(?:true|false)">\)</mo></mrow>'
_TOKEN = {
    "mathml": re.compile(f"(?P<open>{_OPEN})|(?P<close>{_CLOSE})|<[^>]*>|.", re.DOTALL),
    "text": re.compile(r"(?P<open>\()|(?P<close>\))|.", re.DOTALL),
}
Leaf = Callable[[Formula, Node, Place, str], Formula]
Part = str | int | tuple[int, str, str]
"""Text; the number of a place; or text that stands only where a place's number is of a kind."""
Template = tuple[tuple[Part, ...], tuple[Part, ...]]
"""A formula in MathML and as text."""


def name_leaf(label: Formula, node: Node, place: Place, mark: str) -> Formula:
    """The name of an element with a mark in place of its indices; a lone name has none."""
    return Index(parts=(label, Number(mark))) if place else named_element(label, node, place)


def _positive(label: Formula, node: Node, place: Place, mark: str) -> Formula:
    return Number(mark)


def _negative(label: Formula, node: Node, place: Place, mark: str) -> Formula:
    return prefix("−", Number(mark))


def _power(label: Formula, node: Node, place: Place, mark: str) -> Formula:
    return Number(mark, 9)


@dataclass(frozen=True)
class _Written:
    """A formula whose leaves are marks, and the numbers that these stand for."""

    mathml: str
    text: str
    cells: list[Cell]
    slots: list[int]

    @classmethod
    def of(cls, expansion: Expansion, leaf: Leaf, *, numbers: bool) -> _Written:
        cells: list[Cell] = []
        leaves: list[Formula] = []

        def write(label: Formula, node: Node, place: Place) -> Formula:
            leaves.append(leaf(label, node, place, chr(_FIRST_MARK + len(cells))))
            cells.append((node, place))
            return leaves[-1]

        formula = expansion.written(write)
        formula = dotted(formula) if numbers else formula
        mathml, text = broken(inner(formula)), str(formula)
        slots = [i for i in range(len(cells)) if chr(_FIRST_MARK + i) in text]
        for i in slots:
            mathml = mathml.replace(inner(leaves[i]), chr(_FIRST_MARK + i))
            text = text.replace(str(leaves[i]), chr(_FIRST_MARK + i))
        return cls(mathml, text, cells, slots)

    def tokens(self, style: str) -> Iterator[tuple[str, str | int]]:
        """The formula in parts: what each is, and its text or the number of its place."""
        numbered = {chr(_FIRST_MARK + i): slot for slot, i in enumerate(self.slots)}
        for match in _TOKEN[style].finditer(getattr(self, style)):
            kind, text = match.lastgroup or "", match[0]
            yield ("slot", numbered[text]) if text in numbered else (kind, text)


class Templates:
    """The templates of a page, each once."""

    def __init__(self) -> None:
        self.found: dict[Template, int] = {}
        self._known: dict[tuple[Any, ...], int] = {}

    def of_numbers(self, expansion: Expansion) -> tuple[int, list[Cell], list[Cell]]:
        """The template of a formula with numbers: its number, those it shows, and all it is over.

        Raises NoElement where the value has no formula for one element.
        """
        plain = _Written.of(expansion, _positive, numbers=True)
        return self._added(plain, expansion), [plain.cells[i] for i in plain.slots], plain.cells

    def of_names(self, expansion: Expansion) -> tuple[int, list[Cell]]:
        """The template of the same formula with names, and the numbers that it names."""
        plain = _Written.of(expansion, name_leaf, numbers=False)
        return self._added(plain, None), [plain.cells[i] for i in plain.slots]

    def _added(self, plain: _Written, expansion: Expansion | None) -> int:
        styles = ("mathml", "text")
        key = tuple(tuple(plain.tokens(style)) for style in styles)
        if key not in self._known:
            others: dict[str, _Written] = {}
            if expansion is not None:
                for kind, leaf in ((NEGATIVE, _negative), (POWER, _power)):
                    others[kind] = _Written.of(expansion, leaf, numbers=True)
            mathml, text = (_merged(plain, others, style) for style in styles)
            self._known[key] = self.found.setdefault((mathml, text), len(self.found))
        return self._known[key]


def _merged(plain: _Written, others: dict[str, _Written], style: str) -> tuple[Part, ...]:
    """The formula with the parentheses of the others where these have more."""
    tokens = list(plain.tokens(style))
    before: dict[int, list[Part]] = {}
    for kind, other in others.items():
        for at, part in _more(tokens, list(other.tokens(style)), kind):
            before.setdefault(at, []).append(part)
    parts: list[Part] = []
    for at, (_, token) in enumerate([*tokens, ("", "")]):
        parts += before.get(at, [])
        if isinstance(token, str) and parts and isinstance(parts[-1], str):
            parts[-1] += token
        elif token != "":
            parts.append(token)
    return tuple(parts)


def _more(
    plain: list[tuple[str, str | int]], other: list[tuple[str, str | int]], kind: str
) -> Iterator[tuple[int, tuple[int, str, str]]]:
    """The parentheses that are in the second alone: where they stand in the first, and whose.

    Such a parenthesis opens right before the number that it is there for.
    """
    at = 0
    opened: list[int | None] = []
    for i, (what, token) in enumerate(other):
        if what == "close":
            owner = opened.pop()
        elif what == "open":
            same = at < len(plain) and plain[at] == other[i]
            owner = None if same else _next_slot(other, i)
            opened.append(owner)
        else:
            owner = None
        if owner is not None:
            assert isinstance(token, str)
            yield at, (owner, kind, token)
            continue
        if at == len(plain) or plain[at] != other[i]:
            raise NoElement  # the formula is another one for such a number
        at += 1


def _next_slot(tokens: list[tuple[str, str | int]], start: int) -> int:
    return next(
        token for what, token in tokens[start:] if what == "slot" and isinstance(token, int)
    )
