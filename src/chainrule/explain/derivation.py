"""A derivation: every number of a forward and backward pass and an update, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError
from chainrule.explain.labels import BACKWARD, FORWARD, UPDATE, Labels, label_values
from chainrule.explain.moments import Moment
from chainrule.explain.numbers import Cell, Element, element_of, index_text
from chainrule.explain.reasons import reason
from chainrule.explain.rules import Applied, rules_of
from chainrule.explain.tracing import Traced, trace_function, trace_step
from chainrule.graph import Node
from chainrule.interpreter import evaluate_nodes
from chainrule.networks.choices import nearest_first
from chainrule.notation import Equation, Formula
from chainrule.notation.formulas import Equality
from chainrule.notation.indices import element_equation

if TYPE_CHECKING:
    from chainrule.explain.why import Why

__all__ = ["PARTS", "Derivation", "Given", "Step"]

Array = NDArray[Any]
PARTS = (FORWARD, BACKWARD, UPDATE)
_MOST_STEPS = 2000
_NUMBER = re.compile(r"\s*([^\[\]]+?)\s*(?:\[([-\d\s,]*)\])?\s*")


@dataclass(frozen=True)
class Given:
    """What a derivation starts from: its name, its name as a formula, and its value."""

    name: str
    node: Node
    label: Formula
    value: Array


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    ``name``     the value's name in a program, ``label`` in formulas
    ``part``     forward, backward or update
    ``formula``  the equation over named values, and ``index_formula`` that of one element
    ``rules``    the rules of calculus behind a backward step, from the loss's side on
    ``why``      a sentence on the step
    ``value``    the numbers
    ``inputs``   the names of the values that the formula is written over
    ``source``   the line of the program that it comes from, where that is the user's own
    """

    name: str
    part: str
    node: Node
    label: Formula
    formula: Formula
    index_formula: Formula
    rules: tuple[Applied, ...]
    why: str
    value: Array
    inputs: tuple[str, ...]
    source: str | None
    is_alias: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape


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
        self.values: dict[Node, Array] = self._evaluate()

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

    def _evaluate(self) -> dict[Node, Array]:
        nodes = list(self.labels.notation.labels)
        with np.errstate(all="ignore"):
            found = evaluate_nodes(nodes, dict(self.traced.values))
        return {node: np.asarray(value) for node, value in zip(nodes, found, strict=True)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the numbers were found."""
        return () if self.moment is None else self.moment.notes

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
        found: list[Step] = []
        aliases: dict[Node, list[tuple[str, Formula]]] = {}
        for name, (label, node) in self.labels.aliases.items():
            aliases.setdefault(node, []).append((name, label))
        for equation in self.labels.notation.equations():
            found.append(self._step(equation))
            for name, label in aliases.get(equation.node, ()):
                found.append(self._alias(found[-1], name, label))
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
            index_formula=element_equation(self.labels.notation, node).formula,
            rules=rules,
            why=reason(self, node, name, part, variable),
            value=self.values[node],
            inputs=self._inputs(node),
            source=_source(node) if part == FORWARD and self.moment is None else None,
        )

    def _alias(self, step: Step, name: str, label: Formula) -> Step:
        """A second name of the same numbers."""
        equal = Equality(parts=(label, step.label))
        variable = self._variable(name)
        why = f"The same numbers as {step.name}."
        rules = () if variable is None else tuple(rules_of(self.labels, variable))
        part = BACKWARD if name.startswith(f"d_{self.loss}_") else step.part
        inputs = (step.name,)
        return Step(
            name, part, step.node, label, equal, equal, rules, why, step.value, inputs, None, True
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
        if match is None:
            raise SettingError(
                f"{text!r} does not name a number. Write a name and a place, such as W1[0,1]."
            )
        found = self[match[1]]
        shape = found.value.shape
        try:
            place = tuple(int(part) for part in (match[2] or "").split(",") if part.strip())
        except ValueError:
            place = (-1,) * (len(shape) + 1)
        fits = len(place) == len(shape) and all(
            -size <= at < size for at, size in zip(place, shape, strict=True)
        )
        if not fits:
            last = index_text([size - 1 for size in shape])
            span = f"{match[1]}{index_text([0] * len(shape))} to {match[1]}{last}"
            raise SettingError(
                f"{text!r} is not in {match[1]}, which has shape {shape}: ask for "
                + (f"{span}." if shape else f"{match[1]} alone.")
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

    def to_notebook(self) -> dict[str, Any]:
        """A Jupyter notebook of the same, with the prose between."""
        from chainrule.explain.notebook import to_notebook

        return to_notebook(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from chainrule.explain.latex import to_display

        return {"text/plain": self.to_text(), "text/latex": to_display(self)}

    def __repr__(self) -> str:
        return f"<derivation of {self.title or 'a function'}, {len(self.steps)} steps>"


def _source(node: Node) -> str | None:
    """The user's line of a value."""
    position = node.source.position if node.source is not None else None
    if position is None:
        return None
    return f"{position.file}:{position.line}: {position.text}"
