"""What happens where a traced value would leave the trace.

A truth value or a whole number steers the program: it is recorded as a guard, and a graph that is
evaluated with values that would steer otherwise refuses. A floating-point number that depends on
the arguments would be cut off from its gradient: that is an error, or a recorded cut where the
caller asked for cuts. A value that only goes into a text (``print(f"{loss:.3f}")``) is neither.
"""

from __future__ import annotations

import opcode
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import primitives as p
from chainrule.errors import LeakError, TraceError
from chainrule.graph import Cut, Guard, Node
from chainrule.source import capture
from chainrule.tracer.alternatives import explained

if TYPE_CHECKING:
    from chainrule.tracer.arrays import TracedArray

__all__ = [
    "Context",
    "active_contexts",
    "array",
    "depends",
    "keeps",
    "made",
    "number",
    "recording",
    "require_running",
    "shown",
    "steer",
    "tracing",
    "truth",
    "whole",
]

# What is known of a node: it depends on an argument, a gradient passes from there to here, and an
# argument that it depends on is of no running trace.
_DEPENDS, _CARRIES, _FOREIGN = 1, 2, 4


@dataclass
class Context:
    """One running trace: its arguments with their values, and what it came to depend on."""

    allow_cuts: bool
    made: Callable[[Node], None] | None = None  # told of every node that the program makes
    shown: Callable[[Node], None] | None = None  # told of every node that goes into a text
    values: dict[Node, Any] = field(default_factory=dict[Node, Any])
    guards: list[Guard] = field(default_factory=list[Guard])
    cuts: list[Cut] = field(default_factory=list[Cut])
    facts: dict[Node, int] = field(default_factory=dict[Node, int])


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


def whole(x: TracedArray, how: str) -> int:
    """The whole number in an array of one element, its fraction cut off, recorded as a guard.

    The fraction has no influence, so no gradient is lost: the derivative of a step is 0.
    """
    if _goes_into_text():
        return int(x.value)
    result = int(x.value)
    node = x.node
    if node.dtype.kind == "f":
        node = p.cast(node, dtype=np.dtype(np.int64))
    if abs(result) >= 2**63:
        return int(number(x, how))
    _guard(node, result)
    return result


def number(x: TracedArray, how: str) -> Any:
    """The value of an array of one element, for use outside the trace."""
    result = x.value.item()  # raises NumPy's own error for more elements
    if not _goes_into_text():
        _leave(x, result, how)
    return result


def array(x: TracedArray, how: str) -> Any:
    """The values of an array, for use outside the trace."""
    _leave(x, np.array(x.value), how)
    return x.value


def steer(x: TracedArray) -> Any:
    """Truth values or whole numbers that decide a shape or a choice, recorded as a guard."""
    _guard(x.node, np.array(x.value))
    return x.value


# ``"%.3f" % loss`` asks for float(loss), as an operator that stands in the program's own line.
_OPERATIONS: list[tuple[str, str]] = getattr(opcode, "_nb_ops", [])
_REMAINDERS = {i for i, (name, _) in enumerate(_OPERATIONS) if "REMAINDER" in name}


def _goes_into_text() -> bool:
    # The frames are this function's, `number`'s or `whole`'s, the method's, and the program's.
    frame = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    code, at = frame.f_code.co_code, frame.f_lasti
    return at >= 0 and code[at] == opcode.opmap["BINARY_OP"] and code[at + 1] in _REMAINDERS


def _leave(x: TracedArray, value: Any, how: str) -> None:
    node = x.node
    facts = _facts(node)
    if facts & _CARRIES:
        how, instead = explained(how)
        source = capture()
        if not any(context.allow_cuts for context in _state.contexts):
            if facts & _FOREIGN:
                raise _ended()
            raise LeakError(
                f"{how} takes a traced value{f' ({node.name})' if node.name else ''} out of the "
                f"trace, which would cut its gradient ({source.describe()}). {instead} If the "
                "value is meant to be a constant there, chainrule.stop_gradient makes it one, "
                "and chainrule.trace(…, allow_cuts=True) lets values out and lists each place."
            )
        for context in _state.contexts:
            context.cuts.append(Cut(node, how, source))
    _guard(node, value)


def _guard(node: Node, expected: Any) -> None:
    facts = _facts(node)
    if not facts & _DEPENDS:
        return
    if facts & _FOREIGN:
        raise _ended()
    _state.contexts[-1].guards.append(Guard(node, expected, capture()))


def _ended() -> TraceError:
    return TraceError(
        f"A traced value is used after its trace has ended, or in another thread "
        f"({capture().describe()}). Return it from the traced function instead of storing it "
        "elsewhere."
    )


def made(node: Node) -> None:
    """Tell the running trace of a node that the program has made."""
    if _state.contexts and _state.contexts[-1].made is not None:
        _state.contexts[-1].made(node)


def shown(x: TracedArray) -> None:
    """Tell the running trace of a value that goes into a text or a plain number."""
    if _state.contexts and _state.contexts[-1].shown is not None:
        _state.contexts[-1].shown(x.node)


def keeps() -> bool:
    """Whether the running trace keeps the numbers that a program takes out of its arrays."""
    return bool(_state.contexts) and _state.contexts[-1].made is not None


def require_running(node: Node) -> None:
    """Refuse a value that depends on an argument of a trace that has ended."""
    if _facts(node) & _FOREIGN:
        raise _ended()


def depends(node: Node) -> bool:
    """Whether a node's value depends on an argument of a trace."""
    return bool(_facts(node) & _DEPENDS)


def _facts(node: Node) -> int:
    """What is known of a node; each node is looked at once in a trace."""
    contexts = _state.contexts
    memory: dict[Node, int] = contexts[-1].facts if contexts else {}
    known = memory.get(node)
    if known is not None:
        return known
    outer = [context.facts for context in contexts[:-1]]
    stack = [node]
    while stack:
        current = stack[-1]
        if current in memory:
            stack.pop()
            continue
        found = next((facts[current] for facts in outer if current in facts), None)
        if found is None and current.primitive.name == "argument":
            found = _DEPENDS | (_CARRIES if current.differentiable else 0)
            if not any(current in context.values for context in contexts):
                found |= _FOREIGN
        if found is None:
            missing = [each for each in current.inputs if each not in memory]
            if missing:
                stack.extend(missing)
                continue
            found = 0
            for each in current.inputs:
                found |= memory[each]
            if not (current.differentiable and current.primitive.differentiable):
                found &= ~_CARRIES
        memory[current] = found
        stack.pop()
    return memory[node]
