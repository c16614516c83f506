"""What kind of fault it is, where the numbers alone tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.results import Entry
from chainrule.certificate.subject import Part, Subject

__all__ = ["hints"]

Array = NDArray[Any]


def hints(subject: Subject, entries: Sequence[Entry]) -> list[str]:
    """A sentence for each argument whose gradient is wrong in a way that has a name."""
    by_part = {part.name: [e for e in entries if e.argument == part.name] for part in subject.parts}
    factors = {name: _factor(found) for name, found in by_part.items()}
    known = {round(f, 6) for f in factors.values() if f is not None}
    wrong = [name for name, found in by_part.items() if any(entry.wrong for entry in found)]
    if len(wrong) == len(by_part) > 1 and len(known) == 1 and None not in factors.values():
        return [f"Every gradient is {_spelled(known.pop())} what it should be."]
    sentences: list[str] = []
    for part in subject.parts:
        factor = factors[part.name]
        if factor is not None:
            sentences.append(
                f"The gradient of {part.name} is {_spelled(factor)} what it should be."
            )
        elif part.name in wrong and _is_transposed(part, by_part[part.name]):
            sentences.append(f"The gradient of {part.name} is transposed.")
    return sentences


def _spelled(factor: float) -> str:
    return "the negative of" if abs(factor + 1) < 1e-4 else f"{factor:.4g} times"


def _factor(entries: Sequence[Entry]) -> float | None:
    """The one factor by which all of a gradient is wrong, or None."""
    clear = [e for e in entries if abs(e.numeric) > 100 * e.tolerance and not e.beside_kink]
    if not clear or not any(entry.wrong for entry in clear):
        return None
    gradient = np.array([entry.gradient for entry in clear])
    numeric = np.array([entry.numeric for entry in clear])
    factor = float(gradient @ numeric / (numeric @ numeric))
    allowed = np.array([entry.tolerance for entry in clear]) + 1e-4 * np.abs(numeric)
    same = np.abs(gradient - factor * numeric) <= allowed * max(1.0, abs(factor))
    # Of a single number any factor would do; only a plain one means something.
    plain = len(clear) > 1 or abs(factor - round(factor)) < 1e-4 or abs(factor) in (0.5, 0.25)
    return factor if bool(same.all()) and plain and _is_telling(factor) else None


def _is_telling(factor: float) -> bool:
    return abs(factor) > 1e-12 and abs(factor - 1) > 1e-3


def _is_transposed(part: Part, entries: Sequence[Entry]) -> bool:
    singles = [entry for entry in entries if not entry.beside_kink]
    if len(part.shape) != 2 or part.shape[0] != part.shape[1] or len(singles) != part.size:
        return False
    gradient = np.array([entry.gradient for entry in singles]).reshape(part.shape)
    numeric = np.array([entry.numeric for entry in singles]).reshape(part.shape)
    allowed = np.array([entry.tolerance for entry in singles]).reshape(part.shape)
    return bool((np.abs(gradient - numeric.T) <= np.maximum(allowed, allowed.T)).all())
