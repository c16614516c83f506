"""The losses, and what was learned of one number: the output along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks.losses import loss as choose_loss
from chainrule.pictures.rows import BLUE, GREY, ORANGE, Rows, output_name, short, size_of, title
from chainrule.training.preparing import Trained

__all__ = ["draw_line", "draw_losses"]

Array = NDArray[Any]


def draw_losses(axes: Any, trained: Trained) -> None:
    """The losses epoch by epoch, and which epoch was kept."""
    run, recipe = trained.run, trained.prepared.recipe
    criterion = trained.prepared.network.criterion
    reported = choose_loss(recipe.report, "report") if recipe.report else criterion
    kept = run.best_epoch if run.best_epoch is not None else run.epochs - 1
    columns = [("training", "loss", BLUE), ("held out", "validation_loss", ORANGE)]
    columns = [each for each in columns if each[1] in run.history]
    thin = 1.2 if len(run.history) > 300 else 1.7
    for place, (name, column, colour) in enumerate(columns):
        losses = run.history[column]
        losses = np.where(np.isfinite(losses), losses, np.nan)
        # The training loss lies on top of that of the rows held out, which is often the noisier.
        axes.plot(
            losses, color=colour, label=name, linewidth=thin, zorder=3 - place,
            marker="o" if len(losses) == 1 else None,
        )  # fmt: skip
    if len(columns) > 1:
        if kept < run.epochs - 1:
            axes.axvline(kept, color=GREY, linestyle=":", label=f"kept: epoch {kept:,}")
        axes.legend()
    _scale(axes, [run.history[column] for _, column, _ in columns])
    axes.set_xlabel("epoch")
    axes.set_ylabel(reported.measures)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    after = f"after {run.epochs:,} epoch{'' if run.epochs == 1 else 's'}"
    if kept < run.epochs - 1:
        after = f"at epoch {kept:,}, the best of {run.epochs:,}"
    axes.set_title(f"Loss {run.loss:.4g} {after}")
    axes.margins(x=0.02)
    if len(run.history) < 2:
        axes.set(xlim=(-0.5, 0.5), xticks=[0])


def _scale(axes: Any, columns: list[Array]) -> None:
    """A logarithmic scale where losses go over decades, with plain numbers where they are few."""
    from matplotlib.ticker import LogLocator, NullFormatter

    values = np.concatenate([np.empty(0), *columns])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0 or values.max() < 10 * values.min():
        return
    axes.set_yscale("log")
    if values.max() < 1000 * values.min():
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_line(axes: Any, rows: Rows) -> None:
    """The output along one input, with the rows."""
    trained, preparation = rows.trained, rows.preparation
    points = np.concatenate([rows.in_units(X) for _, X, _ in rows.kinds])
    low, high = float(points.min()), float(points.max())
    margin = 0.04 * ((high - low) or 1.0)
    line = np.linspace(low - margin, high + margin, 500)[:, None]
    outputs = trained.model.outputs(rows.prepared(line))
    regression = preparation.labels is None
    for (kind, X, y), colour in zip(rows.kinds, (BLUE, "white"), strict=False):
        X, y = rows.some(X, y)
        values = preparation.decode(y) if regression else y[:, 0]
        axes.scatter(
            rows.in_units(X)[:, 0], values, s=size_of(len(X)) / 1.5, color=colour, label=kind,
            edgecolors=BLUE, linewidths=0.8, alpha=0.7, zorder=2,
        )  # fmt: skip
    values = preparation.decode(outputs) if regression else outputs[:, 0]
    axes.plot(line[:, 0], values, color=ORANGE, linewidth=2, label=output_name(trained), zorder=3)
    axes.set_xlabel(short(preparation.feature_names[0]))
    axes.set_ylabel(short(preparation.target_name))
    if preparation.labels is not None:
        axes.set_yticks([0, 0.5, 1])
        axes.set_yticklabels([short(str(preparation.labels[0]), 18), "½",
                              short(str(preparation.labels[1]), 18)])  # fmt: skip
        axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_title(title(trained))
    axes.legend()
