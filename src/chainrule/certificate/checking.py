"""`check_gradients`: a gradient against the complex step, central differences and Taylor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.entries import Compared, Direction, compare, single
from chainrule.certificate.hints import hints
from chainrule.certificate.kinks import AtKink, at_kink, beside_kinks, kinks
from chainrule.certificate.points import Point
from chainrule.certificate.results import Certificate, Check, Entry
from chainrule.certificate.subject import Subject
from chainrule.certificate.summary import numeric_check, taylor_check
from chainrule.certificate.traces import place_of
from chainrule.derivatives import Argnums

__all__ = ["check_gradients"]

Array = NDArray[Any]
_EVERY_NUMBER = 200
_SAMPLES = 60
_DIRECTIONS = 2
_CONFIRMED = 10


def check_gradients(
    function: Callable[..., Any],
    *arguments: Any,
    argnums: Argnums | None = None,
    gradient: Any = None,
    seed: int = 0,
    samples: int | None = None,
    **keywords: Any,
) -> Certificate:
    r"""Check a gradient in three ways that do not use it; the result is true if it is right.

    1. *Complex step*: $\mathrm{Im}\, f(x + ihv) / h$ has no cancellation and is exact to rounding
       (W. Squire and G. Trapp, 1998). It runs the graph, each choice made by the real part.
    2. *Central differences*: $(f(x + hv) - f(x - hv)) / 2h$ of the function itself on plain NumPy
       arrays, so that the graph is checked as well. The step starts at $\varepsilon^{1/3}$ times
       the argument's size; each comparison has a tolerance, from the differences at h and 2h and
       from the rounding that was measured in the function.
    3. *Taylor slope*: $|f(x + tv) - f(x) - t\, g \cdot v|$ falls like $t^2$ if the gradient g is
       right and like t if it is not: the slope is 2.00 or 1.00, and in between for a small fault.

    Where the function takes another branch on the two sides of a point, however near, there is a
    kink and no derivative; that is reported with its line, and is no fault. The gradient is then
    checked a little beside the kink. Where single precision rounds a value over a kink or onto it,
    the gradient of the branch that it takes is accepted too, and a note says so.

    function    a scalar function of arrays
    arguments   where to check; random numbers are better than zeros, ones or symmetric ones
    argnums     the arguments to differentiate by, by position or name; all real ones by default
    gradient    a gradient of your own, to be checked in place of ours: nested as the argument, in
                a tuple for several arguments; or a function of the same arguments that gives it
    seed        of the directions, and of the numbers that are drawn where there are many
    samples     how many numbers are compared one by one; by default all where there are at most
                200, and otherwise 60, and random directions by which every number counts
    keywords    further arguments of the function, by name

    >>> import numpy as np
    >>> x = np.array([0.5, -1.0])
    >>> certificate = check_gradients(lambda x: np.sum(np.sin(x)), x)
    >>> certificate.passed, round(certificate.taylor.worst, 1)
    (True, 2.0)
    >>> certificate = check_gradients(lambda x: np.sum(x**2), x, gradient=x)
    >>> print(certificate.problems[0])
    The gradient of x is 0.5 times what it should be.

    Raises GradientError where the function is not a scalar function of real numbers, or the
    gradient given is not nested and shaped as the arguments, and TraceError where the function
    cannot be traced and no gradient is given.
    """
    subject = Subject(function, arguments, keywords, argnums)
    with np.errstate(all="ignore"):
        return _Checking(subject, gradient, np.random.default_rng(seed), samples).certificate()


@dataclass
class _Checking:
    """One check in progress."""

    subject: Subject
    gradient: Any
    rng: np.random.Generator
    samples: int | None
    entries: list[Entry] = field(default_factory=list[Entry])
    at_kinks: list[AtKink] = field(default_factory=list[AtKink])
    notes: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    rough: list[Entry] = field(default_factory=list[Entry])
    not_finite: list[str] = field(default_factory=list[str])
    bent_directions: int = 0

    def certificate(self) -> Certificate:
        """Compare, and sum up."""
        if note := self.subject.choose_precision():
            self.notes.append(note)
        self.point = Point(self.subject, self.subject.origin, self.gradient)
        self._say_what_is_special()
        taylor = Check("Taylor slope", None, 0)
        beside: dict[int, Entry] = {}
        if self._can_be_checked():
            self.point.measure_noise(self.rng)
            self._compare_with_graph()
            for direction in self._directions():
                self._compare(direction)
            beside = beside_kinks(self.point, self.at_kinks, self.gradient, self.rng)
            self.entries.extend(beside.values())
            still = [kink.position for kink in self.at_kinks]
            taylor = taylor_check(self.point, still, self.rng)
            if self.rough and taylor.passed is False and not any(e.wrong for e in self.entries):
                # With rounding as large as here, it is not for the slope alone to contradict.
                taylor = Check("Taylor slope", None, 0, note="too rough")
            self._find_problems(taylor)
            self._say_what_was_not_compared()
        return Certificate(
            self.subject.name,
            self.point.value,
            self.subject.size,
            " and ".join(sorted({str(part.dtype) for part in self.subject.parts})),
            self.point.noise,
            tuple(self.entries),
            numeric_check("complex step", self.entries),
            numeric_check("central differences", self.entries),
            taylor,
            tuple(kinks(self.at_kinks, beside)),
            tuple(self.problems),
            tuple(self.notes),
        )

    # Before anything is compared.

    def _say_what_is_special(self) -> None:
        point = self.point
        if point.untraced is not None:
            self.notes.append(
                f"The complex step is not made, since {self.subject.name} cannot be traced: "
                f"{point.untraced}"
            )
        if point.trace is not None and point.trace.held:
            places = ", ".join(dict.fromkeys(place_of(node) for node in point.trace.held))
            self.notes.append(
                "What stop_gradient lets no gradient through is held still, so the graph is "
                f"compared in place of the function: {places}."
            )
        if point.carried is not None and (abs(point.jump) > 3 * point.roundoff).any():
            self.notes.append(
                "In the arguments' own precision another branch is taken than in double: "
                f"{place_of(point.carried)}. Rounding carries the point over a kink, or onto it, "
                "so the gradient of that branch is accepted too."
            )

    def _can_be_checked(self) -> bool:
        if not self.subject.size:
            self.notes.append("The arguments are empty: there is nothing to compare.")
            return False
        if sentence := self.point.not_finite():
            self.problems.append(sentence)
            return False
        again = self.point(self.point.x)
        if abs(again - self.point.value) > 1e-6 * abs(self.point.value):
            self.problems.append(
                f"{self.subject.name} gives {self.point.value:.6g} and then {again:.6g} for the "
                "same arguments. Pass its random numbers, or a generator, as an argument."
            )
            return False
        return True

    def _compare_with_graph(self) -> None:
        """The graph must have the value of the function that it was traced from."""
        if self.point.trace is None:
            return
        ours, theirs = self.point.trace.value, self.subject(self.point.x)
        relative = 1e-9 if self.subject.double else 1e-4
        if abs(ours - theirs) > 64 * self.point.noise + relative * abs(theirs):
            self.problems.append(
                f"The traced graph gives {ours:.9g} and the function itself {theirs:.9g}, so that "
                "it does something else when it is traced."
            )

    # What is compared.

    def _directions(self) -> Iterator[Direction]:
        """Each number that is compared, and random directions where not all are."""
        every = self.subject.size <= (self.samples or _EVERY_NUMBER)
        share = max(2, (self.samples or _SAMPLES) // max(1, len(self.subject.parts)))
        for part in self.subject.parts:
            chosen = np.arange(part.size)
            if not every and part.size > share:
                chosen = np.sort(self.rng.choice(part.size, share, replace=False))
                for _ in range(_DIRECTIONS):
                    vector = np.zeros(self.subject.size)
                    vector[part.span] = self.rng.normal(size=part.size)
                    yield Direction(part, None, vector * self.point.scale)
            for offset in chosen:
                yield single(self.point, part, part.start + int(offset))

    def _compare(self, direction: Direction) -> None:
        """Compare one derivative, and keep what was found."""
        confirm = sum(entry.differs for entry in self.entries) < _CONFIRMED
        compared = compare(self.point, direction, confirm, beside_kink=False)
        if compared.at_kink:
            self._keep_kink(compared)
            return
        if compared.measured.numeric is None:
            self.not_finite.append(compared.entry.component)
        if compared.made:
            self.entries.append(compared.entry)
        if compared.rough:
            self.rough.append(compared.entry)

    def _keep_kink(self, compared: Compared) -> None:
        if compared.direction.position is None:
            self.bent_directions += 1
            return
        kink = at_kink(self.point, compared)
        self.at_kinks.append(kink)
        # A gradient of the caller's may take any slope between those of the two sides.
        between = None if self.point.own else kink.between()
        if between is not None:
            self.entries.append(between)

    # Summing up.

    def _find_problems(self, taylor: Check) -> None:
        wrong = [entry for entry in self.entries if entry.wrong]
        self.problems.extend(hints(self.subject, self.entries))
        if wrong:
            worst = max(wrong, key=lambda entry: entry.relative_error)
            self.problems.append(
                f"{len(wrong)} of {len(self.entries)} derivatives differ from what is measured, "
                f"most of all {worst.component}: the gradient says {worst.gradient:.6g}, and it is "
                f"{worst.numeric:.6g} (allowed difference {worst.tolerance:.1e})."
            )
        if taylor.passed is False:
            self.problems.append(
                f"The Taylor slope is {taylor.worst:.2f}; of a right gradient it is 2.00."
            )
        nonzero = [entry for entry in self.entries if entry.gradient or entry.numeric]
        if self.rough and len(self.rough) == len(nonzero):
            first = self.rough[0]
            self.problems.append(
                f"Rounding is too large to compare the derivatives: {first.component} is "
                f"{first.gradient:.3g}, give or take {first.tolerance:.1e}. Use double precision, "
                "or other numbers."
            )
        elif self.rough:
            first = self.rough[0]
            self.notes.append(
                f"{len(self.rough)} of {len(self.entries)} derivatives could be compared only "
                f"roughly, such as {first.component}, to {first.tolerance:.1e}."
            )
        if not self.entries and not self.at_kinks:
            self.problems.append("No derivative could be compared.")

    def _say_what_was_not_compared(self) -> None:
        trace = self.point.trace
        if trace is not None and trace.no_complex_step:
            self.notes.append(trace.no_complex_step)
        if self.not_finite:
            self.notes.append(
                f"The function is not finite beside {self.not_finite[0]}"
                + (f" and {len(self.not_finite) - 1} more" if len(self.not_finite) > 1 else "")
                + ", so there is no central difference there."
            )
        if self.bent_directions:
            self.notes.append(
                f"{self.bent_directions} of the random directions meet a kink at the smallest step "
                "and are not compared."
            )
        along = sum(1 for entry in self.entries if entry.component.endswith("direction)"))
        if along or self.bent_directions:
            self.notes.append(
                f"Of {self.subject.size} numbers {len(self.entries) - along} were drawn and "
                "compared one by one, the others along random directions."
            )
