"""Rays along which some pre-activations of a unit grow without bound and the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ray_of"]

Array = NDArray[np.float64]


def ray_of(inputs: Array, signs: NDArray[np.int64]) -> Array | None:
    """A direction of a unit's weights and bias that moves just the pre-activations of some samples.

    ``inputs`` are what the unit is given, (n, k); ``signs`` say for each sample whether its
    pre-activation is to grow (1), to fall (-1) or to stay (0). The result ``d``, k weights and the
    bias, has ``s (h · d) ≥ 1`` for samples that move and ``h · d = 0`` for those that stay, with
    ``h`` the inputs and a 1; it is None where there is none.

    >>> corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> ray_of(corners, np.array([0, 1, 0, 1])).round(12).tolist()
    [0.0, 1.0, 0.0]
    >>> ray_of(corners, np.array([0, 1, 1, -1])) is None
    True
    """
    rows = np.column_stack([inputs, np.ones(len(inputs))])
    still, moved = rows[signs == 0], rows[signs != 0] * signs[signs != 0, None]
    if not len(moved):
        return None
    free = _null_space(still, rows)
    if not free.shape[1]:
        return None
    within = moved @ free
    chosen, *_ = np.linalg.lstsq(within, np.ones(len(within)), rcond=None)
    smallest = float(np.min(within @ chosen))
    if smallest <= _rounding(rows):
        chosen = _by_linear_program(within)
        if chosen is None:
            return None
        smallest = float(np.min(within @ chosen))
    d: Array = free @ chosen / smallest
    d[np.abs(d) <= _rounding(rows) * float(np.abs(d).max())] = 0.0
    return d + 0.0


def _null_space(still: Array, rows: Array) -> Array:
    """An orthonormal basis (k + 1, m) of the directions that move none of the rows."""
    width = rows.shape[1]
    if not len(still):
        return np.eye(width)
    _, sizes, directions = np.linalg.svd(still, full_matrices=True)
    rank = int(np.sum(sizes > _rounding(rows) * max(float(sizes.max(initial=0.0)), 1e-300)))
    return directions[rank:].T


def _rounding(rows: Array) -> float:
    """What counts as 0 beside 1: rounding errors of a product with these rows, squared sizes."""
    return 100 * max(rows.shape) * float(np.finfo(np.float64).eps)


def _by_linear_program(within: Array) -> Array | None:
    """Weights of the basis with all products ≥ 1, where there are any."""
    from scipy.optimize import linprog  # here, as least squares mostly has the answer

    found: Any = linprog(
        np.zeros(within.shape[1]),
        A_ub=-within,
        b_ub=-np.ones(len(within)),
        bounds=(None, None),
        method="highs",
    )
    return np.asarray(found.x) if found.status == 0 else None
