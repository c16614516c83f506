"""Which known loss a program descends, where it is not the one that it shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.roles import Roles
from chainrule.graph import Node
from chainrule.primitives import cast, log, square, total

__all__ = ["known_losses"]

_LATEST = 4
"""How many of the last values before the loss may be the outputs."""


def known_losses(trace: Trace, roles: Roles) -> Iterator[tuple[str, Node]]:
    """The squared error and the cross-entropies of outputs and targets that an iteration has."""
    starts = {each.start for each in roles.parameters}
    dependent = trace.after(starts) & roles.forward
    inner = [node for node in trace.log if node in dependent and node.size > 1 and node.name]
    data = [node for node in trace.start.values() if node not in starts and node.size > 1]
    for a in reversed(inner[-_LATEST:]):
        for target in data:
            if target.shape == a.shape:
                y = target if target.dtype == a.dtype else cast(target, dtype=a.dtype)
                yield from _losses(trace, a, y)


def _losses(trace: Trace, a: Node, y: Node) -> Iterator[tuple[str, Node]]:
    everywhere = tuple(range(a.ndim))
    yield "the squared error", total(square(a - y), axis=everywhere, keepdims=False)
    outputs, targets = trace.value(a), trace.value(y)
    if np.all((outputs > 0) & (outputs < 1)) and np.all((targets >= 0) & (targets <= 1)):
        yes, no = y * log(a), (1.0 - y) * log(1.0 - a)
        yield "the binary cross-entropy", -total(yes + no, axis=everywhere, keepdims=False)
        yield "the cross-entropy", -total(yes, axis=everywhere, keepdims=False)
