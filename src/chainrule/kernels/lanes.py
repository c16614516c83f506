"""Networks in lanes: what is emitted for them, where their numbers lie, and how they come and go.

Every number of a training step is a vector with a network in each lane. In memory an array of the
lanes has the lanes of an element side by side. Outside, every network's array is whole; a network
that takes a lane is copied in, and one that is done is copied out.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.graph import Graph, Node
from chainrule.kernels.block import element_type
from chainrule.kernels.flow import INT64, counted

__all__ = [
    "ALIGNMENT",
    "DIVERGED",
    "EPOCHS",
    "LOSS",
    "RUNNING",
    "LaneMemory",
    "LanePlan",
    "pointer_at",
]

RUNNING, EPOCHS, LOSS, DIVERGED = range(4)
"""Why a network stopped: it has not, its epochs are done, its loss is reached, it diverged."""

Value = Any
ALIGNMENT = 64
_BYTE = ir.IntType(8)
_DOUBLE = ir.DoubleType()
_POINTER = _BYTE.as_pointer()


@dataclass(frozen=True)
class LanePlan:
    """What is to be emitted.

    ``graphs`` holds the step and, where the last batch of an epoch is smaller, its step as well.
    ``own`` are the arguments beside the carried ones that each network has its own of. Losses are
    averaged over the samples of an epoch as the training loop does, unless ``weighted`` is false.
    ``unrolled`` code has every element's operations written out; otherwise there are loops.
    """

    graphs: tuple[Graph, ...]
    carried: int
    rows: int
    whole: bool
    width: int
    own: frozenset[int]
    weighted: bool = True
    unrolled: bool = True

    @property
    def arguments(self) -> tuple[Node, ...]:
        """The carried arguments and the data."""
        return self.graphs[0].arguments[:-1]

    @property
    def batch(self) -> int:
        """How many rows a step takes."""
        return self.rows if self.whole else self.graphs[0].arguments[self.carried].shape[0]

    def shape(self, position: int) -> tuple[int, ...]:
        """The shape of an argument in memory: data with all its rows."""
        node = self.arguments[position]
        return node.shape if position < self.carried else (self.rows, *node.shape[1:])

    def size(self, position: int) -> int:
        """How many elements an argument has in memory."""
        return int(np.prod(self.shape(position), dtype=np.int64))

    @property
    def vector(self) -> int:
        """How many lanes a vector has; more lanes are several vectors."""
        # Two registers of 64 bytes side by side share the constants of the functions; the tiles of
        # matrix products fill the registers with vectors of one.
        size = 128 if self.unrolled else 64
        return min(self.width, size // self.arguments[0].dtype.itemsize)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


class LaneMemory:
    """Where the numbers of lanes and of networks lie, and functions that move them.

    ``places`` says where each array that has lanes begins in the scratch memory, and ``vectors``
    where single numbers do; ``table`` which entry of the table points to what there is of every
    network. ``module`` gets the functions ``put_in``, ``take_out`` and ``finish``.
    """

    def __init__(self, plan: LanePlan, module: Any) -> None:
        self.plan = plan
        self.module = module
        self.places: dict[int, int] = {}
        end = 0
        for position, node in enumerate(plan.arguments):
            if position < plan.carried or position in plan.own:
                self.places[position] = end
                end += _padded(plan.size(position) * plan.width * node.dtype.itemsize)
        vectors = ("rate", "objective", "reported", "network", "begun", "active")
        self.vectors = {name: end + i * _padded(8 * plan.width) for i, name in enumerate(vectors)}
        self.end = end + len(vectors) * _padded(8 * plan.width)
        tail = ("rates", "done", "outcome", "objective", "reported", "history")
        self.table = {name: len(plan.arguments) + i for i, name in enumerate(tail)}
        self.put_in = self._exchange("put_in", into=True)
        self.take_out = self._exchange("take_out", into=False)
        self.finish = self._finish()

    # Networks in and out of lanes.

    def _inner(self, name: str, arguments: int) -> Any:
        kinds = [_POINTER.as_pointer(), _POINTER, *[INT64] * arguments]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        attributes: Any = function.attributes
        attributes.add("noinline")
        attributes.add("cold")
        return function, ir.IRBuilder(function.append_basic_block())

    def _exchange(self, name: str, *, into: bool) -> Any:
        """``(table, scratch, lane, network)``: copy a network's arrays into its lane, or back."""
        function, builder = self._inner(name, 2)
        table, scratch, lane, network = function.args
        for position, place in self.places.items():
            if position >= self.plan.carried and not into:
                continue
            size = self.plan.size(position)
            kind = element_type(self.plan.arguments[position].dtype).as_pointer()
            outside = builder.bitcast(pointer_at(builder, table, position), kind)
            outside = builder.gep(outside, [builder.mul(network, INT64(size))])
            inside = builder.bitcast(builder.gep(scratch, [INT64(place)]), kind)
            inside = builder.gep(inside, [lane])
            with counted(builder, size) as i:
                there = builder.gep(outside, [i])
                here = builder.gep(inside, [builder.mul(i, INT64(self.plan.width))])
                source, target = (there, here) if into else (here, there)
                builder.store(builder.load(source), target)
        if into:
            rate = builder.load(builder.gep(self.outside(builder, table, "rates"), [network]))
            builder.store(rate, builder.gep(self.inside(builder, scratch, "rate"), [lane]))
        builder.ret_void()
        return function

    def _finish(self) -> Any:
        """``(table, scratch, lane, outcome, clock)``: a network is done, and its lane is free."""
        function, builder = self._inner("finish", 3)
        table, scratch, lane, outcome, clock = function.args
        where = builder.gep(self.inside(builder, scratch, "network"), [lane])
        network = builder.load(where)
        builder.call(self.take_out, [table, scratch, lane, network])
        begun = builder.load(builder.gep(self.inside(builder, scratch, "begun"), [lane]))
        self.write(builder, table, "done", network, builder.sub(clock, begun))
        self.write(builder, table, "outcome", network, outcome)
        for name in ("objective", "reported"):
            value = builder.load(builder.gep(self.inside(builder, scratch, name), [lane]))
            self.write(builder, table, name, network, value)
        builder.store(INT64(-1), where)
        builder.ret_void()
        return function

    def outside(self, builder: Any, table: Value, name: str) -> Value:
        """One number for each network."""
        kind = INT64 if name in ("done", "outcome") else _DOUBLE
        return builder.bitcast(pointer_at(builder, table, self.table[name]), kind.as_pointer())

    def inside(self, builder: Any, scratch: Value, name: str) -> Value:
        """One number for each lane."""
        kind = {"network": INT64, "begun": INT64, "active": _BYTE}.get(name, _DOUBLE)
        place = builder.gep(scratch, [INT64(self.vectors[name])])
        return builder.bitcast(place, kind.as_pointer())

    def write(self, builder: Any, table: Value, name: str, network: Value, value: Value) -> None:
        """Store a number of one network."""
        builder.store(value, builder.gep(self.outside(builder, table, name), [network]))


def pointer_at(builder: Any, table: Value, position: int) -> Value:
    """The pointer at a position of a table of pointers."""
    return builder.load(builder.gep(table, [INT64(position)]))
