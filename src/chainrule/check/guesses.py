"""Known losses of what an iteration compares with data, where it does not compute them itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.losses import Known, losses_of
from chainrule.check.multiples import multiple, tolerance_of
from chainrule.check.roles import Parameter, Roles, ancestors, gradients_of
from chainrule.graph import Node, constant
from chainrule.primitives import cast
from chainrule.source import Position

__all__ = ["Guess", "guesses_of"]

Array = NDArray[Any]
_MOST_GROUPS = 8
"""So many expressions in which something is compared with data are tried."""
_MOST_PAIRS = 2000


@dataclass(frozen=True)
class Pair:
    """A value that depends on the parameters, and the data that it is compared with."""

    output: Node
    target: Node


@dataclass(frozen=True)
class Guess:
    """A known loss of all pairs that one expression compares, and their ``differences``."""

    known: Known
    pairs: list[Pair]
    differences: list[Node]

    @property
    def outputs(self) -> list[Node]:
        """The outputs of all pairs."""
        return [each.output for each in self.pairs]

    def has(self, trace: Trace, roles: Roles) -> bool:
        """Whether what was taken for the loss is a known one of these outputs and targets."""
        assert roles.loss is not None
        slopes = _slopes(trace, roles.loss, self.outputs)
        tolerance = tolerance_of(self.outputs[0])
        kinds = (known.loss for known in _sums(trace, self.pairs))
        return any(
            multiple(slopes, _slopes(trace, each, self.outputs), tolerance) for each in kinds
        )

    def vanishes(self, trace: Trace, parameters: list[Parameter]) -> bool:
        """Whether no parameter would be moved if all outputs were their targets."""
        nothing = {each: np.zeros(each.shape, each.dtype) for each in self.differences}
        return bool(nothing) and not any(
            np.any(trace.value_if(each.end, nothing) - trace.value(each.start))
            for each in parameters
        )


def guesses_of(trace: Trace, changed: list[Parameter]) -> Iterator[Guess]:
    """The known losses of what is compared with data on the way to the updates."""
    moving = trace.after({each.start for each in changed})
    used = ancestors([each.end for each in changed])
    places: dict[Position, dict[Pair, None]] = {}
    nodes: dict[Pair, list[Node]] = {}
    for node in trace.log:
        if node not in used or node.dtype.kind != "f" or node.source is None:
            continue
        pair, position = _pair(trace, node, moving), node.source.position
        if pair is not None and position is not None:
            places.setdefault(position, {})[pair] = None
            nodes.setdefault(pair, []).append(node)
    groups = {frozenset(pairs): list(pairs) for pairs in places.values()}
    found = [pairs for pairs in groups.values() if len(pairs) <= _MOST_PAIRS]
    # Plain numbers are rather the 1 of a derivative, such as 1 - a**2.
    found.sort(key=lambda pairs: all(each.target.is_constant for each in pairs))
    for pairs in found[:_MOST_GROUPS]:
        differences = [node for pair in pairs for node in nodes[pair]]
        if any(node.primitive.name == "divide" for node in differences):
            differences = []
        for known in _sums(trace, pairs):
            yield Guess(known, pairs, differences)


def _pair(trace: Trace, node: Node, moving: set[Node]) -> Pair | None:
    name = node.primitive.name
    if name in ("subtract", "divide"):
        a, b = (_uncast(operand) for operand in node.inputs)
        if name == "divide" or b in moving:
            a, b = b, a
        # A plain number above is that of an activation, such as 1 / (1 + exp(-z)), and a parameter
        # that moves toward data is rather an average.
        told = (name == "subtract" or not b.is_constant) and _bare(a).primitive.kind != "leaf"
        if told and a in moving and b not in moving and _bare(a).size == a.size:
            return Pair(a, b)
    elif name == "setitem" and node.inputs[0] in moving:
        # The 1 of the right class is taken off a copy of all outputs.
        output = node.inputs[0]
        off = np.round(trace.value(output) - trace.value(node), 9)
        if off.ndim and np.any(off) and np.all((off == 0) | (off == 1)):
            return Pair(output, constant(off.astype(output.dtype)))
    return None


def _uncast(node: Node) -> Node:
    return _uncast(node.inputs[0]) if node.primitive.name == "cast" else node


def _bare(node: Node) -> Node:
    """A value without changes of its dtype and broadcasts."""
    while node.primitive.name in ("cast", "broadcast_to"):
        node = node.inputs[0]
    return node


def _sums(trace: Trace, pairs: list[Pair]) -> Iterator[Known]:
    """The known losses of all pairs of an expression together."""
    kinds: dict[str, list[Known]] = {}
    names = _name([each.output for each in pairs]), _name([each.target for each in pairs])
    for pair in pairs:
        a, y = pair.output, pair.target
        y = y if y.dtype == a.dtype else cast(y, dtype=a.dtype)
        for known in losses_of(trace, a, y, names):
            kinds.setdefault(known.name, []).append(known)
    for found in kinds.values():
        if len(found) == len(pairs):
            total = found[0].loss
            for each in found[1:]:
                total = total + each.loss
            yield Known(found[0].name, total, found[0].outputs, found[0].formula)


def _name(nodes: list[Node]) -> str | None:
    """The name that all of some values have in the program, if it is one."""
    names = {node.name or _bare(node).name for node in nodes}
    name = names.pop() if len(names) == 1 else None
    return None if name is None or "[" in name else name


def _slopes(trace: Trace, loss: Node, outputs: list[Node]) -> Array:
    """The gradients of a loss by all outputs, as one array."""
    found = [trace.value(each) for each in gradients_of(loss, outputs)]
    return np.concatenate([each.ravel() for each in found])
