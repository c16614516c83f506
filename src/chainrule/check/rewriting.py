"""An expression of a backward pass as it may have been meant, one slip undone at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from chainrule.check.edits import Change, Edit, Scope, Source
from chainrule.check.products import orders
from chainrule.check.slopes import derivatives, dropped_factor, other_derivatives

__all__ = ["copied_alias", "rewritten"]

_SUMS = {"sum": "mean", "mean": "sum", "average": "sum"}


def rewritten(source: Source, statement: ast.stmt, scope: Scope) -> Iterator[Edit]:
    """Every edit of the value that a statement computes, each text once."""
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.expr):
        return
    own = source.of(value)
    seen = {own}
    for change in _changes(source, value, scope, is_return=isinstance(statement, ast.Return)):
        start = change.node.lineno, change.node.col_offset
        end = change.node.end_lineno or start[0], change.node.end_col_offset or 0
        edit = Edit(start, end, change.text, change.cause, change.why, change.cost)
        whole = _within(own, value, edit)
        if whole not in seen:
            seen.add(whole)
            yield replace(edit, expression=whole)


def _within(own: str, value: ast.expr, edit: Edit) -> str:
    """The expression with the edit in it."""
    first, column = value.lineno, value.col_offset

    def inner(place: tuple[int, int]) -> tuple[int, int]:
        return place[0] - first + 1, place[1] - (column if place[0] == first else 0)

    return replace(edit, start=inner(edit.start), end=inner(edit.end)).applied(own)


def _changes(source: Source, value: ast.expr, scope: Scope, *, is_return: bool) -> Iterator[Change]:
    yield from _whole(source, value, scope)
    for node in ast.walk(value):
        if isinstance(node, ast.expr):
            yield from _signs(source, node)
            yield from _factors(source, node)
            yield from _sums(source, node)
            yield from orders(source, node)
            yield from _calls(source, node, scope)
            yield from _names(source, node, scope)
            yield from _left_as_it_was(source, node)
    yield from derivatives(source, value, scope)
    if is_return:
        yield from other_derivatives(source, value, scope)
    yield from _regularisations(source, value, scope)


def _whole(source: Source, value: ast.expr, scope: Scope) -> Iterator[Change]:
    """The sign and a factor of the whole expression."""
    text, factor = source.of(value), source.factor(value)
    if not isinstance(value, ast.UnaryOp):
        negative = f"-{factor}" if "\n" not in text else f"-({text})"
        yield Change(value, negative, "sign", "its sign is reversed", 1.0)
    for number in ("2", "0.5"):
        why = f"the factor {number} is missing"
        yield Change(value, f"{number} * {source.tight(value)}", "factor", why, 1.15)
    for i, number in enumerate(scope.numbers):
        cost = 1.2 + 0.02 * i
        why = f"the division by {number} is missing"
        yield Change(value, f"{factor} / {number}", "factor", why, cost)
        why = f"the factor {number} is missing"
        yield Change(value, f"{number} * {source.tight(value)}", "factor", why, cost + 0.3)
    for index in dict.fromkeys(re.findall(r"\[(?:-?\d+|[ijk])\]", text)):
        if text.count(index) > 1:
            why = f"only the part {index} is taken, and it is to be all"
            yield Change(value, text.replace(index, ""), "one-sample-loss", why, 1.0)


def copied_alias(source: Source, value: ast.expr) -> Edit:
    """A copy in the place of another name for the same array."""
    text = source.of(value)
    end = value.end_lineno or value.lineno, value.end_col_offset or 0
    why = f"{text} is changed in place before this other name for it is used"
    start = value.lineno, value.col_offset
    return Edit(start, end, f"{text}.copy()", "updated-early", why, 1.0)


def _signs(source: Source, node: ast.expr) -> Iterator[Change]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield Change(node, source.of(node.operand), "sign", "its sign is reversed", 0.9)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = source.of(node.left), source.of(node.right)
        if isinstance(node.op, ast.Sub):
            why = f"{left} and {right} are the wrong way round, so that the sign is reversed"
            yield Change(node, f"{source.tight(node.right)} - {source.tight(node.left)}",
                          "sign", why, 1.0)  # fmt: skip
            yield Change(node, f"{left} + {source.factor(node.right)}", "sign",
                          "its sign is reversed", 1.0)  # fmt: skip
        else:
            yield Change(node, f"{left} - {source.factor(node.right)}", "sign",
                          "its sign is reversed", 1.0)  # fmt: skip
        for kept, dropped in ((node.left, right), (node.right, left)):
            why = f"the term {dropped} is no part of the gradient of this loss"
            yield Change(node, source.tight(kept), "regularisation", why, 1.1)


def _factors(source: Source, node: ast.expr) -> Iterator[Change]:
    """One factor fewer, or another number."""
    number = node.value if isinstance(node, ast.Constant) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        own = source.of(node)
        for other in (2 * number, number / 2, number + 1, number - 1):
            text = f"{other:g}"
            yield Change(node, text, "factor", f"the number is {text}, not {own}", 1.3)
    if not isinstance(node, ast.BinOp):
        return
    left, right = source.of(node.left), source.of(node.right)
    if isinstance(node.op, ast.Mult):
        for kept, dropped in ((node.left, right), (node.right, left)):
            cause, why = dropped_factor(dropped, "factor")
            yield Change(node, source.tight(kept), cause, why, 1.0)
        for inverse in (node.left, node.right):
            other = node.right if inverse is node.left else node.left
            if isinstance(inverse, ast.Name | ast.Constant | ast.Attribute):
                yield Change(node, f"{source.factor(other)} / {source.of(inverse)}", "factor",
                              f"it is multiplied by {source.of(inverse)} and to be divided by it",
                              1.4)  # fmt: skip
    if isinstance(node.op, ast.Div):
        yield Change(node, source.tight(node.left), "factor",
                      f"the division by {right} is one too many", 1.0)  # fmt: skip
        yield Change(node, f"{left} * {source.tight(node.right)}", "factor",
                      f"it is divided by {right} and to be multiplied by it", 1.4)  # fmt: skip
    if isinstance(node.op, ast.Pow):
        cause, why = dropped_factor(left, "power")
        yield Change(node, source.tight(node.left), cause, why, 1.2)


def _sums(source: Source, node: ast.expr) -> Iterator[Change]:
    """A sum for a mean, and over another axis."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name = node.func.attr
    if name not in _SUMS:
        return
    text, function = source.of(node), source.of(node.func)
    other = function[: -len(name)] + _SUMS[name]
    cause = "mean-for-sum" if name != "sum" else "factor"
    why = f"a {'mean' if name != 'sum' else 'sum'} is taken for a {_SUMS[name].removeprefix('a ')}"
    yield Change(node, other + text[len(function) :], cause, why, 0.8)
    is_method = not isinstance(node.func.value, ast.Name) or node.func.value.id not in (
        "np",
        "numpy",
    )
    given = [source.of(each) for each in node.args]
    rest = given[:1] if not is_method else []
    axis = [source.of(each.value) for each in node.keywords if each.arg == "axis"]
    axis += given[1:2] if not is_method else given[:1]
    for wanted in ("0", "1", None):
        for keeps in (False, True):
            if wanted == (axis[0] if axis else None):
                continue
            parts = [*rest]
            if wanted is not None:
                parts.append(f"axis={wanted}")
            if keeps:
                parts.append("keepdims=True")
            why = (
                "it is summed over everything" if not axis else f"it is summed over axis {axis[0]}"
            )
            wants = f", not over axis {wanted}" if wanted else ", not over a part"
            cause = "bias" if not axis else "axis"
            yield Change(
                node, f"{function}({', '.join(parts)})", cause, why + wants, 1.0 + 0.1 * keeps
            )


def _calls(source: Source, node: ast.expr, scope: Scope) -> Iterator[Change]:
    """Another function of the program's, or its other use."""
    if not isinstance(node, ast.Call):
        return
    function, text = source.of(node.func), source.of(node)
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("add", "subtract"):
        other = "subtract" if node.func.attr == "add" else "add"
        new = function[: -len(node.func.attr)] + other + text[len(function) :]
        yield Change(node, new, "sign", "its sign is reversed", 1.0)
    if (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "multiply"
        and len(node.args) == 2
    ):
        for kept, dropped in ((0, 1), (1, 0)):
            cause, why = dropped_factor(source.of(node.args[dropped]), "factor")
            yield Change(node, source.of(node.args[kept]), cause, why, 1.0)
    if function in scope.functions and node.args:
        argument = source.of(node.args[0])
        for other in scope.functions:
            if other != function:
                why = f"the derivative is that of another activation, {function}"
                yield Change(node, f"{other}({argument})", "derivative-of-another", why, 1.1)
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool):
                yield Change(keyword.value, str(not keyword.value.value),
                              "derivative-of-another", f"{keyword.arg} is wrong", 1.2)  # fmt: skip


def _left_as_it_was(source: Source, node: ast.expr) -> Iterator[Change]:
    """Of several new values by their names, one that is made as the others are."""
    named: list[tuple[str, ast.expr]] = []
    if isinstance(node, ast.Call):
        named = [(each.arg, each.value) for each in node.keywords if each.arg]
    elif isinstance(node, ast.Dict):
        keys = [each.value if isinstance(each, ast.Constant) else None for each in node.keys]
        pairs = zip(keys, node.values, strict=True)
        named = [(key, value) for key, value in pairs if isinstance(key, str)]
    for name, value in named:
        for other, like in named:
            text = re.sub(rf"(?<![A-Za-z]){re.escape(other)}\b", name, source.of(like))
            if other != name and text != source.of(like) and isinstance(like, ast.BinOp):
                why = f"{name} is never updated, though its gradient is there"
                yield Change(value, text, "update", why, 0.5)


def _names(source: Source, node: ast.expr, scope: Scope) -> Iterator[Change]:
    """Another variable, item or index in the place of one."""
    if isinstance(node, ast.Subscript):
        inner, index = source.of(node.value), source.of(node.slice)
        why = f"only the part [{index}] of {inner} is taken"
        yield Change(node, inner, "one-sample-loss", why, 1.1)
        for other in _indices(index):
            why = f"{inner}[{other}] is wanted, not {inner}[{index}]"
            yield Change(node, f"{inner}[{other}]", "stale", why, 1.3)
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return
    text, parent = source.of(node), source.parents.get(node)
    is_part = isinstance(parent, ast.Attribute) and parent.attr != "T"
    if text not in scope.values or is_part:
        return
    is_argument = (
        isinstance(parent, ast.Call)
        and source.of(parent.func) in scope.functions
        and len(parent.args) == 1
    )
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    for i, other in enumerate(scope.values):
        if other != text:
            cause = "derivative-point" if is_argument else "update"
            why = f"{other} is wanted, not {text}"
            if is_argument:
                why = f"the derivative is to be taken at {other}, not at {text}"
            near = 0.0 if is_argument else 0.4 * (1 - _alike(text, other))
            yield Change(node, other, cause, why, 1.0 + 0.01 * i + near)
    if not (isinstance(parent, ast.Attribute) and parent.attr == "T"):
        yield Change(node, f"{text}.T", "transpose", f"{text} is to be transposed", 1.1)


def _indices(index: str) -> Iterator[str]:
    if re.fullmatch(r"-?\w+", index):
        yield from (f"{index}-1", f"{index}+1")
    found = re.fullmatch(r"(.+?) *[-+] *1", index)
    if found:
        yield found[1]


def _alike(one: str, other: str) -> float:
    """How much two names have in common: 1 where all is."""
    pairs = {one[i : i + 2] for i in range(len(one) - 1)} or {one}
    others = {other[i : i + 2] for i in range(len(other) - 1)} or {other}
    return 2 * len(pairs & others) / (len(pairs) + len(others))


def _regularisations(source: Source, value: ast.expr, scope: Scope) -> Iterator[Change]:
    """A term of the regularisation, at a gradient or in a loss."""
    text = source.of(value)
    rates = [n for n in scope.numbers if re.search(r"(?i)lam|reg|l2|decay|wd|alpha|beta", n)]
    for rate in rates:
        for i, value_name in enumerate(scope.values):
            cost = 1.5 + 0.01 * i
            for term in (f"{rate} * {value_name}", f"2 * {rate} * {value_name}"):
                why = f"the gradient of the regularisation, {term}, is left out"
                yield Change(value, f"{text} + {term}", "regularisation", why, cost)
            for term in (
                f"{rate} / 2 * np.sum({value_name} ** 2)",
                f"{rate} * np.sum({value_name} ** 2)",
            ):
                why = f"the regularisation, {term}, is in the gradient and not in the loss"
                yield Change(value, f"{text} + {term}", "regularisation", why, cost + 0.5)
