"""How a parameter is updated: whether its step, or what it is made of, is the exact gradient."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.multiples import (
    distance,
    fitted,
    is_likely,
    is_same,
    is_simple,
    multiple,
    rounded,
    tolerance_of,
)
from chainrule.check.penalties import with_penalty
from chainrule.check.roles import Parameter, Roles, ancestors, is_step
from chainrule.graph import Node

__all__ = [
    "Update",
    "common_factor",
    "common_step",
    "is_rate",
    "last_word",
    "settle_scaled",
    "settle_single_numbers",
    "step_of",
    "uphill",
    "usual_step",
]

Array = NDArray[Any]
_RATE = re.compile(r"(?i)(^|[._])(lr|eta|alpha|rate|step|learning)|learning|rate$")


class Update:
    """The factors by which values that a parameter's update is made of are its gradient.

    ``chosen`` is the step over the gradient and −rate, where the step is a multiple of the gradient
    and there is a learning rate by name. Else it is the factor of the last value that the program
    has a name for, or of the first one of all, as what comes after is multiplied by the rate.
    What is no function of the parameters comes last: of one sample, the input is its multiple too.
    Single numbers are all one another's multiples, so of them ``every`` factor is kept.
    ``of_state`` is what is made of a momentum and its like, which is no multiple.
    ``multiples`` are all values on the way that are multiples of the gradient, in order, with
    whether each has a name of its own and its factor.
    ``written`` is the factor of what is written, whose sign may be reversed in the step.
    ``penalised`` is whether what the program takes for the gradient is the exact one and a multiple
    of the parameter itself: a penalty that is in one of loss and gradient and not in the other.
    """

    def __init__(
        self, trace: Trace, parameter: Parameter, exact: Array, of_state: set[Node]
    ) -> None:
        self.parameter, self.size = parameter, exact.size
        self.every: list[float] = []
        self.exact = exact
        self.rate: float | None = None  # the learning rate, where there is one by name
        self.nodes: list[Node] = []  # all that is like it in shape
        self.node: Node | None = None  # the last value of its own name, whatever it is
        self.chosen: float | None = None
        self.penalised = False
        multiples = self._multiples(trace, of_state)
        moving = trace.after({parameter.start})
        multiples = [each for each in multiples if each[0] in moving] or multiples
        self.multiples = multiples
        self.every = [factor for _, _, factor in multiples]
        named = [factor for _, own, factor in multiples if own]
        if multiples:
            self.chosen = named[-1] if named else self.every[0]
        self.written = self.chosen
        step = step_of(trace, parameter)
        # A step is a difference of larger numbers, so it is less exact.
        self.step = multiple(step, exact, 1e-5)
        if parameter.end in of_state:
            state = [node for node in ancestors([parameter.end]) if _is_leaf(node, of_state)]
            if any(np.any(trace.value(node)) for node in state):
                self.step = None  # with a momentum and its like under way it is none
            return
        by_the_step = self._by_the_step(trace)
        if by_the_step is not None:
            self.chosen = by_the_step
            self.every = [by_the_step]
            start = trace.value(parameter.start)
            if with_penalty(step, exact, start, tolerance_of(parameter.start)) is None:
                self.penalised = False

    def _factors(self, trace: Trace, node: Node) -> tuple[float | None, float | None]:
        """The gradient's factor in a value as its multiple, and as a part beside a penalty."""
        value, tolerance = trace.value(node), tolerance_of(node)
        factor = multiple(value, self.exact, tolerance)
        start, end = self.parameter.start, self.parameter.end
        if node.shape != start.shape or not is_step(start, end, beside=node):
            return factor, None  # it is the parameter after the step
        found = with_penalty(value, self.exact, trace.value(start), tolerance)
        if found is None or abs(found[1] - 1) < 1e-6:
            return factor, None
        return factor, found[0]

    def _multiples(self, trace: Trace, of_state: set[Node]) -> list[tuple[Node, bool, float]]:
        """The values on the way that are the gradient's multiples, and whether they have names."""
        parameter, found = self.parameter, list[tuple[Node, bool, float]]()
        below = ancestors([parameter.end]) - {parameter.start, parameter.end} - of_state
        shape, pure = np.squeeze(self.exact).shape, list[Node]()
        for node in (node for node in trace.log if node in below):
            if node.dtype.kind != "f" or np.squeeze(trace.value(node)).shape != shape:
                continue
            self.nodes.append(node)
            own = bool(node.name) and not _same_place(node.name, parameter.path)
            if own:
                self.node = node
            factor, penalty = self._factors(trace, node)
            if own and penalty is not None and all(_is_of(each, node) for each in pure):
                self.penalised = True
                found.append((node, own, penalty))
            elif factor is not None:
                if penalty is None:
                    pure.append(node)
                    self.penalised = False
                found.append((node, own, factor))
        return found

    def _by_the_step(self, trace: Trace) -> float | None:
        """The factor where only the whole step is the gradient's multiple: −rate times it."""
        for node in ancestors([self.parameter.end]):
            name = node.name or ""
            if node.size == 1 and node.primitive.kind == "leaf" and _RATE.search(name):
                self.rate = float(trace.value(node).reshape(()))
                return None if self.step is None else rounded(-self.step / self.rate, 1e-5)
        return None

    @property
    def is_scaled(self) -> bool:
        """Whether an array's step is made of its gradient and no multiple of it, as Adam's."""
        return self.size > 1 and self.step is None and bool(self.multiples)

    def leave_the_step(self) -> None:
        """Take the factors of the values on the way, and not the step's."""
        named = [factor for _, own, factor in self.multiples if own]
        self.every = [factor for _, _, factor in self.multiples]
        self.chosen = (named or self.every[:1])[-1] if self.every else None

    @property
    def is_told(self) -> bool:
        """Whether its factor is no accident: of an array, or of a number's step and the rate."""
        return self.size > 1 or (self.rate is not None and len(self.every) == 1)

    def is_right_if(
        self, trace: Trace, changed: Mapping[Node, Array], factor: float, usual: float | None
    ) -> bool:
        """Whether the update would be right, were some values others."""
        if self.node is not None:
            value = changed.get(self.node)
            if value is None:
                value = trace.value_if(self.node, changed)
                if np.array_equal(value, trace.value(self.node)):
                    return usual is not None and is_same(self.step_if(trace, changed), usual)
            found = multiple(value, self.exact, tolerance_of(self.node))
            if is_same(found, factor) or self.node in changed:
                return is_same(found, factor)
        return usual is not None and is_same(self.step_if(trace, changed), usual)

    def step_if(self, trace: Trace, changed: Mapping[Node, Array]) -> float | None:
        """The factor between step and gradient, were some values others."""
        start = trace.value(self.parameter.start)
        end = trace.value_if(self.parameter.end, changed)
        if end.size != start.size:
            return None
        return multiple(end.reshape(start.shape) - start, self.exact, 1e-5)

    def is_off(self, usual: float | None, *, single: bool) -> bool:
        """Whether the step is the gradient times another factor than those of all the others.

        Where all are ``single`` numbers, only the sign tells: each may have a rate of its own.
        """
        if usual is None or self.step is None or is_same(self.step, usual):
            return False
        if is_same(self.step, -usual) and usual > 0:
            return False  # it goes down, and the others up
        return is_same(self.step, -usual) if single else is_simple(self.step / usual)

    def error(self, trace: Trace, factor: float, usual: float | None, *, is_wrong: bool) -> float:
        """How far what is taken for the gradient is from the exact one, relative to its size.

        Where the steps of others say by how much it is to be multiplied, a factor is an error too.
        """
        if is_wrong and usual is not None:
            return distance(step_of(trace, self.parameter), usual * self.exact)
        if is_wrong and self.chosen is not None:
            return abs(self.chosen / factor - 1.0)
        errors = [fitted(trace.value(node), self.exact)[1] for node in self.nodes]
        return min([*errors, fitted(step_of(trace, self.parameter), self.exact)[1]])

    def has(self, factor: float) -> bool:
        """Whether the update is made of the gradient times this factor."""
        if self.size > 1:
            return is_same(self.chosen, factor)
        return any(is_same(each, factor) for each in [*self.every, self.chosen])


def _is_of(gradient: Node, whole: Node) -> bool:
    """Whether a gradient is a part of what is computed, or a finished one that is passed on.

    What an optimiser adds to it, such as weight decay, is its own affair.
    """
    if gradient.name:
        return gradient.name == whole.name
    sources = gradient.source, whole.source
    codes = [each.frames[0][0] if each and each.frames else None for each in sources]
    return codes[0] is codes[1]


def _is_leaf(node: Node, among: set[Node]) -> bool:
    return node in among and node.primitive.kind == "leaf"


def step_of(trace: Trace, parameter: Parameter) -> Array:
    """What an iteration has added to a parameter."""
    start, end = trace.value(parameter.start), trace.value(parameter.end)
    if end.size != start.size:  # it has grown by broadcasting
        return np.zeros(start.shape)
    return end.reshape(start.shape) - start


def _same_place(name: str, path: str) -> bool:
    """Whether a name in the program is that of a path: ``self.W1`` of ``net.W1``."""
    first, other = (
        name.partition("[")[0].partition(".")[0],
        path.partition("[")[0].partition(".")[0],
    )
    if name.partition("[")[0] == path.partition("[")[0] and "[" in name:
        return True  # one of a list or dict, under a name that changes
    return last_word(name) == last_word(path) and (first == other or first == "self")


def last_word(name: str) -> str:
    """The last identifier of a path: W in ``self.layers[0].W[:]``."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^'\]]*\]", "", name))
    return words[-1] if words else name


def usual_step(found: list[Update]) -> float | None:
    """The factor between step and gradient that at least two arrays and most of them have.

    Where the parameters are single numbers, most of these. Where among all of them others are as
    many, it is the one that is a learning rate by name.
    """
    steps = [each.step for each in found if each.size > 1] or [each.step for each in found]
    for step in steps:
        if step is None or 2 * sum(is_same(each, step) for each in steps) <= max(len(steps), 2):
            continue
        alike = [each for each in found if is_same(each.step, step)]
        rivals = [each for each in found if each.step is not None and each not in alike]
        other = next((e.step for e in rivals if _count(rivals, e.step) >= len(alike)), None)
        if other is None:
            return step
        by_name = [each.step for each in found if each.step and is_same(each.rate, abs(each.step))]
        return next(iter(by_name), None)
    return None


def _count(found: list[Update], step: float | None) -> int:
    """How many take a step of this factor."""
    return sum(step is not None and is_same(each.step, step) for each in found)


def common_step(found: list[Update]) -> float | None:
    """The factor between step and gradient, where all have the same: of one number alone, none."""
    step = found[0].step
    if step is None or (len(found) == 1 and found[0].size == 1):
        return None
    alike = all(is_same(each.step, step) and not each.penalised for each in found)
    return step if alike else None


def settle_scaled(found: list[Update]) -> None:
    """Where arrays are not moved by multiples of gradients, single numbers only seem to be.

    Where no gradient has a name either, it is the value that all have with the same factor.
    """
    if not any(each.is_scaled for each in found):
        return
    for each in found:
        if each.size == 1 and each.multiples:
            each.leave_the_step()
    if any(each.step is not None and each.size > 1 for each in found):
        return
    if any(own for each in found for _, own, _ in each.multiples):
        return
    shared = [f for f in found[0].every if all(_holds(each, f) for each in found)]
    if shared:
        best = next((factor for factor in shared if is_same(factor, 1.0)), shared[0])
        for each in found:
            each.chosen = best


def _holds(update: Update, factor: float) -> bool:
    return any(is_same(each, factor) for each in update.every)


def uphill(found: list[Update]) -> list[Parameter]:
    """The parameters whose steps go up the loss, where those of others go down as steeply.

    One sign of two is wrong there, and what goes up the loss is.
    """
    steps = [each.step for each in found if each.step is not None and not each.penalised]
    downhill = [step for step in steps if step < 0]
    return [
        each.parameter
        for each in found
        if each.step is not None
        and each.step > 0
        and any(is_same(each.step, -step) for step in downhill)
    ]


def is_rate(trace: Trace, roles: Roles, size: float) -> bool:
    """Whether the updates are made with a learning rate of this size.

    Where the program has a name for it, no other number is one.
    """
    used = ancestors([each.end for each in roles.parameters]) - roles.forward
    leaves = [node for node in used if node.primitive.kind == "leaf" and node.size == 1]
    leaves = [node for node in leaves if node.name and _RATE.search(node.name)] or leaves
    return any(is_same(abs(float(trace.value(node).reshape(()))), size) for node in leaves)


def settle_single_numbers(trace: Trace, found: list[Update]) -> None:
    """Where all parameters are single numbers, take what their steps are multiples of.

    Of single numbers every value is a multiple. But where all steps are the same multiple of the
    last values that the program has names for, these are what it takes for the gradients; if they
    are likely multiples and one of them is the gradient itself, that is no accident.
    """
    rates: list[float] = []
    factors: list[float] = []
    for each in found:
        if each.size > 1 or each.node is None or each.parameter.end.size > 1:
            return
        value, step = (
            float(array.reshape(()))
            for array in (trace.value(each.node), step_of(trace, each.parameter))
        )
        if not value or not step:
            return
        rates.append(step / value)
        factors.append(rounded(value / float(each.exact.reshape(())), 1e-7))
    # Learning rates may differ, and then the last values with names may be the steps themselves.
    one = all(abs(each - rates[0]) <= 1e-5 * abs(rates[0]) for each in rates)
    if len(found) < 2 or not one or is_same(abs(rates[0]), 1.0):
        return
    if 1.0 in map(abs, factors) and all(map(is_likely, factors)):
        for each, factor in zip(found, factors, strict=True):
            each.chosen, each.every = factor, [factor]


def common_factor(found: list[Update]) -> float:
    """The factor that most gradients share; among as many, 1, −1, or else the nearest to them."""
    votes: Counter[float] = Counter()
    for each in found:
        factors = each.every if each.size == 1 else [each.chosen]
        for factor in {float(f"{f:.9g}") for f in factors if f is not None}:
            votes[factor] += 1
    arrays = [each for each in found if each.size > 1]
    if not votes or (arrays and all(each.chosen is None for each in arrays)):
        return 1.0  # of what single numbers are multiples says nothing by itself

    def rank(factor: float) -> tuple[float, ...]:
        return votes[factor], -abs(round(np.log(abs(factor)), 6)), factor

    return max(votes, key=rank)
