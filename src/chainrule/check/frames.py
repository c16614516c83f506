"""What names stand for in a frame of a running program, read without running any of its code."""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from types import FrameType, ModuleType, TracebackType
from typing import Any

import numpy as np

from chainrule.check.statements import names_read, statements_at, targets_of

__all__ = ["kinds_at", "resolve"]

_MISSING = object()


def resolve(expression: ast.expr, frame: FrameType) -> Any:
    """What a name, an attribute of one or an element is in a frame, where reading it runs no code.

    A value of the module's own, `_MISSING`, where there is none.
    """
    if isinstance(expression, ast.Name):
        for names in (frame.f_locals, frame.f_globals, vars(builtins)):
            if expression.id in names:
                return names[expression.id]
    elif isinstance(expression, ast.Attribute):
        owner = resolve(expression.value, frame)
        if not isinstance(owner, type | ModuleType):
            return getattr(owner, "__dict__", {}).get(expression.attr, _MISSING)
    elif isinstance(expression, ast.Subscript):
        owner = resolve(expression.value, frame)
        if isinstance(expression.slice, ast.Slice | ast.Tuple) or type(owner) is np.ndarray:
            return owner  # a part of an array is of its dtype
        index = resolve(expression.slice, frame)
        if type(owner) in (list, tuple, dict):
            try:
                return owner[index]
            except (LookupError, TypeError):
                return _MISSING
    elif isinstance(expression, ast.Constant):
        return expression.value
    elif isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        number = resolve(expression.operand, frame)
        return -number if type(number) in (int, float) else _MISSING
    return _MISSING


def kinds_at(error: BaseException, tree: ast.Module, file: str) -> dict[str, str]:
    """What the names are that the failing line reads, or what it writes into."""
    last = _last_in(error.__traceback__, file)
    if last is None:
        return {}
    frame, found = last.tb_frame, dict[str, str]()
    for statement in statements_at(tree, last.tb_lineno):
        targets = [*targets_of(statement), *_outs(statement)]
        for name in names_read(statement):
            found[name] = _kind(resolve(ast.Name(name, ast.Load()), frame))
        for target in targets:
            found[ast.unparse(target)] = _kind(resolve(target, frame))
    return found


def _last_in(trace: TracebackType | None, file: str) -> TracebackType | None:
    last = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            last = trace
        trace = trace.tb_next
    return last


def _outs(statement: ast.stmt) -> Iterator[ast.expr]:
    for node in ast.walk(statement):
        if isinstance(node, ast.keyword) and node.arg == "out":
            yield node.value


def _kind(value: Any) -> str:
    if value is _MISSING:
        return "missing"
    if isinstance(value, np.ndarray):
        return "whole numbers" if value.dtype.kind in "iu" else "array"
    if isinstance(value, ModuleType):
        return "module"
    if callable(value):
        return "function"
    return "number" if isinstance(value, int | float | np.number) else "other"
