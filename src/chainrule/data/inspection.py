"""What makes a column unfit to learn from, said in one sentence each.

Every sentence names the table, the column, the first row, how many rows, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import DATES, NumberColumn, RefusedColumn, WordColumn
from chainrule.data.tables import Table
from chainrule.data.wording import a_number_of, choice, listed, shown
from chainrule.errors import DataError

__all__ = [
    "LARGEST",
    "MISSING_MARKS",
    "Role",
    "refuse_identifier",
    "refuse_infinite",
    "refuse_missing",
    "refuse_words_among_numbers",
    "refuse_written_numbers",
    "rows_phrase",
    "usable",
]

# The square of a larger number, which the standard deviation needs, may overflow.
LARGEST = 1e150

MISSING_MARKS = {
    "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing", "unknown",
    "undefined", "not available", "#value!", "#div/0!", "#ref!", "#num!",
}  # fmt: skip
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?",
    re.ASCII,
)
_WRITTEN_NUMBER = re.compile(r"[-+]?[$€£¥]?\s*[-+]?\d[\d.,' ]*\s*[%$€£¥]?", re.ASCII)


Role = Literal["feature", "target", "learned"]
"""What a column is for: one in ``learned`` columns has to be there, since a model needs it."""


def usable(
    table: Table, name: str, role: Role = "feature", purpose: str = ""
) -> NumberColumn | WordColumn:
    """The column of that name, once it is known to hold numbers or words."""
    column = table.column(name, purpose)
    if isinstance(column, RefusedColumn):
        advice = choice([column.advice, *_leaving(table, name, role)])
        raise DataError(
            f"The column {shown(name)} of {table.name} holds {column.holds}, which cannot be "
            f"learned from: {advice}."
        )
    return column


def _leaving(table: Table, name: str, role: Role) -> list[str]:
    """How to do without the column, if that can be done."""
    if role == "feature":
        return [f"leave the column out with {table.option('drop', name)}"]
    return ["choose another target"] if role == "target" else []


def _category(table: Table, name: str, role: Role) -> str:
    """How to say that the column is a category."""
    if role == "target":
        return f"say that it is one of classes with {table.option('task', 'classification')}"
    return f"say that it is a category with {table.option('categorical', name)}"


def rows_phrase(table: Table, wrong: NDArray[np.bool_]) -> str:
    """Where and how often: 'in row 17 (line 18), the first of 3 such rows of 150'."""
    count = int(np.count_nonzero(wrong))
    first = table.place(int(np.argmax(wrong)))
    if table.row_count == 1:
        return f"in {first}, the only row"
    if count == 1:
        return f"in {first}, the only such row of {table.row_count:,}"
    if count == table.row_count:
        return f"in all {a_number_of(count, 'row')}, from {first} on"
    return f"in {first}, the first of {count:,} such rows of {table.row_count:,}"


def refuse_missing(table: Table, names: Sequence[str], roles: Mapping[str, Role]) -> None:
    """Raises DataError where a value is missing in one of the columns.

    ``roles`` gives the role of each name that is not one of a feature.
    """
    holes = {name: usable(table, name, roles.get(name, "feature")).missing() for name in names}
    holes = {name: missing for name, missing in holes.items() if missing.any()}
    if not holes:
        return
    name, missing = next(iter(holes.items()))
    role = roles.get(name, "feature")
    others = [other for other in holes if other != name]
    also = ""
    if others:
        plural = len(others) > 1
        also = f" ({listed(others)} {'lack' if plural else 'lacks'} some too)"
    one = int(np.count_nonzero(missing)) == 1
    ways = ["fill it in", "remove that row"] if one else ["fill them in", "remove those rows"]
    if missing.all():
        ways = ["fill it in"]
    kind = "target column" if role == "target" else "column"
    raise DataError(
        f"The {kind} {shown(name)} of {table.name} has no value {rows_phrase(table, missing)}"
        f"{also}: {choice([*ways, *_leaving(table, name, role)])}."
    )


def refuse_infinite(table: Table, column: NumberColumn, role: Role) -> None:
    """Raises DataError where a number is infinite, or so large that its square would be."""
    values = column.values
    if values.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        wrong = np.abs(values) > LARGEST
    if wrong.any():
        first = float(values[np.argmax(wrong)])
        what = "infinite" if np.isinf(first) else f"larger than {LARGEST:g} in size"
        one = int(np.count_nonzero(wrong)) == 1
        ways = ["correct it", "remove that row"] if one else ["correct them", "remove those rows"]
        raise DataError(
            f"The column {shown(column.name)} of {table.name} has the value {first!r}, which is "
            f"{what}, {rows_phrase(table, wrong)}: "
            f"{choice([*ways, *_leaving(table, column.name, role)])}."
        )


def _rows_of(column: WordColumn, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows (n,) whose word is among the chosen ones (words,)."""
    return np.append(chosen, False)[column.codes]


def refuse_words_among_numbers(table: Table, column: WordColumn, role: Role) -> None:
    """Raises DataError where words stand in a column that is otherwise one of numbers.

    It is one where half of its rows or more are numbers, or where all that are not are marks for
    a missing value; or where a model has learned that it is one.
    """
    if column.boolean:
        return
    _, numeric = column.as_numbers()
    counts = column.counts()
    numbers = int(counts[numeric].sum())
    bad = ~numeric & (counts > 0)
    bad_words = [word for word, is_bad in zip(column.words, bad, strict=True) if is_bad]
    marks = all(str(word).casefold() in MISSING_MARKS for word in bad_words)
    likely = numbers > 0 and (marks or 2 * numbers >= counts.sum())
    if not bad_words or not (likely or role == "learned"):
        return
    wrong = _rows_of(column, bad)
    first = column.words[int(column.codes[np.argmax(wrong)])]
    others = [word for word in bad_words if word != first]
    also = f" (also {listed(others, 3)})" if others else ""
    one = int(np.count_nonzero(wrong)) == 1
    ways = ["correct it" if one else "correct them"]
    if marks:
        ways = ["fill in a number", "remove that row"]
        ways = ways if one else ["fill in numbers", "remove those rows"]
    elif role != "learned":
        ways.append(_category(table, column.name, role))
    raise DataError(
        f"The column {shown(column.name)} of {table.name} is one of numbers and has the text "
        f"{shown(first)} {rows_phrase(table, wrong)}{also}: "
        f"{choice([*ways, *_leaving(table, column.name, role)])}."
    )


def refuse_written_numbers(table: Table, column: WordColumn, role: Role) -> None:
    """Raises DataError for dates in texts, and for numbers with commas or signs in them."""
    if column.boolean:
        return
    name = f"The column {shown(column.name)} of {table.name}"
    ways = [*_leaving(table, column.name, role), _category(table, column.name, role)]
    if all(_DATE.fullmatch(str(word)) for word in column.words):
        first = column.words[int(column.codes[0])]
        raise DataError(
            f"{name} holds dates or times, such as {shown(first)}, "
            f"{rows_phrase(table, column.codes >= 0)}: {choice([DATES[1], *ways])}."
        )
    written = np.array([_WRITTEN_NUMBER.fullmatch(str(word)) is not None for word in column.words])
    if column.counts()[written].sum() >= 0.9 * table.row_count:
        _, plain = column.as_numbers()
        wrong = _rows_of(column, written & ~plain)
        example = column.words[int(column.codes[np.argmax(wrong)])]
        ways = ["write plain numbers with a decimal point (1234.5)", *ways]
        raise DataError(
            f"{name} writes numbers with commas, spaces or signs in them, as {shown(example)} "
            f"{rows_phrase(table, wrong)}: {choice(ways)}."
        )


def refuse_identifier(table: Table, column: WordColumn, *, most: int, declared: bool) -> None:
    """Raises DataError for a column of so many different words that each says next to nothing.

    That is more than ``most``, or, unless ``declared``, ten or more in fewer than twice the rows.
    """
    different, rows = int(np.count_nonzero(column.counts())), table.row_count
    unique = different >= 10 and 2 * different > rows and not declared
    if not unique and different <= most:
        return
    last = f"group it into at most {most:,} categories"
    if different <= most:
        last = _category(table, column.name, "feature")
    raise DataError(
        f"The column {shown(column.name)} of {table.name} has {different:,} different texts in "
        f"{a_number_of(rows, 'row')} ({listed(column.words, 3)}), as a name or an identifier has, "
        "and a network learns nothing general from these: "
        f"{choice([*_leaving(table, column.name, 'feature'), last])}."
    )
