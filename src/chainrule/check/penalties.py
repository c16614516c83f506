"""Whether a gradient differs from the exact one by a penalty on the weights, such as λ·W."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.multiples import rounded

__all__ = ["with_penalty"]

Array = NDArray[Any]
_FEWEST, _FEWEST_OF_SINGLE = 4, 8
"""Two factors fit anything of two elements, and rounding of few ones."""
_UNEXPLAINED = 0.02
"""How much of what a multiple leaves over a penalty may leave over."""
_ROUNDING_OF_SINGLE = 3e-6
"""The part of a gradient in single precision that rounding accounts for."""


def with_penalty(
    value: Array, exact: Array, weights: Array, tolerance: float
) -> tuple[float, float] | None:
    """The factors of the gradient and of the weights, or of their signs, that make up a value.

    None where it is not their sum, or where nothing is left for the weights. In single precision a
    penalty may be smaller than the ``tolerance`` of a gradient: it is told from rounding by its
    direction.
    """
    if not value.shape == exact.shape == weights.shape:
        return None
    v, e, w = (np.asarray(each, np.float64).ravel() for each in (value, exact, weights))
    single = value.dtype.itemsize == 4
    if v.size < (_FEWEST_OF_SINGLE if single else _FEWEST):
        return None
    if not all(np.all(np.isfinite(each)) and np.any(each) for each in (v, e, w)):
        return None
    over = _left(v, [e])[1]
    size = float(np.linalg.norm(v))
    if over <= (_ROUNDING_OF_SINGLE if single else tolerance) * size:
        return None
    for direction in (w, np.sign(w)):
        (factor, share), left = _left(v, [e, direction])
        if left <= min(_UNEXPLAINED * over, tolerance * size) and factor and share:
            return rounded(factor, 10 * tolerance), share
    return None


def _left(value: Array, parts: list[Array]) -> tuple[Array, float]:
    """The factors of the parts that come nearest to a value, and how far off they are."""
    # Gradients and weights may be of very different sizes.
    sizes = [float(np.linalg.norm(each)) for each in parts]
    columns = np.stack([each / size for each, size in zip(parts, sizes, strict=True)], axis=1)
    factors, *_ = np.linalg.lstsq(columns, value, rcond=None)
    return factors / sizes, float(np.linalg.norm(value - columns @ factors))
