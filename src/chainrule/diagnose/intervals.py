"""Confidence intervals of shares."""

from __future__ import annotations

import math

__all__ = ["wilson"]

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: intervals hold with 95 %."""


def wilson(successes: int, tries: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a probability.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22.

    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not tries:
        return 0.0, 1.0
    share = successes / tries
    scale = 1 + Z * Z / tries
    middle = (share + Z * Z / (2 * tries)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / tries + Z * Z / (4 * tries * tries))
    low = max(0.0, middle - half) if successes else 0.0
    return low, min(1.0, middle + half) if successes < tries else 1.0
