"""What `check_gradients` found, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from chainrule.errors import GradientError

__all__ = ["Certificate", "Check", "Entry", "Kink"]

Plain = Any  # what JSON can hold


@dataclass(frozen=True)
class Entry:
    """One derivative that was compared: by one number of an argument, or along a direction.

    ``gradient`` is the one under test, ``difference`` the central difference and ``complex_step``
    the complex step, None where that was not to be had; each has the tolerance that rounding, its
    own error and the argument's precision explain. ``step`` is the central difference's.
    ``beside_kink`` says that it was compared a little off the arguments, which are at a kink.

    >>> entry = Entry("W", "W[0, 1]", 1.03, 1.0, 1e-9, None, 0.0, 6e-6)
    >>> entry.wrong, round(entry.relative_error, 4)
    (True, 0.0148)
    """

    argument: str
    component: str
    gradient: float
    difference: float | None
    difference_tolerance: float
    complex_step: float | None
    complex_tolerance: float
    step: float
    beside_kink: bool = False

    @property
    def differs(self) -> bool:
        """Whether the central difference contradicts the gradient."""
        return _beyond(self.gradient, self.difference, self.difference_tolerance)

    @property
    def complex_differs(self) -> bool:
        """Whether the complex step contradicts the gradient."""
        return _beyond(self.gradient, self.complex_step, self.complex_tolerance)

    @property
    def wrong(self) -> bool:
        """Whether either contradicts the gradient."""
        return self.differs or self.complex_differs

    @property
    def _by_complex_step(self) -> bool:
        return self.difference is None or (self.complex_differs and not self.differs)

    @property
    def numeric(self) -> float:
        """The central difference, or the complex step where only that is there or contradicts."""
        value = self.complex_step if self._by_complex_step else self.difference
        return math.nan if value is None else value

    @property
    def tolerance(self) -> float:
        """The tolerance of ``numeric``."""
        return self.complex_tolerance if self._by_complex_step else self.difference_tolerance

    @property
    def relative_error(self) -> float:
        """|a − n| / (|a| + |n|) of the gradient and ``numeric``; 0 where both are 0 to rounding."""
        return relative_error(self.gradient, self.numeric, self.tolerance)


def relative_error(a: float, n: float, tolerance: float) -> float:
    """|a − n| / (|a| + |n|), or 0 where neither is larger than the tolerance."""
    return 0.0 if max(abs(a), abs(n)) <= tolerance else abs(a - n) / (abs(a) + abs(n))


def _beyond(a: float, n: float | None, tolerance: float) -> bool:
    return n is not None and abs(a - n) > tolerance


@dataclass(frozen=True)
class Check:
    """One of the three checks: its verdict (None where it was not made), and how it was reached.

    ``worst`` and ``tolerance`` are the largest relative error and what was allowed there, or of
    the Taylor check the slope and the least slope allowed, None for a function that is linear.
    """

    name: str
    passed: bool | None
    compared: int
    worst: float | None = None
    tolerance: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Kink:
    """A place where the function has no derivative, by the components that meet it.

    ``gradient``, ``before`` and ``after`` belong to the first component: the value under test, and
    the slopes on the two sides. ``beside`` says whether the gradient was right a little off the
    kink; None where that could not be told.
    """

    operation: str
    place: str
    components: tuple[str, ...]
    gradient: float
    before: float
    after: float
    beside: bool | None = None


@dataclass(frozen=True)
class Certificate:
    """What was compared and how closely it agrees; true where nothing contradicts the gradient.

    function      the name of the function
    value         its value
    size          how many numbers derivatives are taken by
    entries       every derivative compared
    complex_step, central_differences, taylor   the three checks
    kinks         where there is no derivative, which is not a fault
    problems      what contradicts the gradient, or keeps it from being checked, in sentences
    notes         what could not be done and why
    precision     the dtype of the arguments
    noise         how far rounding moves one value of the function
    """

    function: str
    value: float
    size: int
    precision: str
    noise: float
    entries: tuple[Entry, ...]
    complex_step: Check
    central_differences: Check
    taylor: Check
    kinks: tuple[Kink, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts the gradient, and it could be checked."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.passed

    @property
    def checks(self) -> tuple[Check, Check, Check]:
        """The three checks."""
        return self.complex_step, self.central_differences, self.taylor

    @property
    def wrong(self) -> tuple[Entry, ...]:
        """The entries that are contradicted."""
        return tuple(entry for entry in self.entries if entry.wrong)

    @property
    def worst(self) -> dict[str, Entry]:
        """For each argument, the entry that agrees least: a wrong one, if one is."""
        found: dict[str, Entry] = {}
        for entry in self.entries:
            known = found.get(entry.argument)
            if known is None or _badness(entry) > _badness(known):
                found[entry.argument] = entry
        return found

    @property
    def contradicted(self) -> bool:
        """Whether a check contradicts the gradient; one that failed otherwise was not proved."""
        return any(check.passed is False for check in self.checks)

    def raise_if_wrong(self) -> None:
        """Raise GradientError with the whole report if the certificate did not pass."""
        if not self.passed:
            raise GradientError(str(self))

    def to_dict(self) -> dict[str, Plain]:
        """The certificate as dicts, lists, texts and numbers, for JSON; nan is the text 'nan'.

        >>> import json
        >>> from chainrule import check_gradients
        >>> data = check_gradients(lambda x: x**2, 3.0).to_dict()
        >>> json.loads(json.dumps(data, allow_nan=False))["passed"]
        True
        """
        return {
            "passed": self.passed,
            **_plain(self),
            "worst": {name: entry.component for name, entry in self.worst.items()},
        }

    def __str__(self) -> str:
        from chainrule.certificate.text import as_text

        return as_text(self)


def _badness(entry: Entry) -> tuple[bool, float]:
    return entry.wrong, entry.relative_error


def _plain(value: Any) -> Plain:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, tuple):
        return [_plain(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Entry | Check | Kink | Certificate):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, Entry):
            plain |= {"relative_error": _plain(value.relative_error), "wrong": value.wrong}
        return plain
    return value
