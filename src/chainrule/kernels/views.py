"""Where the elements of an array lie: a start, and a step for each axis.

What only arranges elements (a transpose, a broadcast, a slice, most reshapes) changes how an array
is read and copies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from chainrule.graph import Node

__all__ = ["View", "collapsed", "is_view", "split_axes", "viewed"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class View:
    """Element ``[i, j, …]`` is at ``offset + i · strides[0] + j · strides[1] + …``.

    >>> View.of((2, 3)).transposed((1, 0))
    View(shape=(3, 2), strides=(1, 3), offset=0)
    """

    shape: Shape
    strides: Shape
    offset: int = 0

    @classmethod
    def of(cls, shape: Shape) -> View:
        """An array in row-major order."""
        strides: list[int] = []
        step = 1
        for size in reversed(shape):
            strides.append(step)
            step *= size
        return cls(shape, tuple(reversed(strides)))

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def plain(self) -> bool:
        """Whether the elements follow each other in row-major order from the start."""
        return self.offset == 0 and self.same_as(View.of(self.shape))

    def same_as(self, other: View) -> bool:
        """Whether every element lies where it does in another view of this shape."""
        pairs = zip(self.shape, self.strides, other.strides, strict=True)
        return self.offset == other.offset and all(
            size == 1 or ours == theirs for size, ours, theirs in pairs
        )

    def transposed(self, axes: Sequence[int]) -> View:
        """The axes in another order."""
        return View(
            tuple(self.shape[axis] for axis in axes),
            tuple(self.strides[axis] for axis in axes),
            self.offset,
        )

    def broadcast(self, shape: Shape) -> View:
        """The elements repeated along axes that are missing or have length 1."""
        added = len(shape) - len(self.shape)
        strides = tuple(
            0 if size == 1 and wanted != 1 else step
            for size, wanted, step in zip(self.shape, shape[added:], self.strides, strict=True)
        )
        return View(shape, (0,) * added + strides, self.offset)

    def indexed(self, template: Sequence[tuple[Any, ...]]) -> View:
        """The part that slices, integers and new axes select."""
        shape: list[int] = []
        strides: list[int] = []
        offset, axis = self.offset, 0
        for kind, *details in template:
            if kind == "newaxis":
                shape.append(1)
                strides.append(0)
                continue
            size, step = self.shape[axis], self.strides[axis]
            axis += 1
            if kind == "integer":
                offset += step * (details[0] % size)
                continue
            start, stop, stride = slice(*details).indices(size)
            count = len(range(start, stop, stride))
            shape.append(count)
            strides.append(step * stride)
            offset += step * start if count else 0
        return View((*shape, *self.shape[axis:]), (*strides, *self.strides[axis:]), offset)

    def reshaped(self, shape: Shape) -> View | None:
        """The same elements in the same order under another shape; None where that takes a copy.

        >>> View.of((2, 3)).transposed((1, 0)).reshaped((6,)) is None
        True
        """
        if self.size == 0:
            return replace(View.of(shape), offset=self.offset)
        old = collapsed([self])[0]
        strides: list[int] = []
        sizes, steps = list(old.shape), list(old.strides)
        for size in reversed(shape):
            if size == 1:
                strides.append(0)
                continue
            while sizes and sizes[-1] == 1:
                sizes.pop()
                steps.pop()
            if not sizes or sizes[-1] % size:
                return None
            strides.append(steps[-1])
            sizes[-1] //= size
            steps[-1] *= size
        return View(shape, tuple(reversed(strides)), self.offset)


def collapsed(views: Sequence[View]) -> list[View]:
    """Views of one shape with as few axes as possible: neighbours that are one axis in all.

    Axes of length 1 go.

    >>> collapsed([View.of((2, 3)), View.of(()).broadcast((2, 3))])
    [View(shape=(6,), strides=(1,), offset=0), View(shape=(6,), strides=(0,), offset=0)]
    """
    shape = views[0].shape
    kept: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        steps = [view.strides[axis] for view in views]
        if kept:
            before, outer = kept[-1]
            if all(big == size * small for big, small in zip(outer, steps, strict=True)):
                kept[-1] = (before * size, steps)
                continue
        kept.append((size, steps))
    sizes = tuple(size for size, _ in kept)
    return [
        View(sizes, tuple(steps[i] for _, steps in kept), view.offset)
        for i, view in enumerate(views)
    ]


def split_axes(views: Sequence[View], axis: tuple[int, ...]) -> tuple[list[View], list[View]]:
    """Views cut into kept and reduced axes, each with as few axes as possible."""
    shape = views[0].shape
    kept = [i for i in range(len(shape)) if i not in axis]

    def part(axes: Sequence[int], view: View, offset: int) -> View:
        moved = view.transposed(axes)
        return View(moved.shape, moved.strides, offset)

    return (
        collapsed([part(kept, view, view.offset) for view in views]),
        collapsed([part(axis, view, 0) for view in views]),
    )


def is_view(node: Node) -> bool:
    """Whether a node only arranges the elements of its input."""
    name = node.primitive.name
    if name == "getitem":
        return len(node.inputs) == 1
    return name in ("reshape", "transpose", "broadcast_to", "stop_gradient")


def viewed(view: View, node: Node) -> View | None:
    """A view arranged as a node of `is_view` says; None where that takes a copy."""
    match node.primitive.name:
        case "reshape":
            return view.reshaped(node.shape)
        case "transpose":
            return view.transposed(node.attributes["axes"])
        case "broadcast_to":
            return view.broadcast(node.shape)
        case "getitem":
            return view.indexed(node.attributes["template"])
        case _:
            return view
