"""The verdicts, and the reasons for having none, by the words that pass between the processes."""

from __future__ import annotations

__all__ = [
    "ADDED",
    "CANNOT_TELL",
    "FED_BACK",
    "LARGER",
    "MEANT",
    "NO_CHANGE",
    "NO_GRADIENT",
    "NO_LOSS",
    "NO_UPDATE",
    "RIGHT",
    "SEVERAL_LOSSES",
    "SEVERAL_STEPS",
    "VERDICTS",
    "WHOLE",
]

RIGHT = ("exact", "constant factor", "sign convention")
VERDICTS = (*RIGHT, "not this loss", "wrong")
"""From the best to the worst."""
CANNOT_TELL = "cannot tell"

NO_LOSS = "no loss was found that the parameters have a part in"
NO_CHANGE = "an iteration changes nothing that the next one reads"
SEVERAL_STEPS = "an iteration takes several steps"
NO_GRADIENT = "the optimiser is given no gradient"
WHOLE = "a parameter is a whole number before its first step"

# How the longer ones begin.
NO_UPDATE = "no update"
LARGER = "the steps make"
FED_BACK = "the error goes back through"
ADDED = "what is added to a gradient"
SEVERAL_LOSSES = "updates are made of several losses"
MEANT = (FED_BACK, ADDED, SEVERAL_LOSSES)
"""Those of what may be no mistake."""
