"""What is odd about the features of a table and no reason to refuse it: a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.data.columns import NumberColumn, WordColumn
from chainrule.data.inspection import MISSING_MARKS
from chainrule.data.tables import Table
from chainrule.data.wording import a_number_of, listed, shown

__all__ = ["notes_on"]

_MOST_MARKED = 3
"""Columns that have a sentence each."""


def notes_on(table: Table, columns: Sequence[NumberColumn | WordColumn]) -> list[str]:
    """The sentences about the columns of features: constants, row counters, marks for missing."""
    constant = [column for column in columns if _is_constant(column)]
    notes: list[str] = []
    if len(constant) == 1:
        notes.append(
            f"The column {shown(constant[0].name)} of {table.name} has one value in all "
            f"{a_number_of(table.row_count, 'row')}, and tells the network nothing."
        )
    elif constant:
        names = listed(column.name for column in constant)
        notes.append(
            f"The columns {names} of {table.name} have one value each in all "
            f"{a_number_of(table.row_count, 'row')}, and tell the network nothing."
        )
    for column in columns:
        if isinstance(column, NumberColumn) and _counts_rows(column):
            notes.append(
                f"The column {shown(column.name)} of {table.name} counts the rows, so the network "
                "may learn their order; if it is only a row number, leave it out with "
                f"{table.option('drop', column.name)}."
            )
    return notes + _marks_notes(table, columns)


def _is_constant(column: NumberColumn | WordColumn) -> bool:
    values = column.values if isinstance(column, NumberColumn) else column.codes
    return bool((values == values[0]).all())


def _counts_rows(column: NumberColumn) -> bool:
    return len(column) >= 20 and bool((np.diff(column.values) == 1).all())


def _marks_notes(table: Table, columns: Sequence[NumberColumn | WordColumn]) -> list[str]:
    """A sentence for each column with marks for missing values, or one for all where many have."""
    marked = {column.name: _marks(column) for column in columns if isinstance(column, WordColumn)}
    marked = {name: marks for name, marks in marked.items() if marks}
    if len(marked) > _MOST_MARKED:
        words = dict.fromkeys(word for marks in marked.values() for word in marks)
        all_of_them = (
            f"The columns {listed(marked)} of {table.name} have {listed(words, last='or')}, which "
            "often stands for a missing value; it counts as a category of its own."
        )
        return [all_of_them]
    notes: list[str] = []
    for name, marks in marked.items():
        each = "it" if len(marks) == 1 else "each"
        notes.append(
            f"The column {shown(name)} of {table.name} has {_in_rows(marks)}; {each} counts as a "
            "category of its own."
        )
    return notes


def _in_rows(marks: Mapping[str, int]) -> str:
    parts = [f"{shown(word)} in {a_number_of(count, 'row')}" for word, count in marks.items()]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _marks(column: WordColumn) -> dict[str, int]:
    """How many rows hold each word that often stands for a missing value."""
    return {
        str(word): int(count)
        for word, count in zip(column.words, column.counts(), strict=True)
        if count and str(word).casefold() in MISSING_MARKS
    }
