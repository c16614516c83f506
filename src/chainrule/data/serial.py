"""Checked access to what a JSON file holds: each value's type is looked at before it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from chainrule.data.wording import listed, shown
from chainrule.errors import ModelFileError

__all__ = ["fields", "items", "number", "one_of", "refuse", "text", "texts"]


def refuse(where: str, problem: str) -> ModelFileError:
    """The error for a value that is not what was written there."""
    return ModelFileError(
        f"The saved preparation of the data is damaged: {where} {problem}. Train and save the "
        "model again."
    )


def fields(value: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """The value as a dict that has exactly these keys."""
    if not isinstance(value, dict):
        raise refuse(where, f"is {_kind(value)} and must be an object")
    found = cast("dict[Any, Any]", value)
    missing = [name for name in names if name not in found]
    unknown = [key for key in found if key not in names]
    if missing:
        raise refuse(where, f"lacks {listed(missing)}")
    if unknown:
        raise refuse(where, f"has the unknown {listed(unknown)}")
    return found


def items(value: Any, where: str) -> list[Any]:
    """The value as a list."""
    if not isinstance(value, list):
        raise refuse(where, f"is {_kind(value)} and must be a list")
    return cast("list[Any]", value)


def text(value: Any, where: str) -> str:
    """The value as a string."""
    if not isinstance(value, str):
        raise refuse(where, f"is {_kind(value)} and must be a text")
    return value


def texts(value: Any, where: str) -> tuple[str, ...]:
    """The value as strings."""
    return tuple(text(item, f"{where}[{i}]") for i, item in enumerate(items(value, where)))


def number(value: Any, where: str, *, positive: bool = False) -> float:
    """The value as a finite float, above zero where ``positive``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(where, f"is {_kind(value)} and must be a number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result) or (positive and result <= 0):
        wanted = "a finite number above zero" if positive else "a finite number"
        raise refuse(where, f"is {value!r:.30} and must be {wanted}")
    return result


def one_of(value: Any, choices: Sequence[str], where: str) -> str:
    """The value as one of the given strings."""
    if value not in choices:
        raise refuse(where, f"is {_kind(value)} and must be {listed(choices, last='or')}")
    return cast(str, value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str | int | float):
        return shown(value)
    return "a list" if isinstance(value, list) else "an object"
