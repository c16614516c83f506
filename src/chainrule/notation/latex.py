r"""Formulas in LaTeX's mathematics mode, with the package amsmath.

Nothing but letters of the user's own names is taken over as it is: names are escaped.
"""

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
from chainrule.notation.spelling import Spelling, pieces
from chainrule.notation.symbols import (
    BIG,
    FENCES,
    FUNCTIONS,
    INFIX,
    PREFIX,
    SYMBOLS,
    WORD_BY_GREEK,
)
from chainrule.notation.text import slice_text

__all__ = ["latex"]

_SPECIAL = {
    "\\": r"\backslash ",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "^": r"\hat{\ }",
    "~": r"\sim ",
}


def latex(formula: Formula) -> str:
    """The LaTeX of a formula whose parentheses are in place."""
    parts = formula.parts
    match formula:
        case Name():
            return _name(formula)
        case Bar():
            return _name(formula.name, barred=True)
        case Derivative():
            return rf"\frac{{\partial {latex(parts[0])}}}{{\partial {latex(parts[1])}}}"
        case Number(digits, exponent):
            if exponent is None:
                return digits
            power = f"10^{_script(str(exponent))}"
            return power if digits == "1" else rf"{digits} \times {power}"
        case Symbol(symbol):
            return SYMBOLS[symbol]
        case Subscripts(label):
            return _escaped(label).replace("->", r" \to ")
        case Axes(axes, keyword):
            return rf"\mathrm{{{keyword}}}\,{','.join(str(axis) for axis in axes)}"
        case Shape(sizes):
            return r" \times ".join(str(size) for size in sizes) or "()"
        case Slice():
            return slice_text(formula).replace("−", "{-}").replace(":", "{:}")
        case Operation():
            return _operation(formula)
        case Equality():
            return f"{latex(parts[0])} = {latex(parts[1])}"
        case Call():
            return _call(formula)
        case Fence((left, right)):
            return _fenced(left, latex(parts[0]), right, is_tall(parts[0]))
        case Tuple((left, right)):
            return _fenced(left, _listed(parts), right, any(map(is_tall, parts)))
        case Matrix():
            rows = r" \\ ".join(" & ".join(latex(part) for part in row) for row in formula.rows)
            return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"
        case Index():
            return f"{latex(parts[0])}{_fenced('[', _listed(parts[1:], ','), ']')}"
        case Replacement(sign):
            index = _fenced("[", _listed(parts[2:], ","), "]")
            sign = sign.replace("+=", r"\mathrel{+}=")
            return rf"{latex(parts[0])} \;\text{{with}}\; {index} {sign} {latex(parts[1])}"
        case Remark(words):
            return rf"{latex(parts[0])}\colon\ \text{{{words}}}"
        case Cases():
            rows = (
                rf"{latex(parts[0])} & \text{{if }} {latex(parts[1])} \\ "
                rf"{latex(parts[2])} & \text{{otherwise}}"
            )
            return rf"\begin{{cases}} {rows} \end{{cases}}"
        case Big(symbol):
            return f"{BIG[symbol][0]}_{_script(_listed(parts[1:], ','))} {latex(parts[0])}"
        case _:
            raise AssertionError(formula)


def _listed(parts: Iterable[Formula], between: str = ", ") -> str:
    return between.join(latex(part) for part in parts)


def _fenced(left: str, inner: str, right: str, tall: bool = False) -> str:
    left, right = FENCES[left, right]
    if tall:
        return rf"\left{left} {inner} \right{right}"
    gap = " " if left[0] == "\\" else ""
    return f"{left}{gap}{inner}{gap}{right}"


def _operation(formula: Operation) -> str:
    operator, operands = formula.operator, [latex(part) for part in formula.parts]
    if operator == INFIX["/"]:
        return rf"\frac{{{operands[0]}}}{{{operands[1]}}}"
    if operator == INFIX["^"]:
        return f"{_base(formula.parts[0])}^{_script(operands[1])}"
    if operator == PREFIX["√"]:
        return rf"\sqrt{{{operands[0]}}}"
    if operator.symbol == "ᵀ":
        return rf"{_base(formula.parts[0])}^{{{operator.latex}}}"
    if len(operands) == 1:
        gap = " " if operator.latex[0] == "\\" else ""
        return operator.latex + gap + operands[0]
    return f" {operator.latex} ".join(operands)


def _base(formula: Formula) -> str:
    """What a superscript is set at; braces keep it apart from the marks of a version."""
    name = formula.name if isinstance(formula, Bar) else formula
    versioned = isinstance(name, Name) and name.version > 0
    return f"{{{latex(formula)}}}" if versioned else latex(formula)


def _call(formula: Call) -> str:
    function = FUNCTIONS.get(formula.function)
    if function is None:
        function = rf"\operatorname{{{_escaped(formula.function)}}}"
    below = [part for part in formula.parts if isinstance(part, Axes | Shape | Subscripts)]
    arguments = [part for part in formula.parts if part not in below]
    if below:
        function += f"_{_script(_listed(below))}"
    return function + _fenced("(", _listed(arguments), ")", any(map(is_tall, arguments)))


def _name(name: Name, *, barred: bool = False) -> str:
    found = pieces(name.spelling)
    if len(found) == 1 and isinstance(found[0], Spelling):
        written = _spelled(found[0], barred)
    else:
        written = "".join(_escaped(p) if isinstance(p, str) else _spelled(p) for p in found)
        written = rf"\overline{{{written}}}" if barred else written
    if name.version > 3:
        return rf"{written}^{{({name.version})}}"
    return written + "'" * name.version


def _spelled(spelling: Spelling, barred: bool = False) -> str:
    base = spelling.base
    if base in WORD_BY_GREEK:
        written = "o" if base == "ο" else "\\" + WORD_BY_GREEK[base]
    elif spelling.is_letter or base.isdigit():
        written = base
    else:
        written = rf"\mathrm{{{_escaped(base)}}}"
    if barred:
        accent = r"\bar" if spelling.is_letter else r"\overline"
        written = f"{accent}{{{written}}}"
    if spelling.subscripts:
        below = r"\,".join(_spelled(part) for part in spelling.subscripts)
        written += f"_{_script(below)}"
    return written


def _script(written: str) -> str:
    """What is raised or lowered, in braces unless it is one character."""
    return written if len(written) == 1 else f"{{{written}}}"


def _escaped(word: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in word)
