"""One point at which a gradient is checked: the function around it, and what rounding does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.given import gradient_vector
from chainrule.certificate.subject import Part, Subject
from chainrule.certificate.traces import Trace, place_of
from chainrule.errors import TraceError
from chainrule.graph import Node

__all__ = ["EPSILON", "STEP", "Point", "length"]

Array = NDArray[Any]
EPSILON = float(np.finfo(np.float64).eps)
STEP = EPSILON ** (1 / 3)


class Point:
    """The function and the gradient under test at ``x``.

    ``exact`` is that gradient, ``roundoff`` how far each of its numbers may be off by rounding
    alone, and ``jump`` how much further where rounding carries it to another branch, ``carried``
    then being the node that chooses otherwise. ``tangent``, ``tangent_roundoff`` and
    ``tangent_jump`` are the same for the Taylor check. ``scale`` is the size of each argument: a
    step of 1 in units of it is a large step.
    """

    def __init__(self, subject: Subject, x: Array, gradient: Any) -> None:
        self.subject, self.x = subject, x
        self.untraced: str | None = None
        self.trace: Trace | None = None
        self._own_trace: Trace | None = None
        try:
            self.trace = self._own_trace = Trace(subject, x, subject.double)
            if subject.narrow and subject.double:
                # The gradient in its own precision is under test; all else is done in double.
                self._own_trace = Trace(subject, x, double=False)
        except TraceError as error:
            # A gradient that was given can be checked without a graph.
            if gradient is None:
                raise
            self.untraced = str(error)
        self.own = gradient is None
        self.exact, precision = self._gradient(gradient)
        self.scale = np.concatenate([_scale(x[part.span]) for part in subject.parts])
        self.value = self(x)
        self.jump = np.zeros(x.size)
        self.carried: Node | None = None
        self._moved = self._find_rounding()
        self.roundoff = self._roundoff(self.exact, precision)
        self.tangent, self.tangent_roundoff, self.tangent_jump = self._tangent()
        self.noise = EPSILON * abs(self.value)

    def __call__(self, x: Array) -> float:
        """The caller's own function; with parts held still, its graph."""
        if self.trace is not None and self.trace.held:
            return self.trace.evaluate(x)
        return self.subject(x)

    def near(self, x: Array) -> float:
        """The function beside the point: nan where it cannot be computed there."""
        try:
            return self(x)
        except (ArithmeticError, ValueError):  # such as Python's math.log of a negative number
            return math.nan

    def changed(self, x: Array) -> list[Node]:
        """The nodes of the graph that choose otherwise there."""
        return self.trace.changed(x) if self.trace is not None else []

    @property
    def magnitude(self) -> float:
        """The size that a derivative along a vector of length ``scale`` may naturally have."""
        return max(abs(self.value), float(np.max(np.abs(self.exact * self.scale), initial=0.0)))

    def _gradient(self, given: Any) -> tuple[Array, Array]:
        if given is None:
            assert self._own_trace is not None
            return self._joined(self._own_trace.gradient())
        if callable(given):
            function: Callable[..., Any] = given
            with self.subject.repeatable():
                given = function(*self.subject.arguments(self.x, double=False))
        return gradient_vector(self.subject, given)

    def _joined(self, values: list[Any]) -> tuple[Array, Array]:
        flat = [np.asarray(value, dtype=np.float64).ravel() for value in values]
        precision = [np.full(p.size, np.finfo(p.dtype).eps) for p in self.subject.parts]
        return np.concatenate(flat), np.concatenate(precision)

    def _find_rounding(self) -> list[float]:
        """How far rounding in double moves our gradient of each part, and whether over a kink."""
        unmoved = [0.0] * len(self.subject.parts)
        if self.trace is None or self.not_finite() is not None:
            return unmoved
        rounding = self.trace.rounding
        moved = rounding.moved[:-1]
        if self._own_trace is not None and self._own_trace is not self.trace:
            carried = rounding.carried(self._own_trace.rounding)
            if carried is not None:
                self.carried = carried.first
                self.jump = np.concatenate([np.ravel(jump) for jump in carried.jumps[:-1]])
                moved = [max(pair) for pair in zip(moved, carried.moved[:-1], strict=True)]
        return [change if math.isfinite(change) else 0.0 for change in moved]

    def _roundoff(self, gradient: Array, precision: Array) -> Array:
        """How far rounding may carry each number of the gradient.

        In units of the largest number beside it, since sums cancel; and as far as it carries ours,
        since the terms of a sum may be larger than the sum.
        """
        allowed = np.zeros(self.x.size)
        for part, change in zip(self.subject.parts, self._moved, strict=True):
            largest = float(np.max(np.abs(gradient[part.span]), initial=0.0))
            units = precision[part.span]
            factor = np.where(units > EPSILON, 64, 1024)
            smallest = float(np.finfo(part.dtype).smallest_normal)  # less than this is 0
            allowed[part.span] = units * (factor * largest + 4 / EPSILON * change) + smallest
        return allowed

    def _tangent(self) -> tuple[Array, Array, Array]:
        """The gradient for the Taylor check, its rounding, and its jump.

        Of ours in single precision the same rules in double are taken: rounding would otherwise
        hide what the remainder shows.
        """
        if not (self.own and self.subject.narrow and self.trace is not None):
            return self.exact, self.roundoff, self.jump
        double, _ = self._joined(self.trace.gradient())
        roundoff = self._roundoff(double, np.full(double.size, EPSILON))
        return double, roundoff, np.zeros(double.size)

    # What is not finite.

    def not_finite(self) -> str | None:
        """A sentence about the first value that is not finite, if the value or gradient is not."""
        for part in self.subject.parts:
            if not np.isfinite(self.x[part.span]).all():
                place = part.start + int(np.argmin(np.isfinite(self.x[part.span])))
                return f"The argument {part.component(place)} is {self.x[place]}."
        value = self._own_trace.value if self._own_trace is not None else self.value
        if not math.isfinite(value):
            origin = self._own_trace.not_finite() if self._own_trace is not None else None
            return f"The value is {value}.{_came_from(origin)}"
        for number, part in enumerate(self.subject.parts):
            finite = np.isfinite(self.exact[part.span])
            if not finite.all():
                return self._gradient_sentence(number, part, part.start + int(np.argmin(finite)))
        return None

    def _gradient_sentence(self, number: int, part: Part, place: int) -> str:
        sentence = f"The gradient of {part.component(place)} is {self.exact[place]}."
        if self.own and self._own_trace is not None:
            origin = self._own_trace.gradient_not_finite(number)
            sentence += _came_from(origin, "while the derivative is taken, ")
        return sentence

    # Rounding.

    def measure_noise(self, rng: np.random.Generator) -> None:
        """Find how far rounding moves one value of the function.

        High differences of values on a short line show it, since they leave nothing of a smooth
        function (J. Moré and S. Wild, 2011, "Estimating computational noise"). The line is beside
        the point, so that a kink at the point does not count; the middle of three is taken.
        """
        measured = [self._noise_beside(rng) for _ in range(3)]
        self.noise = max(self.noise, sorted(measured)[1])
        if self.trace is not None and math.isfinite(moved := self.trace.rounding.moved[-1]):
            # Where terms cancel the values on a line may be rounded all alike, and show nothing.
            self.noise = max(self.noise, self.subject.unit / EPSILON * moved)

    def _noise_beside(self, rng: np.random.Generator) -> float:
        direction = rng.normal(size=self.x.size) * self.scale
        step = STEP / 8
        found = math.inf
        for _ in range(4):
            line = [self.near(self.x + (40 + k) * step * direction) for k in range(9)]
            noise = _noise_of(line)
            flat = len(set(line)) < 5
            if not math.isfinite(noise) or (flat and found < math.inf):
                break
            # It is noise if it stays with a smaller step, and else the function's own bend; waves
            # within the step look like noise too, but as large as the function itself.
            stays = found / 8 < noise < 1e-4 * max(map(abs, line))
            found = min(found, noise)
            if stays or found <= 1e3 * EPSILON * abs(self.value):
                break
            step /= 64
        return found if math.isfinite(found) else 0.0


def length(vector: Array) -> float:
    """The Euclidean norm, of numbers of any size."""
    largest = float(np.max(np.abs(vector), initial=0.0))
    return largest * float(np.linalg.norm(vector / largest)) if largest > 0 else 0.0


def _scale(values: Array) -> Array:
    """The size of each number: its own, or that of the array's, or 1 where all are 0."""
    typical = math.sqrt(float(np.mean(values * values))) if values.size else 0.0
    sizes = np.maximum(np.abs(values), typical)
    return np.where(np.isfinite(sizes) & (sizes > 0), sizes, 1.0)


def _noise_of(line: list[float]) -> float:
    """The standard deviation of noise in equally spaced values of a smooth function."""
    differences = np.array(line)
    largest = 0.0
    with np.errstate(all="ignore"):
        for order in range(1, 7):
            differences = np.diff(differences)
            if order >= 4:
                # Independent noise of variance s² gives k-th differences of (2k)!/(k!)² s².
                spread = math.sqrt(float(np.mean(differences**2)) / math.comb(2 * order, order))
                largest = max(largest, spread) if spread == spread else math.inf
    return largest


def _came_from(origin: Node | None, when: str = "") -> str:
    return f" It first appears {when}in {place_of(origin)}." if origin else ""
