"""A derivation in LaTeX: a document that compiles as it is, and the formulas alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.explain.numbers import index_text
from chainrule.explain.text import TITLES, heading_of
from chainrule.explain.values import largest_place, rows_of, short_number

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.steps import Step

__all__ = ["to_display", "to_latex"]

_PREAMBLE = r"""\documentclass[a4paper,11pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb,graphicx}
\usepackage[margin=2.2cm]{geometry}
\setlength{\parindent}{0pt}
\setcounter{MaxMatrixCols}{20}
% A formula that is wider than the page is made smaller.
\newsavebox{\formulabox}
\newcommand{\fitted}[1]{%
  \sbox{\formulabox}{$\displaystyle #1$}%
  \ifdim\wd\formulabox>\linewidth
    \resizebox{\linewidth}{!}{\usebox{\formulabox}}%
  \else
    \usebox{\formulabox}%
  \fi\par\smallskip}
\begin{document}
"""
_SPECIAL = re.compile(r"[\\{}$&#%_^~]")
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


def to_latex(derivation: Derivation) -> str:
    """A LaTeX document of all steps."""
    return _PREAMBLE + "\n".join(_body(derivation)) + "\n\\end{document}\n"


def to_display(derivation: Derivation) -> str:
    """The formulas one below the other, as notebooks show them."""
    rows = [step.formula.latex.replace(" = ", " &= ", 1) for step in derivation.steps]
    return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"


def _body(derivation: Derivation) -> Iterator[str]:
    yield f"\\section*{{{_escaped(heading_of(derivation))}}}"
    for part, title in TITLES.items():
        steps = list(derivation.part(part))
        if steps:
            yield f"\\subsection*{{{title}}}"
        for step in steps:
            yield from _step(derivation, step)


def _step(derivation: Derivation, step: Step) -> Iterator[str]:
    yield f"\\fitted{{{step.formula.latex}}}"
    if step.why:
        yield f"{_escaped(step.why)}\\par"
    for rule in step.rules:
        formulas = f"{rule.operation.latex},\\quad {rule.gradient.latex}"
        yield f"\\fitted{{\\text{{{_escaped(rule.name)}:}}\\quad {formulas}}}"
    if step.shape and str(step.index_formula) != str(step.formula):
        yield f"\\fitted{{{step.index_formula.latex}}}"
    element = derivation.number(f"{step.name}{index_text(largest_place(step.value))}")
    if element.numbers is not None and not step.is_alias:
        value = _number(short_number(element.value))
        yield f"\\fitted{{{element.name.latex} = {element.numbers.latex} = {value}}}"
    if step.shape and step.value.size > 1:
        yield f"\\fitted{{{step.label.latex} = {_matrix(step.value)}}}"
    yield "\\medskip"


def _matrix(value: NDArray[Any]) -> str:
    rows = [" & ".join(map(_number, row)) for row in rows_of(value)]
    return "\\begin{bmatrix} " + " \\\\ ".join(rows) + " \\end{bmatrix}"


def _number(text: str) -> str:
    """A number in LaTeX: 1e−09 as a power of ten."""
    if text == "…":
        return "\\cdots"
    digits, _, exponent = text.replace("−", "-").partition("e")
    if digits in ("nan", "inf", "-inf", "true", "false"):
        return f"\\mathrm{{{digits}}}"
    return digits if not exponent else f"{digits} \\cdot 10^{{{int(exponent)}}}"


def _escaped(text: str) -> str:
    """Prose in LaTeX; letters that its standard fonts lack are replaced by a question mark."""
    plain = "".join(c if ord(c) < 0x180 and c.isprintable() else "?" for c in text)
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], f"\\{match[0]}"), plain)
