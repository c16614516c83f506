"""Losses that an iteration does not compute, though its updates are made of their gradients.

Many programs begin their backward pass with the difference of outputs and targets, and show no
loss, or show one after each epoch alone. What they go down is a known loss of those outputs and
targets all the same, if every update is made of its gradient.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from chainrule.check.comparison import Compared, compare, value_of_loss
from chainrule.check.guesses import Guess, guesses_of
from chainrule.check.iteration import Trace
from chainrule.check.losses import is_of_fewer
from chainrule.check.multiples import is_round, is_same
from chainrule.check.roles import (
    Parameter,
    Roles,
    ancestors,
    changed_in,
    roles_with,
)
from chainrule.check.updates import last_word, step_of
from chainrule.check.verdicts import RIGHT
from chainrule.graph import Node

__all__ = ["implied"]

_NAMED = re.compile(r"(?i)loss|cost")
"""Who calls a number so means that it is descended."""
_FAR = 1e-3
"""How far from its gradient an update is at least, relative to its size, that is called wrong."""


def implied(
    trace: Trace, roles: Roles, compared: Compared | None, *, match: bool, locate: bool
) -> tuple[Roles, Compared | None]:
    """What an iteration is found to be by a known loss, or what is given where there is none.

    ``roles`` and ``compared`` are what was found of the loss that it computes itself, if it does.
    """
    found = _fitting(trace, match=match, locate=locate)
    if found is None:
        return roles, compared
    fit, by_known = found
    if compared is None:
        return by_known
    if by_known[1].verdict not in RIGHT:
        return (roles, compared) if compared.descends else by_known
    meeting = _meeting(trace, roles, fit.guess)
    if meeting is None or not (_NAMED.search(roles.name) or fit.guess.has(trace, roles)):
        return by_known  # what is shown is a measure, or is no loss at all
    assert roles.loss is not None
    known = replace(fit.guess.known, outputs=meeting)
    if is_of_fewer(trace, roles.loss, known):
        first = value_of_loss(trace, roles, known)
        return roles, replace(compared, verdict="wrong", first=first, descends=None)
    return roles, replace(compared, verdict="not this loss", descends=known.name)


def _meeting(trace: Trace, roles: Roles, guess: Guess) -> Node | None:
    """The last value that both the known loss and the one that is shown are computed from.

    None where the latter goes into the updates alone, or is of other data.
    """
    loss = roles.loss
    if loss is None or loss in ancestors([each.end for each in roles.parameters]):
        return None
    if loss in trace.log and not (loss in trace.shown or loss in ancestors([*trace.end.values()])):
        return None
    both = ancestors([loss]) & ancestors([guess.known.loss])
    both &= trace.after({each.start for each in roles.parameters})
    return next((n for n in reversed(trace.log) if n in both and n.size > 1), None) or next(
        (n for n in reversed(trace.log) if n in both), None
    )


def _fitting(
    trace: Trace, *, match: bool, locate: bool
) -> tuple[_Fit, tuple[Roles, Compared]] | None:
    """The known loss that every update is made of the gradient of, and how it compares.

    Where that holds of some updates and of no other known loss, and what the others are made of is
    0 as well where outputs are targets, so that no second loss is in them, those are wrong.
    """
    changed = changed_in(trace)
    partly: list[_Fit] = []
    for guess in guesses_of(trace, changed):
        roles = roles_with(trace, changed, guess.known.loss)
        compared = compare(trace, roles, match=False, locate=False) if roles is not None else None
        if roles is None or compared is None or _moved_otherwise(trace, roles, compared):
            continue
        fit = _Fit(guess, changed, compared)
        if compared.verdict in RIGHT and _is_certain(guess, compared):
            return fit.again(trace, match=match, locate=locate)
        if compared.wrong and any(each.start.size > 1 for each in _right(compared)):
            partly.append(fit)
    if len(partly) != 1 or not _is_certain(partly[0].guess, partly[0].compared):
        return None
    (fit,) = partly
    if not fit.guess.vanishes(trace, fit.compared.parameters):
        return None
    whole = fit.again(trace, match=True, locate=True)
    if whole is None or not _is_located(whole[1][1]):
        return None
    return whole if match and locate else fit.again(trace, match=match, locate=locate)


@dataclass(frozen=True)
class _Fit:
    """What a loss comes to where its gradients are all of a size."""

    guess: Guess
    changed: list[Parameter]
    compared: Compared

    def again(
        self, trace: Trace, *, match: bool, locate: bool
    ) -> tuple[_Fit, tuple[Roles, Compared]] | None:
        """The comparison with the loss times the factor that its gradients have in the program."""
        known, factor = self.guess.known, abs(self.compared.factor)
        loss = factor * known.loss
        roles = roles_with(trace, self.changed, loss, known.with_factor(factor))
        compared = compare(trace, roles, match=match, locate=locate) if roles is not None else None
        if roles is None or compared is None:
            return None
        if (compared.verdict in RIGHT) != (self.compared.verdict in RIGHT):
            return None
        written = _written(compared) if compared.verdict in RIGHT else None
        if written is not None:
            # Between the rate and the mean of a loss nothing tells but what has a name.
            loss = abs(written) * loss
            roles = roles_with(trace, self.changed, loss, known.with_factor(abs(written) * factor))
            compared = compare(trace, roles, match=match, locate=locate) if roles else None
            if roles is None or compared is None or compared.verdict not in RIGHT:
                return None
            compared.verdict = "exact" if written > 0 else "sign convention"
            compared.factor = float(np.sign(written))
        compared.implied = known.name
        return self, (roles, compared)


def _written(compared: Compared) -> float | None:
    """The factor of the last value that is a gradient, where none is the loss's own."""
    own = {last_word(each.path) for each in compared.parameters}
    factors = [
        each.factor
        for each in compared.values
        if each.of is not None and " by " not in each.of and last_word(each.name) not in own
    ]
    if not factors or any(is_same(abs(each), 1.0) for each in factors):
        return None
    return factors[-1]


def _moved_otherwise(trace: Trace, roles: Roles, compared: Compared) -> bool:
    """Whether something else than this loss moves a parameter."""
    left = [each for each in roles.parameters if each not in compared.parameters]
    return any(np.any(step_of(trace, each)) and not _has_gradient(trace, each) for each in left)


def _right(compared: Compared) -> list[Parameter]:
    return [each for each in compared.parameters if each not in compared.wrong]


def _is_certain(guess: Guess, compared: Compared) -> bool:
    """Whether it is no accident that the updates that are right are those of a loss.

    All losses of one number have a multiple of the same gradient, so there the factor must tell.
    """
    right = _right(compared)
    steps = [compared.steps[each.path] for each in right]
    alike = bool(steps) and all(step and is_same(step, steps[0] or 0.0) for step in steps)
    if all(each.start.size == 1 for each in right):
        return len(right) > 1 and alike and is_round(abs(compared.factor))
    several = sum(each.size for each in guess.outputs) > 1
    return is_round(abs(compared.factor)) or (several and alike)


def _is_located(compared: Compared) -> bool:
    """Whether a wrong value was found, and proved, or else most parameters are right."""
    if compared.verdict != "wrong" or compared.first is None:
        return False
    if any(compared.errors[each.path] < _FAR for each in compared.wrong):
        return False
    return compared.first.should_be is not None or len(_right(compared)) >= len(compared.wrong)


def _has_gradient(trace: Trace, parameter: Parameter) -> bool:
    return parameter.gradient is not None and bool(np.any(trace.value(parameter.gradient)))
