"""What could be changed in a run, one thing at a time, what suits its verdicts first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.rest import Standing
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import counted
from chainrule.errors import SettingError
from chainrule.networks import Network
from chainrule.training.optimizers import optimizer as choose_optimizer

__all__ = ["Change", "changes_for"]

Array = NDArray[Any]

FAST_ADAM = 0.05
"""Adam's steps are of about this size in every weight: small beside the 1 that bends an activation,
and large enough to cross it in twenty steps."""

NOISE = 0.01
"""Copies of where a run stands are moved by this share of each weight's size, at random, so that
what is found does not hang on the last digits."""

SHAKEN = 0.5
"""A shake moves each weight by half its size: some change their sign, most do not."""

_FIRST = {
    "infinity": ("again", "units", "twice", "loss", "shake", "here-adam", "adam", "scale"),
    "saddle": ("push", "again", "here-adam", "scale", "adam", "units"),
    "plateau": ("here-adam", "again", "adam", "scale"),
    "minimum": ("again", "units", "twice", "adam"),
    "step-too-large": ("rate/10", "rate/3", "here-rate/10"),
    "exploding": ("initializer", "rate/10", "rate/3"),
    "vanishing": ("activation", "adam", "initializer"),
    "dead": ("initializer", "activation", "rate/10", "adam"),
    "saturated": ("scale", "rate/10", "initializer", "adam"),
    "symmetric": ("initializer",),
    "unscaled-inputs": ("standardised",),
}
_USELESS = ("contradictory", "constant-inputs", "constant-targets", "overfitting")


@dataclass(frozen=True)
class Change:
    """A run with one thing changed.

    ``words``   what is changed, and ``option`` how the command line says it
    ``here``    from where the run stands, moved along ``moves`` and by noise of the share ``noise``
                of each weight's size; or from fresh starts, whose weights are multiplied by
                ``scale``
    ``beside``  whether the same without the change is from where the run stands, too
    """

    words: str
    option: str
    subject: Subject
    here: bool = False
    scale: float = 1.0
    moves: tuple[Array, ...] = ()
    noise: float = NOISE
    beside: bool | None = None

    @property
    def beside_here(self) -> bool:
        """What it is compared with: the run trained on, or fresh starts of the same setting."""
        return self.here if self.beside is None else self.beside


def changes_for(
    subject: Subject, verdicts: Sequence[Verdict], standing: Standing
) -> Iterator[Change]:
    """The changes worth trying, in order; none for a run that has learned or cannot."""
    names = [each.name for each in verdicts]
    if "solved" in names or any(name in _USELESS for name in names):
        return
    makers = _makers(subject, standing)
    first = [key for name in names for key in _FIRST.get(name, ())]
    for key in dict.fromkeys([*first, *makers]):
        if key not in makers or (key == "standardised" and "unscaled-inputs" not in names):
            continue
        try:
            change = makers[key]()
        except SettingError:
            continue  # which these settings do not allow
        if change is not None:
            yield change


def _makers(subject: Subject, standing: Standing) -> dict[str, Any]:
    return {
        "again": lambda: Change("a fresh start from another seed", "--seed", subject, beside=True),
        "shake": lambda: Change(
            "every weight shaken by half its size", "", subject, here=True, noise=SHAKEN
        ),
        "loss": lambda: _cross_entropy(subject),
        "units": lambda: _wider(subject, more=1),
        "twice": lambda: _wider(subject, times=2),
        "adam": lambda: _adam(subject, here=False),
        "push": lambda: _push(subject, standing),
        "here-adam": lambda: _adam(subject, here=True),
        "momentum": lambda: _momentum(subject),
        "scale": lambda: _scaled(subject),
        "activation": lambda: _activation(subject),
        "initializer": lambda: _initializer(subject),
        "rate*10": lambda: _rate(subject, 10.0),
        "rate/10": lambda: _rate(subject, 0.1),
        "rate/3": lambda: _rate(subject, 1 / 3),
        "here-rate*10": lambda: _rate(subject, 10.0, here=True),
        "here-rate/10": lambda: _rate(subject, 0.1, here=True),
        "standardised": lambda: _standardised(subject),
    }


def _with(subject: Subject, **settings: Any) -> Subject:
    """The same run with a network of other settings."""
    described = {**subject.network.to_json(), **settings}
    return replace(subject, network=Network.from_json(described))


def _wider(subject: Subject, *, times: int = 1, more: int = 0) -> Change | None:
    sizes = subject.network.sizes
    if len(sizes) < 3:
        return None
    hidden = [times * size + more for size in sizes[1:-1]]
    text = ",".join(map(str, hidden))
    words = counted(hidden[0], "hidden unit") if len(hidden) == 1 else f"hidden layers of {text}"
    return Change(words, f"--hidden {text}", _with(subject, sizes=[sizes[0], *hidden, sizes[-1]]))


def _adam(subject: Subject, *, here: bool) -> Change | None:
    known = subject.optimizer is not None and subject.optimizer.name == "adam"
    if known and subject.rate == FAST_ADAM:
        return None
    changed = replace(subject, optimizer=choose_optimizer("adam"), rate=FAST_ADAM)
    rate = f"--learning-rate {FAST_ADAM:g}"
    option = "" if here else (rate if known else f"--optimizer adam {rate}")
    return Change(f"Adam at rate {FAST_ADAM:g}", option, changed, here)


def _momentum(subject: Subject) -> Change | None:
    if subject.optimizer is None or subject.optimizer.name != "gradient_descent":
        return None
    changed = replace(subject, optimizer=choose_optimizer("momentum"))
    return Change("momentum 0.9", "--optimizer momentum", changed)


def _rate(subject: Subject, factor: float, *, here: bool = False) -> Change:
    rate = float(f"{subject.rate * factor:.2g}")
    option = "" if here else f"--learning-rate {rate:g}"
    return Change(f"the rate {rate:g}", option, replace(subject, rate=rate), here)


def _scaled(subject: Subject) -> Change:
    """Weights half as large where units are saturated, twice as large elsewhere."""
    layers = range(1, subject.network.depth)
    steep = [float(np.mean(np.abs(subject.values[f"z{layer}"]))) for layer in layers]
    factor = 0.5 if max(steep, default=0.0) > 2 else 2.0
    words = "initial weights half as large" if factor < 1 else "initial weights twice as large"
    return Change(words, "", subject, scale=factor)


def _activation(subject: Subject) -> Change | None:
    if subject.network.depth < 2:
        return None
    other = "relu" if subject.network.layers[0].name == "tanh" else "tanh"
    return Change(f"{other} in the hidden layers", f"--activation {other}",
                  _with(subject, activation=other))  # fmt: skip


def _initializer(subject: Subject) -> Change | None:
    network = subject.network
    wanted = "he" if network.layers[0].name in ("relu", "leaky_relu", "elu") else "glorot"
    if str(network.initializer) == wanted:
        return None
    return Change(f"initial weights by {wanted.title()}", f"--initializer {wanted}",
                  _with(subject, initializer=wanted))  # fmt: skip


def _cross_entropy(subject: Subject) -> Change | None:
    """Cross-entropy for squared errors of classes, which keeps a slope where outputs are wrong."""
    network = subject.network
    squared = network.criterion.name in ("squared_error", "squared_error_sum", "half_squared_error")
    classes = bool(np.isin(subject.targets, (0.0, 1.0)).all())
    if not squared or not classes or network.layers[-1].name != "sigmoid":
        return None
    changed = replace(_with(subject, loss="binary_cross_entropy"), report=subject.reported)
    option = f"--loss binary_cross_entropy --report {subject.reported.text}"
    return Change("cross-entropy as the loss", option, changed)


def _push(subject: Subject, standing: Standing) -> Change | None:
    """From here, a tenth of the weights' norm along the way down from a saddle, and back."""
    escape = standing.escape
    if escape is None:
        return None
    size = 0.1 * max(1.0, float(np.linalg.norm(subject.v)))
    moves = (size * escape.direction, -size * escape.direction)
    return Change("a push along the negative curvature", "", subject, here=True, moves=moves)


def _standardised(subject: Subject) -> Change:
    X = np.asarray(subject.X, np.float64)
    spread = np.std(X, axis=0)
    scaled = (X - np.mean(X, axis=0)) / np.where(spread > 0, spread, 1.0)
    return Change("standardised inputs", "", replace(subject, X=scaled.astype(subject.X.dtype)))
