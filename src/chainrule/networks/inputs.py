"""The shapes and values that a network is given, checked before anything is computed.

Shapes are checked at every call, traced or not; values only in `check_values`, on real arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError, SettingError
from chainrule.networks.losses import Loss

__all__ = [
    "all_finite",
    "check_inputs",
    "check_masks",
    "check_parameters",
    "check_targets",
    "check_values",
    "check_weight",
]

_BLOCK = 1 << 20
"""How many numbers are looked at together."""


def check_inputs(X: Any, width: int) -> None:
    """Raises DataError unless ``X`` has shape ``(n, width)`` with ``n`` at least 1."""
    if X.ndim != 2:
        advice = (
            f"For one sample, write X.reshape(1, {width}); for one feature, X.reshape(-1, 1)."
            if X.ndim < 2
            else f"Flatten each sample first: X.reshape(len(X), {width})."
        )
        raise DataError(
            f"X has shape {X.shape}; the network takes one row per sample, (n, {width}). {advice}"
        )
    if X.shape[1] != width:
        raise DataError(
            f"X has {X.shape[1]} columns, shape {X.shape}, but the network takes {width} inputs. "
            f"Give it {width} columns, or make the network with sizes=[{X.shape[1]}, …]."
        )
    if X.shape[0] == 0:
        raise DataError(f"X has no rows, shape {X.shape}; there is nothing to compute.")


def check_parameters(parameters: Mapping[str, Any], shapes: Mapping[str, tuple[int, int]]) -> None:
    """Raises SettingError unless the parameters have just these names and shapes."""
    missing = [name for name in shapes if name not in parameters]
    extra = [name for name in parameters if name not in shapes]
    if missing or extra:
        parts = ["lack " + ", ".join(missing)] if missing else []
        parts += ["have also " + ", ".join(map(str, extra))] if extra else []
        raise SettingError(
            f"The parameters {' and '.join(parts)}. "
            f"This network has {', '.join(shapes)}; initialize(seed) makes them."
        )
    for name, shape in shapes.items():
        if parameters[name].shape != shape:
            raise SettingError(
                f"The parameter {name} has shape {parameters[name].shape}, "
                f"but this network's {name} has shape {shape}."
            )


def check_masks(masks: Mapping[str, Any], shapes: Mapping[str, tuple[int, int]]) -> None:
    """Raises SettingError unless every dropout mask is one of a hidden layer, in its shape."""
    for name, mask in masks.items():
        if name not in shapes or mask.shape != shapes[name]:
            takes = ", ".join(f"{key} of shape {shape}" for key, shape in shapes.items()) or "none"
            raise SettingError(
                f"The dropout mask {name} has shape {mask.shape}, but the masks this network takes "
                f"for these rows are: {takes}. dropout_masks(rng, n) makes them."
            )


def check_targets(y: Any, n: int, width: int, chosen: Loss) -> None:
    """Raises DataError unless ``y`` has the shape that the loss compares with ``(n, width)``."""
    if chosen.targets == "classes" and y.ndim == 1:
        if y.shape[0] != n:
            raise DataError(f"X has {n} rows, but y has {y.shape[0]} class numbers.")
        if y.dtype.kind not in "iu":
            raise DataError(
                f"y has shape {y.shape} and dtype {y.dtype}; class numbers are integers "
                f"0 … {width - 1}. Write y.astype(int), or one-hot rows of shape ({n}, {width})."
            )
        return
    if y.shape == (n, width):
        return
    message = (
        f"y has shape {y.shape}, but the network's output has shape ({n}, {width}) for this X. "
    )
    if chosen.targets == "classes" and y.ndim == 2 and y.shape[1] == 1:
        message += f"For class numbers, write y.ravel(), shape ({y.shape[0]},)."
    elif y.ndim == 1 and width == 1 and y.shape[0] == n:
        message += (
            f"NumPy would broadcast the two to ({n}, {n}) and compare every target with every "
            f"output. Write y.reshape(-1, 1)."
        )
    elif y.ndim >= 1 and y.shape[0] != n:
        message += f"X has {n} rows and y has {y.shape[0]}: give one target per row of X."
    elif y.ndim == 1:
        message += f"Give one row of {width} targets per sample."
    else:
        message += f"Give {width} target{'s' if width > 1 else ''} per sample"
        message += f", or make the last of sizes {y.shape[1]}." if y.ndim == 2 else "."
    raise DataError(message)


def check_weight(weight: Any, n: int) -> None:
    """Raises DataError unless ``weight`` has shape ``(n,)``."""
    if weight.shape != (n,):
        raise DataError(
            f"The sample weights have shape {weight.shape}, but X has {n} rows: "
            f"give shape ({n},), one weight per row."
        )


def check_values(X: NDArray[Any], y: NDArray[Any], width: int, chosen: Loss) -> None:
    """Raises DataError at the first value that the network or its loss cannot use."""
    for name, values in (("X", X), ("y", y)):
        if values.dtype.kind not in "biuf":
            raise DataError(f"{name} has dtype {values.dtype}; it must hold real numbers.")
        if not all_finite(values):
            advice = "Remove or fill such rows."
            _refuse(name, values, ~np.isfinite(values), "is not finite", advice)
    wanted = chosen.text
    if chosen.targets == "classes" and y.ndim == 1:
        wrong = (y < 0) | (y >= width)
        _refuse("y", y, wrong, f"is no class number 0 … {width - 1}", f"The output has {width}.")
    elif chosen.targets in ("fractions", "classes"):
        advice = "Targets of -1 and 1 become 0 and 1 by (y + 1) / 2."
        _refuse("y", y, (y < 0) | (y > 1), f"is not from 0 to 1, as {wanted} needs", advice)
        if chosen.targets == "classes":
            _check_rows_sum_to_one(y)
    elif chosen.targets == "labels":
        advice = "Targets of -1 and 1 become 0 and 1 by (y + 1) / 2."
        _refuse("y", y, (y != 0) & (y != 1), f"is neither 0 nor 1, as {wanted} needs", advice)
    elif chosen.targets == "counts":
        _refuse("y", y, y < 0, f"is negative; {wanted} needs counts", "Use another loss.")


def all_finite(values: NDArray[Any]) -> bool:
    """Whether every number is finite, looked at in blocks: the array may be as large as a disk.

    >>> all_finite(np.array([[1.0, np.inf]]))
    False
    """
    rows = max(1, _BLOCK // max(1, values[:1].size))
    return all(np.isfinite(values[i : i + rows]).all() for i in range(0, len(values), rows))


def _check_rows_sum_to_one(y: NDArray[Any]) -> None:
    wrong = np.abs(y.sum(axis=1) - 1) > 1e-3
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"Row {row} of y, counted from 0, sums to {y[row].sum():g}; the rows of one-hot "
            f"targets sum to 1 ({int(wrong.sum())} of {len(y)} rows do not). For several labels "
            f"per sample, use the loss 'binary_cross_entropy'."
        )


def _refuse(name: str, values: NDArray[Any], wrong: NDArray[Any], what: str, advice: str) -> None:
    if not wrong.any():
        return
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    at = ", ".join(map(str, place))
    raise DataError(
        f"{name}[{at}] = {values[place]} {what} "
        f"({int(wrong.sum())} of {values.size} values). {advice}"
    )
