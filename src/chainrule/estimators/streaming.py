"""Training on Parquet files that are larger than memory.

The rows are read in blocks, in an order drawn anew for each epoch. A buffer of several blocks from
all over the files is shuffled, and its batches are trained on before the next buffer is read; rows
that fill no batch begin the next buffer. So at most ``buffer_size`` rows, one block and one batch
are in memory, as read and as numbers, whatever the files hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError
from chainrule.estimators.formulation import Batch
from chainrule.estimators.samples import masks_of

if TYPE_CHECKING:
    import polars

__all__ = ["ParquetRows", "StreamedOrders", "StreamedSamples"]

Array = NDArray[Any]
_BLOCKS_IN_BUFFER = 8


@dataclass
class ParquetRows:
    """The rows of a Parquet file, or of all in a folder; ``target`` names a column, or several.

    All columns are features but those of the target and of the ``weight``. Raises DataError where
    there are no such files or columns.
    """

    path: Path
    target: str | Sequence[str]
    weight: str | None

    def __post_init__(self) -> None:
        import polars

        self.files = sorted(self.path.rglob("*.parquet")) if self.path.is_dir() else [self.path]
        if not self.files or not self.files[0].is_file():
            raise DataError(
                f"There is no Parquet file at {self.path}. Name a file, or a folder with files "
                "whose names end in .parquet."
            )
        try:
            self.scans = [polars.scan_parquet(file) for file in self.files]
            schemas = [scan.collect_schema() for scan in self.scans]
            counts = [int(s.select(polars.len()).collect().item()) for s in self.scans]
        except (OSError, polars.exceptions.PolarsError) as error:
            raise DataError(f"{self.path} cannot be read as Parquet: {error}") from None
        for file, schema in zip(self.files, schemas, strict=True):
            if schema != schemas[0]:
                raise DataError(
                    f"{file} has other columns than {self.files[0]}: {', '.join(schema)}. Files of "
                    "one folder must have the same columns of the same types."
                )
        self.counts = counts
        self.n = sum(counts)
        self._check_columns(list(schemas[0]))

    def _check_columns(self, columns: list[str]) -> None:
        others = [*self.targets, *([] if self.weight is None else [self.weight])]
        for name in others:
            if name not in columns:
                raise DataError(
                    f"{self.files[0]} has no column {name!r}. Its columns are: "
                    f"{', '.join(columns)}."
                )
        self.features = [name for name in columns if name not in others]
        if not self.features or not self.n:
            raise DataError(f"{self.path} has no {'rows' if self.features else 'features'}.")

    @property
    def targets(self) -> list[str]:
        """The names of the target's columns."""
        return [self.target] if isinstance(self.target, str) else list(self.target)

    def blocks(self, rows: int) -> list[tuple[int, int]]:
        """Where each block of so many rows begins: the number of its file, and its first row."""
        return [
            (file, start)
            for file, count in enumerate(self.counts)
            for start in range(0, count, rows)
        ]

    def block(self, file: int, start: int, rows: int) -> polars.DataFrame:
        """The rows of a block."""
        return self.scans[file].slice(start, rows).collect()

    def whole(self) -> polars.DataFrame:
        """All rows."""
        import polars

        return polars.concat([scan.collect() for scan in self.scans])

    def split(self, rows: polars.DataFrame) -> tuple[polars.DataFrame, Array, Array | None]:
        """Features, targets and weights of rows that were read."""
        y = rows[self.targets].to_numpy()
        weight = None if self.weight is None else rows[self.weight].to_numpy()
        return rows[self.features], y[:, 0] if isinstance(self.target, str) else y, weight

    def classes(self) -> dict[Any, int]:
        """How often each value of the target occurs."""
        import polars

        counts = polars.concat(
            [scan.select(self.targets).group_by(self.targets).len() for scan in self.scans]
        )
        table = counts.group_by(self.targets).agg(polars.col("len").sum()).sort(self.targets)
        found = table.collect()
        return dict(zip(found[self.targets[0]].to_list(), found["len"].to_list(), strict=True))


class StreamedOrders:
    """In place of the orders of samples in memory: the order is that of `StreamedSamples`."""

    def draw(self, epochs: int) -> NDArray[np.int64]:
        """No rows by number."""
        return np.zeros((epochs, 0), np.int64)

    def keep(self, epochs: int) -> None:
        """Nothing was drawn ahead."""

    def finish(self) -> None:
        """Nothing is to be put back."""


class StreamedSamples:
    """The samples of a run as `Samples` gives them, read from files as they are needed.

    ``prepare`` makes checked and encoded arrays of rows that were read.
    """

    gathers, whole = True, False

    def __init__(
        self,
        rows: ParquetRows,
        prepare: Callable[[polars.DataFrame], Batch],
        size: int,
        buffer_size: int,
        rng: np.random.RandomState,
        *,
        shuffle: bool,
        dropout: Sequence[float],
        widths: Sequence[int],
        drops: np.random.Generator | None,
    ) -> None:
        self.n, self.size, self.steps = rows.n, size, -(-rows.n // size)
        self.even = rows.n % size == 0
        self._rows, self._prepare, self._rng, self._shuffle = rows, prepare, rng, shuffle
        self._block = max(1, buffer_size // _BLOCKS_IN_BUFFER)
        self._dropout, self._widths, self._drops = dropout, widths, drops
        self._rest: Batch | None = None

    def padded(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """No rows by number."""
        return orders.reshape(-1)

    def check_weights(self, orders: NDArray[np.int64]) -> None:
        """Weights are checked as they are read."""

    def parts(
        self, order: NDArray[np.int64], rows: int
    ) -> Iterator[tuple[slice, Batch, NDArray[np.int64]]]:
        """The batches of one epoch in turn; then, asked for fewer rows, the last one."""
        if rows != self.size:
            assert self._rest is not None
            yield slice(0, 1), self._masked(self._rest), np.arange(rows)
            return
        done, self._rest = 0, None
        for buffer in self._buffers():
            joined = buffer if self._rest is None else _joined(self._rest, buffer)
            count = len(joined.X) // rows
            self._rest = _rows(joined, slice(count * rows, None))
            if count:
                used = self._masked(_rows(joined, slice(0, count * rows)))
                yield slice(done, done + count), used, np.arange(count * rows)
                done += count

    def _buffers(self) -> Iterator[Batch]:
        """Shuffled rows, some blocks at a time."""
        import polars

        blocks = self._rows.blocks(self._block)
        if self._shuffle:
            self._rng.shuffle(blocks)
        for start in range(0, len(blocks), _BLOCKS_IN_BUFFER):
            chosen = blocks[start : start + _BLOCKS_IN_BUFFER]
            read = polars.concat([self._rows.block(*place, self._block) for place in chosen])
            buffer = self._prepare(read)
            if buffer.weight is not None and not np.all(buffer.weight > 0):
                raise ValueError(
                    f"The weights in {self._rows.weight!r} of {self._rows.path} must be above 0 "
                    "where files are streamed. Leave out the rows without weight."
                )
            if self._shuffle:
                buffer = _rows(buffer, self._rng.permutation(len(buffer.X)))
            yield buffer

    def _masked(self, batch: Batch) -> Batch:
        if self._drops is None:
            return batch
        masks = masks_of(self._drops, len(batch.X), self._dropout, self._widths, batch.y.dtype)
        return batch._replace(masks=masks)


def _rows(batch: Batch, chosen: Any) -> Batch:
    weight = None if batch.weight is None else batch.weight[chosen]
    return Batch(
        np.ascontiguousarray(batch.X[chosen]), np.ascontiguousarray(batch.y[chosen]), weight
    )


def _joined(first: Batch, second: Batch) -> Batch:
    weight = None
    if first.weight is not None and second.weight is not None:
        weight = np.concatenate([first.weight, second.weight])
    return Batch(np.concatenate([first.X, second.X]), np.concatenate([first.y, second.y]), weight)
