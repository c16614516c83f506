"""From polars series to columns. polars is imported where it is used."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import (
    DATES,
    NESTED,
    Column,
    NumberColumn,
    RefusedColumn,
    WordColumn,
    column_of_words,
)

if TYPE_CHECKING:
    import polars as pl

__all__ = ["column_of_series", "column_of_text", "without_panic_reports"]


@contextlib.contextmanager
def without_panic_reports() -> Generator[None]:
    """Holds back what is written to standard error, and drops it where the block raises.

    polars may panic on damaged bytes, and Rust then prints a stack trace before Python has an
    exception to catch. What is held back is written out where nothing is raised.
    """
    try:
        kept = os.dup(2)
    except OSError:  # There is no standard error to write to.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        held.seek(0)
        os.write(2, held.read())


def column_of_text(name: str, series: pl.Series) -> Column:
    """A column from a series of texts, as numbers if every text that is not empty is one."""
    import polars as pl

    for dtype in (pl.Int64, pl.Float64):
        numbers = series.cast(dtype, strict=False)
        if numbers.null_count() == series.null_count():
            return NumberColumn(name, _values(numbers), lambda: _words(name, series))
    # Spaces around a number, and cells that are empty though not null, are the exception.
    stripped = series.str.strip_chars()
    stripped = stripped.set(stripped == "", None)
    numbers = stripped.cast(pl.Float64, strict=False)
    if numbers.null_count() == stripped.null_count():
        return NumberColumn(name, _values(numbers), lambda: _words(name, stripped))
    return column_of_words(name, *_dictionary(stripped))


def column_of_series(series: pl.Series) -> Column:
    """A column from a series of any type."""
    import polars as pl

    name, dtype = series.name, series.dtype
    if dtype.is_numeric():
        # Decimals become floats; polars has no other way to NumPy for them.
        return NumberColumn(
            name, _values(series.cast(pl.Float64) if dtype.is_decimal() else series)
        )
    if dtype == pl.Null:
        return NumberColumn(name, np.full(len(series), np.nan))
    if dtype == pl.Boolean:
        codes = series.cast(pl.Int64).fill_null(-1).to_numpy()
        return WordColumn(name, codes, (False, True))
    if dtype == pl.String:
        return column_of_text(name, series)
    if isinstance(dtype, pl.Enum):
        codes = series.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        return column_of_words(name, codes, dtype.categories.to_list(), declared=True)
    if dtype == pl.Categorical:
        codes, words = _dictionary(series.cast(pl.String))
        places = {word: place for place, word in enumerate(sorted(words))}
        ranks = np.array([places[word] for word in words] + [-1], np.int64)
        return column_of_words(name, ranks[codes], list(places), declared=True)
    if dtype.is_temporal():
        return RefusedColumn(name, len(series), *DATES)
    if dtype.is_nested():
        return RefusedColumn(name, len(series), *NESTED)
    return RefusedColumn(
        name, len(series), f"values of the type {dtype}", "turn it into numbers or texts first"
    )


def _values(numbers: pl.Series) -> Any:
    """The numbers as an array; integers with nulls among them become floats with NaN."""
    values = numbers.to_numpy()
    if values.dtype.kind in "iu" and values.dtype.itemsize < 8:
        return values.astype(np.int64)
    return values if values.dtype.kind in "iu" else values.astype(np.float64, copy=False)


def _words(name: str, series: pl.Series) -> WordColumn:
    codes, words = _dictionary(series.str.strip_chars())
    return WordColumn(name, codes, tuple(words))


def _dictionary(series: pl.Series) -> tuple[NDArray[np.int64], list[str]]:
    """Codes (n,), -1 for null, and the words in the order in which they first stand."""
    import polars as pl

    words = series.drop_nulls().unique(maintain_order=True)
    codes = series.cast(pl.Enum(words)).to_physical().cast(pl.Int64).fill_null(-1)
    return codes.to_numpy(), words.to_list()
