"""Where a program tells that an iteration of a loop begins, and that the loop has ended.

In loops it also tells which of the steps, and of the statements that leave a block, are run.

Nothing else of the program is changed, and every line keeps its number.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from chainrule.check.names import taken_names
from chainrule.check.programs import Program
from chainrule.check.statements import is_jump, is_step

__all__ = ["HOOK", "with_hooks"]

HOOK = "__chainrule_check__"


def with_hooks(program: Program, probed: Mapping[tuple[int, int], int] | None = None) -> Any:
    """The program's code, with a call at the start of each iteration and at the end of a loop.

    Before the statements ``probed``, which are given by line and column, ``probe`` is called with
    the number that each has.
    """
    tree = program.tree()
    tree = _Hooks(program.shown, set(taken_names(tree)), probed or {}).visit(tree)
    ast.fix_missing_locations(tree)
    return compile(tree, str(program.path), "exec", dont_inherit=True)


class _Hooks(ast.NodeTransformer):
    def __init__(
        self, shown: frozenset[int], taken: set[int], probed: Mapping[tuple[int, int], int]
    ) -> None:
        self._shown, self._taken, self._probed = shown, taken, probed
        self._depth = 0  # of the loops around

    def generic_visit(self, node: ast.AST) -> Any:
        """Any other: a statement of a loop may tell that it is run."""
        depth = self._depth
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._depth = 0
        super().generic_visit(node)
        self._depth = depth
        if self._depth and isinstance(node, ast.stmt) and (is_jump(node) or is_step(node)):
            return [_call("reached", node, ast.Constant(node.lineno)), node]
        return node

    def visit(self, node: ast.AST) -> Any:
        """Any node; a statement that is probed has its call before it."""
        place = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        new = super().visit(node)
        if isinstance(node, ast.stmt) and place in self._probed and not _has_body(node):
            call = _call("probe", node, ast.Constant(self._probed[place]))
            return [call, *(new if isinstance(new, list) else [new])]
        return new

    def visit_For(self, node: ast.For) -> Any:
        """A for loop."""
        return self._loop(node)

    def visit_While(self, node: ast.While) -> Any:
        """A while loop."""
        return self._loop(node)

    def visit_Module(self, node: ast.Module) -> Any:
        """The program: expressions that a notebook displays are displayed."""
        for i, statement in enumerate(node.body):
            if isinstance(statement, ast.Expr) and statement.lineno in self._shown:
                node.body[i] = _call("display", statement, statement.value)
        return self.generic_visit(node)

    def _loop(self, node: ast.For | ast.While) -> list[ast.stmt]:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        number = ast.Constant(node.lineno)
        begin = _call("begin", node.body[0], number)
        node.body.insert(0, begin)
        hooked: list[ast.stmt] = [node, _call("end", node, number)]
        if node.lineno in self._taken:
            hooked.insert(0, _call("before", node, number))
        return hooked


def _has_body(node: ast.stmt) -> bool:
    return hasattr(node, "body")


def _call(name: str, near: ast.stmt, argument: ast.expr) -> ast.Expr:
    function = ast.Attribute(ast.Name(HOOK, ast.Load()), name, ast.Load())
    call = ast.Expr(ast.Call(function, [argument], []))
    for node in ast.walk(call):
        if node is not argument:
            ast.copy_location(node, near)
    return call
