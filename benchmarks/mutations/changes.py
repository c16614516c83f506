"""One small change of a statement, of the kinds that people make by mistake.

The kinds are of expressions in general; nothing here knows what `chainrule check` looks for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mutations.scopes import Names, names_at

__all__ = ["KINDS", "Change", "changes_of"]

KINDS = {
    "factor": "times 2, times 0.5, or without a number that it is multiplied or divided by",
    "sign": "a sign changed, or += for -=",
    "transpose": "a product's order changed, or a .T more or less",
    "dropped": "without a term, a factor or a power",
    "name": "another name of the same function, or another function of the program",
    "axis": "another axis, or none; keepdims more or less",
    "mean for sum": "a mean for a sum, or a sum for a mean",
    "moved": "an update one statement earlier",
}
_PRODUCTS = ("dot", "matmul", "outer")
_REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True)
class Change:
    """Lines from ``first`` to ``last`` of a program's text, and what is to stand there.

    ``lines_of_it`` are the lines at which it may be found.
    """

    kind: str
    first: int
    last: int
    lines: tuple[str, ...]
    lines_of_it: tuple[int, ...]


def changes_of(
    text: str, tree: ast.Module, gradients: set[int], updates: set[int]
) -> dict[str, list[Change]]:
    """All changes of the statements at some lines, by their kind."""
    found: dict[str, list[Change]] = {kind: [] for kind in KINDS}
    lines = text.split("\n")
    for block in _blocks(tree):
        for i, statement in enumerate(block):
            inside = set(range(statement.lineno, (statement.end_lineno or 0) + 1))
            if not _is_simple(statement) or not inside & (gradients | updates):
                continue
            names = names_at(tree, statement)
            for kind, new in _changed(statement, names):
                found[kind].append(_written(lines, statement, kind, new))
            if i and inside & updates:
                found["moved"] += _moved(lines, block[i - 1], statement)
    return found


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def _is_simple(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr)


def _written(lines: list[str], statement: ast.stmt, kind: str, new: ast.stmt) -> Change:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    head = lines[first - 1].encode()[: statement.col_offset].decode()
    tail = lines[last - 1].encode()[statement.end_col_offset :].decode()
    text = ast.unparse(ast.fix_missing_locations(new))
    return Change(kind, first, last, (head + text + tail,), (first,))


def _moved(lines: list[str], before: ast.stmt, statement: ast.stmt) -> Iterator[Change]:
    """The two in the other order, where each has its lines for itself."""
    first, end = before.lineno, before.end_lineno or before.lineno
    start, last = statement.lineno, statement.end_lineno or statement.lineno
    if end < start and not lines[start - 1][: statement.col_offset].strip():
        own, between, other = (
            lines[start - 1 : last],
            lines[end : start - 1],
            lines[first - 1 : end],
        )
        now = first + len(own) + len(between)
        yield Change("moved", first, last, (*own, *between, *other), (first, now))


def _changed(statement: ast.stmt, names: Names) -> Iterator[tuple[str, ast.stmt]]:
    """The statement with one change; each with its kind."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(statement.op, ast.Add) else ast.Add()
        yield "sign", ast.AugAssign(statement.target, other, statement.value)
    for root in _roots(statement):
        for whole in _wholes(statement, root):
            for factor in (2, 0.5):
                product = ast.BinOp(ast.Constant(factor), ast.Mult(), whole)
                yield "factor", _replaced(statement, whole, product)
            yield "sign", _replaced(statement, whole, ast.UnaryOp(ast.USub(), whole))
        for node in _expressions(root):
            for kind, new in _changed_node(node, names):
                yield kind, _replaced(statement, node, new)


def _roots(statement: ast.stmt) -> list[ast.expr]:
    """The expressions whose values a statement gives."""
    value: ast.expr | None = getattr(statement, "value", None)
    if isinstance(statement, ast.Expr):
        return [*value.args] if isinstance(value, ast.Call) else []
    if isinstance(value, ast.Tuple | ast.List):
        return [*value.elts]
    return [] if value is None else [value]


def _wholes(statement: ast.stmt, root: ast.expr) -> Iterator[ast.expr]:
    """What is multiplied or negated: the value, or its terms where it is added to something."""
    own = [ast.unparse(each).removesuffix("[:]") for each in getattr(statement, "targets", [])]
    if not any(ast.unparse(node) in own for node in ast.walk(root) if isinstance(node, ast.expr)):
        if not isinstance(statement, ast.Expr):
            yield root
    elif isinstance(root, ast.BinOp) and isinstance(root.op, ast.Add | ast.Sub):
        yield root.right


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    """An expression and those in it, but for indices and the names of functions."""
    yield node
    if isinstance(node, ast.Subscript):
        parts: list[ast.AST] = [node.value]
    elif isinstance(node, ast.Call):
        method = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        parts = [*method, *node.args]
    elif isinstance(node, ast.Attribute):
        parts = [node.value]
    else:
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        if isinstance(part, ast.expr):
            yield from _expressions(part)


def _changed_node(node: ast.expr, names: Names) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.BinOp):
        yield from _changed_operation(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand
    elif isinstance(node, ast.Call):
        yield from _changed_call(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose", node.value
    for other in names.others(node):
        yield "name", other


def _changed_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    left, op, right = node.left, node.op, node.right
    if isinstance(op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
        yield "sign", ast.BinOp(left, other, right)
        yield "dropped", left
        yield "dropped", right if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), right)
    elif isinstance(op, ast.Mult):
        yield "factor" if _is_number(right) else "dropped", left
        yield "factor" if _is_number(left) else "dropped", right
    elif isinstance(op, ast.Div):
        yield "factor", left
    elif isinstance(op, ast.Pow):
        yield "dropped", left
    elif isinstance(op, ast.MatMult):
        yield "transpose", ast.BinOp(right, op, left)
        yield "transpose", ast.BinOp(_transposed(left), op, right)
        yield "transpose", ast.BinOp(left, op, _transposed(right))


def _changed_call(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node.func, ast.Attribute | ast.Name):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
    if name in _PRODUCTS:
        operands = list(node.args)
        if len(operands) == 1 and isinstance(node.func, ast.Attribute):  # a.dot(b)
            a, b = node.func.value, operands[0]
            for one, other in ((b, a), (_transposed(a), b), (a, _transposed(b))):
                func = ast.Attribute(one, name, ast.Load())
                yield "transpose", ast.Call(func, [other], node.keywords)
        elif len(operands) == 2:
            a, b = operands
            for pair in ([b, a], [_transposed(a), b], [a, _transposed(b)]):
                yield "transpose", ast.Call(node.func, pair, node.keywords)
    elif name == "multiply" and len(node.args) == 2:
        yield from (("dropped", each) for each in node.args)
    elif name in _REDUCTIONS:
        for new in _other_axes(node):
            yield "axis", new
        if isinstance(node.func, ast.Attribute):
            other = _REDUCTIONS[1 - _REDUCTIONS.index(name)]
            func = ast.Attribute(node.func.value, other, ast.Load())
            yield "mean for sum", ast.Call(func, node.args, node.keywords)


def _other_axes(node: ast.Call) -> Iterator[ast.expr]:
    """A sum or a mean over another axis or over all, and with and without keepdims."""
    for keyword in node.keywords:
        rest = [each for each in node.keywords if each is not keyword]
        if keyword.arg in ("axis", "keepdims"):
            yield ast.Call(node.func, node.args, rest)
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant):
            other = ast.keyword("axis", ast.Constant(1 - keyword.value.value))
            yield ast.Call(node.func, node.args, [other, *rest])
    last = node.args[-1] if node.args else None
    if isinstance(last, ast.Constant) and last.value in (0, 1):
        yield ast.Call(node.func, node.args[:-1], node.keywords)
        yield ast.Call(node.func, [*node.args[:-1], ast.Constant(1 - last.value)], node.keywords)
    elif not any(each.arg == "axis" for each in node.keywords):
        axis = ast.keyword("axis", ast.Constant(0))
        yield ast.Call(node.func, node.args, [axis, *node.keywords])
        return
    if not any(each.arg == "keepdims" for each in node.keywords):
        keep = ast.keyword("keepdims", ast.Constant(value=True))
        yield ast.Call(node.func, node.args, [*node.keywords, keep])


def _is_number(node: ast.expr) -> bool:
    """Whether it is a number as it is written, such as 2, -2 / n or 1 / m."""
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _is_number(node.left)
    return isinstance(node, ast.Constant)


def _transposed(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def _replaced(root: Any, old: ast.AST, new: ast.AST) -> Any:
    """A copy of a tree with another node in the place of one."""
    if root is old:
        return new
    copy = type(root)()
    for field, value in ast.iter_fields(root):
        if isinstance(value, list):
            value = [_replaced(v, old, new) if isinstance(v, ast.AST) else v for v in value]
        elif isinstance(value, ast.AST):
            value = _replaced(value, old, new)
        setattr(copy, field, value)
    return copy
