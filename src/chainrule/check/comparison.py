"""Every gradient written by hand beside the exact one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.losses import known_losses
from chainrule.check.multiples import (
    is_likely,
    is_same,
    multiple,
    multiple_or_transpose,
    tolerance_of,
)
from chainrule.check.roles import (
    Parameter,
    Roles,
    ancestors,
    gradients_of,
    takes_several_steps,
)
from chainrule.check.updates import Update, common_factor, last_word, step_of, usual_step
from chainrule.graph import Node

__all__ = ["Compared", "Value", "compare", "forward_gradients", "local_derivatives"]

Array = NDArray[Any]


@dataclass
class Value:
    """A value that the program has a name for, on the way to an update.

    ``of`` is what it is the gradient of, times ``factor``; None where it is no gradient that is
    known. ``should_be`` is what it should be the gradient of, where that would put all right.
    """

    name: str
    line: int
    node: Node
    of: str | None = None
    factor: float = 0.0
    should_be: str | None = None


@dataclass
class Compared:
    """What a comparison found.

    The verdict is "exact", "constant factor", "sign convention", "wrong"; "not this loss" where all
    updates are those of another one, which ``descends`` names; or "cannot tell" where no update is
    made of the gradient of what was taken for the loss, and no one value explains it.
    ``reason`` is another reason for that.
    ``wrong`` are the parameters whose gradient is not the loss's, ``never`` is one that is not
    updated though its gradient is there, ``first`` the first value that is wrong. ``errors`` says of
    each parameter how far its gradient is from the exact one, relative to that; ``steps`` by which
    factor its step is the gradient; ``uphill`` are those whose step goes up the loss.
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
    ascends: bool = False
    errors: dict[str, float] = field(default_factory=dict[str, float])
    steps: dict[str, float | None] = field(default_factory=dict[str, float | None])
    uphill: list[str] = field(default_factory=list[str])
    reason: str | None = None


def compare(trace: Trace, roles: Roles, *, locate: bool = True) -> Compared | None:
    """Compare an iteration's updates with the exact gradients; None where all of them are 0.

    With ``locate`` false the first wrong value is not searched for.
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
    factor = common_factor(found)
    usual = usual_step(found)
    wrong = [each.parameter for each in found if not each.has(factor) or each.is_off(usual)]
    wrong += [e for e in known if e.end.shape != e.start.shape and e not in wrong]
    if usual is not None and all(is_same(each.step, usual) for each in found):
        wrong = []  # however it is written, every step is the gradient's multiple, and the same one
    blurred = [each for each in wrong if _is_blurred(trace, roles, each)]
    if blurred:  # such as that of a bias before a normalisation, or of what is already learned
        sharp = [each for each in roles.parameters if each not in blurred]
        return compare(trace, replace(roles, parameters=sharp))
    moves = [float(np.sum(step_of(trace, each) * exact[each.path])) for each in known]
    ascends = all(move > 0 for move in moves)
    reversed_sign = any(each.size > 1 and (each.written or 0) * factor < 0 for each in found)
    verdict = _verdict(factor, wrong=bool(wrong), ascends=ascends, reversed_sign=reversed_sign)
    result = Compared(verdict, factor, roles.name, known, wrong, ascends=ascends)
    result.errors = {
        each.parameter.path: each.error(trace, usual, is_wrong=each.parameter in wrong)
        for each in found
    }
    result.steps = {each.parameter.path: each.step for each in found}
    result.uphill = [e.path for e, move in zip(known, moves, strict=True) if move > 0]
    if any(takes_several_steps(each) for each in wrong):
        result.verdict, result.reason = "cannot tell", "an iteration takes several steps"
        return result
    result.values = _values(trace, roles)
    forward = forward_gradients(trace, roles)
    _match(trace, roles, result, forward)
    likely = is_likely(factor)
    if likely and not wrong:
        _never_updated(trace, roles, result)
        return result
    if not locate:
        return result
    if likely:
        right = [e.step for e in found if e.parameter not in wrong and e.size > 1 and e.step]
        step = usual if usual is not None else next(iter(right), None)
        result.first = _culprit(trace, forward, result, found, step)
    if result.first is None and not (likely and len(wrong) < len(known)):
        result.descends = _descended(trace, roles)
        result.verdict = "cannot tell" if result.descends is None else "not this loss"
    elif result.first is None:
        result.first = _first(result)
    return result


def _is_blurred(trace: Trace, roles: Roles, parameter: Parameter) -> bool:
    """Whether a gradient is the rounding of 0, or goes through the largest of equal numbers."""
    if parameter.gradient is None:
        return False
    on_the_way = trace.after({parameter.start}) & roles.forward
    ties = any(trace.has_ties(node) for node in on_the_way)
    return ties or trace.is_rounding(parameter.gradient)


def _descended(trace: Trace, roles: Roles) -> str | None:
    """The known loss that every update is made of the gradient of, or None."""
    of_state = trace.after(roles.state)
    for name, loss in known_losses(trace, roles):
        gradients = gradients_of(loss, [each.start for each in roles.parameters])
        found = [
            Update(trace, each, trace.value(gradient), of_state)
            for each, gradient in zip(roles.parameters, gradients, strict=True)
            if np.any(trace.value(gradient))
        ]
        if not any(each.size > 1 for each in found):
            continue
        reached = {each.parameter.path for each in found}
        if any(np.any(step_of(trace, e)) for e in roles.parameters if e.path not in reached):
            continue  # it is not this loss that moves them
        factor, usual = common_factor(found), usual_step(found)
        alike = usual is not None and all(is_same(each.step, usual) for each in found)
        if alike or (is_likely(factor) and all(each.has(factor) for each in found)):
            return name
    return None


def _never_updated(trace: Trace, roles: Roles, result: Compared) -> None:
    """Look for a gradient that is right and that nothing is updated with."""
    assert roles.loss is not None
    changed = {each.start for each in roles.parameters}
    left = [node for node in trace.start.values() if node in roles.forward and node not in changed]
    gradients = gradients_of(roles.loss, left)
    used = ancestors([each.end for each in roles.parameters])
    for node, gradient in zip(left, gradients, strict=True):
        word = last_word(node.name or "")
        for value in trace.log:
            name, line = value.name or "", value.source and value.source.assigned_line
            if value in used or value.shape != node.shape or value.size < 2 or not line:
                continue
            if word not in name or name == word or value in roles.forward:
                continue
            found = multiple(trace.value(value), trace.value(gradient), tolerance_of(value))
            if is_same(found, result.factor):
                result.verdict, result.never = "wrong", node.name
                result.first = Value(name, line, value, of=node.name, factor=result.factor)
                return


def _verdict(factor: float, *, wrong: bool, ascends: bool, reversed_sign: bool) -> str:
    if wrong or ascends:
        return "wrong"
    if reversed_sign or factor < 0:
        return "sign convention"
    return "exact" if factor == 1.0 else "constant factor"


def _values(trace: Trace, roles: Roles) -> list[Value]:
    """The named values on the way from the loss's values to the updates, in order."""
    used = ancestors([each.end for each in roles.parameters]) - roles.forward
    # A function for the gradient may compute the forward values once more.
    again = {_content(trace.value(node)) for node in roles.forward if node.size > 1}
    found: list[Value] = []
    for node in trace.log:
        if node not in used or node.primitive.kind == "leaf" or not node.name:
            continue
        line = None if node.source is None else node.source.assigned_line
        if line is not None and _content(trace.value(node)) not in again:
            found.append(Value(node.name, line, node))
    return found


def _content(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def _match(trace: Trace, roles: Roles, result: Compared, exact: list[tuple[str, Array]]) -> None:
    """Say of every value what it is the gradient of, where it is one."""
    local = local_derivatives(trace, roles)
    for value in result.values:
        array, tolerance = trace.value(value.node), tolerance_of(value.node)
        options: list[tuple[bool, str, float]] = []
        for name, gradient in exact:
            factor = multiple_or_transpose(array, gradient, tolerance)
            if factor is not None and (array.size > 1 or is_same(factor, result.factor)):
                options.append((not is_same(factor, result.factor), name, factor))
        if options:
            # Of what is the same but for a step without a name, the one with a name.
            _, value.of, value.factor = min(options, key=lambda each: (each[0], not each[1]))
            continue
        for name, derivative in local:
            if multiple_or_transpose(array, derivative, tolerance) is not None:
                value.of, value.factor = name, 1.0
                break


def forward_gradients(trace: Trace, roles: Roles) -> list[tuple[str, Array]]:
    """Every value between the parameters and the loss, with its exact gradient."""
    assert roles.loss is not None
    starts = {each.start for each in roles.parameters}
    between = (trace.after(starts) & roles.forward) - {roles.loss}
    inner = [node for node in trace.log if node in between and node.dtype.kind == "f"]
    inner = [*[each.start for each in roles.parameters], *inner]
    gradients = gradients_of(roles.loss, inner)
    return [(node.name or "", trace.value(g)) for node, g in zip(inner, gradients, strict=True)]


def local_derivatives(trace: Trace, roles: Roles) -> list[tuple[str, Array]]:
    """The derivative of each activation by its pre-activation, element by element."""
    found: list[tuple[str, Array]] = []
    named = [n for n in trace.log if n in roles.forward and n.name and n.size > 1]
    for i, output in enumerate(named):
        below = ancestors([output])
        for inner in named[:i]:
            if inner in below and inner.shape == output.shape and inner is not output:
                (gradient,) = gradients_of(output, [inner])
                found.append((f"{output.name} by {inner.name}", trace.value(gradient)))
    return found


def _culprit(
    trace: Trace,
    gradients: list[tuple[str, Array]],
    result: Compared,
    found: list[Update],
    usual: float | None,
) -> Value | None:
    """The first value which, were it the gradient of the right thing, would put all right after it.

    Of every value on the way to a wrong update it is tried whether the exact gradient of some value
    of the same shape, in its place, makes the update the gradient.
    """
    factors = {result.factor, *(v.factor for v in result.values if v.of and v.factor)}
    likely = sorted(factors, key=lambda factor: abs(factor - result.factor))[:4]
    below = [(each, ancestors([each.parameter.end])) for each in found]
    for value in result.values:
        array = trace.value(value.node)
        after = [each for each, nodes in below if value.node in nodes]
        wrong = [each for each in after if each.parameter in result.wrong]
        if len(wrong) < len(result.wrong) or array.size == 1:
            continue
        for name, gradient in gradients:
            if gradient.shape != array.shape:
                continue
            for factor in likely:
                to = factor * gradient
                if np.allclose(to, array, rtol=1e-6, atol=0):
                    continue
                # A right value may only have to be another's gradient, not a multiple of its own.
                if is_same(value.factor, result.factor) and multiple(to, array, 1e-6) is not None:
                    continue
                if all(
                    each.is_right_if(trace, value.node, to, result.factor, usual) for each in after
                ):
                    value.should_be = name
                    return value
    return None


def _first(result: Compared) -> Value | None:
    """The first value that is wrong though everything it is computed from is right."""
    by_node = {value.node: value for value in result.values}
    found: list[Value] = []
    for parameter in result.wrong:
        below = ancestors([parameter.end])
        on_the_way = [value for value in result.values if value.node in below]
        suspects = [value for value in on_the_way if value.of is None]
        # The parameter's own gradient, but for a factor that the others do not have.
        own = [
            value
            for value in on_the_way
            if value.of == parameter.start.name and not is_same(value.factor, result.factor)
        ]
        clear = [v for v in suspects if not any(u.of is None for u in _parents(v.node, by_node))]
        found += (own or clear or suspects)[:1]
    order = {value.node: i for i, value in enumerate(result.values)}
    return min(found, key=lambda value: order[value.node]) if found else None


def _parents(node: Node, by_node: dict[Node, Value]) -> list[Value]:
    """The named values that a value is computed from, without those behind them."""
    found: dict[Node, Value] = {}
    seen: set[Node] = set()
    waiting = list(node.inputs)
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in by_node:
            found[current] = by_node[current]
        else:
            waiting.extend(current.inputs)
    return list(found.values())
