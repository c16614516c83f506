"""Steps made ready to run many times: native code, or NumPy where that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.estimators.formulation import Batch, Formulation, Parameters, Penalties
from chainrule.graph import Graph
from chainrule.interpreter import Program
from chainrule.kernels.engine import NativeEngine
from chainrule.kernels.remembered import Remembered
from chainrule.pytrees import flatten
from chainrule.training.optimizers import Optimizer
from chainrule.training.steps import Steps

__all__ = ["carried_leaves", "ready_gradient", "ready_steps"]

Array = NDArray[Any]
_READY = Remembered(most=32)


class InterpretedSteps:
    """The same call as native steps, with NumPy."""

    def __init__(self, graph: Graph, carried: int, rows: int, whole: bool) -> None:
        self._program = Program(graph)
        self._carried, self._rows, self._whole = carried, rows, whole

    def __call__(
        self,
        carried: Sequence[Array],
        data: Sequence[Array],
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        objective: NDArray[np.float64],
        reported: NDArray[np.float64],
    ) -> int:
        """Run a step for each rate; how many were done."""
        for i, rate in enumerate(rates):
            rows = order[i * self._rows : (i + 1) * self._rows]
            batch = data if self._whole else [array[rows] for array in data]
            *new, objective[i], reported[i] = self._program(*carried, *batch, rate)
            for old, value in zip(carried, new, strict=True):
                old[...] = value
        return len(rates)


def carried_leaves(parameters: Parameters, memory: Any, penalties: Penalties) -> list[Array]:
    """What a step changes, as it is given to it."""
    return flatten((parameters, memory, penalties))[0]


def ready_steps(
    formulation: Formulation,
    optimizer: Optimizer,
    carried: tuple[Parameters, Any, Penalties],
    batch: Batch,
    *,
    whole: bool,
) -> Steps:
    """The step for batches like this one; with ``whole`` each step takes all rows in order."""
    parameters, memory, penalties = carried

    def make() -> Steps:
        graph = formulation.step(optimizer, parameters, memory, penalties, batch)
        count, rows = len(carried_leaves(*carried)), len(batch.X)
        made = NativeEngine().steps(graph, count, rows, whole)
        return InterpretedSteps(graph, count, rows, whole) if made is None else made

    named = formulation.text
    if named is None or optimizer.own:
        return make()
    return _READY.get((named, optimizer.text, whole, _kinds((*carried, batch))), make)


def ready_gradient(
    formulation: Formulation, parameters: Parameters, penalties: Penalties, batch: Batch
) -> Callable[..., list[Array]]:
    """A function of parameters, penalties and batch: the gradients and the loss reported."""

    def make() -> Callable[..., list[Array]]:
        return NativeEngine()(formulation.gradient(parameters, penalties, batch))

    named = formulation.text
    if named is None:
        return make()
    return _READY.get((named, _kinds((parameters, penalties, batch))), make)


def _kinds(tree: Any) -> Any:
    leaves, structure = flatten(tree)
    return structure, tuple((np.shape(leaf), leaf.dtype) for leaf in leaves)
