"""A picture of a sweep: how many runs have not reached the goal after so many epochs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.pictures import picture

if TYPE_CHECKING:
    from chainrule.sweep.summary import Summary

__all__ = ["draw_sweep"]

_MOST_CURVES = 12


def draw_sweep(summary: Summary, path: Path, labels: list[str]) -> None:
    """Draw the survival curves of the settings, a curve each, and save them."""
    with picture(path, 7) as (axes,):
        for setting, label in list(zip(summary.settings, labels, strict=True))[:_MOST_CURVES]:
            at, left = zip(*setting.survival, strict=True)
            axes.step(at, [100 * share for share in left], where="post", label=label)
        axes.set_xscale("log")
        axes.set_ylim(0, 103)
        axes.set_xlabel("epochs")
        axes.set_ylabel(f"runs above a loss of {summary.plan.goal:g} (%)")
        axes.grid(alpha=0.3)
        if any(labels):
            axes.legend()
