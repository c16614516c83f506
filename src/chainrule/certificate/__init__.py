"""`check_gradients`: a gradient compared, three ways, with what does not use it.

1. *Complex step*: Im f(x + ih) / h has no cancellation and is exact to rounding (W. Squire and
   G. Trapp, 1998). It runs the graph, each choice made by the real part.
2. *Central differences*: (f(x + h) − f(x − h)) / 2h of the function itself, on plain NumPy arrays.
3. *Taylor slope*: |f(x + tv) − f(x) − t g·v| falls like t² if the gradient g is right, and like t
   if it is not.

Where the function takes another branch on the two sides of a point there is a kink, and no
derivative to compare with: it is reported, with its line, and is not a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.certificate.comparison import Comparison
from chainrule.certificate.report import Certificate, Entry
from chainrule.derivatives import Argnums

__all__ = ["Certificate", "Entry", "check_gradients"]


def check_gradients(
    function: Callable[..., Any],
    *arguments: Any,
    argnums: Argnums | None = None,
    gradient: Any = None,
    seed: int = 0,
) -> Certificate:
    """Check a gradient against the complex step, central differences and the Taylor slope.

    function   a scalar function of arrays
    arguments  where to check it; random numbers are better than zeros
    argnums    the arguments to differentiate by, by position or name; all real ones by default
    gradient   a gradient of your own to check in place of ours: nested as the argument (a tuple
               for several), or a function of the arguments that gives it
    seed       of the entries and directions that are drawn where there are many

    Up to 200 entries are all compared; of more, 60 entries and 5 directions are drawn.

    >>> import numpy as np
    >>> x = np.array([0.5, -1.0])
    >>> print(check_gradients(lambda x: np.sum(np.sin(x)), x).slope > 1.9)
    True
    >>> bool(check_gradients(lambda x: np.sum(x**2), x, gradient=x))
    False

    Raises GradientError where the function is not a scalar function of real numbers.
    """
    return Comparison(function, arguments, argnums, gradient, seed).certificate()
