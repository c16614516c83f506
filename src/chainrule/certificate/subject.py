"""The function that is checked, as a function of one flat vector of doubles."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import (
    Argnums,
    argument_position,
    is_field,
    name_of,
    not_real,
    positional_call,
)
from chainrule.errors import GradientError
from chainrule.pytrees import flatten
from chainrule.tracer import is_traced

__all__ = ["Part", "Subject", "is_real"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """A leaf that derivatives are taken by: its name, and where it stands.

    ``leaf`` is its position among the leaves of all arguments, ``start`` that of its first number
    in the flat vector.
    """

    name: str
    leaf: int
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    plain: bool  # a Python float

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def span(self) -> slice:
        """Its numbers in the flat vector."""
        return slice(self.start, self.start + self.size)

    def component(self, position: int) -> str:
        """The name of the number at a position of the flat vector, such as ``W1[0, 1]``."""
        if not self.shape:
            return self.name
        index = np.unravel_index(position - self.start, self.shape)
        return f"{self.name}[{', '.join(str(int(i)) for i in index)}]"


class Subject:
    """The function that is checked, and the call at which it is.

    Calling it with a flat vector runs the caller's own function on plain arrays that hold those
    numbers. Every run gets fresh copies and the same state of NumPy's random numbers, so that a
    function that changes its arguments or draws a mask is the same function each time. Single
    precision is run in double, so that differences can be small, unless the function refuses that.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        argnums: Argnums | None,
    ) -> None:
        self.name = name_of(function)
        self.given, self.names, self.call = positional_call(function, arguments, keywords)
        self.leaves, self.structure = flatten(self.given)
        if any(is_traced(leaf) for leaf in self.leaves):
            raise GradientError(
                "check_gradients compares numbers, and is called inside a traced function. Call "
                "it with plain arrays."
            )
        self.given = self.structure.unflatten(self.leaves)
        self.chosen = self._chosen(function, argnums)
        self.parts = self._parts(every=argnums is not None)
        self.origin = self._flat([self.leaves[part.leaf] for part in self.parts])
        self.double = True
        self._random = np.random.get_state()
        self._draws = True
        self._find_whether_it_draws()

    @property
    def size(self) -> int:
        """How many numbers derivatives are taken by."""
        return self.origin.size

    @property
    def narrow(self) -> bool:
        """Whether some of them are given in less than double precision."""
        return any(part.dtype != np.float64 for part in self.parts)

    @property
    def unit(self) -> float:
        """The relative rounding of the precision that the function is run in."""
        narrow = self.narrow and not self.double
        return max(float(np.finfo(p.dtype if narrow else float).eps) for p in self.parts)

    def part_of(self, position: int) -> Part:
        """The part that a position of the flat vector belongs to."""
        return next(p for p in self.parts if p.start <= position < p.start + p.size)

    # Which numbers.

    def _chosen(self, function: Callable[..., Any], argnums: Argnums | None) -> list[int]:
        if argnums is not None:
            asked = [argnums] if isinstance(argnums, int | str) else list(argnums)
            return [argument_position(function, each, self.names) for each in asked]
        chosen = [
            index
            for index, given in enumerate(self.given)
            if any(is_real(leaf) for leaf in flatten(given)[0])
        ]
        if not chosen:
            raise GradientError(
                f"No argument of {self.name} holds floating-point numbers, so there is no gradient "
                "to check. Write 3.0 in place of 3, or convert arrays with .astype(float)."
            )
        return chosen

    def _parts(self, every: bool) -> list[Part]:
        """The real leaves of the chosen arguments; ``every`` says that whole numbers are wrong."""
        firsts = np.cumsum([0, *(flatten(given)[1].leaf_count for given in self.given)])
        parts: list[Part] = []
        start = 0
        for index in self.chosen:
            leaves, structure = flatten(self.given[index])
            before = len(parts)
            paths = structure.paths(self.names[index])
            for offset, (leaf, path) in enumerate(zip(leaves, paths, strict=True)):
                if is_real(leaf):
                    value = np.asarray(leaf)
                    parts.append(
                        Part(
                            path,
                            int(firsts[index]) + offset,
                            start,
                            value.shape,
                            value.dtype,
                            type(leaf) is float,
                        )
                    )
                    start += value.size
                elif every and _is_whole(leaf) and not is_field(path):
                    raise GradientError(not_real(path, leaf))
            if len(parts) == before:
                raise GradientError(
                    f"The argument {self.names[index]} has no floating-point numbers to take a "
                    "gradient by. Choose other arguments with argnums=."
                )
        return _with_short_names(parts)

    def _flat(self, values: Sequence[Any]) -> Array:
        return np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])

    # The function.

    def arguments(self, x: Array, double: bool) -> tuple[Any, ...]:
        """The arguments with the numbers of ``x`` in them, as fresh copies."""
        leaves = [_fresh(leaf) for leaf in self.leaves]
        for part in self.parts:
            value = x[part.span].reshape(part.shape)
            if part.plain:
                leaves[part.leaf] = float(value)
                continue
            value = value.astype(np.float64 if double else part.dtype)
            leaves[part.leaf] = (
                value if isinstance(self.leaves[part.leaf], np.ndarray) else value[()]
            )
        return self.structure.unflatten(leaves)

    def __call__(self, x: Array) -> float:
        """The function's value where its arguments hold the numbers of ``x``."""
        with self.repeatable():
            result = np.asarray(self.call(*self.arguments(x, self.double)))
        if result.size != 1 or result.dtype.kind not in "fiub":
            raise GradientError(
                f"{self.name} returns an array of shape {result.shape} and dtype {result.dtype}; a "
                "gradient is of one real number. Reduce it with np.sum or np.mean."
            )
        return float(result.reshape(()))

    def choose_precision(self) -> str | None:
        """Run single precision in double where the function can; otherwise say why it cannot."""
        if not self.narrow:
            return None
        try:
            self(self.origin)
        except Exception as error:  # whatever the function raises for doubles
            self.double = False
            return (
                f"{self.name} does not run in double precision ({type(error).__name__}: {error}), "
                "so differences of single precision are compared."
            )
        return None

    @contextmanager
    def repeatable(self) -> Generator[None]:
        """Run with the same random state each time, without warnings, and put the state back."""
        with np.errstate(all="ignore"):
            if not self._draws:
                yield
                return
            before = np.random.get_state()
            np.random.set_state(self._random)
            try:
                yield
            finally:
                np.random.set_state(before)

    def _find_whether_it_draws(self) -> None:
        """Whether the function uses NumPy's global random state; keeping it takes a while."""
        before: Any = np.random.get_state()
        try:
            with np.errstate(all="ignore"):
                self.call(*self.arguments(self.origin, double=False))
        except Exception:  # the trace will say it better
            return
        after: Any = np.random.get_state()
        self._draws = before[2] != after[2] or not np.array_equal(before[1], after[1])
        np.random.set_state(before)

    def rounded(self, x: Array) -> Array:
        """The numbers as the arguments' own dtypes can hold them."""
        return self._flat([x[part.span].astype(part.dtype) for part in self.parts])


def is_real(leaf: Any) -> bool:
    """Whether a leaf is a floating-point number or an array of them."""
    if isinstance(leaf, np.ndarray | np.generic):
        return cast("Array", leaf).dtype.kind == "f"
    return isinstance(leaf, float)


def _is_whole(leaf: Any) -> bool:
    if isinstance(leaf, np.ndarray):
        return cast("Array", leaf).dtype.kind in "biu"
    return isinstance(leaf, int) and not isinstance(leaf, bool)


def _fresh(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        return cast("Array", leaf).copy()
    if isinstance(leaf, np.random.Generator | np.random.RandomState):
        return copy.deepcopy(leaf)
    return leaf


def _with_short_names(parts: list[Part]) -> list[Part]:
    """The parts, where a leaf of a flat dict is called ``W1`` for ``parameters['W1']``.

    It is so only if no other part is called that.
    """
    short = [_short(part.name) for part in parts]
    return [
        Part(name, part.leaf, part.start, part.shape, part.dtype, part.plain)
        if short.count(name) == 1
        else part
        for part, name in zip(parts, short, strict=True)
    ]


def _short(path: str) -> str:
    name, bracket, key = path.partition("['")
    simple = bracket and name.isidentifier() and key.endswith("']") and key.count("[") == 0
    return key[:-2] if simple else path
