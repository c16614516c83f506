"""A derivation as text: for the terminal line by line with a style each, and plainly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.explain.labels import BACKWARD, FORWARD, UPDATE
from chainrule.explain.numbers import index_text
from chainrule.explain.values import (
    aligned,
    is_folded,
    largest_place,
    rows_of,
    short_number,
)

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.moments import Moment
    from chainrule.explain.steps import Given, Step

__all__ = ["Line", "heading_of", "lines_of", "place_of", "subject_of", "to_text"]

Line = tuple[str, str]
"""A line and its style: '', 'bold', 'dim', 'cyan'."""
TITLES = {FORWARD: "Forward pass", BACKWARD: "Backward pass", UPDATE: "Update"}


def to_text(derivation: Derivation, *, whole: bool = False) -> str:
    """The derivation as plain text."""
    return "\n".join(line for line, _ in lines_of(derivation, whole=whole))


def heading_of(derivation: Derivation) -> str:
    """What is explained, in one line."""
    moment = derivation.moment
    if moment is None:
        if derivation.traced.updates:
            return derivation.title
        return f"{derivation.title}: the value and the gradient"
    return ", ".join(filter(None, (subject_of(derivation), place_of(moment))))


def subject_of(derivation: Derivation) -> str:
    """What the steps are of: ``xor: network 2-2-1``."""
    moment = derivation.moment
    if moment is None:
        return derivation.title
    sizes = "-".join(map(str, moment.network.sizes))
    return f"{derivation.title}: network {sizes}" if derivation.title else f"Network {sizes}"


def place_of(moment: Moment) -> str:
    """Where in its run a step stands."""
    training = moment.training
    if training is None or moment.epoch is None:
        return ""
    if moment.epoch == training.epochs:
        return f"trained for {moment.epoch:,} epochs, and the step that would come next"
    text = f"epoch {moment.epoch:,} of 0 to {training.epochs - 1:,}"
    if training.batches.count > 1:
        text += f", batch {moment.batch} of 0 to {training.batches.count - 1}"
    return text


def lines_of(derivation: Derivation, *, whole: bool = False) -> Iterator[Line]:
    """The derivation, a line and its style at a time; what is large is folded unless ``whole``."""
    yield heading_of(derivation), "bold"
    for note in derivation.notes:
        yield note, "dim"
    yield "", ""
    yield "Given", "bold"
    for given in derivation.given:
        yield from _given(given, whole)
    folded = any(is_folded(each.value) for each in (*derivation.given, *derivation.steps))
    for part, title in TITLES.items():
        steps = list(derivation.part(part))
        if not steps:
            continue
        yield "", ""
        yield title, "bold"
        likewise = _Likewise(derivation, whole)
        for step in steps:
            if not likewise.holds(step):
                yield from _step(derivation, step, whole)
        names = likewise.names
        if names:
            folded = True
            yield f"  likewise: {', '.join(names)}", "dim"
    if folded and not whole:
        yield "", ""
        yield "Folded where it is long: --all shows all, --why NAME[i,j] any one number.", "dim"


class _Likewise:
    """Steps of an update that are like one before, but for the parameter."""

    def __init__(self, derivation: Derivation, whole: bool) -> None:
        moment = derivation.moment
        self.parameters: Sequence[str] = ()
        if moment is not None and not whole and len(moment.parameters) > 4:
            self.parameters = sorted(moment.parameters, key=len, reverse=True)
        self.seen: set[str] = set()
        self.names: list[str] = []

    def holds(self, step: Step) -> bool:
        """Whether an update like this one has been shown; notes it otherwise."""
        if step.part != UPDATE:
            return False
        formula = str(step.formula)
        for name in self.parameters:
            formula = formula.replace(name, "_")
        if formula in self.seen and self.parameters:
            self.names.append(step.name)
            return True
        self.seen.add(formula)
        return False


def _given(given: Given, whole: bool) -> Iterator[Line]:
    shape = _shape(given.value.shape)
    if not given.value.ndim:
        yield f"  {given.name} = {short_number(given.value, 6)}", ""
        return
    yield f"  {given.name}  {shape}", ""
    if whole or given.value.size <= 64:
        yield from _values(given.value, whole)


def _step(derivation: Derivation, step: Step, whole: bool) -> Iterator[Line]:
    formula = str(step.formula)
    shape = _shape(step.shape)
    yield f"  {formula}" + (f"   {shape}" if shape else ""), "cyan"
    if step.source:
        yield f"      {step.source}", "dim"
    if step.why:
        yield f"      {step.why}", "dim"
    for rule in step.rules:
        yield f"      {rule.name}: {rule.operation}, so {rule.gradient}", "dim"
    index_formula = str(step.index_formula)
    if step.shape and index_formula != formula:
        yield f"      {index_formula}", ""
    place = largest_place(step.value)
    element = derivation.number(f"{step.name}{index_text(place)}")
    left, right = str(element.name), short_number(element.value)
    if element.numbers is not None and not step.is_alias and str(element.numbers) != right:
        yield f"      {left} = {element.numbers} = {right}", ""
    elif not step.shape:
        yield f"      = {right}", ""
    if step.shape and step.value.size > 1:
        yield from _values(step.value, whole)


def _values(value: NDArray[Any], whole: bool) -> Iterator[Line]:
    for line in aligned(rows_of(value, whole=whole)):
        yield f"        {line}", ""


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
