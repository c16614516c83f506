"""What happens where a traced value would leave the trace.

A truth value or a whole number steers the program: it is recorded as a guard, and a graph that is
evaluated with values that would steer otherwise refuses. A floating-point number that depends on
the arguments would be cut off from its gradient: that is an error, or a recorded cut where the
caller asked for cuts.
"""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import primitives as p
from chainrule.errors import LeakError, TraceError
from chainrule.graph import Cut, Guard, Node, topological_order
from chainrule.source import capture

if TYPE_CHECKING:
    from collections.abc import Generator

    from chainrule.tracer.arrays import TracedArray

__all__ = ["Context", "active_contexts", "array", "number", "recording", "tracing", "truth"]


@dataclass
class Context:
    """One running trace: its arguments with their values, and what it came to depend on."""

    allow_cuts: bool
    values: dict[Node, Any] = field(default_factory=dict[Node, Any])
    guards: list[Guard] = field(default_factory=list[Guard])
    cuts: list[Cut] = field(default_factory=list[Cut])


class _State(threading.local):
    """The traces that run in this thread."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []


_state = _State()


def active_contexts() -> tuple[Context, ...]:
    """The traces that run in this thread, the outermost first."""
    return tuple(_state.contexts)


def tracing() -> bool:
    """Whether a trace runs in this thread."""
    return bool(_state.contexts)


@contextmanager
def recording(context: Context) -> Generator[Context]:
    """Record guards and cuts in a context while the block runs."""
    _state.contexts.append(context)
    try:
        yield context
    finally:
        _state.contexts.pop()


def truth(x: TracedArray) -> bool:
    """The truth value of an array of one element, recorded as a guard."""
    result = bool(x.value)  # raises NumPy's own error for more elements
    node = x.node
    if node.dtype != np.dtype(bool):
        node = p.not_equal(node, 0)
    _guard(node, result)
    return result


def number(x: TracedArray, how: str) -> Any:
    """The value of an array of one element, for use outside the trace."""
    result = x.value.item()  # raises NumPy's own error for more elements
    _leave(x, result, how)
    return result


def array(x: TracedArray, how: str) -> Any:
    """The values of an array, for use outside the trace."""
    _leave(x, np.array(x.value), how)
    return x.value


def _leave(x: TracedArray, value: Any, how: str) -> None:
    node = x.node
    reached = _arguments_of(node)
    if not reached:
        return
    if _carries_gradient(node, reached):
        source = capture()
        if not any(context.allow_cuts for context in _state.contexts):
            raise LeakError(
                f"{how} takes a traced value{f' ({node.name})' if node.name else ''} out of the "
                f"trace, which would cut its gradient ({source.describe()}). Keep it as an array "
                "(np.stack and np.concatenate join several); if it is meant to be a constant, "
                "wrap it in chainrule.stop_gradient and allow cuts with allow_cuts=True."
            )
        for context in _state.contexts:
            context.cuts.append(Cut(node, how, source))
    _guard(node, value)


def _guard(node: Node, expected: Any) -> None:
    reached = _arguments_of(node)
    if not reached:
        return
    known: set[Node] = set().union(*(context.values for context in _state.contexts))
    if not reached <= known:
        raise TraceError(
            f"A traced value is used after its trace has ended ({capture().describe()}). "
            "Return it from the traced function instead of storing it elsewhere."
        )
    if _state.contexts:
        _state.contexts[-1].guards.append(Guard(node, expected, capture()))


def _arguments_of(node: Node) -> set[Node]:
    return {leaf for leaf in topological_order([node]) if leaf.primitive.name == "argument"}


def _carries_gradient(node: Node, arguments: set[Node]) -> bool:
    carrying: set[Node] = {argument for argument in arguments if argument.differentiable}
    for current in topological_order([node]):
        if (
            current.differentiable
            and current.primitive.differentiable
            and any(operand in carrying for operand in current.inputs)
        ):
            carrying.add(current)
    return node in carrying
