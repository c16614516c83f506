"""Changes to a program's text that may put a wrong line right: one place changed at a time.

Every change is a guess. It says nothing until the changed program has run and its gradients have
been compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

__all__ = ["Change", "Edit", "Scope", "Source", "scope_of", "words"]


@dataclass(frozen=True)
class Edit:
    """Text put in the place of a stretch of the program: lines from 1, columns in bytes from 0.

    ``cause`` is what kind of slip it undoes, ``why`` says it in a clause, and ``cost`` is how far
    it is from what was written: of two that put all right the cheaper is the likelier.
    ``expression`` is the changed statement's value, where the statement only computes one; or,
    where it ``is_added``, what a statement of its own adds to a gradient.
    """

    start: tuple[int, int]
    end: tuple[int, int]
    text: str
    cause: str
    why: str
    cost: float
    expression: str | None = None
    is_added: bool = False

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.start[0]

    def lines(self, text: str) -> list[str]:
        """The lines that stand in the place of those from its first to its last."""
        lines = text.split("\n")
        head = lines[self.start[0] - 1].encode()[: self.start[1]].decode()
        tail = lines[self.end[0] - 1].encode()[self.end[1] :].decode()
        return (head + self.text + tail).split("\n")

    def applied(self, text: str) -> str:
        """The text with this change."""
        lines = text.split("\n")
        lines[self.start[0] - 1 : self.end[0]] = self.lines(text)
        return "\n".join(lines)


@dataclass(frozen=True)
class Change:
    """A part of an expression, and what may stand there instead."""

    node: ast.expr
    text: str
    cause: str
    why: str
    cost: float


class Source:
    """A program's text with its tree: what stands where."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text, self.tree = text, tree
        self._lines = text.split("\n")

    def of(self, node: ast.AST) -> str:
        """A node as the user wrote it."""
        assert isinstance(node, ast.expr | ast.stmt)
        end = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self.between((node.lineno, node.col_offset), end)

    def between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        """The text from one line and column, in bytes, to another."""
        lines = [line.encode() for line in self._lines[start[0] - 1 : end[0]]]
        lines[-1] = lines[-1][: end[1]]
        lines[0] = lines[0][start[1] :]
        return "\n".join(line.decode() for line in lines)

    def line(self, number: int) -> str:
        """A line of the text."""
        return self._lines[number - 1]

    def factor(self, node: ast.AST) -> str:
        """A node as the left operand of a product."""
        loose = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
        loose = loose or isinstance(node, ast.Compare | ast.BoolOp | ast.IfExp | ast.Lambda)
        return f"({self.of(node)})" if loose else self.of(node)

    def tight(self, node: ast.AST) -> str:
        """A node as one operand of whatever operation."""
        simple = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.Constant
        return self.of(node) if isinstance(node, simple) else f"({self.of(node)})"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """What each node is a part of."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def statements(self) -> dict[int, list[ast.stmt]]:
        """The simple statements that each line is a part of."""
        found: dict[int, list[ast.stmt]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    found.setdefault(line, []).append(node)
        return found

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements among which one stands."""
        parent = self.parents[statement]
        for name in ("body", "orelse", "finalbody"):
            block: Any = getattr(parent, name, None)
            if isinstance(block, list) and statement in block:
                return cast("list[ast.stmt]", block)
        return [statement]


@dataclass(frozen=True)
class Scope:
    """What an expression at some place may be made of, as it would be written there.

    ``values`` are variables, attributes and items; ``functions`` those of one number or array that
    the program has, ``slopes`` what it multiplies negative numbers by, as in a leaky rectifier.
    """

    values: tuple[str, ...]
    functions: tuple[str, ...]
    numbers: tuple[str, ...]
    slopes: tuple[str, ...]
    is_matrix: bool
    activations: tuple[str, ...]


def scope_of(source: Source, statement: ast.stmt, forward: frozenset[str]) -> Scope:
    """What is at hand where a statement stands: the nearest values first.

    ``forward`` are the last words of what lies between the parameters and the loss.
    """
    inside: ast.AST = statement
    while inside in source.parents and not isinstance(inside, ast.FunctionDef):
        inside = source.parents[inside]
    modules = {
        (name.asname or name.name).partition(".")[0]
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    defined = {
        node.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    values: dict[str, int] = {}
    for node in ast.walk(inside):
        if isinstance(node, ast.arg) and node.arg != "self":
            values.setdefault(node.arg, node.lineno)
        if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            continue
        text = source.of(node)
        called = source.parents.get(node)
        is_function = isinstance(called, ast.Call) and called.func is node
        root = _root(node)
        if root is None or root in modules or root in defined or is_function or "\n" in text:
            continue
        if text in ("self", "range", "len", "print", "float", "int") or _is_view(node):
            continue
        near = values.get(text)
        if near is None or abs(node.lineno - statement.lineno) < abs(near - statement.lineno):
            values[text] = node.lineno
    nearest = sorted(values, key=lambda text: abs(values[text] - statement.lineno))
    nearest = [v for v in nearest if not v.startswith("self.") or v.count(".") == 1 or "[" in v]
    functions = list(_functions(source))
    numbers = list(_numbers(inside, source, nearest))
    slopes = [
        source.of(node.args[2].left)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and len(node.args) == 3
        if isinstance(node.args[2], ast.BinOp) and isinstance(node.args[2].op, ast.Mult)
        and isinstance(node.args[2].left, ast.Constant | ast.Name)
    ]  # fmt: skip
    text = source.text
    matrix = "np.matrix" in text or "np.mat(" in text or "numpy.matrix" in text
    arguments = {
        each.arg for each in ast.walk(inside) if isinstance(each, ast.arg) and each.arg != "self"
    }
    activations = [v for v in nearest if forward & set(words(v)) or v in arguments]
    return Scope(
        tuple(nearest[:40]),
        tuple(functions),
        tuple(numbers),
        tuple(dict.fromkeys(slopes)),
        matrix,
        tuple(activations[:16]),
    )


def words(text: str) -> list[str]:
    """The identifiers in a stretch of a program, in order."""
    return re.findall(r"[A-Za-z_]\w*", text)


def _root(node: ast.AST) -> str | None:
    """The variable at the bottom of ``a.b[c]``; None where there is a call or the like."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_view(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("T", "shape", "size", "dtype", "ndim")


def _functions(source: Source) -> Iterator[str]:
    """How the program's functions of one value are called: ``relu_prime``, ``self.slope``."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            if any(isinstance(each, ast.For | ast.While) for each in ast.walk(node)):
                continue
            arguments = [each.arg for each in node.args.args]
            is_method = bool(arguments) and arguments[0] == "self"
            needed = len(arguments) - len(node.args.defaults) - is_method
            if needed == 1 or (needed == 0 and len(arguments) > is_method):
                yield f"self.{node.name}" if is_method else node.name
        elif isinstance(node, ast.Assign):
            value = node.value
            if isinstance(value, ast.Lambda) and len(value.args.args) == 1:
                yield source.of(node.targets[0])


def _numbers(inside: ast.AST, source: Source, values: list[str]) -> Iterator[str]:
    """What factors are made of: the names of counts and rates, lengths, and what is divided by."""
    found: dict[str, None] = {}
    for node in ast.walk(inside):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found[source.tight(node.right)] = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for operand in (node.left, node.right):
                if isinstance(operand, ast.Name | ast.Attribute) and not _is_view(operand):
                    found[source.of(operand)] = None
                elif isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.Div):
                    found[source.tight(operand)] = None
        if isinstance(node, ast.Call) and source.of(node.func) == "len":
            found[source.of(node)] = None
        if isinstance(node, ast.Subscript) and source.of(node).endswith(("shape[0]", "shape[1]")):
            found[source.of(node)] = None
    text = source.of(inside) if isinstance(inside, ast.stmt) else source.text
    yield from sorted(found, key=lambda number: -text.count(number))
    for value in values:
        if value.isidentifier() and len(value) <= 12 and value not in found:
            yield value
