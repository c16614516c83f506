"""Prints of a loop's progress that stand after the loop, so that they run once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from chainrule.check.programs import Program
from chainrule.check.statements import (
    Loop,
    assigned_names,
    counters_of,
    loops_of,
    names_read,
    own_nodes,
    steps_of,
)

__all__ = ["late_prints"]


def late_prints(
    program: Program, tree: ast.Module, training: set[int]
) -> Iterator[tuple[int, str]]:
    """The lines of such prints, each with a sentence.

    The print must be one that a loop's own counter, divided without a remainder, decides on, that
    shows the counter or what the loop computes; and the loop trains and prints nothing itself.
    """
    steps = {step.loop.node for step in steps_of(tree)}
    for loop in loops_of(tree):
        inside = {loop.node, *own_nodes(loop.node)}
        trains = steps & inside or any(getattr(n, "lineno", 0) in training for n in inside
                                       if isinstance(n, ast.For | ast.While))  # fmt: skip
        if loop.within or not trains or any(map(_is_print, inside)):
            continue
        for statement in _late(loop):
            sentence = (
                f"This stands after the loop in {program.place(loop.node.lineno)} and runs once, "
                "when it has ended: move it to the end of the loop's body, to see the progress."
            )
            yield statement.lineno, sentence


def _late(loop: Loop) -> Iterator[ast.If]:
    # In a function what is counted up may have come from elsewhere and go on.
    counters = counters_of(loop.node)
    if not isinstance(loop.scope, ast.Module):
        counters &= assigned_names(loop.node.target) if isinstance(loop.node, ast.For) else set()
    shown = assigned_names(loop.node) | counters
    for statement in loop.after:
        if isinstance(statement, ast.If) and not statement.orelse:
            prints = [node for node in own_nodes(statement) if _is_print(node)]
            shows = any(names_read(each) & shown for each in prints)
            inner = any(isinstance(node, ast.For | ast.While) for node in own_nodes(statement))
            if shows and not inner and _is_every(statement.test, counters):
                yield statement
        counters -= assigned_names(statement)
        if not counters:
            return


def _is_every(test: ast.expr, counters: set[str]) -> bool:
    """Whether a test is true in every so many iterations: ``i % 100 == 0`` or ``not i % 100``."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_remainder(test.operand, counters)
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        zero = test.comparators[0]
        is_zero = isinstance(zero, ast.Constant) and type(zero.value) is int and zero.value == 0
        return is_zero and _is_remainder(test.left, counters)
    return False


def _is_remainder(node: ast.expr, counters: set[str]) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mod):
        return False
    return bool(names_read(node.left) & counters) and not names_read(node.right) & counters


def _is_print(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )
