"""What the edits of a statement would give where it stands, of which only few are worth a run."""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.candidates import Codes, Edits
from chainrule.check.edits import Edit
from chainrule.check.execution import execute
from chainrule.check.programs import Program
from chainrule.check.running import Watch
from chainrule.check.study import Study

__all__ = ["Probe"]

Array = NDArray[Any]
_SUMMED, _SUMS = 40, 5
"""How often a statement is looked at in an iteration, as in a loop over layers, or over samples."""
_SECONDS_A_VISIT = 2.0
_MOST_OF_A_KIND, _FEWEST_OF_A_KIND = 50, 12
_ALIKE = 2
"""How many edits that give the same are worth a run."""
_GRADIENT, _NO_GRADIENT, _NOT_SEEN = -0.6, 1.2, 1.5
"""What it costs an edit that its value is a gradient, is none that is known, or was not seen."""

_Mark = tuple[list[int], list[float]]


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

    def _multiple(
        self, value: _Mark | None, exact: Mapping[tuple[int, ...], Array]
    ) -> float | None:
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
