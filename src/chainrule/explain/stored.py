"""A traced step as plain data: JSON and arrays, which another process can read and nothing runs."""

# What JSON holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GradientError
from chainrule.explain.tracing import Traced
from chainrule.graph import Node, argument, constant, registry, topological_order

__all__ = ["restored", "stored"]

Array = NDArray[Any]


def stored(traced: Traced) -> bytes:
    """A step as the bytes of a NumPy archive of arrays and one text.

    Raises GradientError where it holds something that is neither numbers nor text.
    """
    groups = (traced.arguments, traced.forward, traced.gradients, traced.updates)
    order = topological_order([node for group in groups for node in group.values()])
    place = {node: i for i, node in enumerate(order)}
    arrays: list[Array] = []
    nodes = [
        {
            "primitive": node.primitive.name,
            "inputs": [place[operand] for operand in node.inputs],
            "attributes": _plain(node.attributes, arrays),
            "shape": list(node.shape),
            "dtype": node.dtype.str,
            "name": node.name or "",
        }
        for node in order
    ]
    data = {
        "nodes": nodes,
        "groups": [{name: place[node] for name, node in group.items()} for group in groups],
        "loss": traced.loss,
        "values": {place[n]: _plain(np.asarray(v), arrays) for n, v in traced.values.items()},
        "lines": {place[n]: text for n, text in traced.lines.items() if n in place},
        "notes": list(traced.notes),
    }
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(data).encode(), np.uint8)
    named = {f"array{i}": array for i, array in enumerate(arrays)}
    np.savez(file, allow_pickle=False, text=text, **named)
    return file.getvalue()


def restored(data: bytes) -> Traced:
    """The step that `stored` wrote down."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        read: dict[str, Any] = json.loads(archive["text"].tobytes())
        arrays = [archive[f"array{i}"] for i in range(len(archive.files) - 1)]
    nodes: list[Node] = []
    for each in read["nodes"]:
        nodes.append(_node(each, nodes, arrays))
    groups: list[dict[str, Node]] = [
        {name: nodes[i] for name, i in group.items()} for group in read["groups"]
    ]
    arguments, forward, gradients, updates = groups
    values = {nodes[int(i)]: _restored(v, arrays) for i, v in read["values"].items()}
    lines = {nodes[int(i)]: text for i, text in read["lines"].items()}
    return Traced(
        arguments, values, forward, read["loss"], gradients, updates, lines, tuple(read["notes"])
    )


def _node(read: dict[str, Any], nodes: list[Node], arrays: list[Array]) -> Node:
    attributes = _restored(read["attributes"], arrays)
    name, kind, dtype = read["name"], read["primitive"], np.dtype(read["dtype"])
    if kind == "argument":
        return argument(name, read["shape"], dtype)
    if kind == "constant":
        return constant(attributes["value"], dtype, name)
    inputs = tuple(nodes[i] for i in read["inputs"])
    return Node(registry[kind], inputs, attributes, tuple(read["shape"]), dtype, name=name)


def _plain(value: Any, arrays: list[Array]) -> Any:
    """A value as JSON has it; what JSON has no kind for is an object of one key, its kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if value is Ellipsis:
        return {"ellipsis": None}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise GradientError(f"An array of {array.dtype} is neither numbers nor truth values.")
        arrays.append(array)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: len(arrays) - 1}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, tuple | list):
        parts: list[Any] = [_plain(part, arrays) for part in value]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if isinstance(value, dict):
        return {"dict": {str(k): _plain(v, arrays) for k, v in value.items()}}
    raise GradientError(f"A step with a {type(value).__name__} in it cannot be written down.")


def _restored(value: Any, arrays: list[Array]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    return _KINDS[kind](inner, arrays)


_KINDS: dict[str, Callable[[Any, list[Array]], Any]] = {
    "ellipsis": lambda inner, arrays: Ellipsis,
    "array": lambda inner, arrays: arrays[inner],
    "scalar": lambda inner, arrays: arrays[inner][()],
    "dtype": lambda inner, arrays: np.dtype(inner),
    "slice": lambda inner, arrays: slice(*inner),
    "tuple": lambda inner, arrays: tuple(_restored(part, arrays) for part in inner),
    "list": lambda inner, arrays: [_restored(part, arrays) for part in inner],
    "dict": lambda inner, arrays: {name: _restored(each, arrays) for name, each in inner.items()},
}
