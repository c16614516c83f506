"""Parameters that are held as whole numbers, so that what is written into them is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.roles import Roles, ancestors
from chainrule.graph import Node

__all__ = ["cut_steps", "line_of"]

_WHOLE = ("setitem", "reshape", "transpose", "broadcast_to", "getitem", "where", "cast")


def cut_steps(trace: Trace, roles: Roles) -> list[dict[str, Any]]:
    """The arrays of whole numbers whose own next value was cut, with the line that did."""
    found: list[dict[str, Any]] = []
    scalars = [roles.loss] if roles.loss is not None else _scalars(trace)
    reached = ancestors(scalars)
    for path, end in trace.end.items():
        start = trace.start.get(path)
        if start is None or end.dtype.kind not in "iu" or not end.ndim or start not in reached:
            continue
        for cast in _casts(end):
            before = cast.inputs[0]
            if start in ancestors([before]) and _has_fractions(trace, before):
                found.append({"name": path, "line": line_of(cast)})
                break
    return found


def _scalars(trace: Trace) -> list[Node]:
    return [node for node in trace.log if node.size == 1 and node.dtype.kind == "f"]


def _casts(end: Node) -> Iterator[Node]:
    """The places where what an array holds at the end was made whole."""
    waiting, seen = [end], set[Node]()
    while waiting:
        node = waiting.pop()
        if node in seen or node.primitive.name not in _WHOLE:
            continue
        seen.add(node)
        if node.primitive.name == "cast" and node.inputs[0].dtype.kind == "f":
            yield node
        else:
            # Of an assignment and a choice, what else they have are indices and conditions.
            first = 1 if node.primitive.name == "where" else 0
            last = 2 if node.primitive.name == "setitem" else None
            waiting.extend(node.inputs[first:last])


def _has_fractions(trace: Trace, node: Node) -> bool:
    value = trace.value(node)
    return bool(np.any(np.isfinite(value) & (value != np.trunc(value))))


def line_of(node: Node) -> int:
    """The line in which a value was computed, or 0 where that is not known."""
    position = None if node.source is None else node.source.position
    return 0 if position is None else position.line
