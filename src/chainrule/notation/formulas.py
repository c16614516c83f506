"""A formula as a tree, before it is written in any style.

Every form has ``parts``, the formulas inside it, so that one walk serves all forms. No form holds
parentheses for the sake of precedence: `chainrule.notation.precedence` puts them where the style
needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chainrule.notation.symbols import INFIX, POSTFIX, PREFIX, Operator, Style

__all__ = [
    "ELLIPSIS",
    "Axes",
    "Bar",
    "Big",
    "Call",
    "Cases",
    "Derivative",
    "Equality",
    "Fence",
    "Formula",
    "Index",
    "Letter",
    "Matrix",
    "Name",
    "Number",
    "Operation",
    "Remark",
    "Replacement",
    "Shape",
    "Slice",
    "Slot",
    "Subscripts",
    "Symbol",
    "Tuple",
    "infix",
    "postfix",
    "prefix",
]


@dataclass(frozen=True)
class Formula:
    """A formula that can be written as text, LaTeX or MathML.

    >>> formula = infix("+", Name("W1"), Number("2"))
    >>> str(formula), formula.latex
    ('W1 + 2', 'W_1 + 2')
    """

    parts: tuple[Formula, ...] = field(default=(), kw_only=True)

    def with_parts(self, change: Callable[[Formula, int], Formula]) -> Formula:
        """The same form with each part changed, given the part and its position."""
        if not self.parts:
            return self
        return replace(self, parts=tuple(change(part, i) for i, part in enumerate(self.parts)))

    def write(self, style: Style = "text") -> str:
        """The formula in a style: 'text', 'latex' or 'mathml'."""
        from chainrule.notation.writing import write

        return write(self, style)

    def __str__(self) -> str:
        return self.write("text")

    @property
    def latex(self) -> str:
        """The formula in LaTeX, for mathematics mode; it needs the package amsmath."""
        return self.write("latex")

    @property
    def mathml(self) -> str:
        """The formula as a ``<math>`` element of MathML Core, with its text beside it."""
        return self.write("mathml")


@dataclass(frozen=True)
class Name(Formula):
    """A variable as the user spells it; ``version`` counts earlier values of the same name."""

    spelling: str
    version: int = 0


@dataclass(frozen=True)
class Bar(Formula):
    """The gradient of the loss by a variable, which wears a bar. Parts: the name."""

    @property
    def name(self) -> Name:
        """The variable below the bar."""
        name = self.parts[0]
        assert isinstance(name, Name)
        return name


@dataclass(frozen=True)
class Derivative(Formula):
    """The gradient of one variable by another as ∂L/∂z. Parts: the two names."""


@dataclass(frozen=True)
class Number(Formula):
    """A number that is not negative: digits, and a power of ten where there is one."""

    digits: str
    exponent: int | None = None


@dataclass(frozen=True)
class Symbol(Formula):
    """A fixed symbol or word from the table."""

    text: str


@dataclass(frozen=True)
class Subscripts(Formula):
    """The subscripts of an Einstein sum, such as ``ij,jk->ik``."""

    text: str


@dataclass(frozen=True)
class Axes(Formula):
    """The axes that a function works along."""

    axes: tuple[int, ...]
    keyword: str = "axis"


@dataclass(frozen=True)
class Shape(Formula):
    """The shape of an array."""

    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Slot(Formula):
    """A place in a template."""

    name: str


@dataclass(frozen=True)
class Letter(Formula):
    """An index that has no letter yet."""

    number: int


@dataclass(frozen=True)
class Operation(Formula):
    """An operator before, between or after its operands, which are its parts."""

    operator: Operator


@dataclass(frozen=True)
class Equality(Formula):
    """What a value is equal to. Parts: its name and the formula."""


@dataclass(frozen=True)
class Call(Formula):
    """A function of its parts."""

    function: str


@dataclass(frozen=True)
class Fence(Formula):
    """One part between a left and a right fence."""

    fences: tuple[str, str]


@dataclass(frozen=True)
class Tuple(Formula):
    """Parts one after another between fences."""

    fences: tuple[str, str]


@dataclass(frozen=True)
class Matrix(Formula):
    """A table of parts, row by row."""

    columns: int

    @property
    def rows(self) -> list[tuple[Formula, ...]]:
        """The parts of each row."""
        starts = range(0, len(self.parts), self.columns)
        return [self.parts[start : start + self.columns] for start in starts]


@dataclass(frozen=True)
class Index(Formula):
    """An element or a part of an array. Parts: the array, then one for each axis."""


@dataclass(frozen=True)
class Slice(Formula):
    """A stretch of an axis, as Python writes it."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


@dataclass(frozen=True)
class Replacement(Formula):
    """An array with a part replaced or added to. Parts: the array, the new value, the index."""

    sign: str


@dataclass(frozen=True)
class Remark(Formula):
    """A formula with words about it instead of an equation. Parts: the formula."""

    words: str


@dataclass(frozen=True)
class Cases(Formula):
    """A choice. Parts: the value where a condition holds, the condition, the value elsewhere."""


@dataclass(frozen=True)
class Big(Formula):
    """A sum, product or extreme over indices. Parts: the body, then what runs."""

    symbol: str


ELLIPSIS = Symbol("…")


def infix(symbol: str, left: Formula, right: Formula) -> Operation:
    """Two formulas with an operator between them."""
    return Operation(INFIX[symbol], parts=(left, right))


def prefix(symbol: str, operand: Formula) -> Operation:
    """A formula with an operator before it."""
    return Operation(PREFIX[symbol], parts=(operand,))


def postfix(symbol: str, operand: Formula) -> Operation:
    """A formula with an operator after it."""
    return Operation(POSTFIX[symbol], parts=(operand,))
