"""Our side: the training steps by themselves, ready-made, and whole calls of `chainrule.train`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule
from chainrule import train
from chainrule.kernels.engine import is_small
from chainrule.kernels.loops import LoopSteps
from chainrule.kernels.rules import unsupported
from chainrule.kernels.whole import WholeSteps
from chainrule.pytrees import flatten
from chainrule.training.optimizers import optimizer
from chainrule.training.population import Population
from chainrule.training.steps import Objective, Stepper
from chainrule.training.training import reported_loss
from peers.problems import Problem, Result, last_epoch, network_of
from peers.worker import Variant


def version() -> str:
    return f"chainrule {chainrule.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    if problem.work.networks:
        return {"train": lambda: population(problem, cores)}
    return {"steps": lambda: steps(problem), "train": lambda: whole_call(problem)}


def named(problem: Problem, arrays: list[Any]) -> dict[str, Any]:
    return dict(zip(network_of(problem.work).parameter_shapes, arrays, strict=True))


def settings(problem: Problem) -> dict[str, Any]:
    """What `train` and `Population` are told alike."""
    work = problem.work
    return {
        "optimizer": work.optimizer,
        "learning_rate": work.rate,
        "epochs": work.epochs,
        "batch_size": None if problem.order is None else work.batch,
        "report": "squared_error" if work.loss == "squared_error_sum" else None,
        "dtype": work.dtype,
    }


def step_graph(problem: Problem) -> tuple[Any, list[Any]]:
    """The graph of a training step, and the arrays that it carries on to the next."""
    work = problem.work
    parameters = named(problem, problem.parameters)
    network, update = network_of(work), optimizer(work.optimizer)
    report = reported_loss(network, settings(problem)["report"])
    state = update.initialize(parameters)
    rows = slice(work.batch)
    stepper = Stepper(Objective(network, report), update)
    graph = stepper.step(parameters, state, problem.X[rows], problem.y[rows], None).graph
    leaves = [*flatten(parameters)[0], *flatten(state)[0]]
    return graph, [np.array(leaf) for leaf in leaves]


def compiled_steps(graph: Any, carried: int, rows: int, whole: bool) -> Any:
    small = is_small(graph) and not any(unsupported(node) for node in graph.nodes())
    return (WholeSteps if small else LoopSteps)(graph, carried, rows, whole)


def steps(problem: Problem) -> Variant:
    """The steps alone, compiled beforehand."""
    graph, carried = step_graph(problem)
    work, whole = problem.work, problem.order is None
    run_steps = compiled_steps(graph, len(carried), work.batch, whole)
    order = np.zeros(1, np.int64) if problem.order is None else problem.order.ravel()
    rates = np.full(work.steps, work.rate)
    objective, reported = np.empty(work.steps), np.empty(work.steps)

    def run(arrays: list[Any]) -> list[Any]:
        done = run_steps(arrays, [problem.X, problem.y], order, rates, objective, reported)
        assert done == work.steps
        return arrays

    def read(arrays: list[Any]) -> Result:
        return Result(arrays[: len(problem.parameters)], last_epoch(problem, reported))

    return Variant(run, read, lambda: [array.copy() for array in carried])


def whole_call(problem: Problem) -> Variant:
    """`train` from its arguments to its result, with the code in the cache."""
    network = network_of(problem.work)
    parameters = named(problem, problem.parameters)

    def run(_: Any) -> Any:
        return train(
            network,
            problem.X,
            problem.y,
            parameters=parameters,
            **settings(problem),
        )

    def read(run: Any) -> Result:
        return Result(list(run.parameters.values()), float(run.history["loss"][-1]))

    return Variant(run, read)


def population(problem: Problem, cores: int) -> Variant:
    """`Population`, made beforehand where the work is run again."""
    chosen = Population(
        network_of(problem.work),
        problem.X,
        problem.y,
        parameters=named(problem, problem.parameters),
        threads=cores,
        record_every=max(1, problem.work.epochs - 1),
        **settings(problem),
    )

    def read(run: Any) -> Result:
        return Result(list(run.parameters.values()), float(run.losses[0, -1]))

    return Variant(lambda _: chosen.run(), read)


def reference(problem: Problem, networks: int = 0, shuffle: bool = True, **changes: Any) -> Result:
    """The interpreter's result; for a population, of its first networks."""
    network = network_of(problem.work)
    results = []
    for i in range(max(networks, 1)):
        start = [array[i] if networks else array for array in problem.parameters]
        chosen = {**settings(problem), **changes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = train(
                network,
                problem.X,
                problem.y,
                parameters=named(problem, start),
                shuffle=shuffle,
                engine="interpreter",
                **chosen,
            )
        results.append(Result(list(run.parameters.values()), float(run.history["loss"][-1])))
    if not networks:
        return results[0]
    stacked = [np.stack(each) for each in zip(*(r.parameters for r in results), strict=True)]
    return Result(stacked, results[0].loss)


def operations(problem: Problem) -> float:
    """Floating-point operations of a step of one network: 2mnk for a product, 1 for each element.

    Data that is only moved counts nothing; a function such as exp counts as one operation.
    """
    single = [array[0] if problem.work.networks else array for array in problem.parameters]
    alone = Problem(problem.work, problem.X, problem.y, single, problem.order)
    graph, _ = step_graph(alone)
    total = 0.0
    for node in graph.nodes():
        if node.primitive.name == "matmul":
            total += 2.0 * node.size * node.inputs[0].shape[-1]
        elif node.primitive.kind == "elementwise":
            total += node.size
        elif node.primitive.kind == "reduction":
            total += node.inputs[0].size
    return total


def compilation(problem: Problem) -> float:
    """Seconds to make code for the steps, from their graph; the cache is the caller's matter."""
    graph, carried = step_graph(problem)
    began = time.perf_counter()
    compiled_steps(graph, len(carried), problem.work.batch, problem.order is None)
    return time.perf_counter() - began
