"""Tables: named columns of equal length, with a name that a sentence can call them by."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import Column
from chainrule.data.wording import a_number_of, closest_phrase, ordinal, shown
from chainrule.errors import DataError

__all__ = ["Table", "make_table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length, and what to call the table in a sentence.

    ``name`` reads like "the file iris.csv"; ``target`` names the target column where the source
    says which it is; ``notes`` are sentences a person should read; ``from_file`` tells whether a
    message advises an option of the command line or an argument in Python; ``find_line`` gives
    the line of a row (from 0) in a text file, or None where that is not certain; ``taken_rows``
    are the rows of the source that the table has, if not all.

    >>> from chainrule.data import read_table
    >>> table = read_table({"x": [0.0, 1.0], "y": ["no", "yes"]})
    >>> table.name, table.row_count, table.column_names
    ('the table', 2, ('x', 'y'))
    """

    name: str
    columns: Mapping[str, Column]
    row_count: int
    target: str | None = None
    notes: tuple[str, ...] = ()
    from_file: bool = False
    in_memory: bool = False
    find_line: Callable[[int], int | None] | None = field(default=None, repr=False)
    taken_rows: NDArray[Any] | None = field(default=None, repr=False)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns in their order."""
        return tuple(self.columns)

    @property
    def title(self) -> str:
        """The table's name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    def take(self, rows: NDArray[Any]) -> Table:
        """The table at the given rows (integers from 0), say those of a training split."""
        rows = np.asarray(rows)
        columns = {name: column.taken(rows) for name, column in self.columns.items()}
        kept = rows if self.taken_rows is None else self.taken_rows[rows]
        return replace(self, columns=columns, row_count=len(rows), taken_rows=kept)

    def place(self, row: int) -> str:
        """Where a row (from 0) stands, for a person: counted from 1, with the file's line.

        >>> from chainrule.data import read_table
        >>> read_table({"x": [0.0, 1.0]}).place(1)
        'row 2 (index 1)'
        """
        row = row if self.taken_rows is None else int(self.taken_rows[row])
        if self.in_memory:
            return f"row {row + 1} (index {row})"
        line = None if self.find_line is None else self.find_line(row)
        return f"row {row + 1}" if line is None else f"row {row + 1} (line {line})"

    def option(self, name: str, *values: str) -> str:
        """How the user of this table says an option: on the command line, or in Python."""
        if self.from_file:
            return " ".join(f"--{name} {shlex.quote(value)}" for value in values)
        if name in ("target", "task"):
            return f"{name}={values[0]!r}"
        return f"{name}={list(values)!r}"

    def column(self, name: str, purpose: str = "") -> Column:
        """The column of that name; raises DataError with the closest names if there is none."""
        if name in self.columns:
            return self.columns[name]
        wanted = f"{self.title} has no column {shown(name)}{purpose}"
        raise DataError(f"{wanted}; {closest_phrase(name, self.column_names)}.")


def make_table(name: str, columns: list[Column], row_count: int, **more: Any) -> Table:
    """A table from its columns in order; raises DataError where two have one name."""
    places: dict[str, list[int]] = {}
    for place, column in enumerate(columns, 1):
        places.setdefault(column.name, []).append(place)
    twice = {column: where for column, where in places.items() if len(where) > 1}
    if twice:
        first, where = next(iter(twice.items()))
        also = f" (and {a_number_of(len(twice) - 1, 'other name')} too)" if len(twice) > 1 else ""
        standing = listed_places(where)
        raise DataError(
            f"{name[:1].upper()}{name[1:]} has {len(where)} columns called {shown(first)}, the "
            f"{standing}{also}: give every column a name of its own."
        )
    if not columns:
        raise DataError(f"{name[:1].upper()}{name[1:]} has no columns: it is empty.")
    return Table(name, {column.name: column for column in columns}, row_count, **more)


def listed_places(places: Sequence[int]) -> str:
    """Places in a row, the first five of them where there are many.

    >>> listed_places([2, 5]), listed_places([1, 2, 3])
    ('2nd and 5th', '1st, 2nd and 3rd')
    """
    words = [ordinal(place) for place in places]
    if len(words) > 5:
        return f"{', '.join(words[:5])} and {len(words) - 5} more"
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
