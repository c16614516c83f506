"""Gradient clipping, as NumPy functions over pytrees of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.networks.choices import POSITIVE
from chainrule.pytrees import flatten, map_leaves

__all__ = ["cast_like", "clip_by_norm", "clip_by_value"]


def cast_like(value: Any, like: Any) -> Any:
    """``value`` in the dtype of ``like``: a 0-d float64 array would widen float32 parameters.

    Plain Python numbers have no dtype, widen nothing, and come back as they are.

    >>> cast_like(np.array(0.1), np.zeros(2, np.float32)).dtype
    dtype('float32')
    """
    dtype = getattr(like, "dtype", None)
    if dtype is None or getattr(value, "dtype", dtype) == dtype:
        return value
    return value.astype(dtype)


def clip_by_norm(gradients: Any, limit: Any) -> Any:
    """The gradients, scaled down together where their common Euclidean norm is above ``limit``.

    ``g ← g · limit / max(‖g‖, limit)`` with ``‖g‖`` over all entries of the tree (Pascanu, Mikolov
    and Bengio 2013, algorithm 1). The norm does not overflow before the gradients do.

    >>> clip_by_norm({"W": np.array([3.0]), "b": np.array([4.0])}, 1.0)
    {'W': array([0.6]), 'b': array([0.8])}

    Raises SettingError unless ``limit`` is above 0.
    """
    _check_limit("The limit of the gradient's norm", limit)
    leaves, _ = flatten(gradients)
    if not leaves:
        return gradients
    peak = np.max(np.abs(leaves[0]))
    for g in leaves[1:]:
        peak = np.maximum(peak, np.max(np.abs(g)))
    unit: Any = np.where(peak > 0, peak, 1)
    squares = np.sum((leaves[0] / unit) ** 2)
    for g in leaves[1:]:
        squares = squares + np.sum((g / unit) ** 2)
    limit = cast_like(limit, squares)
    scale = limit / np.maximum(unit * np.sqrt(squares), limit)

    def shrink(g: Any) -> Any:
        return g * cast_like(scale, g)

    return map_leaves(shrink, gradients)


def clip_by_value(gradients: Any, limit: Any) -> Any:
    """The gradients with every entry kept between ``-limit`` and ``limit``.

    >>> clip_by_value({"W": np.array([-3.0, 0.5])}, 1.0)
    {'W': array([-1. ,  0.5])}

    Raises SettingError unless ``limit`` is above 0.
    """
    _check_limit("The limit of the gradient's entries", limit)

    def clip(g: Any) -> Any:
        bound = cast_like(limit, g)
        return np.clip(g, -bound, bound)

    return map_leaves(clip, gradients)


def _check_limit(what: str, limit: Any) -> None:
    if isinstance(limit, int | float) and limit not in POSITIVE:
        raise SettingError(f"{what} is {limit!r}; it takes {POSITIVE.words}.")
