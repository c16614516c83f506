"""JAX: the whole run as one compiled program, `lax.scan` over the steps, parameters donated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.problems import Problem, Result, last_epoch
from peers.worker import Variant

jax.config.update("jax_enable_x64", True)  # otherwise the float64 work would be done in float32
_UNROLLED = 8


def version() -> str:
    return f"JAX {jax.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    if problem.work.networks:
        made: dict[str, Callable[[], Variant]] = {
            "vmap": lambda: population(problem, 0, 1),
            "vmap, networks last": lambda: population(problem, -1, 1),
        }
        if cores > 1 and problem.work.networks % cores == 0:
            made["vmap, a device for each core"] = lambda: population(problem, 0, cores)
        return made
    made = {
        "scan": lambda: scanned(problem, 1),
        f"scan unrolled by {_UNROLLED}": lambda: scanned(problem, _UNROLLED),
    }
    if max(problem.work.sizes) * problem.work.batch > 2000:
        made["a call for each step"] = lambda: stepwise(problem)
    return made


def forward(work: Any, parameters: list[Any], X: Any) -> Any:
    """The last layer's sums, or for XOR its outputs."""
    hidden = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": lambda z: jnp.maximum(z, 0)}
    a = X
    for i in range(0, len(parameters), 2):
        a = a @ parameters[i] + parameters[i + 1]
        if i + 2 < len(parameters):
            a = hidden[work.activation](a)
    return jax.nn.sigmoid(a) if work.output == "sigmoid" else a


def loss(work: Any, parameters: list[Any], X: Any, y: Any) -> tuple[Any, Any]:
    """The loss descended and the loss reported."""
    out = forward(work, parameters, X)
    if work.loss == "categorical_cross_entropy":
        chosen = jnp.take_along_axis(jax.nn.log_softmax(out), y[:, None], axis=1)
        value = -jnp.mean(chosen)
        return value, value
    squares = (out - y) ** 2
    mean = jnp.mean(squares)
    return (jnp.sum(squares), mean) if work.loss == "squared_error_sum" else (mean, mean)


def step(work: Any, state: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """One update: the new parameters and moments, and the loss reported."""
    parameters, moments = state
    gradient = jax.value_and_grad(partial(loss, work), has_aux=True)
    (_, reported), gradients = gradient(parameters, X, y)
    if work.optimizer == "adam":
        return adam(work, parameters, moments, gradients), reported
    pairs = zip(parameters, gradients, strict=True)
    return ([W - work.rate * g for W, g in pairs], moments), reported


def adam(work: Any, parameters: Any, moments: Any, gradients: Any) -> Any:
    count, means, squares = moments
    count = count + 1
    dtype = parameters[0].dtype
    first = (1 - 0.9**count).astype(dtype)
    second = jnp.sqrt(1 - 0.999**count).astype(dtype)
    means = [m + (1 - 0.9) * (g - m) for m, g in zip(means, gradients, strict=True)]
    squares = [v + (1 - 0.999) * (g * g - v) for v, g in zip(squares, gradients, strict=True)]
    parameters = [
        W - work.rate / first * m / (jnp.sqrt(v) / second + 1e-8)
        for W, m, v in zip(parameters, means, squares, strict=True)
    ]
    return parameters, (count, means, squares)


def start(problem: Problem) -> Any:
    """Parameters and moments on the device, to be given away."""
    parameters = [jnp.array(each) for each in problem.parameters]
    if problem.work.optimizer != "adam":
        return parameters, ()
    zeros = [[jnp.zeros_like(each) for each in parameters] for _ in range(2)]
    return parameters, (jnp.zeros((), jnp.float64), *zeros)


def all_steps(problem: Problem, unroll: int) -> Callable[..., Any]:
    """A function from a state and the data to the last state and the losses."""
    work = problem.work

    def run(state: Any, X: Any, y: Any, order: Any) -> Any:
        if order is None:
            return lax.scan(
                lambda s, _: step(work, s, X, y), state, length=work.steps, unroll=unroll
            )
        return lax.scan(lambda s, i: step(work, s, X[i], y[i]), state, order, unroll=unroll)

    return run


def scanned(problem: Problem, unroll: int) -> Variant:
    data = _data(problem)
    compiled = jax.jit(all_steps(problem, unroll), donate_argnums=0)
    return Variant(
        lambda state: jax.block_until_ready(compiled(state, *data)),
        partial(_read, problem),
        lambda: jax.block_until_ready(start(problem)),
    )


def stepwise(problem: Problem) -> Variant:
    """A Python loop around one compiled step, which JAX runs behind it."""
    X, y, order = _data(problem)
    work = problem.work
    rows = [slice(None)] * work.steps if order is None else list(order)

    @partial(jax.jit, donate_argnums=0)
    def compiled(state: Any, X: Any, y: Any, rows: Any) -> Any:
        return step(work, state, X if rows is None else X[rows], y if rows is None else y[rows])

    def run(state: Any) -> Any:
        losses = []
        for each in rows:
            state, value = compiled(state, X, y, None if order is None else each)
            losses.append(value)
        return jax.block_until_ready((state, losses))

    return Variant(run, partial(_read, problem), lambda: jax.block_until_ready(start(problem)))


def population(problem: Problem, axis: int, devices: int) -> Variant:
    """All networks at once by `vmap`; on several devices, each with its share of the networks."""
    X, y, order = _data(problem)
    run_all = jax.vmap(all_steps(problem, 1), in_axes=(axis, None, None, None), out_axes=axis)
    compiled = jax.jit(run_all, donate_argnums=0)
    place: Any = None
    if devices > 1:
        mesh = jax.make_mesh((devices,), ("networks",))
        spec = jax.sharding.PartitionSpec("networks")
        place = jax.sharding.NamedSharding(mesh, spec)

    def fresh() -> Any:
        arrays = [np.ascontiguousarray(np.moveaxis(p, 0, axis)) for p in problem.parameters]
        return jax.block_until_ready(([jax.device_put(each, place) for each in arrays], ()))

    def read(output: Any) -> Result:
        (parameters, _), losses = output
        stacked = [np.moveaxis(np.asarray(each), axis, 0) for each in parameters]
        return Result(stacked, last_epoch(problem, np.moveaxis(np.asarray(losses), axis, 0)[0]))

    return Variant(lambda state: jax.block_until_ready(compiled(state, X, y, order)), read, fresh)


def _data(problem: Problem) -> tuple[Any, Any, Any]:
    order = None if problem.order is None else jnp.asarray(problem.order.astype(np.int32))
    return jnp.asarray(problem.X), jnp.asarray(problem.y), order


def _read(problem: Problem, output: Any) -> Result:
    (parameters, _), losses = output
    return Result([np.asarray(each) for each in parameters], last_epoch(problem, losses))
