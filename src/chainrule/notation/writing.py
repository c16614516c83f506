"""A formula in one of the three styles."""

from __future__ import annotations

from chainrule.errors import SettingError
from chainrule.notation.formulas import Formula
from chainrule.notation.latex import latex
from chainrule.notation.mathml import mathml
from chainrule.notation.precedence import grouped
from chainrule.notation.symbols import Style
from chainrule.notation.text import text

__all__ = ["write"]


def write(formula: Formula, style: Style) -> str:
    """The formula as text, LaTeX or MathML.

    A MathML formula carries its text as ``alttext``, for readers that do not speak MathML.
    """
    if style == "text":
        return text(grouped(formula, flat=True))
    if style == "latex":
        return latex(grouped(formula, flat=False))
    if style == "mathml":
        return mathml(grouped(formula, flat=False), alternative=write(formula, "text"))
    raise SettingError(
        f"A formula cannot be written in the style {style!r}. The styles are 'text', 'latex' and "
        "'mathml'."
    )
