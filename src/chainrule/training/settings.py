"""The settings of a training run, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.errors import SettingError
from chainrule.interpreter import compile_graph
from chainrule.networks.choices import (
    ANY,
    COUNT,
    NATURAL,
    NONNEGATIVE,
    POSITIVE,
    Range,
    check_setting,
)
from chainrule.training.engines import engine_name
from chainrule.training.optimizers import Optimizer
from chainrule.training.schedules import Schedule
from chainrule.training.steps import Engine

__all__ = ["Settings"]

_RANGES: dict[str, Range] = {
    "epochs": NATURAL,
    "batch_size": COUNT,
    "seed": NATURAL,
    "patience": NATURAL,
    "tolerance": NONNEGATIVE,
    "clip_norm": POSITIVE,
    "clip_value": POSITIVE,
    "stop_loss": ANY,
    "max_time": POSITIVE,
    "checkpoint_every": NONNEGATIVE,
}
_MAY_BE_NONE = ("batch_size", "patience", "clip_norm", "clip_value", "stop_loss", "max_time")


@dataclass(frozen=True)
class Settings:
    """How to train; `chainrule.train` says what each setting is."""

    optimizer: Optimizer
    schedule: Schedule
    epochs: int = 1000
    batch_size: int | None = None
    shuffle: bool = True
    seed: int = 0
    patience: int | None = None
    tolerance: float = 1e-4
    restore_best: bool = True
    clip_norm: float | None = None
    clip_value: float | None = None
    stop_loss: float | None = None
    max_time: float | None = None
    callbacks: Sequence[Callable[..., Any]] = ()
    engine: Engine = field(default=compile_graph)
    checkpoint_every: float = 10.0

    def __post_init__(self) -> None:
        for name, accepted in _RANGES.items():
            value = getattr(self, name)
            if value is None and name in _MAY_BE_NONE:
                continue
            check_setting(name, value, accepted)
        for name in ("shuffle", "restore_best"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise SettingError(f"{name}={getattr(self, name)!r} must be True or False.")
        for callback in self.callbacks:
            if not callable(callback):
                raise SettingError(
                    f"callbacks holds {callback!r}, which cannot be called. A callback is a "
                    "function of an Epoch."
                )

    def fingerprint(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to go on as if it had never been interrupted."""
        engine = engine_name(self.engine)
        return {
            **({} if engine is None else {"engine": engine}),
            "optimizer": self.optimizer.text,
            "schedule": self.schedule.text,
            "batch_size": _plain(self.batch_size),
            "shuffle": bool(self.shuffle),
            "seed": int(self.seed),
            "patience": _plain(self.patience),
            "tolerance": float(self.tolerance),
            "restore_best": bool(self.restore_best),
            "clip_norm": _plain(self.clip_norm),
            "clip_value": _plain(self.clip_value),
        }


def _plain(value: Any) -> int | float | None:
    """A number as Python's, whatever library it came from."""
    return cast(Any, value).item() if isinstance(value, np.generic) else value
