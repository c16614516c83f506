"""What a training run records, epoch by epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]


class History:
    """Columns of numbers with one row for each epoch, counted from 0.

    ``loss`` is the loss reported: the mean over the epoch's samples, each batch before its update
    (for L-BFGS, the loss after the iteration); ``objective`` the loss minimised, where it is
    another; ``learning_rate`` the rate at the epoch's last step; ``validation_loss`` and
    ``validation_score`` belong to the parameters after the epoch.

    >>> history = History()
    >>> history.append({"loss": 0.5})
    >>> history.append({"loss": 0.25})
    >>> history["loss"]
    array([0.5 , 0.25])
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None) -> None:
        # Numbers side by side in memory: thousands of epochs are added in one go.
        self.columns: dict[str, array[float]] = {
            name: array("d", values) for name, values in (columns or {}).items()
        }

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch."""
        if row.keys() != self.columns.keys():
            self._make_room(row, 1)
        for name, value in row.items():
            self.columns[name].append(value)

    def extend(self, columns: Mapping[str, NDArray[np.float64]]) -> None:
        """Add many epochs: a column of numbers for each quantity, all of one length."""
        if columns.keys() != self.columns.keys():
            self._make_room(columns, max((len(values) for values in columns.values()), default=0))
        for name, values in columns.items():
            self.columns[name].frombytes(np.ascontiguousarray(values, np.float64).tobytes())

    def _make_room(self, names: Mapping[str, object], count: int) -> None:
        """A quantity has no value in the epochs in which it was not measured: not a number."""
        before = len(self)
        for name in names:
            self.columns.setdefault(name, _missing(before))
        for name, column in self.columns.items():
            if name not in names:
                column.extend(_missing(count))

    def copy(self) -> History:
        """A history of its own, with the same numbers."""
        return History(self.columns)

    def __len__(self) -> int:
        return max((len(column) for column in self.columns.values()), default=0)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self.columns:
            raise KeyError(f"{name!r} was not recorded; there are: {', '.join(self.columns)}.")
        return np.array(self.columns[name], dtype=np.float64)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return list(self) == list(other) and all(
            np.array_equal(self[name], other[name], equal_nan=True) for name in self
        )

    def __hash__(self) -> int:
        raise TypeError("a History changes, so it has no hash")

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def last(self) -> dict[str, float]:
        """The latest epoch's numbers."""
        return {name: column[-1] for name, column in self.columns.items() if column}

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns as plain lists."""
        return {name: list(column) for name, column in self.columns.items()}

    def __repr__(self) -> str:
        return f"<history of {len(self)} epochs: {', '.join(self.columns)}>"


def _missing(count: int) -> array[float]:
    return array("d", [float("nan")]) * count
