"""Where a program tells that an iteration of a loop begins, and that the loop has ended.

Nothing else of the program is changed, and every line keeps its number.
"""

from __future__ import annotations

import ast
from typing import Any

from chainrule.check.programs import Program

__all__ = ["HOOK", "with_hooks"]

HOOK = "__chainrule_check__"


def with_hooks(program: Program) -> Any:
    """The program's code, with a call at the start of each iteration and at the end of a loop."""
    tree = _Hooks(program.shown).visit(program.tree())
    ast.fix_missing_locations(tree)
    return compile(tree, str(program.path), "exec", dont_inherit=True)


class _Hooks(ast.NodeTransformer):
    def __init__(self, shown: frozenset[int]) -> None:
        self._shown = shown

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
        self.generic_visit(node)
        number = ast.Constant(node.lineno)
        begin = _call("begin", node.body[0], number)
        node.body.insert(0, begin)
        return [node, _call("end", node, number)]


def _call(name: str, near: ast.stmt, argument: ast.expr) -> ast.Expr:
    function = ast.Attribute(ast.Name(HOOK, ast.Load()), name, ast.Load())
    call = ast.Expr(ast.Call(function, [argument], []))
    for node in ast.walk(call):
        if node is not argument:
            ast.copy_location(node, near)
    return call
