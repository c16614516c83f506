"""What is known of a wrong iteration before repairs of it are tried."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.comparison import Compared
from chainrule.check.conclusions import described
from chainrule.check.derivation import derivation
from chainrule.check.iteration import Trace
from chainrule.check.multiples import tolerance_of
from chainrule.check.programs import Program
from chainrule.check.roles import Roles, ancestors
from chainrule.check.running import Watch
from chainrule.check.updates import last_word
from chainrule.check.values import forward_gradients, inner_derivatives, local_derivatives
from chainrule.graph import Node

__all__ = ["Study", "Studying", "Suspect", "Wanted", "read_study"]

Array = NDArray[Any]
_LARGEST = 2**22


@dataclass(frozen=True)
class Wanted:
    """Which iteration of which loop is compared, by which loss, and the first wrong line.

    ``proved`` says that the exact gradient in its place would put all right, ``is_known_loss``
    that the loss is a known one that the program does not show.
    """

    loop: int
    iteration: int
    loss: str | None
    line: int | None = None
    proved: bool = False
    is_known_loss: bool = False


@dataclass(frozen=True)
class Suspect:
    """A line that may be wrong: ``wave`` 0 before 1, and in a wave those of least ``cost`` first.

    First comes the first wrong line, then those that only wrong gradients are made of, then others.

    The lines of the loss come last; of them only what they leave out is tried.
    """

    line: int
    wave: int
    cost: float
    is_loss: bool = False


@dataclass(frozen=True)
class Study:
    """A compared iteration, the arrays that are exact gradients, and the lines under suspicion.

    ``found`` is what all iterations came to, by their number.
    """

    compared: dict[str, Any]
    suspects: tuple[Suspect, ...]
    exact: tuple[Array, ...]
    tolerance: float
    found: dict[int, dict[str, Any]]

    def waves(self) -> Iterator[list[Suspect]]:
        """The suspects, those that are looked at together together."""
        for wave in sorted({each.wave for each in self.suspects}):
            yield [each for each in self.suspects if each.wave == wave]

    @property
    def judged(self) -> set[int]:
        """The iterations that were compared and have gradients that are not 0."""
        return {number for number, each in self.found.items() if "verdict" in each}

    def names(self, iteration: int) -> set[str]:
        """The parameters that were compared in an iteration, and the one that is never updated."""
        found = self.found.get(iteration, {})
        names = {each["name"] for each in found.get("parameters", [])}
        return names | ({found["never"]} - {None} if names else set())

    @property
    def wrong(self) -> set[str]:
        """The last words of the parameters that are wrong: W1 of ``self.W1``."""
        names = [each["name"] for each in self.compared["parameters"] if not each["right"]]
        if self.compared["never"] is not None:
            names.append(self.compared["never"])
        return {last_word(name) for name in names}

    def ratios(self) -> list[float]:
        """By what a value that is a gradient but for its factor may have to be multiplied."""
        found: set[float] = set()
        factor = self.compared["factor"]
        for each in self.compared["values"]:
            if each["of"] is not None and each["factor"]:
                found.add(factor / each["factor"])
        steps: dict[str, float | None] = self.compared["steps"]
        right = {each["name"] for each in self.compared["parameters"] if each["right"]}
        usual = [step for name, step in steps.items() if step and name in right]
        found |= {u / step for u in usual for step in steps.values() if step}
        return [each for each in found if not math.isclose(each, 1.0, rel_tol=1e-6)]


class Studying(Watch):
    """Compares one iteration, and notes all of it."""

    def __init__(self, program: Program, results: Path, wanted: Wanted) -> None:
        super().__init__(program, results, wanted.loss, only=wanted.loop, also=wanted.iteration)
        self._line, self._proved = wanted.line, wanted.proved
        self.locates = wanted.line is None or wanted.is_known_loss

    def found(self, trace: Trace, roles: Roles, compared: Compared | None) -> dict[str, Any]:
        """The comparison, and for its own iteration the study."""
        if compared is None:
            return super().found(trace, roles, compared)
        exact = [array for _, array in forward_gradients(trace, roles)]
        exact += [array for _, array in local_derivatives(trace, roles)]
        exact += inner_derivatives(trace, roles)
        kept = [array for array in exact if array.size <= _LARGEST and np.any(array)]
        found = described(compared)
        path = self.results / f"{self.looked_at}"
        np.savez(path.with_suffix(".npz"), *kept)
        return {
            **found,
            "suspects": [asdict(each) for each in self._suspects(trace, roles, compared)],
            "derivation": self._derivation(trace, roles, compared),
            "forward": sorted(_forward_words(trace, roles)),
            "tolerance": max(tolerance_of(each.start) for each in compared.parameters),
        }

    def _derivation(self, trace: Trace, roles: Roles, compared: Compared) -> list[str]:
        """Where what the line computes is a gradient, how it follows from the rules."""
        for value in compared.values:
            if value.line == self._line and value.of and not compared.wrong:
                return derivation(trace, roles, value.of)
        return []

    def _suspects(self, trace: Trace, roles: Roles, compared: Compared) -> list[Suspect]:
        first = self._line
        if first is None and compared.first is not None:
            first = compared.first.line
        # What is not proved to be the first wrong line is a suspect among others.
        return _suspects(trace, roles, compared, self.file, first, 0 if self._proved else 1)


def read_study(folder: Path, iteration: int, all_found: dict[int, dict[str, Any]]) -> Study | None:
    """What a process has written; None where it did not come so far."""
    for path in folder.glob(f"*-{iteration}.json"):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                exact = tuple(arrays[name] for name in arrays.files)
            suspects = tuple(Suspect(**each) for each in found["suspects"])
        except (OSError, ValueError, KeyError):
            continue
        return Study(found, suspects, exact, found["tolerance"], all_found)
    return None


def _suspects(
    trace: Trace, roles: Roles, compared: Compared, file: str, first: int | None, wave: int
) -> list[Suspect]:
    """The lines of the gradients, the first wrong one and what it calls before all others."""
    below = ancestors([each.end for each in roles.parameters])
    backward = [node for node in trace.log if node in below - roles.forward]
    forward_lines = {line for node in roles.forward for line in _lines(node, file)}
    chains = [lines for node in backward if (lines := _lines(node, file))]
    near = {lines[0] for lines in chains if first in lines}
    # What a right gradient is made of as well is hardly wrong.
    right = [each.end for each in roles.parameters if each not in compared.wrong]
    innocent = ancestors(right) if compared.wrong else set[Node]()
    guilty = {line for node in backward if node not in innocent for line in _lines(node, file)}
    callers = {line for lines in chains if lines[0] == first for line in lines[1:2]}
    order = list(dict.fromkeys(line for lines in chains for line in lines))
    found: list[Suspect] = []
    own_of_loss = list(_loss_lines(trace, roles, file))
    wave = 0 if first in own_of_loss else wave
    for i, line in enumerate(order):
        if line == first:
            found.append(Suspect(line, wave, 0.0))
        elif line in forward_lines:
            continue
        elif line in callers:
            found.append(Suspect(line, wave, 0.02))
        elif line in near:
            found.append(Suspect(line, wave, 0.4))
        else:
            distance = abs(i - order.index(first)) if first in order else i
            found.append(Suspect(line, 1 if line in guilty else 2, 0.02 * distance))
    if first is not None and first not in order:
        found.append(Suspect(first, wave, 0.0))
    known = {each.line for each in found}
    for line in own_of_loss:
        if line not in known:
            found.append(Suspect(line, 3, 0.5, is_loss=True))
    return found


def _forward_words(trace: Trace, roles: Roles) -> set[str]:
    """The names of what lies between the parameters and the loss, without what is around them."""
    between = trace.after({each.start for each in roles.parameters}) & roles.forward
    return {last_word(node.name) for node in between if node.name}


def _loss_lines(trace: Trace, roles: Roles, file: str) -> Iterable[int]:
    """The lines that only the loss is made in: no gradient is made of what they compute."""
    used = ancestors([each.end for each in roles.parameters])
    assert roles.loss is not None
    own = [node for node in trace.log if node in roles.forward - used or node is roles.loss]
    return dict.fromkeys(line for node in own for line in _lines(node, file)[:1])


def _lines(node: Node, file: str) -> list[int]:
    """Where a value was computed, in the innermost function first."""
    if node.source is None or node.primitive.kind == "leaf":
        return []
    return [each.line for each in node.source.positions if each.file == file]
