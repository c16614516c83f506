"""A derivation as plain data that JSON holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explain.text import heading_of

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.steps import Given, Step

__all__ = ["numbers_as_data", "to_json"]

_MOST_NUMBERS = 4096


def to_json(derivation: Derivation, *, whole: bool = False) -> dict[str, Any]:
    """The derivation as plain data; values of many numbers are null unless ``whole``."""
    moment = derivation.moment
    return {
        "title": heading_of(derivation),
        "epoch": None if moment is None else moment.epoch,
        "batch": None if moment is None else moment.batch,
        "rows": None if moment is None or moment.rows is None else moment.rows.tolist(),
        "notes": list(derivation.notes),
        "given": [_given(given, whole) for given in derivation.given],
        "steps": [_step(step, whole) for step in derivation.steps],
    }


def _given(given: Given, whole: bool) -> dict[str, Any]:
    return {"name": given.name, **_value(given.value, whole)}


def _step(step: Step, whole: bool) -> dict[str, Any]:
    return {
        "name": step.name,
        "part": step.part,
        "formula": str(step.formula),
        "latex": step.formula.latex,
        "index_formula": str(step.index_formula),
        "rules": [
            {
                "name": rule.name,
                "operation": str(rule.operation),
                "gradient": str(rule.gradient),
            }
            for rule in step.rules
        ],
        "why": step.why,
        "inputs": list(step.inputs),
        "source": step.source,
        **_value(step.value, whole),
    }


def _value(value: NDArray[Any], whole: bool) -> dict[str, Any]:
    shown = whole or value.size <= _MOST_NUMBERS
    return {
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "value": numbers_as_data(value) if shown else None,
    }


def numbers_as_data(value: NDArray[Any]) -> Any:
    """Numbers as nested lists; those that JSON lacks as texts."""
    if value.dtype.kind != "f" or bool(np.isfinite(value).all()):
        return value.tolist()
    return np.where(np.isfinite(value), value.astype(object), value.astype(str)).tolist()
