"""Hidden units that are all alike, so that no gradient will ever tell them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.roles import Parameter, Roles, ancestors
from chainrule.check.truncation import line_of
from chainrule.graph import Node

__all__ = ["equal_units"]

Array = NDArray[Any]


def equal_units(trace: Trace, roles: Roles) -> list[dict[str, Any]]:
    """The parameters of hidden layers whose units are alike before an iteration and after it.

    All that goes into a unit and all that comes out of it is the same as for every other.
    """
    if roles.loss is None:
        return []
    level = {
        (each.path, axis)
        for each in roles.parameters
        for axis in range(2 if each.start.ndim == 2 else 0)
        if _alike(trace, each, axis)
    }
    if not level:
        return []
    products = [_Product.of(node, roles.parameters) for node in trace.log if node in roles.forward]
    known = [each for each in products if each is not None]
    found: dict[str, dict[str, Any]] = {}
    for first in known:
        path = first.parameter.path
        if path in found or first.units < 2 or (path, first.axis) not in level:
            continue
        readers = _readers(first, known)
        if readers and all(_read_alike(trace, each, first.units, level) for each in readers):
            found[path] = {"name": path, "units": first.units, "line": line_of(first.node)}
    return list(found.values())


def _readers(first: _Product, products: list[_Product]) -> list[_Product]:
    """The products that take in what comes of one, with no other product between."""
    others = [each for each in products if each.node is not first.node]
    after = [(each, ancestors([each.other])) for each in others]
    after = [(each, below) for each, below in after if first.node in below]
    nodes = {each.node for each, _ in after}
    return [each for each, below in after if not nodes & below]


def _read_alike(trace: Trace, product: _Product, units: int, level: set[tuple[str, int]]) -> bool:
    """Whether a product takes all of so many units as one."""
    into = 1 - product.axis
    values = trace.value(product.other)
    if product.parameter.start.shape[into] != units or values.ndim == 0:
        return False
    axis = -1 if product.on_the_right or values.ndim == 1 else -2
    return _is_level(values, axis) and (product.parameter.path, into) in level


def _alike(trace: Trace, parameter: Parameter, axis: int) -> bool:
    start, end = trace.value(parameter.start), trace.value(parameter.end)
    return start.shape == end.shape and _is_level(start, axis) and _is_level(end, axis)


def _is_level(values: Array, axis: int) -> bool:
    """Whether values are the same along an axis, but for how a library may round."""
    if not np.all(np.isfinite(values)):
        return False
    largest = float(np.max(np.abs(values), initial=0.0))
    spread = np.max(values, axis=axis) - np.min(values, axis=axis)
    return bool(np.all(spread <= 1e-9 * largest))


class _Product:
    """A product of a parameter, of two axes, with something else."""

    def __init__(self, node: Node, parameter: Parameter, other: Node, *, turned: bool) -> None:
        self.node, self.parameter, self.other = node, parameter, other
        self.on_the_right = other is node.inputs[0]
        self.axis = int(self.on_the_right != turned)
        self.units = parameter.start.shape[self.axis]

    @classmethod
    def of(cls, node: Node, parameters: list[Parameter]) -> _Product | None:
        """The product that a node is, or None."""
        if node.primitive.name != "matmul":
            return None
        for operand, other in (node.inputs, node.inputs[::-1]):
            turned = operand.primitive.name == "transpose"
            inner = operand.inputs[0] if turned else operand
            for each in parameters:
                if inner is each.start and each.start.ndim == 2:
                    return cls(node, each, other, turned=turned)
        return None
