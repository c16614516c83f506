"""Verdicts on how a run went: solved, descending, steps too large, overfitting."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chainrule.diagnose.progress import Swings, Trend, quantile, swings_of, trend_of
from chainrule.diagnose.spectrum import Spectrum
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, number

__all__ = ["descending", "overfitting", "solved", "step_too_large"]

FARTHEST = 100
"""An extrapolation goes this many times the length of the run at most."""

OVERFITTED = 1.5
"""A loss of rows held out has risen where it ends this many times as high as it was: few rows make
it swing by tens of percent without that."""

SWINGING = 0.25
"""Full batches: a run swings where more than this share of its epochs rise. One step too large in
the steepest direction alone makes every second rise; descent that is slow makes none."""


FALLING = 0.05
"""A run still falls where the median loss of its last quarter is lower than that of the third by
more than this share: at that pace the loss is halved in three or four more runs like it."""


def solved(subject: Subject) -> Verdict | None:
    """The run's goal has been reached."""
    if not subject.loss <= subject.goal:
        return None
    text = f"The loss is {number(subject.loss)}, and the goal was {number(subject.goal)}."
    return Verdict("solved", False, "proved", (text,), {"loss": subject.loss})


def descending(subject: Subject) -> Verdict | None:
    """The loss follows a law that takes it to the goal before long."""
    trend = trend_of(np.asarray(subject.losses, np.float64))
    swings = swings_of(np.asarray(subject.losses, np.float64))
    if trend is None or swings is None or not trend.fits or swings.gain <= 0:
        return None
    needed = trend.epochs_to(subject.goal)
    if not needed <= FARTHEST * max(subject.epochs, 1):
        return None
    return Verdict("descending", False, "measured", _of_trend(subject, trend, needed),
                   {"law": trend.law, "rate": trend.rate, "epochs": needed,
                    "foretold": trend.foretold, "came": trend.came})  # fmt: skip


def _of_trend(subject: Subject, trend: Trend, needed: float) -> tuple[str, ...]:
    law = "a power of the epoch" if trend.law == "power" else "an exponential"
    digits = 10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1)
    about = round(needed / digits) * digits
    return (
        (
            f"The loss falls like {law} and would reach {number(subject.goal)} after about "
            f"{about:,} "
            f"epochs in all; the run had {subject.epochs:,}."
        ),
        (
            f"Tried on the run's own past: from its first half {number(trend.foretold)} is "
            f"foretold "
            f"for its end, and {number(trend.came)} came."
        ),
    )


def step_too_large(subject: Subject, spectrum: Callable[[], Spectrum | None]) -> Verdict | None:
    """The loss swings or grows, and no longer falls over many epochs.

    A sharpness a little over 2/η is where full-batch gradient descent settles by itself while the
    loss falls (Cohen et al. 2021), so that alone is no fault.
    """
    losses = np.asarray(subject.losses, np.float64)
    if len(losses) and not np.isfinite(losses).all():
        first = int(np.flatnonzero(~np.isfinite(losses))[0])
        text = f"The loss was no longer finite in epoch {first:,}."
        return Verdict("step-too-large", True, "measured", (text,), {"epoch": first})
    swings = swings_of(losses)
    if swings is None or not _is_stuck_swinging(subject, swings):
        return None
    sentences = [_how_it_swings(swings)]
    facts: dict[str, object] = {"rises": swings.rises, "gain": swings.gain}
    optimizer = subject.optimizer
    certainty = "measured"
    if optimizer is not None and optimizer.name == "gradient_descent":
        calculus = subject.calculus
        loss, gradient = calculus.value_and_gradient(subject.v)
        smaller, found = _smaller_step(subject, loss, gradient)
        found_spectrum = spectrum()
        if found_spectrum is not None:
            bound = 2 / subject.rate
            facts |= {"sharpness": found_spectrum.sharpness, "bound": bound}
            sentences.append(
                f"The sharpness here is {number(found_spectrum.sharpness)}, and 2/η is "
                f"{number(bound)} at the rate {subject.rate:g}."
            )
        if smaller is not None:
            sentences.append(
                f"From here a step at the rate {smaller:.2g} goes down, to {number(found)} from "
                f"{number(loss)} of the loss minimised."
            )
    return Verdict("step-too-large", True, certainty, tuple(sentences), facts)


def _is_stuck_swinging(subject: Subject, swings: Swings) -> bool:
    """Whether the loss grows, or goes up and down without falling by more than it swings."""
    if swings.worsened > 1 and swings.gain <= 0 and subject.loss > _constant(subject):
        return True
    if not subject.full_batch:
        return False  # batches make the loss swing at any rate
    return swings.rises > SWINGING and swings.gain < FALLING and swings.spread > FALLING


def _constant(subject: Subject) -> float:
    return subject.constant.loss if subject.constant is not None else math.inf


def _how_it_swings(swings: Swings) -> str:
    if swings.worsened > 1 and swings.gain <= 0:
        return f"The loss ends {number(swings.worsened)} times as high as it began, and grows."
    return (
        f"In the second half of the run the loss rose in {swings.rises:.0%} of the epochs, and its "
        f"median fell by {max(swings.gain, 0):.1%} only."
    )


def _smaller_step(
    subject: Subject, loss: float, gradient: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> tuple[float | None, float]:
    """The largest of the rates η/2, η/4, … with which the next step goes down."""
    rate = subject.rate
    for _ in range(40):
        rate /= 2
        after = subject.calculus.loss(subject.v - rate * gradient)
        if after < loss:
            return rate, after
    return None, loss


def overfitting(subject: Subject) -> Verdict | None:
    """The loss of the rows held out rose while that of the rows trained on fell.

    It is no fault where the parameters kept are those of the best epoch.
    """
    held = np.asarray(subject.held_out, np.float64)
    losses = np.asarray(subject.losses, np.float64)
    if len(held) < 16 or len(losses) != len(held) or not np.isfinite(held).all():
        return None
    best = int(np.argmin(_smooth(held)))
    last = max(1, len(held) // 10)
    end, least = quantile(held[-last:], 0.5), float(_smooth(held)[best])
    noise = float(np.std(np.diff(held[-last:]))) if last > 1 else 0.0
    fell = quantile(losses[-last:], 0.5) < float(_smooth(losses)[best])
    if best > 0.75 * len(held) or not fell or end < max(OVERFITTED * least, least + 3 * noise):
        return None
    sentences = [
        (
            f"From epoch {best:,} on the loss of the rows held out rose from {number(least)} to "
            f"{number(end)}, while that of the rows trained on went on falling to "
            f"{number(float(losses[-1]))}."
        ),
        (
            f"{counted(subject.network.count, 'parameter')} were fitted to "
            f"{counted(len(subject.X), 'row')}."
        ),
    ]
    kept = subject.kept is not None and subject.kept < len(held) - last
    if kept:
        sentences.append(
            f"What was kept is epoch {subject.kept:,}, the best on the rows held out, so "
            "it does no harm."
        )
    return Verdict("overfitting", not kept, "measured", tuple(sentences),
                   {"epoch": best, "least": least, "end": end})  # fmt: skip


def _smooth(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The running mean over a fiftieth of the run."""
    width = max(1, len(values) // 50)
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")
