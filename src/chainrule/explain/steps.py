"""What a derivation consists of: what is given, and the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chainrule.explain.rules import Applied
from chainrule.graph import Node
from chainrule.notation import Formula

__all__ = ["Given", "Step"]

Array = NDArray[Any]


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
