"""Names that stand for one thing and then for another, where that is seen to do harm."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.check.programs import Program
from chainrule.check.statements import (
    Loop,
    Scope,
    assigned_names,
    loops_of,
    names_read,
    own_nodes,
    scopes_of,
    statements_at,
    steps_of,
)

if TYPE_CHECKING:
    from chainrule.check.sandbox import Ran

__all__ = ["shadowed_names", "taken_names"]

_UNBOUND = re.compile(r"cannot access local variable '(\w+)'")
_OTHER_NAME = "give one of the two another name"


@dataclass(frozen=True)
class Taken:
    """A name that a loop takes for its counter, and the line of its value, which nothing reads.

    ``others`` are what the loop adds it to, takes it from or multiplies it by.
    """

    name: str
    line: int
    others: tuple[ast.expr, ...]


def taken_names(tree: ast.Module) -> dict[int, Taken]:
    """By the lines of loops over a range: names that they take whose value is then lost unread.

    Within the loop the name is used to compute with, as the value that is lost would have been.
    """
    found: dict[int, Taken] = {}
    for loop in loops_of(tree):
        node = loop.node
        if not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
            continue
        over_range = isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range"
        name = node.target.id
        others = _computed_with(node, name) if over_range and not loop.within else []
        line = _lost_value(tree, loop, name) if others else 0
        if line:
            found[node.lineno] = Taken(name, line, tuple(others))
    return found


def _computed_with(loop: ast.For, name: str) -> list[ast.expr]:
    """The other operands of a name in a loop, but in a remainder, or in what is printed."""
    printed = {
        each
        for node in own_nodes(loop)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        for each in ast.walk(node)
    }
    found: list[ast.expr] = []
    for node in own_nodes(loop):
        if isinstance(node, ast.BinOp) and node not in printed and not isinstance(node.op, ast.Mod):
            for operand, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(operand, ast.Name) and operand.id == name:
                    found.append(other)
    return found


def _lost_value(tree: ast.Module, loop: Loop, name: str) -> int:
    """The line of the last value before a loop, where neither it nor a function reads the value."""
    for node in ast.walk(tree):
        apart = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if apart and node is not loop.scope and _is_free(node, name):
            return 0
    line, lost = 0, False
    for statement in loop.scope.body:
        if loop.node in ast.walk(statement):
            return line if lost and statement is loop.node else 0
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue  # its own names were looked at above
        for node in own_nodes(statement):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                lost = False
        if name in assigned_names(statement):
            plain = isinstance(statement, ast.Assign | ast.AnnAssign)
            line, lost = statement.lineno, plain
    return 0


def _is_free(function: ast.AST, name: str) -> bool:
    arguments = {each.arg for each in ast.walk(function) if isinstance(each, ast.arg)}
    return name in names_read(function) and name not in arguments


def shadowed_names(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    """The lines that give a name another meaning, each with a sentence on what came of it."""
    yield from _failed(program, tree, ran)
    if ran.seen:
        yield from _own_data(program, tree, ran)
        yield from _taken(program, tree, ran)


def _failed(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    """What ended the program: a function or module by its name, which is something else by then."""
    if ran.outcome != "failed" or not ran.line:
        return
    for node in (n for s in statements_at(tree, ran.line) for n in ast.walk(s)):
        name = _misused(node, ran)
        line = _assigned(tree, name, ran.line) if name else 0
        meant = _meaning(program, tree, name)
        if line and meant:
            where = program.place(ran.line)
            what = f"{name} is {meant}, and here the name is given another value"
            yield line, f"{what}: {where} can then no longer use it; {_OTHER_NAME}."
            return


def _misused(node: ast.AST, ran: Ran) -> str:
    """The name that a failed statement used as a function or module, which it was not; or ""."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = node.func.id
        unbound = _UNBOUND.search(ran.error)
        if unbound and unbound[1] == name and ran.names.get(name) == "function":
            return name
        wanted = "object is not callable"
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name, wanted = node.value.id, f"object has no attribute '{node.attr}'"
    else:
        return ""
    is_number = ran.names.get(name) in ("number", "array", "whole numbers")
    return name if is_number and wanted in ran.error else ""


def _assigned(tree: ast.Module, name: str, line: int) -> int:
    """The line that gives a name its other value, in the scope of a line; 0 where it is not sure.

    It is the line itself, or the only one, or the first where all of them give it numbers.
    """
    for scope in reversed([each for each in scopes_of(tree) if _is_in(each, line)]):
        nodes = [node for node in own_nodes(scope) if isinstance(node, ast.stmt)]
        stores = [each for each in nodes if any(_stores(n, name) for n in _parts(each))]
        lines = [each.lineno for each in stores]
        if line in lines:
            return line
        if lines:
            return min(lines) if len(lines) == 1 or all(map(_gives_number, stores)) else 0
    return 0


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """What stands in a statement, but not in the statements in it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield child
            yield from own_nodes(child)


def _gives_number(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AugAssign):
        return True
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)


def _is_in(scope: Scope, line: int) -> bool:
    if isinstance(scope, ast.Module):
        return True
    return scope.lineno <= line <= (scope.end_lineno or 0)


def _imported(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _meaning(program: Program, tree: ast.Module, name: str) -> str:
    """What else a name of the module's is: a function or a module; "" where it is neither."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return f"the function of {program.place(node.lineno)}"
    if name in _imported(tree):
        return "an imported module"
    return "a function of Python's" if callable(getattr(builtins, name, None)) else ""


def _trains(tree: ast.Module, loop: Loop, ran: Ran) -> bool:
    inside = {loop.node, *own_nodes(loop.node)}
    lines = {getattr(n, "lineno", 0) for n in inside if isinstance(n, ast.For | ast.While)}
    training = {each["loop"] for each in ran.found if "verdict" in each}
    return bool(lines & training) or any(step.node in inside for step in steps_of(tree))


def _own_data(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    """Loops that take the name of what they go over, and are run again."""
    for loop in loops_of(tree):
        node = loop.node
        if not isinstance(node, ast.For) or not loop.within or not _trains(tree, loop, ran):
            continue
        again = _begun(ran, node) > _begun(ran, loop.within[-1]) or _fails_at(ran, node, loop)
        for name in sorted(assigned_names(node.target) & _gone_over(node.iter)):
            elsewhere = [n for n in own_nodes(loop.within[0]) if _stores(n, name)]
            if again and len(elsewhere) == 1:
                sentence = (
                    f"This loop takes the name of what it goes over: after its first run {name} is "
                    f"the last element, and in the next turn of the loop in "
                    f"{program.place(loop.within[-1].lineno)} the data is gone; {_OTHER_NAME}."
                )
                yield node.lineno, sentence


def _begun(ran: Ran, loop: ast.For | ast.While) -> int:
    """How often a loop was come to; more often than the loop around it means in a later turn."""
    return ran.seen["loops"].get(str(loop.lineno), {"begun": 0})["begun"]


def _fails_at(ran: Ran, loop: ast.For, around: Loop) -> bool:
    """Whether the program ended as the loop was come to in a later turn of the one around it."""
    outer = around.within[-1]
    turns = ran.seen["loops"].get(str(outer.lineno), {"turns": 0})["turns"]
    failed = ran.outcome == "failed" and ran.line == loop.lineno
    return failed and turns > _begun(ran, outer) == 1 and _begun(ran, loop) == 1


def _stores(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def _gone_over(iterated: ast.expr) -> set[str]:
    """The names that a loop goes over: by themselves, or by enumerate or zip."""
    if isinstance(iterated, ast.Name):
        return {iterated.id}
    if isinstance(iterated, ast.Call) and ast.unparse(iterated.func) in ("enumerate", "zip"):
        return {each.id for each in iterated.args if isinstance(each, ast.Name)}
    return set()


def _taken(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    """Loops whose counter has the name of data, or of a size that the gradients lack."""
    loops = {loop.node.lineno: loop for loop in loops_of(tree)}
    for line, taken in taken_names(tree).items():
        before = ran.seen["before"].get(str(line), {})
        where = program.place(taken.line)
        what = f"The loop takes the name {taken.name} for its counter"
        if before.get("met") and _trains(tree, loops[line], ran):
            lost = f"so that the array of {where} is lost before anything has read it"
            yield line, f"{what}, {lost}; {_OTHER_NAME}."
        elif "number" in before and _divides(before["number"], loops[line], ran):
            instead = f"divided by that instead of by the {before['number']} of {where}"
            yield line, f"{what}, and the gradients are {instead}; {_OTHER_NAME}."


def _divides(number: int, loop: Loop, ran: Ran) -> bool:
    """Whether each gradient is too large by a number over the counter, which differs in time."""
    counter = _constant_range(loop.node)
    seen = [e for e in ran.found if e["loop"] == loop.node.lineno and "verdict" in e]
    if counter is None or len(seen) < 2 or number == 0:
        return False
    return all(_is_quotient(each, number, counter) for each in seen)


def _is_quotient(found: dict[str, Any], number: int, counter: range) -> bool:
    value, factor = counter[int(found["iteration"])], float(found["factor"])
    return value != 0 and math.isclose(factor, number / value, rel_tol=1e-6)


def _constant_range(loop: ast.AST) -> range | None:
    """The range that a loop goes over, where its bounds are written as numbers."""
    if isinstance(loop, ast.For) and isinstance(loop.iter, ast.Call):
        values = [each.value for each in loop.iter.args if isinstance(each, ast.Constant)]
        if len(values) == len(loop.iter.args) and all(type(each) is int for each in values):
            return range(*(each for each in values if isinstance(each, int)))
    return None
