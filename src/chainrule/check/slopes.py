"""The derivative of an activation in a backward pass: left out, once too often, or another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from chainrule.check.edits import Change, Scope, Source
from chainrule.check.products import sides

__all__ = ["derivatives", "dropped_factor", "other_derivatives"]

_SLOPE = re.compile(r"1(\.0*)? *-|\*\* *2|[<>]=? *0|(?i:deriv|prime|grad|slope|dsig|dtan|drelu|d_)")
_DERIVATIVE = re.compile(r"(?i)deriv|prime|slope|grad|dsig|dtan|drelu|back|^d|_d\b|\.d")


def dropped_factor(text: str, what: str) -> tuple[str, str]:
    """Cause and reason where a factor, or a power, is there and should not be."""
    if _SLOPE.search(text) or what == "power":
        return "derivative-twice", f"{text} is there once too often"
    return "factor", f"the factor {text} is one too many"


def _places(value: ast.expr) -> list[ast.expr]:
    """Where a derivative may have been left out: the whole, and each factor of a product in it."""
    found = [value]
    for node in ast.walk(value):
        both = sides(node) if isinstance(node, ast.expr) else None
        if both is not None:
            found += [each for each in both if not isinstance(each, ast.Constant)]
    return list(dict.fromkeys(found))


def derivatives(source: Source, value: ast.expr, scope: Scope) -> Iterator[Change]:
    """The derivative of an activation where there is none, or in the place of what is there."""
    for node in _places(value):
        yield from _at(source, node, scope)


def _at(source: Source, node: ast.expr, scope: Scope) -> Iterator[Change]:
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
            yield Change(node, product, "derivative-missing", why, cost)
            for prefix in _prefixes(node):
                dropped = source.of(node)[len(source.of(prefix)) :].lstrip(") *")
                if _SLOPE.search(dropped):
                    why = f"the derivative of the activation is {slope}, not {dropped}"
                    yield Change(node, f"{source.factor(prefix)} * {slope}",
                                  "derivative-of-another", why, cost + 0.1)  # fmt: skip
    for prefix in _prefixes(node):
        dropped = source.of(node)[len(source.of(prefix)) :].lstrip(") *")
        cause, why = dropped_factor(dropped, "factor")
        yield Change(node, source.of(prefix), cause, why, 1.0)


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


def other_derivatives(source: Source, value: ast.expr, scope: Scope) -> Iterator[Change]:
    """What a function that returns a derivative may be meant to return."""
    for i, argument in enumerate(scope.activations):
        why = "this is not the derivative of the activation, which is "
        for slope, cost in _slopes(argument, scope):
            yield Change(value, slope, "derivative-of-another", why + slope, cost + 0.1 * i)
        for slope in (f"1 / (1 + np.exp(-{argument}))", f"({argument} > 0) * 1.0"):
            yield Change(value, slope, "derivative-of-another", why + slope, 1.5 + 0.1 * i)
