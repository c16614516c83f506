"""Gradients that still hold those of the iterations before, as nothing sets them to 0."""

from __future__ import annotations

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.multiples import multiple, tolerance_of
from chainrule.check.roles import Roles, ancestors
from chainrule.check.updates import Update, step_of
from chainrule.graph import Node

__all__ = ["accumulated"]

_STEP = 1e-5
"""How far a step, a difference of larger numbers, may be from a multiple."""


def accumulated(trace: Trace, roles: Roles, update: Update) -> Node | None:
    """The sum of all gradients until now that a parameter's step is a multiple of, if it is one.

    A momentum is no such sum: it keeps a part of what was before, and not all of it.
    """
    step = step_of(trace, update.parameter)
    if step.size == 1:
        return None  # single numbers are all one another's multiples
    used = ancestors([update.parameter.end])
    for path, start in trace.start.items():
        end = trace.end.get(path)
        if start not in roles.state or start not in used or end is None or start.shape != end.shape:
            continue
        before, after = trace.value(start), trace.value(end)
        if before.shape != update.exact.shape or not np.any(before):
            continue
        added = multiple(after - before, update.exact, 10 * tolerance_of(end))
        if added is None or multiple(before, update.exact, 1e-3) is not None:
            continue
        if step.shape == after.shape and multiple(step, after, _STEP) is not None:
            return end
    return None
