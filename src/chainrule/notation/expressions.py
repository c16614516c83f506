"""Nodes as formulas over named values.

A `Notation` decides, for the nodes that some outputs need, which of them have a name. A value with
a name stands in other formulas as that name; a value without one is written out where it is used.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainrule.graph import Node, topological_order
from chainrule.notation.formulas import ELLIPSIS, Equality, Formula, Name
from chainrule.notation.operations import operation
from chainrule.notation.symbols import Style
from chainrule.notation.values import array_formula, is_short

__all__ = ["Equation", "Notation"]

# A formula is at most twice this many levels deep, so that writing it cannot exhaust Python's
# stack; one of an equation has at most this many terms.
_DEEPEST = 40
# A value that several others use is named when writing it out takes more terms than this.
_COPIED = 3


@dataclass(frozen=True)
class Equation:
    """A value's name and what it is equal to; ``node`` is the value."""

    node: Node
    left: Formula
    right: Formula

    @property
    def formula(self) -> Formula:
        """Both sides as one formula."""
        return Equality(parts=(self.left, self.right))

    def write(self, style: Style = "text") -> str:
        """The equation in a style: 'text', 'latex' or 'mathml'."""
        return self.formula.write(style)

    def __str__(self) -> str:
        return self.write("text")

    @property
    def latex(self) -> str:
        """The equation in LaTeX."""
        return self.write("latex")

    @property
    def mathml(self) -> str:
        """The equation as a ``<math>`` element."""
        return self.write("mathml")


class Notation:
    """The names of the values in an expression, and the formulas over those names.

    ``names`` gives names to nodes, before the user's own. With ``temporaries``, values that would
    make a formula longer than ``max_terms`` names and operations, or that would be written out
    more than once, are named t1, t2, …, so that all equations together are never longer than the
    graph; without, an ellipsis stands for what is too long. Broadcasts inside elementwise
    arithmetic, and casts, are invisible unless ``broadcasts`` or ``casts`` asks for them.

    A name that the user gave to several values gets a prime for each later one: W, W′, W″.
    """

    def __init__(
        self,
        outputs: Sequence[Node],
        *,
        names: Mapping[Node, str | Formula] | None = None,
        temporaries: bool = True,
        max_terms: int = 24,
        broadcasts: bool = False,
        casts: bool = False,
    ) -> None:
        self.outputs = tuple(outputs)
        self.max_terms = min(max_terms, _DEEPEST) if temporaries else max_terms
        # With temporaries every formula is short, so nothing has to be left out.
        self.most_operations = sys.maxsize if temporaries else max_terms
        self.broadcasts = broadcasts
        self.casts = casts
        self.order = topological_order(outputs)
        self.labels: dict[Node, Formula] = {}
        self._used: Counter[str] = Counter()
        self._numbers = {"c": 1, "t": 1, "x": 1}
        self._give_names(names or {})
        if temporaries:
            self._give_temporary_names()

    @property
    def spellings(self) -> frozenset[str]:
        """All names in use."""
        return frozenset(self._used)

    def _give_names(self, names: Mapping[Node, str | Formula]) -> None:
        inner = set(_inner_nodes(self.order))
        for node in dict.fromkeys((*self.order, *names)):
            name = names.get(node) or (None if node in inner else node.name)
            if name:
                self.labels[node] = self._named(name) if isinstance(name, str) else name
        for node in self.order:
            if node not in self.labels:
                if is_argument(node):
                    self.labels[node] = self._fresh("x")
                elif node.primitive.name == "constant" and node.ndim and not is_short(node.value):
                    self.labels[node] = self._fresh("c")

    def _named(self, spelling: str) -> Name:
        self._used[spelling] += 1
        return Name(spelling, self._used[spelling] - 1)

    def _fresh(self, letter: str) -> Name:
        while f"{letter}{self._numbers[letter]}" in self._used:
            self._numbers[letter] += 1
        return self._named(f"{letter}{self._numbers[letter]}")

    def _give_temporary_names(self) -> None:
        users = self._count_users()
        outputs = set(self.outputs)
        terms: dict[Node, int] = {}
        for node in self.order:
            terms[node] = self._terms_within_limit(node, terms)
            hidden = self.is_hidden(node)
            copied = users[node] > 1 and terms[node] > _COPIED and not hidden
            if node not in self.labels and node.inputs and (copied or node in outputs):
                self.labels[node] = self._fresh("t")
            if node in self.labels:
                terms[node] = 1

    def _count_users(self) -> Counter[Node]:
        """How many visible nodes use each node; those that use an invisible one use its input."""
        users: Counter[Node] = Counter()
        for node in reversed(self.order):
            count = users[node] if self.is_hidden(node) else 1
            for operand in set(node.inputs):
                users[operand] += count
        return users

    def _terms_within_limit(self, node: Node, terms: dict[Node, int]) -> int:
        """The length of a node's formula; where it is too long, its longest operands get names."""
        operands = [self._seen(operand) for operand in node.inputs]
        visible = 0 if self.is_hidden(node) else 1
        total = visible + sum(terms[operand] for operand in operands)
        while total > self.max_terms:
            longest = max(operands, key=lambda operand: terms[operand])
            if terms[longest] == 1:
                break
            total -= (terms[longest] - 1) * operands.count(longest)
            self.labels[longest] = self._fresh("t")
            terms[longest] = 1
        return total

    def _seen(self, node: Node) -> Node:
        """The node itself, or the first below it that is not invisible."""
        while node not in self.labels and self.is_hidden(node):
            node = node.inputs[0]
        return node

    def is_hidden(self, node: Node, user: Node | None = None) -> bool:
        """Whether a node is invisible inside another (None: inside some other)."""
        if node.primitive.name == "cast":
            truth = node.inputs[0].dtype == bool and node.dtype != bool
            truncated = node.inputs[0].dtype.kind == "f" and node.dtype.kind in "iu"
            return not (self.casts or truth or truncated)
        by_shape = user is None or user.primitive.kind == "elementwise"
        if node.primitive.name == "broadcast_to":
            assigned = user is not None and user.primitive.name == "setitem"
            return (by_shape or assigned) and not self.broadcasts
        if node.primitive.name == "transpose":
            return node.attributes["axes"] == tuple(range(node.ndim))
        if node.primitive.name == "reshape":
            added = node.ndim - node.inputs[0].ndim
            spread = user is not None and user.primitive.name == "broadcast_to"
            leading = added >= 0 and node.shape == (1,) * added + node.inputs[0].shape
            return leading and (added == 0 or by_shape or spread)
        return False

    def name(self, node: Node) -> Formula | None:
        """The name that a node goes by, or None where it has none."""
        return self.labels.get(node)

    def named_inputs(self, node: Node) -> list[Node]:
        """The named values that a node's equation is written over, in the order of the graph.

        They are where one step of a derivation ends and the next begins.
        """
        found: set[Node] = set()
        seen: set[Node] = set()
        waiting = list(node.inputs)
        while waiting:
            operand = waiting.pop()
            if operand in seen:
                continue
            seen.add(operand)
            if operand in self.labels:
                found.add(operand)
            else:
                waiting.extend(operand.inputs)
        return [operand for operand in self.order if operand in found]

    def reference(self, node: Node) -> Formula:
        """How other formulas show a node: its name, or else what it is equal to."""
        return self.labels[node] if node in self.labels else self.expression(node)

    def expression(self, node: Node, *, depth: int | None = None) -> Formula:
        """What a node is equal to, over named values; a leaf is its own name or number.

        ``depth`` is how many levels of operations are written out; an ellipsis stands for more.
        """
        root = _Place(node, None, 0)
        places = [root]
        written = 0
        deepest = 2 * _DEEPEST if depth is None else min(depth, 2 * _DEEPEST)
        for place in places:
            hidden = place.user is not None
            while hidden and place.node not in self.labels:
                hidden = self.is_hidden(place.node, place.user)
                if hidden:
                    place.node = place.node.inputs[0]
            if place.node in self.labels and (place is not root or is_argument(root.node)):
                place.formula = self.labels[place.node]
            elif not place.node.inputs:
                place.formula = array_formula(place.node.value)
            elif place.level >= deepest or written >= self.most_operations:
                place.formula = ELLIPSIS
            else:
                written += 1
                place.operands = [
                    _Place(operand, place.node, place.level + 1) for operand in place.node.inputs
                ]
                places.extend(place.operands)
        for place in reversed(places):
            if place.formula is None:
                operands = [_done(operand) for operand in place.operands]
                place.formula = operation(place.node, operands)
        return _done(root)

    def equation(self, node: Node, *, depth: int | None = None) -> Equation:
        """A node's name and what it is equal to; a node without a name is given one."""
        if node not in self.labels:
            self.labels[node] = self._fresh("t")
        return Equation(node, self.labels[node], self.expression(node, depth=depth))

    def equations(self) -> list[Equation]:
        """The equation of every named value but the arguments, each after those it needs."""
        return [
            self.equation(node)
            for node in self.order
            if node in self.labels and not is_argument(node)
        ]


@dataclass(eq=False, slots=True)
class _Place:
    """One place in a formula that is being built."""

    node: Node
    user: Node | None
    level: int
    operands: Sequence[_Place] = ()
    formula: Formula | None = None


def is_argument(node: Node) -> bool:
    """Whether a node is a leaf that has a name and no value."""
    return node.primitive.name == "argument"


def _done(place: _Place) -> Formula:
    assert place.formula is not None
    return place.formula


def _inner_nodes(order: Sequence[Node]) -> Iterator[Node]:
    """The nodes inside one step of the user's, such as the sum in a mean: its result has the name.

    All nodes of a step have the step's source, hence its name; only the last is what was assigned.
    """
    for node in order:
        for operand in node.inputs:
            same_step = operand.source is not None and operand.source == node.source
            if same_step and operand.name == node.name:
                yield operand
