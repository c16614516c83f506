"""The one table of symbols: operators with their strengths, functions, letters, index letters.

A formula is written in three styles: *text* (Unicode), *LaTeX* (with amsmath) and *MathML*. What a
symbol looks like in each stands here and nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

__all__ = [
    "BIG",
    "CONSTANTS",
    "FENCES",
    "FUNCTIONS",
    "GREEK",
    "INDEX_LETTERS",
    "INFIX",
    "POSTFIX",
    "PREFIX",
    "SUBSCRIPTS",
    "SUPERSCRIPTS",
    "SYMBOLS",
    "WORD_BY_GREEK",
    "Operator",
    "Strength",
    "Style",
]

Style = Literal["text", "latex", "mathml"]


class Strength(IntEnum):
    """How tightly a form holds together; a weaker form inside a stronger one needs parentheses."""

    CHOICE = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    SIGN = 6  # a leading minus, Σ
    PRODUCT = 7
    JUXTAPOSITION = 8  # the matrix product
    FRACTION = 9  # a quotient where it is set as a fraction
    SCRIPT = 10  # powers, transposes, roots
    ATOM = 11


@dataclass(frozen=True)
class Operator:
    """An operator: its symbol in each style, and how strongly it holds its operands.

    ``associates`` lists the operators that a right operand may have without parentheses, since
    the value is the same: a + (b − c) = a + b − c and a · (b / c) = a · b / c.
    """

    symbol: str
    strength: Strength
    latex: str
    mathml: str
    associates: str = ""


def _by_symbol(*operators: Operator) -> dict[str, Operator]:
    return {operator.symbol: operator for operator in operators}


INFIX = _by_symbol(
    Operator("∨", Strength.OR, r"\lor", "∨", "∨"),
    Operator("⊻", Strength.OR, r"\mathbin{\underline{\vee}}", "⊻", "⊻"),
    Operator("∧", Strength.AND, r"\land", "∧", "∧"),
    Operator("=", Strength.COMPARISON, "=", "="),
    Operator("≠", Strength.COMPARISON, r"\ne", "≠"),
    Operator("<", Strength.COMPARISON, "<", "<"),
    Operator("≤", Strength.COMPARISON, r"\le", "≤"),
    Operator(">", Strength.COMPARISON, ">", ">"),
    Operator("≥", Strength.COMPARISON, r"\ge", "≥"),
    Operator("+", Strength.SUM, "+", "+", "+−"),
    Operator("−", Strength.SUM, "-", "−"),
    Operator("·", Strength.PRODUCT, r"\cdot", "⋅", "·/"),
    Operator("/", Strength.PRODUCT, "/", "/"),
    Operator(" ", Strength.JUXTAPOSITION, r"\,", "\u2062"),  # the matrix product
    Operator("^", Strength.SCRIPT, "^", "^"),
)
PREFIX = _by_symbol(
    Operator("−", Strength.SIGN, "-", "−"),
    Operator("¬", Strength.NOT, r"\lnot", "¬"),
    Operator("√", Strength.SCRIPT, r"\sqrt", "√"),
)
POSTFIX = _by_symbol(Operator("ᵀ", Strength.SCRIPT, r"\mathrm{T}", "T"))

# Left and right fences: text, LaTeX; MathML writes them as in text.
FENCES = {
    ("(", ")"): ("(", ")"),
    ("[", "]"): ("[", "]"),
    ("|", "|"): (r"\lvert", r"\rvert"),
    ("⌊", "⌋"): (r"\lfloor", r"\rfloor"),
    ("⌈", "⌉"): (r"\lceil", r"\rceil"),
}

# Functions that LaTeX has a command for; any other name is set upright.
FUNCTIONS = {
    "σ": r"\sigma",
    "log₂": r"\log_2",
    "log₁₀": r"\log_{10}",
} | {
    name: "\\" + name
    for name in "arctan cos cosh exp log max min sin sinh tan tanh".split()  # noqa: SIM905
}

# Operators over an index: LaTeX, MathML.
BIG = {
    "Σ": (r"\sum", "∑"),
    "Π": (r"\prod", "∏"),
    "max": (r"\max", "max"),
    "min": (r"\min", "min"),
    "argmax": (r"\operatorname*{argmax}", "argmax"),
    "argmin": (r"\operatorname*{argmin}", "argmin"),
}

# Symbols that stand alone: LaTeX; text and MathML write them as they are.
SYMBOLS = {
    "…": r"\dots",
    "∞": r"\infty",
    ":": ":",
    "true": r"\mathrm{true}",
    "false": r"\mathrm{false}",
    "NaN": r"\mathrm{NaN}",
    "None": r"\mathrm{None}",
}

# Values that are shown as what they are: a template, and the value in double precision.
CONSTANTS = {
    "π": math.pi,
    "2 · π": 2 * math.pi,
    "√π": math.sqrt(math.pi),
    "2 / √π": 2 / math.sqrt(math.pi),
    "√(2 / π)": math.sqrt(2 / math.pi),
    "√(2 · π)": math.sqrt(2 * math.pi),
    "√2": math.sqrt(2),
    "e": math.e,
    "log(2)": math.log(2),
    "log(10)": math.log(10),
}

_GREEK_WORDS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon
phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega
"""
GREEK: dict[str, str] = dict(
    zip(_GREEK_WORDS.split(), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", strict=True)
)
WORD_BY_GREEK = {letter: word for word, letter in GREEK.items()}

# In the order in which a formula takes them: n counts the samples, which come first as a rule.
# All have a subscript in Unicode.
INDEX_LETTERS = "njklmpirstuvh"

SUBSCRIPTS = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
SUPERSCRIPTS = dict(zip("0123456789−()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾", strict=True))
