"""The process in which one iteration of a user's program is traced to be explained.

    python -m chainrule.explain.following PROGRAM RESULTS --loop LINE --iteration N

The step is written to ``step.npz`` in RESULTS, a folder; where it cannot be, the reason to
``LINE-N.json`` there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.check.comparison import Compared
from chainrule.check.execution import execute, limit
from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same
from chainrule.check.programs import Program, load_program
from chainrule.check.roles import Roles
from chainrule.check.running import Watch
from chainrule.explain.stored import stored
from chainrule.explain.tracing import Traced, free_name, gradients_by_name, simplified_step
from chainrule.gradient import substitute
from chainrule.graph import Node, topological_order
from chainrule.recognition import recognised

__all__ = ["main"]


class _Following(Watch):
    """Looks at one iteration of one loop, and ends the program then."""

    def __init__(
        self, program: Program, results: Path, loss: str | None, loop: int, iteration: int
    ) -> None:
        super().__init__(program, results, loss, only=loop)
        self._iterations = {iteration}
        self._program = program

    def found(self, trace: Trace, roles: Roles, compared: Compared | None) -> dict[str, Any]:
        """Write the step down; what the comparison finds decides what its update is made of."""
        found = super().found(trace, roles, compared)
        if compared is not None and "verdict" in found:
            traced = _traced(self._program, trace, roles, compared)
            (self.results / "step.npz").write_bytes(stored(traced))
        return found


def _traced(program: Program, trace: Trace, roles: Roles, compared: Compared) -> Traced:
    """The program's own forward pass, the exact backward pass, and its own update."""
    assert roles.loss is not None
    own = [each.node for each in compared.values]
    known = recognised([roles.loss, *(each.end for each in roles.parameters), *own])
    top = known[roles.loss]
    used = topological_order(known.values())
    below = set(used)
    given = {path: node for path, node in trace.start.items() if node in below}
    named = set(given.values())
    for node in used:  # what the iteration takes from where no name leads, such as a generator
        if node.primitive.name == "argument" and node not in named:
            given[free_name(node.name or "given", given)] = node
    forward: dict[str, Node] = {}
    for node in topological_order([top]):
        if node.name and node.primitive.kind != "leaf" and node is not top:
            forward[free_name(node.name, {**forward, **given})] = node
    loss = free_name(top.name or "loss", {**forward, **given})
    forward[loss] = top
    chosen = {each.path: each.start for each in roles.parameters}
    gradients = gradients_by_name(forward, loss, chosen)
    updates, notes = _updates(roles, compared, known, gradients)
    shown = {*topological_order([*forward.values(), *gradients.values(), *updates.values()])}
    arguments = {path: node for path, node in given.items() if node in shown}
    values = {node: trace.value(node) for node in arguments.values()}
    traced = Traced(arguments, values, forward, loss, gradients, updates, notes=notes)
    simple = simplified_step(traced)
    lines = {node: _line(program, node) for node in topological_order(simple.forward.values())}
    simple.lines.update({node: text for node, text in lines.items() if text})
    return simple


def _updates(
    roles: Roles, compared: Compared, known: Mapping[Node, Node], gradients: Mapping[str, Node]
) -> tuple[dict[str, Node], tuple[str, ...]]:
    """The new parameters, over the exact gradients wherever the program's own are these."""
    own: dict[Node, Node] = {}
    updates: dict[str, Node] = {}
    notes: list[str] = []
    paths = {each.path for each in roles.parameters}
    ends = {each.end for each in roles.parameters}
    for value in compared.values:
        exact = gradients.get(value.of or "")
        if exact is None or exact.shape != value.node.shape or value.of not in paths:
            continue
        if value.node in ends:  # a parameter that was 0
            continue
        if is_same(value.factor, 1.0):
            own[known[value.node]] = exact
        else:
            own[known[value.node]] = value.factor * exact
            times = f"{value.factor:.12g}"
            notes.append(f"The program's own {value.name} is {times} times ∂L/∂{value.of}.")
    wrong = {each.path for each in compared.wrong}
    new = substitute([known[each.end] for each in roles.parameters], own)
    for each, node in zip(roles.parameters, new, strict=True):
        updates[each.path] = node
        if each.path in wrong:
            notes.append(
                f"The program's update of {each.path} is not made of ∂L/∂{each.path}: it is shown "
                "as the program has it, beside the exact gradient. See chainrule check."
            )
    return updates, tuple(notes)


def _line(program: Program, node: Node) -> str:
    position = None if node.source is None else node.source.position
    if position is None or position.file != str(program.path):
        return ""
    return f"{program.path.name}, {program.place(position.line)}: {position.text}"


def main(arguments: list[str] | None = None) -> None:
    """Run a program up to one iteration of a loop, and write that one down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--loop", type=int, required=True)
    parser.add_argument("--iteration", type=int, required=True)
    parser.add_argument("--loss")
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args(arguments)
    program = load_program(options.program)
    limit(options.memory)
    where = options.loop, options.iteration
    execute(program, _Following(program, options.results, options.loss, *where))


if __name__ == "__main__":
    main()
