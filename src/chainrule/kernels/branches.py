"""Programs with branches: a graph holds one branch, and native code notices when it is another.

The interpreter compares every value that steered the trace with what it was then. Native code
computes those values along with the outputs; a training step ends before its update, as where the
loss is not finite, if one of them differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Graph, constant
from chainrule.interpreter import check_guards
from chainrule.primitives import logical_not, where

__all__ = ["checked", "halting"]

Array = NDArray[Any]


def checked(
    graph: Graph, compiled: Callable[[Graph], Callable[..., list[Array]]]
) -> Callable[..., list[Array]]:
    """A compiled graph that raises GuardError where the program takes another branch."""
    guards = graph.guards
    steering = tuple(guard.node for guard in guards)
    program = compiled(replace(graph, outputs=(*graph.outputs, *steering), guards=()))
    count = len(graph.outputs)

    def run(*arguments: Any) -> list[Array]:
        outputs = program(*arguments)
        check_guards(guards, outputs[count:])
        return outputs[:count]

    return run


def halting(graph: Graph) -> Graph:
    """A training step whose loss is not a number where the program takes another branch.

    The last two outputs are the loss minimised and the loss reported; what steers is true or
    false.
    """
    *new, loss, shown = graph.outputs
    for guard in graph.guards:
        taken = guard.node if guard.expected else logical_not(guard.node)
        loss = where(taken, loss, constant(np.nan, loss.dtype))
    return replace(graph, outputs=(*new, loss, shown), guards=())
