"""Updates that are no gradient of the loss on purpose, as far as one can tell: no mistake then."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.case import Case
from chainrule.check.multiples import is_same, multiple, tolerance_of
from chainrule.check.roles import ancestors, candidates_in, changed_in, is_step
from chainrule.check.verdicts import ADDED, FED_BACK
from chainrule.graph import Node

__all__ = ["purpose"]

Array = NDArray[Any]
_PRODUCTS = ("matmul", "einsum")


def purpose(case: Case) -> str | None:
    """Why wrong updates may be meant as they are, as the rest of a sentence; None if none is."""
    return _fed_back(case) or _of_a_second(case)


def _fed_back(case: Case) -> str | None:
    """Errors that go back through weights of their own: feedback alignment, target propagation.

    Such weights stay as they are or learn by themselves. A copy of weights that is out of date does
    neither, and a hidden value that is has the shape of one of this iteration.
    """
    trace, forward = case.trace, case.roles.forward
    starts = {each.start for each in case.roles.parameters}
    moving = trace.after(starts)
    own = {
        node
        for path, node in trace.start.items()
        if node.ndim > 1 and node.size > 1 and node not in forward and _stays(case, path, node)
    }
    hidden = {frozenset(each.shape) for each in forward & moving if _leaf(each) not in starts}
    own = {each for each in own if frozenset(each.shape) not in hidden} - _data(case, own)
    # What another loss of the iteration is computed with is a parameter of it.
    own -= ancestors(candidates_in(trace, changed_in(trace)))
    fed = trace.after(own)
    products: dict[Node, Node] = {}
    for node in trace.log:
        back = node in moving and node not in forward and node.primitive.name in _PRODUCTS
        weights = [leaf for leaf in map(_leaf, node.inputs) if leaf in own] if back else []
        if weights and any(each in moving and each not in fed for each in node.inputs):
            products[node] = weights[0]
    ends = ancestors([each.end for each in case.wrong])
    if ends.isdisjoint(products):
        return None
    name = next(iter(products.values())).name or "an array"
    return (
        f"{FED_BACK} {name}, which {case.roles.name or 'the loss'} is not computed"
        " with, as in feedback alignment"
    )


def _data(case: Case, arrays: set[Node]) -> set[Node]:
    """The arrays among these, or parts of which, that parameters are multiplied with."""
    found = set[Node]()
    for node in case.trace.log:
        if node.primitive.name in _PRODUCTS:
            leaves = [_leaf(each) for each in node.inputs]
            if any(leaf is each.parameter.start for leaf in leaves for each in case.updates):
                found |= arrays & set(leaves)
    return found


def _stays(case: Case, path: str, node: Node) -> bool:
    end = case.trace.end.get(path)
    return end is None or end is node or is_step(node, end)


def _leaf(node: Node) -> Node:
    """What a value is a part, a copy or the transpose of."""
    while node.primitive.name in ("transpose", "getitem", "reshape", "cast"):
        node = node.inputs[0]
    return node


def _of_a_second(case: Case) -> str | None:
    """Gradients that something is added to on the way back, as by a penalty on hidden values.

    Without what is added all updates are right, so a second loss is likely that is not shown.
    """
    if any(each.penalised for each in case.updates) or not case.right:
        return None
    trace, forward = case.trace, case.roles.forward
    ends = {each.parameter.end for each in case.updates}
    below = ancestors([each.end for each in case.wrong]) - forward - ends
    moving = trace.after({each.start for each in case.roles.parameters})
    own = {each.parameter.start: each.exact for each in case.updates}
    without: dict[Node, Array] = {}
    for node in trace.log:
        if node not in below or node.primitive.name not in ("add", "subtract") or node.size < 2:
            continue
        a, b = node.inputs
        if a.shape != node.shape or b not in moving or not np.any(trace.value(b)):
            continue
        if _is_gradient(case, node, own) or not _is_gradient(case, a, own):
            continue
        without[node] = trace.value(a)
    if not without or not case.explains(set(without)) or not case.is_right_if(without):
        return None
    name = next((f" in {node.name}" for node in without if node.name), "")
    loss = case.roles.name or "the loss"
    return f"{ADDED}{name} is none of {loss}, as that of a second loss"


def _is_gradient(case: Case, node: Node, own: dict[Node, Array]) -> bool:
    """Whether a value is the exact gradient of a hidden value, up to the factor of all."""
    value = case.trace.value(node)
    return any(
        gradient.shape == value.shape
        and is_same(multiple(value, gradient, tolerance_of(node)), case.factor)
        for of, gradient in case.gradients
        if of not in own
    )
