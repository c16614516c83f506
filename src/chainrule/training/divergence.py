"""Where a value first stopped being finite, and what to try."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DivergedError
from chainrule.graph import Graph, Node
from chainrule.interpreter import evaluate_nodes
from chainrule.notation import expression

__all__ = ["diverged", "first_non_finite"]


def first_non_finite(graph: Graph, arrays: list[Any]) -> Node | None:
    """The first node whose value is not finite, in the order of computing; None if all are."""
    order = graph.nodes()
    with np.errstate(all="ignore"):
        values = evaluate_nodes(order, dict(zip(graph.arguments, arrays, strict=True)))
    for node, value in zip(order, values, strict=True):
        if np.asarray(value).dtype.kind == "f" and not np.isfinite(value).all():
            return node
    return None


def _user_of(graph: Graph, node: Node) -> Node:
    """The nearest named node that a node goes into; itself if there is none."""
    users: dict[Node, list[Node]] = {}
    for each in graph.nodes():
        for operand in each.inputs:
            users.setdefault(operand, []).append(each)
    reached = [node]
    for current in reached:
        if current.name:
            return current
        reached.extend(user for user in users.get(current, []) if user not in reached)
    return node


def diverged(
    graph: Graph, arrays: list[NDArray[Any]], epoch: int, learning_rate: float
) -> DivergedError:
    """The error for a step whose loss or parameters are no longer finite."""
    node = first_non_finite(graph, arrays)
    advice = (
        f"Try a smaller learning rate ({learning_rate / 10:g} instead of {learning_rate:g}), clip "
        "the gradients (clip_norm=1), or standardise the inputs."
    )
    if node is None:
        return DivergedError(f"The loss is no longer finite at epoch {epoch}. {advice}")
    named = _user_of(graph, node)
    what = _words(named, node)
    place = named.source or node.source
    where = f" ({place.describe()})" if place and place.frames else ""
    return DivergedError(
        f"A value is no longer finite at epoch {epoch}: it first happened in {what}{where}. "
        f"{advice}"
    )


def _words(named: Node, node: Node) -> str:
    """The value in words: its name and layer, and what was being computed."""
    if node.primitive.name == "argument":
        return f"{node.name}, which is an input of the step"
    formula = str(expression(node))
    if not named.name:
        return f"{formula}"
    layer = re.fullmatch(r"[A-Za-z]+(\d+)", named.name)
    of_layer = f" of layer {layer[1]}" if layer else ""
    return f"{named.name}{of_layer}, computing {formula}"
