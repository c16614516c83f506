"""From a table to a network's arrays and back: learned once, saved, applied the same by all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import serial
from chainrule.data.builtin import Dataset
from chainrule.data.features import (
    Feature,
    NumberFeature,
    feature_from_json,
    learn_feature,
)
from chainrule.data.inspection import refuse_missing, usable
from chainrule.data.notes import notes_on
from chainrule.data.tables import Table
from chainrule.data.targets import (
    ClassTarget,
    NumberTarget,
    Target,
    Task,
    learn_target,
    target_from_json,
)
from chainrule.data.wording import closest_phrase, listed, shown
from chainrule.errors import DataError

__all__ = ["Preparation"]


@dataclass(frozen=True)
class Preparation:
    """What was learned from the training table about its columns.

    ``features`` and ``target`` say how each column is encoded, in order. ``task_reason`` is a
    clause that says why the task is what it is, and ``notes`` are sentences that a person should
    read after learning.

    >>> from chainrule.data import read_table
    >>> table = read_table({"size": [1.0, 3.0], "city": ["Lyon", "Brest"], "ill": ["no", "yes"]})
    >>> preparation = Preparation.learn(table)
    >>> preparation.feature_names
    ('size', 'city=Brest', 'city=Lyon')
    >>> preparation.transform_features(table)
    array([[-1.,  0.,  1.],
           [ 1.,  1.,  0.]])
    >>> preparation.decode(np.array([[0.2], [0.9]])).tolist()
    ['no', 'yes']
    """

    features: tuple[Feature, ...]
    target: Target
    task_reason: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def learn(
        cls,
        table: Table,
        target: str | None = None,
        task: Task | None = None,
        *,
        drop: Sequence[str] = (),
        categorical: Sequence[str] = (),
        standardise: bool = True,
        standardise_target: bool | None = None,
        rows: NDArray[Any] | None = None,
    ) -> Preparation:
        """Finds out how to encode a table.

        The target is the column ``target``, or the one that the table names (y of a pair), or the
        last. It is one of classes where it holds texts, booleans or a declared category, or whole
        numbers of which there are few: two, or up to 20 where each stands in four rows on
        average. Any other target is a number. ``task`` overrides that.

        A feature of numbers becomes (x - mean) / scale, with the mean and the standard deviation
        over the rows, or stays as it is where ``standardise`` is False; so does a number to
        predict, unless ``standardise_target`` says otherwise, as for counts; texts, booleans and
        declared categories become one 0/1 column for each category, in sorted order. Texts that
        are all numbers count as numbers. ``categorical`` names columns that are categories
        whatever they look like; ``drop`` names columns to leave out. ``rows`` are those that will
        train, if not all will: means and deviations come from these alone, while categories and
        labels come from the whole table, so that a validation row never has an unseen one.

        Raises DataError, with one sentence that names the table, the column, the first row, how
        many rows, and what to do, where the table cannot be learned from.
        """
        names = _kept_names(table, drop)
        for name in categorical:
            table.column(name, ", which was to be a category")
        name = _target_name(table, names, target, drop)
        features = [feature for feature in names if feature != name]
        if not features:
            raise DataError(_lone_column(table, name, dropped=bool(drop)))
        refuse_missing(table, names, {name: "target"})
        learned_target, reason = learn_target(
            table,
            usable(table, name, "target"),
            task=task,
            categorical=name in categorical,
            standardise=standardise if standardise_target is None else standardise_target,
            rows=rows,
        )
        columns = [usable(table, feature) for feature in features]
        learned = tuple(
            learn_feature(
                table,
                column,
                categorical=column.name in categorical,
                standardise=standardise,
                rows=rows,
            )
            for column in columns
        )
        notes = (*table.notes, *notes_on(table, columns))
        return cls(learned, learned_target, reason, notes)

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Preparation:
        """The preparation that leaves a built-in data set's numbers as they are.

        >>> from chainrule.data import builtin, read_table
        >>> xor = builtin("xor")
        >>> preparation = Preparation.of_dataset(xor)
        >>> bool((preparation.transform_features(read_table(xor)) == xor.X).all())
        True
        """
        features = tuple(NumberFeature(name, 0.0, 1.0) for name in dataset.feature_names)
        if dataset.class_labels is None:
            target: Target = NumberTarget(dataset.target_name, 0.0, 1.0)
        else:
            target = ClassTarget(dataset.target_name, dataset.class_labels)
        return cls(features, target, "the data set says so")

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"regression"``."""
        return "classification" if isinstance(self.target, ClassTarget) else "regression"

    @property
    def target_name(self) -> str:
        """The name of the target column."""
        return self.target.name

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """The class labels in the order of the outputs, or None for a regression."""
        return self.target.labels if isinstance(self.target, ClassTarget) else None

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns that a table must have for a prediction."""
        return tuple(feature.name for feature in self.features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the network's inputs: a column's name, or ``city=Lyon`` of a category."""
        return tuple(name for feature in self.features for name in feature.encoded_names)

    @property
    def input_count(self) -> int:
        """The number of the network's inputs."""
        return len(self.feature_names)

    @property
    def output_count(self) -> int:
        """The number of the network's outputs: 1 for two classes or a number."""
        return self.target.output_count

    def transform_features(self, table: Table) -> NDArray[np.float64]:
        """X (n, inputs) for the network. The order of columns does not matter, nor do more of them.

        Raises DataError where a column or a value is missing, a number is infinite or a text, or
        a category is new.
        """
        missing = [name for name in self.column_names if name not in table.columns]
        if missing:
            raise DataError(_lacking(table, missing))
        refuse_missing(table, self.column_names, dict.fromkeys(self.column_names, "learned"))
        X = np.empty((table.row_count, self.input_count))
        start = 0
        for feature in self.features:
            encoded = feature.encode(table, usable(table, feature.name, "learned"))
            X[:, start : start + encoded.shape[1]] = encoded
            start += encoded.shape[1]
        return X

    def transform_target(self, table: Table) -> NDArray[np.float64]:
        """The target y (n, outputs): 0/1, one-hot for more than two classes, or standardised."""
        return self.target.encode(table, self._target_column(table))

    def target_values(self, table: Table) -> NDArray[Any]:
        """The labels or numbers (n,) of the table's target, to compare with `decode`."""
        return self.target.values(table, self._target_column(table))

    def has_target(self, table: Table) -> bool:
        """Whether the table has the target column, so that predictions can be scored."""
        return self.target_name in table.columns

    def _target_column(self, table: Table) -> Any:
        column = usable(table, self.target_name, "target", ", which is the target")
        refuse_missing(table, [self.target_name], {self.target_name: "target"})
        return column

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The label or the number (n,) that each row of outputs stands for.

        ``outputs`` (n, outputs), or (n,) for one output, are on the scale of `transform_target`:
        the probability of the second of two classes, or of each class, or a standardised number.
        """
        return self.target.decode(self._checked(outputs))

    def probabilities(self, outputs: NDArray[Any]) -> dict[Any, NDArray[np.float64]]:
        """The probability (n,) of each class by its label; raises DataError for a regression."""
        if not isinstance(self.target, ClassTarget):
            raise DataError(
                f"The target {shown(self.target_name)} is a number: it has no probabilities."
            )
        columns = self.target.probabilities(self._checked(outputs)).T
        return dict(zip(self.target.labels, columns, strict=True))

    def _checked(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        outputs = np.asarray(outputs, np.float64)
        if outputs.ndim == 1 and self.output_count == 1:
            outputs = outputs[:, None]
        if outputs.ndim != 2 or outputs.shape[1] != self.output_count:
            raise DataError(
                f"The outputs have the shape {outputs.shape}, and the target "
                f"{shown(self.target_name)} needs (n, {self.output_count})."
            )
        unknown = np.isnan(outputs).any(axis=1)
        if unknown.any():
            raise DataError(
                f"The network's output is not a number in row {int(np.argmax(unknown)) + 1}, the "
                f"first of {int(unknown.sum()):,} such rows of {len(outputs):,}: its parameters "
                "have diverged or the input is far outside the training data."
            )
        return outputs

    def to_json(self) -> dict[str, Any]:
        """The preparation as pure data: dicts, lists, texts, numbers and booleans."""
        return {
            "features": [feature.to_json() for feature in self.features],
            "target": self.target.to_json(),
            "task_reason": self.task_reason,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Any) -> Preparation:
        """The preparation that `to_json` gave, once every value in it has been checked.

        Raises ModelFileError where a key is missing or unknown, or a value is not what it must be.
        """
        found = serial.fields(data, ("features", "target", "task_reason", "notes"), "it")
        features = tuple(
            feature_from_json(feature, f"features[{place}]")
            for place, feature in enumerate(serial.items(found["features"], "features"))
        )
        target = target_from_json(found["target"], "target")
        names = [feature.name for feature in features]
        if not names or len({*names, target.name}) <= len(names):
            raise serial.refuse("features", "must have names that differ, at least one")
        return cls(
            features,
            target,
            serial.text(found["task_reason"], "task_reason"),
            serial.texts(found["notes"], "notes"),
        )


def _kept_names(table: Table, drop: Sequence[str]) -> list[str]:
    for name in drop:
        table.column(name, " to leave out")
    return [name for name in table.column_names if name not in drop]


def _target_name(table: Table, names: list[str], target: str | None, drop: Sequence[str]) -> str:
    if target is not None:
        table.column(target, " to be the target")
        if target in drop:
            raise DataError(
                f"The column {shown(target)} of {table.name} is both the target and left out: "
                "leave out another."
            )
        return target
    if not names:
        raise DataError(f"All columns of {table.name} are left out: leave out fewer.")
    return table.target if table.target in names else names[-1]


def _lone_column(table: Table, name: str, *, dropped: bool) -> str:
    if dropped:
        return (
            f"{table.title} has only the target column {shown(name)} when the others are left "
            "out: leave out fewer."
        )
    hint = ""
    if any(mark in name for mark in " :^~"):
        hint = " (if its columns stand apart by another sign, write commas between them)"
    return (
        f"{table.title} has only one column, {shown(name)}{hint}: a network needs at least one "
        "feature beside the target."
    )


def _lacking(table: Table, missing: list[str]) -> str:
    lacks = f"the column {shown(missing[0])}"
    if len(missing) > 1:
        lacks = f"the columns {listed(missing)} ({len(missing)} in all)"
    near = closest_phrase(missing[0], table.column_names)
    of_first = f" to {shown(missing[0])}" if len(missing) > 1 else ""
    return (
        f"{table.title} lacks {lacks}, which the model was trained on: add it or correct the "
        f"name; of its columns, {near.replace('the closest', f'the closest{of_first}', 1)}."
    )
