"""The rows in a picture, in the units of their table; colours, sizes and names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.training.preparing import Trained

__all__ = [
    "BLUE",
    "COUNTED_CLASSES",
    "GREY",
    "ORANGE",
    "Rows",
    "colours_of",
    "mixed",
    "output_name",
    "short",
    "size_of",
    "title",
]

Array = NDArray[Any]
# Okabe and Ito's colours, which people with any colour vision tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6b6b6b"
_FEW_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8B5A2B", "#444444")
COUNTED_CLASSES = 30
_POINTS = 5000


class Rows:
    """The rows that train and those held out, in the units of the table."""

    def __init__(self, trained: Trained) -> None:
        prepared = trained.prepared
        self.trained, self.preparation = trained, prepared.preparation
        self.kinds = [("trained on", prepared.X, prepared.y)]
        if prepared.validation is not None:
            self.kinds.append(("held out", *prepared.validation))

    def in_units(self, X: Array) -> Array:
        """Inputs that are all numbers, as they stand in the table."""
        features: Any = self.preparation.features
        return X * [each.scale for each in features] + [each.mean for each in features]

    def prepared(self, X: Array) -> Array:
        """Inputs as the network takes them."""
        features: Any = self.preparation.features
        return (X - [each.mean for each in features]) / [each.scale for each in features]

    def some(self, X: Array, y: Array) -> tuple[Array, Array]:
        """So many of the rows that a picture is not full of them."""
        places = np.linspace(0, len(X) - 1, min(len(X), _POINTS)).astype(int)
        return X[places], y[places]


def title(trained: Trained) -> str:
    """How good the model is, as a panel's title."""
    classes = trained.prepared.preparation.task == "classification"

    def shown(score: float) -> str:
        return f"{100 * score:.1f} %".replace("100.0", "100") if classes else f"{score:.4f}"

    text = f"{'accuracy' if classes else 'R²'} {shown(trained.score)}"
    held = trained.validation_measures
    if held is not None:
        text += f", held out {shown(held['score'])}"
    return f"What was learned: {text}"


def output_name(trained: Trained) -> str:
    """What a lone output is."""
    labels = trained.prepared.preparation.labels
    if labels is not None and trained.model.gives_probabilities:
        return f"probability of {short(str(labels[-1]), 20)}"
    return "output"


def colours_of(count: int) -> list[str]:
    """A colour for each class."""
    if count <= len(_FEW_COLOURS):
        return list(_FEW_COLOURS[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["turbo"](0.05 + 0.9 * i / (count - 1))) for i in range(count)]


def mixed(colour: str, share: float) -> str:
    """A colour, paler by mixing it with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * part + (1 - share) * 255):02x}" for part in parts)


def size_of(count: int) -> float:
    """The area of a point, in square points of print, where there are so many."""
    return 36 if count < 300 else 16 if count < 1500 else 7


def short(text: str, longest: int = 40) -> str:
    """A label on one line, cut where it is long; dollars are no mathematics."""
    text = " ".join(text.split()).replace("$", r"\$")
    return text if len(text) <= longest else text[: longest - 1] + "…"
