"""What to try where a truth table was not learned: advice that was tried before it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chainrule.errors import ChainruleError
from chainrule.training.preparing import prepare
from chainrule.training.recipes import Recipe

__all__ = ["Advice", "tried_advice"]


@dataclass(frozen=True)
class Advice:
    """A change that was tried and worked, and the loss it came to."""

    option: str
    loss: float
    seconds: float


def tried_advice(
    recipe: Recipe, budget: float = 5.0, callback: Callable[..., object] | None = None
) -> Advice | None:
    """The first change to a truth table's complete recipe with which it is learned, or None.

    What is advised can be added to the command that was typed, whatever options it had. Each
    candidate is trained in full, until the time budget (in seconds) is spent.
    """
    began = time.monotonic()
    for option, changed in _candidates(recipe):
        left = budget - (time.monotonic() - began)
        if left <= 0:
            return None
        try:
            limited = replace(changed, max_time=min(left, recipe.max_time or left))
            trained = prepare(limited).train(callbacks=() if callback is None else (callback,))
        except ChainruleError:
            continue
        if trained.run.stopped == "interrupted":
            return None
        if trained.learned and trained.run.stopped != "time":
            return Advice(option, trained.run.loss, trained.run.seconds)
    return None


def _candidates(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    hidden = recipe.hidden or ()
    units = hidden[0] if hidden else 0
    for more in (units + 1, 2 * units + 2):
        layers = (more, *hidden[1:])
        yield f"--hidden {','.join(map(str, layers))}", replace(recipe, hidden=layers)
    faster = replace(recipe, optimizer="adam", learning_rate=0.05)
    if recipe.optimizer != "adam":
        yield "--optimizer adam --learning-rate 0.05", faster
    elif recipe.learning_rate != 0.05:
        yield "--learning-rate 0.05", faster
    if recipe.epochs is not None and recipe.epochs < 10_000:
        yield "--epochs 10000", replace(recipe, epochs=10_000)
    wide = replace(recipe, hidden=(8,), optimizer="adam", learning_rate=0.05, epochs=2000)
    yield "--hidden 8 --optimizer adam --learning-rate 0.05 --epochs 2000", wide
