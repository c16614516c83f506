"""How one column of features becomes numbers, learned from the training table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import serial
from chainrule.data.columns import NUMBER, WHOLE, NumberColumn, WordColumn
from chainrule.data.inspection import (
    refuse_identifier,
    refuse_infinite,
    refuse_words_among_numbers,
    refuse_written_numbers,
    rows_phrase,
)
from chainrule.data.tables import Table
from chainrule.data.wording import closest, listed, shown
from chainrule.errors import DataError

__all__ = [
    "CategoryFeature",
    "Feature",
    "NumberFeature",
    "codes_among",
    "feature_from_json",
    "in_order",
    "learn_feature",
    "mean_and_scale",
    "numbers_of",
    "standardised",
]

MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class NumberFeature:
    """A number x that enters the network as (x - mean) / scale."""

    name: str
    mean: float
    scale: float

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """The name of the one column that it makes."""
        return (self.name,)

    def encode(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[np.float64]:
        """The column (n, 1) for the network."""
        return standardised(table, column, self.mean, self.scale)

    def to_json(self) -> dict[str, Any]:
        """The feature as pure data."""
        return {"kind": "number", **dataclasses.asdict(self)}


@dataclass(frozen=True)
class CategoryFeature:
    """A category that enters the network as one column for each word, 1 where it stands."""

    name: str
    categories: tuple[str, ...] | tuple[bool, ...]

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """The names of the columns that it makes: ``city=Lyon`` and so on."""
        return tuple(f"{self.name}={_spelled(word)}" for word in self.categories)

    def encode(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[np.float64]:
        """The columns (n, categories) for the network."""
        codes = codes_among(table, column, self.categories, "category")
        encoded = np.zeros((len(codes), len(self.categories)))
        encoded[np.arange(len(codes)), codes] = 1.0
        return encoded

    def to_json(self) -> dict[str, Any]:
        """The feature as pure data."""
        return {"kind": "category", "name": self.name, "categories": list(self.categories)}


Feature = NumberFeature | CategoryFeature


def _spelled(word: Any) -> str:
    return str(word).lower() if isinstance(word, bool) else str(word)


def learn_feature(
    table: Table,
    column: NumberColumn | WordColumn,
    *,
    categorical: bool,
    standardise: bool,
    rows: NDArray[Any] | None,
) -> Feature:
    """How to encode a column; the mean and the scale come from the rows, if they are given."""
    if isinstance(column, NumberColumn) and not categorical:
        refuse_infinite(table, column, "feature")
        mean, scale = mean_and_scale(column.values, rows) if standardise else (0.0, 1.0)
        return NumberFeature(column.name, mean, scale)
    words = column.as_words()
    if not (categorical or words.declared):
        refuse_words_among_numbers(table, words, "feature")
        refuse_written_numbers(table, words, "feature")
    refuse_identifier(table, words, most=MOST_CATEGORIES, declared=categorical or words.declared)
    return CategoryFeature(column.name, in_order(words))


def in_order(column: WordColumn) -> tuple[Any, ...]:
    """The words that stand in the column, sorted, numbers by size; or in their declared order."""
    if column.boolean:
        return column.words
    present = column.counts() > 0
    words = [str(word) for word, is_there in zip(column.words, present, strict=True) if is_there]
    if column.declared:
        return tuple(words)
    values, numeric = column.as_numbers()
    if numeric.all():
        size = {str(word): value for word, value in zip(column.words, values, strict=True)}
        return tuple(sorted(words, key=lambda word: (size[word], word)))
    return tuple(sorted(words))


def mean_and_scale(values: NDArray[Any], rows: NDArray[Any] | None) -> tuple[float, float]:
    """The mean and the standard deviation (over n) of finite values; scale 1 where constant.

    They are those of the given rows, or of all where it is None.

    The deviations are scaled before they are squared, so that tiny ones do not vanish.
    """
    values = (values if rows is None else values[rows]).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 1.0
    mean = float(np.mean(values))
    deviations = values - mean
    largest = float(np.abs(deviations).max())
    scale = largest * float(np.sqrt(np.mean((deviations / largest) ** 2)))
    return mean, scale or largest


def numbers_of(table: Table, column: NumberColumn | WordColumn) -> NDArray[np.float64]:
    """The column as finite float64 (n,); raises DataError where a word stands in it."""
    if isinstance(column, WordColumn):
        refuse_words_among_numbers(table, column, "learned")
        values = np.append(column.as_numbers()[0], np.nan)[column.codes]
        column = NumberColumn(column.name, values)
    refuse_infinite(table, column, "learned")
    return column.values.astype(np.float64)


def standardised(
    table: Table, column: NumberColumn | WordColumn, mean: float, scale: float
) -> NDArray[np.float64]:
    """The column as (x - mean) / scale (n, 1); raises DataError where that overflows."""
    with np.errstate(over="ignore"):
        values = (numbers_of(table, column) - mean) / scale
    wrong = ~np.isfinite(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"The column {shown(column.name)} of {table.name} has a number in {table.place(row)}, "
            f"the first of {int(wrong.sum()):,} such rows of {table.row_count:,}, that lies too "
            f"far from the training data (mean {mean:g}, standard deviation {scale:g}): correct it."
        )
    return values[:, None]


def codes_among(
    table: Table, column: NumberColumn | WordColumn, known: Sequence[Any], noun: str
) -> NDArray[np.int64]:
    """The place (n,) of each row's word among the known ones; raises DataError for another."""
    words = column.as_words()
    spelled = [_word_as(word, known) for word in words.words]
    places = {word: place for place, word in enumerate(known)}
    moved = np.array([places.get(word, -1) for word in spelled] + [-1], np.int64)
    codes = moved[words.codes]
    wrong = codes < 0
    if wrong.any():
        raise _unseen(table, words, wrong, known, noun)
    return codes


def _word_as(word: str | bool, known: Sequence[Any]) -> Any:
    """A word in the form of the known ones: a boolean, a number or a text."""
    if isinstance(known[0], bool):
        spelling = str(word).casefold()
        return {"true": True, "1": True, "false": False, "0": False}.get(spelling)
    if isinstance(known[0], int | float):
        if not NUMBER.fullmatch(str(word)):
            return None
        return int(word) if WHOLE.fullmatch(str(word)) else float(word)
    return _spelled(word)


def _unseen(
    table: Table, words: WordColumn, wrong: NDArray[np.bool_], known: Sequence[Any], noun: str
) -> DataError:
    first = words.words[int(words.codes[np.argmax(wrong)])]
    different = np.unique(words.codes[wrong])
    others: list[Any] = [words.words[code] for code in different if words.words[code] != first]
    also = f" (other new ones are {listed(others, 3)})" if others else ""
    texts = isinstance(known[0], str)
    knows = listed(closest(str(first), known) if texts else known)
    return DataError(
        f"The column {shown(words.name)} of {table.name} has the {noun} {shown(first)}, which the "
        f"model was not trained on, {rows_phrase(table, wrong)}{also}; it knows {knows}: correct "
        "such rows, remove them, or train on data that has them."
    )


def feature_from_json(value: Any, where: str) -> Feature:
    """The feature that `to_json` gave; raises ModelFileError where it cannot be that."""
    kind = value.get("kind") if isinstance(value, dict) else None  # pyright: ignore
    kind = serial.one_of(kind, ("number", "category"), f"{where}.kind")
    if kind == "number":
        found = serial.fields(value, ("kind", "name", "mean", "scale"), where)
        return NumberFeature(
            serial.text(found["name"], f"{where}.name"),
            serial.number(found["mean"], f"{where}.mean"),
            serial.number(found["scale"], f"{where}.scale", positive=True),
        )
    found = serial.fields(value, ("kind", "name", "categories"), where)
    name = serial.text(found["name"], f"{where}.name")
    words = serial.items(found["categories"], f"{where}.categories")
    if words == [False, True] and all(isinstance(word, bool) for word in words):
        return CategoryFeature(name, (False, True))
    categories = serial.texts(words, f"{where}.categories")
    if not categories or len(set(categories)) < len(categories):
        raise serial.refuse(f"{where}.categories", "must be different texts, at least one")
    return CategoryFeature(name, categories)
