"""Where one number came from: the paths from it to the loss, and each path's share.

A gradient is linear in the gradients that it is computed from, so its pullback says by how much
each of them counts. Followed down to the loss, every product of such factors is one path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explain.factors import factor_text
from chainrule.explain.numbers import Cell
from chainrule.gradient import pull_back
from chainrule.graph import Node, argument, topological_order
from chainrule.interpreter import evaluate_nodes

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Factor", "Path", "Paths", "parts_of", "paths_of", "rest_of"]

Array = NDArray[Any]
_MOST_PATHS = 20_000
_MOST_CELLS = 4_000


@dataclass(frozen=True)
class Factor:
    """One edge of a path: what a gradient is multiplied by on its way to the next."""

    text: str
    value: float


@dataclass(frozen=True)
class Path:
    """One way from a number to the loss.

    ``cells`` are the gradients passed on the way, the number's own first; ``factors`` stand
    between them, and ``end`` is the number of the last. ``folded`` tells that more paths go on
    from there, which are taken together.
    """

    cells: tuple[Cell, ...]
    factors: tuple[Factor, ...]
    end: float
    folded: bool = False

    @property
    def product(self) -> float:
        """What this path adds to the gradient."""
        return math.prod([*(factor.value for factor in self.factors), self.end])


@dataclass(frozen=True)
class Paths:
    """All paths from one gradient to the loss, those that add most first.

    ``value`` is the gradient itself, ``skipped`` says how many paths are exactly 0.
    """

    value: float
    paths: tuple[Path, ...]
    skipped: int

    @property
    def total(self) -> float:
        """The sum of all paths, rounded once."""
        return math.fsum(path.product for path in self.paths)

    @property
    def rounding(self) -> str:
        """How the sum of the paths compares with the gradient, in a sentence."""
        if self.total == self.value:
            return "The sum of the paths is the gradient to the last bit."
        unit = math.ulp(self.value) or math.ulp(0.0)
        count = round(abs(self.total - self.value) / unit)
        units = f"{count:,} unit{'' if count == 1 else 's'} in the last place"
        size = math.fsum(abs(path.product) for path in self.paths)
        return (
            f"The sum of the paths is {self.total!r}, the gradient {self.value!r}: they differ by "
            f"{abs(self.total - self.value):.1e} ({units}), the rounding of sums and products done "
            f"in another order (terms of size {size:.2g})."
        )


class _Local:
    """The formula of one gradient over the values it is computed from, ready to be pulled back."""

    def __init__(self, derivation: Derivation, node: Node) -> None:
        self.node, self.derivation = node, derivation
        inputs = derivation.labels.notation.named_inputs(node)
        stand_in = {x: argument("x", x.shape, x.dtype) for x in inputs}
        made: dict[Node, Node] = dict(stand_in)
        for each in topological_order([node], made):
            made[each] = each.with_inputs(tuple(made[x] for x in each.inputs))
        self.parents = [x for x in inputs if x in derivation.labels.back]
        self.values = {stand_in[x]: derivation.values[x] for x in inputs}
        self.upstream = argument("g", node.shape, node.dtype)
        self.pulled = pull_back(
            [made[node]], [self.upstream], [stand_in[parent] for parent in self.parents]
        )
        self.formula = made[node]
        self.stand_in = stand_in

    def rest(self) -> Array:
        """What is added that no gradient before it is behind: a penalty's own part."""
        zeros = {
            self.stand_in[parent]: np.zeros(parent.shape, parent.dtype) for parent in self.parents
        }
        with np.errstate(all="ignore"):
            return np.asarray(evaluate_nodes([self.formula], {**self.values, **zeros})[0])

    def parts(self, place: tuple[int, ...]) -> Iterator[tuple[Cell, float]]:
        """The gradients that one number is computed from, and by how much each counts."""
        one = np.zeros(self.node.shape, self.node.dtype)
        one[place] = 1
        with np.errstate(all="ignore"):
            pulled = evaluate_nodes(self.pulled, {**self.values, self.upstream: one})
        for parent, factors in zip(self.parents, pulled, strict=True):
            found = np.asarray(factors)
            for at in zip(*np.nonzero(found), strict=True) if found.ndim else [()]:
                inner = tuple(int(i) for i in at)
                if found[inner]:
                    yield (parent, inner), float(found[inner])


class _Search:
    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.locals: dict[Node, _Local] = {}
        self.rests: dict[Node, Array] = {}
        self.parts: dict[Cell, list[tuple[Cell, Factor]]] = {}

    def after(self, cell: Cell) -> list[tuple[Cell, Factor]]:
        """The next cells of all paths through a cell."""
        if cell not in self.parts:
            node, place = cell
            found = list(self._local(node).parts(place))
            texts = factor_text(self.derivation.labels, cell, [each for each, _ in found])
            self.parts[cell] = [
                (each, Factor(text, value))
                for (each, value), text in zip(found, texts, strict=True)
            ]
        return self.parts[cell]

    def _local(self, node: Node) -> _Local:
        if node not in self.locals:
            self.locals[node] = _Local(self.derivation, node)
            self.rests[node] = self.locals[node].rest()
        return self.locals[node]

    def paths(self, start: Cell) -> Iterator[Path]:
        """All paths, a layer at a time; where they become too many, the rest is taken together."""
        front = [Path((start,), (), 0.0)]
        while front:
            cells = dict.fromkeys(path.cells[-1] for path in front)
            fresh = [cell for cell in cells if cell not in self.parts]
            if len(self.parts) + len(fresh) > _MOST_CELLS:
                yield from (self._ended(path, folded=True) for path in front)
                return
            count = sum(len(self.after(path.cells[-1])) for path in front)
            if count > _MOST_PATHS:
                yield from (self._ended(path, folded=True) for path in front)
                return
            longer: list[Path] = []
            for path in front:
                yield from self._rest(path)
                longer += [
                    Path((*path.cells, cell), (*path.factors, factor), 0.0)
                    for cell, factor in self.after(path.cells[-1])
                ]
            front = longer

    def _ended(self, path: Path, *, folded: bool) -> Path:
        node, place = path.cells[-1]
        end = float(self.derivation.values[node][place])
        return Path(path.cells, path.factors, end, folded)

    def _rest(self, path: Path) -> Iterator[Path]:
        """The path that ends here: at the loss's own side, or at a penalty."""
        node, place = path.cells[-1]
        parents = self._local(node).parents
        if not parents:
            yield self._ended(path, folded=False)
        elif self.rests[node][place]:
            yield Path(path.cells, path.factors, float(self.rests[node][place]))


def parts_of(derivation: Derivation, cell: Cell) -> list[tuple[Cell, Factor]]:
    """The gradients that a gradient is computed from directly, each with its factor."""
    return _Search(derivation).after(cell) if cell[0] in derivation.labels.back else []


def rest_of(derivation: Derivation, cell: Cell) -> float:
    """What a gradient has beside its terms of other gradients: a penalty's own part."""
    if cell[0] not in derivation.labels.back:
        return 0.0
    local = _Local(derivation, cell[0])
    return float(local.rest()[cell[1]]) if local.parents else 0.0


def paths_of(derivation: Derivation, cell: Cell) -> Paths:
    """The paths from a gradient to the loss."""
    node, place = cell
    value = float(derivation.values[node][place])
    if node not in derivation.labels.back:  # a value of the forward pass is the gradient too
        found = [Path((cell,), (), value)]
    else:
        found = list(_Search(derivation).paths(cell))
    kept = [path for path in found if path.product != 0]
    kept.sort(key=lambda path: -abs(path.product))
    return Paths(value, tuple(kept), len(found) - len(kept))
