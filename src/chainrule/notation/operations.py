"""One application of a primitive as a formula of its operands, by the primitive's template."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import lru_cache

from chainrule.graph import Node, Primitive
from chainrule.notation.formulas import Axes, Formula, Shape, Slice, Subscripts, Symbol
from chainrule.notation.templates import fill, parse
from chainrule.notation.values import scalar_formula

__all__ = ["operands_of", "operation"]


@lru_cache(maxsize=512)
def operands_of(primitive: Primitive) -> tuple[str, ...]:
    """The names of a primitive's inputs; a star before one that stands for any number."""
    kinds = inspect.Parameter
    return tuple(
        f"*{name}" if parameter.kind == kinds.VAR_POSITIONAL else name
        for name, parameter in inspect.signature(primitive.value).parameters.items()
        if parameter.kind != kinds.KEYWORD_ONLY
    )


def _template(node: Node) -> str:
    """The template that a node is shown by: its primitive's, but for what has its own notation.

    A product of a value with itself is its square, a transposition that is not of the last two
    axes shows its axes, a reshape that only adds axes of length 1 is an index with None as in
    NumPy, and a truth value used as a number is Iverson's bracket.
    """
    name = node.primitive.name
    if name == "multiply" and node.inputs[0] is node.inputs[1]:
        return "{x}²"
    if name == "transpose":
        axes = node.attributes["axes"]
        whole = tuple(range(node.ndim))
        matrix = node.ndim > 1 and axes == (*whole[:-2], whole[-1], whole[-2])
        return node.primitive.show if matrix else "transpose({x}, {axes})"
    if name == "reshape":
        return _reshape_template(node)
    if name == "cast" and node.inputs[0].dtype == bool:
        return "[{x}]"
    return node.primitive.show


def _reshape_template(node: Node) -> str:
    old, new = node.inputs[0].shape, node.shape
    if 1 not in old and tuple(size for size in new if size != 1) == old:
        return "{x}[{index}]"
    if 1 not in new and tuple(size for size in old if size != 1) == new:
        return "squeeze({x})"
    return node.primitive.show


def operation(node: Node, operands: Sequence[Formula]) -> Formula:
    """The formula of a node, given those of its inputs."""
    places: dict[str, Formula] = {"x": operands[0]}
    lists: dict[str, tuple[Formula, ...]] = {}
    arrays: tuple[Formula, ...] = ()
    for position, name in enumerate(operands_of(node.primitive)):
        if name[0] == "*":
            arrays = tuple(operands[position:])
        else:
            places[name] = operands[position]
    lists["operands"] = tuple(operands)
    attributes = node.attributes
    if "axis" in attributes:
        lists["axis"] = _axes(node)
    if "axes" in attributes:
        places["axes"] = Axes(tuple(attributes["axes"]), "axes")
    if "shape" in attributes:
        places["shape"] = Shape(tuple(attributes["shape"]))
        lists["index"] = tuple(Symbol("None") if n == 1 else Slice() for n in node.shape)
    if "subscripts" in attributes:
        places["subscripts"] = Subscripts(attributes["subscripts"])
    if "template" in attributes:
        lists["index"] = tuple(_index(attributes["template"], arrays))
    words = {"dtype": str(attributes["dtype"])} if "dtype" in attributes else {}
    return fill(parse(_template(node)), places, lists, words)


def _axes(node: Node) -> tuple[Formula, ...]:
    """The axes that a node works along, or nothing where that is every axis."""
    axis = node.attributes["axis"]
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if len(axes) == node.inputs[0].ndim and (axes or node.primitive.kind == "reduction"):
        return ()
    return (Axes(axes),)


def _index(template: Sequence[tuple[object, ...]], arrays: Sequence[Formula]) -> Iterator[Formula]:
    remaining = iter(arrays)
    for kind, *details in template:
        if kind == "slice":
            start, stop, step = (int(d) if isinstance(d, int) else None for d in details)
            yield Slice(start, stop, step)
        elif kind == "integer":
            yield scalar_formula(details[0])
        elif kind == "newaxis":
            yield Symbol("None")
        else:
            yield next(remaining)
