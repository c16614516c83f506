"""The arrays that native code is given: as it needs them, or an error that says what is wrong.

Native code reads and writes as many numbers as were there when it was compiled, in row-major order,
at addresses that are multiples of their size, in the processor's order of bytes. What is only read
is copied where it is otherwise; what cannot be meant is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GraphError
from chainrule.graph import Graph, Node

__all__ = ["StepArguments", "Steps", "inputs_of", "refuse"]

Array = NDArray[Any]


def refuse(nodes: Sequence[Node], reason_for: Callable[[Node], str | None]) -> None:
    """Raise GraphError if one of the nodes cannot be compiled."""
    reason = next((each for each in map(reason_for, nodes) if each is not None), None)
    if reason is not None:
        raise GraphError(
            f"This graph cannot be compiled, because of {reason}. Run it with the interpreter."
        )


def inputs_of(graph: Graph, values: Sequence[Any]) -> list[Array]:
    """The arrays of a program's arguments."""
    if len(values) != len(graph.arguments):
        raise GraphError(
            f"The program of {graph.name} takes {len(graph.arguments)} arrays, one for each "
            f"argument node, and is given {len(values)}."
        )
    return [
        _read(value, node, node.shape) for value, node in zip(values, graph.arguments, strict=True)
    ]


def _read(value: Any, node: Node, shape: tuple[int, ...]) -> Array:
    """An array to read, of a node's dtype and a shape."""
    array = np.asarray(value)
    _check_shape(array, node, shape)
    return _converted(array, node.dtype, _name(node))


def _check_shape(array: Array, node: Node, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise GraphError(
            f"The array for {_name(node)} has shape {array.shape}; this was compiled for shape "
            f"{shape}. Compile it again for arrays of other shapes."
        )


def _converted(array: Array, dtype: np.dtype[Any], name: str) -> Array:
    """An array in row-major order, with aligned numbers of a dtype."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise GraphError(
            f"The array for {name} is of dtype {array.dtype}, which does not become {dtype} "
            f"without a loss. Convert it with astype({str(dtype)!r}) if that is meant."
        )
    return np.require(array, dtype, ["C", "ALIGNED", "ENSUREARRAY"])


def _name(node: Node) -> str:
    return f"the argument {node.name!r}" if node.name else "an argument"


@dataclass(frozen=True)
class Steps:
    """The arrays for a number of training steps, as native code needs them."""

    carried: list[Array]
    data: list[Array]
    order: NDArray[np.int64]
    rates: NDArray[np.float64]
    losses: list[Array]


class StepArguments:
    """What the training steps of a graph can be given.

    Its first ``carried`` arguments are changed in place; then come data, of which each step has so
    many ``rows``, or with ``whole`` all of them; the last one is the learning rate. Raises
    GraphError if there are no rows, or the graph's data have others.
    """

    def __init__(self, graph: Graph, carried: int, rows: int, whole: bool) -> None:
        self._carried, self._data = graph.arguments[:carried], graph.arguments[carried:-1]
        self._rows, self._whole = rows, whole
        for node in self._data:
            if rows < 1 or node.shape[:1] != (rows,):
                raise GraphError(
                    f"A step of {rows} rows was to be compiled, but {_name(node)} has shape "
                    f"{node.shape}. A step takes at least one row, and as many of every array."
                )

    @contextmanager
    def ready(
        self,
        carried: Sequence[Any],
        data: Sequence[Any],
        order: Any,
        rates: Any,
        losses: Sequence[Any],
    ) -> Generator[Steps]:
        """The arrays as native code needs them; what it changes is in those given at the end."""
        steps = _rates(rates)
        read = self._read(data)
        rows = self._order(order, len(steps), read)
        with _in_place(self._changeable(carried)) as own, _in_place(_losses(losses, steps)) as room:
            yield Steps(own, read, rows, steps, room)

    def _changeable(self, arrays: Sequence[Any]) -> list[Array]:
        if len(arrays) != len(self._carried):
            raise GraphError(
                f"A step carries {len(self._carried)} arrays and is given {len(arrays)}."
            )
        for array, node in zip(arrays, self._carried, strict=True):
            _check_changeable(array, _name(node), node.dtype)
            _check_shape(array, node, node.shape)
        return [*arrays]

    def _read(self, arrays: Sequence[Any]) -> list[Array]:
        """The data to read, as long as one another."""
        if len(arrays) != len(self._data):
            raise GraphError(
                f"A step takes {len(self._data)} arrays of data and is given {len(arrays)}."
            )
        given = [np.asarray(array) for array in arrays]
        count = self._rows
        if given and not self._whole and given[0].ndim:
            count = len(given[0])
        pairs = zip(given, self._data, strict=True)
        return [_read(array, node, (count, *node.shape[1:])) for array, node in pairs]

    def _order(self, order: Any, steps: int, data: Sequence[Array]) -> NDArray[np.int64]:
        """The rows of every step, one after the other, each of them among the data's."""
        if self._whole:
            return np.zeros(0, np.int64)
        array = np.asarray(order)
        if array.ndim != 1 or len(array) < steps * self._rows:
            raise GraphError(
                f"{steps} steps of {self._rows} rows take an order of {steps * self._rows} row "
                f"numbers; it has shape {array.shape}."
            )
        used = _converted(array[: steps * self._rows], np.dtype(np.int64), "the order of rows")
        count = len(data[0]) if data else 0
        if used.size and data and (used.min() < 0 or used.max() >= count):
            raise GraphError(
                f"The order names rows from {used.min()} to {used.max()}; the data have rows 0 to "
                f"{count - 1}."
            )
        return used


@contextmanager
def _in_place(arrays: Sequence[Array]) -> Generator[list[Array]]:
    """Arrays to change: themselves, or copies whose numbers come back at the end."""
    used = [np.require(array, requirements=["C", "ALIGNED"]) for array in arrays]
    try:
        yield used
    finally:
        for array, changed in zip(arrays, used, strict=True):
            if changed is not array:
                array[...] = changed


def _check_changeable(array: Any, name: str, dtype: np.dtype[Any]) -> None:
    found: Array = array
    if not isinstance(array, np.ndarray):
        raise GraphError(
            f"The array for {name} is changed in place, so it must be one of NumPy's; it is "
            f"{type(array).__name__}."
        )
    if found.dtype != dtype:
        other = "" if found.dtype.isnative else ", in another order of bytes"
        raise GraphError(
            f"The array for {name} is changed in place, so it must be of dtype {dtype}; it is of "
            f"{found.dtype.name}{other}."
        )
    if not found.flags.writeable:
        raise GraphError(f"The array for {name} is changed in place, but it is read-only.")


def _losses(arrays: Sequence[Any], rates: Array) -> list[Array]:
    for array in arrays:
        _check_changeable(array, "the losses", np.dtype(np.float64))
        if array.ndim != 1 or len(array) < len(rates):
            raise GraphError(
                f"{len(rates)} steps have {len(rates)} losses; the array for them has shape "
                f"{array.shape}."
            )
    return [*arrays]


def _rates(rates: Any) -> NDArray[np.float64]:
    array = np.asarray(rates)
    if array.ndim != 1:
        raise GraphError(
            f"Each step has a learning rate; the array of them has shape {array.shape}."
        )
    return _converted(array, np.dtype(np.float64), "the learning rates")
