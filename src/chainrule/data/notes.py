"""What is odd about the features of a table and no reason to refuse it: a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.data.columns import NumberColumn, WordColumn
from chainrule.data.inspection import MISSING_MARKS
from chainrule.data.tables import Table
from chainrule.data.wording import a_number_of, listed, shown

__all__ = ["notes_on"]


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
        if isinstance(column, NumberColumn):
            if _counts_rows(column):
                notes.append(
                    f"The column {shown(column.name)} of {table.name} counts the rows, so the "
                    "network may learn their order; if it is only a row number, leave it out with "
                    f"{table.option('drop', column.name)}."
                )
        else:
            notes.extend(_marks(table, column))
    return notes


def _is_constant(column: NumberColumn | WordColumn) -> bool:
    values = column.values if isinstance(column, NumberColumn) else column.codes
    return bool((values == values[0]).all())


def _counts_rows(column: NumberColumn) -> bool:
    return len(column) >= 20 and bool((np.diff(column.values) == 1).all())


def _marks(table: Table, column: WordColumn) -> list[str]:
    return [
        f"The column {shown(column.name)} of {table.name} has {shown(word)} in "
        f"{a_number_of(int(count), 'row')}; it counts as a category of its own."
        for word, count in zip(column.words, column.counts(), strict=True)
        if count and str(word).casefold() in MISSING_MARKS
    ]
