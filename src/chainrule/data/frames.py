"""Tables from what a program already holds: arrays, mappings, pandas and polars data frames.

A data frame is told by the module of its type, so that neither library is imported for it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

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
from chainrule.data.polarsframes import column_of_series
from chainrule.data.tables import Table, make_table
from chainrule.data.wording import shown
from chainrule.errors import DataError

__all__ = ["column_of_array", "columns_of_matrix", "read_memory", "table_of_pair"]

_WHAT = (
    "a path, a 2-D NumPy array, a pair (X, y), a mapping of names to columns, or a pandas or "
    "polars data frame"
)


def read_memory(source: Any) -> Table:
    """A table from an array, a pair (X, y), a mapping or a data frame."""
    if isinstance(source, tuple):
        pair = cast("tuple[Any, ...]", source)
        if len(pair) != 2:
            raise DataError(f"A tuple of {len(pair)} is no table: give a pair (X, y).")
        return table_of_pair("the table", pair[0], pair[1], in_memory=True)
    columns = _columns(source)
    rows = len(columns[0]) if columns else 0
    if columns and rows == 0:
        raise DataError("The table has columns and no rows: add rows of values.")
    return make_table("the table", columns, rows, in_memory=True)


def table_of_pair(name: str, X: Any, y: Any, **more: Any) -> Table:
    """The table of a pair: the columns of X (n, features), and y (n,) or (n, 1) as the target."""
    title = name[:1].upper() + name[1:]
    columns = _columns(X, name)
    rows = len(columns[0]) if columns else 0
    if rows == 0:
        raise DataError(f"{title} has an X with no rows: add rows of values.")
    if y is None:
        return make_table(name, columns, rows, **more)
    target = _target(title, y, {column.name for column in columns})
    if len(target) != rows:
        raise DataError(
            f"{title} has {rows:,} rows in X and {len(target):,} values in y: give one value "
            "for each row."
        )
    return make_table(name, [*columns, target], rows, target=target.name, **more)


def _target(title: str, y: Any, taken: set[str]) -> Column:
    library = type(y).__module__.partition(".")[0]
    if library in ("pandas", "polars") and hasattr(y, "columns"):
        columns = _columns(y)
        if len(columns) == 1:
            return columns[0]
        y = np.empty((len(y), len(columns)))
    name = "y"
    if library in ("pandas", "polars") and getattr(y, "name", None):
        name = str(y.name)
    if name in taken:
        name = next(n for n in ("y", "target", "y (target)", *map(str, range(9))) if n not in taken)
    if library == "pandas":
        return _column_of_pandas(name, y)
    if library == "polars":
        return column_of_series(y.alias(name))
    array = np.asanyarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"{title} has a y of shape {array.shape}, and a target is one column, (n,) or (n, 1): "
            "turn one-hot rows into labels with y.argmax(axis=1), or choose one column."
        )
    return column_of_array(name, array)


def _columns(source: Any, name: str = "the table") -> list[Column]:
    library = type(source).__module__.partition(".")[0]
    if library == "polars":
        if hasattr(source, "collect"):
            raise DataError("The table is a lazy polars frame: call its collect() first.")
        if hasattr(source, "get_columns"):
            return [column_of_series(series) for series in source.get_columns()]
        return [column_of_series(source)]
    if library == "pandas":
        if not hasattr(source, "columns"):
            source = source.to_frame()
        names = map(str, source.columns)
        return [_column_of_pandas(name, source.iloc[:, i]) for i, name in enumerate(names)]
    if isinstance(source, Mapping):
        return _columns_of_mapping(cast("Mapping[Any, Any]", source))
    if hasattr(source, "toarray"):
        raise DataError("The table is a sparse matrix: call its toarray() first.")
    if isinstance(source, list) or hasattr(source, "__array__"):
        try:
            array: NDArray[Any] = np.asanyarray(cast("Any", source))
        except ValueError:
            raise DataError("The rows of the list differ in length: make them equal.") from None
        return columns_of_matrix(name, array)
    raise DataError(f"An object of the type {type(source).__name__} is no table: give {_WHAT}.")


def _columns_of_mapping(mapping: Mapping[Any, Any]) -> list[Column]:
    columns: list[Column] = []
    lengths: dict[int, str] = {}
    for key, values in mapping.items():
        name = str(key)
        if type(values).__module__.partition(".")[0] in ("pandas", "polars"):
            (column,) = _columns(values)
            columns.append(_renamed(column, name))
            lengths.setdefault(len(values), name)
            continue
        array = _as_array(values)
        if array.ndim != 1:
            raise DataError(
                f"The column {shown(name)} has the shape {array.shape}, and a column is 1-D: give "
                "each of its columns a name of its own."
            )
        lengths.setdefault(len(array), name)
        columns.append(column_of_array(name, array))
    if len(lengths) > 1:
        (n, first), (m, second), *_ = lengths.items()
        raise DataError(
            f"The column {shown(first)} has {n:,} values and the column {shown(second)} has {m:,}: "
            "make them equal."
        )
    return columns


def _as_array(values: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return cast("NDArray[Any]", values)
    # A list of mixed types must not become an array of texts: [1, "n/a"] keeps its number.
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _renamed(column: Column, name: str) -> Column:
    if isinstance(column, NumberColumn):
        return NumberColumn(name, column.values, column.spelling)
    if isinstance(column, WordColumn):
        return WordColumn(name, column.codes, column.words, column.declared)
    return RefusedColumn(name, len(column), column.holds, column.advice)


def columns_of_matrix(name: str, matrix: NDArray[Any]) -> list[Column]:
    """The columns x1, x2, … of a 2-D array, or the fields of a 1-D array that has named ones."""
    if matrix.dtype.names and matrix.ndim == 1:
        return [column_of_array(field, matrix[field]) for field in matrix.dtype.names]
    if matrix.ndim != 2:
        advice = "reshape a lone feature with x.reshape(-1, 1)" if matrix.ndim == 1 else (
            "flatten each sample with X.reshape(len(X), -1)"
        )  # fmt: skip
        raise DataError(
            f"{name[:1].upper()}{name[1:]} is an array of shape {matrix.shape}, and a table is 2-D "
            f"(rows, columns): {advice}."
        )
    if 0 in matrix.shape:
        raise DataError(
            f"{name[:1].upper()}{name[1:]} is an array of shape {matrix.shape}: it is empty."
        )
    return [column_of_array(f"x{i + 1}", matrix[:, i]) for i in range(matrix.shape[1])]


def column_of_array(name: str, array: NDArray[Any]) -> Column:
    """A column from a 1-D array of numbers, booleans, texts or objects; masked ones are missing."""
    if isinstance(array, np.ma.MaskedArray):
        masked = cast("Any", array)
        values = np.asarray(masked.data).astype(object)
        values[np.ma.getmaskarray(masked)] = None
        return _column_of_objects(name, values.tolist())
    kind = array.dtype.kind
    if kind == "b":
        return WordColumn(name, array.astype(np.int64), (False, True))
    if kind == "f":
        return NumberColumn(name, array.astype(np.float64))
    if kind in "iu":
        return NumberColumn(
            name, array.copy() if array.dtype.itemsize == 8 else array.astype(np.int64)
        )
    if kind in "UTOS":
        return _column_of_objects(name, array.tolist())
    if kind in "Mm":
        return RefusedColumn(name, len(array), *DATES)
    if kind == "c":
        return RefusedColumn(
            name, len(array), "complex numbers", "give its two parts columns of their own"
        )
    return RefusedColumn(name, len(array), f"values of the type {array.dtype}", NESTED[1])


def _column_of_pandas(name: str, series: Any) -> Column:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if str(dtype) == "category":
        words = [str(word) for word in series.cat.categories]
        codes = series.cat.codes.to_numpy().astype(np.int64)
        return column_of_words(name, codes, words, declared=True)
    if str(dtype).startswith(("period", "datetime", "timedelta")) or kind in "Mm":
        return RefusedColumn(name, len(series), *DATES)
    if kind in "iufb" and not series.isna().any():
        return column_of_array(name, series.to_numpy(dtype=f"{kind}8" if kind != "b" else bool))
    if kind in "iuf":
        return NumberColumn(name, series.to_numpy(dtype=np.float64, na_value=np.nan))
    missing = series.isna().to_numpy()
    values = series.to_numpy(dtype=object).copy()
    values[missing] = None
    return _column_of_objects(name, values.tolist())


_NUMBERS = (int, float, Decimal, np.number)
_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def _column_of_objects(name: str, values: list[Any]) -> Column:
    """A column from Python objects, looked at by type; None and NaN are missing."""
    kinds = set(map(type, values)) - {type(None)}
    if any(issubclass(kind, _TIMES) for kind in kinds):
        return RefusedColumn(name, len(values), *DATES)
    if kinds and kinds <= {bool, np.bool_}:
        codes = [-1 if value is None else int(value) for value in values]
        return WordColumn(name, np.array(codes, np.int64), (False, True))
    if all(issubclass(kind, _NUMBERS) and kind is not bool for kind in kinds):
        whole = all(issubclass(kind, int | np.integer) for kind in kinds)
        if kinds and whole and None not in values and all(-(2**63) <= v < 2**63 for v in values):
            return NumberColumn(name, np.array(values, np.int64))
        floats = [math.nan if value is None else float(value) for value in values]
        return NumberColumn(name, np.array(floats, np.float64))
    places: dict[str, int] = {}
    codes: list[int] = []
    for value in values:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, Mapping | list | tuple | set | np.ndarray):
            return RefusedColumn(name, len(values), *NESTED)
        absent = value is None or (isinstance(value, float) and math.isnan(value))
        codes.append(-1 if absent else places.setdefault(str(value), len(places)))
    return column_of_words(name, np.array(codes, np.int64), list(places))
