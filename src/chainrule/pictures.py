"""Pictures of a training run, saved with matplotlib: the loss curve and the decision boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import Preparation
from chainrule.errors import ChainruleError, SettingError
from chainrule.training.files import written_whole
from chainrule.training.recipes import Trained

__all__ = ["check_picture_file", "draw_run"]

Array = NDArray[Any]
_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")
# Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#6b6b6b"
_CLASS_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")


def check_picture_file(path: Path) -> None:
    """Refuse, before training, a picture that could not be saved after it."""
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingError(
            f"--plot {path}: a picture's name ends in {', '.join(_SUFFIXES[:3])} or another of "
            f"{', '.join(_SUFFIXES[3:])}."
        )
    if not path.parent.is_dir():
        raise SettingError(f"--plot {path}: there is no folder {path.parent}. Make it first.")
    try:
        import matplotlib  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ChainruleError(
            "--plot needs matplotlib, which is not installed: pip install 'chainrule[plot]'"
        ) from None


def draw_run(trained: Trained, path: Path) -> None:
    """Save the loss curve, and beside it what was learned where there are one or two inputs."""
    from matplotlib.figure import Figure

    inputs = trained.prepared.preparation.input_count
    second = inputs == 2 or (inputs == 1 and trained.prepared.y.shape[1] == 1)
    figure: Any = Figure(figsize=(11 if second else 6, 4.2), layout="constrained")
    axes: Any = figure.subplots(1, 2 if second else 1, squeeze=False)[0]
    _draw_losses(axes[0], trained)
    if inputs == 2:
        _draw_plane(figure, axes[1], trained)
    elif second:
        _draw_line(axes[1], trained)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)


def _draw_losses(axes: Any, trained: Trained) -> None:
    history = trained.run.history
    network = trained.prepared.network
    recipe = trained.prepared.recipe
    from chainrule.networks.losses import loss

    measured = loss(recipe.report).measures if recipe.report else network.criterion.measures
    epochs = np.arange(len(history))
    axes.plot(epochs, history["loss"], color=_BLUE, label="training")
    if "validation_loss" in history:
        axes.plot(epochs, history["validation_loss"], color=_ORANGE, label="held out")
        best = trained.run.best_epoch
        if best is not None:
            axes.axvline(best, color=_GREY, linestyle=":", label=f"best epoch ({best})")
        axes.legend(frameon=False)
    if np.all(history["loss"] > 0):
        axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel(measured)
    axes.set_title(f"Loss: {trained.run.loss:.4g} at the end")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_plane(figure: Any, axes: Any, trained: Trained) -> None:
    """The output over the plane of two inputs, with the training rows."""
    prepared = trained.prepared
    X, y = prepared.X, prepared.y
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-9)
    first, second = (_line(low[i] - margin[i], high[i] + margin[i], 200) for i in (0, 1))
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    outputs = trained.model.outputs(grid)
    if outputs.shape[1] == 1:
        plane = outputs[:, 0].reshape(200, 200)
        classes = prepared.preparation.task == "classification"
        limits = {"vmin": 0.0, "vmax": 1.0} if classes else {}
        shown = axes.pcolormesh(
            first, second, plane, cmap="RdBu_r" if classes else "viridis", rasterized=True, **limits
        )
        figure.colorbar(shown, ax=axes, label="output")
        if classes and plane.min() < 0.5 < plane.max():
            axes.contour(first, second, plane, levels=[0.5], colors="black", linewidths=1)
        labels = (y[:, 0] > 0.5).astype(int) if classes else None
    else:
        plane = np.argmax(outputs, axis=1).reshape(200, 200)
        labels = np.argmax(y, axis=1)
        count = outputs.shape[1]
        levels = _line(-0.5, count - 0.5, count + 1)
        colours = [_CLASS_COLOURS[i % len(_CLASS_COLOURS)] for i in range(count)]
        axes.contourf(first, second, plane, levels=levels, colors=colours, alpha=0.3)
    _draw_rows(axes, X, y, labels, prepared.preparation)
    axes.set_xlabel(prepared.preparation.feature_names[0])
    axes.set_ylabel(prepared.preparation.feature_names[1])
    axes.set_title("What was learned")


def _draw_rows(
    axes: Any, X: Array, y: Array, labels: Array | None, preparation: Preparation
) -> None:
    names, title = preparation.labels, preparation.target_name
    edge = {"edgecolors": "white", "linewidths": 0.6, "s": 36 if len(X) < 500 else 10, "zorder": 3}
    if labels is None:
        axes.scatter(X[:, 0], X[:, 1], c=y[:, 0], cmap="viridis", **edge)
        return
    for label in np.unique(labels):
        rows = labels == label
        name = names[int(label)] if names else label
        colour = _CLASS_COLOURS[int(label) % len(_CLASS_COLOURS)]
        axes.scatter(X[rows, 0], X[rows, 1], color=colour, label=str(name), **edge)
    axes.legend(
        title=title, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=5, frameon=False
    )


def _line(low: float, high: float, count: int) -> Array:
    return np.linspace(low, high, count)


def _draw_line(axes: Any, trained: Trained) -> None:
    """The output along one input, with the training rows."""
    prepared = trained.prepared
    x = prepared.X[:, 0]
    margin = 0.05 * max(float(np.ptp(x)), 1e-9)
    line = _line(float(x.min()) - margin, float(x.max()) + margin, 400)
    axes.scatter(x, prepared.y[:, 0], s=10, color=_GREY, alpha=0.6, label="rows")
    axes.plot(line, trained.model.outputs(line[:, None])[:, 0], color=_ORANGE, label="output")
    axes.set_xlabel(prepared.preparation.feature_names[0])
    axes.set_ylabel(prepared.preparation.target_name)
    axes.set_title("What was learned")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
