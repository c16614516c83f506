"""What `chainrule train` trains, and how: every choice, and its default.

A `Recipe` holds what the user chose; what was left open is chosen by the data. The truth tables
``xor``, ``and`` and ``or`` with nothing chosen are the run that this project grew from: two sigmoid
hidden units, weights as ``numpy.random.seed(42)`` draws them, 10,000 epochs of gradient descent
at rate 0.1 on the sum of squared errors, with the mean reported.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from chainrule.data import BUILTIN_NAMES
from chainrule.training.training import default_rate

__all__ = ["CLASSIC", "TRUTH_TABLES", "Recipe", "optimizer_name"]

TRUTH_TABLES = ("xor", "and", "or", "parity")
CLASSIC = ("xor", "and", "or")
"""What the classic run is on."""

_FEW_ROWS = 50


@dataclass(frozen=True)
class Recipe:
    """What to train on and how; None leaves the choice to the data (see `Recipe.complete`)."""

    data: str
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    standardise: bool = True
    encoding: str = "utf-8"
    header: bool | None = None
    samples: int | None = None
    bits: int | None = None
    noise: float | None = None
    hidden: tuple[int, ...] | None = None
    activation: tuple[str, ...] | None = None
    output: str | None = None
    loss: str | None = None
    report: str | None = None
    initializer: str | None = None
    l1: float = 0.0
    l2: float = 0.0
    dropout: tuple[float, ...] = (0.0,)
    dtype: str = "float64"
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int | None = None
    shuffle: bool = True
    seed: int | None = None
    validation: float | None = None
    validation_data: str | None = None
    patience: int | None = None
    tolerance: float = 1e-4
    restore_best: bool = True
    clip_norm: float | None = None
    clip_value: float | None = None
    stop_loss: float | None = None
    max_time: float | None = None
    engine: str = "native"

    def complete(self, task: str, rows: int, outputs: int) -> Recipe:
        """The recipe with the data's own choice for everything that was left open."""
        if self.data in CLASSIC:
            chosen: dict[str, Any] = dict(_CLASSIC_CHOICES)
            if self.loss is not None and self.loss != chosen["loss"]:
                chosen["report"] = chosen["output"] = None
        elif self.data in BUILTIN_NAMES:
            chosen = {**_POINTS_CHOICES, "batch_size": min(32, rows)}
        else:
            held_out = 0.1 if rows >= _FEW_ROWS else 0.0
            chosen = {**_TABLE_CHOICES, "batch_size": min(200, rows), "validation": held_out}
        if self.data == "parity":
            chosen.update(batch_size=None, validation=0.0, epochs=2000)
        if self.validation_data is not None:
            chosen["validation"] = 0.0
        if self.hidden == ():
            chosen["activation"] = None
        method = optimizer_name(self.optimizer or chosen["optimizer"])
        if method not in (chosen["optimizer"], "adamw" if chosen["optimizer"] == "adam" else ""):
            chosen["learning_rate"] = default_rate(method)
        natural = "squared_error"
        if task == "classification":
            natural = "binary_cross_entropy" if outputs == 1 else "categorical_cross_entropy"
        chosen.setdefault("loss", natural)
        if method == "lbfgs":
            chosen["batch_size"] = chosen["learning_rate"] = None
        open_fields = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return replace(self, **open_fields)

    @property
    def generator(self) -> str:
        """What the first weights are drawn with: see `Network.initialize`."""
        return "legacy" if self.data in CLASSIC else "default"

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """The recipe that `to_json` described."""
        known = {each.name for each in fields(cls)}
        lists = ("drop", "categorical", "hidden", "activation", "dropout")
        chosen: dict[str, Any] = {
            name: tuple(value) if name in lists and value is not None else value
            for name, value in data.items()
            if name in known
        }
        return cls(**chosen)


def optimizer_name(written: str) -> str:
    """The name in an optimiser's text.

    >>> optimizer_name("momentum(momentum=0.8)")
    'momentum'
    """
    return written.partition("(")[0].strip().replace("-", "_")


_CLASSIC_CHOICES: dict[str, Any] = {
    "hidden": (2,),
    "activation": ("sigmoid",),
    "output": "sigmoid",
    "loss": "squared_error_sum",
    "report": "squared_error",
    "initializer": "standard_normal",
    "optimizer": "gradient_descent",
    "learning_rate": 0.1,
    "epochs": 10_000,
    "seed": 42,
    "validation": 0.0,
}
_POINTS_CHOICES: dict[str, Any] = {
    "hidden": (16, 16),
    "activation": ("tanh",),
    "initializer": "glorot",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 1000,
    "seed": 0,
    "validation": 0.2,
}
_TABLE_CHOICES: dict[str, Any] = {
    "hidden": (100,),
    "activation": ("relu",),
    "initializer": "glorot",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "epochs": 200,
    "seed": 0,
}
