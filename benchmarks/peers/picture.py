"""The cost of a sample in a step against size, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peers.sides import SHORT

# Okabe and Ito's colours, which do not depend on telling red from green.
COLOURS = {
    "ours": "#0072B2",
    "c_loops": "#333333",
    "numba_loops": "#CC79A7",
    "numpy_loop": "#E69F00",
    "jax_scan": "#009E73",
    "pytorch": "#D55E00",
    "scikit_learn": "#7F7F7F",
}
PANELS = {
    "width": ("width of two hidden layers", "16-w-w-1, tanh, float32, batches of 32"),
    "batch": ("batch size", "16-64-64-1, tanh, float32"),
    "networks": ("networks trained at once", "2-2-1, sigmoid, float64, XOR"),
}
_NEAREST = 0.055
"""How near two labels may come, as a share of the panel's height."""


def drawn(sweeps: dict[str, Any], path: Path) -> None:
    """Draw the sweeps to a file, in the format of its ending."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    look: dict[str, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#999999",
        "xtick.color": "#555555",
        "ytick.color": "#555555",
        "svg.fonttype": "path",
        "svg.hashsalt": "chainrule",
    }
    with plt.rc_context(look):
        figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
        for axis, name in zip(axes, PANELS, strict=True):
            _panel(axis, name, sweeps[name])
        axes[0].set_ylabel("ns for each sample of a step")
        options = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 150}
        figure.savefig(path, facecolor="white", **options)
        plt.close(figure)


def _panel(axis: Any, name: str, lines: dict[str, list[list[float]]]) -> None:
    label, title = PANELS[name]
    for side, points in lines.items():
        x, y = zip(*points, strict=True)
        width = 2.4 if side == "ours" else 1.3
        axis.plot(
            x, y, marker="o", markersize=3.2, linewidth=width, color=COLOURS[side],
            zorder=3 if side == "ours" else 2,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel=label)
    axis.set_title(title, fontsize=9, color="#555555", loc="left")
    axis.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(which="minor", length=0)
    ticks = [points[0] for points in lines["ours"]]
    axis.set_xticks(ticks, [_short(int(tick)) for tick in ticks])
    axis.minorticks_off()
    _labels(axis, lines)


def _short(number: int) -> str:
    return f"{number // 1000}k" if number >= 1000 and number % 1000 == 0 else str(number)


def _labels(axis: Any, lines: dict[str, list[list[float]]]) -> None:
    """The sides' names at the ends of their lines, moved apart where they would touch."""
    low, high = axis.get_ylim()
    axis.figure.canvas.draw()
    shown = sorted(lines, key=lambda side: lines[side][-1][1])
    heights = [axis.transAxes.inverted().transform(
        axis.transData.transform(lines[side][-1])
    )[1] for side in shown]  # fmt: skip
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + _NEAREST)
    overshoot = max(0.0, heights[-1] - 1) if heights else 0.0
    for side, height in zip(shown, heights, strict=True):
        axis.annotate(
            SHORT[side],
            (1.015, height - overshoot),
            xycoords="axes fraction",
            color=COLOURS[side],
            va="center",
            fontsize=8.5,
            fontweight="bold" if side == "ours" else "normal",
        )
    axis.set_ylim(low, high)
