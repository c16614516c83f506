"""What `check_gradients` found: the entries compared, the kinks, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.errors import GradientError

__all__ = ["Certificate", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One compared derivative: of one entry of an argument, or along a direction.

    ``allowed`` is the difference that rounding and the step can explain.
    """

    name: str
    gradient: float
    numeric: float
    allowed: float

    @property
    def relative(self) -> float:
        """|a − n| / (|a| + |n|), 0 where both are 0."""
        scale = abs(self.gradient) + abs(self.numeric)
        return abs(self.gradient - self.numeric) / scale if scale else 0.0

    @property
    def right(self) -> bool:
        """Whether the difference is within what is allowed."""
        return abs(self.gradient - self.numeric) <= self.allowed


@dataclass(frozen=True)
class Certificate:
    """What was compared, and how closely it agrees; true if nothing is wrong.

    ``complex_step`` and ``central`` are the entries compared, ``slope`` the Taylor slope (None for
    a function that is linear to rounding), ``kinks`` the places where there is no derivative to
    compare with, ``notes`` what could not be done and why.
    """

    function: str
    entries: int
    complex_step: tuple[Entry, ...]
    central: tuple[Entry, ...]
    slope: float | None
    linear: bool
    kinks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no comparison failed and at least one was made."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.passed

    def worst(self, which: str = "central") -> Entry | None:
        """The entry that disagrees most, of ``"central"`` or ``"complex_step"``."""
        entries: tuple[Entry, ...] = getattr(self, which)
        return max(entries, key=lambda entry: (not entry.right, entry.relative), default=None)

    def to_dict(self) -> dict[str, Any]:
        """The certificate as plain data."""
        return {
            "function": self.function,
            "passed": self.passed,
            "entries": self.entries,
            "slope": self.slope,
            "linear": self.linear,
            "kinks": list(self.kinks),
            "notes": list(self.notes),
            "problems": list(self.problems),
            **{
                which: [vars(entry) | {"relative": entry.relative} for entry in entries]
                for which, entries in (
                    ("complex_step", self.complex_step),
                    ("central", self.central),
                )
            },
        }

    def raise_if_wrong(self) -> None:
        """Raise GradientError with the problems if there are any."""
        if self.problems:
            raise GradientError(f"The gradient of {self.function} is wrong. " + str(self))

    def __str__(self) -> str:
        lines = [f"gradient of {self.function}: {'right' if self.passed else 'WRONG'}"]
        for title, which in (("complex step", "complex_step"), ("central differences", "central")):
            entries: tuple[Entry, ...] = getattr(self, which)
            worst = self.worst(which)
            if worst is None:
                lines.append(f"  {title:<20}not compared")
                continue
            lines.append(
                f"  {title:<20}{len(entries)} compared, largest relative error "
                f"{worst.relative:.1e} ({worst.name}: {worst.gradient:.6g}, numerically "
                f"{worst.numeric:.6g})"
            )
        slope = "exactly linear" if self.linear else "not measured"
        if self.slope is not None:
            slope = f"{self.slope:.2f} (2.00 when right)"
        lines.append(f"  {'Taylor slope':<20}{slope}")
        lines.extend(f"  {text}" for text in (*self.problems, *self.kinks, *self.notes))
        return "\n".join(lines)
