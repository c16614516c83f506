"""Many networks of one architecture trained at once: a network in every lane of the vectors.

A number of a network is computed by the same operations in the same order whichever lane it is in,
however many lanes there are, and whatever the other lanes hold; and by the same as in `WholeSteps`,
which trains one network. So a network's result is the same to the last bit alone and among others.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Graph, Node
from chainrule.kernels.keys import graph_key
from chainrule.kernels.laneepochs import lane_code
from chainrule.kernels.lanes import ALIGNMENT, DIVERGED, EPOCHS, LOSS, RUNNING, LanePlan
from chainrule.kernels.machine import REGISTERS, TIDY, compiled, reason_not_native
from chainrule.kernels.mathematics import FUNCTIONS
from chainrule.kernels.rules import unsupported

__all__ = [
    "DIVERGED",
    "EPOCHS",
    "LOSS",
    "RUNNING",
    "LaneSteps",
    "Lot",
    "NotInLanesWarning",
    "reason_not_in_lanes",
]

Array = NDArray[Any]
_FUNCTION = 25
_MOST_WRITTEN_OUT = 3000


class NotInLanesWarning(UserWarning):
    """Networks are trained one by one, because they cannot be compiled for lanes."""


def _is_small(graph: Graph) -> bool:
    """Whether a step is written out element by element."""
    return sum(_work(node) for node in graph.nodes()) <= _MOST_WRITTEN_OUT


def _work(node: Node) -> float:
    """About how many instructions a node takes."""
    if node.primitive.name == "matmul":
        return node.size * node.inputs[0].shape[-1]
    if node.primitive.kind == "elementwise":
        return node.size * (_FUNCTION if node.primitive.name in FUNCTIONS else 1)
    return node.size if node.primitive.name in ("sum", "max", "min", "prod", "cumsum") else 0.0


def reason_not_in_lanes(graph: Graph) -> str | None:
    """Why a training step cannot be compiled for lanes, or None if it can."""
    if graph.guards:
        return "a branch that depends on values"
    reasons = (reason_not_native(), *map(unsupported, graph.nodes()))
    return next((reason for reason in reasons if reason is not None), None)


@dataclass
class Lot:
    """Networks in training: every array has one entry for each.

    ``carried``    parameters and the optimiser's state, ``(networks, *shape)``
    ``rates``      learning rates
    ``own``        data of each network's own, by its position after the carried arguments
    ``done``       epochs done
    ``outcome``    why it stopped: ``RUNNING`` (it has not), ``EPOCHS``, ``LOSS`` or ``DIVERGED``
    ``objective``  the loss minimised, and
    ``reported``   the loss reported, over the last epoch, before its updates
    ``history``    the loss reported in epochs 0, k, 2k, …, ``(networks, records)``
    """

    carried: Sequence[Array]
    rates: NDArray[np.float64]
    own: dict[int, Array] = field(default_factory=dict[int, Array])
    records: int = 0

    def __post_init__(self) -> None:
        n = len(self.rates)
        self.done = np.zeros(n, np.int64)
        self.outcome = np.zeros(n, np.int64)
        self.objective = np.full(n, np.nan)
        self.reported = np.full(n, np.nan)
        self.history = np.full((n, self.records), np.nan)


class LaneSteps:
    """A training step made ready to train networks in the lanes of vectors.

    The graph is as in `WholeSteps`. ``rest`` is the step of an epoch's last batch, where that is
    smaller; ``own`` the positions, after the carried arguments, of data that every network has its
    own of; ``rows`` how many samples there are. With ``weighted`` the losses are averaged over the
    samples of an epoch as the training loop does it; without, a step's are left as they are.
    ``unrolled`` writes every element's operations out, which only small graphs are fast with; by
    default the graph's size decides.
    """

    def __init__(
        self,
        graph: Graph,
        carried: int,
        rows: int,
        whole: bool,
        lanes: int,
        *,
        rest: Graph | None = None,
        own: Sequence[int] = (),
        weighted: bool = True,
        unrolled: bool | None = None,
    ) -> None:
        graphs = (graph,) if rest is None else (graph, rest)
        places = frozenset(carried + i for i in own)
        if unrolled is None:
            unrolled = all(_is_small(graph) for graph in graphs)
        self.plan = LanePlan(graphs, carried, rows, whole, lanes, places, weighted, unrolled)
        kind = f"lanes {carried} {rows} {whole} {lanes} {sorted(own)} {weighted} {unrolled}"
        key = "\n".join([kind, *(graph_key(graph) for graph in graphs)])
        passes = REGISTERS if unrolled else TIDY
        code = compiled(key, lambda: lane_code(self.plan), passes)
        integers = [ctypes.c_int64] * 5
        self._run = code.function(
            "run", ctypes.c_int64, *[ctypes.c_void_p] * 4, *integers, ctypes.c_double
        )
        self._of_thread = threading.local()
        self.scratch_size = int(code.function("scratch_size", ctypes.c_int64)())

    def __call__(
        self,
        lot: Lot,
        data: Sequence[Array],
        queue: NDArray[np.int64],
        *,
        count: int,
        epochs: int,
        order: NDArray[np.int64] | None = None,
        stop_loss: float | None = None,
        every: int = 0,
    ) -> int:
        """Train networks of a lot, for ``count`` epochs' time; how much of it passed.

        ``queue`` has the networks in the order in which they take the lanes. Each trains until it
        has done ``epochs`` in all, its loss is ``stop_loss`` or less, or it is not finite; then the
        next one takes its lane. In mini-batches every network of the queue must have done as many
        epochs, there must be a lane for each, and ``order`` has the rows of the epochs to come.
        ``every`` is how many epochs lie between two losses kept. Networks that are not finished
        keep their state for the next call.
        """
        plan = self.plan
        table = self._table(lot, data)
        scratch = getattr(self._of_thread, "scratch", None)
        if scratch is None:
            scratch = self._of_thread.scratch = np.zeros(self.scratch_size + ALIGNMENT, np.uint8)
        start = scratch.ctypes.data
        rows = np.zeros(0, np.int64) if order is None else order
        assert plan.whole or (len(queue) <= plan.width and len(rows) >= count * plan.rows)
        return int(
            self._run(
                table,
                start + -start % ALIGNMENT,
                queue.ctypes.data,
                rows.ctypes.data,
                len(queue),
                count,
                epochs,
                every if lot.records else 0,
                lot.records,
                -np.inf if stop_loss is None else stop_loss,
            )
        )

    def use_scratch(self, memory: NDArray[np.uint8]) -> None:
        """Work in this memory in this thread: `scratch_size` bytes from a multiple of 64 on."""
        self._of_thread.scratch = memory

    def _table(self, lot: Lot, data: Sequence[Array]) -> Any:
        """The addresses of everything, in the order of `LaneMemory.table`."""
        carried = self.plan.carried
        arrays = [
            *lot.carried,
            *(lot.own.get(i, array) for i, array in enumerate(data)),
            *(lot.rates, lot.done, lot.outcome, lot.objective, lot.reported, lot.history),
        ]
        n = len(lot.rates)
        for i, node in enumerate(self.plan.arguments):
            networks = (n,) if i < carried or i in self.plan.own else ()
            expected = (*networks, *self.plan.shape(i))
            array = arrays[i]
            assert array.shape == expected, (i, array.shape, expected)
            assert array.dtype == node.dtype, (i, array.dtype, node.dtype)
            assert array.flags.c_contiguous, i
        return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
