"""NumPy by hand: the notebook's loop for XOR, and the same thing written out for the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from peers.problems import Problem, Result, last_epoch
from peers.worker import Variant

_RUN_OF_A_POPULATION = 2


def version() -> str:
    return f"NumPy {np.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    del cores
    if problem.work.networks:
        return {"one by one": lambda: one_by_one(problem)}
    train = notebook if problem.work.data == "xor" else by_hand
    return {"loop": lambda: _alone(problem, train)}


def _alone(problem: Problem, train: Callable[..., Any]) -> Variant:
    def read(result: Any) -> Result:
        return Result(result[0], last_epoch(problem, result[1]))

    return Variant(
        lambda start: train(problem, start),
        read,
        lambda: [array.copy() for array in problem.parameters],
    )


def one_by_one(problem: Problem) -> Variant:
    """The first few networks of a population; the time of all is extrapolated."""
    count = min(_RUN_OF_A_POPULATION, problem.work.networks)

    def run(starts: list[Any]) -> list[Any]:
        return [notebook(problem, start) for start in starts]

    def read(results: list[Any]) -> Result:
        stacked = [np.stack(each) for each in zip(*(r[0] for r in results), strict=True)]
        return Result(stacked, last_epoch(problem, results[0][1]))

    def fresh() -> list[Any]:
        return [[array[i].copy() for array in problem.parameters] for i in range(count)]

    return Variant(run, read, fresh, problem.work.networks / count)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x: Any) -> Any:
    return sigmoid(x) * (1 - sigmoid(x))


def notebook(problem: Problem, start: list[Any]) -> tuple[list[Any], list[Any]]:
    """The notebook's loop, line by line; its losses are kept."""
    W1, b1, W2, b2 = start
    X, y, rate, losses = problem.X, problem.y, problem.work.rate, []
    for _ in range(problem.work.epochs):
        z1 = X @ W1 + b1
        a1 = sigmoid(z1)
        z2 = a1 @ W2 + b2
        a2 = sigmoid(z2)
        losses.append(np.mean((y - a2) ** 2))
        d_loss_a2 = 2 * (a2 - y)
        d_a2_z2 = sigmoid_derivative(z2)
        d_z2_W2 = a1
        d_loss_z2 = d_loss_a2 * d_a2_z2
        d_loss_W2 = d_z2_W2.T @ d_loss_z2
        d_loss_b2 = np.sum(d_loss_z2, axis=0, keepdims=True)
        d_loss_a1 = d_loss_z2 @ W2.T
        d_a1_z1 = sigmoid_derivative(z1)
        d_loss_z1 = d_loss_a1 * d_a1_z1
        d_loss_W1 = X.T @ d_loss_z1
        d_loss_b1 = np.sum(d_loss_z1, axis=0, keepdims=True)
        W2 -= rate * d_loss_W2
        b2 -= rate * d_loss_b2
        W1 -= rate * d_loss_W1
        b1 -= rate * d_loss_b1
    return [W1, b1, W2, b2], losses


def by_hand(problem: Problem, parameters: list[Any]) -> tuple[list[Any], list[Any]]:
    """Mini-batches through any number of layers, with the sums of a step written out."""
    work, losses = problem.work, []
    depth = len(parameters) // 2
    update = _adam(parameters, work.rate) if work.optimizer == "adam" else None
    for step in range(work.steps):
        X, y = problem.X, problem.y
        if problem.order is not None:
            X, y = X[problem.order[step]], y[problem.order[step]]
        activations = [X]
        for i in range(depth):
            z = activations[-1] @ parameters[2 * i]
            z += parameters[2 * i + 1]
            if i < depth - 1:
                z = np.maximum(z, 0, out=z) if work.activation == "relu" else np.tanh(z, out=z)
            activations.append(z)
        loss, delta = _loss_and_delta(work.loss, activations[-1], y)
        losses.append(loss)
        gradients: list[Any] = []
        for i in reversed(range(depth)):
            before = activations[i]
            gradients[:0] = [before.T @ delta, delta.sum(axis=0, keepdims=True)]
            if i:
                delta = delta @ parameters[2 * i].T
                delta *= before > 0 if work.activation == "relu" else 1 - before * before
        if update is not None:
            update(gradients)
            continue
        for parameter, gradient in zip(parameters, gradients, strict=True):
            gradient *= work.rate
            parameter -= gradient
    return parameters, losses


def _loss_and_delta(loss: str, z: Any, y: Any) -> tuple[Any, Any]:
    """The loss, and its gradient by the last layer's sums."""
    if loss == "squared_error":
        difference = z - y
        return np.mean(difference * difference), difference * (2 / difference.size)
    rows = np.arange(len(z))
    z -= z.max(axis=1, keepdims=True)
    exponentials = np.exp(z)
    totals = exponentials.sum(axis=1, keepdims=True)
    value = np.mean(np.log(totals[:, 0]) - z[rows, y])
    exponentials /= totals
    exponentials[rows, y] -= 1
    exponentials /= len(z)
    return value, exponentials


def _adam(parameters: list[Any], rate: float) -> Callable[[list[Any]], None]:
    means = [np.zeros_like(each) for each in parameters]
    squares = [np.zeros_like(each) for each in parameters]
    step = 0

    def update(gradients: list[Any]) -> None:
        nonlocal step
        step += 1
        first, second = 1 - 0.9**step, 1 - 0.999**step
        for W, g, m, v in zip(parameters, gradients, means, squares, strict=True):
            m += (1 - 0.9) * (g - m)
            v += (1 - 0.999) * (g * g - v)
            W -= rate / first * m / (np.sqrt(v) / np.sqrt(second) + 1e-8)

    return update


def peak(dtype: str) -> float:
    """Operations a second of NumPy's large matrix product: the best of several."""
    n = 2048
    a = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    out = np.empty_like(a)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        np.matmul(a, a, out=out)
        times.append(time.perf_counter() - began)
    return 2.0 * n**3 / min(times)
