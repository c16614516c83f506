"""How the losses of a run went: their trend, what it comes to, and whether they swing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Swings", "Trend", "quantile", "swings_of", "trend_of"]

Array = NDArray[np.float64]

FITS = math.log(1.25)
"""A law fits a run's past where what it foretells from the middle is within a quarter of what came:
extrapolating by another octave is then off by about as much again."""

_FEWEST = 16


@dataclass(frozen=True)
class Trend:
    """A law for the losses above ``floor``, found in one half of a run and tried on the other.

    ``law``         ``"power"``: (loss − floor) ∝ epoch^−rate, or ``"exponential"``:
                    ∝ exp(−rate · epoch)
    ``rate``        its exponent over the second half
    ``foretold``    what the law of the second quarter says of the last loss, which was ``came``
    """

    law: str
    rate: float
    floor: float
    epochs: int
    foretold: float
    came: float

    @property
    def fits(self) -> bool:
        """Whether the past agrees with the law."""
        above, came = self.foretold - self.floor, self.came - self.floor
        return above > 0 and came > 0 and abs(math.log(above / came)) <= FITS

    def epochs_to(self, loss: float) -> float:
        """After how many epochs in all the loss is reached; infinite where it never is."""
        if loss >= self.came:
            return float(self.epochs)
        if self.rate <= 0 or loss <= self.floor:
            return math.inf
        ratio = math.log((self.came - self.floor) / (loss - self.floor))
        if self.law == "exponential":
            return self.epochs + ratio / self.rate
        power = ratio / self.rate
        return self.epochs * math.exp(power) if power < 500 else math.inf


def trend_of(losses: Array, floor: float = 0.0) -> Trend | None:
    """The law that the losses follow best; None for a run too short, or not above the floor.

    The two laws are compared by what each, from the losses up to the middle, says of the end.

    >>> epochs = np.arange(1, 1001)
    >>> trend = trend_of(0.5 / epochs)
    >>> trend.law, round(trend.rate, 1), trend.fits, round(trend.epochs_to(1e-4), -2)
    ('power', 1.0, True, 5000.0)
    """
    if len(losses) < _FEWEST or not np.isfinite(losses).all():
        return None
    count = len(losses)
    quarter, half, last = (_level(losses, count * part // 4) - floor for part in (1, 2, 4))
    if min(quarter, half, last) <= 0:
        return None
    earlier, later = math.log(quarter / half), math.log(half / last)
    octave = math.log(2)
    laws = {
        # From a quarter to the half is an octave, and from there to the end is another.
        "power": (half * math.exp(-earlier), later / octave),
        # The first is over a quarter of the epochs, the second over a half.
        "exponential": (half * math.exp(-2 * earlier), later / (count / 2)),
    }
    best = min(laws, key=lambda law: abs(math.log(laws[law][0] / last)))
    foretold, rate = laws[best]
    return Trend(best, rate, floor, count, foretold + floor, last + floor)


def _level(losses: Array, epoch: int) -> float:
    """The loss around an epoch: the median of the hundredth part of the run that ends there."""
    width = max(1, len(losses) // 100)
    return quantile(losses[max(0, epoch - width) : epoch], 0.5)


def quantile(values: Array, q: float) -> float:
    """The entry that a share ``q`` of the values is below; NumPy's own loads more than it needs.

    >>> quantile(np.array([3.0, 1.0, 2.0]), 0.5)
    2.0
    """
    return float(np.sort(values)[int(q * len(values))])


@dataclass(frozen=True)
class Swings:
    """What the second half of a run did.

    ``rises``     the share of its epochs whose loss is above that of the epoch before
    ``spread``    the interquartile range of the last quarter's losses over their median
    ``gain``      how much lower the median of the last quarter is than that of the third, as a
                  share of the latter
    ``worsened``  the median of the last quarter over the run's first loss
    """

    rises: float
    spread: float
    gain: float
    worsened: float


def swings_of(losses: Array) -> Swings | None:
    """How the losses swing; None for a run too short to say.

    >>> round(swings_of(np.tile([1.0, 3.0], 50)).rises, 2)
    0.51
    """
    if len(losses) < _FEWEST or not np.isfinite(losses).all():
        return None
    half, quarter = len(losses) // 2, len(losses) // 4
    third, last = losses[half : half + quarter], losses[-quarter:]
    middle, before = quantile(last, 0.5), quantile(third, 0.5)
    low, high = quantile(last, 0.25), quantile(last, 0.75)
    return Swings(
        rises=float(np.mean(np.diff(losses[half:]) > 0)),
        spread=(high - low) / middle if middle else 0.0,
        gain=1 - middle / before if before else 0.0,
        worsened=middle / float(losses[0]) if losses[0] else math.inf,
    )
