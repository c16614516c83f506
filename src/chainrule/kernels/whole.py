"""A small graph as one function without loops or memory: every array in registers.

`WholeProgram` runs a graph once, as the interpreter's `Program` does. `WholeSteps` runs a training
step thousands of times: parameters and the optimiser's state stay in registers from one step to
the next, and only the losses are written.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.graph import Graph, Node
from chainrule.kernels.arguments import StepArguments, inputs_of, refuse
from chainrule.kernels.block import Block, vector_type
from chainrule.kernels.keys import graph_key
from chainrule.kernels.machine import REGISTERS, compiled
from chainrule.kernels.rules import emit_nodes, unsupported
from chainrule.kernels.tensors import Whole

__all__ = ["WholeProgram", "WholeSteps"]

Array = NDArray[Any]
Value = Any
_BYTE = ir.IntType(8)
_INT64 = ir.IntType(64)
_POINTER = _BYTE.as_pointer()
_POINTERS = _POINTER.as_pointer()


class WholeProgram:
    """A graph made ready to run: call it with one array for each argument node.

    Raises GraphError where arrays have another shape or kind than the argument nodes.
    """

    def __init__(self, graph: Graph) -> None:
        refuse(graph.nodes(), unsupported)
        self.graph = graph
        code = compiled("whole program\n" + graph_key(graph), self._text, REGISTERS)
        self._run = code.function("run", None, ctypes.c_void_p)

    def __call__(self, *arguments: Any) -> list[Array]:
        """The outputs' arrays for the arguments' arrays."""
        inputs = inputs_of(self.graph, arguments)
        outputs: list[Array] = [np.empty(node.shape, node.dtype) for node in self.graph.outputs]
        self._run(_table([*inputs, *outputs]))
        return outputs

    def _text(self) -> str:
        graph = self.graph
        module = ir.Module("whole")
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_POINTERS]), "run")
        builder: Any = ir.IRBuilder(function.append_basic_block())
        block = Block(module, builder)
        (table,) = function.args
        values: dict[Node, Value] = {}
        nodes = graph.nodes()
        used = set(nodes)
        for i, node in enumerate(graph.arguments):
            if node in used:
                values[node] = load(block, pointer_at(block, table, i), node)
        emit_nodes(Whole(block), nodes, values)
        for i, node in enumerate(graph.outputs):
            store(block, pointer_at(block, table, len(graph.arguments) + i), node, values[node])
        builder.ret_void()
        return str(module)


def _table(arrays: Sequence[Array]) -> Any:
    """The arrays' addresses."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


class WholeSteps:
    """A training step made ready to run many times.

    The graph's first ``carried`` arguments (parameters and optimiser state) are its first outputs;
    then come X, y if there is one, and the learning rate. After the carried outputs come the loss
    minimised and the loss reported.
    """

    def __init__(self, graph: Graph, carried: int, rows: int, whole: bool) -> None:
        refuse(graph.nodes(), unsupported)
        self.graph, self.carried, self.rows, self.whole = graph, carried, rows, whole
        self._arguments = StepArguments(graph, carried, rows, whole)
        name = f"whole steps {carried} {rows} {whole}\n"
        code = compiled(name + graph_key(graph), self.text, REGISTERS)
        pointer = ctypes.c_void_p
        self._run = code.function(
            "steps", ctypes.c_int64, pointer, pointer, pointer, ctypes.c_int64, pointer, pointer
        )

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
        GraphError where arrays have another shape or kind than the argument nodes.
        """
        ready = self._arguments.ready(carried, data, order, rates, [objective, reported])
        with ready as steps:
            places = [array.ctypes.data for array in (steps.order, steps.rates)]
            results = [array.ctypes.data for array in steps.losses]
            table = _table([*steps.carried, *steps.data])
            return int(self._run(table, *places, len(steps.rates), *results))

    def text(self, note: Callable[[Node], str] | None = None) -> str:
        """The code as LLVM's text, with a comment before the instructions of each node."""
        module = ir.Module("whole")
        double = ir.DoubleType().as_pointer()
        signature = ir.FunctionType(
            _INT64, [_POINTERS, _INT64.as_pointer(), double, _INT64, double, double]
        )
        function = ir.Function(module, signature, "steps")
        _StepLoop(self, module, function, note).emit()
        return str(module)


class _StepLoop:
    """The loop over steps: carried values in phi nodes, losses to memory."""

    def __init__(
        self,
        steps: WholeSteps,
        module: Any,
        function: Any,
        note: Callable[[Node], str] | None,
    ) -> None:
        self.steps, self.module, self.function, self.note = steps, module, function, note
        self.graph = steps.graph

    def emit(self) -> None:
        function, graph = self.function, self.graph
        table, order, rates, count, objective, reported = function.args
        entry, loop, update, done = (
            function.append_basic_block(name) for name in ("entry", "loop", "update", "done")
        )
        block = self._block(entry)
        carried = graph.arguments[: self.steps.carried]
        data = graph.arguments[self.steps.carried : -1]
        first = [load(block, pointer_at(block, table, i), node) for i, node in enumerate(carried)]
        pointers = [pointer_at(block, table, self.steps.carried + i) for i in range(len(data))]
        scratch = [
            block.builder.alloca(vector_type(node.dtype, max(node.size, 1))) for node in data
        ]
        constant = [load(block, p, node) for p, node in zip(pointers, data, strict=True)]
        some = block.builder.icmp_signed(">", count, _INT64(0))
        block.builder.cbranch(some, loop, done)

        block = self._block(loop)
        step = block.builder.phi(_INT64)
        values: dict[Node, Value] = {}
        phis = [block.builder.phi(value.type) for value in first]
        values.update(zip(carried, phis, strict=True))
        if self.steps.whole:
            values.update(zip(data, constant, strict=True))
        else:
            for node, pointer, buffer in zip(data, pointers, scratch, strict=True):
                values[node] = self._gathered(block, node, pointer, buffer, order, step)
        values[graph.arguments[-1]] = self._rate(block, rates, step)
        emit_nodes(Whole(block), graph.nodes(), values, self.note)
        outputs = [values[node] for node in graph.outputs]
        *new, loss, shown = outputs
        self._write_loss(block, objective, step, loss)
        self._write_loss(block, reported, step, shown)
        block.builder.cbranch(self._finite(block, loss), update, done)

        block = self._block(update)
        following = block.builder.add(step, _INT64(1))
        more = block.builder.icmp_signed("<", following, count)
        block.builder.cbranch(more, loop, done)
        step.add_incoming(_INT64(0), entry)
        step.add_incoming(following, update)
        for phi, before, after in zip(phis, first, new, strict=True):
            phi.add_incoming(before, entry)
            phi.add_incoming(after, update)

        block = self._block(done)
        steps_done = block.builder.phi(_INT64)
        for value, origin in ((_INT64(0), entry), (step, loop), (following, update)):
            steps_done.add_incoming(value, origin)
        for i, node in enumerate(carried):
            final = block.builder.phi(first[i].type)
            final.add_incoming(first[i], entry)
            final.add_incoming(phis[i], loop)
            final.add_incoming(new[i], update)
            values[node] = final
        for i, node in enumerate(carried):
            store(block, pointer_at(block, table, i), node, values[node])
        block.builder.ret(steps_done)

    def _block(self, basic: Any) -> Block:
        return Block(self.module, ir.IRBuilder(basic))

    def _rate(self, block: Block, rates: Value, step: Value) -> Value:
        number = block.builder.load(block.builder.gep(rates, [step]))
        node = self.graph.arguments[-1]
        empty = ir.Constant(vector_type(np.dtype("float64"), 1), ir.Undefined)
        vector = block.builder.insert_element(empty, number, ir.IntType(32)(0))
        kind = vector_type(node.dtype, 1)
        return vector if node.dtype.itemsize == 8 else block.builder.fptrunc(vector, kind)

    def _gathered(
        self, block: Block, node: Node, pointer: Value, buffer: Value, order: Value, step: Value
    ) -> Value:
        """The rows of this step, copied together and read as one vector."""
        builder = block.builder
        width = node.size // node.shape[0]
        row_type = vector_type(node.dtype, width)
        source = builder.bitcast(pointer, _element_pointer(node))
        target = builder.bitcast(buffer, _element_pointer(node))
        start = builder.mul(step, _INT64(node.shape[0]))
        for i in range(node.shape[0]):
            row = builder.load(builder.gep(order, [builder.add(start, _INT64(i))]))
            place = builder.gep(source, [builder.mul(row, _INT64(width))])
            part = builder.load(builder.bitcast(place, row_type.as_pointer()))
            part.align = node.dtype.itemsize
            into = builder.gep(target, [_INT64(i * width)])
            builder.store(
                part, builder.bitcast(into, row_type.as_pointer())
            ).align = node.dtype.itemsize
        return load(block, buffer, node)

    def _write_loss(self, block: Block, losses: Value, step: Value, loss: Value) -> None:
        builder = block.builder
        number = builder.extract_element(loss, ir.IntType(32)(0))
        if isinstance(loss.type.element, ir.FloatType):
            number = builder.fpext(number, ir.DoubleType())
        builder.store(number, builder.gep(losses, [step]))

    def _finite(self, block: Block, loss: Value) -> Value:
        size = block.intrinsic("fabs", loss)
        below = block.builder.fcmp_ordered("<", size, block.number(loss, float("inf")))
        return block.builder.extract_element(below, ir.IntType(32)(0))


def _element_pointer(node: Node) -> Any:
    return vector_type(node.dtype, 1).element.as_pointer()


def pointer_at(block: Block, table: Value, position: int) -> Value:
    """The pointer at a position of a table of pointers."""
    return block.builder.load(block.builder.gep(table, [_INT64(position)]))


def load(block: Block, pointer: Value, node: Node) -> Value:
    """An array from memory; truth values, bytes there, as bits; of an empty one, one nothing."""
    kind = vector_type(node.dtype, max(node.size, 1))
    if node.size == 0:
        return block.number(ir.VectorType(ir.IntType(1), 1) if node.dtype.kind == "b" else kind, 0)
    value = block.builder.load(block.builder.bitcast(pointer, kind.as_pointer()))
    value.align = node.dtype.itemsize
    if node.dtype.kind == "b":
        return block.builder.icmp_unsigned("!=", value, block.number(value, 0))
    return value


def store(block: Block, pointer: Value, node: Node, value: Value) -> None:
    """An array to memory."""
    if node.size == 0:
        return
    kind = vector_type(node.dtype, max(node.size, 1))
    if node.dtype.kind == "b":
        value = block.builder.zext(value, kind)
    stored = block.builder.store(value, block.builder.bitcast(pointer, kind.as_pointer()))
    stored.align = node.dtype.itemsize
