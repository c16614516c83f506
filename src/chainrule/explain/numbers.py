"""One element of a value with the numbers put in, and which numbers they are.

The formula of an element is taken apart: its indices get their values, its sums are written out,
and each element in it is replaced by its number. So the numbers stand where the formula has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explain.labels import Labels
from chainrule.graph import Node
from chainrule.notation import Formula
from chainrule.notation.formulas import ELLIPSIS, Big, Index, Name, Number, Operation, infix
from chainrule.notation.indices import element_equation
from chainrule.notation.symbols import INFIX
from chainrule.notation.values import scalar_formula

__all__ = [
    "Cell",
    "Element",
    "Expansion",
    "NoElement",
    "Place",
    "dotted",
    "element_of",
    "index_text",
    "named_element",
    "shown",
]

Array = NDArray[Any]
Place = tuple[int, ...]
Cell = tuple[Node, Place]
"""One number: the value that it is in, and its place there."""
Write = Callable[[Formula, Node, Place], Formula]
_SHOWN_TERMS = 8
_MOST_TERMS = 20_000


@dataclass(frozen=True)
class Element:
    """One number of a value and how it came about.

    ``indexed`` is the formula with names, ``numbers`` the same with numbers (None where the value
    has no formula for one element), and ``cells`` are all the numbers that went into it.
    """

    node: Node
    place: Place
    value: float
    name: Formula
    indexed: Formula | None
    numbers: Formula | None
    cells: tuple[Cell, ...]


class NoElement(Exception):
    """The formula stands for the whole value."""


class Expansion:
    """The element's formula with its sums written out, term by term."""

    def __init__(self, labels: Labels, node: Node, place: Place) -> None:
        self.nodes = labels.nodes
        self.node, self.place = node, place
        equation = element_equation(labels.notation, node, [f"#{i}" for i in range(node.ndim)])
        self.bound = {f"#{i}": at for i, at in enumerate(place)}
        self.name, self.right = equation.left, equation.right

    def written(self, write: Write, most: int = _SHOWN_TERMS) -> Formula:
        """The right side, with each element as ``write`` gives it and at most so many terms."""
        return self._written(self.right, self.bound, write, most)

    def terms(self) -> Iterator[Formula]:
        """The terms of the outermost sum, each over named elements."""
        if isinstance(self.right, Big) and self.right.symbol == "Σ":
            for bound in self._bindings(self.right, self.bound):
                yield self._written(self.right.parts[0], bound, named_element, _MOST_TERMS)
        else:
            yield self._written(self.right, self.bound, named_element, _MOST_TERMS)

    def _written(
        self, formula: Formula, bound: Mapping[str, int], write: Write, most: int
    ) -> Formula:
        if isinstance(formula, Index):
            node = self.nodes.get(formula.parts[0])
            if node is None:
                raise NoElement
            place = tuple(_at(part, bound) for part in formula.parts[1:])
            return write(formula.parts[0], node, place)
        if formula in self.nodes:
            node = self.nodes[formula]
            if node.ndim:
                raise NoElement
            return write(formula, node, ())
        if isinstance(formula, Big):
            return self._sum(formula, bound, write, most)
        if isinstance(formula, Name) and formula.spelling in bound:
            return Number(str(bound[formula.spelling]))
        return formula.with_parts(lambda part, _: self._written(part, bound, write, most))

    def _sum(self, formula: Big, bound: Mapping[str, int], write: Write, most: int) -> Formula:
        if formula.symbol != "Σ":
            raise NoElement
        total: Formula | None = None
        for count, inner in enumerate(self._bindings(formula, bound)):
            # Every term is visited, as the numbers in it are asked for; not all are shown.
            term = self._written(formula.parts[0], inner, write, most)
            if count < most:
                total = term if total is None else infix("+", total, term)
            elif count == most and total is not None:
                total = infix("+", total, ELLIPSIS)
        return total if total is not None else Number("0")

    def _bindings(self, formula: Big, bound: Mapping[str, int]) -> Iterator[dict[str, int]]:
        body, *running = formula.parts
        letters: list[str] = []
        for part in running:
            if not isinstance(part, Name):
                raise NoElement
            letters.append(part.spelling)
        sizes = [self._size(body, letter) for letter in letters]
        if int(np.prod(sizes)) > _MOST_TERMS:
            raise NoElement
        for places in product(*map(range, sizes)):
            yield {**bound, **dict(zip(letters, places, strict=True))}

    def _size(self, body: Formula, letter: str) -> int:
        """How far an index runs: the shortest axis that it stands at, as one may be cut."""
        return min(self._sizes(body, letter), default=0)

    def _sizes(self, formula: Formula, letter: str) -> Iterator[int]:
        if isinstance(formula, Index) and formula.parts[0] in self.nodes:
            node = self.nodes[formula.parts[0]]
            for size, part in zip(node.shape, formula.parts[1:], strict=True):
                if part == Name(letter):
                    yield size
        for part in formula.parts:
            yield from self._sizes(part, letter)


def named_element(label: Formula, node: Node, place: Place) -> Formula:
    """An element by its name and place."""
    if not place:
        return label
    return Index(parts=(label, *(Number(str(at)) for at in place)))


def element_of(labels: Labels, values: Mapping[Node, Array], node: Node, place: Place) -> Element:
    """One number of a value, with the numbers put in; what is given has no formula."""
    name = named_element(labels.notation.labels[node], node, place)
    value = float(values[node][place])
    if not node.inputs:
        return Element(node, place, value, name, None, None, ())
    expansion = Expansion(labels, node, place)
    cells: dict[Cell, None] = {}

    def number(label: Formula, node: Node, place: Place) -> Formula:
        cells[node, place] = None
        return shown(values[node][place])

    try:
        numbers = dotted(expansion.written(number))
        indexed = expansion.written(named_element)
    except NoElement:
        numbers = indexed = None
        cells = dict.fromkeys(_whole(labels, node))
    return Element(node, place, value, name, indexed, numbers, tuple(cells))


def dotted(formula: Formula) -> Formula:
    """The formula with a dot in products that names need none for: 0.5 · 2 is not 0.5 2."""
    formula = formula.with_parts(lambda part, _: dotted(part))
    if isinstance(formula, Operation) and formula.operator == INFIX[" "]:
        return infix("·", *formula.parts)
    return formula


def _whole(labels: Labels, node: Node) -> Iterator[Cell]:
    """All numbers of the values that a value is computed from."""
    for operand in labels.notation.named_inputs(node):
        for place in np.ndindex(*operand.shape):
            yield operand, tuple(map(int, place))


def _at(index: Formula, bound: Mapping[str, int]) -> int:
    """The value of an index such as n, or n + 1."""
    if isinstance(index, Number):
        return int(index.digits)
    if isinstance(index, Name) and index.spelling in bound:
        return bound[index.spelling]
    if isinstance(index, Operation) and len(index.parts) == 2:
        left, right = (_at(part, bound) for part in index.parts)
        signs = {INFIX["+"]: left + right, INFIX["−"]: left - right, INFIX["·"]: left * right}
        if index.operator in signs:
            return signs[index.operator]
    raise NoElement


def shown(value: Any, digits: int = 4) -> Formula:
    """A number with a few digits."""
    number = np.asarray(value)[()]
    if number.dtype.kind != "f" or not np.isfinite(number):
        return scalar_formula(number)
    # A zero has no sign here.
    return scalar_formula(np.float64(f"{float(number) + 0.0:.{digits}g}"))


def index_text(place: Sequence[int]) -> str:
    """A place as it is written behind a name.

    >>> index_text((0, 1)), index_text(())
    ('[0,1]', '')
    """
    return f"[{','.join(map(str, place))}]" if place else ""
