"""A graph in terms of fewer primitives, before it is compiled.

The normalisers become the largest element, exponentials, sums and quotients, by the formulas that
they are computed with (`chainrule.primitives.normalisers`). An Einstein summation becomes products
of matrices, elementwise products and sums. Reduced axes that are apart are brought together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod as product
from typing import Any

from chainrule.graph import Node, Primitive, topological_order
from chainrule.primitives import (
    broadcast_to,
    divide,
    exp,
    isfinite,
    largest,
    log,
    matmul,
    multiply,
    prod,
    reshape,
    smallest,
    subtract,
    total,
    transpose,
    where,
    zeros_like,
)
from chainrule.primitives.reductions import reduced_shape, spread
from chainrule.simplification import simplify

__all__ = ["lowered"]

Axes = tuple[int, ...]


def lowered(outputs: Sequence[Node]) -> list[Node]:
    """The outputs as expressions of fewer primitives.

    >>> from chainrule.graph import argument
    >>> from chainrule.primitives import softmax
    >>> y = softmax(argument("x", (3,), "float64"), axis=(0,))
    >>> [node.primitive.name for node in topological_order(lowered([y]))]
    ['argument', 'max', 'broadcast_to', 'subtract', 'exp', 'sum', 'broadcast_to', 'divide']
    """
    made: dict[Node, Node] = {}
    for node in topological_order(outputs):
        operands = tuple(made[operand] for operand in node.inputs)
        rule = _RULES.get(node.primitive.name)
        if rule is None:
            made[node] = node.with_inputs(operands)
        else:
            made[node] = rule(*operands, **node.attributes)
            made[node].source = node.source
    return simplify([made[output] for output in outputs])


def _reduction(primitive: Primitive) -> Callable[..., Node]:
    """The rule of a reduction over axes."""

    def rule(x: Node, *, axis: Axes, keepdims: bool) -> Node:
        long = [i for i, size in enumerate(x.shape) if size > 1]
        reduced = [place for place, i in enumerate(long) if i in axis]
        if not reduced or reduced[-1] - reduced[0] + 1 == len(reduced):
            return primitive(x, axis=axis, keepdims=keepdims)
        kept = tuple(i for i in range(x.ndim) if i not in axis)
        moved = transpose(x, axes=(*kept, *axis))
        shape = tuple(x.shape[i] for i in kept)
        lines = reshape(moved, shape=(*shape, x.size // product(shape)))
        result = primitive(lines, axis=(len(kept),), keepdims=False)
        return reshape(result, shape=reduced_shape(x.shape, axis, keepdims))

    return rule


_sum = _reduction(total)
_max = _reduction(largest)


def _finite_top(x: Node, axis: Axes) -> Node:
    top = _max(x, axis=axis, keepdims=True)
    return where(isfinite(top), top, zeros_like(top))


def _logsumexp(x: Node, *, axis: Axes, keepdims: bool) -> Node:
    top = _finite_top(x, axis)
    powers = exp(subtract(x, _along(top, x)))
    result = log(_sum(powers, axis=axis, keepdims=True)) + top
    shape = tuple(size for i, size in enumerate(x.shape) if i not in axis)
    return result if keepdims else reshape(result, shape=shape)


def _softmax(x: Node, *, axis: Axes) -> Node:
    powers = exp(subtract(x, _along(_max(x, axis=axis, keepdims=True), x)))
    return divide(powers, spread(_sum(powers, axis=axis, keepdims=True), x, axis))


def _log_softmax(x: Node, *, axis: Axes) -> Node:
    shifted = subtract(x, _along(_finite_top(x, axis), x))
    return subtract(shifted, _along(log(_sum(exp(shifted), axis=axis, keepdims=True)), x))


def _along(value: Node, x: Node) -> Node:
    return value if value.shape == x.shape else broadcast_to(value, shape=x.shape)


# Einstein summation: two operands at a time.


def _einsum(*operands: Node, subscripts: str) -> Node:
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    letters, value = terms[0], operands[0]
    for i, other in enumerate(operands[1:], 1):
        needed = set(output).union(*terms[i + 1 :])
        letters, value = _pair(letters, value, terms[i], other, needed)
    letters, value = _summed(letters, value, set(output))
    return _arranged(letters, value, output)


def _pair(left: str, a: Node, right: str, b: Node, needed: set[str]) -> tuple[str, Node]:
    """The product of two operands, summed over the letters that nothing else needs."""
    left, a = _summed(left, a, needed | set(right))
    right, b = _summed(right, b, needed | set(left))
    both = [letter for letter in left if letter in right]
    inner = "".join(letter for letter in both if letter not in needed)
    stack = "".join(letter for letter in both if letter in needed)
    rows = "".join(letter for letter in left if letter not in right)
    columns = "".join(letter for letter in right if letter not in left)
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    if not inner:
        whole = stack + rows + columns
        shape = tuple(sizes[letter] for letter in whole)
        factors = (_spread(left, a, whole, shape), _spread(right, b, whole, shape))
        return whole, multiply(*factors)

    def size(part: str) -> int:
        return product(sizes[letter] for letter in part)

    first = _arranged(left, a, stack + rows + inner)
    second = _arranged(right, b, stack + inner + columns)
    lead = (size(stack),) if stack else ()
    result = matmul(
        reshape(first, shape=(*lead, size(rows), size(inner))),
        reshape(second, shape=(*lead, size(inner), size(columns))),
    )
    whole = stack + rows + columns
    return whole, reshape(result, shape=tuple(sizes[letter] for letter in whole))


def _summed(letters: str, value: Node, needed: set[str]) -> tuple[str, Node]:
    axis = tuple(i for i, letter in enumerate(letters) if letter not in needed)
    if not axis:
        return letters, value
    kept = "".join(letter for letter in letters if letter in needed)
    return kept, _sum(value, axis=axis, keepdims=False)


def _arranged(letters: str, value: Node, wanted: str) -> Node:
    if letters == wanted:
        return value
    return transpose(value, axes=tuple(letters.index(letter) for letter in wanted))


def _spread(letters: str, value: Node, wanted: str, shape: tuple[int, ...]) -> Node:
    """A value with an axis for every letter wanted."""
    value = _arranged(letters, value, "".join(letter for letter in wanted if letter in letters))
    kept = tuple(
        size if letter in letters else 1 for letter, size in zip(wanted, shape, strict=True)
    )
    value = value if value.shape == kept else reshape(value, shape=kept)
    return value if kept == shape else broadcast_to(value, shape=shape)


_RULES: dict[str, Callable[..., Any]] = {
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "einsum": _einsum,
    "sum": _sum,
    "max": _max,
    "min": _reduction(smallest),
    "prod": _reduction(prod),
}
