"""The loop over epochs that trains networks in lanes.

The lanes go on on their own: when a network has done its epochs, has reached the loss that is asked
for or has diverged, its parameters are written back and the next network of the queue takes its
lane.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import itertools
from typing import Any

from llvmlite import ir

from chainrule.graph import Graph
from chainrule.kernels.block import Block
from chainrule.kernels.flow import INT64, Variable, counted, splat
from chainrule.kernels.lanes import EPOCHS, LOSS, RUNNING, LaneMemory, LanePlan
from chainrule.kernels.lanesteps import LaneStep

__all__ = ["lane_code"]

Value = Any
_BYTE = ir.IntType(8)
_DOUBLE = ir.DoubleType()
_POINTER = _BYTE.as_pointer()
_SIGNATURE = ir.FunctionType(
    INT64,
    [
        _POINTER.as_pointer(),  # table
        _POINTER,  # scratch
        INT64.as_pointer(),  # queue
        INT64.as_pointer(),  # order
        *[INT64] * 5,  # queued, count, epochs, every, records
        _DOUBLE,  # stop
    ],
)


def lane_code(plan: LanePlan) -> str:
    """The text of a module with the function ``run``, and with ``scratch_size``.

    ``run(table, scratch, queue, order, queued, count, epochs, every, records, stop)`` trains the
    networks of a queue until ``count`` epochs have passed or none is left, and returns how many
    epochs passed.
    """
    module = ir.Module("lanes")
    function: Any = ir.Function(module, _SIGNATURE, "run")
    for argument in function.args[:4]:
        argument.add_attribute("noalias")
    memory = LaneMemory(plan, module)
    end = _Run(memory, function).emit()
    size = ir.Function(module, ir.FunctionType(INT64, []), "scratch_size")
    builder: Any = ir.IRBuilder(size.append_basic_block())
    builder.ret(INT64(end))
    return str(module)


class _Run:
    """The body of ``run``."""

    def __init__(self, memory: LaneMemory, function: Any) -> None:
        self.memory, self.plan, self.width = memory, memory.plan, memory.plan.width
        self.builder: Any = ir.IRBuilder(function.append_basic_block("entry"))
        self.block = Block(memory.module, self.builder)
        self.table, self.scratch, self.queue, self.order = function.args[:4]
        self.queued, self.count, self.epochs, self.every, self.records, stop = function.args[4:]
        self.vector = self.plan.vector
        self.groups = range(self.width // self.vector)
        self.mask = ir.VectorType(ir.IntType(1), self.vector)
        self.doubles = ir.VectorType(_DOUBLE, self.vector)
        self.stop = splat(self.builder, stop, self.vector)
        self.clock, self.next, self.limit = (Variable(self.builder, INT64) for _ in range(3))
        self.active = [Variable(self.builder, self.mask) for _ in self.groups]
        self.sums = [[Variable(self.builder, self.doubles) for _ in range(2)] for _ in self.groups]
        self.network = memory.inside(self.builder, self.scratch, "network")
        self.begun = memory.inside(self.builder, self.scratch, "begun")
        self.steps = LaneStep(
            memory, self.block, (self.table, self.scratch, self.order), self.clock, self.active
        )

    def emit(self) -> int:
        """Add the instructions; how much scratch memory they use."""
        builder = self.builder
        turn, epoch, settle, end = (
            builder.append_basic_block(name) for name in ("turn", "epoch", "settle", "end")
        )
        self.clock.set(INT64(0))
        self.next.set(INT64(0))
        with counted(builder, self.width) as lane:
            builder.store(INT64(-1), builder.gep(self.network, [lane]))
        builder.branch(turn)

        builder.position_at_end(turn)
        self._refill()
        some = self._survey()
        go = builder.and_(some, builder.icmp_signed("<", self.clock.get(), self.count))
        builder.cbranch(go, epoch, end)

        builder.position_at_end(epoch)
        means = self._epoch()
        clock = builder.add(self.clock.get(), INT64(1))
        self.clock.set(clock)
        reached: Value = INT64(0)
        for group, (_, reported) in enumerate(means):
            low = builder.fcmp_ordered("<=", reported, self.stop)
            bits = self.steps.bits(builder.and_(low, self.active[group].get()))
            shifted = builder.shl(bits, INT64(group * self.vector))
            reached = builder.or_(reached, shifted)
        some = builder.icmp_unsigned("!=", reached, INT64(0))
        over = builder.icmp_signed(">=", clock, self.limit.get())
        stop = builder.or_(builder.or_(some, self.steps.leave.get()), over)
        builder.cbranch(stop, settle, epoch)

        builder.position_at_end(settle)
        for group, losses in enumerate(means):
            self.steps.keep(group, losses)
        self._settle(reached)
        builder.branch(turn)

        builder.position_at_end(end)
        self._flush()
        builder.ret(self.clock.get())
        return self.steps.end

    # Between epochs: who is done, who comes next, when to look again.

    def _refill(self) -> None:
        builder, memory = self.builder, self.memory
        with counted(builder, self.width) as lane:
            place = builder.gep(self.network, [lane])
            idle = builder.icmp_signed("<", builder.load(place), INT64(0))
            left = builder.icmp_signed("<", self.next.get(), self.queued)
            with builder.if_then(builder.and_(idle, left)):
                following = self.next.get()
                network = builder.load(builder.gep(self.queue, [following]))
                self.next.set(builder.add(following, INT64(1)))
                builder.store(network, place)
                done = memory.outside(builder, self.table, "done")
                before = builder.load(builder.gep(done, [network]))
                begun = builder.sub(self.clock.get(), before)
                builder.store(begun, builder.gep(self.begun, [lane]))
                builder.call(memory.put_in, [self.table, self.scratch, lane, network])

    def _survey(self) -> Value:
        """Find which lanes are active and when the next of them needs a look; whether any is."""
        builder = self.builder
        self.limit.set(self.count)
        active = self.memory.inside(builder, self.scratch, "active")
        with counted(builder, self.width) as lane:
            network = builder.load(builder.gep(self.network, [lane]))
            some = builder.icmp_signed(">=", network, INT64(0))
            builder.store(builder.zext(some, _BYTE), builder.gep(active, [lane]))
            with builder.if_then(some):
                begun = builder.load(builder.gep(self.begun, [lane]))
                self._lookpointer_at(builder.add(begun, self.epochs))
                with builder.if_then(builder.icmp_signed(">", self.every, INT64(0))):
                    done = builder.sub(self.clock.get(), begun)
                    ahead = builder.add(done, builder.sub(self.every, INT64(1)))
                    multiple = builder.mul(builder.sdiv(ahead, self.every), self.every)
                    self._lookpointer_at(builder.add(begun, builder.add(multiple, INT64(1))))
        found: Value = ir.IntType(1)(0)
        for group, mask in enumerate(self.active):
            place = builder.gep(active, [INT64(group * self.vector)])
            kind = ir.VectorType(_BYTE, self.vector)
            flags = builder.load(builder.bitcast(place, kind.as_pointer()))
            flags.align = 1
            mask.set(builder.icmp_unsigned("!=", flags, self.block.number(kind, 0)))
            found = builder.or_(found, self.steps.any(mask.get()))
        return found

    def _lookpointer_at(self, clock: Value) -> None:
        sooner = self.builder.icmp_signed("<", clock, self.limit.get())
        self.limit.set(self.builder.select(sooner, clock, self.limit.get()))

    def _settle(self, reached: Value) -> None:
        """Write what is due after an epoch, for the lanes that are active."""
        builder, memory = self.builder, self.memory
        with counted(builder, self.width) as lane:
            network = builder.load(builder.gep(self.network, [lane]))
            with builder.if_then(builder.icmp_signed(">=", network, INT64(0))):
                begun = builder.load(builder.gep(self.begun, [lane]))
                done = builder.sub(self.clock.get(), begun)
                with builder.if_then(builder.icmp_signed(">", self.every, INT64(0))):
                    self._record(lane, network, builder.sub(done, INT64(1)))
                bit = builder.and_(builder.lshr(reached, lane), INT64(1))
                hit = builder.icmp_signed("!=", bit, INT64(0))
                over = builder.icmp_signed(">=", done, self.epochs)
                with builder.if_then(builder.or_(hit, over)):
                    outcome = builder.select(hit, INT64(LOSS), INT64(EPOCHS))
                    arguments = [self.table, self.scratch, lane, outcome, self.clock.get()]
                    builder.call(memory.finish, arguments)

    def _record(self, lane: Value, network: Value, epoch: Value) -> None:
        builder, memory = self.builder, self.memory
        due = builder.icmp_signed("==", builder.srem(epoch, self.every), INT64(0))
        with builder.if_then(due):
            row = builder.mul(network, self.records)
            place = builder.add(row, builder.sdiv(epoch, self.every))
            reported = memory.inside(builder, self.scratch, "reported")
            value = builder.load(builder.gep(reported, [lane]))
            memory.write(builder, self.table, "history", place, value)

    def _flush(self) -> None:
        """Write back the networks that are not done."""
        builder, memory = self.builder, self.memory
        with counted(builder, self.width) as lane:
            network = builder.load(builder.gep(self.network, [lane]))
            with builder.if_then(builder.icmp_signed(">=", network, INT64(0))):
                outcome = INT64(RUNNING)
                arguments = [self.table, self.scratch, lane, outcome, self.clock.get()]
                builder.call(memory.finish, arguments)

    # One epoch.

    def _epoch(self) -> list[list[Value]]:
        """The steps of an epoch; the mean losses over its samples, for each group of lanes."""
        plan, builder = self.plan, self.builder
        self.steps.leave.set(ir.IntType(1)(0))
        for total in itertools.chain(*self.sums):
            total.set(ir.Constant(self.doubles, None))
        first = builder.mul(self.clock.get(), INT64(plan.rows))
        batches = plan.rows // plan.batch
        if batches == 1:
            self._add(plan.graphs[0], first, plan.batch)
        else:
            with counted(builder, batches) as i:
                start = builder.add(first, builder.mul(i, INT64(plan.batch)))
                self._add(plan.graphs[0], start, plan.batch)
        rest = plan.rows % plan.batch
        if rest:
            start = builder.add(first, INT64(batches * plan.batch))
            self._add(plan.graphs[1], start, rest)
        if not plan.weighted:
            return [[total.get() for total in sums] for sums in self.sums]
        rows = self.block.number(self.doubles, plan.rows)
        return [[builder.fdiv(total.get(), rows) for total in sums] for sums in self.sums]

    def _add(self, graph: Graph, start: Value, rows: int) -> None:
        """One step, whose losses are added to the sums."""
        builder = self.builder
        for sums, losses in zip(self.sums, self.steps.emit(graph, start, rows), strict=True):
            for total, loss in zip(sums, losses, strict=True):
                if self.plan.weighted:
                    loss = builder.fmul(loss, self.block.number(self.doubles, rows))
                total.set(builder.fadd(total.get(), loss))
