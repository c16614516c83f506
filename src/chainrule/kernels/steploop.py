"""The loop over training steps around the kernels of one step."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from chainrule.graph import Node
from chainrule.kernels.block import element_type
from chainrule.kernels.emission import emit_kernels
from chainrule.kernels.flow import INT64
from chainrule.kernels.schedule import Schedule

__all__ = ["StepLoop"]

Value = Any
_BYTE, _INT32 = ir.IntType(8), ir.IntType(32)
_POINTER = _BYTE.as_pointer()
_DOUBLE = ir.DoubleType()


class StepLoop:
    """``steps(table, order, rates, count, objective, reported, scratch)``: how many were done.

    The table points to the carried arrays and the data. Within a step it is a copy that points to
    the step's rows, which are gathered in the scratch memory, and to the learning rate.
    """

    def __init__(
        self,
        schedule: Schedule,
        carried: int,
        rows: int,
        whole: bool,
        losses: Sequence[Node],
        targets: dict[Node, int],
    ) -> None:
        self.schedule, self.carried, self.whole = schedule, carried, whole
        self.rows, self.losses, self.targets = rows, losses, targets

    def text(self) -> str:
        """The module with the functions ``steps`` and ``scratch_size``."""
        self.module = ir.Module("loops")
        checks = [kernel for kernel in self.schedule.kernels if kernel.kind == "check"]
        self.kernels = emit_kernels(
            self.module, self.schedule, 1, lambda kernel: checks.index(kernel) + 1
        )
        numbers = _DOUBLE.as_pointer()
        signature = ir.FunctionType(
            INT64,
            [
                _POINTER.as_pointer(),
                INT64.as_pointer(),
                numbers,
                INT64,
                numbers,
                numbers,
                _POINTER,
            ],
        )
        self.function: Any = ir.Function(self.module, signature, "steps")
        self._emit()
        size: Any = ir.Function(self.module, ir.FunctionType(INT64, []), "scratch_size")
        builder: Any = ir.IRBuilder(size.append_basic_block())
        builder.ret(INT64(self.schedule.size))
        return str(self.module)

    def _emit(self) -> None:
        entry, loop, update, done = (
            self.function.append_basic_block(name) for name in ("entry", "loop", "update", "done")
        )
        builder: Any = ir.IRBuilder(entry)
        self.builder = builder
        count = self.function.args[3]
        self._prepare()
        builder.cbranch(builder.icmp_signed(">", count, INT64(0)), loop, done)

        builder.position_at_end(loop)
        step = builder.phi(INT64)
        self._begin(step)
        ended = loop
        for kernel in self.schedule.kernels:
            if kernel.kind == "gate":
                finite = self._record(step)
                builder.cbranch(finite, update, done)
                ended = builder.block
                builder.position_at_end(update)
                continue
            body, _ = self.kernels[kernel]
            status = builder.call(body, [self.table, self.function.args[6]])
            if kernel.kind == "check":
                bad = builder.icmp_signed("!=", status, INT64(0))
                with builder.if_then(bad, likely=False):
                    builder.ret(builder.neg(status))
        self._copy()
        following = builder.add(step, INT64(1))
        last = builder.block
        builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
        step.add_incoming(INT64(0), entry)
        step.add_incoming(following, last)

        builder.position_at_end(done)
        result = builder.phi(INT64)
        result.add_incoming(INT64(0), entry)
        result.add_incoming(step, ended)
        result.add_incoming(following, last)
        builder.ret(result)

    def _prepare(self) -> None:
        """The table of a step: what stays the same, and places for its rows and rate."""
        builder, scratch = self.builder, self.function.args[6]
        arguments = self.schedule.arguments
        self.table = builder.alloca(_POINTER, size=len(arguments))
        self.rows_at: dict[int, Value] = {}
        for i, node in enumerate(arguments):
            if i < self.carried or (self.whole and i < len(arguments) - 1):
                pointer = builder.load(self._entry(self.function.args[0], i))
            else:
                position = self.schedule.reserve(node.size * node.dtype.itemsize)
                pointer = builder.gep(scratch, [INT64(position)])
                self.rows_at[i] = pointer
            builder.store(pointer, self._entry(self.table, i))

    def _entry(self, table: Value, position: int) -> Value:
        return self.builder.gep(table, [INT64(position)])

    def _begin(self, step: Value) -> None:
        """Gather a step's rows, and its rate."""
        builder, arguments = self.builder, self.schedule.arguments
        rates = self.function.args[2]
        for i, place in self.rows_at.items():
            node = arguments[i]
            if i == len(arguments) - 1:
                rate = builder.load(builder.gep(rates, [step]))
                kind = element_type(node.dtype)
                if node.dtype.itemsize == 4:
                    rate = builder.fptrunc(rate, kind)
                builder.store(rate, builder.bitcast(place, kind.as_pointer()))
            else:
                self._gather(i, node, place, step)

    def _gather(self, position: int, node: Node, place: Value, step: Value) -> None:
        builder = self.builder
        source = builder.load(self._entry(self.function.args[0], position))
        size = node.size // node.shape[0] * node.dtype.itemsize
        start = builder.mul(step, INT64(node.shape[0]))
        before = builder.block
        body, after = (builder.append_basic_block(name) for name in ("row", "rows"))
        builder.branch(body)
        builder.position_at_end(body)
        i = builder.phi(INT64)
        row = builder.load(builder.gep(self.function.args[1], [builder.add(start, i)]))
        there = builder.gep(source, [builder.mul(row, INT64(size))])
        here = builder.gep(place, [builder.mul(i, INT64(size))])
        copy: Any = self.module.declare_intrinsic("llvm.memcpy", [_POINTER, _POINTER, INT64])
        builder.call(copy, [here, there, INT64(size), ir.IntType(1)(0)])
        following = builder.add(i, INT64(1))
        i.add_incoming(INT64(0), before)
        i.add_incoming(following, body)
        more = builder.icmp_signed("<", following, INT64(node.shape[0]))
        builder.cbranch(more, body, after)
        builder.position_at_end(after)

    def _record(self, step: Value) -> Value:
        """Write the losses; whether the one that is minimised is finite."""
        builder = self.builder
        numbers: list[Value] = []
        for node, losses in zip(self.losses, self.function.args[4:6], strict=True):
            place = self.schedule.places[node]
            assert not place.in_table
            pointer = builder.gep(self.function.args[6], [INT64(place.position)])
            kind = element_type(node.dtype)
            number = builder.load(builder.bitcast(pointer, kind.as_pointer()))
            if node.dtype.itemsize == 4:
                number = builder.fpext(number, _DOUBLE)
            builder.store(number, builder.gep(losses, [step]))
            numbers.append(number)
        size = builder.fsub(numbers[0], numbers[0])
        # A number minus itself is 0, and not a number if it was not finite.
        return builder.fcmp_ordered("==", size, ir.Constant(_DOUBLE, 0.0))

    def _copy(self) -> None:
        """Copy the outputs that could not be written in place."""
        builder = self.builder
        copy: Any = self.module.declare_intrinsic("llvm.memcpy", [_POINTER, _POINTER, INT64])
        for node in self.schedule.copies:
            place = self.schedule.places[node]
            source = builder.gep(self.function.args[6], [INT64(place.position)])
            target = builder.load(self._entry(self.table, self.targets[node]))
            size = INT64(node.size * node.dtype.itemsize)
            builder.call(copy, [target, source, size, ir.IntType(1)(0)])
