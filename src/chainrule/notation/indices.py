"""The formula of one element: z[n,k] = Σⱼ a[n,j] W[j,k].

Each index starts as a `Letter` without a name; when the formula is complete, letters are given out
in reading order, so that the first index read is n and a sum's index stands between its operands'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import Any

from chainrule.graph import Node
from chainrule.notation.expressions import Equation, Notation
from chainrule.notation.formulas import (
    ELLIPSIS,
    Big,
    Call,
    Formula,
    Index,
    Letter,
    Name,
    Number,
    infix,
)
from chainrule.notation.operations import operation
from chainrule.notation.symbols import INDEX_LETTERS
from chainrule.notation.values import scalar_formula

__all__ = ["element_equation"]

Indices = tuple[Formula, ...]
_ZERO = Number("0")
_DEEPEST = 60


def element_equation(
    notation: Notation, node: Node, letters: Sequence[str] | None = None
) -> Equation:
    """An equation for one element of a node, over elements of named values.

    ``letters`` are the indices of the node's axes; without, they come from the table in the order
    in which the right side is read. Letters that are names in the formula are passed over.
    """
    whole = notation.equation(node)
    writer = _Elements(notation)
    axes = tuple(writer.letter() for _ in node.shape)
    right = writer.element(node, axes, 0)
    found = set(_letters(right))
    chosen: dict[Letter, Formula] = {}
    if letters is not None:
        chosen.update(zip(axes, map(Name, letters), strict=True))
    for axis, size in zip(axes, node.shape, strict=True):
        if size == 1 and axis not in found:
            chosen[axis] = _ZERO
    free = _free_letters({*notation.spellings, *(letters or ())})
    for letter in _in_order(right, axes):
        if letter not in chosen:
            chosen[letter] = Name(next(free))
    left = _indexed(whole.left, axes)
    return Equation(node, _replaced(left, chosen), _replaced(right, chosen))


def _free_letters(taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        for letter in INDEX_LETTERS:
            spelling = f"{letter}{number}" if number else letter
            if spelling not in taken:
                yield spelling
        number += 1


def _in_order(right: Formula, axes: Sequence[Letter]) -> Iterator[Letter]:
    """All letters in reading order, but the value's own axes one after another."""
    ahead = list(axes)
    for letter in _letters(right):
        while letter in ahead:
            yield ahead.pop(0)
        yield letter
    yield from ahead


def _letters(formula: Formula) -> Iterator[Letter]:
    """The letters of a formula in reading order; a sum's own index counts where it is used."""
    if isinstance(formula, Letter):
        yield formula
    for part in formula.parts:
        yield from _letters(part)


def _replaced(formula: Formula, chosen: dict[Letter, Formula]) -> Formula:
    if isinstance(formula, Letter):
        return chosen[formula]
    return formula.with_parts(lambda part, _: _replaced(part, chosen))


def _indexed(array: Formula, index: Indices) -> Formula:
    return Index(parts=(array, *index)) if index else array


class _Elements:
    """The elements of nodes as formulas, by what each primitive does with indices."""

    def __init__(self, notation: Notation) -> None:
        self.notation = notation
        self.count = 0
        self.written = 0

    def letter(self) -> Letter:
        self.count += 1
        return Letter(self.count)

    def element(self, node: Node, index: Indices, level: int) -> Formula:
        """The element of a node at an index; at level 0 its definition, below it its name."""
        name = self.notation.name(node)
        if name is not None and (level > 0 or not node.inputs):
            return _indexed(name, index)
        if not node.inputs:
            return _indexed(self.notation.expression(node), index)
        if self.written >= self.notation.most_operations or level >= _DEEPEST:
            return ELLIPSIS
        self.written += 1
        write = _WRITERS.get(node.primitive.name)
        if write is None and node.primitive.kind == "elementwise":
            write = _Elements.elementwise
        formula = write(self, node, index, level + 1) if write else None
        if formula is None:
            # No formula for one element: that of the whole, and its element.
            formula = _indexed(self.notation.expression(node), index)
        return formula

    def elementwise(self, node: Node, index: Indices, level: int) -> Formula:
        return operation(node, [self.element(x, index, level) for x in node.inputs])

    def cast(self, node: Node, index: Indices, level: int) -> Formula:
        if self.notation.is_hidden(node):
            return self.element(node.inputs[0], index, level)
        return self.elementwise(node, index, level)

    def broadcast(self, node: Node, index: Indices, level: int) -> Formula:
        (x,) = node.inputs
        kept = index[len(index) - x.ndim :]
        return self.element(x, _at_zero(x, kept), level)

    def transpose(self, node: Node, index: Indices, level: int) -> Formula:
        (x,) = node.inputs
        place: dict[int, Formula] = dict(zip(node.attributes["axes"], index, strict=True))
        return self.element(x, tuple(place[axis] for axis in range(x.ndim)), level)

    def reshape(self, node: Node, index: Indices, level: int) -> Formula | None:
        """An element of a reshaped array, where only axes of length 1 come or go."""
        (x,) = node.inputs
        long = [(size, i) for size, i in zip(node.shape, index, strict=True) if size != 1]
        if [size for size, _ in long] != [size for size in x.shape if size != 1]:
            return None
        kept = iter(long)
        below = tuple(_ZERO if size == 1 else next(kept)[1] for size in x.shape)
        return self.element(x, below, level)

    def reduction(self, node: Node, index: Indices, level: int) -> Formula:
        (x,) = node.inputs
        axis = node.attributes["axis"]
        axes = (axis,) if isinstance(axis, int) else axis
        kept = iter(index)
        below: list[Formula] = []
        running: list[Formula] = []
        for i in range(x.ndim):
            if i in axes:
                running.append(self.letter())
                below.append(running[-1])
                if node.attributes["keepdims"]:
                    next(kept)
            else:
                below.append(next(kept))
        body = self.element(x, tuple(below), level)
        symbol = {"sum": "Σ", "prod": "Π"}.get(node.primitive.name, node.primitive.name)
        return Big(symbol, parts=(body, *running)) if running else body

    def softmax(self, node: Node, index: Indices, level: int) -> Formula:
        """exp(x[n,k]) / Σⱼ exp(x[n,j]); for its logarithm x[n,k] − log(Σⱼ exp(x[n,j]))."""
        (x,) = node.inputs
        below = list(index)
        axes: tuple[int, ...] = node.attributes["axis"]
        for axis in axes:
            below[axis] = self.letter()
        running = [below[axis] for axis in axes]
        top = self.element(x, index, level)
        powers = Call("exp", parts=(self.element(x, tuple(below), level),))
        total = Big("Σ", parts=(powers, *running))
        if node.primitive.name == "log_softmax":
            return infix("−", top, Call("log", parts=(total,)))
        return infix("/", Call("exp", parts=(top,)), total)

    def running_sum(self, node: Node, index: Indices, level: int) -> Formula:
        (x,) = node.inputs
        axis: int = node.attributes["axis"]
        running = self.letter()
        body = self.element(x, (*index[:axis], running, *index[axis + 1 :]), level)
        return Big("Σ", parts=(body, infix("≤", running, index[axis])))

    def matmul(self, node: Node, index: Indices, level: int) -> Formula:
        a, b = node.inputs
        running = self.letter()
        outer = index[: max(a.ndim, b.ndim) - 2] if min(a.ndim, b.ndim) > 1 else ()
        rest = list(index[len(outer) :])
        left = (*outer, rest.pop(0), running) if a.ndim > 1 else (running,)
        right = (*outer, running, rest.pop(0)) if b.ndim > 1 else (running,)
        body = infix(" ", self.element(a, left, level), self.element(b, right, level))
        return Big("Σ", parts=(body, running))

    def einsum(self, node: Node, index: Indices, level: int) -> Formula:
        inputs, output = node.attributes["subscripts"].split("->")
        terms = inputs.split(",")
        known: dict[str, Formula] = dict(zip(output, index, strict=True))
        running = [letter for letter in dict.fromkeys("".join(terms)) if letter not in known]
        known.update((letter, self.letter()) for letter in running)
        factors = [
            self.element(operand, tuple(known[letter] for letter in term), level)
            for term, operand in zip(terms, node.inputs, strict=True)
        ]
        body = reduce(partial(infix, " "), factors)
        return Big("Σ", parts=(body, *(known[letter] for letter in running))) if running else body

    def getitem(self, node: Node, index: Indices, level: int) -> Formula | None:
        """An element of a part that is cut out with whole numbers, stretches and new axes."""
        x, *arrays = node.inputs
        if arrays:
            return None
        kept = iter(index)
        below: list[Formula] = []
        for kind, *details in node.attributes["template"]:
            if kind == "newaxis":
                next(kept)
                continue
            size = x.shape[len(below)]
            if kind == "integer":
                below.append(scalar_formula(int(details[0]) % size))
            else:
                start, _, step = slice(*details).indices(size)
                below.append(_shifted(next(kept), start, step))
        return self.element(x, (*below, *kept), level)


def _at_zero(x: Node, index: Sequence[Formula]) -> Indices:
    """An index into an array that is repeated along its axes of length 1."""
    return tuple(_ZERO if size == 1 else i for size, i in zip(x.shape, index, strict=True))


def _shifted(index: Formula, start: int, step: int) -> Formula:
    """The place of an index in the whole: start + step · index."""
    scaled = index if abs(step) == 1 else infix("·", Number(str(abs(step))), index)
    if step < 0:
        return infix("−", Number(str(start)), scaled)
    return infix("+", scaled, Number(str(start))) if start else scaled


_Writer = Callable[[Any, Node, Indices, int], Formula | None]
_WRITERS: dict[str, _Writer] = {
    "argmax": _Elements.reduction,
    "argmin": _Elements.reduction,
    "broadcast_to": _Elements.broadcast,
    "cast": _Elements.cast,
    "cumsum": _Elements.running_sum,
    "einsum": _Elements.einsum,
    "getitem": _Elements.getitem,
    "matmul": _Elements.matmul,
    "log_softmax": _Elements.softmax,
    "max": _Elements.reduction,
    "min": _Elements.reduction,
    "prod": _Elements.reduction,
    "reshape": _Elements.reshape,
    "softmax": _Elements.softmax,
    "stop_gradient": _Elements.elementwise,
    "sum": _Elements.reduction,
    "transpose": _Elements.transpose,
}
