"""A graph as nests of loops over arrays in memory, for graphs of any size.

`LoopProgram` runs a graph once, as the interpreter's `Program` does; `LoopSteps` runs a training
step many times. Every number is computed by the same operations in the same order as when the graph
is compiled whole, so the results are the same to the last bit. Sums are added halves onto halves
(`rules.fold`), matrix products one term after the other along the inner axis.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.errors import GraphError
from chainrule.graph import Graph, Node
from chainrule.kernels.addresses import Addresses
from chainrule.kernels.arguments import StepArguments, inputs_of, refuse
from chainrule.kernels.calls import Calls, emit_size
from chainrule.kernels.emission import Kernels, unsupported_in_loops
from chainrule.kernels.flow import INT64
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.keys import graph_key
from chainrule.kernels.lowering import lowered
from chainrule.kernels.machine import REGISTERS, Compiled, compiled
from chainrule.kernels.schedule import HEADER, Schedule
from chainrule.kernels.steploop import StepLoop
from chainrule.kernels.teams import CALL, STEP, in_team, processors, threads_worth
from chainrule.primitives import stop_gradient

__all__ = ["LoopProgram", "LoopSteps", "unsupported_in_loops"]

Array = NDArray[Any]
_ALIGNMENT = 64
_POINTER = ir.IntType(8).as_pointer()


class LoopProgram:
    """A graph made ready to run: call it with one array for each argument node.

    So many ``threads`` share the work, by default as many as its size is worth and there are
    processors for; the numbers are the same to the last bit. Raises GraphError where arrays have
    another shape or kind than the argument nodes, and where an index that is computed is out of
    range.
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        refuse(graph.nodes(), unsupported_in_loops)
        self.graph = graph
        outputs = distinct(lowered(graph.outputs), set())
        targets = {node: len(graph.arguments) + i for i, node in enumerate(outputs)}
        self.schedule = Schedule(graph.arguments, outputs, targets)
        self._addresses = Addresses(self.schedule)
        self._threads, self._worth = threads, threads_worth(self.schedule, CALL)
        self._share = (threads or self._worth) > 1
        name = f"loop program {self._share}\n"
        code = compiled(name + graph_key(graph), self._text, REGISTERS)
        integer, pointer = ctypes.c_int64, ctypes.c_void_p
        self._run = code.function("run", integer, pointer, pointer, integer, integer)
        self._scratch = Scratch(code)

    def __call__(self, *arguments: Any) -> list[Array]:
        """The outputs' arrays for the arguments' arrays."""
        inputs = inputs_of(self.graph, arguments)
        outputs: list[Array] = [np.empty(node.shape, node.dtype) for node in self.graph.outputs]
        threads = self._threads or min(self._worth, processors())
        with self._scratch.taken(threads) as scratch:
            scratch[:HEADER] = 0
            table = self._addresses.table([*inputs, *outputs], scratch)
            places = table.ctypes.data, scratch.ctypes.data
            status = in_team(lambda thread, team: int(self._run(*places, thread, team)), threads)
            if status:
                raise out_of_range(self.schedule, status, scratch)
        return outputs

    def _text(self) -> str:
        schedule = self.schedule
        module = ir.Module("loops")
        kernels = Kernels(module, schedule, share=self._share)
        kernels.emit_all()
        signature = ir.FunctionType(INT64, [_POINTER.as_pointer(), _POINTER, INT64, INT64])
        function: Any = ir.Function(module, signature, "run")
        builder: Any = ir.IRBuilder(function.append_basic_block())
        table, scratch, thread, team = function.args
        addresses = self._addresses
        calls = Calls(builder, kernels, addresses, table, scratch, schedule.size, (thread, team))
        for kernel in schedule.kernels:
            status = calls.call(kernel)
            if status is not None:
                with builder.if_then(builder.icmp_signed("!=", status, INT64(0)), likely=False):
                    builder.ret(status)
        builder.ret(INT64(0))
        emit_size(module, schedule.size, kernels)
        return str(module)


class LoopSteps:
    """A training step made ready to run many times.

    The graph's first ``carried`` arguments (parameters and optimiser state) are its first outputs;
    then come X, y if there is one, and the learning rate. After the carried outputs come the loss
    minimised and the loss reported. ``rows`` is how many rows a step has; with ``whole`` they are
    all of the data in their order. So many ``threads`` share the work of a step, by default as many
    as its size is worth and there are processors for; the numbers are the same to the last bit.
    """

    def __init__(
        self, graph: Graph, carried: int, rows: int, whole: bool, threads: int | None = None
    ) -> None:
        refuse(graph.nodes(), unsupported_in_loops)
        self.graph, self.carried, self.rows, self.whole = graph, carried, rows, whole
        self._arguments = StepArguments(graph, carried, rows, whole)
        self._threads = threads
        *new, loss, shown = lowered(graph.outputs)
        kept = {node for node, old in zip(new, graph.arguments, strict=False) if node is old}
        made = distinct([loss, shown, *new], kept)
        losses, new = made[:2], made[2:]
        targets = {node: i for i, node in enumerate(new) if node is not graph.arguments[i]}
        self.schedule = Schedule(graph.arguments, list(targets), targets, losses)
        self._worth = threads_worth(self.schedule, STEP)
        # The code to share a step is left out where one thread does it: it takes time to compile.
        share = (threads or self._worth) > 1
        self.loop = StepLoop(self.schedule, carried, whole, losses, targets, share=share)
        name = f"loop steps {carried} {rows} {whole} {share}\n"
        code = compiled(name + graph_key(graph), self.loop.text, REGISTERS)
        integer, pointer = ctypes.c_int64, ctypes.c_void_p
        kinds = [*[pointer] * 3, integer, *[pointer] * 3, integer, integer]
        self._run = code.function("steps", integer, *kinds)
        self._scratch = Scratch(code)

    @property
    def threads(self) -> int:
        """How many threads share a step."""
        return self._threads or min(self._worth, processors())

    def __call__(
        self,
        carried: Sequence[Array],
        data: Sequence[Array],
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        objective: NDArray[np.float64],
        reported: NDArray[np.float64],
    ) -> int:
        """Run a step for each rate; how many were done.

        ``carried`` is changed in place. ``data`` is X and y, ``order`` the rows of every step one
        after the other. It stops before the update of a step whose loss is not finite. Raises
        GraphError where arrays have another shape or kind than the argument nodes, and where an
        index that is computed, such as a class number, is out of range.
        """
        threads = self.threads
        ready = self._arguments.ready(carried, data, order, rates, [objective, reported])
        with ready as steps, self._scratch.taken(threads) as scratch:
            scratch[:HEADER] = 0
            table = self.loop.addresses.table([*steps.carried, *steps.data], scratch)
            places = [array.ctypes.data for array in (table, steps.order, steps.rates)]
            results = [array.ctypes.data for array in (*steps.losses, scratch)]

            def run(thread: int, team: int) -> int:
                return int(self._run(*places, len(steps.rates), *results, thread, team))

            done = in_team(run, threads)
            if done < 0:
                raise out_of_range(self.schedule, -done, scratch)
        return done


class Scratch:
    """Memory for what is in between, kept from one run to the next; each run has its own."""

    def __init__(self, code: Compiled) -> None:
        self._size = code.function("scratch_size", ctypes.c_int64, ctypes.c_int64)
        self._free: dict[int, list[Array]] = {}

    def new(self, size: int) -> Array:
        """So many bytes of memory that begin with a line of the cache."""
        memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        return memory[start : start + size]

    @contextmanager
    def taken(self, threads: int = 1) -> Generator[Array]:
        """Memory for one run of so many threads."""
        free = self._free.setdefault(threads, [])
        try:
            memory = free.pop()
        except IndexError:
            memory = self.new(self._size(threads))
        try:
            yield memory
        finally:
            free.append(memory)


def distinct(outputs: Sequence[Node], kept: set[Node]) -> list[Node]:
    """The outputs as nodes that are all different, and none of them an argument or a constant."""
    made: list[Node] = []
    seen: set[Node] = set()
    for node in outputs:
        if node in seen or (node.primitive.kind == "leaf" and node not in kept):
            node = stop_gradient(node)
        seen.add(node)
        made.append(node)
    return made


def out_of_range(schedule: Schedule, status: int, scratch: Array) -> GraphError:
    """The error for an index that a kernel found out of range."""
    checks: list[Kernel] = [kernel for kernel in schedule.kernels if kernel.kind == "check"]
    check = checks[status - 1]
    node = check.main
    assert node is not None
    found = int(scratch[:8].view(np.int64)[0])
    message = f"The index {found} is out of range for an axis of length {check.limit}."
    if node.source is not None and node.source.frames:
        message += f" (Computing {node.primitive.name}, {node.source.describe()}.)"
    return GraphError(message)
