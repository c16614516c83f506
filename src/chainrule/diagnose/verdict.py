"""A verdict: what is the matter, how sure that is, and what shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["VERDICTS", "Certainty", "Verdict"]

Certainty = Literal["proved", "measured", "likely"]

VERDICTS: dict[str, str] = {
    "solved": "Solved",
    "descending": "Still descending",
    "infinity": "Crawling toward an infimum at infinity",
    "saddle": "At or near a saddle point",
    "minimum": "At a local minimum",
    "plateau": "On a plateau",
    "step-too-large": "The step is too large",
    "vanishing": "Vanishing gradients",
    "exploding": "Exploding gradients",
    "dead": "Dead units",
    "saturated": "Saturated units",
    "symmetric": "Symmetric units",
    "overfitting": "Overfitting",
    "contradictory": "Contradictory labels",
    "constant-inputs": "Constant inputs",
    "unscaled-inputs": "Unscaled inputs",
    "constant-targets": "Constant targets",
    "not-known": "No fault found",
}
"""The verdicts by name, each with its title; docs/diagnose has a page for each."""


@dataclass(frozen=True)
class Verdict:
    """One finding about a run.

    ``name``       one of `VERDICTS`
    ``fault``      whether it says that something is wrong
    ``certainty``  ``"proved"`` by exact derivatives, limits or bounds; ``"measured"`` on the run or
                   by an experiment; ``"likely"`` where neither settles it
    ``evidence``   sentences, the most telling first
    ``facts``      the numbers behind them, as plain data
    """

    name: str
    fault: bool
    certainty: Certainty
    evidence: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def title(self) -> str:
        """What it is called.

        >>> Verdict("saddle", True, "proved", ()).title
        'At or near a saddle point'
        """
        return VERDICTS[self.name]

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "fault": self.fault,
            "certainty": self.certainty,
            "evidence": list(self.evidence),
            "facts": self.facts,
        }
