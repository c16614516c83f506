"""The products of a backward pass: their two sides the other way round, or transposed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from chainrule.check.edits import Change, Source

__all__ = ["orders", "sides"]

_PRODUCTS = ("dot", "matmul", "outer")


def orders(source: Source, node: ast.expr) -> Iterator[Change]:
    """The two sides of a product the other way round or transposed, and transposes."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        inner = source.of(node.value)
        yield Change(node, inner, "transpose", f"{inner} is transposed once too often", 1.0)
    both = sides(node)
    if both is None:
        return
    left, right = (_bare(source, each) for each in both)
    forms = [
        (a + s, b + t)
        for a, b in ((left, right), (right, left))
        for s in ("", ".T")
        for t in ("", ".T")
    ]
    for first, second in forms:
        if isinstance(node, ast.BinOp):
            text = (
                f"{first} @ {second}" if isinstance(node.op, ast.MatMult) else f"{first} * {second}"
            )
        else:
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Attribute)
            function = source.of(node.func)
            if len(node.args) == 1:
                text = f"{first}.{node.func.attr}({second})"
            elif node.func.attr == "outer" and (first + second).count(".T"):
                continue
            else:
                text = f"{function}({first}, {second})"
        own = source.of(node)
        changed = sum(a != b for a, b in zip(own, text, strict=False))
        why = f"the product is {text}, not {' '.join(own.split())}"
        yield Change(node, text, "transpose", why, 1.0 + 0.005 * min(changed, 40))


def sides(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """The two matrices of a product, as it may be written."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Mult):
        number = isinstance(node.left, ast.Constant) or isinstance(node.right, ast.Constant)
        return None if number else (node.left, node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _PRODUCTS and len(node.args) == 2:
            return node.args[0], node.args[1]
        if node.func.attr == "dot" and len(node.args) == 1:
            return node.func.value, node.args[0]
    return None


def _bare(source: Source, node: ast.expr) -> str:
    """A matrix without its transpose."""
    while isinstance(node, ast.Attribute) and node.attr == "T":
        node = node.value
    return source.tight(node)
