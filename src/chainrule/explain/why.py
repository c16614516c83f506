"""Why one number is what it is: its update, its gradient, and the paths through the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chainrule.explain.labels import UPDATE
from chainrule.explain.numbers import Cell, Element, element_of, index_text
from chainrule.explain.paths import Factor, Path, Paths, parts_of, paths_of, rest_of
from chainrule.explain.text import heading_of
from chainrule.explain.values import short_number

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Why", "why"]

_SHOWN = 10
Line = tuple[str, str]


@dataclass(frozen=True)
class Why:
    """Where one number came from.

    ``name``      the number that was asked for
    ``value``     what it is
    ``elements``  how it is computed, and then each number of the update that it is computed from
    ``gradient``  the gradient that is behind it, where one is
    """

    derivation: Derivation
    name: str
    value: float
    elements: tuple[Element, ...]
    gradient: Cell | None

    @cached_property
    def parts(self) -> list[tuple[Cell, Factor]]:
        """The terms that the gradient is the sum of, those that add most first."""
        if self.gradient is None:
            return []
        values = self.derivation.values
        found = parts_of(self.derivation, self.gradient)
        return sorted(found, key=lambda part: -abs(part[1].value * values[part[0][0]][part[0][1]]))

    @cached_property
    def paths(self) -> Paths | None:
        """The paths from the gradient to the loss, those that add most first."""
        return None if self.gradient is None else paths_of(self.derivation, self.gradient)

    def lines(self, *, whole: bool = False) -> Iterator[Line]:
        """The chain as lines of text, each with a style."""
        yield heading_of(self.derivation), "bold"
        for note in self.derivation.notes:
            yield note, "dim"
        yield "", ""
        if not self.elements:
            yield f"{self.name} = {self.value!r} is given.", ""
        for element in self.elements:
            yield from _element(element)
        if self.gradient is None:
            return
        yield from self._terms(whole)
        yield from self._paths(whole)

    def _terms(self, whole: bool) -> Iterator[Line]:
        parts = self.parts
        if self.gradient is None or len(parts) < 2:
            return
        yield "", ""
        yield self._heading(self.gradient, parts), "bold"
        for (node, place), factor in parts if whole else parts[:_SHOWN]:
            value = float(self.derivation.values[node][place])
            text = f"{factor.text} · " if factor.text else ""
            product = short_number(factor.value * value)
            yield (
                (
                    f"  {product:>10}  {text}{self.formula_of((node, place))}"
                    f" = {short_number(factor.value)} · {_within(value)}{self._sample(place)}"
                ),
                "",
            )
        if len(parts) > _SHOWN and not whole:
            yield f"  … and {len(parts) - _SHOWN:,} more (--all)", "dim"
        rest = rest_of(self.derivation, self.gradient)
        if rest:
            yield f"  {short_number(rest):>10}  the penalty's own part", ""

    def _heading(self, gradient: Cell, parts: list[tuple[Cell, Factor]]) -> str:
        name, count = self.formula_of(gradient), len(parts)
        moment = self.derivation.moment
        samples = {place[0] for (_, place), _ in parts if place}
        if moment is not None and len(samples) == count:
            n = len(moment.X)
            zeros = f"; {n - count:,} of {n:,} are 0" if n > count else ""
            return f"{name} is a sum over the samples, the largest first{zeros}:"
        return f"{name} is a sum of {count:,} terms, the largest first:"

    def _sample(self, place: tuple[int, ...]) -> str:
        """Which row of the training data a term is of, where that is another number."""
        moment = self.derivation.moment
        if moment is None or moment.rows is None or not place:
            return ""
        if len(moment.rows) <= place[0] or moment.rows[place[0]] == place[0]:
            return ""
        return f"   (row {int(moment.rows[place[0]])})"

    def _paths(self, whole: bool) -> Iterator[Line]:
        paths = self.paths
        if paths is None or not paths.paths:
            yield "", ""
            yield "No path adds anything to this gradient: it is 0.", "bold"
            return
        size = sum(abs(path.product) for path in paths.paths)
        yield "", ""
        yield f"{len(paths.paths):,} {_paths_word(paths)} to the loss, the largest first:", "bold"
        yield "  (shares are of the sum of all sizes, as paths may cancel)", "dim"
        for path in paths.paths if whole else paths.paths[:_SHOWN]:
            share = 100 * abs(path.product) / size if size else 0.0
            yield f"  {short_number(path.product):>10}  {share:5.1f} %  {self._route(path)}", "cyan"
            yield f"                        {self._product(path)}", ""
        rest = len(paths.paths) - _SHOWN
        if rest > 0 and not whole:
            left = sum(path.product for path in paths.paths[_SHOWN:])
            yield f"  {short_number(left):>10}          … and {rest:,} more (--all)", "dim"
        if paths.skipped:
            yield f"  {paths.skipped:,} more are exactly 0", "dim"
        yield "", ""
        yield paths.rounding, ""

    def variable_of(self, cell: Cell) -> str:
        """The value that a gradient is by, as ``z1[2,1]``."""
        node, place = cell
        labels = self.derivation.labels
        return f"{labels.by_gradient.get(node, labels.names[node])}{index_text(place)}"

    def formula_of(self, cell: Cell) -> str:
        """A number's name in formulas, as ``∂L/∂z1[2,1]``."""
        node, place = cell
        return f"{self.derivation.labels.notation.labels[node]}{index_text(place)}"

    def _route(self, path: Path) -> str:
        ends = "… together" if path.folded else self._end_of(path)
        return " → ".join([*(self.variable_of(cell) for cell in path.cells), ends])

    def _end_of(self, path: Path) -> str:
        """The loss, which the last value acts on; or its penalty."""
        node, place = path.cells[-1]
        whole = float(self.derivation.values[node][place])
        return self.derivation.loss if path.end == whole else "penalty"

    def _product(self, path: Path) -> str:
        factors = [
            f"{factor.text} = {short_number(factor.value)}" if factor.text not in (
                "", short_number(factor.value)
            ) else short_number(factor.value)
            for factor in path.factors
        ]  # fmt: skip
        node, place = path.cells[-1]
        last = self.formula_of((node, place))
        if self._end_of(path) == "penalty":
            last = "the penalty's part"
        return " × ".join(f"({text})" for text in [*factors, f"{last} = {short_number(path.end)}"])

    def to_json(self) -> dict[str, Any]:
        """The chain as plain data."""
        paths = self.paths
        return {
            "title": heading_of(self.derivation),
            "number": self.name,
            "value": self.value,
            "elements": [self._element_data(element) for element in self.elements],
            "gradient": None if paths is None else paths.value,
            "terms": [
                {
                    "gradient": self.derivation.cell_name(cell),
                    "factor": factor.text,
                    "value": factor.value,
                    "of": float(self.derivation.values[cell[0]][cell[1]]),
                }
                for cell, factor in self.parts
            ],
            "paths": [] if paths is None else [self._path_data(path) for path in paths.paths],
            "sum": None if paths is None else paths.total,
            "rounding": None if paths is None else paths.rounding,
        }

    def _element_data(self, element: Element) -> dict[str, Any]:
        return {
            "name": self.derivation.cell_name((element.node, element.place)),
            "value": element.value,
            "formula": None if element.indexed is None else str(element.indexed),
            "numbers": None if element.numbers is None else str(element.numbers),
            "from": [self.derivation.cell_name(cell) for cell in element.cells],
        }

    def _path_data(self, path: Path) -> dict[str, Any]:
        return {
            "through": [self.variable_of(cell) for cell in path.cells],
            "factors": [{"formula": f.text, "value": f.value} for f in path.factors],
            "end": path.end,
            "product": path.product,
            "folded": path.folded,
        }


def _paths_word(paths: Paths) -> str:
    return "path" if len(paths.paths) == 1 else "paths"


def _within(value: float) -> str:
    text = short_number(value)
    return f"({text})" if text.startswith("−") else text


def _element(element: Element) -> Iterator[Line]:
    yield f"{element.name} = {element.value!r}".replace("= -", "= −"), "bold"
    if element.indexed is not None:
        yield f"    = {element.indexed}", ""
    if element.numbers is not None and str(element.numbers) != str(element.indexed):
        yield f"    = {element.numbers}", ""


def why(derivation: Derivation, text: str) -> Why:
    """Where the number that a text names came from.

    A parameter is explained by its update and its gradient; a value of the forward pass by its
    formula and by its gradient.

    Raises SettingError, with the nearest names, where there is no such number.
    """
    node, place = derivation.cell(text)
    labels = derivation.labels
    name = labels.names[node]
    new = next((x for x, old in labels.old.items() if old is node), None)
    start = (new, place) if new is not None else (node, place)
    elements = [] if not start[0].inputs else list(_chain(derivation, start))
    gradient = None
    base = next((old for x, old in labels.old.items() if x is node), node)
    for value in (name, labels.names[base]):
        found = labels.gradients.get(value)
        if found is not None:
            gradient = (found, place)
    if node in labels.back:
        gradient = (node, place)
    elif gradient is not None:
        elements.append(element_of(labels, derivation.values, *gradient))
    value = float(derivation.values[node][place])
    return Why(derivation, f"{name}{index_text(place)}", value, tuple(elements), gradient)


def _chain(derivation: Derivation, start: Cell) -> Iterator[Element]:
    """A number, and those of the same update that it is computed from."""
    waiting, seen = [start], {start}
    for cell in waiting:
        element = element_of(derivation.labels, derivation.values, *cell)
        yield element
        if len(waiting) > 40 or derivation.labels.parts[cell[0]] != UPDATE:
            continue
        for each in element.cells:
            updated = derivation.labels.parts.get(each[0]) == UPDATE and each[0].inputs
            if updated and each not in seen:
                seen.add(each)
                waiting.append(each)
