"""Several losses in one iteration: networks in turn, tasks side by side, a measure beside a loss.

What is no gradient of the loss that was taken may be that of another number that the iteration
computes, or of a sum of them, and then nothing is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same, multiple
from chainrule.check.roles import (
    Parameter,
    Roles,
    ancestors,
    candidates_in,
    changed_in,
    gradients_of,
    roles_with,
)
from chainrule.check.updates import Update
from chainrule.gradient import substitute
from chainrule.graph import Node, constant

__all__ = ["Several"]

_MOST = 5
"""So many numbers of one iteration are tried alone and in sums."""


class Several:
    """The other numbers of an iteration that it shows, keeps or calls losses."""

    def __init__(self, trace: Trace, roles: Roles) -> None:
        self._trace, self._roles, self._changed = trace, roles, changed_in(trace)
        self._others = _others(trace, roles, self._changed)

    def roles(self) -> Iterator[Roles]:
        """The roles by each of them alone."""
        for node in self._others:
            by_it = roles_with(self._trace, self._changed, node, node.name or "")
            if by_it is not None:
                yield by_it

    def explain(self, wrong: Sequence[Parameter]) -> bool:
        """Whether each of these updates is made of the gradient of one of them, or of a sum."""
        trace, loss = self._trace, self._roles.loss
        assert loss is not None
        if not self._others or not wrong:
            return False
        whole = [_apart(trace, node, self._changed) for node in (loss, *self._others)]
        starts = [each.start for each in wrong]
        gradients = [[trace.value(g) for g in gradients_of(node, starts)] for node in whole]
        # What another of them is computed from is no momentum, but a parameter of it.
        of_state = trace.after(self._roles.state - ancestors(whole))
        sets = [
            chosen
            for count in range(1, len(whole) + 1)
            for chosen in combinations(range(len(whole)), count)
            if chosen != (0,)
        ]
        for i, parameter in enumerate(wrong):
            sums = (np.sum([gradients[k][i] for k in chosen], axis=0) for chosen in sets)
            own = gradients[0][i]
            if not any(_is_made_of(trace, parameter, g, own, of_state) for g in sums):
                return False
        return True


def _is_made_of(
    trace: Trace, parameter: Parameter, gradient: object, own: object, of_state: set[Node]
) -> bool:
    """Whether an update is made of a gradient that is no multiple of the loss's own."""
    exact, ours = np.asarray(gradient), np.asarray(own)
    if not np.any(exact):
        return False
    update = Update(trace, parameter, exact, of_state)
    if update.size > 1:
        if np.any(ours) and multiple(exact, ours, 1e-6) is not None:
            return False
        return update.step is not None or bool(update.multiples)
    # All single numbers are multiples, so there the learning rate must be right.
    return update.rate is not None and is_same(abs(update.chosen or 0.0), 1.0)


def _others(trace: Trace, roles: Roles, changed: list[Parameter]) -> list[Node]:
    """The numbers that are neither made of the loss nor what it is made of."""
    loss = roles.loss
    assert loss is not None
    after, found = trace.after({loss}), list[Node]()
    for node in candidates_in(trace, changed):
        if (
            node not in roles.forward
            and node not in after
            and not any(
                trace.value(node).tobytes() == trace.value(each).tobytes()
                for each in (loss, *found)
            )
        ):
            found.append(node)
    return found[:_MOST]


def _apart(trace: Trace, node: Node, changed: list[Parameter]) -> Node:
    """The number with what is updated before it as it is then, and not as a function."""
    ends = {each.end: constant(trace.value(each.end)) for each in changed}
    return substitute([node], ends)[0] if ends.keys() & ancestors([node]) else node
