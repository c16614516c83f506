"""Kernels of indices that are computed: reading, writing and adding at places named by integers.

The integers are checked by a kernel of their own, before anything is read or written with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph import Node
from chainrule.kernels.code import Code
from chainrule.kernels.flow import INT64
from chainrule.kernels.trees import Leaf
from chainrule.kernels.views import View

__all__ = ["Addressing", "emit_check", "emit_gather", "emit_scatter"]

Value = Any


@dataclass(frozen=True)
class Addressing:
    """How the elements of a part lie in the whole that an index with arrays selects them from.

    ``axes`` puts those of the part's axes first that the arrays' common shape gives, then those
    that slices give.
    ``whole`` moves with the slices' axes; each of ``arrays`` moves with the common ones, and its
    number counts ``steps`` elements of the whole.
    """

    common: tuple[int, ...]
    axes: tuple[int, ...]
    whole: View
    arrays: tuple[View, ...]
    steps: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(
        cls, template: Sequence[tuple[Any, ...]], whole: View, arrays: Sequence[Leaf]
    ) -> Addressing:
        """The addressing of NumPy's index that a template and its arrays make."""
        common = np.broadcast_shapes(*(leaf.shape for leaf in arrays))
        entries = [*template]
        named = sum(kind != "newaxis" for kind, *_ in entries)
        entries += [("slice", None, None, None)] * (len(whole.shape) - named)
        shape: list[int] = []
        strides: list[int] = []
        steps: list[int] = []
        sizes: list[int] = []
        offset, axis = whole.offset, 0
        advanced: list[int] = []
        before = 0
        for position, (kind, *details) in enumerate(entries):
            if kind in ("array", "integer"):
                if not advanced:
                    before = len(shape)
                advanced.append(position)
            if kind == "newaxis":
                shape.append(1)
                strides.append(0)
                continue
            size, step = whole.shape[axis], whole.strides[axis]
            axis += 1
            if kind == "array":
                steps.append(step)
                sizes.append(size)
            elif kind == "integer":
                offset += step * (details[0] % size)
            else:
                start, stop, stride = slice(*details).indices(size)
                shape.append(len(range(start, stop, stride)))
                strides.append(step * stride)
                offset += step * start
        # NumPy puts the arrays' axes where the indices stand, or first if they stand apart.
        together = advanced[-1] - advanced[0] + 1 == len(advanced)
        lead = before if together else 0
        places = range(lead, lead + len(common))
        rest = [i for i in range(len(shape) + len(common)) if i not in places]
        return cls(
            common,
            (*places, *rest),
            View(tuple(shape), tuple(strides), offset),
            tuple(leaf.view.broadcast(common) for leaf in arrays),
            tuple(steps),
            tuple(sizes),
        )


def emit_check(code: Code, index: Leaf, limit: int, failure: int) -> None:
    """Return another number than 0 if an index is out of range: what ``failure`` and it make."""
    builder = code.builder

    def check(place: Value) -> None:
        number = _integer(code, index, place)
        low = builder.icmp_signed("<", number, INT64(-limit))
        high = builder.icmp_signed(">=", number, INT64(limit))
        with builder.if_then(builder.or_(low, high), likely=False):
            error = builder.bitcast(code.function.args[1], INT64.as_pointer())
            builder.store(number, error)
            code.fail(INT64(failure))

    _loops(code, [index.view], index.shape, lambda places: check(places[0]))


def emit_gather(code: Code, node: Node, source: Leaf, arrays: Sequence[Leaf]) -> None:
    """The part of an array that an index with arrays selects."""
    addressing = Addressing.of(node.attributes["template"], source.view, arrays)

    def move(here: Value, there: Value) -> None:
        value = code.builder.load(code.builder.gep(code.base(source.node), [there]))
        code.builder.store(value, code.builder.gep(code.base(node), [here]))

    _address(code, addressing, View.of(node.shape), arrays, move)


def emit_scatter(code: Code, node: Node, part: Leaf, arrays: Sequence[Leaf], *, add: bool) -> None:
    """Add to, or replace, the part of an array that an index with arrays selects, in order."""
    addressing = Addressing.of(node.attributes["template"], View.of(node.shape), arrays)
    builder = code.builder

    def move(here: Value, there: Value) -> None:
        value = builder.load(builder.gep(code.base(part.node), [here]))
        place = builder.gep(code.base(node), [there])
        if add:
            plus = builder.fadd if node.dtype.kind == "f" else builder.add
            value = plus(builder.load(place), value)
        builder.store(value, place)

    _address(code, addressing, part.view, arrays, move)


def _integer(code: Code, leaf: Leaf, place: Value) -> Value:
    dtype = leaf.node.dtype
    number = code.builder.load(code.builder.gep(code.base(leaf.node), [place]))
    if dtype.itemsize == 8:
        return number
    return (
        code.builder.sext(number, INT64) if dtype.kind == "i" else code.builder.zext(number, INT64)
    )


def _address(
    code: Code,
    addressing: Addressing,
    part: View,
    arrays: Sequence[Leaf],
    move: Callable[[Value, Value], None],
) -> None:
    builder = code.builder
    part, lead = part.transposed(addressing.axes), len(addressing.common)

    def common(places: list[Value]) -> None:
        here, *indices = places
        there: Value = INT64(addressing.whole.offset)
        for leaf, place, step, size in zip(
            arrays, indices, addressing.steps, addressing.sizes, strict=True
        ):
            number = _integer(code, leaf, place)
            below = builder.icmp_signed("<", number, INT64(0))
            number = builder.select(below, builder.add(number, INT64(size)), number)
            there = code.at(there, step, number)
        inner = View(part.shape[lead:], part.strides[lead:], 0)
        whole = View(addressing.whole.shape, addressing.whole.strides, 0)
        _loops(
            code,
            [inner, whole],
            inner.shape,
            lambda moved: move(builder.add(here, moved[0]), builder.add(there, moved[1])),
        )

    outer = View(part.shape[:lead], part.strides[:lead], part.offset)
    _loops(code, [outer, *addressing.arrays], addressing.common, common)


def _loops(
    code: Code,
    views: Sequence[View],
    shape: tuple[int, ...],
    body: Callable[[list[Value]], None],
) -> None:
    """Loops over a shape, with the index of every view."""

    def axis(position: int, indices: list[Value]) -> None:
        if position == len(shape):
            body(indices)
            return
        with code.loop(shape[position]) as i:
            axis(
                position + 1,
                [
                    code.at(index, view.strides[position], i)
                    for index, view in zip(indices, views, strict=True)
                ],
            )

    axis(0, [INT64(view.offset) for view in views])
