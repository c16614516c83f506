"""The known losses that a program may descend, where it is not the one that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.multiples import multiple, tolerance_of
from chainrule.check.roles import Roles, gradients_of
from chainrule.graph import Node
from chainrule.primitives import cast, log, square, total

__all__ = ["Known", "is_of_fewer", "known_losses"]

_LATEST = 4
"""How many of the last values before the loss may be the outputs."""


@dataclass(frozen=True)
class Known:
    """A loss by its name, and the outputs that it is a function of."""

    name: str
    loss: Node
    outputs: Node


def known_losses(trace: Trace, roles: Roles) -> Iterator[Known]:
    """The squared error and the cross-entropies of outputs and targets that an iteration has."""
    later = trace.after({each.start for each in roles.parameters})
    inner = [n for n in trace.log if n in later & roles.forward and n.size > 1 and n.name]
    # Targets are what the program holds, or a batch of it.
    data = [node for node in [*trace.start.values(), *trace.log] if node not in later]
    data = [node for node in data if node.size > 1 and (node.name or node in roles.forward)]
    for a in reversed(inner[-_LATEST:]):
        for target in dict.fromkeys(data):
            if target.shape == a.shape:
                y = target if target.dtype == a.dtype else cast(target, dtype=a.dtype)
                yield from _losses(trace, a, y)


def _losses(trace: Trace, a: Node, y: Node) -> Iterator[Known]:
    everywhere = tuple(range(a.ndim))
    yield Known("the squared error", total(square(a - y), axis=everywhere, keepdims=False), a)
    outputs, targets = trace.value(a), trace.value(y)
    if np.all((outputs > 0) & (outputs < 1)) and np.all((targets >= 0) & (targets <= 1)):
        yes, no = y * log(a), (1.0 - y) * log(1.0 - a)
        binary = -total(yes + no, axis=everywhere, keepdims=False)
        yield Known("the binary cross-entropy", binary, a)
        yield Known("the cross-entropy", -total(yes, axis=everywhere, keepdims=False), a)


def is_of_fewer(trace: Trace, shown: Node, known: Known) -> bool:
    """Whether a loss is a known one of some of the samples, and not of the others."""
    gradients = [gradients_of(loss, [known.outputs])[0] for loss in (shown, known.loss)]
    part, whole = (trace.value(gradient) for gradient in gradients)
    here = part != 0
    if not np.any(here) or not np.any(whole[~here]):
        return False
    return multiple(part[here], whole[here], tolerance_of(known.outputs)) is not None
