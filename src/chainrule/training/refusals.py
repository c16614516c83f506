"""What a recipe asks for in vain: settings without effect, losses that the target does not suit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import BUILTIN_NAMES, Preparation, Table
from chainrule.data.inspection import rows_phrase
from chainrule.data.wording import shown
from chainrule.errors import DataError, SettingError
from chainrule.networks import Network
from chainrule.networks.losses import Loss
from chainrule.training.recipes import Recipe, optimizer_name

__all__ = ["refuse_too_large", "refuse_unsuited", "refuse_without_effect"]

_WHOLE_TABLES = (".parquet", ".pq", ".npz", ".npy")
_COPIES = 6
"""Of the parameters, while they are trained: themselves, gradients, Adam's two, new ones, best."""


def refuse_without_effect(recipe: Recipe) -> None:
    """Raises SettingError for a choice that would silently do nothing."""
    if recipe.data in BUILTIN_NAMES:
        _refuse_for_built_in(recipe)
    else:
        for name in ("samples", "bits", "noise"):
            if getattr(recipe, name) is not None:
                raise SettingError(
                    f"{name}={getattr(recipe, name)} is of the built-in data sets, and "
                    f"{recipe.data} is a file: leave {name}= out."
                )
        if recipe.header is not None and Path(recipe.data).suffix.casefold() in _WHOLE_TABLES:
            raise SettingError(
                f"header= is of text files, and {recipe.data} is none: leave header= out."
            )
    if recipe.validation and recipe.validation_data is not None:
        raise SettingError(
            f"validation={recipe.validation:g} holds rows out of {recipe.data}, and "
            f"validation_data={recipe.validation_data!r} brings others: leave one of the two out."
        )
    if recipe.hidden == ():
        if recipe.activation is not None:
            raise SettingError(
                f"activation={','.join(recipe.activation)!r} is of hidden layers, and there is "
                "none: leave activation= out, or say how wide they are with hidden=."
            )
        if any(recipe.dropout):
            raise SettingError(
                "dropout= drops hidden units, and there is none: leave dropout= out, or say how "
                "many there are with hidden=."
            )
    if recipe.optimizer is not None and optimizer_name(recipe.optimizer) == "lbfgs":
        for name in ("learning_rate", "batch_size"):
            if getattr(recipe, name) is not None:
                raise SettingError(
                    f"{name}={getattr(recipe, name):g} has no effect on L-BFGS, which takes all "
                    f"rows at once and finds its steps by itself: leave {name}= out, or use "
                    "another optimizer."
                )


def _refuse_for_built_in(recipe: Recipe) -> None:
    given = {
        "target": recipe.target,
        "task": recipe.task,
        "drop": recipe.drop,
        "categorical": recipe.categorical,
        "header": recipe.header,
    }
    for name, value in given.items():
        if value not in (None, ()):
            raise SettingError(
                f"{name}= is of tables, and the built-in data set {recipe.data} says by itself "
                f"what its columns are: leave {name}= out."
            )


_SUITED = {
    "fractions": "numbers from 0 to 1",
    "labels": "0 and 1 alone",
    "counts": "numbers of 0 or more",
}


def _unsuited(targets: str, y: NDArray[Any]) -> NDArray[np.bool_]:
    """Which targets (n,) a loss of that kind cannot take."""
    if targets == "labels":
        return (y != 0) & (y != 1)
    return (y < 0) | (y > (1 if targets == "fractions" else np.inf))


def refuse_unsuited(criterion: Loss, option: str, table: Table, preparation: Preparation) -> None:
    """Raises DataError for a loss that cannot be computed from the table's target."""
    target = f"the column {shown(preparation.target_name)} of {table.name}"
    if criterion.targets == "classes" and preparation.output_count == 1:
        if preparation.task == "classification":
            raise DataError(
                f"{option}={criterion.text!r} is of three classes or more, and {target} has two: "
                f"use {option}='binary_cross_entropy'."
            )
        raise DataError(
            f"{option}={criterion.text!r} is of classes, and {target} is taken for a number: use "
            f"another loss, such as {option}='squared_error', or task='classification'."
        )
    if preparation.task == "classification" or criterion.targets not in _SUITED:
        return
    words = _SUITED[criterion.targets]
    values = preparation.target_values(table)
    wrong = _unsuited(criterion.targets, values)
    if wrong.any():
        first = float(values[np.argmax(wrong)])
        raise DataError(
            f"{option}={criterion.text!r} takes {words}, and {target} has {first:g} "
            f"{rows_phrase(table, wrong)}: use another loss, such as {option}='squared_error', or "
            "another target."
        )


def refuse_too_large(network: Network, dtype: str) -> None:
    """Raises SettingError for a network that the machine's memory cannot hold while it learns."""
    needed = _COPIES * network.count * np.dtype(dtype).itemsize
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return
    if needed > there:
        sizes = "-".join(str(size) for size in network.sizes)
        raise SettingError(
            f"The network {sizes} has {network.count:,} parameters, which need {needed / 1e9:,.0f} "
            f"GB of memory to learn, and this machine has {there / 1e9:,.0f} GB. Use narrower "
            "hidden layers."
        )
