"""Learning rates that differ between updates where one rate is meant for all."""

from __future__ import annotations

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_same, rounded
from chainrule.check.updates import Update
from chainrule.graph import Node

__all__ = ["settle_equal_rates", "without_rate"]


def without_rate(found: list[Update]) -> list[Update]:
    """The updates that take the gradient itself for a step, where others multiply it by a rate."""
    known = [each for each in found if each.step is not None]
    with_rate = [each for each in known if each.rate is not None and not is_same(each.rate, 1.0)]
    return [
        each
        for each in known
        if each.rate is None
        and with_rate
        and all(is_same(each.step, _by_the_rate(other)) for other in with_rate)
    ]


def _by_the_rate(update: Update) -> float:
    assert update.step is not None
    assert update.rate is not None
    return update.step / update.rate


def settle_equal_rates(trace: Trace, found: list[Update]) -> None:
    """Where every step is something times the same number, take that number for the rate.

    If the steps are multiples of their gradients, by which it is multiplied is then no question.
    """
    rates = [_last_number(trace, each) for each in found]
    first = rates[0]
    if len(found) < 2 or first is None or not all(is_same(rate, first) for rate in rates):
        return
    for each in found:
        if each.rate is not None or each.step is None or each.penalised:
            return
    for each in found:
        assert each.step is not None
        each.chosen = rounded(-each.step / first, 1e-5)
        each.every, each.rate = [each.chosen], first


def _last_number(trace: Trace, update: Update) -> float | None:
    """The plain number that a step is multiplied by last, where it is taken off or added."""
    end, start = update.parameter.end, update.parameter.start
    if end.primitive.name not in ("add", "subtract") or start not in end.inputs:
        return None
    (step,) = [each for each in end.inputs if each is not start] or [None]
    if step is None or step.primitive.name != "multiply":
        return None
    numbers = [each for each in map(_number, step.inputs) if each is not None]
    return float(trace.value(numbers[0]).reshape(())) if len(numbers) == 1 else None


def _number(node: Node) -> Node | None:
    """A number that the program has written, also where it is spread over an array."""
    while node.primitive.name in ("broadcast_to", "cast"):
        node = node.inputs[0]
    return node if node.primitive.kind == "leaf" and node.size == 1 and not node.name else None
