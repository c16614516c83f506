"""What a program's text says of its loops: their steps, their jumps, their counters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "Loop",
    "Step",
    "assigned_names",
    "counters_of",
    "is_jump",
    "is_step",
    "loops_of",
    "names_read",
    "own_nodes",
    "renamed_at",
    "scopes_of",
    "statements_at",
    "steps_of",
    "targets_of",
]

Looping = ast.For | ast.While
Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
_APART = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_RATE = re.compile(r"(?i)^(lr|eta|alpha|rate|step|learning)|learning|rate$")


@dataclass(frozen=True)
class Loop:
    """A loop, the statements after it in the same block, and the loops that it stands in."""

    node: Looping
    after: Sequence[ast.stmt]
    within: tuple[Looping, ...]
    scope: Scope


@dataclass(frozen=True)
class Step:
    """A statement that takes a step, such as ``W -= rate * dW``, in the innermost loop around."""

    node: ast.Assign | ast.AugAssign
    target: ast.expr
    loop: Loop


def scopes_of(tree: ast.Module) -> Iterator[Scope]:
    """The module and every function in it, each of which has names of its own."""
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a statement or scope, without the bodies of functions and classes in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _APART):
            yield from own_nodes(child)


def loops_of(tree: ast.Module) -> list[Loop]:
    """Every loop of a program, in the order of its lines."""
    found: list[Loop] = []
    for scope in scopes_of(tree):
        _collect(scope.body, (), scope, found)
    return sorted(found, key=lambda loop: loop.node.lineno)


def _collect(
    block: Sequence[ast.stmt], within: tuple[Looping, ...], scope: Scope, found: list[Loop]
) -> None:
    for i, statement in enumerate(block):
        if isinstance(statement, _APART):
            continue
        inner = within
        if isinstance(statement, Looping):
            found.append(Loop(statement, block[i + 1 :], within, scope))
            inner = (*within, statement)
        for name in ("body", "orelse", "finalbody"):
            # What stands in a loop's else is not in the loop.
            around = within if name == "orelse" else inner
            _collect(getattr(statement, name, ()), around, scope, found)
        for each in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
            _collect(each.body, inner, scope, found)


def counters_of(loop: Looping) -> set[str]:
    """The names that count a loop's iterations: its variables, and what it adds 1 to."""
    found: set[str] = set()
    if isinstance(loop, ast.For):
        found |= assigned_names(loop.target)
    for node in own_nodes(loop):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            by_one = isinstance(node.value, ast.Constant) and node.value.value == 1
            if by_one and isinstance(node.op, ast.Add):
                found.add(node.target.id)
    return found


def assigned_names(node: ast.AST) -> set[str]:
    """The names that a statement, or what stands in it, gives a value."""
    nodes = [node, *own_nodes(node)]
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def names_read(node: ast.AST) -> set[str]:
    """The names that a statement reads, and also those of its functions."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def targets_of(statement: ast.AST) -> list[ast.expr]:
    """What a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For):
        return [statement.target]
    return []


def steps_of(tree: ast.Module) -> list[Step]:
    """The steps with a learning rate that stand in loops, each with the innermost one."""
    found: list[Step] = []
    for loop in loops_of(tree):
        inner = {n for n in own_nodes(loop.node) if isinstance(n, Looping)}
        deeper = {statement for each in inner for statement in own_nodes(each)}
        for node in own_nodes(loop.node):
            if node in deeper or not isinstance(node, ast.Assign | ast.AugAssign):
                continue
            if is_step(node) and _has_rate(node.value):
                found.append(Step(node, targets_of(node)[0], loop))
    return found


def is_step(statement: ast.AST) -> bool:
    """Whether a statement adds to something, or takes off, a product or a quotient.

    What is taken off may be anything but a plain number.
    """
    if isinstance(statement, ast.AugAssign):
        operation, change = statement.op, statement.value
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        value = statement.value
        if not isinstance(value, ast.BinOp):
            return False
        if ast.unparse(value.left) != _whole(statement.targets[0]):
            return False
        operation, change = value.op, value.right
    else:
        return False
    if isinstance(operation, ast.Sub):
        return not isinstance(change, ast.Constant)
    product = isinstance(change, ast.BinOp) and isinstance(change.op, ast.Mult | ast.Div)
    return isinstance(operation, ast.Add) and product


def _whole(target: ast.expr) -> str:
    """The text of what is assigned to; of ``W[:]`` it is that of ``W``."""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
        return ast.unparse(target.value)
    return ast.unparse(target)


def _has_rate(value: ast.expr) -> bool:
    """Whether something is multiplied by a learning rate: one by name, or a number below 1."""
    for node in ast.walk(value):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for side in (node.left, node.right):
                name = side.id if isinstance(side, ast.Name) else ""
                name = side.attr if isinstance(side, ast.Attribute) else name
                number = side.value if isinstance(side, ast.Constant) else None
                if _RATE.search(name) or (isinstance(number, float) and 0 < number < 1):
                    return True
    return False


def is_jump(statement: ast.AST) -> bool:
    """Whether a statement leaves the block that it stands in."""
    return isinstance(statement, ast.Break | ast.Continue | ast.Return)


def statements_at(tree: ast.Module, line: int) -> list[ast.stmt]:
    """The innermost statements that a line belongs to: several where they share the line."""
    found: list[ast.stmt] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            found.append(node)
    return [n for n in found if not any(e in found for e in ast.walk(n) if e is not n)]


def renamed_at(tree: ast.Module, name: str, line: int) -> int | None:
    """Where a value gets only another name, as in ``delta = error``, below the line of its own."""
    blocks: list[list[ast.stmt]] = [
        block for node in ast.walk(tree) if isinstance(block := getattr(node, "body", None), list)
    ]
    for block in blocks:
        places = [i for i, each in enumerate(block) if each.lineno == line]
        for statement in block[places[0] + 1 :] if places else ():
            targets = [ast.unparse(each) for each in targets_of(statement)]
            if isinstance(statement, ast.Assign) and ast.unparse(statement.value) == name:
                return statement.lineno
            if name in targets:
                return None
    return None
