"""What was learned of many inputs: predictions against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.pictures.rows import BLUE, GREY, ORANGE, Rows, short, size_of, title

__all__ = ["draw_against", "draw_counts"]


def draw_against(axes: Any, rows: Rows) -> None:
    """Predicted against true numbers."""
    preparation, model = rows.preparation, rows.trained.model
    ends: list[float] = []
    for (kind, X, y), colour in zip(rows.kinds, (BLUE, ORANGE), strict=False):
        X, y = rows.some(X, y)
        truth, predicted = preparation.decode(y), preparation.decode(model.outputs(X))
        ends += [truth.min(), truth.max()]
        axes.scatter(truth, predicted, s=size_of(len(X)) / 2, color=colour, alpha=0.5, label=kind,
                     edgecolors="none")  # fmt: skip
    diagonal = [min(ends), max(ends)]
    axes.plot(diagonal, diagonal, color=GREY, linewidth=1, linestyle="--", zorder=1)
    name = short(preparation.target_name)
    axes.set(xlabel=name, ylabel=f"{name}, predicted", title=title(rows.trained))
    if len(rows.kinds) > 1:
        axes.legend()


def draw_counts(axes: Any, rows: Rows) -> None:
    """How often each class was taken for each: of the rows held out, if there are any."""
    preparation, model = rows.preparation, rows.trained.model
    labels = preparation.labels
    assert labels is not None
    kind, X, y = rows.kinds[-1]
    count = len(labels)
    truth = np.argmax(y, axis=1) if y.shape[1] > 1 else (y[:, 0] > 0.5).astype(int)
    p = preparation.probabilities(model.outputs(X))
    guess = np.argmax(np.array(list(p.values())), axis=0)
    counts = np.zeros((count, count), int)
    np.add.at(counts, (truth, guess), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    small = max(4.5, min(10.0, 110 / count))
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[i, j] > 0.6 else "#222222"
        axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", color=colour, fontsize=small)
    names = [short(str(label), 14) for label in labels]
    long = max(map(len, names)) * count > 40
    axes.set_xticks(range(count), names, rotation=90 if long else 0, fontsize=small)
    axes.set_yticks(range(count), names, fontsize=small)
    axes.tick_params(length=0)
    target = short(preparation.target_name)
    axes.set(xlabel=f"{target}, predicted, of the rows {kind}", ylabel=target)
    axes.set_title(title(rows.trained))
