"""The Hessian's eigenvalues: all of them where it is small, the extreme ones elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.calculus import Calculus

__all__ = ["EXACT", "Spectrum", "spectrum_at"]

Array = NDArray[np.float64]

EXACT = 2000
"""Up to this many parameters all eigenvalues are computed: a matrix of 32 MB and 2,000 products."""

_TOLERANCE = 1e-6
_MOST_PRODUCTS = 300


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of the Hessian, in rising order, and what is known of the others.

    ``values``     all eigenvalues where ``exact``, else the smallest and the largest few
    ``vectors``    beside each, in columns, its eigenvector
    ``error``      a bound on the distance of each value to an eigenvalue: rounding, or the residual
                   ``‖H u - λ u‖`` of the worst pair
    """

    values: Array
    vectors: Array
    error: float
    exact: bool

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return float(self.values[0])

    @property
    def sharpness(self) -> float:
        """The largest eigenvalue."""
        return float(self.values[-1])

    @property
    def index(self) -> int:
        """How many eigenvalues are negative by more than the error (at least, unless exact)."""
        return int(np.sum(self.values < -self.error))

    @property
    def nullity(self) -> int | None:
        """How many are 0 within the error; None where not all are known."""
        return int(np.sum(np.abs(self.values) <= self.error)) if self.exact else None

    @property
    def condition(self) -> float | None:
        """The largest size of an eigenvalue over the smallest that is not 0; None if unknown."""
        if not self.exact:
            return None
        sizes = np.abs(self.values)
        sizes = sizes[sizes > self.error]
        return float(sizes.max() / sizes.min()) if len(sizes) else None


def spectrum_at(calculus: Calculus, v: Array, exact: int = EXACT) -> Spectrum | None:
    """The spectrum at ``v``; None where the Hessian is not finite.

    With more than ``exact`` parameters, Lanczos' method (SciPy's `eigsh`) finds extreme eigenvalues
    from exact products with the Hessian.
    """
    if calculus.size <= exact:
        return spectrum_of(calculus.hessian(v))
    return _by_products(calculus, v)


def spectrum_of(hessian: Array) -> Spectrum | None:
    """All eigenvalues of a matrix, which are off by rounding alone (Weyl's inequality)."""
    if not np.isfinite(hessian).all():
        return None
    values, vectors = np.linalg.eigh(hessian)
    largest = float(np.abs(values).max(initial=0.0))
    # Each entry of the matrix is a sum over samples and layers: a hundred roundings are allowed.
    error = 100 * len(values) * float(np.finfo(np.float64).eps) * largest
    return Spectrum(values, vectors, error, exact=True)


def _by_products(calculus: Calculus, v: Array) -> Spectrum | None:
    import scipy.sparse.linalg

    if not np.isfinite(calculus.product(v, np.ones(calculus.size))).all():
        return None
    shape = (calculus.size, calculus.size)

    def product(u: Array) -> Array:
        return calculus.product(v, np.ravel(u))

    sparse: Any = scipy.sparse.linalg
    operator = sparse.LinearOperator(shape, matvec=product, dtype=np.float64)
    values, vectors = list[Array](), list[Array]()
    start = np.random.default_rng(0).standard_normal(calculus.size)
    options = {"k": 2, "tol": _TOLERANCE, "v0": start, "maxiter": _MOST_PRODUCTS}
    for which in ("SA", "LA"):
        try:
            found: Any = sparse.eigsh(operator, which=which, **options)
        except sparse.ArpackNoConvergence as error:
            found = error.eigenvalues, error.eigenvectors
        values.append(np.asarray(found[0], np.float64))
        vectors.append(np.asarray(found[1], np.float64))
    all_values, all_vectors = np.concatenate(values), np.concatenate(vectors, axis=1)
    if not len(all_values):
        return None
    order = np.argsort(all_values)
    all_values, all_vectors = all_values[order], all_vectors[:, order]
    residuals = [
        float(np.linalg.norm(product(u) - value * u))
        for value, u in zip(all_values, all_vectors.T, strict=True)
    ]
    return Spectrum(all_values, all_vectors, max(residuals), exact=False)
