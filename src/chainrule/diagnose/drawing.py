"""Pictures of a diagnosis: the losses, the spectrum, the hidden units, and the loss around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.diagnosis import Diagnosis
from chainrule.diagnose.wording import number
from chainrule.pictures import picture

__all__ = ["draw_diagnosis", "slice_of"]

Array = NDArray[Any]
_MOST_SAMPLES = 64
_POINTS = 41


def draw_diagnosis(diagnosis: Diagnosis, path: Path) -> None:
    """Draw four panels side by side, and save them.

    The loss over the epochs, with the goal and the limit where one is known; the Hessian's
    eigenvalues, with 2/η; the hidden units' activations for each sample; and the loss in a plane.
    """
    with picture(path, 18, 4) as panels:
        _losses(panels[0], diagnosis)
        _spectrum(panels[1], diagnosis)
        _activations(panels[2], diagnosis)
        _plane(panels[3], diagnosis)


def _losses(axes: Any, diagnosis: Diagnosis) -> None:
    subject = diagnosis.subject
    losses = np.asarray(subject.losses, np.float64)
    if len(losses):
        axes.loglog(np.arange(1, len(losses) + 1), losses, label="loss")
    else:
        axes.axhline(subject.loss, label="loss now")
    axes.axhline(subject.goal, color="tab:green", linestyle=":", label=f"goal {subject.goal:g}")
    limit = next((v.facts["loss"] for v in diagnosis.verdicts if v.name == "infinity"), None)
    if limit is not None:
        axes.axhline(limit, color="tab:red", linestyle="--", label=f"limit {number(limit)}")
    axes.set_title(subject.reported.measures)
    axes.set_xlabel("epoch")
    axes.legend()


def _spectrum(axes: Any, diagnosis: Diagnosis) -> None:
    found = diagnosis.standing.spectrum
    axes.set_title("eigenvalues of the Hessian")
    if found is None:
        axes.text(0.5, 0.5, "not finite", ha="center", transform=axes.transAxes)
        return
    sizes = np.abs(found.values[np.abs(found.values) > found.error])
    axes.set_yscale("symlog", linthresh=float(sizes.min()) if len(sizes) else 1.0)
    axes.plot(np.arange(1, len(found.values) + 1), found.values, ".")
    axes.axhline(0, color="gray", linewidth=0.8)
    rate = diagnosis.subject.rate
    if rate:
        axes.axhline(2 / rate, color="tab:red", linestyle=":", label="2/η")
        axes.legend()
    axes.set_xlabel("number")


def _activations(axes: Any, diagnosis: Diagnosis) -> None:
    subject = diagnosis.subject
    hidden = [np.asarray(subject.values[f"a{i}"]) for i in range(1, subject.network.depth)]
    axes.set_title("activations of the hidden units")
    if not hidden:
        axes.text(0.5, 0.5, "no hidden layer", ha="center", transform=axes.transAxes)
        return
    shown = np.concatenate([each[:_MOST_SAMPLES] for each in hidden], axis=1)
    image = axes.imshow(shown, aspect="auto", cmap="coolwarm", interpolation="nearest")
    for edge in np.cumsum([each.shape[1] for each in hidden])[:-1]:
        axes.axvline(edge - 0.5, color="black", linewidth=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("unit, layer by layer")
    axes.set_ylabel("sample")
    axes.figure.colorbar(image, ax=axes)


def _plane(axes: Any, diagnosis: Diagnosis) -> None:
    found = slice_of(diagnosis)
    axes.set_title("the loss in a plane")
    if found is None:
        axes.text(0.5, 0.5, "no plane to show", ha="center", transform=axes.transAxes)
        return
    across, up, values, start = found
    drawn = axes.contourf(across, up, np.log10(np.maximum(values, 1e-300)), 24, cmap="viridis")
    axes.figure.colorbar(drawn, ax=axes, label="log₁₀ of the loss minimised")
    axes.plot(0, 0, "o", color="white", markeredgecolor="black", label="now")
    if start is not None:
        axes.plot([start, 0], [0, 0], ":", color="white")
        axes.plot(start, 0, "s", color="white", markeredgecolor="black", label="start")
    axes.set_xlabel("from the start to now" if start is not None else "flattest direction")
    axes.set_ylabel("steepest curvature")
    axes.legend()


def slice_of(diagnosis: Diagnosis) -> tuple[Array, Array, Array, float | None] | None:
    """The loss over a plane through where the run stands: both axes, the values, and the start.

    Across is the way from the start, where that is known, or the eigenvector of the smallest
    eigenvalue; up is the eigenvector of the largest one, made orthogonal to it.
    """
    subject, spectrum = diagnosis.subject, diagnosis.standing.spectrum
    if spectrum is None or subject.calculus.size < 2:
        return None
    calculus, v = subject.calculus, subject.v
    way = None if subject.start is None else v - calculus.vector(subject.start)
    size = 0.0 if way is None else float(np.linalg.norm(way))
    across = way / size if way is not None and size else spectrum.vectors[:, 0]
    up = spectrum.vectors[:, -1] - across * float(across @ spectrum.vectors[:, -1])
    length = float(np.linalg.norm(up))
    if length < 1e-6:
        return None
    reach = size or 1.0
    x = np.linspace(-1.3 * reach, 0.6 * reach, _POINTS)
    y = np.linspace(-0.6 * reach, 0.6 * reach, _POINTS)
    with np.errstate(all="ignore"):
        values = np.array([[calculus.loss(v + a * across + b * up / length) for a in x] for b in y])
    return x, y, values, -size if size else None
