"""What a run learns from, as arrays: checked, of one dtype, split from what validates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.data import split
from chainrule.errors import DataError, SettingError
from chainrule.networks import Network
from chainrule.networks.inputs import all_finite, check_targets, check_values
from chainrule.networks.losses import Loss
from chainrule.pytrees import flatten
from chainrule.tracer import is_masked

__all__ = ["Samples", "check_reported", "chosen_dtype"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Samples:
    """Inputs and targets to train on, and those to validate on, if there are any."""

    X: Array
    y: Array | None
    validation: tuple[Array, Array | None] | None = None

    @classmethod
    def of(
        cls,
        model: Any,
        X: Any,
        y: Any,
        dtype: np.dtype[Any],
        validation: Any = None,
        seed: int = 0,
        task: str | None = None,
    ) -> Samples:
        """The samples that the arguments of `chainrule.train` describe.

        Raises DataError for data that cannot be trained on, SettingError for an impossible split.
        """
        X, y = _pair(model, X, y, dtype, "")
        if isinstance(validation, tuple | list):
            given = list(cast("tuple[Any, ...]", validation))
            if len(given) != 2:
                raise SettingError(
                    f"validation holds {len(given)} values: give the pair (X, y), or a fraction."
                )
            return cls(X, y, _pair(model, given[0], given[1], dtype, "validation "))
        if validation is None or validation is False:
            return cls(X, y)
        if isinstance(validation, bool) or not isinstance(validation, float | int | np.number):
            raise SettingError(
                f"validation={validation!r} cannot be used: give a fraction from 0 up to, but not "
                "including, 1, the pair (X, y), or None."
            )
        kept, held = split(len(X), float(cast(Any, validation)), seed, _labels(model, y, task))
        if not len(held):
            return cls(X, y)
        taken = (X[held], None if y is None else y[held])
        return cls(X[kept], None if y is None else y[kept], taken)

    @property
    def digest(self) -> str:
        """A fingerprint of all the numbers, by which a checkpoint knows its data."""
        summary = hashlib.sha256()
        for array in (self.X, self.y, *(self.validation or ())):
            if array is not None:
                summary.update(repr((array.shape, array.dtype.str)).encode())
                flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                summary.update(memoryview(flat))
        return summary.hexdigest()[:16]


def chosen_dtype(X: Any, dtype: DTypeLike | None, parameters: Any) -> np.dtype[Any]:
    """The dtype to compute in: the one asked for, or that of the parameters, or of the inputs.

    Raises SettingError for any but float64 and float32.
    """
    allowed = (np.dtype(np.float64), np.dtype(np.float32))
    if dtype is not None:
        try:
            chosen: np.dtype[Any] = np.dtype(dtype)
        except TypeError:
            chosen = np.dtype(object)
        if chosen not in allowed:
            raise SettingError(f"dtype={dtype!r} is not offered: use 'float64' or 'float32'.")
        return chosen
    kinds = {getattr(leaf, "dtype", np.dtype(np.float64)) for leaf in flatten(parameters)[0]}
    if len(kinds) == 1:
        return next(iter(kinds)) if kinds <= set(allowed) else allowed[0]
    if not kinds and getattr(X, "dtype", None) == np.float32:
        return allowed[1]
    return allowed[0]


def check_reported(model: Network, report: Loss, samples: Samples) -> None:
    """Refuse targets that the loss minimised takes and the loss reported does not."""
    for X, y in filter(None, ((samples.X, samples.y), samples.validation)):
        assert y is not None
        if y.ndim == 1 and report.targets != "classes":
            raise DataError(
                f"y holds class numbers, shape {y.shape}, which report={report.text!r} cannot be "
                "computed from. Give one-hot rows instead, such as np.eye(classes)[y]."
            )
        try:
            check_targets(y, len(X), model.sizes[-1], report)
            check_values(X, y, model.sizes[-1], report)
        except DataError as error:
            raise DataError(f"For report={report.text!r}: {error}") from None


def _labels(model: Any, y: Array | None, task: str | None) -> Array | None:
    """The classes to share out evenly between the two parts of a split, if there are any."""
    targets = model.criterion.targets if isinstance(model, Network) else "values"
    if y is None or not (task == "classification" or targets in ("classes", "labels")):
        return None
    return np.argmax(y, axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.reshape(y, -1)


def _pair(
    model: Any, X: Any, y: Any, dtype: np.dtype[Any], which: str
) -> tuple[Array, Array | None]:
    inputs, targets = (f"The {which}{name}" if which else name for name in ("X", "y"))
    X = _numbers(X, inputs)
    if X.ndim == 0 or not len(X):
        raise DataError(f"{inputs} has shape {X.shape}: it holds no samples.")
    if X.dtype.kind == "f" or isinstance(model, Network):
        X = np.ascontiguousarray(X, dtype=dtype)
    if y is None:
        if isinstance(model, Network):
            raise DataError(f"{targets} is missing: a network learns from targets, one per sample.")
        return X, None
    y = _numbers(y, targets)
    if y.ndim == 0 or len(y) != len(X):
        raise DataError(
            f"{inputs} has {len(X)} samples (shape {X.shape}), and its y has shape {y.shape}: give "
            "one target per sample."
        )
    if not isinstance(model, Network):
        return X, y.astype(dtype, copy=False) if y.dtype.kind == "f" else y
    y = _targets(model, y, dtype)
    try:
        model.check_data(X, y)
    except DataError as error:
        raise DataError(f"In the {which}data: {error}" if which else str(error)) from None
    return X, y


def _targets(model: Network, y: Array, dtype: np.dtype[Any]) -> Array:
    """Targets in the shape that the network's outputs have, where only one can be meant."""
    width = model.sizes[-1]
    if model.criterion.targets == "classes" and width > 1:
        numbers = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if numbers.ndim == 1 and (numbers.dtype.kind != "f" or np.all(numbers == np.rint(numbers))):
            return numbers.astype(np.int64, copy=False)
    if width == 1 and y.ndim == 1:
        y = y[:, np.newaxis]
    return np.ascontiguousarray(y, dtype=None if y.ndim == 1 else dtype)


def _numbers(values: Any, what: str) -> Array:
    if is_masked(values):
        raise DataError(f"{what} is a masked array. Fill or remove the masked values first.")
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise DataError(f"{what} is a sparse matrix. Give its numbers: {what[-1]}.toarray().")
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError(
            f"{what} holds rows of different lengths, so it is no array of numbers. Give every "
            "sample as many numbers."
        ) from None
    if array.dtype.kind == "c":
        raise DataError(f"{what} has complex numbers. Give real and imaginary parts as columns.")
    if array.dtype.kind == "O":
        array = _from_objects(array)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{what} has dtype {array.dtype}: training takes numbers. Encode texts and categories "
            "first, for example with chainrule.data.Preparation."
        )
    if array.dtype.kind == "f" and not all_finite(np.atleast_1d(array)):
        wrong = ~np.isfinite(array)
        count = int(wrong.sum())
        row = int(np.argwhere(wrong)[0][0]) if array.ndim else 0
        raise DataError(
            f"{what} holds {count} value{'s' if count > 1 else ''} that "
            f"{'are' if count > 1 else 'is'} missing or infinite, the first in row {row}, "
            "counted from 0. Remove or replace them."
        )
    return array


def _from_objects(array: Array) -> Array:
    """An array of Python numbers, as a frame with columns of several kinds gives, as floats."""
    kinds = (bool, int, float, np.number, np.bool_, type(None))
    if not all(isinstance(value, kinds) for value in array.flat):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array
