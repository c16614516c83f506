"""The columns of a table: numbers, words, or something that cannot be learned from.

Whatever a table came from, its columns end here in one of three forms. `NumberColumn` holds
numbers, with NaN where one is missing. `WordColumn` holds each different word once and a code for
each row, -1 where one is missing: a category of a million rows costs what its words cost.
`RefusedColumn` remembers why dates or nested values cannot be used, so that a table which has
such a column can still be learned from without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DATES",
    "NESTED",
    "NUMBER",
    "WHOLE",
    "Column",
    "NumberColumn",
    "RefusedColumn",
    "WordColumn",
    "column_of_words",
]

# What a refused column holds, and what to do about it.
DATES = ("dates or times", "turn it into numbers first, such as the year or the days since a date")
NESTED = ("lists or other nested values", "give each part a column of its own")

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity)|nan", re.I | re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)


def _spelled(number: float) -> str:
    """A number as a word; an int never goes through a float, which may not hold it."""
    if isinstance(number, float) and number.is_integer():
        return f"{number:.0f}"
    return repr(number)


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """Numbers: ``values`` (n,), integers or float64, NaN where one is missing.

    ``spelling`` gives the same column as the words that stood in the file ('007'), if it had any.
    """

    name: str
    values: NDArray[Any]
    spelling: Callable[[], WordColumn] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def missing(self) -> NDArray[np.bool_]:
        """Where there is no number."""
        if self.values.dtype.kind == "f":
            return np.isnan(self.values)
        return np.zeros(self.values.shape, np.bool_)

    def as_words(self) -> WordColumn:
        """The numbers as words: whole ones without a point."""
        if self.spelling is not None:
            return self.spelling()
        present = ~self.missing()
        different, places = np.unique(self.values[present], return_inverse=True)
        codes = np.full(self.values.shape, -1, np.int64)
        codes[present] = places
        return WordColumn(self.name, codes, tuple(map(_spelled, different.tolist())))

    def taken(self, rows: NDArray[Any]) -> NumberColumn:
        """The column at the given rows."""
        spelling = self.spelling
        taken = None if spelling is None else lambda: spelling().taken(rows)
        return NumberColumn(self.name, self.values[rows], taken)


@dataclass(frozen=True, eq=False)
class WordColumn:
    """Words: ``codes`` (n,) into ``words``, -1 where one is missing.

    The words are texts, or ``(False, True)``. ``declared`` says that the source itself calls the
    column a category, and ``words`` then stand in the source's order.
    """

    name: str
    codes: NDArray[np.int64]
    words: tuple[str, ...] | tuple[bool, ...]
    declared: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def boolean(self) -> bool:
        """Whether the words are False and True."""
        return self.words == (False, True) and isinstance(self.words[0], bool)

    def missing(self) -> NDArray[np.bool_]:
        """Where there is no word."""
        return self.codes < 0

    def counts(self) -> NDArray[np.int64]:
        """How many rows have each word."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))

    def as_words(self) -> WordColumn:
        """The column itself."""
        return self

    def as_numbers(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The number that each *word* stands for, and whether it stands for one at all."""
        if self.boolean:
            return np.array([0.0, 1.0]), np.ones(2, np.bool_)
        texts = [str(word) for word in self.words]
        numeric = [NUMBER.fullmatch(text) is not None for text in texts]
        values = [float(t) if ok else np.nan for t, ok in zip(texts, numeric, strict=True)]
        return np.array(values, np.float64), np.array(numeric, np.bool_)

    def taken(self, rows: NDArray[Any]) -> WordColumn:
        """The column at the given rows."""
        return WordColumn(self.name, self.codes[rows], self.words, self.declared)


@dataclass(frozen=True, eq=False)
class RefusedColumn:
    """A column that cannot be learned from: ``holds`` what, and ``advice`` on what to do."""

    name: str
    row_count: int
    holds: str
    advice: str

    def __len__(self) -> int:
        return self.row_count

    def taken(self, rows: NDArray[Any]) -> RefusedColumn:
        """The column at the given rows."""
        return RefusedColumn(self.name, len(rows), self.holds, self.advice)


Column = NumberColumn | WordColumn | RefusedColumn


def column_of_words(
    name: str, codes: NDArray[Any], words: Sequence[str], *, declared: bool = False
) -> NumberColumn | WordColumn:
    """A column from codes (n,) into different words, as numbers if every word is one.

    Spaces around a word do not count, an empty word is a missing one, and true and false, in any
    case, become booleans. A ``declared`` category stays as it is, whatever its words look like.

    >>> column_of_words("x", np.array([0, 1, 0]), ["1.5", "2"]).values
    array([1.5, 2. , 1.5])
    """
    places: dict[str, int] = {}
    moved = np.full(len(words) + 1, -1, np.int64)
    for code, word in enumerate(words):
        stripped = word.strip()
        if stripped:
            moved[code] = places.setdefault(stripped, len(places))
    # The code -1 finds the last element, which is -1.
    column = WordColumn(name, moved[codes], tuple(places), declared)
    if declared:
        return column
    if places and {word.casefold() for word in list(places)[:7]} <= {"true", "false"}:
        truth = np.array([word.casefold() == "true" for word in places] + [False], np.int64)
        truth[-1] = -1
        return WordColumn(name, truth[column.codes], (False, True))
    values, numeric = column.as_numbers()
    if not numeric.all():
        return column
    if places and all(WHOLE.fullmatch(word) for word in places) and not column.missing().any():
        whole = [int(word) for word in places]
        if all(-(2**63) <= number < 2**63 for number in whole):
            return NumberColumn(name, np.array(whole, np.int64)[column.codes], lambda: column)
    return NumberColumn(name, np.append(values, np.nan)[column.codes], lambda: column)
