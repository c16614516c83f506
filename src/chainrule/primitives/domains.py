"""Where a function is defined and smooth, as an interval that tests and checks draw from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Domain", "away_from_zero", "fractions", "positive", "reals"]


@dataclass(frozen=True)
class Domain:
    """The values from ``low`` to ``high``, without those nearer to 0 than ``gap``."""

    low: float
    high: float
    gap: float = 0.0


reals = Domain(-3.0, 3.0)
positive = Domain(0.2, 4.0)
away_from_zero = Domain(-3.0, 3.0, gap=0.3)
fractions = Domain(-1.2, 1.2)
