"""One comparison in progress: the function along a direction, numerically and by its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.report import Certificate, Entry
from chainrule.derivatives import Argnums, Call, record_call, scalar_output
from chainrule.errors import ChainruleError, GradientError
from chainrule.gradient import pull_back
from chainrule.graph import Node, constant
from chainrule.interpreter import evaluate_nodes
from chainrule.pytrees import flatten

__all__ = ["Comparison"]

Array = NDArray[Any]
_EVERY_ENTRY = 200
_SAMPLE = 60
_DIRECTIONS = 5
_COMPLEX_STEP = 1e-30
_SLOPE = 1.9


class Comparison:
    """One comparison in progress: the function of one flat vector, and what is known of it."""

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        argnums: Argnums | None,
        gradient: Any,
        seed: int,
    ) -> None:
        self.function, self.arguments = function, arguments
        self.rng = np.random.default_rng(seed)
        chosen = real_arguments(arguments) if argnums is None else argnums
        self.call: Call = record_call(function, chosen, arguments, {})
        self.loss = scalar_output(self.call, function, has_aux=False)
        self.inputs = self.call.inputs
        self.values = dict(zip(self.call.graph.arguments, self.call.recording.values, strict=True))
        # Single precision is compared in double, so that the step can be small.
        self.at = [np.asarray(self.values[x], dtype=np.float64) for x in self.inputs]
        self.single = any(x.dtype == np.float32 for x in self.inputs)
        self.sizes = [x.size for x in self.at]
        self.epsilon = float(np.finfo(np.float32 if self.single else np.float64).eps)
        self.gradient = self._gradient(gradient)
        self.notes: list[str] = []
        self.kinks: dict[str, None] = {}

    def _gradient(self, given: Any) -> Array:
        if given is None:
            nodes = pull_back([self.loss], [constant(1, dtype=self.loss.dtype)], self.inputs)
            parts = evaluate_nodes(nodes, self.values)
        else:
            tree = given(*self.arguments) if callable(given) else given
            parts = flatten(tree)[0]
        if len(parts) != len(self.inputs) or any(
            np.shape(part) != x.shape for part, x in zip(parts, self.inputs, strict=False)
        ):
            raise GradientError(
                f"The gradient given has the shapes {[np.shape(part) for part in parts]}, and the "
                f"arguments have {[x.shape for x in self.inputs]}. Give one array for each."
            )
        flat = [np.asarray(part, dtype=np.float64).ravel() for part in parts]
        return np.concatenate(flat) if flat else np.zeros(0)

    def certificate(self) -> Certificate:
        """Compare, and sum up."""
        problems = self._not_finite()
        total = sum(self.sizes)
        if problems:
            return Certificate(self._name(), total, (), (), None, False, problems=tuple(problems))
        directions = self._directions(total)
        complex_step = tuple(self._complex_steps(directions))
        central = tuple(self._central(directions))
        slope, linear = self._taylor()
        for title, entries in (("complex step", complex_step), ("central difference", central)):
            wrong = [entry for entry in entries if not entry.right]
            if wrong:
                worst = max(wrong, key=lambda entry: entry.relative)
                problems.append(
                    f"{len(wrong)} of {len(entries)} differ from the {title}, most of all "
                    f"{worst.name}: {worst.gradient:.6g}, and numerically {worst.numeric:.6g}."
                )
        if slope is not None and slope < _SLOPE:
            problems.append(f"The Taylor slope is {slope:.2f}; it is 2.00 for a right gradient.")
        if not complex_step and not central and not self.kinks:
            problems.append("Nothing could be compared.")
        return Certificate(
            self._name(),
            total,
            complex_step,
            central,
            slope,
            linear,
            tuple(self.kinks),
            tuple(self.notes),
            tuple(problems),
        )

    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _not_finite(self) -> list[str]:
        order = self.call.graph.nodes()
        with np.errstate(all="ignore"):
            for node, value in zip(order, evaluate_nodes(order, self.values), strict=True):
                if np.asarray(value).dtype.kind == "f" and not np.isfinite(value).all():
                    where = node.source.describe() if node.source else node.name
                    return [f"A value is not finite at {where}, so nothing can be compared."]
        if not np.isfinite(self.gradient).all():
            place = int(np.argmin(np.isfinite(self.gradient)))
            return [f"The gradient is not finite, first at {self._entry_name(place)}."]
        return []

    # Entries and directions.

    def _entry_name(self, position: int) -> str:
        for x, size in zip(self.inputs, self.sizes, strict=True):
            if position < size:
                index = np.unravel_index(position, x.shape) if x.shape else ()
                return f"{x.name}[{', '.join(map(str, index))}]" if index else str(x.name)
            position -= size
        raise AssertionError(position)

    def _directions(self, total: int) -> list[tuple[str, Array]]:
        """Unit vectors for entries, and random directions where not all entries are compared."""
        chosen: Any = range(total)
        directions: list[tuple[str, Array]] = []
        if total > _EVERY_ENTRY:
            chosen = np.sort(self.rng.choice(total, _SAMPLE, replace=False))
            for number in range(_DIRECTIONS):
                vector = self.rng.normal(size=total)
                directions.append((f"direction {number + 1}", vector / np.linalg.norm(vector)))
        for position in chosen:
            vector = np.zeros(total)
            vector[position] = 1.0
            directions.append((self._entry_name(int(position)), vector))
        return directions

    def _moved(self, step: Any, direction: Array) -> list[Any]:
        """The chosen arguments, moved by a step along a direction."""
        parts: list[Any] = []
        start = 0
        for value, size in zip(self.at, self.sizes, strict=True):
            parts.append(value + step * direction[start : start + size].reshape(value.shape))
            start += size
        return parts

    def _given(self, parts: Sequence[Any]) -> dict[Node, Any]:
        return {**self.values, **dict(zip(self.inputs, parts, strict=True))}

    # The three comparisons.

    def _complex_steps(self, directions: list[tuple[str, Array]]) -> list[Entry]:
        entries: list[Entry] = []
        for name, vector in directions:
            try:
                with np.errstate(all="ignore"):
                    moved = self._given(self._moved(1j * _COMPLEX_STEP, vector))
                    value: Any = evaluate_nodes([self.loss], moved)[0]
            except (TypeError, ChainruleError) as error:
                self.notes.append(f"The complex step cannot be taken: {error}.")
                return []
            if self._cut():
                self.notes.append("The complex step passes through stop_gradient: not compared.")
                return []
            numeric = float(complex(value).imag) / _COMPLEX_STEP
            if not math.isfinite(numeric) or self._at_kink(vector, self._step(vector) / 64):
                continue
            exact = float(self.gradient @ vector)
            # Each term of the sum may lose a few units in its last place.
            spread = float(np.abs(self.gradient) @ np.abs(vector)) + abs(numeric)
            allowed = 1e3 * self.epsilon * (spread + self._scale() * self.epsilon)
            entries.append(Entry(name, exact, numeric, allowed + 1e-12 * self._largest()))
        return entries

    def _cut(self) -> bool:
        return any(node.primitive.name == "stop_gradient" for node in self.call.graph.nodes())

    def _largest(self) -> float:
        return float(np.max(np.abs(self.gradient), initial=0.0)) * (self.epsilon / 2.2e-16)

    def _scale(self) -> float:
        return abs(float(self._value(self.at)))

    def _step(self, vector: Array) -> float:
        """The step along a direction: the cube root of the rounding, times the values' size."""
        flat = np.concatenate([value.ravel() for value in self.at])
        return 6e-6 * max(1.0, float(np.abs(flat) @ np.abs(vector)))

    def _central(self, directions: list[tuple[str, Array]]) -> list[Entry]:
        entries: list[Entry] = []
        if self._cut():
            self.notes.append("A difference passes through stop_gradient: not compared.")
            return entries
        for name, vector in directions:
            h = self._step(vector)
            for _ in range(2):  # a smaller step may stay on this side of a kink nearby
                if self._kink(vector, 2 * h):
                    h /= 8
            if self._at_kink(vector, 2 * h):
                continue
            near, far = self._difference(vector, h), self._difference(vector, 2 * h)
            exact = float(self.gradient @ vector)
            rounding = self.rounding * max(self._scale(), abs(exact) * h) / h
            allowed = 10 * (abs(near - far) / 3 + rounding) + 1e-6 * abs(near) * self._coarse()
            entries.append(Entry(name, exact, near, allowed))
        return entries

    def _coarse(self) -> float:
        """Single precision is compared with a function that may round inside."""
        return 100.0 if self.single else 1e-2

    @property
    def rounding(self) -> float:
        """How far one value of the function may be off, relative to its size."""
        return 1e-7 if self.single else 4e-16 * max(1.0, math.log2(1 + sum(self.sizes)))

    def _difference(self, vector: Array, h: float) -> float:
        ahead, behind = self._value(self._moved(h, vector)), self._value(self._moved(-h, vector))
        return float((ahead - behind) / (2 * h))

    def _value(self, parts: Sequence[Any]) -> Any:
        """The function itself, on plain arrays."""
        arguments = list(self.arguments)
        remaining = iter(parts)
        for index in self.call.chosen:
            leaves, structure = flatten(self.call.given[index])
            row = self.call.nodes_by_argument[index]
            new = [
                leaf if node is None else _like(leaf, next(remaining))
                for leaf, node in zip(leaves, row, strict=True)
            ]
            arguments[index] = structure.unflatten(new)
        with np.errstate(all="ignore"):
            return np.float64(self.function(*arguments))

    def _at_kink(self, vector: Array, h: float) -> bool:
        """Whether there is a kink within a step, which is noted then."""
        node = self._kink(vector, h)
        if node is not None:
            where = node.source.describe() if node.source else node.primitive.name
            self.kinks.setdefault(f"There is a kink of {node.primitive.name} at {where}.")
        return node is not None

    def _kink(self, vector: Array, h: float) -> Node | None:
        """The node that takes other branches on the two sides of a step, or None."""
        here = self._branches(self._moved(0.0, vector))
        for side in (h, -h):
            there = self._branches(self._moved(side, vector))
            for node, before, after in zip(self._kinked(), here, there, strict=True):
                if not np.array_equal(before, after):
                    return node
        return None

    def _kinked(self) -> list[Node]:
        reached = self.call.graph.nodes()
        return [node for node in reached if node.primitive.kink is not None]

    def _branches(self, parts: Sequence[Any]) -> list[Any]:
        nodes = self._kinked()
        operands = [operand for node in nodes for operand in node.inputs]
        with np.errstate(all="ignore"):
            values = iter(evaluate_nodes(operands, self._given(parts)))
            branches: list[Any] = []
            for node in nodes:
                branch: Any = node.primitive.kink
                inputs = [next(values) for _ in node.inputs]
                branches.append(branch(*inputs, **node.attributes))
        return branches

    def _taylor(self) -> tuple[float | None, bool]:
        """The Taylor slope, or that the function is linear to rounding.

        Of three directions the largest slope counts: along one the second derivative may all but
        vanish, while a wrong gradient has slope 1 along almost all.
        """
        if not sum(self.sizes) or self._cut():
            return None, False
        measured = [self._slope_along(self._random_direction()) for _ in range(3)]
        slopes = [slope for slope in measured if slope is not None]
        if not slopes:
            return None, False
        finite = [slope for slope in slopes if math.isfinite(slope)]
        return (max(finite), False) if finite else (None, True)

    def _random_direction(self) -> Array:
        vector = self.rng.normal(size=sum(self.sizes))
        return vector / np.linalg.norm(vector)

    def _slope_along(self, vector: Array) -> float | None:
        """The slope of the remainder; inf where it is all rounding, None where a kink is near."""
        value, slope = float(self._value(self.at)), float(self.gradient @ vector)
        norm = math.sqrt(sum(float(np.sum(x * x)) for x in self.at))
        steps: list[float] = []
        remainders: list[float] = []
        smooth = False
        for k in range(2, 26):
            t = max(1.0, norm) * 2.0**-k
            if self._branches_differ(vector, t):
                continue
            smooth = True
            floor = 1000 * self.rounding * max(abs(value), abs(t * slope), 1e-300)
            remainder = abs(float(self._value(self._moved(t, vector))) - value - t * slope)
            if math.isfinite(remainder) and remainder > floor:
                steps.append(math.log(t))
                remainders.append(math.log(remainder))
        if not smooth:
            return None
        if len(steps) < 3:
            return math.inf
        # The smallest steps above the rounding show the leading term.
        return float(np.polyfit(steps[-5:], remainders[-5:], 1)[0])

    def _branches_differ(self, vector: Array, t: float) -> bool:
        here, there = (self._branches(self._moved(step, vector)) for step in (0.0, t))
        return any(not np.array_equal(a, b) for a, b in zip(here, there, strict=True))


def _like(leaf: Any, value: Any) -> Any:
    """A moved value as what the caller gave: a Python number stays one."""
    return float(value) if isinstance(leaf, float) and not isinstance(leaf, np.generic) else value


def real_arguments(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """The positions of the arguments whose numbers are all floating point."""
    chosen: list[int] = []
    for position, given in enumerate(arguments):
        leaves = flatten(given)[0]
        kinds = [np.asarray(leaf).dtype.kind for leaf in leaves]
        if "f" in kinds and not any(kind in "iu" for kind in kinds):
            chosen.append(position)
    if not chosen:
        raise GradientError(
            "No argument holds floating-point numbers, so there is no gradient to check. Write "
            "2.0 in place of 2, or convert arrays with .astype(float)."
        )
    return tuple(chosen)
