"""What the units of each layer do, and verdicts on layers that hold learning up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.floors import groups_of
from chainrule.diagnose.limits import SATURATED, relative_slopes
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted, listed, number, units

__all__ = ["LayerState", "layer_states", "layer_verdicts"]

Array = NDArray[Any]

STILL = 1e-3
"""A layer is held up where all steps of a run like this one change its weights by less than this
share of their size: it ends as it was drawn."""

GROWTH = 1e3
"""Gradients explode where the deltas grow by more than this from the last layer to the first."""

BINDING = 0.5
"""Where a part of a layer is dead, that is what holds the run up if the bound on the loss that goes
with it is this share of the loss: the greater part of it then stands and falls with that layer."""

_UNSCALED_STEPS = ("gradient_descent", "momentum", "nesterov")
_DEAD_AT_ZERO = ("relu",)


@dataclass(frozen=True)
class LayerState:
    """What a layer does on the data.

    ``saturated``   for each unit, the share of samples for which its slope is below `SATURATED` of
                    the steepest; 0 where the activation has no two limits
    ``dead``        the units whose slope is 0 for all samples
    ``duplicates``  groups of units with the same weights in and out
    ``same``        groups of units with the same activation for all samples
    ``rank``        of the activations beside the bias, (n, units): how many columns are independent
    ``gradient``    the norms of the gradients of W and b
    ``delta``       the norm of the gradient by the pre-activations
    """

    number: int
    activation: str
    mean: Array
    deviation: Array
    lowest: Array
    highest: Array
    saturated: Array
    dead: tuple[int, ...]
    duplicates: tuple[tuple[int, ...], ...]
    same: tuple[tuple[int, ...], ...]
    rank: int
    weight: float
    gradient: float
    delta: float
    step: float

    def to_json(self) -> dict[str, Any]:
        """The state as plain data."""
        plain = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }
        return {**plain, "dead": list(self.dead), "duplicates": [list(g) for g in self.duplicates],
                "same": [list(g) for g in self.same]}  # fmt: skip


def layer_states(subject: Subject) -> list[LayerState]:
    """The state of each layer, the output's last."""
    calculus, network = subject.calculus, subject.network
    gradient = calculus.parameters(calculus.gradient(subject.v))
    parameters = calculus.parameters(subject.v)
    deltas = _deltas(subject)
    return [
        _state(subject, layer, parameters, gradient, deltas[layer - 1])
        for layer in range(1, network.depth + 1)
    ]


def _state(
    subject: Subject, layer: int, parameters: Any, gradient: Any, delta: Array
) -> LayerState:
    network, values = subject.network, subject.values
    z, a = values[f"z{layer}"], values[f"a{layer}"]
    name = network.layers[layer - 1].name
    slopes = relative_slopes(name, a)
    shares = np.zeros(a.shape[1]) if slopes is None else np.mean(slopes < SATURATED, axis=0)
    norm = float(np.linalg.norm(parameters[f"W{layer}"]))
    steepness = float(
        np.hypot(np.linalg.norm(gradient[f"W{layer}"]), np.linalg.norm(gradient[f"b{layer}"]))
    )
    finite = bool(np.isfinite(a).all())
    return LayerState(
        number=layer,
        activation=network.layers[layer - 1].text,
        mean=np.mean(a, axis=0),
        deviation=np.std(a, axis=0),
        lowest=np.min(z, axis=0),
        highest=np.max(z, axis=0),
        saturated=shares,
        dead=_dead(name, z, a) if layer < network.depth else (),
        duplicates=_duplicates(subject, layer, parameters) if layer < network.depth else (),
        same=_same_columns(a),
        rank=int(np.linalg.matrix_rank(np.column_stack([a, np.ones(len(a))]))) if finite else 0,
        weight=norm,
        gradient=steepness,
        delta=float(np.linalg.norm(delta)),
        step=subject.rate * steepness / norm if norm else float("inf"),
    )


def _dead(name: str, z: Array, a: Array) -> tuple[int, ...]:
    """The units whose activation has slope exactly 0 for every sample."""
    if name in _DEAD_AT_ZERO:
        return tuple(np.flatnonzero(np.all(z <= 0, axis=0)).tolist())
    slopes = relative_slopes(name, a)
    if slopes is None:
        return ()
    return tuple(np.flatnonzero(np.all(slopes == 0, axis=0)).tolist())


def _duplicates(subject: Subject, layer: int, parameters: Any) -> tuple[tuple[int, ...], ...]:
    """Groups of units whose weights in, bias and weights out are the same but for rounding."""
    W, b, V = parameters[f"W{layer}"], parameters[f"b{layer}"], parameters[f"W{layer + 1}"]
    return _close(np.concatenate([W.T, b.T, V], axis=1))


def _same_columns(a: Array) -> tuple[tuple[int, ...], ...]:
    return _close(a.T) if np.isfinite(a).all() else ()


def _close(rows: Array) -> tuple[tuple[int, ...], ...]:
    """Groups of two and more rows that differ by rounding alone."""
    scale = float(np.abs(rows).max(initial=0.0)) * 1e3 * float(np.finfo(np.float64).eps)
    groups: list[list[int]] = []
    for i, row in enumerate(rows):
        for group in groups:
            if np.max(np.abs(rows[group[0]] - row), initial=0.0) <= scale:
                group.append(i)
                break
        else:
            groups.append([i])
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _deltas(subject: Subject) -> list[Array]:
    """The gradient of the loss by each layer's pre-activations, (n, units) each."""
    from chainrule.derivatives import grad

    network = subject.network
    parameters = subject.calculus.parameters(subject.v)
    X, y = subject.calculus.X, subject.calculus.y

    def loss(shifts: list[Any]) -> Any:
        a = z = X
        for i, layer in enumerate(network.layers, start=1):
            z = a @ parameters[f"W{i}"] + parameters[f"b{i}"] + shifts[i - 1]
            a = layer(z)
        return network.criterion(z if network.criterion.takes == "logits" else a, y)

    with np.errstate(all="ignore"):
        still = [np.zeros((len(X), size)) for size in network.sizes[1:]]
        return [np.asarray(each) for each in grad(loss)(still)]


def layer_verdicts(subject: Subject, states: list[LayerState]) -> Iterator[Verdict]:
    """What is wrong with layers; meant for runs that have not learned."""
    exploding = _exploding(subject, states)
    if exploding is not None:
        yield exploding
    if not np.isfinite(subject.v).all():
        return
    for find in (_symmetric, _all_dead, _all_saturated, _output_saturated, _vanishing):
        found = find(subject, states)
        if found is not None:
            yield found


def _symmetric(subject: Subject, states: list[LayerState]) -> Verdict | None:
    """Units that are equal stay equal; where all of a layer's are, it is one unit wide."""
    for state in states[:-1]:
        width = subject.network.sizes[state.number]
        equal = max(state.duplicates, key=len, default=())
        if len(equal) < width or width == 1:
            continue
        text = (
            f"All {width} units of layer {state.number} have the same weights in and out, so their "
            "gradients are equal too and each step keeps them equal: the layer is worth one unit."
        )
        facts = {"layer": state.number, "units": list(equal)}
        return Verdict("symmetric", True, "proved", (text,), facts)
    return None


def _all_dead(subject: Subject, states: list[LayerState]) -> Verdict | None:
    for state in states[:-1]:
        width = subject.network.sizes[state.number]
        if not state.dead:
            continue
        whole = len(state.dead) == width
        bound = _bound_by(subject, state.number)
        half = 2 * len(state.dead) >= width
        if not whole and not (half and bound is not None and bound[1] >= BINDING * subject.loss):
            continue
        kind = "dead" if state.activation in _DEAD_AT_ZERO else "saturated"
        sentences = [
            (
                f"{_first_up(units(state.number, state.dead))} "
                f"{'has' if len(state.dead) == 1 else 'have'} "
                "slope 0 for every sample: no gradient passes through."
            )
        ]
        if whole:
            sentences.append(
                "The whole layer is: the layers up to it have the gradient 0 and never change, and "
                "the output is the same for all samples."
            )
        if bound is not None:
            sentences.append(bound[0])
        facts = {"layer": state.number, "units": list(state.dead),
                 "lowest_loss": None if bound is None else bound[1]}  # fmt: skip
        return Verdict(kind, True, "proved", tuple(sentences), facts)
    return None


def _first_up(text: str) -> str:
    return text[0].upper() + text[1:]


def _bound_by(subject: Subject, layer: int) -> tuple[str, float] | None:
    """The floor of the loss that samples with the same activations in a layer have, if it matters.

    It holds as long as these units stay as they are for these samples.
    """
    a = subject.values[f"a{layer}"]
    if not np.isfinite(a).all():
        return None
    floor = subject.floor_of(groups_of(a))
    if floor is None or floor.loss <= subject.goal:
        return None
    if subject.data_floor is not None and floor.loss <= subject.data_floor.loss * (1 + 1e-9):
        return None
    text = (
        f"Samples that layer {layer} gives the same values get the same output: while it does, the "
        f"loss is {number(floor.loss)} at least."
    )
    return text, floor.loss


def _all_saturated(subject: Subject, states: list[LayerState]) -> Verdict | None:
    """A layer whose units are saturated for next to all samples passes next to no gradient."""
    for state in states[:-1]:
        slopes = relative_slopes(state.activation, subject.values[f"a{state.number}"])
        mean = 1.0 if slopes is None else float(np.mean(slopes))
        if mean >= SATURATED or len(state.dead) == len(state.saturated):
            continue
        first = states[0]
        sentences = (
            (
                f"The units of layer {state.number} are saturated: over all samples their mean "
                f"slope "
                f"is {mean:.1%} of the steepest, and that is the share of the gradient that passes."
            ),
            (
                f"The gradient of W1 and b1 has the norm {number(first.gradient)}; a step at rate "
                f"{subject.rate:g} along it changes W1 by {number(first.step)} of its size."
            ),
        )
        return Verdict("saturated", True, "measured", sentences,
                       {"layer": state.number, "slope": mean})  # fmt: skip
    return None


def _output_saturated(subject: Subject, states: list[LayerState]) -> Verdict | None:
    """Outputs that are sure and wrong: their slope lets next to no gradient in at the top."""
    slopes = relative_slopes(states[-1].activation, subject.outputs)
    constant = subject.constant
    if slopes is None or subject.network.criterion.takes == "logits" or constant is None:
        return None
    errors = np.where(slopes < SATURATED, (subject.outputs - subject.targets) ** 2, 0.0)
    share = float(np.sum(errors) / max(np.sum((subject.outputs - subject.targets) ** 2), 1e-300))
    if share <= 0.5 or subject.loss <= constant.loss:
        return None
    worst = int(np.argmax(np.max(errors, axis=1)))
    wrong = np.flatnonzero(np.max(errors, axis=1) > np.max(errors[worst]) / 4)
    sentences = (
        (
            f"The outputs for {listed([subject.sample(int(i)) for i in wrong])} are wrong and "
            f"saturated: for "
            f"{subject.sample(worst)} it is {number(float(subject.outputs[worst].ravel()[0]))}, "
            f"with a "
            f"slope of {number(float(np.min(slopes[worst])))} of the steepest."
        ),
        (
            f"So the gradient lets next to nothing of the error in; the loss "
            f"{number(subject.loss)} is "
            f"worse than that of the best constant output, {number(constant.loss)}."
        ),
    )
    return Verdict("saturated", True, "proved", sentences,
                   {"layer": subject.network.depth, "share": share})  # fmt: skip


def _exploding(subject: Subject, states: list[LayerState]) -> Verdict | None:
    """Deltas that grow from layer to layer on their way back, with steps too large for the loss."""
    if not (np.isfinite(subject.v).all() and np.isfinite(subject.loss)):
        if subject.start is None:
            return None
        subject = subject.at(subject.start)
        states = layer_states(subject)
    first, last = states[0], states[-1]
    if last.delta == 0 or len(states) < 3 or not first.delta > GROWTH * last.delta:
        return None
    calculus = subject.calculus
    loss, gradient = calculus.value_and_gradient(subject.v)
    after = calculus.loss(subject.v - subject.rate * gradient)
    if after <= loss:
        return None
    each = (first.delta / last.delta) ** (1 / (len(states) - 1))
    sentences = (
        _going_back("grows", first, last, each),
        (
            f"One step of gradient descent at rate {subject.rate:g} takes the loss from "
            f"{number(loss)} to {number(after)}."
        ),
    )
    facts = {"first": first.delta, "last": last.delta, "each_layer": each, "after_a_step": after}
    return Verdict("exploding", True, "proved", sentences, facts)


def _going_back(changes: str, first: LayerState, last: LayerState, each: float) -> str:
    return (
        f"Going back, the gradient by the pre-activations {changes} from {number(last.delta)} in "
        f"layer {last.number} to {number(first.delta)} in layer 1, {number(each)} times a layer."
    )


def _vanishing(subject: Subject, states: list[LayerState]) -> Verdict | None:
    """Deltas that shrink from layer to layer until the first layers stay where they were drawn."""
    first, last = states[0], states[-1]
    if first.delta == 0 or last.delta == 0 or len(states) < 3:
        return None
    if subject.optimizer is None or subject.optimizer.name not in _UNSCALED_STEPS:
        return None  # steps that do not shrink with the gradient
    steps = max(subject.epochs, 1) * subject.steps_per_epoch
    if last.delta < GROWTH * first.delta or first.step * steps > STILL:
        return None
    each = (last.delta / first.delta) ** (1 / (len(states) - 1))
    sentences = (
        _going_back("shrinks", first, last, each),
        (
            f"A step at rate {subject.rate:g} along the gradient changes W1 by "
            f"{number(first.step)} of its size; all {counted(steps, 'step')} of the run by "
            f"{number(first.step * steps)}."
        ),
    )
    facts = {"first": first.delta, "last": last.delta, "each_layer": each, "step": first.step}
    return Verdict("vanishing", True, "proved", sentences, facts)
