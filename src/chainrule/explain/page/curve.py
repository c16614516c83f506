"""The losses of all epochs as a curve, and where on it the epochs are that a page holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explain.page.epochs import decimated
from chainrule.explain.values import short_number
from chainrule.pages.markup import Markup, element

__all__ = ["Curve"]

Array = NDArray[Any]
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 200, 78, 14, 12, 34
_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """The losses of a run of so many epochs, on a logarithmic scale where they go over decades."""

    losses: Array
    last: int

    @property
    def _range(self) -> tuple[float, float]:
        finite = self.losses[np.isfinite(self.losses)]
        return float(finite.min()), float(finite.max())

    @property
    def is_logarithmic(self) -> bool:
        """Whether the losses are shown by their logarithms."""
        low, high = self._range
        return 0 < low < high / 10

    def across(self, epoch: int) -> float:
        """Where an epoch is from left to right."""
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * epoch / max(self.last, 1), 1)

    def down(self, loss: float) -> float:
        """Where a loss is from the top."""
        low, high = self._range
        if self.is_logarithmic:
            loss, low, high = (float(np.log(each)) for each in (loss, low, high))
        share = (high - loss) / (high - low) if high > low else 0.5
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * share, 1)

    def point(self, epoch: int) -> tuple[float, float | None]:
        """Where an epoch is on the curve; it has no height where it has no loss."""
        has = epoch < len(self.losses) and bool(np.isfinite(self.losses[epoch]))
        return self.across(epoch), self.down(float(self.losses[epoch])) if has else None

    def markup(self, name: str) -> Markup:
        """The drawing, with a line and a dot that the script moves."""
        points = decimated(self.losses, _POINTS)
        path = " ".join(f"{self.across(epoch)},{self.down(loss)}" for epoch, loss in points)
        low, high = self._range
        said = (
            f"{name} over the epochs: {short_number(self.losses[0])} in epoch 0, "
            f"{short_number(self.losses[-1])} in epoch {len(self.losses) - 1:,}; at least "
            f"{short_number(low)}, at most {short_number(high)}"
        )
        scale = ", on a logarithmic scale" if self.is_logarithmic else ""
        return element(
            "svg",
            element("title", f"{said}{scale}.", id="curve-title"),
            *self._grid(),
            element("polyline", points=path, class_="losses"),
            element("line", y1=str(_TOP), y2=str(_HEIGHT - _BOTTOM), class_="here", id="here"),
            element("circle", r="5", class_="dot", id="dot"),
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            role="img",
            aria_labelledby="curve-title",
            id="curve",
        )

    def _grid(self) -> Sequence[Markup]:
        low, high = self._range
        middle = float(np.sqrt(low * high)) if self.is_logarithmic else (low + high) / 2
        found: list[Markup] = []
        for loss in dict.fromkeys((high, middle, low)):
            y = self.down(loss)
            line = {"x1": str(_LEFT), "x2": str(_WIDTH - _RIGHT), "y1": str(y), "y2": str(y)}
            found.append(element("line", class_="rule", **line))
            text = short_number(loss, 3)
            found.append(element("text", text, x=str(_LEFT - 8), y=str(y + 4), class_="tick left"))
        for epoch in dict.fromkeys((0, self.last // 2, self.last)):
            where = {"x": str(self.across(epoch)), "y": str(_HEIGHT - 6)}
            side = "start" if not epoch else "end" if epoch == self.last else ""
            text = f"epoch {epoch:,}" if side == "end" else f"{epoch:,}"
            found.append(element("text", text, class_=f"tick {side}".rstrip(), **where))
        return found
