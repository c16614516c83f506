"""The calls of a schedule's kernels, one after another, by one thread or by a team."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from chainrule.kernels.addresses import Addresses
from chainrule.kernels.emission import Kernels
from chainrule.kernels.flow import INT64
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.meeting import meeting_function

__all__ = ["Calls", "emit_size"]

Value = Any


class Calls:
    """Calls of kernels in a function that the threads of a team run side by side.

    Each kernel that is worth it is shared, the first thread does the rest, and all wait for one
    another before what another has computed is read. ``kernels`` have all been emitted; ``size`` is
    how many bytes of the scratch memory the arrays take, after which there is memory to work with.
    """

    def __init__(
        self,
        builder: Any,
        kernels: Kernels,
        addresses: Addresses,
        table: Value,
        scratch: Value,
        size: int,
        team: tuple[Value, Value],
    ) -> None:
        self._builder, self._kernels, self._addresses = builder, kernels, addresses
        self._table, self._scratch = table, scratch
        self._thread, self._team = team
        common = builder.gep(scratch, [INT64(size)])
        own = builder.gep(common, [INT64(kernels.common)])
        own = builder.gep(own, [builder.mul(self._thread, INT64(kernels.own))])
        self._memory = [scratch, common, own, *team]
        self._apart = True  # whether a thread may have computed what others have not waited for

    def begin(self) -> None:
        """Nothing is known of what other threads have done, as where a loop begins."""
        self._apart = True

    def call(self, kernel: Kernel) -> Value | None:
        """Let a kernel run; for one that checks indices, its status, which every thread has."""
        builder, emitted = self._builder, self._kernels.emit(kernel)
        arrays = builder.gep(self._table, [INT64(self._addresses.begin[kernel])])
        arguments = [arrays, *self._memory]
        if kernel.kind == "check":
            self.meet()
            return builder.call(emitted.function, arguments)
        if emitted.shared:
            self.meet()
            builder.call(emitted.function, arguments)
            self._apart = True
            self.meet()
        else:
            with self.first_thread():
                builder.call(emitted.function, arguments)
        return None

    @contextmanager
    def first_thread(self) -> Generator[None]:
        """What only the first thread of a team does; the others have not waited for it."""
        if not self._kernels.shared:
            yield
            return
        self._apart = True
        first = self._builder.icmp_signed("==", self._thread, INT64(0))
        with self._builder.if_then(first):
            yield

    def meet(self) -> None:
        """Wait until every thread is here, if one has computed something since they last met."""
        if self._kernels.shared and self._apart:
            meeting = meeting_function(self._kernels.module)
            self._builder.call(meeting, [self._scratch, self._team])
            self._apart = False


def emit_size(module: Any, size: int, kernels: Kernels) -> None:
    """The function ``scratch_size(team)``, which gives the size of a team's scratch memory."""
    function: Any = ir.Function(module, ir.FunctionType(INT64, [INT64]), "scratch_size")
    builder: Any = ir.IRBuilder(function.append_basic_block())
    own = builder.mul(function.args[0], INT64(kernels.own))
    builder.ret(builder.add(own, INT64(size + kernels.common)))
