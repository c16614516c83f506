"""How far rounding moves a gradient: within the branches that it is on, and onto other ones."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Guard, Node, topological_order
from chainrule.interpreter import evaluate_nodes

__all__ = ["Carried", "Rounding"]

Array = NDArray[Any]
_DRAWS = 3
_UNIT = float(np.finfo(np.float64).eps)


class Rounding:
    """The nodes of a gradient, and last of the value, as rounding changes them.

    All is computed in double, whatever the precision of the nodes, but for what they choose: the
    nodes that have no derivative keep the values that they have in their own precision.

    nodes   the gradient of each part, and the function's value
    given   the values of the arguments, and of whatever is held
    guards  the truth values and whole numbers that led the program to this graph
    """

    def __init__(
        self, nodes: Sequence[Node], given: dict[Node, Any], guards: Sequence[Guard]
    ) -> None:
        self._nodes, self._given, self._guards = nodes, given, guards
        self._order = topological_order(nodes, given)

    @functools.cached_property
    def moved(self) -> list[float]:
        """How far rounding in double moves each node, at most."""
        return self._moved(self._choices, self._values)

    def carried(self, narrow: Rounding) -> Carried | None:
        """Where rounding in a narrower precision carries the gradient; None if to no other branch.

        Where a value is within rounding of a kink, the narrower precision may find it beyond, or
        upon it. The gradient that ``narrow`` has, at the same arguments, then is of that branch,
        and as right there.
        """
        first = self._led_elsewhere(narrow)
        other, choices = narrow, narrow._choices
        if first is None:
            if [n.primitive for n in self._choices] != [n.primitive for n in choices]:
                return None
            theirs = dict(zip(self._choices, choices.values(), strict=True))
            changed = [n for n, now in self._choices.items() if not _same(now, theirs[n])]
            if not changed:
                return None
            first = changed[0]
            if self._shapes == narrow._shapes:  # not where a mask selects another number
                other, choices = self, theirs
        values = other._run(choices)
        with np.errstate(all="ignore"):
            jumps = [
                np.nan_to_num(after - before, nan=0.0, posinf=0.0, neginf=0.0)
                for after, before in zip(
                    other._at_nodes(values), self._at_nodes(self._values), strict=True
                )
            ]
        return Carried(first, jumps, other._moved(choices, values))

    def _led_elsewhere(self, narrow: Rounding) -> Node | None:
        """What steers the program itself elsewhere in the narrower precision, to another graph."""
        for ours, theirs in zip(self._guards, narrow._guards, strict=False):
            expected = np.asarray(ours.expected)
            if expected.dtype.kind in "biu" and not _same(expected, theirs.expected):
                return ours.node
        return None

    @property
    def _shapes(self) -> list[tuple[int, ...]]:
        """The shapes on the way to the value, but for conversions: these depend on precisions."""
        order = topological_order(self._nodes[-1:], self._given)
        return [node.shape for node in order if node.primitive.name != "cast"]

    @functools.cached_property
    def _choices(self) -> dict[Node, Any]:
        """What the nodes without a derivative are in the nodes' own precision."""
        with np.errstate(all="ignore"):
            values = evaluate_nodes(self._order, self._given)
        pairs = zip(self._order, values, strict=True)
        return {node: value for node, value in pairs if _chooses(node)}

    @functools.cached_property
    def _values(self) -> dict[Node, Any]:
        return self._run(self._choices)

    def _at_nodes(self, values: dict[Node, Any]) -> list[Any]:
        return [values[node] for node in self._nodes]

    def _moved(self, choices: dict[Node, Any], values: dict[Node, Any]) -> list[float]:
        """How far each node is moved, at most.

        Every step's result is changed at random by about a unit in its last place, and what that
        does is seen (D. Parker, 1997, "Monte Carlo arithmetic").
        """
        rng = np.random.default_rng(0)
        shaken = [self._run(choices, rng) for _ in range(_DRAWS)]
        with np.errstate(all="ignore"):
            return [
                max(float(np.max(np.abs(s[node] - values[node]), initial=0.0)) for s in shaken)
                for node in self._nodes
            ]

    def _run(
        self, choices: dict[Node, Any], rng: np.random.Generator | None = None
    ) -> dict[Node, Any]:
        """All values in double, with these choices; moved at random by rounding, or not at all."""
        values = {node: _in_double(value) for node, value in self._given.items()}
        with np.errstate(all="ignore"):
            for node in self._order:
                if node.primitive.name == "constant":
                    values[node] = _in_double(node.value)
                elif node in choices:
                    values[node] = choices[node]
                else:
                    operands = [values[operand] for operand in node.inputs]
                    value = node.primitive.value(*operands, **node.attributes)
                    if rng is not None:
                        value = value * (1 + _UNIT * rng.standard_normal(np.shape(value)))
                    values[node] = value
        return values


@dataclass(frozen=True)
class Carried:
    """A gradient on another branch, as rounding carries it there.

    ``first`` is the first node that chooses otherwise. For each node, ``jumps`` is the difference
    that it makes, and ``moved`` how far rounding in double moves the node there.
    """

    first: Node
    jumps: list[Array]
    moved: list[float]


def _chooses(node: Node) -> bool:
    chooses = not (node.differentiable and node.primitive.differentiable)
    return chooses and node.primitive.name != "constant"


def _in_double(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _same(before: Any, after: Any) -> bool:
    return np.array_equal(before, after)
