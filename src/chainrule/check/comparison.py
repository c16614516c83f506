"""Every gradient written by hand beside the exact one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.losses import known_losses
from chainrule.check.roles import Parameter, Roles, ancestors
from chainrule.gradient import pull_back
from chainrule.graph import Node, constant

__all__ = ["Compared", "Value", "compare"]

Array = NDArray[Any]
_RATE = re.compile(r"(?i)(^|[._])(lr|eta|alpha|rate|step|learning)|learning|rate$")
_DOUBLE, _SINGLE = 1e-7, 1e-4
"""How far two ways of computing one gradient may be apart, relative to its size."""


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
    ``wrong`` are the parameters whose gradient is not the loss's, ``never`` is one that is not
    updated though its gradient is there, ``first`` the first value that is wrong.
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


def compare(trace: Trace, roles: Roles) -> Compared | None:
    """Compare an iteration's updates with the exact gradients; None where all of them are 0."""
    assert roles.loss is not None
    exact = {
        each.path: trace.value(each.gradient)
        for each in roles.parameters
        if each.gradient is not None
    }
    known = [each for each in roles.parameters if np.any(exact[each.path])]
    if not known:
        return None
    found = [Found(trace, each, exact[each.path], roles.state) for each in known]
    factor = _common(found)
    usual = _usual_step(found)
    wrong = [each.parameter for each in found if not each.has(factor) or each.is_off(usual)]
    wrong += [e for e in known if e.end.shape != e.start.shape and e not in wrong]
    if usual is not None and all(_is(each.step, usual) for each in found):
        wrong = []  # however it is written, every step is the gradient's multiple, and the same one
    moves = [float(np.sum(_step(trace, each) * exact[each.path])) for each in known]
    ascends = all(move > 0 for move in moves)
    reversed_sign = any(each.size > 1 and (each.written or 0) * factor < 0 for each in found)
    verdict = _verdict(factor, wrong=bool(wrong), ascends=ascends, reversed_sign=reversed_sign)
    result = Compared(verdict, factor, roles.name, known, wrong, ascends=ascends)
    result.values = _values(trace, roles)
    _match(trace, roles, result)
    likely = _is_likely(factor)
    if likely and not wrong:
        _never_updated(trace, roles, result)
        return result
    if likely:
        right = [e.step for e in found if e.parameter not in wrong and e.size > 1 and e.step]
        step = usual if usual is not None else next(iter(right), None)
        result.first = _culprit(trace, roles, result, found, step)
    if result.first is None and not (likely and len(wrong) < len(known)):
        result.descends = _descended(trace, roles)
        result.verdict = "cannot tell" if result.descends is None else "not this loss"
    elif result.first is None:
        result.first = _first(trace, roles, result)
    return result


def _descended(trace: Trace, roles: Roles) -> str | None:
    """The known loss that every update is made of the gradient of, or None."""
    for name, loss in known_losses(trace, roles):
        one = constant(np.ones(loss.shape, loss.dtype))
        gradients = pull_back([loss], [one], [each.start for each in roles.parameters])
        found = [
            Found(trace, each, trace.value(gradient), roles.state)
            for each, gradient in zip(roles.parameters, gradients, strict=True)
            if np.any(trace.value(gradient))
        ]
        if not any(each.size > 1 for each in found):
            continue
        factor, usual = _common(found), _usual_step(found)
        alike = usual is not None and all(_is(each.step, usual) for each in found)
        if alike or (_is_likely(factor) and all(each.has(factor) for each in found)):
            return name
    return None


def _never_updated(trace: Trace, roles: Roles, result: Compared) -> None:
    """Look for a gradient that is right and that nothing is updated with."""
    assert roles.loss is not None
    changed = {each.start for each in roles.parameters}
    left = [node for node in trace.start.values() if node in roles.forward and node not in changed]
    one = constant(np.ones(roles.loss.shape, roles.loss.dtype))
    gradients = pull_back([roles.loss], [one], left)
    used = ancestors([each.end for each in roles.parameters])
    for node, gradient in zip(left, gradients, strict=True):
        word = _last_word(node.name or "")
        for value in dict.fromkeys(trace.log):
            name, line = value.name or "", value.source and value.source.assigned_line
            if value in used or value.shape != node.shape or value.size < 2 or not line:
                continue
            if word not in name or name == word or value in roles.forward:
                continue
            found = _match_one(trace.value(value), trace.value(gradient), tolerance_of(value))
            if _is(found, result.factor):
                result.verdict, result.never = "wrong", node.name
                result.first = Value(name, line, value, of=node.name, factor=result.factor)
                return


def _verdict(factor: float, *, wrong: bool, ascends: bool, reversed_sign: bool) -> str:
    if wrong or ascends:
        return "wrong"
    if reversed_sign or factor < 0:
        return "sign convention"
    return "exact" if factor == 1.0 else "constant factor"


def _step(trace: Trace, parameter: Parameter) -> Array:
    if parameter.end.shape != parameter.start.shape:  # it has grown by broadcasting
        return np.zeros(parameter.start.shape)
    return trace.value(parameter.end) - trace.value(parameter.start)


def ratio(value: Array, exact: Array) -> tuple[float, float]:
    """The factor between two arrays that are one but for a factor, and how far they are not."""
    a, b = np.asarray(value, np.float64).ravel(), np.asarray(exact, np.float64).ravel()
    square = float(b @ b)
    if not square or not np.all(np.isfinite(a)):
        return 0.0, float("inf")
    factor = float(a @ b) / square
    size = abs(factor) * square**0.5
    return factor, float(np.linalg.norm(a - factor * b)) / size if size else float("inf")


def _matches(value: Array, exact: Array, tolerance: float) -> float | None:
    """The factor between a value and a gradient, or its transpose; None where they differ."""
    if value.size != exact.size:
        return None
    forms = [exact] if value.size == 1 or exact.ndim != 2 else [exact, exact.T]
    for form in forms:
        if np.squeeze(form).shape == np.squeeze(value).shape:
            factor = _match_one(value, form, tolerance)
            if factor is not None:
                return factor
    return None


def _match_one(value: Array, exact: Array, tolerance: float) -> float | None:
    factor, error = ratio(value, exact)
    return _round(factor, tolerance) if error <= tolerance and factor else None


def _round(factor: float, tolerance: float) -> float:
    """A factor as the number that was surely meant, such as 2, ½ or 1/3."""
    for whole in (factor, 1 / factor):
        near = float(round(whole))
        if near and abs(whole - near) <= 10 * tolerance * abs(near):
            return near if whole is factor else 1 / near
    return factor


def tolerance_of(node: Node) -> float:
    """How near a value of this precision must be."""
    return _DOUBLE if node.dtype.itemsize == 8 else _SINGLE


class Found:
    """The factors by which values that a parameter's update is made of are its gradient.

    ``chosen`` is the step over the gradient and −rate, where the step is a multiple of the gradient
    and there is a learning rate by name. Else it is the factor of the last value that the program
    has a name for, or of the first one of all, as what comes after is multiplied by the rate.
    Single numbers are all one another's multiples, so of them ``every`` factor is kept.
    ``written`` is the factor of what is written, whose sign may be reversed in the step.
    """

    def __init__(self, trace: Trace, parameter: Parameter, exact: Array, state: set[Node]) -> None:
        self.parameter, self.size = parameter, exact.size
        self.every: list[float] = []
        self.exact = exact
        self.node: Node | None = None  # the last value of its own name, whatever it is
        self.chosen: float | None = None
        named = False
        below = ancestors([parameter.end]) - {parameter.start, parameter.end}
        for node in (node for node in dict.fromkeys(trace.log) if node in below):
            if (
                node.dtype.kind != "f"
                or np.squeeze(exact).shape != np.squeeze(trace.value(node)).shape
            ):
                continue
            if ancestors([node]) & state:
                continue  # a momentum, or what is made of one
            own = bool(node.name) and not _same_place(node.name, parameter.path)
            if own:
                self.node = node
            factor = _match_one(trace.value(node), exact, tolerance_of(node))
            if factor is None:
                continue
            self.every.append(factor)
            if own:
                self.chosen, named = factor, True
            elif self.chosen is None and not named:
                self.chosen = factor
        self.written = self.chosen
        if ancestors([parameter.end]) & state:  # momentum and its like: the step is no multiple
            self.step = None
            return
        step = _step(trace, parameter)
        # A step is a difference of larger numbers, so it is less exact.
        self.step = _match_one(step, exact, 1e-5)
        by_the_step = self._by_the_step(trace)
        if by_the_step is not None:
            self.chosen = by_the_step
            self.every = [by_the_step]

    def _by_the_step(self, trace: Trace) -> float | None:
        """The factor where only the whole step is the gradient's multiple: −rate times it."""
        whole = self.step
        if whole is None:
            return None
        for node in ancestors([self.parameter.end]):
            name = node.name or ""
            if node.size == 1 and node.primitive.kind == "leaf" and _RATE.search(name):
                return _round(-whole / float(trace.value(node).reshape(())), 1e-5)
        return None

    def is_right_if(
        self, trace: Trace, changed: Node, to: Array, factor: float, usual: float | None
    ) -> bool:
        """Whether the update would be right, were a value something else."""
        if self.node is not None and self.node is not changed:
            value = trace.value_if(self.node, changed, to)
            found = _match_one(value, self.exact, tolerance_of(self.node))
            if _is(found, factor):
                return True
        if self.node is changed:
            return _is(_match_one(to, self.exact, tolerance_of(changed)), factor)
        if usual is None:
            return False
        start = trace.value(self.parameter.start)
        end = trace.value_if(self.parameter.end, changed, to)
        if end.shape != start.shape:
            return False
        step = end - start
        return _is(_match_one(step, self.exact, 1e-5), usual)

    def is_off(self, usual: float | None) -> bool:
        """Whether the step is the gradient times another factor than those of all the others."""
        if usual is None or self.step is None or _is(self.step, usual):
            return False
        return _is_simple(self.step / usual)

    def has(self, factor: float) -> bool:
        """Whether the update is made of the gradient times this factor."""
        if self.size > 1:
            return _is(self.chosen, factor)
        return any(_is(each, factor) for each in [*self.every, self.chosen])


def _same_place(name: str, path: str) -> bool:
    """Whether a name in the program is that of a path: ``self.W1`` of ``net.W1``."""
    first, other = (
        name.partition("[")[0].partition(".")[0],
        path.partition("[")[0].partition(".")[0],
    )
    if name.partition("[")[0] == path.partition("[")[0] and "[" in name:
        return True  # one of a list or dict, under a name that changes
    return _last_word(name) == _last_word(path) and (first == other or first == "self")


def _last_word(name: str) -> str:
    """The last identifier of a path: W in ``self.layers[0].W[:]``."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^'\]]*\]", "", name))
    return words[-1] if words else name


def _usual_step(found: list[Found]) -> float | None:
    """The factor between step and gradient that at least two arrays and most of them have."""
    steps = [each.step for each in found if each.size > 1]
    for step in steps:
        alike = sum(_is(each, step) for each in steps) if step is not None else 0
        if alike >= 2 and 2 * alike > len(steps):
            return step
    return None


def _is_likely(factor: float) -> bool:
    """Whether somebody may have meant a factor: a fraction, and no accident of single numbers."""
    near = Fraction(abs(factor)).limit_denominator(64)
    return near > 0 and abs(abs(factor) - float(near)) <= 1e-6 * float(near)


def _is_simple(factor: float) -> bool:
    """Whether a factor is a whole number, or one over one, or such a one's negative."""
    size = abs(factor)
    return any(abs(each - round(each)) <= 1e-4 * each and round(each) for each in (size, 1 / size))


def _is(factor: float | None, wanted: float) -> bool:
    return factor is not None and abs(factor - wanted) <= 1e-6 * abs(wanted)


def _common(found: list[Found]) -> float:
    """The factor that most gradients share; among as many, 1, or else the nearest to it."""
    votes: Counter[float] = Counter()
    for each in found:
        factors = each.every if each.size == 1 else [each.chosen]
        for factor in {float(f"{f:.9g}") for f in factors if f is not None}:
            votes[factor] += 2 if each.size > 1 else 1
    if not votes:
        return 1.0
    return max(votes.items(), key=lambda item: (item[1], -abs(np.log(abs(item[0])))))[0]


def _values(trace: Trace, roles: Roles) -> list[Value]:
    """The named values on the way from the loss's values to the updates, in order."""
    used = ancestors([each.end for each in roles.parameters]) - roles.forward
    # A function for the gradient may compute the forward values once more.
    again = {_content(trace.value(node)) for node in roles.forward if node.size > 1}
    found: list[Value] = []
    for node in dict.fromkeys(trace.log):
        if node not in used or node.primitive.kind == "leaf" or not node.name:
            continue
        line = None if node.source is None else node.source.assigned_line
        if line is not None and _content(trace.value(node)) not in again:
            found.append(Value(node.name, line, node))
    return found


def _content(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def _match(trace: Trace, roles: Roles, result: Compared) -> None:
    """Say of every value what it is the gradient of, where it is one."""
    names = _forward_names(trace, roles)
    exact = [(name, trace.value(gradient)) for name, gradient in names]
    local = _local_derivatives(trace, roles)
    for value in result.values:
        array, tolerance = trace.value(value.node), tolerance_of(value.node)
        options: list[tuple[bool, str, float]] = []
        for name, gradient in exact:
            factor = _matches(array, gradient, tolerance)
            if factor is not None and (array.size > 1 or _is(factor, result.factor)):
                options.append((not _is(factor, result.factor), name, factor))
        if options:
            # Of what is the same but for a step without a name, the one with a name.
            _, value.of, value.factor = min(options, key=lambda each: (each[0], not each[1]))
            continue
        for name, derivative in local:
            if _matches(array, derivative, tolerance) is not None:
                value.of, value.factor = name, 1.0
                break


def _forward_names(trace: Trace, roles: Roles) -> list[tuple[str, Node]]:
    """Every value between the parameters and the loss, with its exact gradient."""
    assert roles.loss is not None
    starts = {each.start for each in roles.parameters}
    inner = [
        node
        for node in dict.fromkeys(trace.log)
        if node in roles.forward and node is not roles.loss and node.dtype.kind == "f"
        and ancestors([node]) & starts
    ]  # fmt: skip
    inner = [*[each.start for each in roles.parameters], *inner]
    one = constant(np.ones(roles.loss.shape, roles.loss.dtype))
    gradients = pull_back([roles.loss], [one], inner)
    return [(node.name or "", gradient) for node, gradient in zip(inner, gradients, strict=True)]


def _local_derivatives(trace: Trace, roles: Roles) -> list[tuple[str, Array]]:
    """The derivative of each activation by its pre-activation, element by element."""
    found: list[tuple[str, Array]] = []
    named = [n for n in dict.fromkeys(trace.log) if n in roles.forward and n.name and n.size > 1]
    for i, output in enumerate(named):
        below = ancestors([output])
        for inner in named[:i]:
            if inner in below and inner.shape == output.shape and inner is not output:
                one = constant(np.ones(output.shape, output.dtype))
                (gradient,) = pull_back([output], [one], [inner])
                found.append((f"{output.name} by {inner.name}", trace.value(gradient)))
    return found


def _culprit(
    trace: Trace, roles: Roles, result: Compared, found: list[Found], usual: float | None
) -> Value | None:
    """The first value which, were it the gradient of the right thing, would put all right after it.

    Of every value on the way to a wrong update it is tried whether the exact gradient of some value
    of the same shape, in its place, makes the update the gradient.
    """
    gradients = [(name, trace.value(gradient)) for name, gradient in _forward_names(trace, roles)]
    factors = {result.factor, *(v.factor for v in result.values if v.of and v.factor)}
    likely = sorted(factors, key=lambda factor: abs(factor - result.factor))[:4]
    for value in result.values:
        array = trace.value(value.node)
        after = [each for each in found if value.node in ancestors([each.parameter.end])]
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
                if all(
                    each.is_right_if(trace, value.node, to, result.factor, usual) for each in after
                ):
                    value.should_be = name
                    return value
    return None


def _first(trace: Trace, roles: Roles, result: Compared) -> Value | None:
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
            if value.of == parameter.start.name and not _is(value.factor, result.factor)
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
