"""A primitive's derivative as formulas, found by calling the very pullback that computes.

The pullback is called on symbols: g the upstream gradient, y the output, and the inputs by the
names that the primitive's value has for them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.errors import SettingError
from chainrule.graph import Node, Primitive, argument
from chainrule.notation.expressions import Equation, Notation
from chainrule.notation.formulas import Bar, Equality, Formula, Name, Remark
from chainrule.notation.operations import operands_of
from chainrule.notation.symbols import Style

__all__ = ["Rule", "example", "rule"]

_SHAPE = (4, 3)


@dataclass(frozen=True)
class Rule:
    """How a primitive passes a gradient back.

    ``output`` says what y is. ``gradients`` pairs each input's name with its gradient in terms of
    g, y and the inputs, or with None where no gradient passes. ``definitions`` says what stands
    behind the constants c1, c2, … in them.
    """

    primitive: Primitive
    output: Equation
    gradients: tuple[tuple[Formula, Formula | None], ...]
    definitions: tuple[Equation, ...] = ()

    def formulas(self) -> list[Formula]:
        """One formula for each input: x̄ = g · (1 − y²), or that there is no gradient."""
        return [
            Remark("no gradient", parts=(name,))
            if gradient is None
            else Equality(parts=(_barred(name), gradient))
            for name, gradient in self.gradients
        ]

    def lines(self, style: Style = "text") -> list[str]:
        """The formulas, and the definitions they need, in a style.

        >>> rule(p.tanh).lines()
        ['x̄ = g · (1 − y²)']
        >>> rule(p.where).lines()
        ['condition: no gradient', 'ā = g if condition else 0', 'b̄ = 0 if condition else g']
        """
        formulas = [*self.formulas(), *(equation.formula for equation in self.definitions)]
        return [formula.write(style) for formula in formulas]

    def __str__(self) -> str:
        return "\n".join([str(self.output), *self.lines()])


def rule(target: Primitive | Node, *, names: Mapping[Node, str | Formula] | None = None) -> Rule:
    """The derivative rule of a primitive, or of one node: a primitive applied to its inputs.

    >>> print(rule(p.matmul))
    y = a b
    ā = g bᵀ
    b̄ = aᵀ g

    For a node, names are those given, or else the user's; the upstream gradient is the node's name
    with a bar. Inputs that are constants have no line.

    >>> z1 = argument("z1", (4, 2), "float64")
    >>> a1 = p.expit(z1)
    >>> print(rule(a1, names={a1: "a1"}))
    a1 = σ(z1)
    z̄1 = ā1 · a1 · (1 − a1)

    Raises SettingError for a primitive that no example is known for.
    """
    y = target if isinstance(target, Node) else example(target)
    given = dict(names or {})
    inputs = [operand for operand in dict.fromkeys(y.inputs) if not operand.is_constant]
    for operand, name in zip(y.inputs, _input_names(y), strict=True):
        if operand in inputs:
            given.setdefault(operand, operand.name or name)
    named_output = given.get(y, y.name)
    given[y] = named_output or "y"
    g = argument("g", y.shape, y.dtype)
    given[g] = _barred(_as_formula(named_output)) if named_output else "g"
    parts: Sequence[Node | None] = (None,) * len(y.inputs)
    if y.primitive.differentiable and y.primitive.rule is not None and y.differentiable:
        parts = y.primitive.gradients(g, y)
    shown = [part for part in parts if part is not None]
    notation = Notation([y, *shown], names=given, temporaries=False, max_terms=200)
    return Rule(
        y.primitive,
        notation.equation(y),
        tuple(
            (notation.reference(operand), None if part is None else notation.reference(part))
            for operand, part in zip(y.inputs, parts, strict=True)
            if operand in inputs
        ),
        tuple(e for e in notation.equations() if e.node.primitive.name == "constant"),
    )


def _as_formula(name: str | Formula) -> Formula:
    return Name(name) if isinstance(name, str) else name


def _barred(name: Formula) -> Formula:
    return Bar(parts=(name,))


def _input_names(node: Node) -> list[str]:
    """What a primitive calls its inputs; those of any number are a, b, c, … or i1, i2 and so on."""
    names = operands_of(node.primitive)
    listed = [name for name in names if name[0] != "*"]
    count = len(node.inputs) - len(listed)
    if listed:
        return [*listed, *(f"i{k + 1}" for k in range(count))]
    return ["abcdefh"[k] if k < 7 else f"a{k}" for k in range(count)]


def example(primitive: Primitive) -> Node:
    """A generic application of a primitive to arguments, with sizes that tell the axes apart."""
    if primitive.name in _EXAMPLES:
        return _EXAMPLES[primitive.name]()
    settings = inspect.signature(primitive.value).parameters
    attributes: dict[str, Any] = {}
    for name, parameter in settings.items():
        if parameter.kind != inspect.Parameter.KEYWORD_ONLY:
            continue
        if name == "axis":
            attributes[name] = 1 if parameter.annotation == "int" else (1,)
        elif name == "keepdims":
            attributes[name] = False
        else:
            raise SettingError(
                f"The primitive {primitive.name} has no example to show its rule by. Give one in "
                "chainrule.notation.rules."
            )
    operands = [
        argument(name, _SHAPE, bool if name == "condition" else "float64")
        for name in operands_of(primitive)
    ]
    return primitive(*operands, **attributes)


def _matrix(name: str, shape: tuple[int, ...] = _SHAPE) -> Node:
    return argument(name, shape, "float64")


_ROWS = (("slice", 1, 3, None),)

# Primitives whose settings a generic example cannot guess.
_EXAMPLES: dict[str, Callable[[], Node]] = {
    "broadcast_to": lambda: p.broadcast_to(_matrix("x", (3,)), shape=_SHAPE),
    "cast": lambda: p.cast(_matrix("x"), dtype=np.dtype("float32")),
    "concatenate": lambda: p.concatenate(_matrix("a"), _matrix("b", (2, 3)), axis=0),
    "einsum": lambda: p.einsum(_matrix("a", (4, 3)), _matrix("b", (3, 2)), subscripts="ij,jk->ik"),
    "embed": lambda: p.embed(_matrix("x", (2, 3)), template=_ROWS, shape=_SHAPE),
    "getitem": lambda: p.getitem(_matrix("x"), template=_ROWS, shape=(2, 3)),
    "matmul": lambda: p.matmul(_matrix("a", (4, 3)), _matrix("b", (3, 2))),
    "reshape": lambda: p.reshape(_matrix("x"), shape=(2, 6)),
    "setitem": lambda: p.setitem(_matrix("x"), _matrix("value", (2, 3)), template=_ROWS),
    "transpose": lambda: p.transpose(_matrix("x"), axes=(1, 0)),
}
