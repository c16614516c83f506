"""What a sweep consists of: settings, seeds, and what counts as success."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.training.recipes import Recipe

__all__ = ["GOAL", "Plan", "Span", "grid_of", "layers_text", "random_of"]

GOAL = 0.01
"""The loss that counts as success, where none is named."""
_MOST_SETTINGS = 100_000


@dataclass(frozen=True)
class Span:
    """All numbers from one to another, as a random search draws them.

    Whole numbers are drawn evenly, others evenly in their logarithm where both ends are above 0.

    >>> Span(1, 3).draw(np.random.default_rng(0))
    3
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def whole(self) -> bool:
        """Whether whole numbers are meant: both ends are some."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def log(self) -> bool:
        """Whether numbers are drawn evenly in their logarithm."""
        return not self.whole and self.low > 0

    def draw(self, rng: np.random.Generator) -> float | int:
        """One number."""
        if self.whole:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        if self.log:
            return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Plan:
    """A sweep: each setting with each seed.

    ``settings`` are recipes without a seed, ``varied`` the names of what differs among them. Seeds
    are ``first``, ``first + 1`` and so on, ``count`` of them; a run with seed s comes to the
    weights that `chainrule train --seed s` comes to, to the last bit. ``goal`` is the loss at which
    a run has succeeded; it ends there.
    """

    settings: tuple[Recipe, ...]
    varied: tuple[str, ...]
    first: int
    count: int
    goal: float

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
        return len(self.settings) * self.count

    @cached_property
    def digest(self) -> str:
        """A few letters by which the sweep is known again."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "settings": [each.to_json() for each in self.settings],
            "varied": list(self.varied),
            "first": self.first,
            "count": self.count,
            "goal": self.goal,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The plan that `to_json` described."""
        settings = tuple(Recipe.from_json(each) for each in data["settings"])
        return cls(settings, tuple(data["varied"]), data["first"], data["count"], data["goal"])

    def value(self, setting: int, name: str) -> Any:
        """What a setting has chosen for one of the names that vary."""
        return getattr(self.settings[setting], name)


def layers_text(layers: tuple[Any, ...], none: str) -> str:
    """Layers as they are written for a sweep, 4x4, or what stands for none."""
    return "x".join(map(str, layers)) or none


def grid_of(
    base: Recipe, choices: dict[str, list[Any]], *, first: int, count: int, goal: float
) -> Plan:
    """Every combination of choices, the last name varying fastest.

    Raises SettingError where there are too many, or a range that only a search can draw from.
    """
    for name, values in choices.items():
        for value in values:
            if isinstance(value, Span):
                raise SettingError(
                    f"{name}={value} is a range, and a grid needs single values: list them, or "
                    "draw from the range with --search random --trials N."
                )
    total = int(np.prod([len(values) for values in choices.values()], dtype=np.int64))
    _check_size(total)
    varied = {name: values for name, values in choices.items() if len(values) > 1}
    fixed = {name: values[0] for name, values in choices.items() if len(values) == 1}
    base = replace(base, **fixed)
    settings = [
        replace(base, **dict(zip(varied, values, strict=True)))
        for values in product(*varied.values())
    ]
    return Plan(tuple(settings), tuple(varied), first, count, goal)


def random_of(
    base: Recipe,
    choices: dict[str, list[Any]],
    trials: int,
    *,
    seed: int,
    first: int,
    count: int,
    goal: float,
) -> Plan:
    """Settings drawn at random from choices and ranges."""
    _check_size(trials)
    rng = np.random.default_rng([seed, 7])
    settings = [replace(base, **drawn) for drawn in _draws(choices, trials, rng)]
    varied = tuple(
        name for name, values in choices.items() if len(values) > 1 or isinstance(values[0], Span)
    )
    return Plan(tuple(settings), varied, first, count, goal)


def _draws(
    choices: dict[str, list[Any]], trials: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    for _ in range(trials):
        drawn: dict[str, Any] = {}
        for name, values in choices.items():
            value = values[int(rng.integers(len(values)))]
            drawn[name] = value.draw(rng) if isinstance(value, Span) else value
        yield drawn


def _check_size(settings: int) -> None:
    if settings > _MOST_SETTINGS:
        raise SettingError(
            f"This is {settings:,} settings, and a sweep takes up to {_MOST_SETTINGS:,}. List "
            "fewer values, or draw some with --search random --trials N."
        )
