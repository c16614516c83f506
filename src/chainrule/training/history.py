"""What a training run records, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]


class History:
    """Columns of numbers with one row for each epoch, counted from 0.

    ``loss`` is the loss reported, over the epoch's batches, each before its update; ``objective``
    the loss minimised, where it is another; ``learning_rate`` the rate at the epoch's last step;
    ``validation_loss`` and ``validation_score`` belong to the parameters after the epoch.

    >>> history = History()
    >>> history.append({"loss": 0.5})
    >>> history.append({"loss": 0.25})
    >>> history["loss"]
    array([0.5 , 0.25])
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None) -> None:
        self.columns: dict[str, list[float]] = {
            name: list(values) for name, values in (columns or {}).items()
        }

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch."""
        before = len(self)
        for name, value in row.items():
            column = self.columns.get(name)
            if column is None:
                # A quantity that appears later has no value in the epochs before.
                column = self.columns[name] = [float("nan")] * before
            column.append(value)

    def extend(self, columns: Mapping[str, NDArray[np.float64]]) -> None:
        """Add many epochs: a column of numbers for each quantity, all of one length."""
        before = len(self)
        for name, values in columns.items():
            column = self.columns.setdefault(name, [float("nan")] * before)
            column.extend(values.tolist())

    def __len__(self) -> int:
        return max((len(column) for column in self.columns.values()), default=0)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return np.array(self.columns[name], dtype=np.float64)

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
