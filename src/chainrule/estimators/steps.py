"""Steps made ready to run many times: native code, or NumPy where that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from chainrule.estimators.formulation import Batch, Formulation, Parameters, Penalties
from chainrule.graph import Graph
from chainrule.interpreter import Program
from chainrule.kernels.engine import NativeEngine
from chainrule.kernels.remembered import Remembered
from chainrule.pytrees import flatten
from chainrule.training.optimizers import Optimizer

__all__ = ["between_products", "carried_leaves", "ready_gradient", "ready_steps"]

Array = NDArray[Any]
_READY = Remembered(most=32)


class InterpretedSteps:
    """The same call as native steps, with NumPy; what is carried is replaced in its list."""

    def __init__(self, graph: Graph, carried: int, rows: int, whole: bool) -> None:
        self._program = Program(graph)
        self._carried, self._rows, self._whole = carried, rows, whole

    def __call__(
        self,
        carried: list[Array],
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
            carried[:] = new
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
) -> Any:
    """The step for batches like this one; with ``whole`` each step takes all rows in order."""
    parameters, memory, penalties = carried

    def make() -> Any:
        if issparse(batch.X):
            return SparseSteps(formulation, optimizer, carried, batch)
        graph = formulation.step(optimizer, parameters, memory, penalties, batch)
        count, rows = len(carried_leaves(*carried)), len(batch.X)
        made = NativeEngine().steps(graph, count, rows, whole)
        return InterpretedSteps(graph, count, rows, whole) if made is None else made

    named = formulation.text
    if named is None or optimizer.own:
        return make()
    return _READY.get((named, optimizer.text, whole, _kinds(parameters, penalties, batch)), make)


def ready_gradient(
    formulation: Formulation, parameters: Parameters, penalties: Penalties, batch: Batch
) -> Callable[..., list[Array]]:
    """A function of parameters, penalties and batch: the gradients and the loss reported."""

    def make() -> Callable[..., list[Array]]:
        return NativeEngine()(formulation.gradient(parameters, penalties, batch))

    named = formulation.text
    if named is None:
        return make()
    return _READY.get((named, _kinds(parameters, penalties, batch)), make)


class SparseSteps:
    """The same call as native steps, for inputs that are a sparse matrix of compressed rows.

    The products with the inputs are SciPy's, which pass over the zeros. What lies between them is
    one program, of the rows of a batch, and what follows is another, of the weights: the gradients
    of the penalties, and the update.
    """

    def __init__(
        self,
        formulation: Formulation,
        optimizer: Optimizer,
        carried: tuple[Parameters, Any, Penalties],
        batch: Batch,
    ) -> None:
        parameters, memory, penalties = carried
        self._rows, self._layers = batch.X.shape[0], len(parameters.coefs)
        self._between = between_products(formulation, parameters, batch)
        count = np.zeros((), parameters.coefs[0].dtype)
        graph = formulation.update(optimizer, parameters, memory, penalties, parameters, count)
        together = len(flatten((carried, parameters, count))[0])
        made = NativeEngine().steps(graph, together, 1, True)
        self._update = InterpretedSteps(graph, together, 1, True) if made is None else made

    def __call__(
        self,
        carried: list[Array],
        data: Sequence[Any],
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        objective: NDArray[np.float64],
        reported: NDArray[np.float64],
    ) -> int:
        """Run a step for each rate; how many were done."""
        none, layers = np.zeros(0, np.int64), self._layers
        for i in range(len(rates)):
            rows = order[i * self._rows : (i + 1) * self._rows]
            X, *others = (array[rows] for array in data)
            weights, biases = carried[:layers], carried[layers : 2 * layers]
            product = X @ weights[0]
            *gradients, count, loss = self._between(*weights[1:], *biases, product, *others)
            by_weights, by_biases = gradients[1:layers], gradients[layers:]
            first = np.ascontiguousarray(X.T @ gradients[0])
            together = [*carried, first, *by_weights, *by_biases, count]
            # One after the other: the losses of all steps are in two arrays.
            now = slice(i, i + 1)
            self._update(together, (), none, rates[now], objective[now], reported[now])
            carried[:] = together[: len(carried)]
            reported[i] += loss
        return len(rates)


def between_products(
    formulation: Formulation, parameters: Parameters, batch: Batch
) -> Callable[..., list[Array]]:
    """What lies between the two products with sparse inputs.

    A function of all weights but the first, the biases, the product of the inputs with the first
    weights, and the rest of a batch: the gradients by that product, by the other weights and by
    the biases, then the number of samples or the sum of their weights, and the loss reported.
    """
    product = np.zeros((batch.X.shape[0], parameters.coefs[0].shape[1]), parameters.coefs[0].dtype)
    rest = Parameters((None, *parameters.coefs[1:]), parameters.intercepts)
    return NativeEngine()(formulation.between(rest, batch._replace(X=product)))


def _kinds(parameters: Parameters, penalties: Penalties, batch: Batch) -> Any:
    """The shapes and dtypes that code depends on, those of an optimiser's memory left out."""
    masks = None if batch.masks is None else tuple(mask is None for mask in batch.masks)
    return (
        tuple(W.shape for W in parameters.coefs),
        parameters.coefs[0].dtype,
        penalties.l1 is None,
        (batch.X.shape, batch.X.dtype, issparse(batch.X)),
        (batch.y.dtype, batch.weight is None, masks),
    )
