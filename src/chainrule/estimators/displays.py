"""Pictures of fitted estimators, in the manner of scikit-learn's displays; and their HTML."""

# scikit-learn has no types; matplotlib's are not complete.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainrule.estimators.choosing import hidden_activations

__all__ = ["HistoryDisplay", "boundary_of", "summary_html"]

Array = NDArray[Any]
_COLOURS = {"loss": "#1f6fb4", "validation_loss": "#c8641e", "validation_score": "#3a7d44"}


class HistoryDisplay:
    """The losses and scores of a fit, epoch by epoch.

    ``history`` is the estimator's ``history_``. After `plot`, ``figure_`` and ``ax_`` are
    matplotlib's, and ``lines_`` its lines by the name of what they show.
    """

    def __init__(self, *, history: Any, estimator_name: str | None = None) -> None:
        self.history, self.estimator_name = history, estimator_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **settings: Any) -> HistoryDisplay:
        """The display of a fitted estimator, drawn; ``settings`` are those of `plot`."""
        check_is_fitted(estimator)
        if not len(estimator.history_):
            raise ValueError(
                "There is no history to draw: solver='lbfgs' has no epochs. Fit with 'adam' or "
                "'sgd'."
            )
        name = type(estimator).__name__
        return cls(history=estimator.history_, estimator_name=name).plot(ax=ax, **settings)

    def plot(self, *, ax: Any = None, log: bool = False, **line: Any) -> HistoryDisplay:
        """Draw it into ``ax``, or a new figure; ``log`` makes the losses' axis logarithmic.

        ``line`` is passed on to matplotlib's ``plot``.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, {}
        epochs = np.arange(1, len(self.history) + 1)
        names = [name for name in ("loss", "validation_loss") if name in self.history]
        for name in names:
            label = name.replace("_", " ")
            style = {"color": _COLOURS[name], "label": label, **line}
            (self.lines_[name],) = ax.plot(epochs, self.history[name], **style)
        ax.set(xlabel="epoch", ylabel="loss", title=self.estimator_name)
        ax.set_yscale("log" if log else "linear")
        if "validation_score" in self.history:
            other = ax.twinx()
            style = {"color": _COLOURS["validation_score"], "label": "validation score", **line}
            name = "validation_score"
            (self.lines_[name],) = other.plot(epochs, self.history[name], **style)
            other.set_ylabel("score")
        ax.legend(handles=list(self.lines_.values()), frameon=False)
        return self


def boundary_of(model: Any, X: Any, y: Any, *, ax: Any, settings: dict[str, Any]) -> Any:
    """scikit-learn's DecisionBoundaryDisplay of a model of two features, with the samples."""
    from sklearn.inspection import DecisionBoundaryDisplay

    check_is_fitted(model)
    if model.n_features_in_ != 2:
        raise ValueError(
            f"A boundary is drawn over a plane, and this model has {model.n_features_in_} "
            "features. Fit one on two of them."
        )
    method = "predict" if not hasattr(model, "classes_") else "auto"
    given: dict[str, Any] = {"response_method": method, "alpha": 0.5, "ax": ax, **settings}
    shown = DecisionBoundaryDisplay.from_estimator(model, X, **given)
    if y is not None:
        x = np.asarray(X)
        codes = (
            np.unique(np.asarray(y), return_inverse=True)[1] if hasattr(model, "classes_") else y
        )
        shown.ax_.scatter(x[:, 0], x[:, 1], c=codes, edgecolors="white", s=25)
    return shown


def summary_html(model: Any) -> str:
    """A fitted network as HTML: its layers, its last loss, and the curve that led there."""
    names = [*hidden_activations(model, model.n_layers_ - 2), model.out_activation_]
    rows: list[str] = []
    for i, (W, name) in enumerate(zip(model.coefs_, names, strict=True), start=1):
        shown = name if isinstance(name, str) else getattr(name, "__name__", type(name).__name__)
        cells = [str(i), f"{W.shape[0]} → {W.shape[1]}", escape(shown), f"{W.size + W.shape[1]:,}"]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("layer", "units", "activation", "parameters"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    epochs = "iteration" if model.solver == "lbfgs" else "epoch"
    plural = "" if model.n_iter_ == 1 else "s"
    text = f"<p>loss {model.loss_:.4g} after {model.n_iter_} {epochs}{plural}</p>"
    return f'<div class="chainrule-network">{table}{text}{_curve(model)}</div>'


def _curve(model: Any) -> str:
    """The losses as a small picture."""
    losses = np.asarray(getattr(model, "loss_curve_", ()), dtype=float)
    losses = losses[np.isfinite(losses)]
    if len(losses) < 2:
        return ""
    chosen = losses[np.unique(np.linspace(0, len(losses) - 1, 200).astype(int))]
    span = np.ptp(chosen) or 1.0
    x = np.linspace(0, 240, len(chosen))
    y = 4 + 52 * (chosen.max() - chosen) / span
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    label = f"loss from {losses[0]:.4g} to {losses[-1]:.4g}"
    return (
        f'<svg width="240" height="60" role="img" aria-label="{label}"><title>{label}</title>'
        f'<polyline points="{points}" fill="none" stroke="{_COLOURS["loss"]}"/></svg>'
    )
