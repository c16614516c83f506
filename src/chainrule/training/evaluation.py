"""Measuring parameters on data: the reported loss, and a score for networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GuardError
from chainrule.graph import Graph
from chainrule.kernels.remembered import Remembered
from chainrule.networks import Network
from chainrule.pytrees import flatten
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace
from chainrule.training.steps import Engine, Objective, Tree

__all__ = ["Evaluation", "about_one_half", "accuracy", "r_squared", "score_of"]

Array = NDArray[Any]
_GRAPHS = Remembered(most=64)
_MOST_NUMBERS = 1 << 22
"""How many activations of a network are kept at once, while many rows are measured."""


def accuracy(outputs: Array, y: Array) -> float:
    """The share of samples whose class is right.

    ``outputs`` has one column (the class is 1 above ½) or one for each class; ``y`` is shaped like
    it, or holds class numbers.

    >>> accuracy(np.array([[0.2], [0.9]]), np.array([[0.0], [0.0]]))
    0.5
    """
    if outputs.shape[1] == 1:
        return float(np.mean(np.equal(outputs[:, 0] > 0.5, np.reshape(y, -1) > 0.5)))
    labels = np.argmax(y, axis=1) if y.ndim == 2 else y
    return float(np.mean(np.equal(np.argmax(outputs, axis=1), labels)))


def r_squared(outputs: Array, y: Array) -> float:
    """The share of the target's variance that is explained, ``1 - Σ(y - a)² / Σ(y - ȳ)²``.

    >>> r_squared(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    1.0
    """
    spread = np.sum((y - np.mean(y, axis=0)) ** 2)
    return float(1 - np.sum((y - outputs) ** 2) / spread) if spread else float("nan")


def about_one_half(network: Network, outputs: Array) -> Array:
    """The outputs, on whose scale a class of two is chosen at ½ and not by the sign.

    Signs choose where the last layer gives pre-activations: with the hinge loss, and with binary
    cross-entropy and no sigmoid.
    """
    signed = network.criterion.name in ("hinge", "binary_cross_entropy")
    if signed and network.layers[-1].name == "identity":
        return outputs + 0.5
    return outputs


def score_of(network: Network, outputs: Array, y: Array, task: str) -> float:
    """Accuracy for classification, R² for regression."""
    if task == "classification":
        return accuracy(about_one_half(network, outputs), y)
    return r_squared(outputs, np.reshape(y, outputs.shape))


@dataclass
class Evaluation:
    """The reported loss of parameters on data, and the score where ``task`` is known."""

    objective: Objective
    engine: Engine
    task: str | None = None
    _programs: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def __call__(self, parameters: Tree, X: Array, y: Array | None) -> dict[str, float]:
        """The measures by name: ``loss``, and ``score`` for a network with a known task."""
        model = self.objective.model
        rows = self._rows_together(X)
        if rows >= len(X):
            loss, *outputs = self._measured(parameters, X, y)
        else:
            assert y is not None
            loss, *outputs = self._in_blocks(parameters, X, y, rows)
        measures = {"loss": float(loss)}
        if outputs and self.task and y is not None and isinstance(model, Network):
            measures["score"] = score_of(model, outputs[0], y, self.task)
        return measures

    def _rows_together(self, X: Array) -> int:
        """How many rows are measured at once: all, or what keeps the memory for it small."""
        model = self.objective.model
        if not isinstance(model, Network):
            return len(X)  # a loss of the user's own is of all rows
        return max(1, _MOST_NUMBERS // sum(model.sizes))

    def _in_blocks(self, parameters: Tree, X: Array, y: Array, rows: int) -> list[Any]:
        """The loss of many rows, and the outputs, from those of blocks of rows."""
        model = self.objective.model
        assert isinstance(model, Network)
        reported = self.objective.report or model.criterion
        penalty = 0.0 if self.objective.report else float(model.penalty(parameters))
        total, outputs = 0.0, list[Array]()
        for start in range(0, len(X), rows):
            block = slice(start, start + rows)
            loss, *rest = self._measured(parameters, X[block], y[block])
            share = len(X[block]) if reported.reduction == "mean" else 1
            total += (float(loss) - penalty) * share
            outputs.extend(rest)
        loss = total / (len(X) if reported.reduction == "mean" else 1) + penalty
        return [loss, np.concatenate(outputs)] if outputs else [loss]

    def _measured(self, parameters: Tree, X: Array, y: Array | None) -> list[Array]:
        data = (X,) if y is None else (X, y)
        arrays = [*flatten(parameters)[0], *data]
        key = tuple((array.shape, array.dtype) for array in arrays)
        with np.errstate(all="ignore"):
            try:
                return self._program(key, parameters, X, y)(*arrays)
            except GuardError:  # the program takes another branch than when it was traced
                del self._programs[key]
                return self._program(key, parameters, X, y)(*arrays)

    def _program(self, key: Any, parameters: Tree, X: Array, y: Array | None) -> Any:
        program = self._programs.get(key)
        if program is None:
            graph = self._graph(key, parameters, X, y)
            program = self._programs[key] = self.engine(graph)
        return program

    def _graph(self, key: Any, parameters: Tree, X: Array, y: Array | None) -> Graph:
        def traced() -> Graph:
            return simplify_graph(trace(self._measure, parameters, X, y))

        named = self.objective.named
        graph = traced() if named is None else _GRAPHS.get((named, self.task, key), traced)
        return traced() if graph.guards else graph  # which branch it is depends on the values

    def _measure(self, parameters: Tree, X: Any, y: Any) -> tuple[Any, ...]:
        model = self.objective.model
        _, reported = self.objective(parameters, X, y, None)
        if isinstance(model, Network) and self.task:
            return reported, model.predict(parameters, X)
        return (reported,)
