"""What a gradient is multiplied by on its way to the next, as a formula.

The formula of the one element is a sum of terms; a term without the gradient in it is its factor.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.explain.labels import Labels
from chainrule.explain.numbers import Cell, Expansion, NoElement, named_element
from chainrule.notation import Formula
from chainrule.notation.formulas import Cases, Number, Operation, infix, prefix
from chainrule.notation.symbols import INFIX, PREFIX

__all__ = ["factor_text"]

_ONE = Number("1")
_SUMS = (INFIX["+"], INFIX["−"])
_PRODUCTS = (INFIX["·"], INFIX[" "])


class _Unclear(Exception):
    """The gradient stands where its factor cannot be read off."""


def factor_text(labels: Labels, cell: Cell, parents: Sequence[Cell]) -> list[str]:
    """The factor of each gradient in the formula of another; empty where it cannot be read off."""
    named = {
        named_element(labels.notation.labels[node], node, place): (node, place)
        for node, place in parents
    }
    found: dict[Cell, str] = {}
    try:
        for term in Expansion(labels, *cell).terms():
            for each in _within(term, set(named)):
                parent = named[each]
                try:
                    # What stands in two terms has no one factor.
                    found[parent] = "" if parent in found else str(_without(term, each))
                except _Unclear:
                    found[parent] = ""
    except NoElement:
        return [""] * len(parents)
    return [found.get(parent, "") for parent in parents]


def _within(formula: Formula, wanted: set[Formula]) -> set[Formula]:
    if formula in wanted:
        return {formula}
    found: set[Formula] = set()
    for part in formula.parts:
        found |= _within(part, wanted)
    return found


def _without(formula: Formula, target: Formula) -> Formula:
    """The factor of a formula in another that is linear in it."""
    if formula == target:
        return _ONE
    places = [i for i, part in enumerate(formula.parts) if _within(part, {target})]
    if len(places) != 1:
        raise _Unclear
    (place,) = places
    inner = _without(formula.parts[place], target)
    if isinstance(formula, Cases) and place != 1:
        return Cases(parts=tuple(
            part if i == 1 else inner if i == place else Number("0")
            for i, part in enumerate(formula.parts)
        ))  # fmt: skip
    if not isinstance(formula, Operation):
        raise _Unclear
    return _of_operation(formula, place, inner)


def _of_operation(formula: Operation, place: int, inner: Formula) -> Formula:
    operator = formula.operator
    if operator == PREFIX["−"]:
        return prefix("−", inner)
    if operator in _SUMS:
        return prefix("−", inner) if operator == INFIX["−"] and place == 1 else inner
    if operator in _PRODUCTS:
        other = formula.parts[1 - place]
        if inner == _ONE:
            return other
        left, right = (inner, other) if place == 0 else (other, inner)
        return infix("·", left, right)
    if operator == INFIX["/"] and place == 0:
        return infix("/", inner, formula.parts[1])
    raise _Unclear
