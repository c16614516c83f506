"""CSV and its kin: decoded, split into columns by polars, and located line by line on doubt.

polars reads fast and says little about what is wrong, and it fills short rows up in silence.
Python's ``csv`` reads slower and knows every line. So polars reads, and the ``csv`` module is
asked wherever polars fails or the result leaves a doubt: it counts the fields of each record, and
writes the file anew, with every field in quotes, for polars to read.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.columns import NUMBER, Column, NumberColumn
from chainrule.data.decoding import utf8_of
from chainrule.data.polarsframes import column_of_text, without_panic_reports
from chainrule.data.tables import Table, make_table
from chainrule.data.wording import a_number_of, listed, ordinal, shown
from chainrule.errors import DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_text"]

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_text(name: str, data: bytes, *, encoding: str, header: bool | None) -> Table:
    """The table in a text file's bytes; ``name`` reads like "the file iris.csv"."""
    data = utf8_of(name, data, encoding).replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    if not data.strip():
        raise DataError(f"{_title(name)} is empty: it needs column names and rows of values.")
    text = _Text(name, data, _separator(data))
    names, notes = text.find_names(header)
    columns = text.columns(names)
    rows = len(columns[0])
    if rows == 0:
        raise DataError(
            f"{_title(name)} has a line of column names and no rows below it: add rows of values."
        )
    kept, more = _without_unnamed(name, columns)
    return make_table(
        name, kept, rows, notes=(*notes, *more), from_file=True, find_line=text.find_line
    )


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _separator(data: bytes) -> str:
    """The separator that splits the first records most evenly into more than one field."""
    sample = data[:200_000].decode("utf-8", "ignore")

    def evenness(separator: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        try:
            widths = [len(record) for record in islice(reader, 100) if record]
        except csv.Error:
            return 0.0, 0
        width = widths[0] if widths else 0
        return (widths.count(width) / len(widths), width) if width > 1 else (0.0, 0)

    return max(_SEPARATORS, key=evenness)


class _Text:
    """A decoded file: its records with their lines, its names and its columns."""

    def __init__(self, name: str, data: bytes, separator: str) -> None:
        self.name = name
        self.data = data
        self.separator = separator
        self.header_records = 1
        self.width = 0
        self._first_cell: Callable[[int], str] = lambda row: ""

    def _reader(self, *, strict: bool = False) -> Any:
        stream = io.TextIOWrapper(io.BytesIO(self.data), encoding="utf-8", newline="")
        return csv.reader(stream, delimiter=self.separator, strict=strict)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record that is not blank, after the line on which it begins."""
        reader = self._reader()
        last = 0
        try:
            for record in reader:
                if len(record) > 1 or (record and record[0].strip()):
                    yield last + 1, record
                last = reader.line_num
        except csv.Error as error:
            raise DataError(
                f"{_title(self.name)} cannot be split into columns at line {last + 1} ({error}): "
                "look for a quotation mark that is opened and not closed."
            ) from None

    def find_names(self, header: bool | None) -> tuple[list[str], tuple[str, ...]]:
        """The names of the columns, and what to note where the file has none."""
        first, *others = [record for _, record in islice(self.records(), 60)]
        self.width = len(first)
        if header is None:
            header = self._is_header(first, others)
        if header:
            return [cell.strip() for cell in first], ()
        self.header_records = 0
        names = [f"x{place}" for place in range(1, self.width + 1)]
        called = (
            "its column is called x1"
            if self.width == 1
            else f"its columns are called x1 to {names[-1]}"
        )
        return names, (f"{_title(self.name)} has no line of column names: {called}.",)

    def _is_header(self, first: list[str], others: list[list[str]]) -> bool:
        """Whether the first record names the columns: its cells above numbers are no numbers.

        A lone line of numbers is data as well. Numbers that count up evenly (0, 1, 2, …, or
        years) are names all the same. Raises where it might be either, since a guess would lose a
        row.
        """
        if not others:
            return not all(NUMBER.fullmatch(cell.strip()) for cell in first)
        above = [
            cell.strip()
            for place, cell in enumerate(first)
            if (below := [o[place].strip() for o in others if place < len(o) and o[place].strip()])
            and all(NUMBER.fullmatch(cell) for cell in below)
        ]
        if not above or not all(NUMBER.fullmatch(cell) for cell in above):
            return True
        whole = [int(cell) for cell in above if cell.isascii() and cell.isdigit()]
        if len(whole) < len(above) or any(b <= a for a, b in pairwise(whole)):
            return False
        counted = whole[0] in (0, 1) and whole[-1] - whole[0] == len(whole) - 1
        years = whole[0] >= 1800 and whole[-1] <= 2100
        if (counted and len(whole) > 4) or (years and len(whole) > 1):
            return True
        raise DataError(
            f"The first line of {self.name} ({listed(first)}) may be column names or values: "
            "put a line of names in words above it."
        )

    def columns(self, names: list[str]) -> list[Column]:
        """The columns, each of numbers or of words."""
        blank_lines = b"\n\n" in self.data or self.data.startswith(b"\n")
        frame = None if blank_lines else self._frame(self.data, self.header_records == 1)
        # A short row is filled up with nulls: only a null in the last column can hide one.
        if frame is not None and frame.height and frame[:, -1].null_count():
            widths = Counter(map(len, self._reader()))
            if set(widths) != {self.width}:
                frame = None
        if frame is None:
            self._refuse_ragged()
            frame = self._frame(self._rewritten(), False)
        if frame is None:
            raise DataError(
                f"{_title(self.name)} cannot be split into columns: save it as CSV again, "
                "with quotation marks around every text."
            )
        cells = frame[:, 0]
        self._first_cell = lambda row: cells[row] or ""
        return [
            column_of_text(name, series)
            for name, series in zip(names, frame.get_columns(), strict=True)
        ]

    def _frame(self, data: bytes, header: bool) -> pl.DataFrame | None:
        """The file as polars reads it, every column one of texts; None where it cannot."""
        import polars as pl

        if not data:
            return pl.DataFrame({str(place): [""] for place in range(self.width)}).clear()
        # polars may panic, which is a BaseException of its own, on bytes that are no CSV at all.
        errors = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
        try:
            with without_panic_reports():
                frame = pl.read_csv(
                    io.BytesIO(data),
                    separator=self.separator,
                    has_header=header,
                    infer_schema=False,
                )
        except errors:
            return None
        return frame if frame.width == self.width else None

    def _rewritten(self) -> bytes:
        """The records below the names, as ``csv`` understands them, with every field in quotes."""
        stream = io.StringIO(newline="")
        writer = csv.writer(
            stream, delimiter=self.separator, quoting=csv.QUOTE_ALL, lineterminator="\n"
        )
        writer.writerows(record for _, record in islice(self.records(), self.header_records, None))
        return stream.getvalue().encode()

    def _refuse_ragged(self) -> None:
        """Raises where a record has another number of fields than the first."""
        rows, ragged = 0, 0
        first: tuple[int, int, int] = (0, 0, 0)
        for line, record in islice(self.records(), self.header_records, None):
            if len(record) != self.width:
                ragged += 1
                first = first if ragged > 1 else (rows, line, len(record))
            rows += 1
        if not ragged:
            return
        self._refuse_open_quote()
        row, line, found = first
        many = f"the first of {ragged:,} such rows" if ragged > 1 else "the only such row"
        named = "the line of names has" if self.header_records else "the first line has"
        raise DataError(
            f"{_title(self.name)} has {a_number_of(found, 'value')} in row {row + 1} (line {line}) "
            f"where {named} {self.width}, {many} of {rows:,}: separate the values of each row by "
            f"{self.width - 1} {_SEPARATORS[self.separator]}, and put quotation marks around a "
            "text that has one in it."
        )

    def _refuse_open_quote(self) -> None:
        """Raises where a quotation mark is opened and swallows the rest of the file."""
        reader = self._reader(strict=True)
        last = 0
        try:
            for _ in reader:
                last = reader.line_num
        except csv.Error as error:
            if "end of data" in str(error):
                raise DataError(
                    f"{_title(self.name)} opens a quotation mark in the record at line {last + 1} "
                    "and never closes it: close it, or write it twice where it is part of a text."
                ) from None

    def find_line(self, row: int) -> int | None:
        """The line on which a row (from 0) begins, or None where that is not certain."""
        try:
            found = next(islice(self.records(), row + self.header_records, None), None)
        except DataError:
            return None
        if found is None:
            return None
        line, record = found
        return line if record[0] == self._first_cell(row) else None


def _without_unnamed(name: str, columns: list[Column]) -> tuple[list[Column], tuple[str, ...]]:
    """The columns that have a name; those without are left out where they hold nothing.

    A first column that only counts the rows is the index of a data frame, and would let a network
    read the class of sorted rows off their number. Raises for any other column without a name.
    """
    notes: list[str] = []
    for place, column in enumerate(columns, 1):
        if column.name:
            continue
        which = f"the {ordinal(place)} column of {name}, which has no name"
        if isinstance(column, NumberColumn) and column.missing().all():
            notes.append(f"{_title(which)} and no values, is left out.")
        elif place == 1 and isinstance(column, NumberColumn) and _counts_rows(column.values):
            notes.append(f"{_title(which)} and counts the rows, is left out.")
        else:
            first = shown(columns[0].name) if place > 1 else shown(columns[-1].name)
            raise DataError(
                f"{_title(name)} has no name for its {ordinal(place)} column, though it has for "
                f"others ({first}): write one into the first line."
            )
    return [column for column in columns if column.name], tuple(notes)


def _counts_rows(values: Any) -> bool:
    return len(values) > 0 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())
