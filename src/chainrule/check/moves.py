"""Statements of a backward pass put elsewhere, added, or given another operator."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from chainrule.check.edits import Edit, Scope, Source, words

__all__ = ["into_the_loop", "moved_and_added", "refreshed"]

_ZERO = re.compile(r"zeros|^[\[(]?0(\.0*)?\b|\* *0\b")
_FARTHEST = 8
"""How many statements an update is moved over."""


def moved_and_added(
    source: Source, statement: ast.stmt, scope: Scope, wrong: Collection[str]
) -> Iterator[Edit]:
    """Every edit that leaves the values of a statement as they are.

    ``wrong`` are the names of parameters that may lack a statement of their own.
    """
    yield from _operators(source, statement)
    yield from _elsewhere(source, statement)
    yield from _for_another(source, statement, wrong)
    yield from _accumulated(source, statement, scope, wrong)


def _operators(source: Source, statement: ast.stmt) -> Iterator[Edit]:
    """A sum where a value is set, and the reverse; a step taken off where it is added."""
    if not isinstance(statement, ast.Assign | ast.AugAssign):
        return
    target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
    start = target.end_lineno or target.lineno, target.end_col_offset or 0
    end = statement.value.lineno, statement.value.col_offset
    between = source.between(start, end)
    name = source.of(target)
    if isinstance(statement, ast.AugAssign):
        if isinstance(statement.op, ast.Add | ast.Sub):
            other = "-=" if isinstance(statement.op, ast.Add) else "+="
            new = between.replace("+=" if other == "-=" else "-=", other)
            verb = "taken off" if other == "-=" else "added"
            why = f"the step is to be {verb} {'from' if other == '-=' else 'to'} {name}"
            yield Edit(start, end, new, "sign", why, 0.9)
        new = re.sub(r"[-+*/]=", "=", between)
        why = f"{name} keeps what it was in the iteration before"
        if isinstance(target, ast.Attribute | ast.Name):
            yield Edit(start, end, new, "stale", why, 1.3)
            yield Edit(start, end, f"[...]{new}", "stale", why, 1.32)
    elif len(statement.targets) == 1:
        new = between.replace("=", "+=", 1)
        yield Edit(start, end, new, "factor", f"{name} is to be summed up, not set anew", 1.4)


def _span(
    source: Source, first: ast.stmt, last: ast.stmt
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Whole lines from one statement to another."""
    end = last.end_lineno or last.lineno
    return (first.lineno, 0), (end, len(source.line(end).encode()))


def _text(source: Source, statement: ast.stmt) -> str:
    """The lines of a statement, with their indentation."""
    return "\n".join(
        source.line(n)
        for n in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    )


def _alone(source: Source, statements: list[ast.stmt]) -> bool:
    """Whether each begins its line and none shares one, so that lines can be moved."""
    return all(
        not source.line(each.lineno).encode()[: each.col_offset].strip()
        and (i == 0 or each.lineno > (statements[i - 1].end_lineno or 0))
        for i, each in enumerate(statements)
    )


def _elsewhere(source: Source, statement: ast.stmt) -> Iterator[Edit]:
    """A statement moved after, or before, some that follow or go before it."""
    if not isinstance(statement, ast.Assign | ast.AugAssign):
        return
    block = source.block(statement)
    i = block.index(statement)
    for j in range(i + 1, min(i + 1 + _FARTHEST, len(block))):
        passed = block[i + 1 : j + 1]
        if not _alone(source, [statement, *passed]):
            break
        start, end = _span(source, statement, block[j])
        text = "\n".join(_text(source, each) for each in [*passed, statement])
        slip = _of_move(source, statement, passed, later=True)
        if slip is not None:
            yield Edit(start, end, text, *slip, 1.0 + 0.02 * (j - i))
    for j in range(i - 1, max(i - 1 - _FARTHEST, -1), -1):
        passed = block[j:i]
        if not _alone(source, [*passed, statement]):
            break
        start, end = _span(source, block[j], statement)
        text = "\n".join(_text(source, each) for each in [statement, *passed])
        slip = _of_move(source, statement, passed, later=False)
        if slip is not None:
            yield Edit(start, end, text, *slip, 1.1 + 0.02 * (i - j))


def _of_move(
    source: Source, moved: ast.stmt, passed: list[ast.stmt], *, later: bool
) -> tuple[str, str] | None:
    """What kind of slip it was that a statement stood before others, or after them.

    None where neither uses what the other sets.
    """
    first, second = ([moved], passed) if later else (passed, [moved])
    pairs = [(each, other) for each in first for other in second]
    for each, other in pairs:
        # What the one changes was to be used as it was.
        changed = _names(source, each, ast.Store) & _names(source, other, ast.Load)
        if changed and _is_step(source, each):
            name = ", ".join(sorted(changed))
            return "updated-early", f"{name} is changed before line {other.lineno} uses it"
    for each, other in pairs:
        late = _names(source, each, ast.Load) & _names(source, other, ast.Store)
        if late:
            name = ", ".join(sorted(late))
            why = f"line {each.lineno} uses {name} before line {other.lineno} sets it"
            return "stale", why
    return None


def _names(source: Source, statement: ast.stmt, kind: type[ast.expr_context]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, kind):
            found.add(source.of(node))
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, kind):
            found.add(source.of(node.value))
    return found


def _is_step(source: Source, statement: ast.stmt) -> bool:
    """Whether a statement changes what it sets: ``W -= ...`` or ``W = W - ...``."""
    if isinstance(statement, ast.AugAssign):
        return True
    return bool(_names(source, statement, ast.Store) & _names(source, statement, ast.Load))


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AugAssign | ast.AnnAssign) else []


def into_the_loop(source: Source, statement: ast.stmt) -> Iterator[Edit]:
    """What is set before a loop that a statement stands in, set in every iteration instead."""
    loop: ast.AST = statement
    while loop in source.parents:
        loop = source.parents[loop]
        if isinstance(loop, ast.For | ast.While):
            block = source.block(loop)
            i = block.index(loop)
            for before in block[max(i - _FARTHEST, 0) : i]:
                if (
                    isinstance(before, ast.Assign)
                    and _ZERO.search(source.of(before.value))
                    and _alone(source, [before, loop])
                ):
                    yield from _set_inside(source, before, loop)


def refreshed(source: Source, statement: ast.Assign, alike: Iterable[ast.Assign]) -> Iterator[Edit]:
    """A result that is thrown away, given the name that it has where the same is called before."""
    target = statement.targets[0]
    if not isinstance(target, ast.Tuple):
        return
    for other in alike:
        names = other.targets[0]
        if not isinstance(names, ast.Tuple) or len(names.elts) != len(target.elts):
            continue
        for old, new in zip(target.elts, names.elts, strict=True):
            name, own = source.of(new), source.of(old)
            if own.startswith("_") and not name.startswith("_"):
                start = old.lineno, old.col_offset
                end = old.end_lineno or old.lineno, old.end_col_offset or 0
                why = f"{name} keeps what it was before the loop"
                yield Edit(start, end, name, "stale", why, 1.0)


def _set_inside(source: Source, statement: ast.Assign, loop: ast.For | ast.While) -> Iterator[Edit]:
    first = loop.body[0]
    if first.lineno == loop.lineno:
        return
    indent = source.line(first.lineno)[: first.col_offset]
    own = _text(source, statement)
    margin = len(own) - len(own.lstrip())
    inside = "\n".join(indent + line[margin:] for line in own.split("\n"))
    between = [source.line(n) for n in range((statement.end_lineno or 0) + 1, first.lineno)]
    end = (first.lineno - 1, len(source.line(first.lineno - 1).encode()))
    name = source.of(statement.targets[0])
    why = f"{name} is not set anew in each iteration, so that it keeps those before"
    yield Edit((statement.lineno, 0), end, "\n".join([*between, inside]), "stale", why, 1.2)


def _for_another(source: Source, statement: ast.stmt, wrong: Collection[str]) -> Iterator[Edit]:
    """The same statement once more, for a parameter that has none like it."""
    if not isinstance(statement, ast.AugAssign | ast.Assign) or not _alone(source, [statement]):
        return
    own = _text(source, statement)
    known = set(words(own))
    others = {
        word
        for other in source.statements.values()
        for each in other
        for target in _targets(each)
        for word in words(source.of(target))
    }
    target = words(source.of(_targets(statement)[0]))[-1]
    for other in sorted(others - {target}):
        if not any(name in other for name in wrong) or not _similar(target, other):
            continue
        new = re.sub(rf"(?<![A-Za-z]){re.escape(target)}(?![A-Za-z0-9])", other, own)
        new = re.sub(rf"\b((?:d|g|grad_|d_|grad|delta_|v|m)_?){re.escape(target)}\b",
                     rf"\g<1>{other}", new)  # fmt: skip
        if new == own or set(words(new)) == known:
            continue
        start, end = _span(source, statement, statement)
        why = f"{other} is never updated, though its gradient is there"
        yield Edit(start, end, f"{own}\n{new}", "update", why, 0.95)


def _similar(one: str, other: str) -> bool:
    """W1 and b1, W2 and b2, w_out and b_out."""
    return one[-1:] == other[-1:] or one[:1] == other[:1]


def _accumulated(
    source: Source, statement: ast.stmt, scope: Scope, wrong: Collection[str]
) -> Iterator[Edit]:
    """A gradient that begins at 0 and is never added to."""
    if not isinstance(statement, ast.Assign | ast.AugAssign) or not _alone(source, [statement]):
        return
    own = _text(source, statement)
    indent = own[: len(own) - len(own.lstrip())]
    start, end = _span(source, statement, statement)
    for name in dict.fromkeys(_zeros(source)):
        if not any(word in name for word in wrong):
            continue
        if re.search(rf"^\s*{re.escape(name)}(\[.*\])? *\+=", source.text, re.M):
            continue
        for i, value in enumerate(scope.values):
            for term in (value, f"{value}.sum(axis=0)"):
                why = f"nothing is ever added to {name}"
                text = f"{own}\n{indent}{name} += {term}"
                cost = 1.3 + 0.02 * i
                yield Edit(start, end, text, "bias", why, cost, expression=term, is_added=True)


def _zeros(source: Source) -> Iterator[str]:
    """The variables that begin as zeros inside a loop or function."""
    for statements in source.statements.values():
        for each in statements:
            if not isinstance(each, ast.Assign):
                continue
            text = source.of(each.value)
            if _ZERO.search(text):
                for target in each.targets:
                    names = target.elts if isinstance(target, ast.Tuple) else [target]
                    yield from (source.of(name) for name in names)
