"""A derivation: every number of a forward and backward pass and an update, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError
from chainrule.explain.labels import BACKWARD, FORWARD, UPDATE, Labels, label_values
from chainrule.explain.moments import Moment, moment_of, training_of_model
from chainrule.explain.numbers import Cell, Element, element_of, index_text
from chainrule.explain.reasons import reason
from chainrule.explain.rules import Applied, rules_of
from chainrule.explain.steps import Given, Step
from chainrule.explain.tracing import Traced, given_values, trace_function, trace_step
from chainrule.graph import Node
from chainrule.interpreter import evaluate_nodes
from chainrule.networks.choices import nearest_first
from chainrule.notation import Equation, Formula
from chainrule.notation.formulas import Equality
from chainrule.notation.indices import element_equation

if TYPE_CHECKING:
    from chainrule.explain.why import Why

__all__ = ["PARTS", "Derivation"]

Array = NDArray[Any]
PARTS = (FORWARD, BACKWARD, UPDATE)
_MOST_STEPS = 2000
_NUMBER = re.compile(r"\s*(\S.*?)\s*(?:\[([-\d\s,]*)\])?\s*")


class Derivation:
    """The steps of a forward pass, a backward pass and an update, with all their numbers.

    >>> def loss(w, x, y):
    ...     error = w * x - y
    ...     return np.sum(error**2)
    >>> derivation = Derivation.of(loss, 3.0, np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> for step in derivation.steps[:3]:
    ...     print(step.formula)
    error = w · x − y
    L = sum(error²)
    ∂L/∂error = 2 · error
    >>> print(derivation.number("d_loss_error[1]").numbers)
    2 · 5
    """

    def __init__(self, traced: Traced, moment: Moment | None = None, title: str = "") -> None:
        self.moment, self.title = moment, title
        self.labels: Labels = label_values(traced)
        self.loss = traced.loss
        self.traced = traced
        count = len(self.labels.notation.equations())
        if count > _MOST_STEPS:
            raise SettingError(
                f"{title or 'The function'} has {count:,} steps, and at most {_MOST_STEPS:,} are "
                "explained. Explain a part of it, or a shallower network."
            )
        self.values: dict[Node, Array] = self._evaluate(traced.values)

    @classmethod
    def of(cls, function: Callable[..., Any], *arguments: Any) -> Derivation:
        """The derivation of a NumPy function of one number and of its gradient.

        Raises what `chainrule.trace` raises, and GradientError for anything but one number.
        """
        name = getattr(function, "__name__", type(function).__name__)
        return cls(trace_function(function, *arguments), title=str(name))

    @classmethod
    def of_moment(cls, moment: Moment, title: str = "") -> Derivation:
        """The derivation of one step of a network's training."""
        return cls(trace_step(moment), moment, title)

    @classmethod
    def of_model(cls, folder: str | Path, epoch: int | None = None, batch: int = 0) -> Derivation:
        """The derivation of a step in the training of a saved model; by default in its last epoch.

        Raises ModelFileError where the model or its data cannot be had, and SettingError for an
        epoch or batch that its training did not have.
        """
        return cls.of_moment(moment_of(training_of_model(folder), epoch, batch), Path(folder).name)

    @classmethod
    def of_program(
        cls, path: str | Path, iteration: int | None = None, *, loss: str | None = None
    ) -> Derivation:
        """The derivation of an iteration of a training program, a script or a notebook.

        The forward pass and the update are the program's own, with its names; the gradients are the
        exact ones, wherever its own are these. ``loss`` names the loss where there is a choice.

        Raises DataError for a file that is no program, GradientError where its training step cannot
        be followed, and SettingError for an iteration that it does not have.
        """
        from chainrule.explain.followed import trace_program

        traced, title = trace_program(path, iteration, loss=loss)
        return cls(traced, title=title)

    def _evaluate(self, given: Mapping[Node, Array]) -> dict[Node, Array]:
        nodes = list(self.labels.notation.labels)
        with np.errstate(all="ignore"):
            found = evaluate_nodes(nodes, dict(given))
        return {node: np.asarray(value) for node, value in zip(nodes, found, strict=True)}

    def values_at(self, moment: Moment) -> dict[Node, Array]:
        """The numbers of the same steps at another moment of the same training."""
        given = given_values(moment)
        return self._evaluate({node: given[name] for name, node in self.traced.arguments.items()})

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the numbers were found."""
        return (*self.traced.notes, *(() if self.moment is None else self.moment.notes))

    @cached_property
    def given(self) -> tuple[Given, ...]:
        """What is given: data, parameters, settings, the optimiser's state."""
        labels = self.labels.notation.labels
        return tuple(
            Given(name, node, labels[node], self.values[node])
            for name, node in self.traced.arguments.items()
            if node in labels
        )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps, each after those it needs."""
        second: dict[Node, list[Step]] = {}
        for name, (label, node) in self.labels.aliases.items():
            second.setdefault(node, []).append(self._alias(name, label, node))
        found: list[Step] = []
        for given in self.given:
            found += second.get(given.node, [])
        for equation in self.labels.notation.equations():
            found += [self._step(equation), *second.get(equation.node, [])]
        return tuple(sorted(found, key=lambda step: PARTS.index(step.part)))

    def _step(self, equation: Equation) -> Step:
        node = equation.node
        part = self.labels.parts[node]
        name = self.labels.names[node]
        rules: tuple[Applied, ...] = ()
        variable = self._variable(name)
        if part == BACKWARD and variable is not None:
            rules = tuple(rules_of(self.labels, variable))
        return Step(
            name=name,
            part=part,
            node=node,
            label=equation.left,
            formula=equation.formula,
            index_formula=self._index_formula(equation),
            rules=rules,
            why=reason(self, node, name, part, variable),
            value=self.values[node],
            inputs=self._inputs(node),
            source=self.traced.lines.get(node) if part == FORWARD else None,
        )

    def _index_formula(self, equation: Equation) -> Formula:
        if not equation.node.inputs:
            return equation.formula
        return element_equation(self.labels.notation, equation.node).formula

    def _alias(self, name: str, label: Formula, node: Node) -> Step:
        """A second name of the same numbers."""
        first = self.labels.names[node]
        equal = Equality(parts=(label, self.labels.notation.labels[node]))
        variable = self._variable(name)
        return Step(
            name=name,
            part=self.labels.parts[node] if variable is None else BACKWARD,
            node=node,
            label=label,
            formula=equal,
            index_formula=equal,
            rules=() if variable is None else tuple(rules_of(self.labels, variable)),
            why=f"The same numbers as {first}.",
            value=self.values[node],
            inputs=(first,),
            source=None,
            is_alias=True,
        )

    def _variable(self, name: str) -> Node | None:
        """The value that a gradient of this name is by."""
        prefix = f"d_{self.loss}_"
        if not name.startswith(prefix):
            return None
        name = name.removeprefix(prefix)
        return self.traced.forward.get(name, self.traced.arguments.get(name))

    def _inputs(self, node: Node) -> tuple[str, ...]:
        return tuple(self.labels.names[each] for each in self.labels.notation.named_inputs(node))

    @property
    def names(self) -> list[str]:
        """The names of all values, in order."""
        return [*(given.name for given in self.given), *(step.name for step in self.steps)]

    def part(self, part: str) -> Iterator[Step]:
        """The steps of one part: forward, backward or update."""
        return (step for step in self.steps if step.part == part)

    def __getitem__(self, name: str) -> Step | Given:
        """The step or the given value of a name.

        Raises SettingError, with the nearest names, where there is none.
        """
        for each in (*self.steps, *self.given):
            if name in (each.name, str(each.label)):
                return each
        near = nearest_first(name, self.names)[:3]
        raise SettingError(
            f"There is no value {name!r} in this derivation. The nearest names are "
            f"{', '.join(near)}."
        )

    def cell(self, text: str) -> Cell:
        """The number that a text such as ``W1[0,1]`` names.

        Raises SettingError where there is no such value or no such place in it.
        """
        match = _NUMBER.fullmatch(text)
        if match is None or text.count("[") != text.count("]"):
            raise SettingError(
                f"{text!r} does not name a number. Write a name and a place, such as W1[0,1]."
            )
        name, at = match[1], match[2]
        if text.strip() in self.names:  # such as layers[0], which is the name of an array
            name, at = text.strip(), None
        found = self[name]
        shape = found.value.shape
        try:
            place = tuple(int(part) for part in (at or "").split(",") if part.strip())
        except ValueError:
            place = (-1,) * (len(shape) + 1)
        fits = len(place) == len(shape) and all(
            -size <= at < size for at, size in zip(place, shape, strict=True)
        )
        if not fits:
            last = index_text([size - 1 for size in shape])
            span = f"{name}{index_text([0] * len(shape))} to {name}{last}"
            raise SettingError(
                f"{text!r} is not in {name}, which has shape {shape}: ask for "
                + (f"{span}." if shape else f"{name} alone.")
            )
        place = tuple(at % size for at, size in zip(place, shape, strict=True))
        return found.node, place

    def number(self, text: str) -> Element:
        """One number, with its formula, the numbers put in, and where they came from."""
        return element_of(self.labels, self.values, *self.cell(text))

    def cell_name(self, cell: Cell) -> str:
        """How a number is written: ``d_loss_W1[0,1]``."""
        return f"{self.labels.names[cell[0]]}{index_text(cell[1])}"

    def why(self, text: str) -> Why:
        """Where one number came from: its update, its gradient, the paths through the network."""
        from chainrule.explain.why import why

        return why(self, text)

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """The derivation as plain data; values of many numbers are null unless ``whole``."""
        from chainrule.explain.plain import to_json

        return to_json(self, whole=whole)

    def to_text(self, *, whole: bool = False) -> str:
        """The derivation as plain text; what is large is folded unless ``whole``."""
        from chainrule.explain.text import to_text

        return to_text(self, whole=whole)

    def to_latex(self) -> str:
        """A LaTeX document of the derivation, which compiles as it is."""
        from chainrule.explain.latex import to_latex

        return to_latex(self)

    def to_python(self) -> str:
        """A NumPy script that does the same training by hand, and prints the same numbers."""
        from chainrule.explain.script import to_python

        return to_python(self)

    def to_html(self) -> str:
        """An interactive page in one file, which needs no network.

        Of a training step it holds other epochs of the run as well, and says which; it trains
        again to have them. Large values are shown in part.

        Raises SettingError where there are more numbers than a page can hold.

        >>> page = Derivation.of(lambda w: np.sum(w**2), np.array([1.0, -2.0])).to_html()
        >>> page.startswith("<!doctype html>")
        True
        """
        from chainrule.explain.page import page

        return page(self)

    def to_notebook(self) -> dict[str, Any]:
        """A Jupyter notebook of the same, with the prose between."""
        from chainrule.explain.notebook import to_notebook

        return to_notebook(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from chainrule.explain.latex import to_display

        return {"text/plain": self.to_text(), "text/latex": to_display(self)}

    def __repr__(self) -> str:
        return f"<derivation of {self.title or 'a function'}, {len(self.steps)} steps>"
