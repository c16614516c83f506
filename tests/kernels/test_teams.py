"""Threads that share a training step: how many there are, and that they always end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import GraphError
from chainrule.graph import Graph, argument
from chainrule.interpreter import Program
from chainrule.kernels.loops import LoopProgram, LoopSteps
from chainrule.kernels.teams import in_team, processors
from chainrule.networks import Network
from chainrule.primitives import exp, getitem, matmul, tanh, total, transpose
from chainrule.pytrees import flatten
from chainrule.training.optimizers import gradient_descent
from chainrule.training.steps import Objective, Stepper


@pytest.fixture(autouse=True, scope="module")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


def steps_of(sizes: list[int], rows: int, threads: int | None = None) -> tuple[LoopSteps, Any, Any]:
    network = Network(sizes, loss="categorical_cross_entropy")
    parameters = network.initialize(3, np.float32)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((2 * rows, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], 2 * rows)
    stepper = Stepper(Objective(network), gradient_descent())
    step = stepper.step(parameters, {}, X[:rows], y[:rows], None)
    carried = [np.array(leaf) for leaf in flatten(parameters)[0]]
    return LoopSteps(step.graph, len(carried), rows, False, threads=threads), carried, [X, y]


def bits_after_steps(run: LoopSteps, carried: Any, data: Any) -> bytes:
    found = [array.copy() for array in carried]
    order, losses = np.arange(2 * run.rows), (np.empty(2), np.empty(2))
    assert run(found, data, order, np.full(2, 0.01), *losses) == 2
    return b"".join(array.tobytes() for array in (*found, *losses))


def test_the_size_of_a_step_decides_how_many_threads_share_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.kernels.loops.processors", lambda: 4)
    assert steps_of([8, 20, 3], 16)[0].threads == 1
    large = steps_of([500, 400, 300, 10], 128)[0]
    assert large.threads == 4
    monkeypatch.setattr("chainrule.kernels.loops.processors", lambda: 1)
    assert large.threads == 1


@pytest.mark.parametrize("sizes", [[300, 200, 10], [37, 1100, 5], [1, 600, 600, 2]])
def test_any_number_of_threads_gives_the_same_bits(sizes: list[int]) -> None:
    found = [bits_after_steps(*steps_of(sizes, 70, threads)) for threads in (1, 2, 3, 8)]
    assert len(set(found)) == 1


def test_a_program_is_shared_too() -> None:
    shapes = {"a": (170, 90), "b": (90, 210), "at": (90, 170), "bt": (210, 90), "c": (170, 210)}
    a, b, at, bt, c = nodes = [argument(name, shape, "float64") for name, shape in shapes.items()]
    outputs = [
        tanh(matmul(a, b)) * c,
        matmul(transpose(at, axes=(1, 0)), transpose(bt, axes=(1, 0))),
        total(tanh(c), axis=(0,), keepdims=False),
        exp(c) / (1 + exp(c)),
    ]
    none: Any = None
    graph = Graph(tuple(nodes), tuple(outputs), none, none)
    values = [np.random.default_rng(2).standard_normal(shape) for shape in shapes.values()]
    found = [LoopProgram(graph, threads=threads)(*values) for threads in (1, 2, 3, 7)]
    assert len({b"".join(array.tobytes() for array in arrays) for arrays in found}) == 1
    for array, wanted in zip(found[0], Program(graph)(*values), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-10)


def test_a_computed_index_out_of_range_ends_every_thread() -> None:
    table, index = argument("table", (400, 300), "float64"), argument("index", (300,), "int64")
    picked = getitem(exp(table), index, template=(("array",),), shape=(300, 300))
    none: Any = None
    graph = Graph((table, index), (exp(picked),), none, none)
    run = LoopProgram(graph, threads=3)
    rows = np.arange(300)
    rows[7] = 400
    for _ in range(5):
        with pytest.raises(GraphError, match="The index 400 is out of range"):
            run(np.zeros((400, 300)), rows)
    assert run(np.zeros((400, 300)), rows % 400)[0].shape == (300, 300)


def test_one_set_of_code_serves_teams_of_any_size() -> None:
    run, carried, data = steps_of([300, 200, 10], 70, 2)
    found = bits_after_steps(run, carried, data)
    for run._threads in (1, 5):
        assert bits_after_steps(run, carried, data) == found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a processor cannot be chosen")
def test_more_threads_than_processors() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tests.kernels.test_teams import bits_after_steps, steps_of, processors\n"
        "assert processors() == 1\n"
        "runs = [steps_of([300, 200, 10], 70, threads) for threads in (1, 2, 4)]\n"
        "assert len({bits_after_steps(*run) for run in runs}) == 1\n"
        "print('the same')"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert found.stdout == "the same\n", found.stderr


def test_a_team_is_as_large_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, []

    def refuse_the_third(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    seen: list[tuple[int, int]] = []

    def run(thread: int, team: int) -> int:
        seen.append((thread, team))
        return 10 + thread

    assert in_team(run, 4) == 10
    assert sorted(seen) == [(0, 2), (1, 2)]


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored in the background"
)
def test_interruptions_wait_until_all_threads_have_ended() -> None:
    release, ended = threading.Event(), list[int]()

    def run(thread: int, team: int) -> int:
        release.wait()
        ended.append(thread)
        return 0

    def interrupt_twice() -> None:
        for _ in range(2):
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        release.set()

    interrupting = threading.Thread(target=interrupt_twice)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        in_team(run, 3)
    assert sorted(ended) == [0, 1, 2]
    interrupting.join()


def test_there_is_a_processor() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("", None), ("0", None), ("4,2", None)])
def test_as_many_threads_as_joblib_leaves(asked, expected, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    available = processors()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert processors() == (expected or available)
    monkeypatch.setenv("OMP_NUM_THREADS", str(available + 5))
    assert processors() == available
