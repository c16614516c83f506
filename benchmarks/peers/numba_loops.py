"""Numba: the loops of C written in Python, compiled with fastmath; sizes are constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from peers.problems import Problem, Result, last_epoch
from peers.worker import Variant

jit: Any = numba.njit(fastmath=True)


def version() -> str:
    return f"Numba {numba.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    del cores
    work = problem.work
    if work.networks or work.optimizer != "gradient_descent" or work.dtype != "float64":
        return {}
    made = {("sigmoid", 2): two_layers, ("tanh", 3): three_layers}
    chosen = made.get((work.activation, len(work.sizes) - 1))
    return {} if chosen is None else {"loops": lambda: compiled(problem, chosen)}


def compiled(problem: Problem, make: Callable[..., Any]) -> Variant:
    work = problem.work
    train = make(*work.sizes, work.batch)
    losses = np.empty(work.steps)
    order = np.arange(work.batch) if problem.order is None else problem.order.ravel()
    whole = problem.order is None

    def run(arrays: list[Any]) -> list[Any]:
        train(*arrays, problem.X, problem.y, order, whole, work.steps, work.rate, losses)
        return arrays

    def read(arrays: list[Any]) -> Result:
        return Result(arrays, last_epoch(problem, losses))

    return Variant(run, read, lambda: [each.copy() for each in problem.parameters])


@jit
def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


@jit
def forward(a: Any, W: Any, b: Any, z: Any, rows: int, m: int, n: int) -> None:
    for r in range(rows):
        for j in range(n):
            s = b[0, j]
            for k in range(m):
                s += a[r, k] * W[k, j]
            z[r, j] = s


@jit
def back(d: Any, W: Any, before: Any, rows: int, m: int, n: int) -> None:
    for r in range(rows):
        for k in range(m):
            s = 0.0
            for j in range(n):
                s += d[r, j] * W[k, j]
            before[r, k] = s


@jit
def update(a: Any, d: Any, W: Any, b: Any, rate: float, rows: int, m: int, n: int) -> None:
    for k in range(m):
        for j in range(n):
            s = 0.0
            for r in range(rows):
                s += a[r, k] * d[r, j]
            W[k, j] -= rate * s
    for j in range(n):
        s = 0.0
        for r in range(rows):
            s += d[r, j]
        b[0, j] -= rate * s


def two_layers(inputs: int, hidden: int, outputs: int, rows: int) -> Any:
    """Sigmoid layers, the sum of squares descended over all samples: XOR."""

    @jit
    def train(
        W1: Any, b1: Any, W2: Any, b2: Any, X: Any, y: Any, _: Any, whole: Any, steps: Any,
        rate: Any, losses: Any,
    ) -> None:  # fmt: skip
        a1, d1 = np.empty((rows, hidden)), np.empty((rows, hidden))
        a2, d2 = np.empty((rows, outputs)), np.empty((rows, outputs))
        for step in range(steps):
            forward(X, W1, b1, a1, rows, inputs, hidden)
            for r in range(rows):
                for j in range(hidden):
                    a1[r, j] = sigmoid(a1[r, j])
            forward(a1, W2, b2, a2, rows, hidden, outputs)
            loss = 0.0
            for r in range(rows):
                for j in range(outputs):
                    a = sigmoid(a2[r, j])
                    e = a - y[r, j]
                    loss += e * e
                    d2[r, j] = 2 * e * a * (1 - a)
            losses[step] = loss / (rows * outputs)
            back(d2, W2, d1, rows, hidden, outputs)
            for r in range(rows):
                for j in range(hidden):
                    d1[r, j] *= a1[r, j] * (1 - a1[r, j])
            update(a1, d2, W2, b2, rate, rows, hidden, outputs)
            update(X, d1, W1, b1, rate, rows, inputs, hidden)

    return train


def three_layers(inputs: int, first: int, second: int, outputs: int, rows: int) -> Any:
    """Two tanh layers and a linear one, the mean of squares descended over batches."""

    @jit
    def through_tanh(a: Any, n: int) -> None:
        for r in range(rows):
            for j in range(n):
                a[r, j] = math.tanh(a[r, j])

    @jit
    def by_slope(d: Any, a: Any, n: int) -> None:
        for r in range(rows):
            for j in range(n):
                d[r, j] *= 1 - a[r, j] * a[r, j]

    @jit
    def train(
        W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, y: Any, order: Any,
        whole: Any, steps: Any, rate: Any, losses: Any,
    ) -> None:  # fmt: skip
        x, t = np.empty((rows, inputs)), np.empty((rows, outputs))
        a1, d1 = np.empty((rows, first)), np.empty((rows, first))
        a2, d2 = np.empty((rows, second)), np.empty((rows, second))
        a3, d3 = np.empty((rows, outputs)), np.empty((rows, outputs))
        for step in range(steps):
            for r in range(rows):
                row = order[r] if whole else order[step * rows + r]
                for j in range(inputs):
                    x[r, j] = X[row, j]
                for j in range(outputs):
                    t[r, j] = y[row, j]
            forward(x, W1, b1, a1, rows, inputs, first)
            through_tanh(a1, first)
            forward(a1, W2, b2, a2, rows, first, second)
            through_tanh(a2, second)
            forward(a2, W3, b3, a3, rows, second, outputs)
            loss = 0.0
            for r in range(rows):
                for j in range(outputs):
                    e = a3[r, j] - t[r, j]
                    loss += e * e
                    d3[r, j] = e * (2 / (rows * outputs))
            losses[step] = loss / (rows * outputs)
            back(d3, W3, d2, rows, second, outputs)
            by_slope(d2, a2, second)
            back(d2, W2, d1, rows, first, second)
            by_slope(d1, a1, first)
            update(a2, d3, W3, b3, rate, rows, second, outputs)
            update(a1, d2, W2, b2, rate, rows, first, second)
            update(x, d1, W1, b1, rate, rows, inputs, first)

    return train
