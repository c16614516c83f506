"""PyTorch: autograd with its fused optimiser, gradients by hand, and the latter compiled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from peers.problems import Problem, Result, last_epoch
from peers.worker import Variant


def version() -> str:
    return f"PyTorch {torch.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    torch.set_num_threads(cores)
    if problem.work.networks:
        return {}
    made: dict[str, Callable[[], Variant]] = {
        "autograd, fused": lambda: autograd(problem, fused=True),
        "autograd, foreach": lambda: autograd(problem, fused=False),
        "by hand": lambda: by_hand(problem, compiled=False),
    }
    if problem.compiler:
        made["by hand, compiled"] = lambda: by_hand(problem, compiled=True)
    return made


def _data(problem: Problem) -> tuple[Any, Any, Any]:
    order = None if problem.order is None else list(torch.from_numpy(problem.order))
    return torch.from_numpy(problem.X), torch.from_numpy(problem.y), order


def _start(problem: Problem, *, gradients: bool) -> list[Any]:
    return [torch.tensor(each, requires_grad=gradients) for each in problem.parameters]


def _read(problem: Problem, output: Any) -> Result:
    parameters, losses = output
    values = torch.stack(losses).numpy()
    return Result([each.detach().numpy() for each in parameters], last_epoch(problem, values))


def autograd(problem: Problem, *, fused: bool) -> Variant:
    """Plain functions, `backward`, and an optimiser of `torch.optim`."""
    X, y, order = _data(problem)
    work = problem.work
    hidden = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[work.activation]

    def loss(parameters: list[Any], X: Any, y: Any) -> tuple[Any, Any]:
        a = X
        for i in range(0, len(parameters), 2):
            a = torch.addmm(parameters[i + 1], a, parameters[i])
            if i + 2 < len(parameters):
                a = hidden(a)
        if work.loss == "categorical_cross_entropy":
            value = functional.cross_entropy(a, y)
            return value, value
        if work.output == "sigmoid":
            a = torch.sigmoid(a)
        if work.loss == "squared_error":
            value = functional.mse_loss(a, y)
            return value, value
        value = functional.mse_loss(a, y, reduction="sum")
        return value, value.detach() / y.numel()

    def run(parameters: list[Any]) -> Any:
        chosen = torch.optim.Adam if work.optimizer == "adam" else torch.optim.SGD
        form = {"fused": True} if fused else {"foreach": True}
        optimizer = chosen(parameters, lr=work.rate, **form)
        losses = []
        for step in range(work.steps):
            rows = None if order is None else order[step]
            batch = (X, y) if rows is None else (X[rows], y[rows])
            optimizer.zero_grad(set_to_none=True)
            value, reported = loss(parameters, *batch)
            value.backward()
            optimizer.step()
            losses.append(reported.detach())
        return parameters, losses

    return Variant(
        run, lambda output: _read(problem, output), lambda: _start(problem, gradients=True)
    )


def by_hand(problem: Problem, *, compiled: bool) -> Variant:
    """Gradients written out, under `no_grad`; compiled, a step is one call of C++ that it made."""
    X, y, order = _data(problem)
    work = problem.work
    take_step = _step(work)
    if compiled:
        torch._dynamo.reset()
        take_step = torch.compile(take_step, fullgraph=True, dynamic=False)
    corrections = _corrections(work)

    @torch.no_grad()
    def run(state: tuple[list[Any], list[Any], list[Any]]) -> Any:
        losses = []
        for step in range(work.steps):
            batch = (X, y) if order is None else (X[order[step]], y[order[step]])
            losses.append(take_step(*state, *batch, *corrections[step]))
        return state[0], losses

    def fresh() -> tuple[list[Any], list[Any], list[Any]]:
        parameters = _start(problem, gradients=False)
        if work.optimizer != "adam":
            return parameters, [], []
        means, squares = ([torch.zeros_like(each) for each in parameters] for _ in range(2))
        return parameters, means, squares

    return Variant(run, lambda output: _read(problem, output), fresh)


def _corrections(work: Any) -> list[Any]:
    """Adam's rate for each step, and the root of what its squares are divided by."""
    times = range(1, work.steps + 1)
    pairs = [[work.rate / (1 - 0.9**t), (1 - 0.999**t) ** 0.5] for t in times]
    return [each.unbind() for each in torch.tensor(pairs, dtype=torch.float64)]


def _step(work: Any) -> Callable[..., Any]:
    """A function that changes the parameters in place and gives the loss reported."""
    slope: Any = {
        "sigmoid": lambda delta, a: delta * (a * (1 - a)),
        "tanh": torch.ops.aten.tanh_backward,
        "relu": lambda delta, a: torch.ops.aten.threshold_backward(delta, a, 0),
    }[work.activation]
    hidden = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[work.activation]

    def step(
        parameters: Any, means: Any, squares: Any, X: Any, y: Any, rate: Any, root: Any
    ) -> Any:
        depth = len(parameters) // 2
        activations = [X]
        for i in range(depth):
            z = torch.addmm(parameters[2 * i + 1], activations[-1], parameters[2 * i])
            activations.append(hidden(z) if i + 1 < depth else z)
        reported, delta = _loss_and_delta(work, activations[-1], y)
        gradients: list[Any] = []
        for i in reversed(range(depth)):
            before = activations[i]
            gradients[:0] = [before.t() @ delta, delta.sum(0, keepdim=True)]
            if i:
                delta = slope(delta @ parameters[2 * i].t(), before)
        if not means:
            torch._foreach_add_(parameters, gradients, alpha=-work.rate)
            return reported
        torch._foreach_lerp_(means, gradients, 1 - 0.9)
        torch._foreach_mul_(squares, 0.999)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - 0.999)
        scale = torch._foreach_sqrt(squares)
        torch._foreach_div_(scale, root)
        torch._foreach_add_(scale, 1e-8)
        torch._foreach_sub_(parameters, torch._foreach_div(torch._foreach_mul(means, rate), scale))
        return reported

    return step


def _loss_and_delta(work: Any, z: Any, y: Any) -> tuple[Any, Any]:
    """The loss reported, and the gradient of the one descended by the last layer's sums."""
    if work.loss == "categorical_cross_entropy":
        logs = torch.log_softmax(z, 1)
        reported = functional.nll_loss(logs, y)
        delta = (torch.exp(logs) - functional.one_hot(y, z.shape[1])) / len(z)
        return reported, delta.to(z.dtype)
    if work.output == "sigmoid":
        a = torch.sigmoid(z)
        difference = a - y
        return (difference * difference).mean(), 2 * difference * (a * (1 - a))
    difference = z - y
    return (difference * difference).mean(), difference * (2 / difference.numel())


def peak(dtype: str) -> float:
    """Operations a second of PyTorch's large matrix product: the best of several."""
    n = 2048
    a = torch.from_numpy(np.random.default_rng(0).standard_normal((n, n)).astype(dtype))
    out = torch.empty_like(a)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        torch.matmul(a, a, out=out)
        times.append(time.perf_counter() - began)
    return 2.0 * n**3 / min(times)
