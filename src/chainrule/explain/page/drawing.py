"""The network as a drawing: where its units and edges are, and which numbers belong to them.

The page's script writes the numbers into it, for the epoch, the step and the row that are chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from chainrule.explain.page.numbers import Numbers
from chainrule.explain.values import columns_shown
from chainrule.graph import Node
from chainrule.pages.markup import Markup, element, joined

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Drawing", "drawing_of"]

_MOST_LAYERS, _MOST_UNITS, _MOST_NUMBERS = 12, 10, 12
_LEFT, _ACROSS, _RADIUS = 40, 168, 32
_TOP, _DOWN, _CLOSE = 26, 96, 74
_FEW = 4
"""So many units in a layer have room for their biases."""
_PARAMETER = re.compile(r"(?:.*_)?([Wb])(\d+)(?:_new)?")
_UNIT = re.compile(r"(d_loss_)?([zam])(\d+)")


@dataclass(frozen=True)
class Drawing:
    """A network's drawing, what the script needs to fill it, and what is said beside it."""

    markup: Markup
    data: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def drawing_of(derivation: Derivation, numbers: Numbers) -> Drawing | None:
    """The drawing of a step's network; None where there is no network."""
    moment = derivation.moment
    if moment is None:
        return None
    sizes = moment.network.sizes
    if len(sizes) > _MOST_LAYERS + 1:
        note = (
            f"The network has {len(sizes) - 1} layers, too many to draw: up to {_MOST_LAYERS} are. "
            "All of its steps are below."
        )
        return Drawing(Markup(), None, (note,))
    side = min(numbers.side, _MOST_UNITS)
    shown = [columns_shown(size, side) for size in sizes]
    plan = _Plan(shown)
    folded = [f"{len(units) - 1} of {size:,} in layer {layer}" for layer, (units, size) in
              enumerate(zip(shown, sizes, strict=True)) if None in units]  # fmt: skip
    notes = (f"Drawn in part: {', '.join(folded)} (0 is the inputs).",) if folded else ()
    return Drawing(plan.markup(), _data(derivation, numbers, shown), notes)


class _Plan:
    """Where everything is."""

    def __init__(self, shown: list[list[int | None]]) -> None:
        self.shown = shown
        most = max(map(len, shown))
        self.biases = most <= _FEW
        down = _DOWN if self.biases else _CLOSE
        self.width = _LEFT + _ACROSS * len(shown) + 22
        self.height = _TOP + down * most
        self.middle = _TOP + down * most / 2 - (8 if self.biases else 0)
        self.places: dict[tuple[int, int], tuple[float, float]] = {}
        self.gaps: list[tuple[float, float]] = []
        for layer, units in enumerate(shown):
            top = self.middle - down * (len(units) - 1) / 2
            for row, unit in enumerate(units):
                at = float(_LEFT + _ACROSS * layer), top + down * row
                if unit is None:
                    self.gaps.append(at)
                else:
                    self.places[layer, unit] = at

    def markup(self) -> Markup:
        edges = list(self._edges())
        numbered = len(edges) <= _MOST_NUMBERS
        return element(
            "svg",
            element("title", "The network", id="drawing-title"),
            element("desc", "", id="drawing-text"),
            *(self._edge(*edge) for edge in edges),
            *(self._to_loss(unit) for layer, unit in self.places if layer == len(self.shown) - 1),
            *(self._edge_number(*edge) for edge in edges if numbered),
            *(self._unit(layer, unit) for layer, unit in self.places),
            *(self._name(layer) for layer in range(len(self.shown))),
            *(_text("⋮", x, y + 6, class_="gap") for x, y in self.gaps),
            self._loss(),
            viewBox=f"0 0 {self.width} {self.height}",
            width=str(self.width),
            height=str(self.height),
            role="img",
            aria_labelledby="drawing-title drawing-text",
            id="drawing",
            class_="" if numbered else "dense",
        )

    def _edges(self) -> Iterator[tuple[int, int, int]]:
        for layer in range(1, len(self.shown)):
            for below, above in product(self.shown[layer - 1], self.shown[layer]):
                if below is not None and above is not None:
                    yield layer, below, above

    def _ends(self, layer: int, below: int, above: int) -> tuple[float, float, float, float]:
        (x, y), (u, v) = self.places[layer - 1, below], self.places[layer, above]
        length = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        dx, dy = _RADIUS * (u - x) / length, _RADIUS * (v - y) / length
        return x + dx, y + dy, u - dx, v - dy

    def _edge(self, layer: int, below: int, above: int) -> Markup:
        x, y, u, v = self._ends(layer, below, above)
        name = f"e-{layer}-{below}-{above}"
        line = _line(x, y, u, v)
        return element("g", line, Markup(line.replace("<line", '<line class="reach"')),
                       id=name, class_="edge")  # fmt: skip

    def _edge_number(self, layer: int, below: int, above: int) -> Markup:
        x, y, u, v = self._ends(layer, below, above)
        at = 0.32
        name = f"t-{layer}-{below}-{above}"
        return _text("", x + at * (u - x), y + at * (v - y) + 4, id=name, class_="weight")

    def _unit(self, layer: int, unit: int) -> Markup:
        x, y = self.places[layer, unit]
        parts = [
            element("circle", cx=_number(x), cy=_number(y), r=str(_RADIUS)),
            _text("", x, y + 5, class_="value"),
        ]
        drawn = element("g", *parts, id=f"u-{layer}-{unit}", class_="unit")
        if not layer or not self.biases:
            return drawn
        bias = _text("", x, y + _RADIUS + 15, id=f"b-{layer}-{unit}", class_="bias")
        return joined(drawn, bias)

    def _loss_at(self) -> tuple[float, float]:
        return float(_LEFT + _ACROSS * len(self.shown) - 22), self.middle

    def _to_loss(self, unit: int) -> Markup:
        x, y = self.places[len(self.shown) - 1, unit]
        u, v = self._loss_at()
        return element("g", _line(x + _RADIUS, y, u - 36, v), class_="to-loss")

    def _loss(self) -> Markup:
        x, y = self._loss_at()
        box = element("rect", x=_number(x - 36), y=_number(y - 22), width="72", height="44", rx="8")
        value, name = _text("", x, y + 5, class_="value"), _text("", x, y - 29, class_="name")
        return element("g", box, value, name, id="u-loss", class_="unit")

    def _name(self, layer: int) -> Markup:
        """What the units of a layer show, above them."""
        top = min(y for (at, _), (_, y) in self.places.items() if at == layer)
        x = float(_LEFT + _ACROSS * layer)
        return _text("", x, top - _RADIUS - 8, class_="name", id=f"l-{layer}")


def _line(x: float, y: float, u: float, v: float) -> Markup:
    return element("line", x1=_number(x), y1=_number(y), x2=_number(u), y2=_number(v))


def _text(text: str, x: float, y: float, **attributes: str) -> Markup:
    return element("text", text, x=_number(x), y=_number(y), **attributes)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _data(
    derivation: Derivation, numbers: Numbers, shown: list[list[int | None]]
) -> dict[str, Any]:
    """Which values stand at the units and edges of each layer, and from which step on."""
    labels = derivation.labels
    value = {labels.names[node]: i for i, node in enumerate(numbers.sheets)}
    value.update({name: value[labels.names[node]] for name, (_, node) in labels.aliases.items()})
    steps = {step.name: i + 1 for i, step in enumerate(derivation.steps)}
    label = {name: str(derivation[name].label) for name in value}
    layers: list[dict[str, Any]] = [{"stages": [[0, value["X"], "X"]]}]
    for layer in range(1, len(shown)):
        names = [f"z{layer}", f"a{layer}", f"d_loss_a{layer}", f"d_loss_z{layer}"]
        stages = [[steps[name], value[name], label[name]] for name in names if name in steps]
        layers.append({"stages": sorted(stages), **{
            key: [value.get(f"{start}{letter}{layer}") for letter in "Wb"]
            for key, start in (("weight", ""), ("gradient", "d_loss_"))
        }})  # fmt: skip
    return {
        "layers": layers,
        "shown": [[unit for unit in units if unit is not None] for units in shown],
        "loss": steps[derivation.loss],
        "kinds": [place_in_drawing(labels.names[node], derivation) for node in numbers.sheets],
        "rows": _rows(numbers, derivation.traced.arguments["X"]),
    }


def _rows(numbers: Numbers, X: Node) -> list[int]:
    return [row for row in numbers.sheets[X].rows if row is not None]


def place_in_drawing(name: str, derivation: Derivation) -> tuple[str, int] | None:
    """To which part of the drawing a value's numbers belong: what it is, and its layer."""
    if name == "X":
        return "unit", 0
    if name in ("y", derivation.loss, "reported", "data_loss"):
        return "loss", 0
    unit, parameter = _UNIT.fullmatch(name), _PARAMETER.fullmatch(name)
    if unit is not None:
        return "unit", int(unit[3])
    if parameter is not None:
        return ("edge" if parameter[1] == "W" else "bias"), int(parameter[2])
    return None
