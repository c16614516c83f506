"""The native engine: which way a graph is compiled, and what is interpreted instead.

A graph is compiled whole, every array in registers, where it is small; otherwise as loops over
buffers. A primitive that cannot be compiled leaves the whole graph to the interpreter, and that is
said once; so does a processor without fused multiply-adds. Else the choice depends on the graph
alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.graph import Graph, Node
from chainrule.interpreter import Program
from chainrule.kernels.branches import checked, halting
from chainrule.kernels.machine import reason_not_native
from chainrule.kernels.remembered import Remembered
from chainrule.kernels.rules import unsupported
from chainrule.kernels.whole import WholeProgram, WholeSteps

if TYPE_CHECKING:
    from chainrule.kernels.loops import LoopSteps

__all__ = ["NativeEngine", "NotCompiledWarning", "is_small"]

Array = NDArray[Any]

_READY = Remembered(most=32)

# A graph above these would take LLVM more than about a tenth of a second.
_LARGEST_ARRAY = 64
_MOST_INSTRUCTIONS = 1000
_FUNCTIONS = 25
"""About how many instructions a transcendental function takes."""


class NotCompiledWarning(UserWarning):
    """A graph is interpreted, because a primitive in it cannot be compiled."""


def is_small(graph: Graph) -> bool:
    """Whether a graph is compiled whole: few instructions, and no array that fills the registers.

    Instructions are counted as vectors of 64 bytes.
    """
    total = 0.0
    for node in graph.nodes():
        if node.size > _LARGEST_ARRAY:
            return False
        vectors = max(1.0, node.size * node.dtype.itemsize / 64)
        total += vectors * _weight(node)
    return total <= _MOST_INSTRUCTIONS


def _weight(node: Node) -> float:
    if node.primitive.name == "matmul":
        return 3.0 * node.inputs[0].shape[-1]
    if node.primitive.kind == "elementwise" and node.primitive.domain is not None:
        arithmetic = ("add", "subtract", "multiply", "divide", "negative", "square", "maximum")
        return 1.0 if node.primitive.name in arithmetic else float(_FUNCTIONS)
    return 1.0 if node.primitive.kind == "leaf" else 2.0


class NativeEngine:
    """Makes graphs ready to run as native code: `train` takes ``engine="native"`` for it.

    >>> import numpy as np
    >>> from chainrule import trace
    >>> x = np.array([0.0, 1.0])
    >>> NativeEngine()(trace(lambda x: np.sum(np.exp(x)), x))(x)[0].round(6)
    np.float64(3.718282)
    """

    name = "native"

    def __init__(self) -> None:
        self._told: set[str] = set()
        self.made: list[WholeSteps | LoopSteps] = []
        """The training steps that were made ready, in order."""

    def __call__(self, graph: Graph) -> Callable[..., list[Array]]:
        """A graph made ready to run: a function of the arguments' arrays.

        It raises GuardError where the program takes another branch than when it was traced.
        """
        kind = self._kind(graph)
        if kind == "interpreted":
            return Program(graph)
        if kind == "whole":
            form = WholeProgram
        else:
            from chainrule.kernels.loops import LoopProgram as form  # a small graph needs none
        return checked(graph, form) if graph.guards else form(graph)

    def steps(
        self, graph: Graph, carried: int, rows: int, whole: bool
    ) -> WholeSteps | LoopSteps | None:
        """A training step made ready to run many times, or None where it is interpreted.

        It ends, as where the loss is not finite, before a step in which the program takes another
        branch than when it was traced.
        """
        kind = self._kind(graph)
        if kind == "interpreted":
            return None
        # With the graph itself, as long as which its identity is its own.
        _, steps = _READY.get(
            (id(graph), carried, rows, whole),
            lambda: (graph, self._steps(kind, graph, carried, rows, whole)),
        )
        self.made.append(steps)
        return steps

    def _steps(
        self, kind: str, graph: Graph, carried: int, rows: int, whole: bool
    ) -> WholeSteps | LoopSteps:
        if graph.guards:
            graph = halting(graph)
        if kind == "whole":
            return WholeSteps(graph, carried, rows, whole)
        from chainrule.kernels.loops import LoopSteps  # a small graph needs none

        return LoopSteps(graph, carried, rows, whole)

    def _kind(self, graph: Graph) -> str:
        reason = reason_not_native()
        if any(guard.node.dtype.kind != "b" or guard.node.ndim for guard in graph.guards):
            # As good as every step would be another program to compile.
            reason = "a count or an order that depends on values"
        if reason is not None:
            self._tell(reason)
            return "interpreted"
        if is_small(graph) and not any(unsupported(node) for node in graph.nodes()):
            return "whole"
        from chainrule.kernels.loops import unsupported_in_loops  # a small graph needs none

        reasons = [unsupported_in_loops(node) for node in graph.nodes()]
        reason = next((each for each in reasons if each is not None), None)
        if reason is None:
            return "loops"
        self._tell(reason)
        return "interpreted"

    def _tell(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            warnings.warn(
                f"This runs with NumPy and not as native code, because of {reason}.",
                NotCompiledWarning,
                stacklevel=4,
            )
