"""What an iteration comes to: by the loss that was found, by a known one, or by another number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chainrule.check.comparison import Compared, compare
from chainrule.check.implied import implied
from chainrule.check.iteration import Trace
from chainrule.check.multiples import tolerance_of
from chainrule.check.optimisers import as_wrong
from chainrule.check.roles import Roles
from chainrule.check.several import Several
from chainrule.check.values import Value
from chainrule.check.verdicts import CANNOT_TELL, RIGHT, SEVERAL_LOSSES

__all__ = ["How", "concluded", "described"]


@dataclass(frozen=True)
class How:
    """How an iteration is compared.

    ``match`` and ``locate`` are those of `compare`; ``minimised`` says that an optimiser was given
    the loss and its gradient, ``named`` that the user named the loss, and ``own`` that other
    iterations of the loop were told by a loss that they compute.
    """

    match: bool
    locate: bool
    minimised: bool
    named: bool
    own: bool


def concluded(trace: Trace, roles: Roles, how: How) -> tuple[Roles, Compared | None]:
    """The comparison of an iteration with the loss that it goes down, as far as one can tell."""
    match, locate, rate = how.match, how.locate, -1.0 if how.minimised else None
    compared = None
    if roles.reason is None:
        compared = compare(trace, roles, match=match, locate=locate, rate=rate)
    if how.minimised:
        return roles, None if compared is None else as_wrong(compared)
    if how.named:
        return roles, compared
    if not how.own and _is_open(roles, compared):
        roles, compared = implied(trace, roles, compared, match=match, locate=locate)
    if compared is not None and not compared.implied and _is_unsettled(compared):
        return _by_another(trace, roles, compared, how)
    return roles, compared


def _by_another(trace: Trace, roles: Roles, compared: Compared, how: How) -> tuple[Roles, Compared]:
    """What an iteration comes to by another of its numbers, where that is no mistake."""
    several = Several(trace, roles)
    for other in several.roles():
        by_it = compare(trace, other, match=False, locate=False)
        if by_it is not None and _is_all_of(by_it, roles):
            whole = compare(trace, other, match=how.match, locate=how.locate)
            if whole is not None and whole.verdict in RIGHT:
                return other, whole
    if compared.verdict == "wrong" and several.explain(compared.wrong):
        reason = f"{SEVERAL_LOSSES}, or of another one than {roles.name or 'the one shown'}"
        return roles, replace(compared, verdict=CANNOT_TELL, reason=reason)
    return roles, compared


def _is_open(roles: Roles, compared: Compared | None) -> bool:
    """Whether an iteration goes down no loss that it computes itself, as far as one can tell."""
    if roles.reason is not None or compared is None:
        return roles.loss is None
    return compared.verdict == "not this loss" or _is_unexplained(compared)


def _is_unsettled(compared: Compared) -> bool:
    """Whether another number of the iteration may be the one that is descended."""
    return compared.verdict == "wrong" or _is_unexplained(compared)


def _is_unexplained(compared: Compared) -> bool:
    return compared.verdict == CANNOT_TELL and compared.reason is None


def _is_all_of(compared: Compared, roles: Roles) -> bool:
    """Whether another loss moves all parameters, and arrays tell so."""
    paths = {each.path for each in compared.parameters}
    some = any(each.start.size > 1 for each in compared.parameters)
    return compared.verdict in RIGHT and some and {e.path for e in roles.parameters} <= paths


def described(compared: Compared) -> dict[str, Any]:
    """A comparison as plain data."""
    first = compared.first
    return {
        "verdict": compared.verdict,
        "factor": compared.factor,
        "ascends": compared.ascends,
        "never": compared.never,
        "descends": compared.descends,
        "implied": compared.implied,
        "loss": compared.loss,
        "tolerance": max(tolerance_of(each.start) for each in compared.parameters),
        "parameters": [
            {"name": each.path, "right": each not in compared.wrong} for each in compared.parameters
        ],
        "values": [
            {"name": each.name, "line": each.line, "of": each.of, "factor": each.factor}
            for each in compared.values
        ],
        "errors": compared.errors,
        "steps": compared.steps,
        "arrays": [each.path for each in compared.parameters if each.start.size > 1],
        "uphill": compared.uphill,
        "adds_up": compared.adds_up,
        "known_loss": compared.is_known_loss,
        "first": None if first is None else _of_first(first),
    }


def _of_first(first: Value) -> dict[str, Any]:
    return {
        "name": first.name,
        "line": first.line,
        "should_be": first.should_be,
        "proved": first.is_proved or first.should_be is not None,
    }
