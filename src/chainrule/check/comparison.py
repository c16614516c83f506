"""Every gradient written by hand beside the exact one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.accumulation import accumulated
from chainrule.check.apart import climbing, first_apart
from chainrule.check.case import Case
from chainrule.check.culprits import culprit, first_accumulated, helper, repeated
from chainrule.check.decay import without_decay
from chainrule.check.growth import is_to_grow, may_be_to_grow
from chainrule.check.iteration import Trace
from chainrule.check.losses import Known, is_of_fewer, known_losses
from chainrule.check.multiples import is_likely, is_same, multiple
from chainrule.check.omissions import never_updated
from chainrule.check.purposes import purpose
from chainrule.check.rates import settle_equal_rates, without_rate
from chainrule.check.roles import Parameter, Roles, ancestors, gradients_of, takes_several_steps
from chainrule.check.updates import (
    Update,
    common_factor,
    common_step,
    is_rate,
    settle_scaled,
    settle_single_numbers,
    step_of,
    uphill,
    usual_step,
)
from chainrule.check.values import Value, forward_gradients, match_values, values_of
from chainrule.check.verdicts import CANNOT_TELL, LARGER, SEVERAL_STEPS
from chainrule.graph import Node

__all__ = ["Compared", "compare", "value_of_loss"]

Array = NDArray[Any]
_TELLING = 4
"""So many elements that are all the same multiple of a gradient's are so by no accident."""


@dataclass
class Compared:
    """What a comparison found.

    The verdict is "exact", "constant factor", "sign convention", "wrong"; "not this loss" where all
    updates are those of another one, which ``descends`` names; or "cannot tell" where no update is
    made of the gradient of what was taken for the loss, and no one value explains it.
    ``reason`` is another reason for that.
    ``implied`` is the name of a known loss that the iteration itself does not compute.
    ``wrong`` are the parameters whose gradient is not the loss's, ``never`` is one that is not
    updated though its gradient is there, ``first`` the first value that is wrong. ``errors`` says
    of each parameter how far its gradient is from the exact one, relative to that; ``steps`` by
    which factor its step is the gradient; ``uphill`` are those whose step goes up the loss.
    ``is_known_loss`` says that the loss is a known one that the program does not show, and
    ``adds_up`` that gradients still hold those of the iterations before.
    """

    verdict: str
    factor: float
    loss: str
    parameters: list[Parameter]
    wrong: list[Parameter] = field(default_factory=list[Parameter])
    values: list[Value] = field(default_factory=list[Value])
    first: Value | None = None
    never: str | None = None
    descends: str | None = None
    implied: str | None = None
    ascends: bool = False
    errors: dict[str, float] = field(default_factory=dict[str, float])
    steps: dict[str, float | None] = field(default_factory=dict[str, float | None])
    uphill: list[str] = field(default_factory=list[str])
    is_known_loss: bool = False
    adds_up: bool = False
    reason: str | None = None


def compare(
    trace: Trace,
    roles: Roles,
    *,
    match: bool = True,
    locate: bool = True,
    rate: float | None = None,
) -> Compared | None:
    """Compare an iteration's updates with the exact gradients; None where all of them are 0.

    With ``locate`` false the first wrong value is not searched for; with ``match`` false it is not
    said either of what each value is the gradient, where a step is wrong. ``rate`` is the factor
    between a right step and its gradient, where that is known.
    """
    assert roles.loss is not None
    exact = {
        each.path: trace.value(each.gradient)
        for each in roles.parameters
        if each.gradient is not None
    }
    known = [each for each in roles.parameters if np.any(exact[each.path])]
    if not known:
        return None
    of_state = trace.after(roles.state)
    found = [Update(trace, each, exact[each.path], of_state) for each in known]
    settle_scaled(found)
    settle_single_numbers(trace, found)
    if common_step(found) is None:
        settle_equal_rates(trace, found)
    bare = without_rate(found)
    factor, sums = common_factor(found), [accumulated(trace, roles, each) for each in found]
    step, usual = common_step(found), usual_step([each for each in found if each not in bare])
    wrong = _wrong(found, factor, usual, sums, bare)
    if step is not None:
        wrong = []  # however it is written, every step is the gradient's multiple, and the same one
        if is_same(abs(factor), abs(step)) and is_rate(trace, roles, abs(step)):
            factor = float(np.sign(factor))  # what was found is the step, learning rate and all
    wrong += [each for each in uphill(found) if each not in wrong]
    blurred = [each for each in wrong if _is_blurred(trace, roles, each)]
    if blurred:  # such as that of a bias before a normalisation, or of what is already learned
        sharp = [each for each in roles.parameters if each not in blurred]
        roles = replace(roles, parameters=sharp)
        return compare(trace, roles, match=match, locate=locate, rate=rate)
    unclear = wrong or any(each.is_scaled for each in found)
    undecayed = without_decay(trace, roles) if unclear else None
    if undecayed is not None:
        other = compare(trace, undecayed, match=match, locate=locate, rate=rate)
        if other is not None and not other.wrong:
            return other
    moves = [float(np.sum(step_of(trace, each) * exact[each.path])) for each in known]
    ascends = all(move > 0 for move in moves)
    if ascends and not wrong and is_to_grow(roles.name):
        ascends, factor = False, abs(factor)
    reversed_sign = any(each.size > 1 and (each.written or 0) * factor < 0 for each in found)
    verdict = _verdict(factor, wrong=bool(wrong), ascends=ascends, reversed_sign=reversed_sign)
    result = Compared(verdict, factor, roles.name, known, wrong, ascends=ascends)
    if ascends and not wrong and may_be_to_grow(roles.name, float(trace.value(roles.loss).sum())):
        result.verdict, result.reason = CANNOT_TELL, f"{LARGER} {roles.name} larger"
        return result
    result.steps = {
        each.parameter.path: multiple(step_of(trace, each.parameter), each.exact, 1e-5)
        for each in found
    }
    result.uphill = [e.path for e, move in zip(known, moves, strict=True) if move > 0]
    if any(takes_several_steps(each) for each in wrong):
        result.verdict, result.reason = CANNOT_TELL, SEVERAL_STEPS
        return result
    if wrong and not match:
        return result
    result.errors = {
        each.parameter.path: each.error(trace, factor, usual, is_wrong=each.parameter in wrong)
        for each in found
    }
    result.values = values_of(trace, roles)
    forward = forward_gradients(trace, roles)
    match_values(trace, roles, result.values, forward, factor)
    if is_likely(factor) and not wrong and not ascends:
        left = never_updated(trace, roles, factor)
        if left is not None:
            result.verdict, result.first = "wrong", left
            result.never = left.of
    elif any(sums):
        result.first, result.adds_up = first_accumulated(trace, sums), True
    elif locate:
        right = [e.step for e in found if e.parameter not in wrong and e.size > 1 and e.step]
        if rate is None:
            rate = usual if usual is not None else next(iter(right), None)
        case = Case(trace, roles, factor, result.values, found, wrong, forward, rate)
        meant = purpose(case) if wrong else None
        if meant is not None:
            result.verdict, result.reason = CANNOT_TELL, meant
            return result
        _explain(case, result)
        if result.verdict == CANNOT_TELL and roles.loss in trace.log:
            return _by_another_loss(trace, roles) or result
    return result


def _by_another_loss(trace: Trace, roles: Roles) -> Compared | None:
    """The comparison with a known loss that most updates, though not all, are made of."""
    for known in known_losses(trace, roles):
        gradients = gradients_of(known.loss, [each.start for each in roles.parameters])
        parameters = [
            replace(each, gradient=gradient)
            for each, gradient in zip(roles.parameters, gradients, strict=True)
        ]
        forward = ancestors([known.loss])
        other = Roles(parameters, known.loss, known.name, forward, roles.state)
        found = compare(trace, other, match=False, locate=False)
        if found is None or not found.wrong or not is_likely(found.factor):
            continue
        if any(np.any(step_of(trace, e)) for e in parameters if e not in found.parameters):
            continue  # something else moves that one
        sizes = [each.start.size for each in found.parameters if each not in found.wrong]
        if max(sizes, default=0) >= _TELLING and len(sizes) >= len(found.wrong):
            found = compare(trace, other)
            if found is not None and found.first is not None:
                found.is_known_loss = True
                return found
    return None


def _is_blurred(trace: Trace, roles: Roles, parameter: Parameter) -> bool:
    """Whether a gradient is the rounding of 0, or goes through the largest of equal numbers."""
    if parameter.gradient is None:
        return False
    on_the_way = trace.after({parameter.start}) & roles.forward
    ties = any(trace.has_ties(node) for node in on_the_way)
    return ties or trace.is_rounding(parameter.gradient)


def _wrong(
    found: list[Update],
    factor: float,
    usual: float | None,
    sums: list[Node | None],
    bare: list[Update],
) -> list[Parameter]:
    """The parameters whose updates are not made of the gradient times the factor, or not alone.

    ``usual`` is the factor between their steps and gradients, where they have no rate of their own,
    and ``bare`` are without a rate.
    """
    single = all(each.size == 1 for each in found)
    rates = {each.rate for each in found if usual is not None and is_same(each.step, usual)}
    by_own = [each for each in found if each.rate is not None and each.rate not in rates]
    return [
        each.parameter
        for each, old in zip(found, sums, strict=True)
        if not each.has(factor)
        or (each not in by_own and each.is_off(usual, single=single))
        or each.penalised
        or each in bare
        or old is not None
        or each.parameter.end.size != each.parameter.start.size
    ]


def _explain(case: Case, result: Compared) -> None:
    """Find the loss that is descended instead, or the first wrong value."""
    if result.ascends and not case.wrong and is_likely(case.factor):
        result.first = climbing(case)
        return
    likely, some = is_likely(case.factor), len(case.wrong) < len(case.updates)
    if not (likely and some):
        known = _descended(case.trace, case.roles)
        if known is not None and is_of_fewer(case.trace, case.loss, known):
            result.first = value_of_loss(case.trace, case.roles, known)
        elif known is not None:
            result.verdict, result.descends = "not this loss", known.name
            found = _updates_of(case.trace, case.roles, known)
            result.errors = {
                each.parameter.path: each.error(case.trace, 1.0, None, is_wrong=False)
                for each in found
            }
        if known is not None:
            return
    if likely:
        result.first = helper(case) or culprit(case) or repeated(case)
        if result.first is None and some:
            result.first = first_apart(case)
            return
    if result.first is None:
        result.verdict = CANNOT_TELL


def value_of_loss(trace: Trace, roles: Roles, known: Known) -> Value | None:
    """The first number that is made of the outputs on the way to the loss."""
    on_the_way = trace.after({known.outputs}) & roles.forward
    for node in trace.log:
        line = node.source and node.source.assigned_line
        if node in on_the_way and node.size == 1 and node.name and line:
            return Value(node.name, line, node)
    return None


def _updates_of(trace: Trace, roles: Roles, known: Known) -> list[Update]:
    """The updates as they are by a known loss, where its gradient is not 0."""
    of_state = trace.after(roles.state)
    gradients = gradients_of(known.loss, [each.start for each in roles.parameters])
    return [
        Update(trace, each, trace.value(gradient), of_state)
        for each, gradient in zip(roles.parameters, gradients, strict=True)
        if np.any(trace.value(gradient))
    ]


def _descended(trace: Trace, roles: Roles) -> Known | None:
    """The known loss that every update is made of the gradient of, or None."""
    for known in known_losses(trace, roles):
        found = _updates_of(trace, roles, known)
        if not any(each.size > 1 for each in found):
            continue
        reached = {each.parameter.path for each in found}
        if any(np.any(step_of(trace, e)) for e in roles.parameters if e.path not in reached):
            continue  # it is not this loss that moves them
        factor, usual = common_factor(found), usual_step(found)
        alike = usual is not None and all(is_same(each.step, usual) for each in found)
        if alike or (is_likely(factor) and all(each.has(factor) for each in found)):
            return known
    return None


def _verdict(factor: float, *, wrong: bool, ascends: bool, reversed_sign: bool) -> str:
    if wrong or ascends:
        return "wrong"
    if reversed_sign or factor < 0:
        return "sign convention"
    return "exact" if factor == 1.0 else "constant factor"
