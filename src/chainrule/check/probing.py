"""What the edits of a statement would give where it stands, of which only few are worth a run."""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import json
import math
import os
import re
import signal
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.edits import Edit, Source, scope_of
from chainrule.check.moves import into_the_loop, moved_and_added, refreshed
from chainrule.check.programs import Program
from chainrule.check.rewriting import copied_alias, rewritten
from chainrule.check.running import Watch, execute
from chainrule.check.study import Study, Suspect

__all__ = ["Edits", "Probe", "edits_of"]

Array = NDArray[Any]
_SUMMED, _SUMS = 40, 5
"""How often a statement is looked at in an iteration, as in a loop over layers, or over samples."""
_SECONDS_A_VISIT = 2.0
_MOST_OF_A_KIND, _FEWEST_OF_A_KIND = 50, 12
_ALIKE = 2
"""How many edits that give the same are worth a run."""
_LOSS_CAUSES = ("one-sample-loss", "regularisation", "factor")
_GRADIENT, _NO_GRADIENT, _NOT_SEEN = -0.6, 1.2, 1.5
"""What it costs an edit that its value is a gradient, is none that is known, or was not seen."""


_KNOWN_CAUSE = 1.0
"""What an edit costs less that undoes what was seen to be wrong."""

_Mark = tuple[list[int], list[float]]
Codes = dict[int, CodeType | None]


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
    """Results that are thrown away, as in ``y, _ = forward(x)``, where the same call has set them."""
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


class Probe:
    """Evaluates edits where their statements stand, in a copy of the process."""

    def __init__(self, program: Program, folder: Path, study: Study, edits: list[Edits]) -> None:
        self._program, self._folder, self._edits = program, folder, edits
        self._exact = _by_shape(mark for each in study.exact for mark in _marks(each))
        self._tolerance = 10 * study.tolerance
        self._ratios = study.ratios()

    def run(self, loop: int, iteration: int) -> None:
        """Run the program to the end of an iteration."""
        watch = _Probing(self._program, self._folder, self._edits, (loop, iteration))
        execute(self._program, watch, {each.place: i for i, each in enumerate(self._edits)})

    def kept(self) -> list[Edit]:
        """The edits that are worth a run, the likeliest first."""
        found: list[Edit] = []
        for i, each in enumerate(self._edits):
            # Of the line that is the likeliest most.
            of_all = _MOST_OF_A_KIND // max(len(self._edits), 1)
            most = _MOST_OF_A_KIND if i == 0 else max(of_all, _FEWEST_OF_A_KIND)
            gradients: list[Edit] = []
            unseen: list[Edit] = []
            others: list[Edit] = []
            visits = list(self._visits(i))
            alike: Counter[tuple[Any, ...]] = Counter()
            for k, edit in sorted(enumerate(each.edits), key=lambda pair: pair[1].cost):
                if edit.expression is None:
                    unseen.append(edit)
                    continue
                values = [visit[str(k)] for visit in visits if str(k) in visit]
                owns = [
                    None if edit.is_added else visit["own"] for visit in visits if str(k) in visit
                ]
                if not values:
                    # What is seen of a statement may be no array, as of a tuple or an object.
                    no_array = all(visit["own"] is None for visit in visits) and each.own
                    if no_array or any(visit["last"] < edit.cost for visit in visits):
                        others.append(replace(edit, cost=edit.cost + _NOT_SEEN))
                    continue
                mark = tuple(
                    (tuple(shape), *(round(each, 6) for each in _scaled(sums)))
                    for shape, sums in values
                )
                alike[mark] += 1
                if alike[mark] <= _ALIKE:
                    worth = self._worth(values, owns)
                    if worth is not None and not (worth and edit.is_added):
                        kind = others if worth else gradients
                        kind.append(replace(edit, cost=edit.cost + (worth or _GRADIENT)))
            for kind in (gradients, unseen, others):
                found += sorted(kind, key=lambda edit: edit.cost)[:most]
        return sorted(found, key=lambda edit: edit.cost)

    def _visits(self, i: int) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob(f"visit-{i}-*.json")):
            with suppress(OSError, ValueError):
                yield json.loads(path.read_text(encoding="utf-8"))

    def _worth(self, values: list[_Mark], owns: list[_Mark | None]) -> float | None:
        """What is added to the cost of an edit with these values; None where it is not tried."""
        pairs: list[tuple[_Mark | None, _Mark | None]] = list(zip(values, owns, strict=True))
        if len(values) > 1 and len({tuple(shape) for shape, _ in values}) == 1:
            pairs.append((_sum(values), _sum(owns)))
        best: float | None = None
        for value, own in pairs:
            worth = self._worth_of(value, own)
            if worth is not None:
                best = worth if best is None else min(best, worth)
        return best

    def _worth_of(self, value: _Mark | None, own: _Mark | None) -> float | None:
        if value is None:
            return None
        factor = self._multiple(value, _by_shape([own])) if own is not None else None
        if factor is not None and abs(factor - 1.0) <= self._tolerance:
            return None  # it changes nothing
        of_exact = self._multiple(value, self._exact)
        is_one = all(size == 1 for size in value[0])
        if factor is not None and (is_one or self._multiple(own, self._exact) is not None):
            if any(abs(factor - r) <= 1e-6 * abs(r) for r in self._ratios):
                return 0.0
            return None if self._ratios and not is_one else _NO_GRADIENT
        if of_exact is not None and (not is_one or abs(abs(of_exact) - 1) <= self._tolerance):
            return 0.0
        alike = own is None or _bare(own[0]) == _bare(value[0]) or not _bare(own[0])
        return _NO_GRADIENT if alike else None

    def _multiple(self, value: _Mark | None, exact: Mapping[tuple[int, ...], Array]) -> float | None:
        """The factor by which a value is one of some others, but for axes of length 1."""
        rows = None if value is None else exact.get(_bare(value[0]))
        if value is None or rows is None:
            return None
        sums = np.asarray(value[1])
        sizes = np.einsum("ij,ij->i", rows, rows)
        factors = rows @ sums / np.where(sizes, sizes, 1.0)
        errors = np.linalg.norm(sums - factors[:, None] * rows, axis=1)
        near = (factors != 0) & (errors <= self._tolerance * np.abs(factors) * np.sqrt(sizes))
        return float(factors[near][0]) if near.any() else None


def _by_shape(marks: Iterable[_Mark]) -> dict[tuple[int, ...], Array]:
    """The sums of some values, those of one shape together."""
    found: dict[tuple[int, ...], list[list[float]]] = {}
    for shape, sums in marks:
        found.setdefault(_bare(shape), []).append(sums)
    return {shape: np.asarray(rows) for shape, rows in found.items()}


class _Probing(Watch):
    """Runs untraced to the iteration, and to its end."""

    def __init__(
        self, program: Program, results: Path, edits: list[Edits], at: tuple[int, int]
    ) -> None:
        super().__init__(program, results, None)
        self._edits, self._loop, self._iteration = edits, *at
        self._begun = 0
        self._visits: Counter[int] = Counter()
        self._inside = False

    def begin(self, loop: int) -> None:
        """An iteration begins."""
        if loop != self._loop:
            return
        if self._begun > self._iteration:
            os._exit(0)
        self._inside = self._begun == self._iteration
        self._begun += 1

    def end(self, loop: int) -> None:
        """The loop ends."""
        if loop == self._loop and self._inside:
            os._exit(0)

    def probe(self, number: int) -> None:
        """Evaluate the edits of a statement that is about to run."""
        edits = self._edits[number]
        if not self._inside or self._visits[number] >= _SUMMED:
            return
        self._visits[number] += 1
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        codes = edits.codes  # compiled here, once for all visits
        process = os.fork()  # an edit may call what changes something
        if process:
            os.waitpid(process, 0)
            return
        names = {**frame.f_globals, **frame.f_locals}
        path = self.results / f"visit-{number}-{self._visits[number]:03}.json"
        signal.setitimer(signal.ITIMER_REAL, 2 * _SECONDS_A_VISIT)
        # What an edit calls may be watched as well; and an edit that trains is none.
        self.probe, self.begin = _ignored, _refused
        with suppress(BaseException):
            found = _evaluated(codes, names, [each.cost for each in edits.edits])
            path.write_text(json.dumps(found), encoding="utf-8")
        os._exit(0)


def _ignored(number: int) -> None:
    pass


def _refused(loop: int) -> None:
    raise RuntimeError(loop)


def _evaluated(codes: Codes, names: dict[str, Any], costs: list[float]) -> dict[str, Any]:
    """What each edit gives by its number, as shape and sums; "last" is the dearest one seen."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    end = time.monotonic() + _SECONDS_A_VISIT
    found: dict[str, Any] = {"own": None, "last": math.inf}
    own = _value(codes[-1], names)
    if own is not None:
        found["own"] = _mark(own)
    for i in sorted(range(len(costs)), key=costs.__getitem__):
        if time.monotonic() > end:
            found["last"] = costs[i]
            break
        value = _value(codes.get(i), names)
        if value is not None:
            found[str(i)] = _mark(value)
    return found


def _value(code: CodeType | None, names: dict[str, Any]) -> Array | None:
    """An expression's value where it is a number or array, else None."""
    if code is None:
        return None
    try:
        found = eval(code, names)
        if found is None or isinstance(found, str | bytes | dict | list | tuple):
            return None
        value = np.asarray(found, dtype=np.float64)
    except Exception:  # an edit is a guess: whatever it raises, it is none that gives a value
        return None
    return value if value.size and np.all(np.isfinite(value)) else None


def _compiled(expression: str, target: str) -> CodeType | None:
    """An expression, ready to be evaluated: what it adds to a target, and without writing to it."""
    text = re.sub(r",\s*out *=[^,)]+", "", expression)
    if target:
        text = f"({text}\n) - {target}"
    try:
        return compile(f"({text}\n)", "<edit>", "eval")
    except (SyntaxError, ValueError):
        return None


def _scaled(sums: Sequence[float]) -> list[float]:
    """Sums by the power of ten of the largest, so that they can be compared as rounded."""
    largest = max(map(abs, sums))
    scale = 10.0 ** math.floor(math.log10(largest)) if largest else 1.0
    return [each / scale for each in sums] + [math.log10(scale)]


def _sum(values: Sequence[_Mark | None]) -> _Mark | None:
    """What values of one shape come to when they are added up."""
    known = [each for each in values if each is not None]
    if len(known) < len(values) or len({tuple(shape) for shape, _ in known}) != 1:
        return None
    return known[0][0], np.sum([sums for _, sums in known], axis=0).tolist()


def _bare(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _mark(value: Array) -> _Mark:
    """A value as its shape and its sums with some weights, which add up and scale as it does."""
    return list(value.shape), (_weights(_bare(value.shape)) @ value.ravel()).tolist()


@lru_cache(maxsize=64)
def _weights(shape: tuple[int, ...]) -> Array:
    """The same numbers for each shape, in every process."""
    key = zlib.crc32(repr(shape).encode())
    return np.random.default_rng(key).normal(size=(_SUMS, math.prod(shape)))


def _marks(exact: Array) -> list[_Mark]:
    """An exact gradient, and its transpose."""
    forms = [exact, exact.T] if exact.ndim == 2 and min(exact.shape) > 1 else [exact]
    return [_mark(np.asarray(form, np.float64)) for form in forms]
