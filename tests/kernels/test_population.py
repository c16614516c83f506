"""Networks in lanes: the same bits as alone, wherever they are and whoever is beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.graph import Graph
from chainrule.interpreter import compile_graph
from chainrule.kernels.population import (
    DIVERGED,
    EPOCHS,
    LOSS,
    RUNNING,
    LaneSteps,
    Lot,
    reason_not_in_lanes,
)
from chainrule.kernels.whole import WholeSteps
from chainrule.networks import Network
from chainrule.networks.losses import loss
from chainrule.pytrees import flatten
from chainrule.training.optimizers import adam, gradient_descent, momentum
from chainrule.training.steps import Objective, Stepper

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
WIDTHS = (1, 2, 4, 8, 16, 32)
SEEDS = 23


@pytest.fixture(autouse=True, scope="module")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


def xor_network() -> Network:
    return Network(
        [2, 2, 1],
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error_sum",
        initializer="standard_normal",
    )


def starts(network: Network, count: int, dtype: Any = np.float64) -> list[Any]:
    drawn = [network.initialize(seed, dtype) for seed in range(count)]
    return [np.stack([tree[name] for tree in drawn]) for name in drawn[0]]


@cache
def xor_graph() -> Graph:
    network = xor_network()
    objective = Objective(network, loss("squared_error"))
    stepper = Stepper(objective, gradient_descent())
    return stepper.step(network.initialize(0), {}, X, Y, None).graph


@cache
def xor_steps(lanes: int, unrolled: bool = True) -> LaneSteps:
    return LaneSteps(xor_graph(), 4, 4, True, lanes, unrolled=unrolled)


def alone(leaves: list[Any], rate: float, epochs: int) -> tuple[list[Any], Any, Any]:
    """One network's parameters and losses, by the code that trains a lone network."""
    carried = [leaf.copy() for leaf in leaves]
    objective, reported = np.empty(epochs), np.empty(epochs)
    steps = WholeSteps(xor_graph(), 4, 4, True)
    rates = np.full(epochs, rate)
    done = steps(carried, [X, Y], np.zeros(1, np.int64), rates, objective, reported)
    return carried, objective[:done], reported[:done]


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("unrolled", [True, False])
def test_a_network_in_lanes_has_the_bits_of_the_network_alone(lanes: int, unrolled: bool) -> None:
    leaves = starts(xor_network(), SEEDS)
    rates = np.linspace(0.05, 3.0, SEEDS)
    lot = Lot([leaf.copy() for leaf in leaves], rates, records=200)
    steps = xor_steps(lanes, unrolled)
    steps(lot, [X, Y], np.arange(SEEDS), count=10**9, epochs=200, every=1)
    for i in range(SEEDS):
        carried, objective, reported = alone([leaf[i] for leaf in leaves], rates[i], 200)
        assert all(same_bits(a[i], b) for a, b in zip(lot.carried, carried, strict=True))
        assert lot.objective[i] == objective[-1]
        assert lot.reported[i] == reported[-1]
        assert same_bits(lot.history[i], reported)
    assert (lot.done == 200).all()
    assert (lot.outcome == EPOCHS).all()


@given(
    queue=st.permutations(range(SEEDS)),
    lanes=st.sampled_from(WIDTHS),
    counts=st.lists(st.integers(1, 60), max_size=6),
)
@settings(max_examples=40)
def test_neighbours_places_and_pauses_change_no_bit(
    queue: list[int], lanes: int, counts: list[int]
) -> None:
    wanted = _reference()
    lot = Lot([leaf.copy() for leaf in wanted.leaves], wanted.rates, records=8)
    left = np.array(queue)
    for count in [*counts, 10**9]:
        xor_steps(lanes)(lot, [X, Y], left, count=count, epochs=150, stop_loss=0.05, every=20)
        left = np.array([i for i in queue if lot.outcome[i] == RUNNING], dtype=np.int64)
    assert not len(left)
    assert all(same_bits(a, b) for a, b in zip(lot.carried, wanted.lot.carried, strict=True))
    for name in ("done", "outcome", "objective", "reported", "history"):
        assert same_bits(getattr(lot, name), getattr(wanted.lot, name)), name


@dataclass
class Reference:
    leaves: list[Any]
    rates: Any
    lot: Lot


@cache
def _reference() -> Reference:
    """Networks of which some reach a loss, some diverge and some do neither, one after another."""
    leaves = starts(xor_network(), SEEDS)
    rates = np.where(np.arange(SEEDS) % 3 == 0, 0.1, 8.0)
    for leaf in leaves:
        leaf[1::7] = 1e300  # these diverge at once
    lot = Lot([leaf.copy() for leaf in leaves], rates, records=8)
    for i in range(SEEDS):
        one = Lot([leaf[i : i + 1].copy() for leaf in leaves], rates[i : i + 1], records=8)
        xor_steps(1)(one, [X, Y], np.arange(1), count=10**9, epochs=150, stop_loss=0.05, every=20)
        for name in ("done", "outcome", "objective", "reported", "history"):
            getattr(lot, name)[i] = getattr(one, name)[0]
        for a, b in zip(lot.carried, one.carried, strict=True):
            a[i] = b[0]
    return Reference(leaves, rates, lot)


def test_the_reference_has_every_kind_of_end() -> None:
    assert set(_reference().lot.outcome.tolist()) == {EPOCHS, LOSS}


def test_a_network_that_reaches_the_loss_stops_after_that_epoch() -> None:
    wanted = _reference()
    for i in np.flatnonzero(wanted.lot.outcome == LOSS):
        start = [leaf[i] for leaf in wanted.leaves]
        _, _, reported = alone(start, wanted.rates[i], 150)
        first = int(np.flatnonzero(reported <= 0.05)[0])
        carried, *_ = alone(start, wanted.rates[i], first + 1)
        assert wanted.lot.done[i] == first + 1
        assert all(same_bits(a[i], b) for a, b in zip(wanted.lot.carried, carried, strict=True))
        assert (wanted.lot.history[i] == wanted.lot.history[i]).sum() == first // 20 + 1


def squares(parameters: Any, inputs: Any, targets: Any) -> Any:
    """A loss that diverges with a large learning rate."""
    return np.mean((inputs @ parameters["w"] - targets) ** 2)


def squares_steps(lanes: int, batch: int, rows: int, unrolled: bool) -> LaneSteps:
    parameters = {"w": np.ones((2, 1))}
    stepper = Stepper(Objective(squares), gradient_descent())
    first = stepper.step(parameters, {}, np.ones((batch, 2)), np.ones((batch, 1)), None).graph
    rest = None
    if rows % batch:
        left = rows % batch
        rest = stepper.step(parameters, {}, np.ones((left, 2)), np.ones((left, 1)), None).graph
    return LaneSteps(first, 1, rows, batch == rows, lanes, rest=rest, unrolled=unrolled)


@pytest.mark.parametrize("unrolled", [True, False])
def test_a_network_that_diverges_keeps_its_parameters_and_disturbs_nobody(unrolled: bool) -> None:
    inputs, targets = np.array([[1.0, 0.5], [2.0, -1.0]]), np.array([[1.0], [0.0]])
    rates = np.array([0.1, 40.0, 0.2, 1e6, 0.05])
    start = np.full((5, 2, 1), 0.5)
    lot = Lot([start.copy()], rates)
    steps = squares_steps(4, 2, 2, unrolled)
    steps(lot, [inputs, targets], np.arange(5), count=10**6, epochs=400)
    assert lot.outcome.tolist() == [EPOCHS, DIVERGED, EPOCHS, DIVERGED, EPOCHS]
    for i in range(5):
        w, done = start[i].copy(), 0
        with np.errstate(all="ignore"):
            while done < 400 and np.isfinite(np.mean((inputs @ w - targets) ** 2)):
                w = w - rates[i] * (inputs.T @ (2 * (inputs @ w - targets) / 2))
                done += 1
        assert lot.done[i] == done
        if lot.outcome[i] == EPOCHS:
            np.testing.assert_allclose(lot.carried[0][i], w, rtol=1e-9)
        else:
            assert not np.isfinite(lot.objective[i])
            assert done > 5


def test_divergence_within_an_epoch_of_mini_batches() -> None:
    inputs = np.array([[1.0, 0.5], [2.0, -1.0], [0.5, 1.0], [1.0, 1.0], [-1.0, 2.0]])
    targets = np.ones((5, 1))
    epochs = 60
    order = np.tile(np.arange(5), epochs)
    results = []
    for unrolled in (True, False):
        lot = Lot([np.full((3, 2, 1), 0.5)], np.array([0.01, 1e4, 0.02]), records=epochs)
        steps = squares_steps(4, 2, 5, unrolled)
        steps(
            lot, [inputs, targets], np.arange(3), count=epochs, epochs=epochs, order=order, every=1
        )
        assert lot.outcome.tolist() == [EPOCHS, DIVERGED, EPOCHS]
        assert 0 < lot.done[1] < epochs
        assert np.isfinite(lot.history[1, : lot.done[1]]).all()
        assert np.isnan(lot.history[1, lot.done[1] :]).all()
        results.append(lot)
    for name in ("done", "objective", "reported", "history"):
        assert same_bits(getattr(results[0], name), getattr(results[1], name)), name
    assert same_bits(results[0].carried[0], results[1].carried[0])


def own_loss(parameters: Any, inputs: Any, targets: Any) -> Any:
    """Slices, joins, choices, extremes and a stack of matrices, in two parts of one array."""
    W, v = parameters
    hidden = np.maximum(inputs @ W[:, :3], 0.1 * (inputs @ W[:, 3:]))
    both = np.concatenate([hidden, -hidden[:, ::-1]], axis=1)
    stack = both.reshape(-1, 2, 3) @ v.reshape(1, 3, 1)
    spread = np.max(stack, axis=1) - np.cumsum(stack[:, 0, :], axis=0) / 9
    chosen = np.where(targets > 0.5, spread, np.abs(spread) - np.transpose(v).sum())
    return np.mean((chosen - targets) ** 2)


@pytest.mark.parametrize(
    ("optimizer", "dtype", "own"),
    [(momentum(), np.float64, False), (gradient_descent(), np.float32, True)],
)
def test_loops_and_written_out_code_have_the_same_bits_on_any_graph(
    optimizer: Any, dtype: Any, own: bool
) -> None:
    rng = np.random.default_rng(3)
    n, batch, networks, epochs = 7, 3, 5, 4
    inputs = rng.standard_normal((n, 2)).astype(dtype)
    targets = rng.random((networks, n, 1)).astype(dtype)
    parameters = [np.ones((2, 6), dtype), np.ones((3, 1), dtype)]
    state = optimizer.initialize(parameters)
    stepper = Stepper(Objective(own_loss), optimizer)
    graphs = [
        stepper.step(parameters, state, inputs[:m], targets[0, :m], None).graph
        for m in (batch, n % batch)
    ]
    assert all(reason_not_in_lanes(graph) is None for graph in graphs)
    leaves = [rng.standard_normal((networks, *leaf.shape)).astype(dtype) for leaf in parameters]
    leaves += [np.zeros((networks, *leaf.shape), leaf.dtype) for leaf in flatten(state)[0]]
    order = np.concatenate([rng.permutation(n) for _ in range(epochs)])
    lots = []
    for lanes, unrolled in ((4, True), (8, False), (16, False)):
        steps = LaneSteps(
            graphs[0],
            len(leaves),
            n,
            False,
            lanes,
            rest=graphs[1],
            own=[1] if own else [],
            unrolled=unrolled,
        )
        lot = Lot(
            [leaf.copy() for leaf in leaves],
            np.linspace(0.001, 0.01, networks),
            own={1: targets} if own else {},
            records=epochs,
        )
        for first in range(0, networks, lanes):
            queue = np.arange(first, min(first + lanes, networks))
            steps(
                lot, [inputs, targets[0]], queue, count=epochs, epochs=epochs, order=order, every=1
            )
        lots.append(lot)
    for lot in lots[1:]:
        assert all(same_bits(a, b) for a, b in zip(lot.carried, lots[0].carried, strict=True))
        assert same_bits(lot.history, lots[0].history)
    for i, rate in enumerate(lots[0].rates):
        y = targets[i] if own else targets[0]
        wanted = interpreted(graphs, [leaf[i] for leaf in leaves], inputs, y, order, rate)
        tolerance = 1e-12 if dtype is np.float64 else 1e-4
        for a, b in zip(lots[0].carried, wanted, strict=True):
            np.testing.assert_allclose(a[i], b, rtol=tolerance, atol=tolerance)


def interpreted(
    graphs: list[Graph], values: list[Any], inputs: Any, y: Any, order: Any, rate: float
) -> list[Any]:
    """The carried arrays after steps in mini-batches, with NumPy."""
    programs = [compile_graph(graph) for graph in graphs]
    batch = graphs[0].arguments[len(values)].shape[0]
    for epoch in order.reshape(-1, len(inputs)):
        for start in range(0, len(inputs), batch):
            part = epoch[start : start + batch]
            program = programs[0 if len(part) == batch else 1]
            *values, _, _ = program(*values, inputs[part], y[part], np.float64(rate))
    return values


def test_products_and_sums_are_rounded_apart() -> None:
    """Arithmetic without sums and products of matrices has NumPy's bits: nothing is fused."""

    def line(parameters: Any, inputs: Any, targets: Any) -> Any:
        (w,) = parameters
        error = w * inputs + targets * w - 0.3 * inputs
        return np.reshape(error * error + w * w, ())

    rng = np.random.default_rng(0)
    networks, epochs = 40, 30
    inputs, targets = rng.standard_normal((1, 1)), rng.standard_normal((1, 1))
    start = [np.ones((1, 1))]
    graph = (
        Stepper(Objective(line), gradient_descent()).step(start, {}, inputs, targets, None).graph
    )
    program = compile_graph(graph)
    w = rng.standard_normal((networks, 1, 1))
    lot = Lot([w.copy()], np.full(networks, 0.01))
    steps = LaneSteps(graph, 1, 1, True, 8)
    steps(lot, [inputs, targets], np.arange(networks), count=10**6, epochs=epochs)
    for i in range(networks):
        value = w[i]
        for _ in range(epochs):
            value, _, _ = program(value, inputs, targets, np.float64(0.01))
        assert same_bits(lot.carried[0][i], value)


def test_a_branch_on_values_is_not_for_lanes() -> None:
    def branching(parameters: Any, inputs: Any) -> Any:
        total = np.sum(parameters["w"] * inputs)
        return total**2 if total > 0 else -total

    start = {"w": np.ones(2)}
    stepper = Stepper(Objective(branching), gradient_descent())
    graph = stepper.step(start, {}, np.ones((1, 2)), None, None).graph
    assert reason_not_in_lanes(graph) == "a branch that depends on values"


def test_adam_in_lanes_is_adam() -> None:
    network = xor_network()
    start = network.initialize(1)
    optimizer = adam()
    state = optimizer.initialize(start)
    stepper = Stepper(Objective(network), optimizer)
    graph = stepper.step(start, state, X, Y, None).graph
    values = [*flatten(start)[0], *flatten(state)[0]]
    lot = Lot([np.stack([value] * 3) for value in values], np.array([0.01, 0.1, 0.01]))
    steps = LaneSteps(graph, len(values), 4, True, 4)
    steps(lot, [X, Y], np.arange(3), count=10**6, epochs=100)
    program = compile_graph(graph)
    for _ in range(100):
        *values, _, _ = program(*values, X, Y, np.float64(0.01))
    for a, b in zip(lot.carried, values, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-10, atol=1e-12)
        assert same_bits(a[0], a[2])


@pytest.mark.parametrize("unrolled", [True, False])
@pytest.mark.parametrize("lanes", [1, 4, 32])
def test_nothing_is_written_beside_the_arrays(lanes: int, unrolled: bool) -> None:
    margin = 64

    def fenced(array: Any) -> tuple[Any, Any]:
        """A copy with a margin before and behind that nobody may change, and the whole."""
        width = margin * array.dtype.itemsize
        whole = np.full(array.nbytes + 2 * width, 0xA5, np.uint8)
        inside = whole[width : width + array.nbytes].view(array.dtype).reshape(array.shape)
        inside[:] = array
        return inside, whole

    inputs, targets = np.ones((5, 2)), np.ones((5, 1))
    lot = Lot([np.full((3, 2, 1), 0.5)], np.array([0.01, 1e4, 0.02]), records=4)
    wholes = []
    for name in ("rates", "done", "outcome", "objective", "reported", "history"):
        inside, whole = fenced(getattr(lot, name))
        setattr(lot, name, inside)
        wholes.append(whole)
    carried, whole = fenced(lot.carried[0])
    lot.carried = [carried]
    wholes.append(whole)
    steps = squares_steps(lanes, 2, 5, unrolled)
    scratch = np.full(steps.scratch_size + 128, 0xA5, np.uint8)
    steps.use_scratch(scratch)
    for i in range(3):
        queue = np.array([i])
        order = np.tile(np.arange(5), 4)
        steps(lot, [inputs, targets], queue, count=4, epochs=4, order=order, every=1)
    for whole in wholes:
        width = margin * 8
        assert (whole[:width] == 0xA5).all()
        assert (whole[-width:] == 0xA5).all()
    begin = -scratch.ctypes.data % 64
    assert (scratch[:begin] == 0xA5).all()
    assert (scratch[begin + steps.scratch_size :] == 0xA5).all()
