r"""Nodes and derivative rules as formulas: text, LaTeX and MathML, from the graph itself.

Every function gives a `Formula` or an `Equation`; ``str()`` of it is its text, ``.latex`` and
``.mathml`` are the other styles.

>>> from chainrule import primitives as p
>>> from chainrule.graph import argument
>>> X, W1 = argument("X", (4, 2), "float64"), argument("W1", (2, 3), "float64")
>>> a1 = p.tanh(X @ W1)
>>> str(expression(a1))
'tanh(X W1)'
>>> expression(a1).latex
'\\tanh(X \\, W_1)'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.graph import Node
from chainrule.notation.expressions import Equation, Notation
from chainrule.notation.formulas import Bar, Derivative, Formula, Name
from chainrule.notation.indices import element_equation
from chainrule.notation.rules import Rule, rule
from chainrule.notation.symbols import Style

__all__ = [
    "Equation",
    "Formula",
    "Notation",
    "Rule",
    "Style",
    "bar",
    "equation",
    "equations",
    "expression",
    "index_formula",
    "partial",
    "rule",
]

Names = Mapping[Node, str | Formula]
_LONGEST = 60


def expression(
    node: Node,
    *,
    names: Names | None = None,
    depth: int | None = None,
    max_terms: int = _LONGEST,
) -> Formula:
    """What a node is equal to, over named nodes.

    A node that the user named, or that ``names`` has a name for, stands as that name, except
    ``node`` itself. At most ``depth`` levels and ``max_terms`` operations are written out; an
    ellipsis stands for what is below.

    >>> from chainrule.graph import argument
    >>> x = argument("x", (), "float64")
    >>> str(expression(-(x + 1) / x**2))
    '−(x + 1) / x²'
    >>> str(expression(-(x + 1) / x**2, depth=1))
    '… / …'
    """
    notation = Notation([node], names=names, temporaries=False, max_terms=max_terms)
    return notation.expression(node, depth=depth)


def equation(
    node: Node,
    *,
    names: Names | None = None,
    depth: int | None = None,
    max_terms: int = _LONGEST,
) -> Equation:
    """A node's name and what it is equal to, as ``z1 = X W1 + b1``; see `expression`."""
    notation = Notation([node], names=names, temporaries=False, max_terms=max_terms)
    return notation.equation(node, depth=depth)


def equations(
    outputs: Sequence[Node], *, names: Names | None = None, max_terms: int = 24
) -> list[Equation]:
    """The equations of all named values that outputs need, each after those it needs.

    What would be written out more than once, or would make an equation longer than ``max_terms``
    names and operations, is named t1, t2, …; so a graph of any size prints in proportion to it.

    >>> from chainrule.graph import argument
    >>> x = argument("x", (), "float64")
    >>> for line in equations([(x + 1) * (x + 2) / ((x + 1) * (x + 2) - 3)]):
    ...     print(line)
    t1 = (x + 1) · (x + 2) / ((x + 1) · (x + 2) − 3)
    """
    return Notation(outputs, names=names, max_terms=max_terms).equations()


def index_formula(
    node: Node, letters: Sequence[str] | None = None, *, names: Names | None = None
) -> Equation:
    """A node's equation for one element: z[n,k] = Σⱼ a[n,j] W[j,k].

    ``letters`` names the indices of the node's axes; without, they are taken in reading order.

    >>> from chainrule.graph import argument
    >>> a, W = argument("a", (4, 2), "float64"), argument("W", (2, 3), "float64")
    >>> z = a @ W
    >>> str(index_formula(z, names={z: "z"}))
    'z[n,k] = Σⱼ a[n,j] W[j,k]'
    """
    notation = Notation([node], names=names, temporaries=False, max_terms=_LONGEST)
    return element_equation(notation, node, letters)


def bar(name: str) -> Formula:
    r"""The gradient of the loss by a variable: z̄1.

    >>> bar("z1").latex
    '\\bar{z}_1'
    """
    return Bar(parts=(Name(name),))


def partial(of: str, by: str) -> Formula:
    r"""The gradient of one variable by another, in full.

    >>> str(partial("L", "z1")), partial("L", "z1").latex
    ('∂L/∂z1', '\\frac{\\partial L}{\\partial z_1}')
    """
    return Derivative(parts=(Name(of), Name(by)))
