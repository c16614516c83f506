"""Which numbers in a step's formulas are the number of samples, or come from it.

The step is traced once more with one sample more; where the two graphs differ, the number of
samples is behind it. So a program can take batches of any size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.explain.labels import label_values
from chainrule.explain.moments import Moment
from chainrule.explain.tracing import Traced, trace_step
from chainrule.graph import Node, topological_order

__all__ = ["Scaling", "scaling_of"]


@dataclass
class Scaling:
    """The constants that depend on the number of samples n, as texts; the axes that are n long.

    ``known`` is False where the graph of another number of samples is not built alike.
    """

    texts: dict[Node, str] = field(default_factory=dict[Node, str])
    rows: dict[Node, tuple[int, ...]] = field(default_factory=dict[Node, tuple[int, ...]])
    known: bool = True


def scaling_of(traced: Traced, moment: Moment) -> Scaling:
    """What in a step depends on the number of samples."""
    n = len(moment.X)
    more = np.arange(n + 1) % n
    masks = None if moment.masks is None else {k: m[more] for k, m in moment.masks.items()}
    other = trace_step(replace(moment, X=moment.X[more], y=moment.y[more], masks=masks))
    ours, theirs = _order(traced), _order(other)
    found = Scaling()
    if len(ours) != len(theirs):
        return Scaling(known=False)
    for a, b in zip(ours, theirs, strict=True):
        if a.primitive is not b.primitive or a.ndim != b.ndim:
            return Scaling(known=False)
        rows = tuple(
            i for i, (x, y) in enumerate(zip(a.shape, b.shape, strict=True)) if (x, y) == (n, n + 1)
        )
        if rows:
            found.rows[a] = rows
        if a.primitive.name == "constant":
            if a.shape != b.shape:
                return Scaling(known=False)
            if not np.array_equal(a.value, b.value, equal_nan=True):
                text = _text(float(a.value.reshape(-1)[0]), float(b.value.reshape(-1)[0]), n)
                if text is None or a.size != 1:
                    return Scaling(known=False)
                found.texts[a] = text
    return found


def _order(traced: Traced) -> list[Node]:
    label_values(traced)
    groups = (traced.forward, traced.gradients, traced.updates)
    return topological_order([node for group in groups for node in group.values()])


def _text(a: float, b: float, n: int) -> str | None:
    """The formula in n that is ``a`` at n and ``b`` at n + 1.

    >>> _text(0.25, 0.2, 4), _text(8.0, 10.0, 4), _text(0.125, 0.1, 4), _text(0.1, 0.3, 4)
    ('1 / n', '2 * n', '1 / (2 * n)', None)
    """
    if np.isclose(a / n, b / (n + 1), rtol=1e-14, atol=0):
        factor = round(a / n, 12)
        return "n" if factor == 1 else f"{_plain(factor)} * n"
    if np.isclose(a * n, b * (n + 1), rtol=1e-14, atol=0):
        top = a * n
        below = round(1 / abs(top), 9)
        if below > 1 and below == int(below):
            return f"{'-' if top < 0 else ''}1 / ({int(below)} * n)"
        return f"{_plain(float(round(top, 12)))} / n"
    return None


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)
