"""The stationary point that a run stands at or near, and what kind it is, from its derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.calculus import Calculus
from chainrule.diagnose.spectrum import Spectrum, spectrum_of

__all__ = ["Escape", "StationaryPoint", "escape_from", "stationary_point"]

Array = NDArray[np.float64]
Kind = Literal["minimum", "saddle", "degenerate", "flat"]

NEAR = 0.1
"""A stationary point is near where it is no further than this share of the parameters' norm, or of
1 where that is more: a pre-activation then changes by a tenth of what bends an activation."""

_NEWTON_STEPS = 40
_RADII = (1e-3, 1e-2, 1e-1)
_TRIES = 8


@dataclass(frozen=True)
class StationaryPoint:
    """A point where the gradient is 0 but for rounding, near where the run stands.

    ``kind``        ``"minimum"``: the Hessian is positive definite on all directions that change
                    the outputs; ``"saddle"``: it has a negative eigenvalue; ``"degenerate"``: it
                    has none, and directions beside the symmetries in which it is 0; ``"flat"``: it
                    is 0
    ``distance``    from where the run stands, in the parameters' Euclidean norm
    ``symmetries``  the number of independent directions that leave all outputs as they are
    """

    v: Array
    kind: Kind
    loss: float
    distance: float
    gradient_norm: float
    spectrum: Spectrum
    symmetries: int


@dataclass(frozen=True)
class Escape:
    """A way down: a direction of length 1, how far along it, and the loss there and after.

    ``radius`` is the distance of the nearest point that was found to be lower.
    """

    direction: Array
    radius: float
    loss: float
    after: float
    v: Array


def stationary_point(
    calculus: Calculus, v: Array, spectrum: Spectrum | None
) -> StationaryPoint | None:
    """The stationary point at or near ``v``, by Newton's method on the gradient; None if none is.

    With more parameters than a full Hessian is computed for, only ``v`` itself is looked at.
    """
    if spectrum is None:
        return None
    if not spectrum.exact:
        gradient = calculus.gradient(v)
        if float(np.linalg.norm(gradient)) > _rounding(calculus, v, spectrum):
            return None
        return _classified(calculus, v, v, spectrum)
    reach = NEAR * max(1.0, float(np.linalg.norm(v)))
    point, found = v, spectrum
    for _ in range(_NEWTON_STEPS):
        gradient = calculus.gradient(point)
        norm = float(np.linalg.norm(gradient))
        if norm <= _rounding(calculus, point, found):
            return _classified(calculus, v, point, found)
        step = _newton_step(gradient, found)
        if step is None or float(np.linalg.norm(point + step - v)) > reach:
            return None
        point = point + step
        again = spectrum_of(calculus.hessian(point))
        if again is None:
            return None
        found = again
    return None


def _rounding(calculus: Calculus, v: Array, spectrum: Spectrum) -> float:
    """The size of a gradient that is rounding: of the parameters, and of the sum over samples."""
    eps = float(np.finfo(np.float64).eps)
    steepest = float(np.abs(spectrum.values).max(initial=0.0))
    size = steepest * (1 + float(np.linalg.norm(v))) + abs(calculus.loss(v))
    return 100 * eps * len(calculus.X) * size


def _newton_step(gradient: Array, spectrum: Spectrum) -> Array | None:
    """A step to where the gradient's linear model is 0, in the directions that are curved."""
    known = np.abs(spectrum.values) > spectrum.error
    if not known.any():
        return None
    vectors = spectrum.vectors[:, known]
    return -vectors @ ((vectors.T @ gradient) / spectrum.values[known])


def _classified(calculus: Calculus, start: Array, v: Array, spectrum: Spectrum) -> StationaryPoint:
    kind: Kind
    symmetries = 0
    if spectrum.index:
        kind = "saddle"
    elif not spectrum.exact:
        kind = "degenerate"
    elif spectrum.nullity == 0:
        kind = "minimum"
    else:
        symmetries = _symmetries(calculus, v)
        if symmetries == calculus.size:
            kind = "flat"
        else:
            kind = "minimum" if spectrum.nullity == symmetries else "degenerate"
    gradient = calculus.gradient(v)
    return StationaryPoint(
        v=v,
        kind=kind,
        loss=calculus.loss(v),
        distance=float(np.linalg.norm(v - start)),
        gradient_norm=float(np.linalg.norm(gradient)),
        spectrum=spectrum,
        symmetries=symmetries,
    )


def _symmetries(calculus: Calculus, v: Array) -> int:
    """The dimension of the set of parameters around ``v`` with the same outputs.

    It is the kernel's of the outputs' Jacobian where its rank is the same all around; where the
    rank is larger nearby, no more than at the points nearby can be counted.
    """
    rng = np.random.default_rng(0)
    scale = 1e-4 * (1 + float(np.linalg.norm(v))) / np.sqrt(len(v))
    points = [v, *(v + scale * rng.standard_normal(len(v)) for _ in range(2))]
    return calculus.size - max(_rank(calculus.jacobian(point)) for point in points)


def _rank(jacobian: Array) -> int:
    if not np.isfinite(jacobian).all():
        return 0
    return int(np.linalg.matrix_rank(jacobian))


def escape_from(calculus: Calculus, point: StationaryPoint, steps: int = 1000) -> Escape | None:
    """A way to a lower loss from a stationary point that is no minimum; None if none was found.

    From a saddle it is along the most negative curvature; elsewhere, random directions at growing
    distances are tried. From there, L-BFGS goes on down.
    """
    if point.kind == "saddle":
        directions = [sign * point.spectrum.vectors[:, 0] for sign in (1.0, -1.0)]
    else:
        rng = np.random.default_rng(0)
        drawn = rng.standard_normal((_TRIES, calculus.size))
        directions = [each / np.linalg.norm(each) for each in drawn]
    size = 1 + float(np.linalg.norm(point.v))
    rounding = 100 * float(np.finfo(np.float64).eps) * abs(point.loss)
    found = [
        way
        for radius in _RADII
        for direction in directions
        if (way := _down(calculus, point, direction, radius * size, steps)) is not None
        and way.after < point.loss - rounding
    ]
    if not found:
        return None
    lowest = min(found, key=lambda way: way.after)
    return replace(lowest, radius=min(way.radius for way in found))


def _down(
    calculus: Calculus, point: StationaryPoint, direction: Array, radius: float, steps: int
) -> Escape | None:
    """What is reached from a point beside a stationary one that is not above it, going down."""
    from scipy.optimize import minimize

    there = point.v + radius * direction
    loss = calculus.loss(there)
    # Where the loss is higher, going down from there proves nothing of the stationary point.
    if not loss <= point.loss * (1 + 1e-12):
        return None
    # Beside a saddle the first steps gain next to nothing, which must not end the search.
    options: Any = {"maxiter": steps, "ftol": 1e-12, "gtol": 0.0}
    found: Any = minimize(
        calculus.value_and_gradient, there, jac=True, method="L-BFGS-B", options=options
    )
    return Escape(direction, radius, loss, float(found.fun), np.asarray(found.x))
