"""Formulas as Unicode text on one line; names keep the user's spelling, so they can be found."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.notation.formulas import (
    Axes,
    Bar,
    Big,
    Call,
    Cases,
    Derivative,
    Equality,
    Fence,
    Formula,
    Index,
    Letter,
    Matrix,
    Name,
    Number,
    Operation,
    Remark,
    Replacement,
    Shape,
    Slice,
    Slot,
    Subscripts,
    Symbol,
    Tuple,
)
from chainrule.notation.spelling import barred_text, marks
from chainrule.notation.symbols import INFIX, POSTFIX, PREFIX, SUBSCRIPTS, SUPERSCRIPTS

__all__ = ["slice_text", "text"]


def text(formula: Formula) -> str:
    """The text of a formula whose parentheses are in place."""
    parts = formula.parts
    match formula:
        case Name(spelling, version):
            return spelling + marks(version)
        case Bar():
            return barred_text(formula.name.spelling) + marks(formula.name.version)
        case Derivative():
            return f"∂{text(parts[0])}/∂{text(parts[1])}"
        case Number(digits, exponent):
            return digits if exponent is None else f"{digits}e{exponent}".replace("-", "−")
        case Symbol(symbol):
            return symbol
        case Subscripts(label):
            return f'"{label}"'
        case Axes(axes, keyword):
            return f"{keyword}={axes[0] if len(axes) == 1 else axes}"
        case Shape(sizes):
            return str(sizes)
        case Slice():
            return slice_text(formula)
        case Operation():
            return _operation(formula)
        case Equality():
            return f"{text(parts[0])} = {text(parts[1])}"
        case Call(function):
            return f"{function}({_listed(parts)})"
        case Fence((left, right)):
            return f"{left}{text(parts[0])}{right}"
        case Tuple((left, right)):
            return f"{left}{_listed(parts)}{right}"
        case Matrix():
            return f"[{', '.join(f'[{_listed(row)}]' for row in formula.rows)}]"
        case Index():
            return f"{text(parts[0])}[{','.join(text(part) for part in parts[1:])}]"
        case Replacement(sign):
            index = ",".join(text(part) for part in parts[2:])
            return f"{text(parts[0])} with [{index}] {sign} {text(parts[1])}"
        case Remark(words):
            return f"{text(parts[0])}: {words}"
        case Cases():
            return f"{text(parts[0])} if {text(parts[1])} else {text(parts[2])}"
        case Big(symbol):
            return f"{symbol}{_below(parts[1:])} {text(parts[0])}"
        case Slot(name) | Letter(name):
            return f"{{{name}}}"
        case _:
            raise AssertionError(formula)


def _listed(parts: Iterable[Formula]) -> str:
    return ", ".join(text(part) for part in parts)


def _operation(formula: Operation) -> str:
    operator, operands = formula.operator, [text(part) for part in formula.parts]
    if operator in PREFIX.values():
        return operator.symbol + operands[0]
    if operator in POSTFIX.values():
        return operands[0] + operator.symbol
    if operator == INFIX["^"]:
        return _power(*operands)
    if operator == INFIX[" "]:
        return " ".join(operands)
    return f" {operator.symbol} ".join(operands)


def _power(base: str, exponent: str) -> str:
    whole = exponent.removeprefix("(").removesuffix(")")
    if whole.removeprefix("−").isdecimal():
        return base + "".join(SUPERSCRIPTS[digit] for digit in whole)
    return f"{base}^{exponent}"


def _below(parts: tuple[Formula, ...]) -> str:
    below = [text(part) for part in parts]
    if all(character in SUBSCRIPTS for character in "".join(below)):
        return "".join(SUBSCRIPTS[character] for character in "".join(below))
    return f"[{', '.join(below)}]"


def slice_text(part: Slice) -> str:
    """A stretch of an axis as in Python: ``1:3``, ``:``, ``::−1``."""
    bounds = ["" if bound is None else str(bound) for bound in (part.start, part.stop)]
    if part.step not in (None, 1):
        bounds.append(str(part.step))
    return ":".join(bounds).replace("-", "−")
