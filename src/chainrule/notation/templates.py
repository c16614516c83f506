"""How a primitive is shown: its template, parsed into a formula with places for the operands.

A template is a formula in text, such as ``{a} · log({b})``. Its operators are those of the table
of symbols, so the table's strengths say how the template holds together, and what stands in a
place needs parentheses or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from chainrule.notation.formulas import (
    Call,
    Cases,
    Fence,
    Formula,
    Index,
    Name,
    Number,
    Operation,
    Replacement,
    Slot,
    Symbol,
    infix,
    postfix,
)
from chainrule.notation.symbols import FENCES, INFIX, POSTFIX, PREFIX, SYMBOLS, Operator, Strength

__all__ = ["fill", "parse"]

_TOKENS = re.compile(r"\s*(\{\w+\}|\d+(?:\.\d+)?|[^\W\d]\w*[₀-₉]*|\+=|\S)")
_RIGHT = dict(FENCES.keys())


@lru_cache(maxsize=512)
def parse(template: str) -> Formula:
    """The formula of a template.

    >>> parse("{a} · log({b})").parts[1]
    Call(parts=(Slot(parts=(), name='b'),), function='log')
    """
    parser = _Parser(_TOKENS.findall(template))
    formula = parser.formula(Strength.CHOICE)
    assert parser.token is None, f"cannot read {template!r} from {parser.token!r}"
    return formula


class _Parser:
    """Precedence climbing over the tokens of one template."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0

    @property
    def token(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.token
        assert token is not None, f"{self.tokens} ends too early"
        assert expected in (None, token), f"{token!r} in {self.tokens} should be {expected!r}"
        self.position += 1
        return token

    def formula(self, least: Strength) -> Formula:
        left = self.operand()
        while True:
            operator = self._operator()
            if operator is None or operator.strength < least:
                break
            if operator.symbol != " ":
                self.take()
            tighter = Strength(operator.strength + 1)
            left = Operation(operator, parts=(left, self.formula(tighter)))
        if least > Strength.CHOICE:
            return left
        return self._choice(left)

    def _operator(self) -> Operator | None:
        token = self.token
        if token is None or token in ("if", "else", "with"):
            return None
        if token in INFIX:
            return INFIX[token]
        begins_operand = token[0] == "{" or token[0].isalnum() or token == "("
        return INFIX[" "] if begins_operand else None

    def _choice(self, left: Formula) -> Formula:
        if self.token == "if":
            self.take()
            condition = self.formula(Strength.OR)
            self.take("else")
            return Cases(parts=(left, condition, self.formula(Strength.OR)))
        if self.token == "with":
            self.take()
            self.take("[")
            index = self.formula(Strength.OR)
            self.take("]")
            sign = self.take()
            return Replacement(sign, parts=(left, self.formula(Strength.OR), index))
        return left

    def operand(self) -> Formula:
        token = self.take()
        if token in PREFIX:
            operator = PREFIX[token]
            return Operation(operator, parts=(self.formula(operator.strength),))
        if token in _RIGHT:
            inner = self.formula(Strength.CHOICE)
            self.take(_RIGHT[token])
            # Round ones only group: they come back where they are needed.
            found = inner if token == "(" else Fence((token, _RIGHT[token]), parts=(inner,))
        elif self.token == "(" and not token[0].isdigit():
            found = self._call(token)
        elif token[0] == "{":
            found = Slot(token[1:-1])
        elif token[0].isdigit():
            found = Number(token)
        else:
            found = Symbol(token) if token in SYMBOLS else Name(token)
        return self._scripts(found)

    def _call(self, function: str) -> Formula:
        self.take("(")
        arguments = [self.formula(Strength.CHOICE)]
        while self.token == ",":
            self.take()
            arguments.append(self.formula(Strength.CHOICE))
        self.take(")")
        return Call(function, parts=tuple(arguments))

    def _scripts(self, base: Formula) -> Formula:
        while self.token in ("²", "[", *POSTFIX):
            token = self.take()
            if token == "²":
                base = infix("^", base, Number("2"))
            elif token == "[":
                base = Index(parts=(base, self.formula(Strength.CHOICE)))
                self.take("]")
            else:
                base = postfix(token, base)
        return base


def fill(
    template: Formula,
    operands: Mapping[str, Formula],
    lists: Mapping[str, tuple[Formula, ...]],
    words: Mapping[str, str],
) -> Formula:
    """A template with formulas in its places.

    ``lists`` fill one place with several formulas, or with none; ``words`` stand for functions.
    """
    if isinstance(template, Slot):
        return operands[template.name]
    parts: list[Formula] = []
    for part in template.parts:
        if isinstance(part, Slot) and part.name in lists:
            parts.extend(lists[part.name])
        else:
            parts.append(fill(part, operands, lists, words))
    filled = replace(template, parts=tuple(parts))
    if isinstance(filled, Call) and filled.function[0] == "{":
        return Call(words[filled.function[1:-1]], parts=filled.parts)
    return filled
