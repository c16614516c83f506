"""Where the threads of a team wait for one another."""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir

from chainrule.kernels.flow import INT64

__all__ = ["meeting_function"]

Value = Any
_BYTE = ir.IntType(8)
_ARRIVED, _ROUND = 64, 128
"""Where in the scratch memory it is counted who is there, and how often all were."""
_PATIENCE = 300
"""So often a waiting thread looks again at once,"""
_LONGEST = _PATIENCE + 2000
"""and till then with way given to other threads; after that it sleeps in between."""
_SLEEP = 50
"""For so many microseconds, or a millisecond under Windows."""


def meeting_function(module: Any) -> Any:
    """``meet(scratch, team)``: returns when as many threads have called it as the team has.

    A thread that waits long gives its processor to another, so that a team can be larger than the
    number of processors, or have lost some of them.
    """
    found = module.globals.get("meet")
    if found is not None:
        return found
    function: Any = ir.Function(
        module, ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), INT64]), "meet"
    )
    function.linkage = "internal"
    function.attributes.add("noinline")
    names = ("alone", "entry", "last", "wait", "tired", "rest", "sleep", "check", "over")
    alone, entry, last, wait, tired, rest, sleep, check, over = (
        function.append_basic_block(name) for name in names
    )
    scratch, team = function.args
    builder: Any = ir.IRBuilder(alone)
    builder.cbranch(builder.icmp_signed("==", team, INT64(1)), over, entry)

    builder.position_at_end(entry)
    arrived, rounds = (
        builder.bitcast(builder.gep(scratch, [INT64(at)]), INT64.as_pointer())
        for at in (_ARRIVED, _ROUND)
    )
    number = builder.load_atomic(rounds, "acquire", 8)
    before = builder.atomic_rmw("add", arrived, INT64(1), "acq_rel")
    here = builder.add(before, INT64(1))
    builder.cbranch(builder.icmp_signed("==", here, team), last, wait)

    builder.position_at_end(last)
    builder.store_atomic(INT64(0), arrived, "monotonic", 8)
    builder.store_atomic(builder.add(number, INT64(1)), rounds, "release", 8)
    builder.branch(over)

    builder.position_at_end(wait)
    turns = builder.phi(INT64)
    _pause(module, builder)
    more = builder.add(turns, INT64(1))
    builder.cbranch(builder.icmp_signed(">", more, INT64(_PATIENCE)), tired, check)

    builder.position_at_end(tired)
    builder.cbranch(builder.icmp_signed(">", more, INT64(_LONGEST)), sleep, rest)

    builder.position_at_end(rest)
    _give_way(module, builder)
    builder.branch(check)

    builder.position_at_end(sleep)
    _sleep(module, builder)
    builder.branch(check)

    builder.position_at_end(check)
    now = builder.load_atomic(rounds, "acquire", 8)
    turns.add_incoming(INT64(0), entry)
    turns.add_incoming(more, check)
    builder.cbranch(builder.icmp_signed("==", now, number), wait, over)

    builder.position_at_end(over)
    builder.ret_void()
    return function


def _pause(module: Any, builder: Any) -> None:
    """Tell the processor that this is a loop that waits."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(ir.Function(module, kind, "llvm.x86.sse2.pause"), [])


def _give_way(module: Any, builder: Any) -> None:
    """Let another thread run on this processor."""
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    builder.call(ir.Function(module, ir.FunctionType(ir.IntType(32), []), name), [])


def _sleep(module: Any, builder: Any) -> None:
    """Stop for a while."""
    number = ir.IntType(32)
    if sys.platform == "win32":
        kind = ir.FunctionType(ir.VoidType(), [number])
        builder.call(ir.Function(module, kind, "Sleep"), [number(1)])
    else:
        kind = ir.FunctionType(number, [number])
        builder.call(ir.Function(module, kind, "usleep"), [number(_SLEEP)])
