"""What the network is to say: a class or a number, found from the target column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data import serial
from chainrule.data.columns import NumberColumn, WordColumn
from chainrule.data.features import (
    codes_among,
    in_order,
    mean_and_scale,
    numbers_of,
    standardised,
)
from chainrule.data.inspection import (
    refuse_infinite,
    refuse_words_among_numbers,
    refuse_written_numbers,
)
from chainrule.data.tables import Table
from chainrule.data.wording import a_number_of, listed, shown
from chainrule.errors import DataError, SettingError

__all__ = ["ClassTarget", "NumberTarget", "Target", "Task", "learn_target", "target_from_json"]

Task = Literal["classification", "regression"]
MOST_WHOLE_CLASSES = 20


@dataclass(frozen=True)
class ClassTarget:
    """Classes: one 0/1 output for two of them, one output each for more.

    ``labels`` are texts, whole or other numbers, or ``(False, True)``, in the order of outputs.
    """

    name: str
    labels: tuple[Any, ...]

    @property
    def output_count(self) -> int:
        """The number of outputs: 1 for two classes."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    def encode(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[np.float64]:
        """The target y (n, 1) of 0 and 1 for two classes, (n, classes) one-hot for more."""
        codes = codes_among(table, column, self.labels, "class")
        if self.output_count == 1:
            return codes[:, None].astype(np.float64)
        encoded = np.zeros((len(codes), len(self.labels)))
        encoded[np.arange(len(codes)), codes] = 1.0
        return encoded

    def values(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[Any]:
        """The labels (n,) that stand in the table."""
        return self._labels()[codes_among(table, column, self.labels, "class")]

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The probability (n, classes) of each class, from outputs (n, 1) or (n, classes)."""
        p = np.asarray(outputs, np.float64)
        return np.concatenate([1 - p, p], axis=1) if self.output_count == 1 else p

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The label (n,) of the most probable class, the first of equal ones."""
        return self._labels()[np.argmax(self.probabilities(outputs), axis=1)]

    def _labels(self) -> NDArray[Any]:
        if isinstance(self.labels[0], str):
            labels = np.empty(len(self.labels), object)
            labels[:] = self.labels
            # A NumPy text drops zero characters at its end, which objects keep.
            return labels if any(label.endswith("\0") for label in labels) else labels.astype(str)
        return np.array(self.labels)

    def to_json(self) -> dict[str, Any]:
        """The target as pure data."""
        return {"kind": "class", "name": self.name, "labels": list(self.labels)}


@dataclass(frozen=True)
class NumberTarget:
    """A number y that the network gives as (y - mean) / scale."""

    name: str
    mean: float
    scale: float

    @property
    def output_count(self) -> int:
        """The number of outputs: 1."""
        return 1

    def encode(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[np.float64]:
        """The target y (n, 1), standardised."""
        return standardised(table, column, self.mean, self.scale)

    def values(self, table: Table, column: NumberColumn | WordColumn) -> NDArray[Any]:
        """The numbers (n,) that stand in the table."""
        return numbers_of(table, column)

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The numbers (n,) that outputs (n, 1) stand for."""
        return np.asarray(outputs, np.float64)[:, 0] * self.scale + self.mean

    def to_json(self) -> dict[str, Any]:
        """The target as pure data."""
        return {"kind": "number", "name": self.name, "mean": self.mean, "scale": self.scale}


Target = ClassTarget | NumberTarget


def learn_target(
    table: Table,
    column: NumberColumn | WordColumn,
    *,
    task: Task | None,
    categorical: bool,
    standardise: bool,
    rows: NDArray[Any] | None,
) -> tuple[Target, str]:
    """How to encode the target, and in a clause why it is classes or a number."""
    if task not in (None, "classification", "regression"):
        raise SettingError(
            f"The task is {shown(task)}, and must be 'classification' or 'regression'."
        )
    if isinstance(column, WordColumn):
        classes = task == "classification" or categorical or column.declared
        _refuse_words(table, column, task, chosen=classes)
        return _learn_classes(table, column, in_order(column)), "its values are texts"
    refuse_infinite(table, column, "target")
    different = np.unique(column.values)
    _refuse_constant(table, column, different)
    if categorical and task is None:
        task = "classification"
    if task is None:
        task, reason = _found_task(different, table.row_count)
    else:
        reason = "that was chosen"
    if task == "classification":
        whole = all(float(value).is_integer() for value in different)
        labels = tuple(int(v) if whole else float(v) for v in different.tolist())
        return _learn_classes(table, column, labels), reason
    mean, scale = mean_and_scale(column.values, rows)
    return NumberTarget(column.name, *((mean, scale) if standardise else (0.0, 1.0))), reason


def _found_task(different: NDArray[Any], rows: int) -> tuple[Task, str]:
    """The rule: few whole numbers are classes, all other numbers are values.

    Few are two, or up to 20 where each stands in four rows on average.
    """
    whole = bool((different == np.floor(different)).all())
    few = len(different) <= min(MOST_WHOLE_CLASSES, max(2, rows // 4))
    if whole and few:
        return "classification", f"it has {len(different)} different whole numbers"
    kind = "whole numbers" if whole else "numbers"
    return "regression", f"it has {len(different):,} different {kind}"


def _refuse_words(table: Table, column: WordColumn, task: Task | None, *, chosen: bool) -> None:
    """Raises where a target of texts is constant, or is no target for the task."""
    if task == "regression":
        refuse_words_among_numbers(table, column, "target")
        first = int(np.argmax(column.codes >= 0))
        raise DataError(
            f"The target column {shown(column.name)} of {table.name} has texts, such as "
            f"{shown(column.words[column.codes[first]])} in {table.place(first)}, in all "
            f"{a_number_of(table.row_count, 'row')}, and a regression needs numbers: use "
            f"{table.option('task', 'classification')}, or choose another target."
        )
    _refuse_constant(table, column, np.unique(column.codes))
    if not chosen:
        refuse_words_among_numbers(table, column, "target")
        refuse_written_numbers(table, column, "target")


def _refuse_constant(
    table: Table, column: NumberColumn | WordColumn, different: NDArray[Any]
) -> None:
    if len(different) > 1:
        return
    value = different[0] if isinstance(column, NumberColumn) else column.words[int(different[0])]
    others = [name for name in table.column_names if name != column.name]
    raise DataError(
        f"The target column {shown(column.name)} of {table.name} has the one value {shown(value)} "
        f"in all {a_number_of(table.row_count, 'row')}, from row 1 on, so there is nothing to "
        f"learn: choose another column with {table.option('target', others[-1])} or the like."
        if table.row_count > 1
        else f"{table.title} has only 1 row, so there is nothing to learn: add rows of values."
    )


def _learn_classes(
    table: Table, column: NumberColumn | WordColumn, labels: tuple[Any, ...]
) -> ClassTarget:
    rows = table.row_count
    if len(labels) > max(3, rows // 2):
        codes = codes_among(table, column, labels, "class")
        counts = np.bincount(codes)
        lone = counts[codes] == 1
        where = ""
        if lone.any():
            first = int(np.argmax(lone))
            where = (
                f", and {shown(labels[codes[first]])} in {table.place(first)} is the first of "
                f"{int(lone.sum()):,} that stand only once"
            )
        number = isinstance(column, NumberColumn)
        other = f"use {table.option('task', 'regression')}, or " if number else ""
        raise DataError(
            f"The target column {shown(column.name)} of {table.name} has {len(labels):,} classes "
            f"in {a_number_of(rows, 'row')} ({listed(labels, 3)}){where}, too many to learn any: "
            f"if it is a name or an identifier, choose another column with "
            f"{table.option('target', 'COLUMN')}; else {other}add rows."
        )
    return ClassTarget(column.name, labels)


def target_from_json(value: Any, where: str) -> Target:
    """The target that `to_json` gave; raises ModelFileError where it cannot be that."""
    kind = value.get("kind") if isinstance(value, dict) else None  # pyright: ignore
    if serial.one_of(kind, ("class", "number"), f"{where}.kind") == "number":
        found = serial.fields(value, ("kind", "name", "mean", "scale"), where)
        return NumberTarget(
            serial.text(found["name"], f"{where}.name"),
            serial.number(found["mean"], f"{where}.mean"),
            serial.number(found["scale"], f"{where}.scale", positive=True),
        )
    found = serial.fields(value, ("kind", "name", "labels"), where)
    name = serial.text(found["name"], f"{where}.name")
    labels = serial.items(found["labels"], f"{where}.labels")
    kinds: set[type] = set(map(type, labels))
    if len(labels) < 2 or len(kinds) != 1 or not kinds <= {str, int, float, bool}:
        raise serial.refuse(f"{where}.labels", "must be two or more texts or numbers")
    if kinds <= {int, float}:
        for place, label in enumerate(labels):
            serial.number(label, f"{where}.labels[{place}]")
    if len(set(labels)) < len(labels) or (kinds == {bool} and labels != [False, True]):
        raise serial.refuse(f"{where}.labels", "must differ, in the order in which they were saved")
    return ClassTarget(name, tuple(labels))
