"""Runs native code on arrays beside memory that cannot be touched: a program for a test to start.

    python -m tests.kernels.guarded end

Every array that native code reads or writes ends where a page begins that nobody may read, or with
``begin`` begins where such a page ends, so code that goes one element too far ends this process.
The name of each case is printed before it runs.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings

from chainrule.graph import Graph, Node, argument
from chainrule.kernels import loops, whole
from chainrule.kernels.addresses import Addresses
from chainrule.kernels.loops import LoopProgram, LoopSteps, Scratch, unsupported_in_loops
from chainrule.kernels.population import LaneSteps, Lot
from chainrule.kernels.rules import unsupported
from chainrule.kernels.whole import WholeProgram, WholeSteps
from chainrule.networks import Network
from chainrule.primitives import (
    argmax,
    concatenate,
    cumsum,
    embed,
    exp,
    getitem,
    greater,
    largest,
    matmul,
    setitem,
    tanh,
    total,
    transpose,
    where,
)
from chainrule.pytrees import flatten
from chainrule.training.optimizers import adam, gradient_descent
from chainrule.training.steps import Objective, Stepper

from ..primitives.random_graphs import Expression, expressions

DTYPES = ("float64", "float32")
SIZES = (1, 2, 3, 5, 9, 17, 31, 67)
_NOTHING = 0  # PROT_NONE


class Guard:
    """Makes arrays at the ``side``, ``"begin"`` or ``"end"``, of memory between two such pages."""

    def __init__(self, side: str) -> None:
        self.side = side
        self._protect = ctypes.CDLL(None, use_errno=True).mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def empty(self, shape: Any, dtype: Any = float) -> Any:
        """A new array, filled with a pattern of bits."""
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        page = mmap.PAGESIZE
        inner = max(-(-size // page), 1) * page
        memory = mmap.mmap(-1, inner + 2 * page)
        whole = np.frombuffer(memory, np.uint8)
        start = page if self.side == "begin" else page + inner - size
        array = whole[start : start + size]
        array[...] = 0x5A if dtype.kind != "b" else 0
        for place in (0, page + inner):
            if self._protect(whole.ctypes.data + place, page, _NOTHING):
                raise OSError(ctypes.get_errno(), "mprotect")
        return array.view(dtype).reshape(shape)

    def copy(self, array: Any) -> Any:
        """An array's numbers at the side of such memory."""
        array = np.asarray(array)
        guarded = self.empty(array.shape, array.dtype)
        guarded[...] = array
        return guarded

    def watch_own_arrays(self) -> None:
        """See to it that what the kernels' modules make for themselves lies there too."""
        table = Addresses.table
        modules: Any = (loops, whole)
        for module in modules:
            module.np = NumPy(self.empty)
        Scratch.new = lambda _, size: self.empty(size, np.uint8)
        Addresses.table = lambda *of: self.copy(table(*of))


class NumPy:
    """NumPy, but for ``empty``."""

    def __init__(self, empty: Callable[..., Any]) -> None:
        self.empty = empty

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def graph_of(arguments: list[Node], outputs: list[Node]) -> Graph:
    none: Any = None
    return Graph(tuple(arguments), tuple(outputs), none, none)


# Programs.


def run_programs(guard: Guard, arguments: list[Node], outputs: list[Node], values: Any) -> None:
    """Run a graph in each way that it can be compiled."""
    graph = graph_of(arguments, outputs)
    given = [
        guard.copy(np.asarray(x, node.dtype)) for x, node in zip(values, arguments, strict=True)
    ]
    if not any(map(unsupported_in_loops, graph.nodes())):
        LoopProgram(graph)(*given)
        if any(node.size > 4000 for node in graph.nodes()):
            LoopProgram(graph, threads=3)(*given)
    if sum(node.size for node in graph.nodes()) < 2000 and not any(map(unsupported, graph.nodes())):
        WholeProgram(graph)(*given)


def drawn(guard: Guard, dtype: str) -> None:
    @settings(
        max_examples=40, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(expressions(dtype=np.dtype(dtype).type))
    def run(expression: Expression) -> None:
        nodes = graph_of(expression.arguments, expression.outputs).nodes()
        assume(all(node.size for node in nodes))
        run_programs(guard, expression.arguments, expression.outputs, expression.values)

    run()


def products(guard: Guard, dtype: str, m: int, k: int, n: int) -> None:
    shapes = {"a": (m, k), "b": (k, n), "at": (k, m), "bt": (n, k), "c": (m, n)}
    nodes = [argument(name, shape, dtype) for name, shape in shapes.items()]
    a, b, a_turned, b_turned, c = nodes
    lefts, rights = (a, transpose(a_turned, axes=(1, 0))), (b, transpose(b_turned, axes=(1, 0)))
    outputs = [matmul(left, right) for left, right in product(lefts, rights)]
    outputs += [tanh(matmul(left, right)) * c for left, right in product(lefts, rights)]
    run_programs(guard, nodes, outputs, numbers(shapes.values()))


def reductions(guard: Guard, dtype: str, m: int, n: int) -> None:
    x, row = argument("x", (m, n), dtype), argument("row", (n,), dtype)
    outputs = [
        reduce(value, axis=axis, keepdims=False)
        for reduce, value in ((total, x), (total, exp(x)), (largest, x + row))
        for axis in ((0,), (1,), (0, 1))
    ]
    run_programs(guard, [x, row], outputs, numbers([(m, n), (n,)]))


def the_rest(guard: Guard, dtype: str, m: int, n: int) -> None:
    x, labels = argument("x", (m, n), dtype), argument("labels", (m,), "int64")
    template, shape = (("array",), ("slice", None, None, 2)), (m, -(-n // 2))
    picked = getitem(x, labels, template=template, shape=shape)
    slices = (("slice", None, None, -2), ("slice", n // 2, None, None))
    part = getitem(x, template=slices, shape=(-(-m // 2), n - n // 2))
    outputs = [
        picked,
        embed(picked, labels, template=template, shape=(m, n)),
        setitem(x, tanh(part), template=slices),
        embed(part, template=slices, shape=(m, n)),
        where(greater(x, 0), x, exp(x)),
        greater(x, 0),
        cumsum(x, axis=0),
        cumsum(x, axis=1),
        argmax(x, axis=1, keepdims=False),
        concatenate(x, part, axis=0) if n == 1 else concatenate(x, exp(x), axis=1),
        transpose(exp(x), axes=(1, 0)),
    ]
    values = [*numbers([(m, n)]), np.arange(m)[::-1]]
    run_programs(guard, [x, labels], outputs, values)


def numbers(shapes: Any) -> list[Any]:
    rng = np.random.default_rng(2)
    return [rng.standard_normal(shape) for shape in shapes]


# Training steps.


class Training:
    """A training step, and arrays for it beside memory that cannot be touched."""

    def __init__(
        self, guard: Guard, sizes: list[int], rows: int, dtype: str, optimizer: Any, loss: str
    ) -> None:
        network = Network(sizes, activation="tanh", loss=loss)
        kind = np.dtype(dtype).type
        parameters = network.initialize(3, kind)
        state = optimizer.initialize(parameters)
        rng = np.random.default_rng(4)
        X = rng.standard_normal((2 * rows + 1, sizes[0])).astype(dtype)
        y: Any = rng.integers(0, sizes[-1], len(X))
        if loss == "squared_error":
            y = rng.standard_normal((len(X), sizes[-1])).astype(dtype)
        stepper = Stepper(Objective(network), optimizer)
        self.graph = stepper.step(parameters, state, X[:rows], y[:rows], None).graph
        leaves = [*flatten(parameters)[0], *flatten(state)[0]]
        self.leaves = [np.array(leaf) for leaf in leaves]
        self.guard, self.rows, self.X, self.y = guard, rows, X, y

    def run(self, kind: Any, all_rows: bool, **settings: Any) -> None:
        guard, count = self.guard, 3
        rows = self.rows if all_rows else len(self.X)
        data = [guard.copy(self.X[:rows]), guard.copy(self.y[:rows])]
        order = guard.copy(np.arange(count * self.rows)[::-1] % rows)
        carried = [guard.copy(leaf) for leaf in self.leaves]
        rates, losses = guard.copy(np.full(count, 0.01)), [guard.empty(count) for _ in range(2)]
        run = kind(self.graph, len(carried), self.rows, all_rows, **settings)
        assert run(carried, data, order, rates, *losses) == count
        assert np.isfinite(losses).all()

    def run_in_lanes(self, lanes: int, unrolled: bool, own: tuple[int, ...]) -> None:
        guard, networks, rows = self.guard, lanes + 1, self.rows
        data = [guard.copy(self.X[:rows]), guard.copy(self.y[:rows])]
        many = {i: guard.copy(np.stack([data[i]] * networks)) for i in own}
        lot = Lot(
            [guard.copy(np.stack([leaf] * networks)) for leaf in self.leaves],
            guard.copy(np.full(networks, 0.01)),
            many,
            records=3,
        )
        for name in ("done", "outcome", "objective", "reported", "history"):
            setattr(lot, name, guard.copy(getattr(lot, name)))
        steps = LaneSteps(
            self.graph, len(self.leaves), rows, True, lanes, own=own, unrolled=unrolled
        )
        steps.use_scratch(guard.empty(-(-steps.scratch_size // 64) * 64, np.uint8))
        steps(lot, data, guard.copy(np.arange(networks)), count=10**6, epochs=3, every=1)
        assert (lot.done == 3).all()


def training(
    guard: Guard, sizes: list[int], rows: int, dtype: str, optimizer: Any, loss: str
) -> None:
    made = Training(guard, sizes, rows, dtype, optimizer, loss)
    for all_rows in (False, True):
        made.run(LoopSteps, all_rows)
    if sum(sizes) > 100:
        made.run(LoopSteps, False, threads=3)
    if sum(sizes) < 20 and not any(map(unsupported, made.graph.nodes())):
        for all_rows in (False, True):
            made.run(WholeSteps, all_rows)
        for lanes, unrolled, own in ((4, True, ()), (8, False, ()), (2, False, (0, 1))):
            made.run_in_lanes(lanes, unrolled, own)


# All of them.


def cases(guard: Guard) -> Iterator[tuple[str, Callable[[], None]]]:
    """What is run, each with its name."""
    for dtype in DTYPES:
        yield f"drawn graphs, {dtype}", lambda dtype=dtype: drawn(guard, dtype)
    some = [(1, 1, 1), (3, 5, 2), (17, 9, 31), (5, 67, 17), (67, 31, 67), (1, 130, 33), (130, 3, 1)]
    for dtype, sizes in product(DTYPES, some):
        yield f"products {sizes}, {dtype}", lambda d=dtype, s=sizes: products(guard, d, *s)
    for dtype, (m, n) in product(DTYPES, zip(SIZES, reversed(SIZES), strict=True)):
        yield f"reductions {m, n}, {dtype}", lambda d=dtype, m=m, n=n: reductions(guard, d, m, n)
        yield f"the rest {m, n}, {dtype}", lambda d=dtype, m=m, n=n: the_rest(guard, d, m, n)
    classes = "categorical_cross_entropy"
    steps = [
        ([2, 3, 1], 4, adam(), "squared_error"),
        ([3, 5, 3], 7, gradient_descent(), "squared_error"),
        ([5, 9, 3], 11, adam(), classes),
        ([7, 33, 17, 5], 13, adam(), classes),
        ([70, 300, 130, 11], 33, gradient_descent(), classes),
    ]
    for dtype, (sizes, rows, optimizer, loss) in product(DTYPES, steps):
        arguments = (guard, sizes, rows, dtype, optimizer, loss)
        yield f"steps {sizes}, {rows} rows, {dtype}", lambda a=arguments: training(*a)


def main() -> None:
    """Run all of them; ``touch`` does what they must not do."""
    side = sys.argv[1]
    if side == "touch":
        array = Guard(sys.argv[2]).empty(3)
        beside = array.ctypes.data + (-8 if sys.argv[2] == "begin" else 24)
        print(ctypes.c_double.from_address(beside).value)
        return
    guard = Guard(side)
    guard.watch_own_arrays()
    for name, run in cases(guard):
        print(name, flush=True)
        run()
    print("all ran")


if __name__ == "__main__":
    main()
