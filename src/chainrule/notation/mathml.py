"""Formulas as MathML Core, with every row explicit.

Parentheses stretch only around what is higher than a line: browsers without a font for
mathematics stretch them badly.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

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
    Matrix,
    Name,
    Number,
    Operation,
    Remark,
    Replacement,
    Shape,
    Slice,
    Subscripts,
    Symbol,
    Tuple,
)
from chainrule.notation.precedence import is_tall
from chainrule.notation.spelling import Spelling, marks, pieces
from chainrule.notation.symbols import BIG, INFIX, PREFIX, SUBSCRIPTS
from chainrule.notation.text import slice_text

__all__ = ["mathml"]

_APPLY = "<mo>\u2061</mo>"
_SPACE = '<mspace width="0.17em"/>'
_LEFT = '<mtd columnalign="left" style="text-align: left">'
_IF = "<mtext>if\u00a0</mtext>"
_LETTER_BY_SUBSCRIPT = {below: letter for letter, below in SUBSCRIPTS.items()}


def mathml(formula: Formula, *, alternative: str) -> str:
    """The ``<math>`` element of a formula whose parentheses are in place."""
    namespace = "http://www.w3.org/1998/Math/MathML"
    opening = f'<math xmlns="{namespace}" displaystyle="true" alttext="{escape(alternative)}">'
    return f"{opening}{_element(formula)}</math>"


def _element(formula: Formula) -> str:
    """One element for a formula."""
    parts = formula.parts
    match formula:
        case Name():
            return _name(formula)
        case Bar():
            return _name(formula.name, barred=True)
        case Derivative():
            above, below = (_row("<mo>∂</mo>", _element(part)) for part in parts)
            return f"<mfrac>{above}{below}</mfrac>"
        case Number(digits, exponent):
            return _number(digits, exponent)
        case Symbol(symbol):
            return _symbol(symbol)
        case Subscripts(label):
            return f"<mtext>{escape(label.replace('->', '→'))}</mtext>"
        case Axes(axes, keyword):
            return _row(f"<mtext>{keyword}</mtext>", _SPACE, _commas(f"<mn>{a}</mn>" for a in axes))
        case Shape(sizes):
            return _row("<mo>×</mo>".join(f"<mn>{size}</mn>" for size in sizes) or "<mtext/>")
        case Slice():
            return f"<mtext>{slice_text(formula)}</mtext>"
        case Operation():
            return _operation(formula)
        case Equality():
            return _row(_element(parts[0]), _sign("="), _element(parts[1]))
        case Call():
            return _call(formula)
        case Fence((left, right)):
            return _fenced(left, _element(parts[0]), right, is_tall(parts[0]))
        case Tuple((left, right)):
            return _fenced(left, _listed(parts), right, any(map(is_tall, parts)))
        case Matrix():
            rows = ("".join(f"<mtd>{_element(part)}</mtd>" for part in row) for row in formula.rows)
            return _fenced("[", _table(rows), "]", True)
        case Index():
            return _row(_element(parts[0]), _fenced("[", _listed(parts[1:]), "]"))
        case Replacement(sign):
            index = _fenced("[", _listed(parts[2:]), "]")
            word = "<mtext>\u00a0with\u00a0</mtext>"
            return _row(_element(parts[0]), word, index, _sign(sign), _element(parts[1]))
        case Remark(words):
            return _row(_element(parts[0]), "<mo>:</mo>", f"<mtext>{words}</mtext>")
        case Cases():
            return _cases(formula)
        case Big(symbol):
            return _big(symbol, parts)
        case _:
            raise AssertionError(formula)


def _row(*elements: str) -> str:
    return f"<mrow>{''.join(elements)}</mrow>"


def _sign(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _commas(elements: Iterable[str]) -> str:
    return "<mo>,</mo>".join(elements)


def _listed(parts: Iterable[Formula]) -> str:
    return _commas(_element(part) for part in parts)


def _fenced(left: str, inner: str, right: str, tall: bool = False) -> str:
    stretchy = "true" if tall else "false"
    opening = f'<mo fence="true" form="prefix" stretchy="{stretchy}">{left}</mo>'
    closing = f'<mo fence="true" form="postfix" stretchy="{stretchy}">{right}</mo>'
    return _row(opening, inner, closing)


def _number(digits: str, exponent: int | None) -> str:
    if exponent is None:
        return f"<mn>{digits}</mn>"
    sign = "<mo>−</mo>" if exponent < 0 else ""
    power = f"<msup><mn>10</mn>{_row(sign, f'<mn>{abs(exponent)}</mn>')}</msup>"
    return power if digits == "1" else _row(f"<mn>{digits}</mn>", "<mo>×</mo>", power)


def _symbol(symbol: str) -> str:
    if symbol in ("…", ":"):
        return _sign(symbol)
    return _upright(symbol)


def _upright(word: str) -> str:
    return f'<mi mathvariant="normal">{escape(word)}</mi>'


def _operation(formula: Operation) -> str:
    operator, operands = formula.operator, [_element(part) for part in formula.parts]
    if operator == INFIX["/"]:
        return f"<mfrac>{operands[0]}{operands[1]}</mfrac>"
    if operator == INFIX["^"]:
        return f"<msup>{operands[0]}{operands[1]}</msup>"
    if operator == PREFIX["√"]:
        return f"<msqrt>{operands[0]}</msqrt>"
    if operator.symbol == "ᵀ":
        return f"<msup>{operands[0]}{_upright(operator.mathml)}</msup>"
    if len(operands) == 1:
        return _row(f'<mo form="prefix">{operator.mathml}</mo>', operands[0])
    if operator == INFIX[" "]:
        return _row(operands[0], _sign(operator.mathml), _SPACE, operands[1])
    return _row(operands[0], _sign(operator.mathml), operands[1])


def _call(formula: Call) -> str:
    function, below = formula.function, ""
    if function[-1] in _LETTER_BY_SUBSCRIPT:
        digits = "".join(_LETTER_BY_SUBSCRIPT.get(character, "") for character in function)
        function, below = function.rstrip("".join(_LETTER_BY_SUBSCRIPT)), f"<mn>{digits}</mn>"
    settings = [part for part in formula.parts if isinstance(part, Axes | Shape | Subscripts)]
    arguments = [part for part in formula.parts if part not in settings]
    if settings:
        below = _row(_listed(settings))
    named = f"<mi>{function}</mi>" if function == "σ" else _upright(function)
    named = f"<msub>{named}{below}</msub>" if below else named
    inner = _fenced("(", _listed(arguments), ")", any(map(is_tall, arguments)))
    return _row(named, _APPLY, inner)


def _cases(formula: Cases) -> str:
    value, condition, other = (_element(part) for part in formula.parts)
    rows = (
        f"{_LEFT}{value}</mtd>{_LEFT}{_row(_IF, condition)}</mtd>",
        f"{_LEFT}{other}</mtd>{_LEFT}<mtext>otherwise</mtext></mtd>",
    )
    brace = '<mo fence="true" form="prefix" stretchy="true">{</mo>'
    return _row(brace, _table(rows))


def _table(rows: Iterable[str]) -> str:
    return f"<mtable>{''.join(f'<mtr>{row}</mtr>' for row in rows)}</mtable>"


def _big(symbol: str, parts: tuple[Formula, ...]) -> str:
    written = BIG[symbol][1]
    large = f'<mo movablelimits="false">{written}</mo>' if len(written) == 1 else _upright(written)
    return _row(f"<munder>{large}{_row(_listed(parts[1:]))}</munder>", _element(parts[0]))


def _name(name: Name, *, barred: bool = False) -> str:
    found = pieces(name.spelling)
    if len(found) == 1 and isinstance(found[0], Spelling):
        written = _spelled(found[0], barred)
    else:
        written = _row(*(_punctuation(p) if isinstance(p, str) else _spelled(p) for p in found))
        written = _over(written, stretchy=True) if barred else written
    if not name.version:
        return written
    version = f"({name.version})" if name.version > 3 else marks(name.version)
    return f"<msup>{written}<mo>{version}</mo></msup>"


def _punctuation(mark: str) -> str:
    return f'<mo stretchy="false" lspace="0" rspace="0">{escape(mark)}</mo>'


def _spelled(spelling: Spelling, barred: bool = False) -> str:
    base = spelling.base
    if base.isdigit():
        written = f"<mn>{base}</mn>"
    elif spelling.is_letter:
        written = f"<mi>{base}</mi>"
    else:
        written = _upright(base)
    if barred:
        written = _over(written, stretchy=not spelling.is_letter)
    if not spelling.subscripts:
        return written
    below = _SPACE.join(_spelled(part) for part in spelling.subscripts)
    below = _row(below) if len(spelling.subscripts) > 1 else below
    return f"<msub>{written}{below}</msub>"


def _over(element: str, *, stretchy: bool) -> str:
    # Set as an accent, Chromium lets the bar touch the letter.
    bar = f'<mo stretchy="{"true" if stretchy else "false"}">‾</mo>'
    return f'<mover accent="false">{element}{bar}</mover>'
