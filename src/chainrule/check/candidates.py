"""The edits of the statements under suspicion, and the code that evaluates them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import CodeType

from chainrule.check.edits import Edit, Source, scope_of
from chainrule.check.moves import into_the_loop, moved_and_added, refreshed
from chainrule.check.rewriting import copied_alias, rewritten
from chainrule.check.study import Study, Suspect

__all__ = ["Codes", "Edits", "edits_of"]

Codes = dict[int, CodeType | None]
_LOSS_CAUSES = ("one-sample-loss", "regularisation", "factor")
_KNOWN_CAUSE = 1.0
"""What an edit costs less that undoes what was seen to be wrong."""


@dataclass(frozen=True)
class Edits:
    """The edits of one statement, which is given by line and column.

    ``own`` is the expression that it has, and ``target`` what it changes by adding to it.
    """

    place: tuple[int, int]
    own: str
    edits: list[Edit]
    target: str = ""

    @cached_property
    def codes(self) -> Codes:
        """The edits' expressions by their number, and the statement's own as -1."""
        codes = {
            i: _compiled(edit.expression, "" if edit.is_added else self.target)
            for i, edit in enumerate(self.edits)
            if edit.expression is not None
        }
        return {**codes, -1: _compiled(self.own, self.target)}


def edits_of(source: Source, suspects: Sequence[Suspect], study: Study) -> list[Edits]:
    """All edits of the statements in some lines; the cost of a line is added to that of each."""
    found: list[Edits] = []
    seen: set[ast.stmt] = set()
    words = frozenset(study.compared["forward"])
    for suspect in sorted(suspects, key=lambda each: each.cost):
        for statement in source.statements.get(suspect.line, []):
            if statement in seen:
                continue
            seen.add(statement)
            scope = scope_of(source, statement, words)
            edits = list(rewritten(source, statement, scope))
            if suspect.is_loss:
                edits = [each for each in edits if each.cause in _LOSS_CAUSES]
            else:
                edits += moved_and_added(source, statement, scope, study.wrong)
                edits += into_the_loop(source, statement)
            value = getattr(statement, "value", None)
            own = source.of(value) if isinstance(value, ast.expr) else ""
            edits = [replace(each, cost=each.cost + suspect.cost) for each in edits]
            if study.compared["adds_up"]:
                edits = [_likelier(each) if each.cause == "stale" else each for each in edits]
            place = statement.lineno, statement.col_offset
            found.append(Edits(place, own, edits, _target(source, statement, own)))
    if not any(each.is_loss for each in suspects):
        found += _aliases(source, seen)
        found += _left_out(source, seen)
    return found


def _likelier(edit: Edit) -> Edit:
    return replace(edit, cost=edit.cost - _KNOWN_CAUSE)


def _aliases(source: Source, seen: set[ast.stmt]) -> Iterator[Edits]:
    """What only gives another name to an array that is then changed in place."""
    blocks = {id(source.block(each)): source.block(each) for each in seen}
    for statement in (each for block in blocks.values() for each in block):
        if not isinstance(statement, ast.Assign) or statement in seen:
            continue
        if isinstance(statement.value, ast.Name | ast.Attribute | ast.Subscript):
            edits = [copied_alias(source, statement.value)]
            yield Edits((statement.lineno, statement.col_offset), "", edits)


def _left_out(source: Source, seen: set[ast.stmt]) -> Iterator[Edits]:
    """Results that are thrown away, as in ``y, _ = f(x)``, where the same call has set them."""
    calls: dict[str, list[ast.Assign]] = {}
    for statement in (each for line in source.statements.values() for each in line):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            calls.setdefault(source.of(statement.value.func), []).append(statement)
    for alike in calls.values():
        for statement in dict.fromkeys(alike):
            edits = list(refreshed(source, statement, alike))
            if edits and statement not in seen:
                yield Edits((statement.lineno, statement.col_offset), "", edits)


def _target(source: Source, statement: ast.stmt, own: str) -> str:
    """What a statement changes, as in ``W = W - ...``; "" where it sets something new."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        outs = [each.value for each in statement.value.keywords if each.arg == "out"]
        if outs and source.of(outs[0]) in [source.of(each) for each in statement.value.args]:
            return source.of(outs[0])
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = source.of(statement.targets[0])
        if re.search(rf"(?<![\w.]){re.escape(target)}(?!\w)", own):
            return target
    return ""


def _compiled(expression: str, target: str) -> CodeType | None:
    """An expression, ready to be evaluated: what it adds to a target, and without writing to it."""
    text = re.sub(r",\s*out *=[^,)]+", "", expression)
    if target:
        text = f"({text}\n) - {target}"
    try:
        return compile(f"({text}\n)", "<edit>", "eval")
    except (SyntaxError, ValueError):
        return None
