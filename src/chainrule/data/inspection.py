"""What makes a column unfit to learn from, said in one sentence each.

Every sentence names the table, the column, the first row, how many rows, and what to do.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import NumberColumn, RefusedColumn, WordColumn
from chainrule.data.tables import Table
from chainrule.data.wording import a_number_of, listed, shown
from chainrule.errors import DataError

__all__ = [
    "LARGEST",
    "refuse_infinite",
    "refuse_missing",
    "refuse_unusable",
    "refuse_words_among_numbers",
    "refuse_written_numbers",
    "usable",
]

# The square of a larger number, which the standard deviation needs, may overflow.
LARGEST = 1e150

_MISSING_MARKS = {
    "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing", "unknown",
    "undefined", "not available", "#value!", "#div/0!", "#ref!", "#num!",
}  # fmt: skip
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?",
    re.ASCII,
)
_WRITTEN_NUMBER = re.compile(r"[-+]?[$€£¥]?\s*[-+]?\d[\d.,' ]*\s*[%$€£¥]?", re.ASCII)


def usable(table: Table, name: str, purpose: str = "") -> NumberColumn | WordColumn:
    """The column of that name, once it is known to hold numbers or words."""
    column = table.column(name, purpose)
    if isinstance(column, RefusedColumn):
        raise DataError(
            f"The column {shown(name)} of {table.name} holds {column.holds}, which cannot be "
            f"learned from: {column.advice}, or leave it out with {table.option('drop', name)}."
        )
    return column


def _rows_phrase(table: Table, wrong: NDArray[np.bool_]) -> str:
    """Where and how often: 'in row 17 (line 18), the first of 3 such rows of 150'."""
    count = int(np.count_nonzero(wrong))
    first = table.place(int(np.argmax(wrong)))
    if count == 1:
        return f"in {first}, the only such row of {table.row_count:,}"
    if count == table.row_count:
        return f"in all {a_number_of(count, 'row')}"
    return f"in {first}, the first of {count:,} such rows of {table.row_count:,}"


def refuse_missing(table: Table, names: list[str], target: str | None = None) -> None:
    """Raises DataError where a value is missing in one of the columns."""
    holes = {name: usable(table, name).missing() for name in names}
    holes = {name: missing for name, missing in holes.items() if missing.any()}
    if not holes:
        return
    name, missing = next(iter(holes.items()))
    others = [other for other in holes if other != name]
    also = ""
    if others:
        plural = "s have" if len(others) > 1 else " has"
        also = f" (the column{plural} missing values too: {listed(others)})"
    drop = table.option("drop", name)
    if name == target:
        kind, advice = "target column", "fill them in or remove those rows"
    elif missing.all():
        kind, advice = "column", f"leave it out with {drop}"
    else:
        kind, advice = "column", f"fill them in, remove those rows, or leave it out with {drop}"
    one = int(np.count_nonzero(missing)) == 1
    if one:
        advice = advice.replace("fill them in", "fill it in").replace("those rows", "that row")
        advice = advice.replace("leave it out", "leave the column out")
    raise DataError(
        f"The {kind} {shown(name)} of {table.name} has no value {_rows_phrase(table, missing)}"
        f"{also}: {advice}."
    )


def refuse_infinite(table: Table, column: NumberColumn) -> None:
    """Raises DataError where a number is infinite, or so large that its square would be."""
    values = column.values
    if values.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        wrong = np.abs(values) > LARGEST
    if wrong.any():
        first = float(values[np.argmax(wrong)])
        what = "infinite" if np.isinf(first) else f"larger than {LARGEST:g} in size"
        raise DataError(
            f"The column {shown(column.name)} of {table.name} has the value {first!r}, which is "
            f"{what}, {_rows_phrase(table, wrong)}: correct it, or leave the column out with "
            f"{table.option('drop', column.name)}."
        )


def _rows_of(column: WordColumn, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows (n,) whose word is among the chosen ones (words,)."""
    return np.append(chosen, False)[column.codes]


def refuse_words_among_numbers(table: Table, column: WordColumn, *, certain: bool = False) -> None:
    """Raises DataError where words stand in a column that is otherwise one of numbers.

    It is one where half of its rows or more are numbers, or where all that are not are marks for
    a missing value; or where that is ``certain``, since a model was trained on it as numbers.
    """
    if column.boolean:
        return
    _, numeric = column.as_numbers()
    counts = column.counts()
    numbers = int(counts[numeric].sum())
    bad_words = [word for word, ok in zip(column.words, numeric, strict=True) if not ok]
    marks = all(str(word).casefold() in _MISSING_MARKS for word in bad_words)
    if not bad_words or not (certain or (numbers and (marks or 2 * numbers >= counts.sum()))):
        return
    wrong = _rows_of(column, ~numeric)
    first = column.words[int(column.codes[np.argmax(wrong)])]
    drop = table.option("drop", column.name)
    category = "" if certain or marks else (
        f", say that it is a category with {table.option('categorical', column.name)},"
    )  # fmt: skip
    advice = f"fill in numbers or remove such rows{category}" if marks else (
        f"correct them{category}"
    )  # fmt: skip
    others = [word for word in bad_words if word != first]
    also = f" (also {listed(others, 3)})" if others else ""
    outside = "" if certain else f" or leave the column out with {drop}"
    comma = "" if category or not outside else ","
    raise DataError(
        f"The column {shown(column.name)} of {table.name} is one of numbers and has the text "
        f"{shown(first)} {_rows_phrase(table, wrong)}{also}: {advice}{comma}{outside}."
    )


def refuse_written_numbers(table: Table, column: WordColumn) -> None:
    """Raises DataError for dates in texts, and for numbers with commas or signs in them."""
    if not column.words or column.boolean:
        return
    name = f"The column {shown(column.name)} of {table.name}"
    first = f"such as {shown(column.words[0])}"
    drop = table.option("drop", column.name)
    category = f"or say that it is a category with {table.option('categorical', column.name)}"
    if all(_DATE.fullmatch(str(word)) for word in column.words):
        raise DataError(
            f"{name} holds dates or times, {first}, in {a_number_of(table.row_count, 'row')}: turn "
            "it into numbers first, such as the year or the days since a date, leave it out with "
            f"{drop}, {category}."
        )
    written = np.array([_WRITTEN_NUMBER.fullmatch(str(word)) is not None for word in column.words])
    if column.counts()[written].sum() >= 0.9 * table.row_count:
        _, plain = column.as_numbers()
        wrong = _rows_of(column, written & ~plain)
        example = column.words[int(column.codes[np.argmax(wrong)])]
        raise DataError(
            f"{name} writes numbers with commas, spaces or signs in them, as {shown(example)} "
            f"{_rows_phrase(table, wrong)}: write plain numbers with a decimal point (1234.5), "
            f"leave it out with {drop}, {category}."
        )


def refuse_unusable(table: Table, column: WordColumn, *, most: int, declared: bool) -> None:
    """Raises DataError for a column of so many different words that each says next to nothing."""
    different, rows = len(column.words), table.row_count
    unique = different >= 10 and 2 * different > rows and not declared
    if not unique and different <= most:
        return
    drop = table.option("drop", column.name)
    category = f", or say that it is a category with {table.option('categorical', column.name)}"
    raise DataError(
        f"The column {shown(column.name)} of {table.name} has {different:,} different texts in "
        f"{a_number_of(rows, 'row')} ({listed(column.words, 3)}), as a name or an identifier has, "
        f"and a network learns nothing general from these: leave it out with {drop}"
        f"{category if different <= most else f', or group it into at most {most:,} categories'}."
    )


def marks_note(table: Table, column: WordColumn) -> str | None:
    """A sentence where a category looks like a mark for a missing value."""
    counts: Any = column.counts()
    for word, count in zip(column.words, counts, strict=True):
        if str(word).casefold() in _MISSING_MARKS:
            return (
                f"The column {shown(column.name)} of {table.name} has {shown(word)} in "
                f"{a_number_of(int(count), 'row')}; it counts as a category of its own."
            )
    return None
