"""What was learned of two numbers: the output over their plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.pictures.rows import (
    BLUE,
    COUNTED_CLASSES,
    GREY,
    ORANGE,
    Rows,
    colours_of,
    mixed,
    output_name,
    short,
    size_of,
    title,
)

__all__ = ["draw_plane"]

Array = NDArray[Any]
_NAMED_CLASSES = 12
_GRID = 240


def draw_plane(axes: Any, rows: Rows) -> None:
    """The output over the plane of two inputs, with the rows."""
    trained, preparation = rows.trained, rows.preparation
    points = np.concatenate([rows.in_units(X) for _, X, _ in rows.kinds])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * np.where(high > low, high - low, 1.0)
    first, second = (_line(float(low[i] - margin[i]), float(high[i] + margin[i])) for i in (0, 1))
    grid: Array = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    outputs = trained.model.outputs(rows.prepared(grid))
    if preparation.labels is None:
        _draw_heights(axes, rows, first, second, outputs)
    elif outputs.shape[1] == 1:
        _draw_two_classes(axes, first, second, outputs, output_name(trained))
        _draw_classes_of_rows(axes, rows)
    else:
        _draw_areas(axes, first, second, outputs)
        _draw_classes_of_rows(axes, rows)
    axes.set(xlim=first[[0, -1]], ylim=second[[0, -1]])
    axes.set_xlabel(short(preparation.feature_names[0]))
    axes.set_ylabel(short(preparation.feature_names[1]))
    axes.set_title(title(trained))


def _line(low: float, high: float) -> Array:
    return np.linspace(low, high, _GRID)


def _draw_two_classes(axes: Any, first: Array, second: Array, outputs: Array, name: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    # Pale enough that the rows, in the full colours, stand out on it.
    pale = [mixed(BLUE, 0.55), "#ffffff", mixed(ORANGE, 0.55)]
    colours = LinearSegmentedColormap.from_list("classes", pale)
    plane = np.clip(outputs[:, 0], 0, 1).reshape(_GRID, _GRID)
    shown = axes.pcolormesh(
        first, second, plane, cmap=colours, vmin=0, vmax=1, rasterized=True, shading="gouraud"
    )
    bar = axes.figure.colorbar(shown, ax=axes, label=name, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.outline.set_visible(False)
    if plane.min() < 0.5 < plane.max():
        axes.contour(first, second, plane, levels=[0.5], colors="#333333", linewidths=1)


def _draw_areas(axes: Any, first: Array, second: Array, outputs: Array) -> None:
    from matplotlib.colors import ListedColormap

    count = outputs.shape[1]
    plane = np.argmax(outputs, axis=1).reshape(_GRID, _GRID)
    pale = ListedColormap([mixed(colour, 0.35) for colour in colours_of(count)])
    axes.pcolormesh(
        first, second, plane, cmap=pale, vmin=-0.5, vmax=count - 0.5, rasterized=True,
        shading="nearest",
    )  # fmt: skip


def _draw_heights(axes: Any, rows: Rows, first: Array, second: Array, outputs: Array) -> None:
    preparation = rows.preparation
    plane = preparation.decode(outputs).reshape(_GRID, _GRID)
    values = [preparation.decode(y) for _, _, y in rows.kinds]
    low = min(plane.min(), *(each.min() for each in values))
    high = max(plane.max(), *(each.max() for each in values))
    limits: Any = {"cmap": "viridis", "vmin": low, "vmax": high}
    shown = axes.pcolormesh(first, second, plane, rasterized=True, shading="gouraud", **limits)
    label = short(preparation.target_name)
    axes.figure.colorbar(shown, ax=axes, label=label).outline.set_visible(False)
    for kind, X, y in rows.kinds:
        X, y = rows.some(X, y)
        x = rows.in_units(X)
        edge = "white" if kind == "trained on" else "black"
        axes.scatter(
            x[:, 0], x[:, 1], c=preparation.decode(y), edgecolors=edge, linewidths=0.6,
            s=size_of(len(x)), **limits,
        )  # fmt: skip
    if len(rows.kinds) > 1:
        for kind, edge in (("trained on", "white"), ("held out", "black")):
            axes.scatter([], [], color=GREY, edgecolors=edge, linewidths=0.8, s=36, label=kind)
        _legend_below(axes, None)


def _draw_classes_of_rows(axes: Any, rows: Rows) -> None:
    """The rows in the colours of their classes; those held out are rings."""
    labels = rows.preparation.labels
    assert labels is not None
    colours = colours_of(len(labels))
    for kind, X, y in rows.kinds:
        X, y = rows.some(X, y)
        x = rows.in_units(X)
        codes = np.argmax(y, axis=1) if y.shape[1] > 1 else (y[:, 0] > 0.5).astype(int)
        for code in np.unique(codes):
            chosen = codes == code
            trained_on = kind == "trained on"
            named = trained_on and len(labels) <= _NAMED_CLASSES
            axes.scatter(
                x[chosen, 0],
                x[chosen, 1],
                facecolors=colours[code] if trained_on else "white",
                edgecolors="white" if trained_on else colours[code],
                linewidths=0.6 if trained_on else 1.4,
                s=size_of(len(x)),
                label=short(str(labels[code]), 18) if named else None,
                zorder=3,
            )
    if len(labels) > _NAMED_CLASSES:
        _name_areas(axes, rows, colours)
    if len(rows.kinds) > 1:
        axes.scatter([], [], facecolors="white", edgecolors=GREY, linewidths=1.4, label="held out")
    named = len(labels) <= _NAMED_CLASSES
    _legend_below(axes, rows.preparation.target_name if named else None)


def _name_areas(axes: Any, rows: Rows, colours: list[str]) -> None:
    """The classes' names amid their rows, where they are too many for a legend."""
    from matplotlib.patheffects import withStroke

    labels = rows.preparation.labels
    assert labels is not None
    _, X, y = rows.kinds[0]
    x, codes = rows.in_units(X), np.argmax(y, axis=1)
    if len(labels) > COUNTED_CLASSES:
        return
    texts: list[str] = [str(label) for label in labels]
    if max(map(len, texts)) > 12:  # what they all begin with tells none from another
        first, last = min(texts), max(texts)
        pairs = enumerate(zip(first, last, strict=False))
        shared = next((i for i, (a, b) in pairs if a != b), len(first))
        texts = [text[shared:] for text in texts]
    for code in np.unique(codes):
        middle = np.median(x[codes == code], axis=0)
        axes.annotate(
            short(texts[int(code)], 12),
            middle,
            ha="center",
            va="center",
            fontsize=7,
            zorder=4,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _legend_below(axes: Any, title: str | None) -> None:
    """The legend below the panel, where it hides nothing; in one row if it fits."""
    from matplotlib.lines import Line2D

    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    one_row = sum(map(len, names)) + 4 * len(names) <= 66
    if title is not None and one_row:
        handles, names = [Line2D([], [], linestyle="none"), *handles], [f"{short(title)}:", *names]
    axes.legend(
        handles,
        names,
        title=None if one_row else short(title or ""),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=len(names) if one_row else max(2, 66 // (max(map(len, names)) + 4)),
        columnspacing=1.2,
        handletextpad=0.2,
        fontsize="small",
        title_fontsize="small",
    )
