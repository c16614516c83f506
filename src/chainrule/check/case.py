"""A program whose updates are not all right, with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same
from chainrule.check.roles import Parameter, Roles, ancestors
from chainrule.check.updates import Update
from chainrule.check.values import Value
from chainrule.graph import Node

__all__ = ["Case"]

Array = NDArray[Any]
_MOST_TRIED = 1000
"""So many tries of one kind take about a second; then the verdict does without."""


@dataclass
class Case:
    """A program whose updates are not all right, with what is known of them.

    ``gradients`` are the exact ones of the values before the loss, ``step`` is the factor between a
    right step and its gradient, where that is known.
    """

    trace: Trace
    roles: Roles
    factor: float
    values: list[Value]
    updates: list[Update]
    wrong: list[Parameter]
    gradients: list[tuple[Node, Array]]
    step: float | None
    tried: int = 0

    @cached_property
    def _made(self) -> list[set[Node]]:
        """What each update is made of."""
        return [ancestors([each.parameter.end]) for each in self.updates]

    @property
    def right(self) -> list[Update]:
        """The updates that are right."""
        return [each for each in self.updates if each.parameter not in self.wrong]

    @cached_property
    def usual(self) -> tuple[list[float], list[float]]:
        """The factors of what right updates are made of: of all, and of what has a name.

        These are the gradients of their parameters, and what an optimiser makes of them.
        """
        arrays = {each.parameter.start.name: each for each in self.right if each.size > 1}
        named = [self.factor, *(value.factor for value in self.values if value.of in arrays)]
        chains = [each for update in arrays.values() for each in update.multiples]
        named += [factor for _, own, factor in chains if own]
        return [*named, *(factor for *_, factor in chains)], named

    @property
    def loss(self) -> Node:
        """The loss that the gradients are of."""
        assert self.roles.loss is not None
        return self.roles.loss

    def explains(self, nodes: Set[Node]) -> bool:
        """Whether all wrong updates are made with some of these values."""
        return all(
            nodes & made
            for each, made in zip(self.updates, self._made, strict=True)
            if each.parameter in self.wrong
        )

    def is_right_if(self, changed: Mapping[Node, Array], *, any_rate: bool = False) -> bool:
        """Whether all updates would be right, were some values others.

        With ``any_rate`` also where the learning rate is not known, if it is one for all.
        """
        self.tried += 1
        if self.tried > _MOST_TRIED:
            return False
        affected = [
            each
            for each, made in zip(self.updates, self._made, strict=True)
            if not changed.keys().isdisjoint(made)
        ]
        if all(each.is_right_if(self.trace, changed, self.factor, self.step) for each in affected):
            return True
        return any_rate and self._is_alike_if(changed, affected)

    def _is_alike_if(self, changed: Mapping[Node, Array], affected: list[Update]) -> bool:
        """Whether all steps would be the same multiple of their gradients."""
        if sum(each.size > 1 for each in self.updates) < 2:
            return False
        wanted: float | None = None
        for each in sorted(self.updates, key=lambda each: each in affected):
            step = each.step_if(self.trace, changed) if each in affected else each.step
            if step is None or (wanted is not None and not is_same(step, wanted)):
                return False
            wanted = step
        return True
