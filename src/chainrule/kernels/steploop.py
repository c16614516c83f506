"""The loop over training steps around the kernels of one step, for one thread or a team."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from chainrule.graph import Node
from chainrule.kernels.addresses import Addresses
from chainrule.kernels.block import element_type
from chainrule.kernels.calls import Calls, emit_size
from chainrule.kernels.emission import Kernels
from chainrule.kernels.flow import INT64
from chainrule.kernels.schedule import Place, Schedule

__all__ = ["StepLoop"]

Value = Any
_BYTE, _BIT = ir.IntType(8), ir.IntType(1)
_POINTER = _BYTE.as_pointer()
_DOUBLE = ir.DoubleType()
_SIGNATURE = ir.FunctionType(
    INT64,
    [
        _POINTER.as_pointer(),  # addresses
        INT64.as_pointer(),  # order
        _DOUBLE.as_pointer(),  # rates
        INT64,  # count
        _DOUBLE.as_pointer(),  # objective
        _DOUBLE.as_pointer(),  # reported
        _POINTER,  # scratch
        INT64,  # thread
        INT64,  # how many threads
    ],
)


class StepLoop:
    """``steps(addresses, order, rates, count, objective, reported, scratch, thread, team)``.

    It returns how many steps were done. The rows of a step are gathered in the scratch memory.
    With ``share`` the threads of a team run it side by side.
    """

    def __init__(
        self,
        schedule: Schedule,
        carried: int,
        whole: bool,
        losses: Sequence[Node],
        targets: dict[Node, int],
        *,
        share: bool,
    ) -> None:
        self.schedule, self.losses, self.share = schedule, losses, share
        arguments = schedule.arguments
        last = len(arguments) - 1
        gathered = [i for i in range(carried, last) if not whole]
        for i in (*gathered, last):
            size = arguments[i].size * arguments[i].dtype.itemsize
            schedule.places[arguments[i]] = Place(False, schedule.reserve(size))
        self.addresses = Addresses(schedule)
        places = schedule.places
        self.gathered = [
            (arguments[i], self.addresses.add([Place(True, i), places[arguments[i]]]))
            for i in gathered
        ]
        self.rate = arguments[last], self.addresses.add([places[arguments[last]]])
        self.copied = [
            (node, self.addresses.add([places[node], Place(True, targets[node])]))
            for node in schedule.copies
        ]
        self.results = [(node, self.addresses.add([places[node]])) for node in losses]

    def text(self) -> str:
        """The module with the functions ``steps`` and ``scratch_size``."""
        self.module = ir.Module("loops")
        self.kernels = Kernels(self.module, self.schedule, share=self.share)
        self.kernels.emit_all()
        self.function: Any = ir.Function(self.module, _SIGNATURE, "steps")
        self._emit()
        emit_size(self.module, self.schedule.size, self.kernels)
        return str(self.module)

    def _emit(self) -> None:
        entry, loop, update, done = (
            self.function.append_basic_block(name) for name in ("entry", "loop", "update", "done")
        )
        builder: Any = ir.IRBuilder(entry)
        self.builder = builder
        self.table, self.order, self.rates, count = self.function.args[:4]
        *losses, scratch, thread, team = self.function.args[4:]
        calls = Calls(
            builder,
            self.kernels,
            self.addresses,
            self.table,
            scratch,
            self.schedule.size,
            (thread, team),
        )
        builder.cbranch(builder.icmp_signed(">", count, INT64(0)), loop, done)

        builder.position_at_end(loop)
        step = builder.phi(INT64)
        calls.begin()
        with calls.first_thread():
            self._begin(step)
        ended = loop
        for kernel in self.schedule.kernels:
            if kernel.kind == "gate":
                calls.meet()
                with calls.first_thread():
                    self._record(step, losses)
                builder.cbranch(self._finite(), update, done)
                ended = builder.block
                builder.position_at_end(update)
                continue
            status = calls.call(kernel)
            if status is not None:
                bad = builder.icmp_signed("!=", status, INT64(0))
                with builder.if_then(bad, likely=False):
                    builder.ret(builder.neg(status))
        with calls.first_thread():
            self._copy()
        calls.meet()
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

    # Before and after the kernels of a step.

    def _address(self, number: int) -> Value:
        return self.builder.load(self.builder.gep(self.table, [INT64(number)]))

    def _begin(self, step: Value) -> None:
        """Gather a step's rows, and its rate."""
        builder = self.builder
        for node, number in self.gathered:
            self._gather(node, self._address(number), self._address(number + 1), step)
        node, number = self.rate
        kind = element_type(node.dtype)
        rate = builder.load(builder.gep(self.rates, [step]))
        if node.dtype.itemsize == 4:
            rate = builder.fptrunc(rate, kind)
        builder.store(rate, builder.bitcast(self._address(number), kind.as_pointer()))

    def _gather(self, node: Node, source: Value, target: Value, step: Value) -> None:
        builder = self.builder
        size = node.size // node.shape[0] * node.dtype.itemsize
        start = builder.mul(step, INT64(node.shape[0]))
        before = builder.block
        body, after = (builder.append_basic_block(name) for name in ("row", "rows"))
        builder.branch(body)
        builder.position_at_end(body)
        i = builder.phi(INT64)
        row = builder.load(builder.gep(self.order, [builder.add(start, i)]))
        there = builder.gep(source, [builder.mul(row, INT64(size))])
        here = builder.gep(target, [builder.mul(i, INT64(size))])
        self._copy_bytes(here, there, size)
        following = builder.add(i, INT64(1))
        i.add_incoming(INT64(0), before)
        i.add_incoming(following, body)
        more = builder.icmp_signed("<", following, INT64(node.shape[0]))
        builder.cbranch(more, body, after)
        builder.position_at_end(after)

    def _record(self, step: Value, losses: Sequence[Value]) -> None:
        """Write the losses."""
        for number, place in zip(self._losses(), losses, strict=True):
            self.builder.store(number, self.builder.gep(place, [step]))

    def _losses(self) -> list[Value]:
        builder = self.builder
        numbers: list[Value] = []
        for node, entry in self.results:
            kind = element_type(node.dtype)
            pointer = builder.bitcast(self._address(entry), kind.as_pointer())
            number = builder.load(pointer)
            numbers.append(number if node.dtype.itemsize == 8 else builder.fpext(number, _DOUBLE))
        return numbers

    def _finite(self) -> Value:
        """Whether the loss that is minimised is finite: then it minus itself is 0."""
        loss = self._losses()[0]
        nothing: Any = ir.Constant(_DOUBLE, 0.0)
        return self.builder.fcmp_ordered("==", self.builder.fsub(loss, loss), nothing)

    def _copy(self) -> None:
        """Copy the outputs that could not be written in place."""
        for node, number in self.copied:
            size = node.size * node.dtype.itemsize
            self._copy_bytes(self._address(number + 1), self._address(number), size)

    def _copy_bytes(self, target: Value, source: Value, size: int) -> None:
        kinds = [_POINTER, _POINTER, INT64]
        copy: Any = self.module.declare_intrinsic("llvm.memcpy", kinds)
        self.builder.call(copy, [target, source, INT64(size), _BIT(0)])
