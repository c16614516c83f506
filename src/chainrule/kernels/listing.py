"""The plan and the code of a native training step as text, beside the graph it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chainrule.graph import Node, topological_order
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.loops import LoopSteps
from chainrule.kernels.machine import processor
from chainrule.kernels.schedule import Schedule
from chainrule.kernels.whole import WholeSteps
from chainrule.notation import equation

__all__ = ["Lines", "Listing", "listing"]


@dataclass(frozen=True)
class Listing:
    """What `listing` gives: the ``plan`` in words, and the ``code`` as LLVM's text."""

    plan: str
    code: str


def listing(steps: WholeSteps | LoopSteps) -> Listing:
    """How a training step was laid out, and the code that was made of it.

    Every function, or every value's instructions, come after a comment with the lines of the graph
    that they compute and, where known, the line of the program.
    """
    return _of_loops(steps) if isinstance(steps, LoopSteps) else _of_registers(steps)


class Lines:
    """The lines of a graph: a name and an equation for each of these values.

    >>> from chainrule.graph import argument
    >>> x = argument("x", (2,), "float64")
    >>> y = x * 2
    >>> Lines([y])[y]
    'v1 = x · 2'

    Arguments and constants stand for themselves, and a value that is only repeated for its own.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.names: dict[Node, str] = {}
        taken: set[str] = set()
        for node in nodes:
            if node.primitive.kind == "leaf" or node.primitive.name == "broadcast_to":
                continue
            name = node.name
            if name is None or name in taken:
                name = f"v{len(self.names) + 1}"
            taken.add(name)
            self.names[node] = name

    def __getitem__(self, node: Node) -> str:
        return str(equation(node, names=self.names))

    def comment(self, node: Node) -> str:
        """A value's equation, and the line of the program that it comes from."""
        where = place(node)
        return f"{self[node]}    [{where}]" if where else self[node]

    def row(self, node: Node) -> str:
        """The same, with dtype and shape, for a table."""
        kind = f"{node.dtype}{list(node.shape)}"
        return f"  {self[node]:<56}  {kind:<16}  {place(node)}".rstrip()


def place(node: Node) -> str:
    """The line that a value was computed in, such as ``network.py:241``."""
    position = None if node.source is None else node.source.position
    return "" if position is None else f"{Path(position.file).name}:{position.line}"


def _heading(steps: WholeSteps | LoopSteps) -> list[str]:
    name, features = processor()
    wide = "512" if "+avx512f" in features else "256" if "+avx2" in features else "128"
    rows = "all rows, in their order" if steps.whole else f"{steps.rows} rows, gathered by number"
    arguments = steps.graph.arguments
    data = ", ".join(str(node.name) for node in arguments[steps.carried : -1])
    return [
        f"A training step of {steps.rows} rows, for {name} with vectors of {wide} bits",
        f"  carried from step to step: {steps.carried} arrays",
        f"  {data}: {rows}",
        "  the step ends before its update where the loss is not finite",
    ]


def _of_registers(steps: WholeSteps) -> Listing:
    nodes = steps.graph.nodes()
    lines = Lines(nodes)
    plan = [
        *_heading(steps),
        "",
        "One function, every array in registers, in this order:",
        *(lines.row(node) + _becomes(node, steps) for node in nodes if node in lines.names),
    ]
    code = steps.text(lambda node: lines.comment(node) if node in lines.names else "")
    return Listing("\n".join(plan), re.sub(r"(?m)^ *; ?\n", "", code))


def _becomes(node: Node, steps: WholeSteps) -> str:
    """Which argument of the next step, or which loss, a value is."""
    outputs, arguments = steps.graph.outputs, steps.graph.arguments
    names = [str(argument.name) for argument in arguments[: steps.carried]]
    names += ["the loss minimised", "the loss reported"]
    found = [name for output, name in zip(outputs, names, strict=True) if output is node]
    return f"  → {', '.join(found)}" if found else ""


def _of_loops(steps: LoopSteps) -> Listing:
    schedule = steps.schedule
    stored = [node for kernel in schedule.kernels for node in kernel.nodes]
    lines = Lines(stored)
    code = steps.loop.text()
    made = steps.loop.kernels
    plan = [
        *_heading(steps),
        f"  {schedule.size:,} bytes between steps, threads: {steps.threads}",
        "",
        "Loops over arrays in memory, in this order; the last axis of a result is in the lanes:",
    ]
    comments: dict[str, list[str]] = {}
    for kernel in schedule.kernels:
        if kernel.kind == "gate":
            plan.append("  -  the losses are recorded; the step ends here if one is not finite")
            continue
        function = made.emit(kernel).function.name
        shared = ", shared by threads" if made.emit(kernel).shared else ""
        plan.append(f"  {function}: {_what(kernel)}{shared}")
        values = _values(kernel, set(stored))
        plan.extend(f"    {lines.row(node)}{_where(node, schedule)}" for node in values)
        notes = [lines.comment(node) for node in values]
        comments.setdefault(function, []).extend(notes or [_what(kernel)])
    return Listing("\n".join(plan), _commented(code, comments))


_KINDS = {
    "map": "element by element",
    "product": "matrix product in tiles, and what follows it element by element",
    "check": "are the indices in range?",
}


def _what(kernel: Kernel) -> str:
    return _KINDS.get(kernel.kind, kernel.kind)


def _values(kernel: Kernel, stored: set[Node]) -> list[Node]:
    """What a kernel computes, with the values on the way that the program has a name for."""
    own = set(kernel.nodes)
    order = topological_order(kernel.nodes, stored - own)
    return [node for node in order if node in own or (node.inputs and node.name)]


def _where(node: Node, schedule: Schedule) -> str:
    """Where a value goes; nowhere, if it stays in registers."""
    place = schedule.places.get(node)
    if place is None:
        return ""
    if not place.in_table:
        return f"  → memory + {place.position}"
    return f"  → {schedule.arguments[place.position].name}"


def _commented(code: str, comments: dict[str, list[str]]) -> str:
    """The code with comments before the functions that they are about."""

    def before(match: re.Match[str]) -> str:
        notes = comments.get(match["name"], [])
        return "".join(f"; {note}\n" for note in notes) + match[0]

    return re.sub(r'(?m)^define [^\n]*@"?(?P<name>\w+)"?\(', before, code)
