"""Where parentheses are needed, and nowhere else.

Text is *flat*: a quotient, a power and a root stand on one line. LaTeX and MathML set them in two
dimensions, where a fraction bar, a raised exponent and a radical group what they hold.
"""

from __future__ import annotations

from chainrule.notation.formulas import (
    Big,
    Cases,
    Derivative,
    Equality,
    Fence,
    Formula,
    Index,
    Matrix,
    Number,
    Operation,
    Replacement,
)
from chainrule.notation.symbols import INFIX, PREFIX, Strength

__all__ = ["grouped", "is_tall"]

_ROUND = ("(", ")")
_TRUTHS = (Strength.OR, Strength.AND, Strength.NOT, Strength.COMPARISON)


def grouped(formula: Formula, *, flat: bool) -> Formula:
    r"""The formula with the parentheses that it needs in a flat style, or in two dimensions.

    >>> from chainrule.notation.formulas import Name, infix
    >>> quotient = infix("/", Name("a"), infix("+", Name("b"), Name("c")))
    >>> str(quotient), quotient.latex
    ('a / (b + c)', '\\frac{a}{b + c}')
    """

    def wrapped(part: Formula, position: int) -> Formula:
        inner = grouped(part, flat=flat)
        if _stands_alone(formula, part, position, flat):
            return inner
        return Fence(_ROUND, parts=(inner,))

    return formula.with_parts(wrapped)


def _strength(formula: Formula, flat: bool) -> Strength:
    match formula:
        case Cases() | Replacement():
            return Strength.CHOICE
        case Big():
            return Strength.SIGN
        case Derivative():
            return Strength.PRODUCT if flat else Strength.FRACTION
        case Number(exponent=exponent) if exponent is not None and not flat:
            return Strength.PRODUCT
        case Operation(operator) if operator == INFIX["/"] and not flat:
            return Strength.FRACTION
        case Operation(operator):
            return operator.strength
        case _:
            return Strength.ATOM


def _stands_alone(parent: Formula, part: Formula, position: int, flat: bool) -> bool:
    """Whether a part needs no parentheses where it stands."""
    strength = _strength(part, flat)
    match parent:
        case Operation(operator) if len(parent.parts) == 1:
            return _operand_stands_alone(operator.symbol, part, strength, flat)
        case Operation(operator) if operator == INFIX["^"]:
            return strength == Strength.ATOM or (position == 1 and not flat)
        case Operation(operator) if operator == INFIX["/"] and not flat:
            return True
        case Operation():
            if position == 0:
                return _left_stands_alone(parent, part, strength)
            return _right_stands_alone(parent, part, strength, flat)
        case Big():
            return position > 0 or (
                strength >= Strength.SIGN and not _starts_with_minus(part, flat)
            )
        case Index():
            return position > 0 or strength == Strength.ATOM
        case Equality():
            return strength not in _TRUTHS
        case Cases():
            return not flat or strength > Strength.CHOICE
        case Replacement():
            return position > 1 or strength > Strength.CHOICE
        case _:
            return True


def _operand_stands_alone(symbol: str, part: Formula, strength: Strength, flat: bool) -> bool:
    """The operand of an operator that has only one."""
    if symbol == "√":
        return not flat or strength == Strength.ATOM
    if symbol == "−":
        return strength >= Strength.SIGN and not _starts_with_minus(part, flat)
    if symbol == "¬":
        return strength >= Strength.SCRIPT
    return strength == Strength.ATOM


def _left_stands_alone(parent: Operation, part: Formula, strength: Strength) -> bool:
    wanted = parent.operator.strength
    if wanted == Strength.COMPARISON:
        return strength > wanted
    if wanted in (Strength.PRODUCT, Strength.JUXTAPOSITION) and strength == Strength.SIGN:
        # −a · b is the same product whichever of the two is meant; Σ a · b is not.
        return isinstance(part, Operation) and not isinstance(part.parts[0], Big)
    return strength >= wanted


def _right_stands_alone(parent: Operation, part: Formula, strength: Strength, flat: bool) -> bool:
    wanted = parent.operator.strength
    if _starts_with_minus(part, flat) and wanted > Strength.COMPARISON:
        return False
    if isinstance(part, Operation) and part.operator.symbol in parent.operator.associates:
        return True
    return strength > wanted


def _starts_with_minus(formula: Formula, flat: bool) -> bool:
    """Whether the first thing written is a minus, which must not follow another operator."""
    while isinstance(formula, Operation):
        if formula.operator == PREFIX["−"]:
            return True
        if len(formula.parts) == 1 and formula.operator.symbol != "ᵀ":
            return False
        if formula.operator == INFIX["/"] and not flat:
            return False
        if not _stands_alone(formula, formula.parts[0], 0, flat):
            return False
        formula = formula.parts[0]
    return False


def is_tall(formula: Formula) -> bool:
    """Whether a formula is higher than a line, so that fences around it must grow."""
    if isinstance(formula, Derivative | Cases | Matrix | Big):
        return True
    if isinstance(formula, Operation) and formula.operator == INFIX["/"]:
        return True
    return any(is_tall(part) for part in formula.parts)
