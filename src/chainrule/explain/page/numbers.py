"""The numbers on a page: which are shown, what each is computed from, and its formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError
from chainrule.explain.numbers import Cell, Expansion, NoElement, Place
from chainrule.explain.page.templates import Templates
from chainrule.explain.values import columns_shown
from chainrule.graph import Node

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Numbers", "Sheet"]

Array = NDArray[Any]
_SIDES = (10, 8, 6, 4)
_MANY, _MOST = 2500, 12_000


@dataclass(frozen=True)
class Sheet:
    """A value as rows and columns, and which of them are shown; None stands for those left out."""

    node: Node
    rows: list[int | None]
    columns: list[int | None]
    width: int

    @classmethod
    def of(cls, node: Node, side: int) -> Sheet:
        """A value with at most so many rows and columns."""
        width = node.shape[-1] if node.shape else 1
        height = node.size // max(width, 1)
        return cls(node, columns_shown(height, side), columns_shown(width, side), width)

    def place(self, row: int, column: int) -> Place:
        """The place in the value of a number in the sheet."""
        if not self.node.shape:
            return ()
        flat = row * self.width + column
        return tuple(int(i) for i in np.unravel_index(flat, self.node.shape))

    def places(self) -> Iterator[Place]:
        """The places of all numbers that are shown."""
        for row in self.rows:
            for column in self.columns:
                if row is not None and column is not None:
                    yield self.place(row, column)

    @property
    def left_out(self) -> str:
        """What is said of rows and columns that are not shown."""
        said = [
            f"{len(shown) - 1} of {size:,} {what}"
            for what, shown, size in (
                ("rows", self.rows, self.node.size // max(self.width, 1)),
                ("columns", self.columns, self.width),
            )
            if None in shown
        ]
        return f"{' and '.join(said)} shown" if said else ""


@dataclass(frozen=True)
class Origin:
    """Where one number came from.

    ``numbers`` is the template of its formula with numbers and ``slots`` are those that go into it;
    ``names`` is that with names, and ``named`` are the numbers it names. ``others`` are more that
    it is computed from, and ``count`` says how many there are in all.
    """

    numbers: int | None
    slots: tuple[Cell, ...]
    names: int | None
    named: tuple[Cell, ...]
    others: tuple[Cell, ...]
    count: int


class Numbers:
    """The numbers of a derivation that a page holds, each with an index of its own."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        nodes = [each.node for each in (*derivation.given, *derivation.steps)]
        self.side, self.sheets = _sheets(derivation, list(dict.fromkeys(nodes)))
        self.templates = Templates()
        self.index: dict[Cell, int] = {}
        for node, sheet in self.sheets.items():
            for place in sheet.places():
                self._index_of((node, place))
        self.origins = {cell: self._origin(cell) for cell in tuple(self.index) if cell[0].inputs}
        for origin in self.origins.values():
            for cell in (*origin.slots, *origin.named):
                self._index_of(cell)

    def _index_of(self, cell: Cell) -> int:
        return self.index.setdefault(cell, len(self.index))

    def _origin(self, cell: Cell) -> Origin:
        try:
            expansion = Expansion(self.derivation.labels, *cell)
            numbers, slots, cells = self.templates.of_numbers(expansion)
            names, named = self.templates.of_names(expansion)
        except NoElement:
            return self._of_whole_values(cell[0])
        every, shown = dict.fromkeys(cells), set(slots)
        others = tuple(each for each in every if each not in shown and each in self.index)
        return Origin(numbers, tuple(slots), names, tuple(named), others, len(every))

    def _of_whole_values(self, node: Node) -> Origin:
        """A number that is computed from all numbers of some values."""
        inputs = self.derivation.labels.notation.named_inputs(node)
        shown = [(each, place) for each in inputs for place in self.sheets[each].places()]
        return Origin(None, (), None, (), tuple(shown), sum(each.size for each in inputs))

    def values(self, values: Mapping[Node, Array]) -> list[Any]:
        """The numbers in the order of their indices."""
        return [values[node][place].item() for node, place in self.index]


def _sheets(derivation: Derivation, nodes: list[Node]) -> tuple[int, dict[Node, Sheet]]:
    """How many rows and columns are shown of each value, the less the more there are; and those."""
    sheets: dict[Node, Sheet] = {}
    side = count = 0
    for side in _SIDES:
        sheets = {node: Sheet.of(node, side) for node in nodes}
        count = sum(len(list(sheet.places())) for sheet in sheets.values())
        if count <= _MANY:
            break
    if count > _MOST:
        raise SettingError(
            f"A page of {derivation.title or 'this derivation'} would have {count:,} numbers on "
            f"it, though large values are shown in part; at most {_MOST:,} are put on one. "
            "Explain a shallower network, or write a notebook."
        )
    return side, sheets
