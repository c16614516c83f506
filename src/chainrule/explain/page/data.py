"""What the page's script works with, as plain data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chainrule.explain.numbers import Place
from chainrule.explain.page.curve import Curve
from chainrule.explain.page.drawing import Drawing
from chainrule.explain.page.epochs import Held, Run
from chainrule.explain.page.mathematics import inner
from chainrule.explain.page.numbers import Numbers
from chainrule.explain.text import place_of
from chainrule.graph import Node
from chainrule.notation.formulas import Index, Number

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["data_of"]

_MARK = "\ue000"


def data_of(
    numbers: Numbers, run: Run, drawing: Drawing | None, curve: Curve | None
) -> dict[str, Any]:
    """All that the script knows: names, numbers by epoch, and where each number came from."""
    derivation = numbers.derivation
    nodes = {node: i for i, node in enumerate(numbers.sheets)}
    index = numbers.index
    loss = derivation[derivation.loss]
    return {
        "values": [_value(derivation, node) for node in numbers.sheets],
        "of": [nodes[node] for node, _ in index],
        "flat": [_flat(*cell) for cell in index],
        "origins": [
            [
                index[cell], origin.numbers, [index[each] for each in origin.slots],
                origin.names, [index[each] for each in origin.named],
                [index[each] for each in origin.others], origin.count,
            ]
            for cell, origin in numbers.origins.items()
        ],
        "templates": list(numbers.templates.found),
        "steps": [
            [str(step.formula), nodes[step.node], step.part] for step in derivation.steps
        ],
        "loss": [str(loss.label), nodes[loss.node]],
        "epochs": [_epoch(each, numbers, curve) for each in run.held],
        "asked": run.asked,
        "drawing": None if drawing is None else drawing.data,
    }  # fmt: skip


def _flat(node: Node, place: Place) -> int:
    """The number of an element, counted row by row."""
    flat = 0
    for size, at in zip(node.shape, place, strict=True):
        flat = flat * size + at
    return flat


def _value(derivation: Derivation, node: Node) -> dict[str, Any]:
    """A value's names before and after the place of a number, and its shape."""
    label = derivation.labels.notation.labels[node]
    if node.shape:
        named = Index(parts=(label, Number(_MARK)))
        html, text = inner(named).split(f"<mn>{_MARK}</mn>"), str(named).split(_MARK)
    else:
        html, text = [inner(label), ""], [str(label), ""]
    return {
        "name": derivation.labels.names[node],
        "shape": list(node.shape),
        "html": html,
        "text": text,
        "whole": node.dtype.kind in "iu",
    }


def _epoch(held: Held, numbers: Numbers, curve: Curve | None) -> dict[str, Any]:
    moment = held.moment
    data: dict[str, Any] = {"numbers": [_plain(each) for each in numbers.values(held.values)]}
    if moment is None or moment.epoch is None:
        return data
    data |= {"epoch": moment.epoch, "place": place_of(moment)}
    if held.after is not None:
        data["after"] = _plain(held.after)
    if curve is not None:
        data["at"] = curve.point(moment.epoch)
    if moment.rows is not None:
        data["rows"] = [int(moment.rows[row]) for row in _rows_shown(numbers)]
    return data


def _rows_shown(numbers: Numbers) -> list[int]:
    X = numbers.derivation.traced.arguments["X"]
    return [row for row in numbers.sheets[X].rows if row is not None]


def _plain(value: Any) -> Any:
    """A number as JSON holds it; those that it lacks as JavaScript's texts for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
