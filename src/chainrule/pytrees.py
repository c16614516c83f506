"""Nested containers of arrays: dicts, lists, tuples, named tuples and dataclasses.

A *pytree* is a container whose leaves are arrays, numbers or anything that is not a container.
`flatten` takes it apart, `Structure.unflatten` puts it together again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Structure", "flatten", "map_leaves"]


@dataclass(frozen=True)
class Structure:
    """The shape of a pytree without its leaves.

    ``kind`` is the container's type, or None for a leaf; ``keys`` its dict keys or field names;
    ``children`` the structures below. ``None`` values are empty containers of kind NoneType.
    """

    kind: Any
    keys: tuple[Any, ...]
    children: tuple[Structure, ...]

    @property
    def leaf_count(self) -> int:
        """How many leaves a pytree of this structure has."""
        if self.kind is None:
            return 1
        return sum(child.leaf_count for child in self.children)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The pytree of this structure with the given leaves, in order.

        >>> leaves, structure = flatten({"W": 1, "b": [2, 3]})
        >>> structure.unflatten(10 * leaf for leaf in leaves)
        {'W': 10, 'b': [20, 30]}
        """
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        values = [child._build(leaves) for child in self.children]
        make = cast("Callable[..., Any]", self.kind)
        if self.kind is type(None):
            return None
        if issubclass(self.kind, dict):
            return make(zip(self.keys, values, strict=True))
        if dataclasses.is_dataclass(self.kind):
            return make(**dict(zip(self.keys, values, strict=True)))
        if hasattr(self.kind, "_fields"):
            return make(*values)
        return make(values)

    def paths(self, prefix: str = "") -> list[str]:
        """Where each leaf stands, as Python would write it: ``['W1']``, ``[0].bias``.

        >>> flatten({"W": 1, "b": [2, 3]})[1].paths("parameters")
        ["parameters['W']", "parameters['b'][0]", "parameters['b'][1]"]
        """
        if self.kind is None:
            return [prefix]
        fields = dataclasses.is_dataclass(self.kind) or hasattr(self.kind, "_fields")
        return [
            path
            for key, child in zip(self.keys, self.children, strict=True)
            for path in child.paths(f"{prefix}.{key}" if fields else f"{prefix}[{key!r}]")
        ]


_LEAF = Structure(None, (), ())


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a pytree in order, and its structure. Dicts keep their own order.

    >>> flatten((1, {"a": 2}))[0]
    [1, 2]
    """
    leaves: list[Any] = []
    return leaves, _take_apart(tree, leaves)


def _take_apart(tree: Any, leaves: list[Any]) -> Structure:
    kind: Any = cast(Any, type(tree))
    if tree is None:
        return Structure(kind, (), ())
    if isinstance(tree, dict):
        items: list[tuple[Any, Any]] = list(cast("dict[Any, Any]", tree).items())
    elif isinstance(tree, tuple) and hasattr(kind, "_fields"):
        items = list(zip(kind._fields, cast("tuple[Any, ...]", tree), strict=True))
    elif isinstance(tree, list | tuple) and kind in (list, tuple):
        items = list(enumerate(cast("list[Any]", tree)))
    elif dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        items = [(name, getattr(cast(Any, tree), name)) for name in names]
    else:
        leaves.append(tree)
        return _LEAF
    children = tuple(_take_apart(value, leaves) for _, value in items)
    return Structure(kind, tuple(key for key, _ in items), children)


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The pytree of ``function`` applied to each leaf, and to the leaves of ``others`` beside it.

    >>> map_leaves(lambda w, g: w - 0.5 * g, {"W": 1.0, "b": 2.0}, {"W": 2.0, "b": 2.0})
    {'W': 0.0, 'b': 1.0}

    Raises ValueError where another tree has another structure.
    """
    leaves, structure = flatten(tree)
    columns = [leaves]
    for other in others:
        other_leaves, other_structure = flatten(other)
        if other_structure != structure:
            raise ValueError(
                f"The trees differ in structure: {structure.paths()} and {other_structure.paths()}."
            )
        columns.append(other_leaves)
    return structure.unflatten(function(*row) for row in zip(*columns, strict=True))
