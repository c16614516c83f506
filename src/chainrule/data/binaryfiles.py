"""Parquet and NumPy files. Nothing in them is executed: pickled objects are refused."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import Column
from chainrule.data.decoding import foreign_kind
from chainrule.data.frames import column_of_array, columns_of_matrix, table_of_pair
from chainrule.data.polarsframes import column_of_series, without_panic_reports
from chainrule.data.tables import Table, make_table
from chainrule.data.wording import listed, shown
from chainrule.errors import DataError

__all__ = ["read_npy", "read_npz", "read_parquet"]


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _refuse_foreign(name: str, data: bytes, kind: str) -> None:
    """Raises for a file that begins like another kind than its ending says."""
    if not data:
        raise DataError(f"{_title(name)} is empty: it has no bytes at all.")
    foreign = foreign_kind(data)
    if foreign is not None:
        raise DataError(f"{_title(name)} is not {kind} but {foreign[0]}: {foreign[1]}.")
    begins = ascii(data[:20].decode("latin-1"))
    text = all(byte >= 32 or byte in b"\t\r\n" for byte in data[:200])
    advice = "if it is CSV, give it the ending .csv" if text else "save the table again"
    raise DataError(f"{_title(name)} is not {kind}; it begins with {begins}: {advice}.")


def read_parquet(name: str, data: bytes) -> Table:
    """The table in a Parquet file's bytes."""
    if not data.startswith(b"PAR1"):
        _refuse_foreign(name, data, "Parquet")
    if not data.endswith(b"PAR1") or len(data) < 12:
        raise DataError(
            f"{_title(name)} is cut off: it begins as Parquet and does not end as Parquet after "
            f"its {len(data):,} bytes: copy or save it again."
        )
    import polars as pl

    try:
        with without_panic_reports():
            frame = pl.read_parquet(io.BytesIO(data))
        columns = [column_of_series(series) for series in frame.get_columns()]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(
            f"{_title(name)} is damaged, or uses what cannot be read here ({reason}): "
            "save it again."
        ) from None
    if frame.height == 0:
        raise DataError(f"{_title(name)} has column names and no rows: add rows of values.")
    return make_table(name, columns, frame.height, from_file=True)


def _load(name: str, data: bytes, kind: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name, or the one of an ``.npy`` file under no name."""
    # NumPy warns of old headers; zipfile, zlib, tokenize and NumPy have a dozen exceptions for
    # bytes that are damaged, and all mean the same here.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded: Any = np.load(io.BytesIO(data), allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": cast("NDArray[Any]", loaded)}
            with loaded as archive:
                return {key: np.asanyarray(archive[key]) for key in archive.files}
    except Exception as error:  # damaged files make NumPy raise errors of many kinds
        raise DataError(_damaged(name, kind, error)) from None


def _damaged(name: str, kind: str, error: Exception) -> str:
    if "allow_pickle" in str(error):
        return (
            f"{_title(name)} holds Python objects, which could run any program and are never "
            "loaded: save arrays of numbers or of texts (dtype=str)."
        )
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:100]
    return f"{_title(name)} is a damaged or cut off {kind} file ({reason}): save it again."


def read_npy(name: str, data: bytes) -> Table:
    """The table in an ``.npy`` file's bytes: a 2-D array, or a 1-D array with named fields."""
    if not data.startswith(b"\x93NUMPY"):
        _refuse_foreign(name, data, "an .npy file")
    array = _load(name, data, ".npy")[""]
    if array.dtype.names:
        columns: list[Column] = [column_of_array(f, array[f].ravel()) for f in array.dtype.names]
    else:
        columns = columns_of_matrix(name, array)
    return make_table(name, columns, len(array), from_file=True)


def read_npz(name: str, data: bytes) -> Table:
    """The table in an ``.npz`` file's bytes: X with or without y, one 2-D array, or columns."""
    if not data.startswith(b"PK"):
        _refuse_foreign(name, data, "an .npz file")
    arrays = _load(name, data, ".npz")
    if not arrays:
        raise DataError(
            f"{_title(name)} has no arrays in it: save X and y, or columns, with numpy.savez."
        )
    return _table_of_arrays(name, arrays)


def _table_of_arrays(name: str, arrays: dict[str, NDArray[Any]]) -> Table:
    X = arrays.get("X", arrays.get("x") if np.ndim(arrays.get("x", 0)) == 2 else None)
    if X is not None:
        others = [key for key in arrays if key.casefold() not in ("x", "y")]
        notes = (f"{_title(name)} has other arrays, which are not read: {listed(others)}.",)
        y = arrays.get("y", arrays.get("Y"))
        return table_of_pair(name, X, y, from_file=True, notes=notes if others else ())
    if len(arrays) == 1 and next(iter(arrays.values())).ndim == 2:
        matrix = next(iter(arrays.values()))
        return make_table(name, columns_of_matrix(name, matrix), len(matrix), from_file=True)
    lengths = {array.shape for array in arrays.values()}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        shapes = ", ".join(f"{shown(key)} {array.shape}" for key, array in arrays.items())
        raise DataError(
            f"{_title(name)} has arrays that make no table ({shapes}): save a 2-D X and a 1-D y, "
            "one 2-D array, or 1-D columns of one length."
        )
    columns = [column_of_array(key, array) for key, array in arrays.items()]
    return make_table(name, columns, next(iter(lengths))[0], from_file=True)
