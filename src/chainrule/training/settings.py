"""The settings of a training run, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.errors import SettingError
from chainrule.interpreter import compile_graph
from chainrule.networks.choices import COUNT, NATURAL, NONNEGATIVE, POSITIVE, check_setting
from chainrule.training.optimizers import Optimizer
from chainrule.training.schedules import Schedule
from chainrule.training.steps import Engine

__all__ = ["Settings"]


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
        check_setting("epochs", self.epochs, NATURAL)
        check_setting("seed", self.seed, NATURAL)
        check_setting("tolerance", self.tolerance, NONNEGATIVE)
        for name, value, allowed in (
            ("batch_size", self.batch_size, COUNT),
            ("patience", self.patience, COUNT),
            ("clip_norm", self.clip_norm, POSITIVE),
            ("clip_value", self.clip_value, POSITIVE),
            ("max_time", self.max_time, POSITIVE),
        ):
            if value is not None:
                check_setting(name, value, allowed)
        for callback in self.callbacks:
            if not callable(callback):
                raise SettingError(f"callbacks holds {callback!r}, which cannot be called.")

    def fingerprint(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to go on as if it had never been interrupted."""
        return {
            "optimizer": self.optimizer.text,
            "schedule": self.schedule.text,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "patience": self.patience,
            "tolerance": self.tolerance,
            "clip_norm": self.clip_norm,
            "clip_value": self.clip_value,
        }
