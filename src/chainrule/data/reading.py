"""Reading a table from whatever holds it: a file, arrays, a data frame, a built-in data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from chainrule.data.builtin import BUILTIN_NAMES, Dataset
from chainrule.data.columns import Column, NumberColumn
from chainrule.data.tables import Table, make_table
from chainrule.data.wording import closest, listed, shown
from chainrule.errors import DataError

__all__ = ["read_table"]

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
BINARY_SUFFIXES = (".parquet", ".pq", ".npz", ".npy")


def read_table(source: Any, *, encoding: str = "utf-8", header: bool | None = None) -> Table:
    """A table from a file, arrays or a data frame.

    ``source`` is the path of a CSV or TSV file (the separator is found among comma, semicolon,
    tab and bar), of a Parquet, ``.npz`` or ``.npy`` file; a 2-D NumPy array, whose columns are
    called x1, x2, …; a pair ``(X, y)``, whose target is called y; a mapping of names to columns;
    a pandas or a polars data frame; or a `Dataset`.

    ``encoding`` is that of a text file. ``header`` says whether a text file's first line names
    its columns; None finds it out: a first line of numbers above columns of numbers is data.

    Raises DataError, with one sentence that says what is wrong, where, how often, and what to do,
    for a file that is missing, empty, truncated, ragged or of another kind or encoding than it
    seems, and for columns that have no name or share one.

    >>> import numpy as np
    >>> read_table((np.eye(2), np.array(["a", "b"]))).column_names
    ('x1', 'x2', 'y')
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, Dataset):
        return _dataset_table(source)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(cast("str | os.PathLike[str]", source))
        return _read_file(path, encoding, header)
    from chainrule.data.frames import read_memory  # here, as a built-in set needs none

    return read_memory(source)


def _dataset_table(dataset: Dataset) -> Table:
    columns: list[Column] = [
        NumberColumn(name, dataset.X[:, place]) for place, name in enumerate(dataset.feature_names)
    ]
    columns.append(NumberColumn(dataset.target_name, dataset.y[:, 0]))
    name = f"the built-in data set {dataset.name}"
    return make_table(name, columns, len(dataset.X), target=dataset.target_name, from_file=True)


def _read_file(path: str, encoding: str, header: bool | None) -> Table:
    # Here, as a built-in set needs none of them.
    from chainrule.data.binaryfiles import read_npy, read_npz, read_parquet
    from chainrule.data.textfiles import read_text

    data = _bytes_of(path)
    name = f"the file {path if path.isprintable() else shown(path)}"
    suffix = Path(path).suffix.casefold()
    if suffix in TEXT_SUFFIXES:
        return read_text(name, data, encoding=encoding, header=header)
    if suffix == ".npz":
        return read_npz(name, data)
    return read_npy(name, data) if suffix == ".npy" else read_parquet(name, data)


def _bytes_of(path: str) -> bytes:
    """The file's bytes, once its kind is known to be one that can be read."""
    suffix = Path(path).suffix.casefold()
    try:
        is_folder, exists = Path(path).is_dir(), Path(path).exists()
        if exists and not is_folder and suffix in TEXT_SUFFIXES + BINARY_SUFFIXES:
            return Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(_not_found_sentence(path)) from None
    except PermissionError:
        raise DataError(
            f"The file {path} may not be read by this user: change its permissions (chmod u+r) "
            "or copy it to where it may be."
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DataError(f"The file {path} cannot be read ({reason}): check the path.") from None
    path = path if path.isprintable() else shown(path)
    if is_folder:
        raise DataError(_folder_sentence(path))
    raise DataError(_suffix_sentence(path, suffix) if exists else _not_found_sentence(path))


def _folder_sentence(path: str) -> str:
    inside = _data_files(Path(path))
    which = f"such as {listed(inside, 3, 'or')}" if inside else "though there is none in it"
    return f"{path} is a folder: name a data file in it, {which}."


def _suffix_sentence(path: str, suffix: str) -> str:
    ending = f"ends in {suffix}" if suffix else "has no ending"
    known = "CSV (.csv, .tsv, .txt), Parquet (.parquet) and NumPy (.npz, .npy)"
    advice = "save the table as one of these, or rename the file if it is one"
    if suffix in (".xlsx", ".xls", ".ods"):
        advice = "in the spreadsheet program, save the sheet as CSV"
    elif suffix in (".gz", ".zip", ".bz2", ".xz", ".zst"):
        advice = "decompress it first"
    elif suffix in (".pkl", ".pickle", ".joblib"):
        advice = "a pickle can run any program, so it is never read: save the table as Parquet"
    return f"The file {path} {ending}; what can be read is {known}: {advice}."


def _data_files(folder: Path) -> list[str]:
    try:
        files = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError:
        return []
    usual = (".csv", ".tsv", ".tab", *BINARY_SUFFIXES)
    return sorted(file for file in files if Path(file).suffix.casefold() in usual)


def _not_found_sentence(path: str) -> str:
    folder = Path(path).parent
    name = Path(path).name
    if not folder.exists():
        return f"There is no file {path}, nor a folder {folder}: check the path."
    where = "in this folder" if str(folder) == "." else f"in {folder}"
    files = closest(name, _data_files(folder))
    found = f"the data files {where} are {listed(files, 3)}" if len(files) > 1 else (
        f"the one data file {where} is {shown(files[0])}" if files else f"{where} is no data file"
    )  # fmt: skip
    if len(files) > 1:
        found += ", the closest name first"
    if not Path(path).suffix and str(folder) == ".":
        names = listed(closest(name, BUILTIN_NAMES), len(BUILTIN_NAMES))
        return (
            f"There is no file and no built-in data set {path}: the data sets are {names}, the "
            f"closest name first, and {found}."
        )
    return f"There is no file {path}; {found}."
