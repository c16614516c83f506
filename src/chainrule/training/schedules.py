"""Learning-rate schedules: from the number of the update and of the epoch to the rate.

A `Schedule` is called as ``schedule(step, epoch, state)`` with ``step`` updates and ``epoch``
epochs done so far, both counted from 0. Only `adaptive` looks at the losses: it has a state, a
plain dict of numbers, which `Schedule.observe` moves on after each epoch. All others are functions
of the two counters alone.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, cast

from chainrule.errors import SettingError
from chainrule.networks.choices import (
    COUNT,
    NATURAL,
    NONNEGATIVE,
    POSITIVE,
    Range,
    check_setting,
    choose,
    format_choice,
    one_of,
    parse_choice,
)

__all__ = [
    "SCHEDULES",
    "Schedule",
    "adaptive",
    "constant",
    "cosine",
    "exponential",
    "inverse_scaling",
    "schedule",
    "step",
    "warmup",
]

State = dict[str, Any]
"""What a schedule remembers: a dict of numbers, empty for most."""


def _no_state() -> State:
    return {}


def _same_state(state: State, loss: float) -> State:
    return state


def _never(state: State) -> bool:
    return False


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule: a function of the counters and, for some, of the losses so far.

    ``rate``        ``(step, epoch, state) -> rate``; calling the schedule checks the rate too
    ``initialize``  ``() -> state``
    ``observe``     ``(state, loss) -> state`` after an epoch
    ``finished``    ``state -> bool``: whether the rate has become too small to go on
    ``then``        the schedule that this one is a factor of, as of a warm-up

    >>> halving = schedule("step(every=10, factor=0.5)", base=0.1)
    >>> halving(step=0, epoch=9), halving(step=0, epoch=10)
    (0.1, 0.05)
    """

    name: str
    rate: Callable[[int, int, State], float]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    initialize: Callable[[], State] = _no_state
    observe: Callable[[State, float], State] = _same_state
    finished: Callable[[State], bool] = _never
    own: bool = False
    then: Schedule | None = None

    @property
    def text(self) -> str:
        """The schedule as it is written: ``cosine(total=100)``; an own function's name."""
        return self.name if self.own else format_choice(self.name, self.settings)

    @property
    def constant(self) -> bool:
        """Whether the rate is always the same."""
        return self.name == "constant" and not self.own

    @property
    def observes(self) -> bool:
        """Whether the rate depends on the losses."""
        return self.observe is not _same_state

    def __call__(self, step: int, epoch: int, state: State | None = None) -> float:
        """The learning rate for the update after ``step`` updates and ``epoch`` epochs.

        Raises SettingError where an own function gives anything but a finite number, 0 or more.
        """
        rate = self.rate(step, epoch, self.initialize() if state is None else state)
        if not isinstance(cast(object, rate), Real) or not 0 <= rate < math.inf:
            raise SettingError(
                f"The schedule {self.name} gave the learning rate {rate!r} at step {step}, epoch "
                f"{epoch}; it must give a finite number, 0 or more."
            )
        return float(rate)


def _counter(unit: str, step: int, epoch: int) -> int:
    return step if unit == "step" else epoch


def constant(*, base: float) -> Schedule:
    """The same rate always.

    >>> constant(base=0.1)(step=7, epoch=3)
    0.1
    """
    return Schedule("constant", lambda step, epoch, state: base, {"base": base})


def step(*, base: float, every: int, factor: float = 0.1, unit: str = "epoch") -> Schedule:
    """``base · factor^⌊t / every⌋``, with ``t`` in epochs or steps.

    >>> step(base=1.0, every=10, factor=0.5)(step=0, epoch=25)
    0.25
    """

    def rate(step: int, epoch: int, state: State) -> float:
        return base * factor ** (_counter(unit, step, epoch) // every)

    return Schedule("step", rate, {"base": base, "every": every, "factor": factor, "unit": unit})


def exponential(*, base: float, factor: float = 0.99, unit: str = "epoch") -> Schedule:
    """``base · factor^t``, with ``t`` in epochs or steps.

    >>> exponential(base=1.0, factor=0.5)(step=0, epoch=3)
    0.125
    """

    def rate(step: int, epoch: int, state: State) -> float:
        return base * factor ** _counter(unit, step, epoch)

    return Schedule("exponential", rate, {"base": base, "factor": factor, "unit": unit})


def cosine(*, base: float, total: int, minimum: float = 0.0, unit: str = "epoch") -> Schedule:
    """Half a cosine from ``base`` at 0 to ``minimum`` at ``t = total``, and ``minimum`` after.

    ``minimum + ½ (base - minimum) (1 + cos(π t / total))`` (Loshchilov and Hutter 2017,
    equation 5, without restarts), with ``t`` in epochs or steps.

    >>> [round(cosine(base=1.0, total=4)(step=0, epoch=t), 4) for t in range(6)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    if minimum > base:
        raise SettingError(
            f"The cosine schedule's minimum={minimum!r} is above base={base!r}, from which it "
            f"falls. Give a minimum below the base rate."
        )

    def rate(step: int, epoch: int, state: State) -> float:
        share = min(_counter(unit, step, epoch) / total, 1.0)
        return minimum + 0.5 * (base - minimum) * (1 + math.cos(math.pi * share))

    settings = {"base": base, "total": total, "minimum": minimum, "unit": unit}
    return Schedule("cosine", rate, settings)


def inverse_scaling(
    *, base: float, power: float = 0.5, samples: int | None = None, unit: str = "epoch"
) -> Schedule:
    """``base / (t + 1)^power``, with ``t`` in epochs or steps (Robbins and Monro 1951).

    With ``samples``, the number of training samples, ``t`` counts the samples of all full epochs:
    scikit-learn's ``learning_rate="invscaling"``.

    >>> inverse_scaling(base=1.0)(step=0, epoch=3)
    0.5
    """

    def rate(step: int, epoch: int, state: State) -> float:
        t = _counter(unit, step, epoch) if samples is None else epoch * samples
        return base / (t + 1) ** power

    settings = {"base": base, "power": power, "samples": samples, "unit": unit}
    return Schedule("inverse_scaling", rate, settings)


def adaptive(
    *,
    base: float,
    factor: float = 0.2,
    patience: int = 10,
    tolerance: float = 1e-4,
    minimum: float = 1e-6,
) -> Schedule:
    """``base``, times ``factor`` whenever the loss has stalled for more than ``patience`` epochs.

    An epoch counts as stalled unless its loss is below the best before it by ``tolerance``. Once
    the rate is ``minimum`` or less, the next stall means finished. These are scikit-learn's rules
    for ``learning_rate="adaptive"``.

    >>> schedule = adaptive(base=1.0, patience=1)
    >>> state = schedule.initialize()
    >>> for loss in [0.5, 0.5, 0.5]:
    ...     state = schedule.observe(state, loss)
    >>> schedule(step=0, epoch=3, state=state)
    0.2
    """

    def initialize() -> State:
        return {"rate": base, "best": None, "stalled": 0, "finished": False}

    def observe(state: State, loss: float) -> State:
        best: float | None = state["best"]
        stalled = 0
        if best is not None and loss > best - tolerance:
            stalled = state["stalled"] + 1
        rate, finished = state["rate"], state["finished"]
        if stalled > patience:
            if rate <= minimum:
                finished = True
            else:
                rate, stalled = rate * factor, 0
        best = loss if best is None else min(loss, best)
        return {"rate": rate, "best": best, "stalled": stalled, "finished": finished}

    settings = {
        "base": base,
        "factor": factor,
        "patience": patience,
        "tolerance": tolerance,
        "minimum": minimum,
    }
    return Schedule(
        "adaptive",
        lambda step, epoch, state: state["rate"],
        settings,
        initialize,
        observe,
        lambda state: state["finished"],
    )


def warmup(
    *,
    base: float,
    length: int,
    then: Any = "constant",
    unit: str = "step",
    total: int | None = None,
    samples: int | None = None,
) -> Schedule:
    """Another schedule times ``min(1, (t + 1) / length)``: a linear rise over ``length`` updates.

    ``then`` is any schedule, named or own; its own counters start at once, not after the rise
    (Goyal et al. 2017, section 2.2). ``total`` and ``samples`` are passed on to it.

    >>> rising = warmup(base=1.0, length=4)
    >>> [rising(step=t, epoch=0) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    inner = schedule(then, base=base, total=total, samples=samples)

    def rate(step: int, epoch: int, state: State) -> float:
        share = min(1.0, (_counter(unit, step, epoch) + 1) / length)
        return share * inner(step, epoch, state)

    settings = {"base": base, "length": length, "then": inner.text, "unit": unit}
    return Schedule(
        "warmup", rate, settings, inner.initialize, inner.observe, inner.finished, inner.own, inner
    )


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "warmup": warmup,
    "inverse_scaling": inverse_scaling,
    "adaptive": adaptive,
}
"""The schedules by name: functions from settings to a `Schedule`."""

_RANGES: dict[str, Range] = {
    "base": NONNEGATIVE,
    "every": COUNT,
    "factor": POSITIVE,
    "total": COUNT,
    "minimum": NONNEGATIVE,
    "power": NONNEGATIVE,
    "samples": COUNT,
    "patience": NATURAL,
    "tolerance": NONNEGATIVE,
    "length": COUNT,
    "unit": one_of("epoch", "step"),
    "then": Range("the name of a schedule, in quotes", lambda value: True, object),
}


def schedule(
    value: object = "constant",
    *,
    base: float,
    total: int | None = None,
    samples: int | None = None,
    option: str = "schedule",
    **settings: Any,
) -> Schedule:
    """The schedule that ``value`` names, with its settings, or that it is.

    ``base`` is the learning rate that it starts from; ``total`` (epochs) and ``samples`` (rows)
    are what training knows of itself, and are used by the schedules that take them unless the text
    says otherwise. An own function is called as ``(step, epoch) -> rate``.

    >>> schedule("cosine", base=0.5, total=100)(step=0, epoch=50)
    0.25
    >>> schedule(lambda step, epoch: 0.1 / (1 + step), base=0.1)(step=1, epoch=0)
    0.05

    Raises SettingError, which names ``option``, for an unknown name or setting.
    """
    check_setting("base", base, NONNEGATIVE)
    if isinstance(value, Schedule):
        return value
    if callable(value) and value in SCHEDULES.values():
        value = next(name for name, factory in SCHEDULES.items() if factory is value)
    known = {"base": base, "total": total, "samples": samples}
    if isinstance(value, str):
        name, written = parse_choice(option, value)
        if name != "warmup" and {**settings, **written}.get("unit") == "step":
            known["total"] = None  # it counts epochs
        takes = list(inspect.signature(SCHEDULES[name]).parameters) if name in SCHEDULES else [""]
        known = {key: item for key, item in known.items() if key in takes and item is not None}
        return choose(option, value, SCHEDULES, _RANGES, **{**known, **settings})()
    own = choose(option, value, SCHEDULES, _RANGES, **settings)
    return Schedule(own.name, lambda step, epoch, state: own(step, epoch), own=True)
