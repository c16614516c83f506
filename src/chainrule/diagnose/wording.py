"""Numbers, lists and the names of units and samples, in words."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["counted", "exact", "joined", "listed", "number", "units"]

_MOST_SAMPLES = 6
_FRACTIONS = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(2, 3): "⅔", Fraction(1, 4): "¼",
              Fraction(3, 4): "¾"}  # fmt: skip
_LARGEST_DENOMINATOR = 12


def number(value: float) -> str:
    """Four significant digits.

    >>> number(0.126193), number(1234567.0), number(0.5)
    ('0.1262', '1.235e+06', '0.5')
    """
    return f"{value:.4g}".replace("-", "−")


def exact(value: float) -> str:
    """A number as a small fraction where it is one, within rounding.

    >>> exact(0.5), exact(0.125), exact(2 / 3), exact(1.0), exact(0.1262)
    ('½', '1/8', '⅔', '1', '0.1262')
    """
    near = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR) if np.isfinite(value) else None
    if near is None or abs(float(near) - value) > 1e-9 * max(1.0, abs(value)):
        return number(value)
    if near in _FRACTIONS:
        return _FRACTIONS[near]
    return str(near).replace("-", "−")


def counted(n: int, noun: str) -> str:
    """A count and its noun.

    >>> counted(1, "unit"), counted(2000, "unit")
    ('1 unit', '2,000 units')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def joined(words: Sequence[str]) -> str:
    """Words in a list.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def listed(words: Sequence[str]) -> str:
    """Words in a list, the first few where they are many.

    >>> listed([str(i) for i in range(9)])
    '0, 1, 2, 3, 4, 5 and 3 more'
    """
    if len(words) <= _MOST_SAMPLES:
        return joined(words)
    return f"{', '.join(words[:_MOST_SAMPLES])} and {len(words) - _MOST_SAMPLES:,} more"


def units(layer: int, which: Sequence[int] | NDArray[np.int64]) -> str:
    """Hidden units by number, counted from 1 as people do, of a layer counted from 1.

    >>> units(1, [0, 1])
    'hidden units 1 and 2 of layer 1'
    """
    some = listed([str(int(i) + 1) for i in which])
    return f"hidden unit{'' if len(which) == 1 else 's'} {some} of layer {layer}"
