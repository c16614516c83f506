"""An expression of a backward pass as it may have been meant, one slip undone at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chainrule.check.edits import Edit, Scope, Source

__all__ = ["copied_alias", "rewritten"]

_SLOPE = re.compile(r"1(\.0*)? *-|\*\* *2|[<>]=? *0|(?i:deriv|prime|grad|slope|dsig|dtan|drelu|d_)")
_DERIVATIVE = re.compile(r"(?i)deriv|prime|slope|grad|dsig|dtan|drelu|back|^d|_d\b|\.d")
_SUMS = {"sum": "mean", "mean": "sum", "average": "sum"}
_PRODUCTS = ("dot", "matmul", "outer")


@dataclass(frozen=True)
class _Change:
    """A part of an expression, and what may stand there instead."""

    node: ast.expr
    text: str
    cause: str
    why: str
    cost: float


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


def _changes(
    source: Source, value: ast.expr, scope: Scope, *, is_return: bool
) -> Iterator[_Change]:
    yield from _whole(source, value, scope)
    for node in ast.walk(value):
        if isinstance(node, ast.expr):
            yield from _signs(source, node)
            yield from _factors(source, node)
            yield from _sums(source, node)
            yield from _orders(source, node)
            yield from _calls(source, node, scope)
            yield from _names(source, node, scope)
    for node in _places(value):
        yield from _derivatives(source, node, scope)
    if is_return:
        yield from _other_derivatives(source, value, scope)
    yield from _regularisations(source, value, scope)


def _whole(source: Source, value: ast.expr, scope: Scope) -> Iterator[_Change]:
    """The sign and a factor of the whole expression."""
    text, factor = source.of(value), source.factor(value)
    if not isinstance(value, ast.UnaryOp):
        negative = f"-{factor}" if "\n" not in text else f"-({text})"
        yield _Change(value, negative, "sign", "its sign is reversed", 1.0)
    for number in ("2", "0.5"):
        why = f"the factor {number} is missing"
        yield _Change(value, f"{number} * {source.tight(value)}", "factor", why, 1.15)
    for i, number in enumerate(scope.numbers):
        cost = 1.2 + 0.02 * i
        why = f"the division by {number} is missing"
        yield _Change(value, f"{factor} / {number}", "factor", why, cost)
        why = f"the factor {number} is missing"
        yield _Change(value, f"{number} * {source.tight(value)}", "factor", why, cost + 0.3)
    for index in dict.fromkeys(re.findall(r"\[(?:-?\d+|[ijk])\]", text)):
        if text.count(index) > 1:
            why = f"only the part {index} is taken, and it is to be all"
            yield _Change(value, text.replace(index, ""), "one-sample-loss", why, 1.0)


def copied_alias(source: Source, value: ast.expr) -> Edit:
    """A copy in the place of another name for the same array."""
    text = source.of(value)
    end = value.end_lineno or value.lineno, value.end_col_offset or 0
    why = f"{text} is changed in place before this other name for it is used"
    start = value.lineno, value.col_offset
    return Edit(start, end, f"{text}.copy()", "updated-early", why, 1.0)


def _signs(source: Source, node: ast.expr) -> Iterator[_Change]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield _Change(node, source.of(node.operand), "sign", "its sign is reversed", 0.9)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = source.of(node.left), source.of(node.right)
        if isinstance(node.op, ast.Sub):
            why = f"{left} and {right} are the wrong way round, so that the sign is reversed"
            yield _Change(node, f"{source.tight(node.right)} - {source.tight(node.left)}",
                          "sign", why, 1.0)  # fmt: skip
            yield _Change(node, f"{left} + {source.factor(node.right)}", "sign",
                          "its sign is reversed", 1.0)  # fmt: skip
        else:
            yield _Change(node, f"{left} - {source.factor(node.right)}", "sign",
                          "its sign is reversed", 1.0)  # fmt: skip
        for kept, dropped in ((node.left, right), (node.right, left)):
            why = f"the term {dropped} is no part of the gradient of this loss"
            yield _Change(node, source.tight(kept), "regularisation", why, 1.1)


def _factors(source: Source, node: ast.expr) -> Iterator[_Change]:
    """One factor fewer, or another number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        if type(node.value) is not bool:
            own = source.of(node)
            for number in (2 * node.value, node.value / 2, node.value + 1, node.value - 1):
                text = f"{number:g}"
                yield _Change(node, text, "factor", f"the number is {text}, not {own}", 1.3)
    if not isinstance(node, ast.BinOp):
        return
    left, right = source.of(node.left), source.of(node.right)
    if isinstance(node.op, ast.Mult):
        for kept, dropped in ((node.left, right), (node.right, left)):
            cause, why = _dropped(dropped, "factor")
            yield _Change(node, source.tight(kept), cause, why, 1.0)
        for inverse in (node.left, node.right):
            other = node.right if inverse is node.left else node.left
            if isinstance(inverse, ast.Name | ast.Constant | ast.Attribute):
                yield _Change(node, f"{source.factor(other)} / {source.of(inverse)}", "factor",
                              f"it is multiplied by {source.of(inverse)} and to be divided by it",
                              1.4)  # fmt: skip
    if isinstance(node.op, ast.Div):
        yield _Change(node, source.tight(node.left), "factor",
                      f"the division by {right} is one too many", 1.0)  # fmt: skip
        yield _Change(node, f"{left} * {source.tight(node.right)}", "factor",
                      f"it is divided by {right} and to be multiplied by it", 1.4)  # fmt: skip
    if isinstance(node.op, ast.Pow):
        cause, why = _dropped(left, "power")
        yield _Change(node, source.tight(node.left), cause, why, 1.2)


def _dropped(text: str, what: str) -> tuple[str, str]:
    if _SLOPE.search(text) or what == "power":
        return "derivative-twice", f"{text} is there once too often"
    return "factor", f"the factor {text} is one too many"


def _sums(source: Source, node: ast.expr) -> Iterator[_Change]:
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
    yield _Change(node, other + text[len(function) :], cause, why, 0.8)
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
            yield _Change(
                node, f"{function}({', '.join(parts)})", cause, why + wants, 1.0 + 0.1 * keeps
            )


def _orders(source: Source, node: ast.expr) -> Iterator[_Change]:
    """The two sides of a product the other way round or transposed, and transposes."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        inner = source.of(node.value)
        yield _Change(node, inner, "transpose", f"{inner} is transposed once too often", 1.0)
    sides = _sides(node)
    if sides is None:
        return
    left, right = (_bare(source, each) for each in sides)
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
        yield _Change(node, text, "transpose", why, 1.0 + 0.005 * min(changed, 40))


def _sides(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
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


def _calls(source: Source, node: ast.expr, scope: Scope) -> Iterator[_Change]:
    """Another function of the program's, or its other use."""
    if not isinstance(node, ast.Call):
        return
    function, text = source.of(node.func), source.of(node)
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("add", "subtract"):
        other = "subtract" if node.func.attr == "add" else "add"
        new = function[: -len(node.func.attr)] + other + text[len(function) :]
        yield _Change(node, new, "sign", "its sign is reversed", 1.0)
    if (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "multiply"
        and len(node.args) == 2
    ):
        for kept, dropped in ((0, 1), (1, 0)):
            cause, why = _dropped(source.of(node.args[dropped]), "factor")
            yield _Change(node, source.of(node.args[kept]), cause, why, 1.0)
    if function in scope.functions and node.args:
        argument = source.of(node.args[0])
        for other in scope.functions:
            if other != function:
                why = f"the derivative is that of another activation, {function}"
                yield _Change(node, f"{other}({argument})", "derivative-of-another", why, 1.1)
        cause, why = _dropped(text, "factor")
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool):
                yield _Change(keyword.value, str(not keyword.value.value),
                              "derivative-of-another", f"{keyword.arg} is wrong", 1.2)  # fmt: skip


def _names(source: Source, node: ast.expr, scope: Scope) -> Iterator[_Change]:
    """Another variable, item or index in the place of one."""
    if isinstance(node, ast.Subscript):
        inner, index = source.of(node.value), source.of(node.slice)
        why = f"only the part [{index}] of {inner} is taken"
        yield _Change(node, inner, "one-sample-loss", why, 1.1)
        for other in _indices(index):
            why = f"{inner}[{other}] is wanted, not {inner}[{index}]"
            yield _Change(node, f"{inner}[{other}]", "stale", why, 1.3)
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
            yield _Change(node, other, cause, why, 1.0 + 0.01 * i + near)
    if not (isinstance(parent, ast.Attribute) and parent.attr == "T"):
        yield _Change(node, f"{text}.T", "transpose", f"{text} is to be transposed", 1.1)


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


def _places(value: ast.expr) -> list[ast.expr]:
    """Where a derivative may have been left out: the whole, and each factor of a product in it."""
    found = [value]
    for node in ast.walk(value):
        sides = _sides(node) if isinstance(node, ast.expr) else None
        if sides is not None:
            found += [each for each in sides if not isinstance(each, ast.Constant)]
    return list(dict.fromkeys(found))


def _derivatives(source: Source, node: ast.expr, scope: Scope) -> Iterator[_Change]:
    """The derivative of an activation where there is none, or in the place of what is there."""
    own, parent = source.factor(node), source.parents.get(node)
    is_right = isinstance(parent, ast.BinOp) and parent.right is node
    inner = is_right or isinstance(parent, ast.Attribute)
    deep = 0.0 if isinstance(parent, ast.stmt) else 0.2
    for i, value in enumerate(scope.activations):
        for slope, cost in _slopes(value, scope):
            cost += 0.02 * i + deep
            why = f"the derivative of the activation, {slope}, is left out"
            if scope.is_matrix:
                product = f"np.multiply({source.of(node)}, {slope})"
            else:
                product = f"({own} * {slope})" if inner else f"{own} * {slope}"
            yield _Change(node, product, "derivative-missing", why, cost)
            for prefix in _prefixes(node):
                dropped = source.of(node)[len(source.of(prefix)) :].lstrip(") *")
                if _SLOPE.search(dropped):
                    why = f"the derivative of the activation is {slope}, not {dropped}"
                    yield _Change(node, f"{source.factor(prefix)} * {slope}",
                                  "derivative-of-another", why, cost + 0.1)  # fmt: skip
    for prefix in _prefixes(node):
        dropped = source.of(node)[len(source.of(prefix)) :].lstrip(") *")
        cause, why = _dropped(dropped, "factor")
        yield _Change(node, source.of(prefix), cause, why, 1.0)


def _prefixes(node: ast.expr) -> Iterator[ast.expr]:
    """The beginnings of a product: of a * b * c, a * b and a."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        node = node.left
        yield node


def _slopes(value: str, scope: Scope) -> Iterator[tuple[str, float]]:
    """The derivatives of the known activations, and of the program's own, from a value."""
    for function in scope.functions:
        is_derivative = _DERIVATIVE.search(function)
        yield f"{function}({value})", 1.0 if is_derivative else 1.6
        if not is_derivative:
            yield f"{function}({value}) * (1 - {function}({value}))", 1.8
    yield f"{value} * (1 - {value})", 1.1
    yield f"(1 - {value} ** 2)", 1.1
    yield f"({value} > 0)", 1.2
    for slope in scope.slopes:
        yield f"np.where({value} > 0, 1, {slope})", 1.2
    yield f"(1 - np.tanh({value}) ** 2)", 1.5
    yield f"np.cos({value})", 1.7
    yield f"np.exp(-{value}) / (1 + np.exp(-{value})) ** 2", 1.8


def _other_derivatives(source: Source, value: ast.expr, scope: Scope) -> Iterator[_Change]:
    """What a function that returns a derivative may be meant to return."""
    for i, argument in enumerate(scope.activations):
        why = "this is not the derivative of the activation, which is "
        for slope, cost in _slopes(argument, scope):
            yield _Change(value, slope, "derivative-of-another", why + slope, cost + 0.1 * i)
        for slope in (f"1 / (1 + np.exp(-{argument}))", f"({argument} > 0) * 1.0"):
            yield _Change(value, slope, "derivative-of-another", why + slope, 1.5 + 0.1 * i)


def _regularisations(source: Source, value: ast.expr, scope: Scope) -> Iterator[_Change]:
    """A term of the regularisation, at a gradient or in a loss."""
    text = source.of(value)
    rates = [n for n in scope.numbers if re.search(r"(?i)lam|reg|l2|decay|wd|alpha|beta", n)]
    for rate in rates:
        for i, value_name in enumerate(scope.values):
            cost = 1.5 + 0.01 * i
            for term in (f"{rate} * {value_name}", f"2 * {rate} * {value_name}"):
                why = f"the gradient of the regularisation, {term}, is left out"
                yield _Change(value, f"{text} + {term}", "regularisation", why, cost)
            for term in (
                f"{rate} / 2 * np.sum({value_name} ** 2)",
                f"{rate} * np.sum({value_name} ** 2)",
            ):
                why = f"the regularisation, {term}, is in the gradient and not in the loss"
                yield _Change(value, f"{text} + {term}", "regularisation", why, cost + 0.5)
