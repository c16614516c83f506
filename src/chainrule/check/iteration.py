"""One iteration of a program's loop, traced: what it began from, computed, and came to.

The program itself runs as it is. Where an iteration is to be looked at, its process is copied
(`os.fork`), and the copy goes on with traced values until the iteration has ended: so no number of
the program changes, nothing is printed twice, and what cannot be traced fails in the copy alone.
"""

# What a program holds has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.environment import Environment
from chainrule.check.matrices import TracedMatrix
from chainrule.graph import Cut, Node, argument, topological_order
from chainrule.interpreter import evaluate_nodes
from chainrule.tracer import TracedArray, is_traced
from chainrule.tracer.leaks import Context, recording
from chainrule.tracer.operands import is_masked
from chainrule.tracer.redirection import redirected

__all__ = ["Iteration", "Trace"]

Array = NDArray[Any]


@dataclass
class Trace:
    """A traced iteration.

    ``start`` has the argument node of every number that the program held, by its path; ``end`` the
    node of what is there after the iteration; ``log`` every node once, in the order of computing;
    ``shown`` those that the program printed or took out as plain numbers. ``grown`` has the paths
    of plain whole numbers, which no node stands for, that the iteration made numbers with a
    fraction of: a bias, perhaps, that begins as 0. ``cuts`` are where numbers went into something
    that cannot be followed.
    """

    start: dict[str, Node]
    end: dict[str, Node]
    log: list[Node]
    given: dict[Node, Any]
    shown: set[Node]
    grown: set[str] = field(default_factory=set[str])
    cuts: list[Cut] = field(default_factory=list[Cut])
    _values: dict[Node, Any] = field(default_factory=dict[Node, Any])
    _order: list[Node] = field(default_factory=list[Node])
    _later: dict[frozenset[Node], set[Node]] = field(
        default_factory=dict[frozenset[Node], set[Node]]
    )

    def value(self, node: Node) -> Array:
        """What a node was in this iteration."""
        if node not in self._values:
            with np.errstate(all="ignore"):
                (self._values[node],) = evaluate_nodes([node], {**self.given, **self._values})
        return np.asarray(self._values[node])

    def value_if(self, node: Node, changed: Mapping[Node, Array]) -> Array:
        """What a node would have been, had some others been something else."""
        key = frozenset(changed)
        if key not in self._later:
            self._later[key] = self.after(key)
        after = self._later[key]
        kept = {each: value for each, value in self._values.items() if each not in after}
        with np.errstate(all="ignore"):
            (value,) = evaluate_nodes([node], {**self.given, **kept, **changed})
        return np.asarray(value)

    def begins_whole(self, loss: Node | None) -> bool:
        """Whether a number has grown that is no sum of losses: not all could be followed."""
        ends = [self.end[path] for path in self.grown]
        return any(loss is None or loss not in topological_order([end]) for end in ends)

    def is_rounding(self, node: Node) -> bool:
        """Whether so little of a value is left of larger numbers that its digits say nothing.

        All numbers that the iteration began with are changed in their last digits; a value that
        changes in one of its first digits then is the rounding error of 0, as far as one can tell,
        or it is taken where there is no derivative, as of the larger of two equal numbers.
        """
        rng = np.random.default_rng(0)
        value, far = self.value(node), 0.0
        for _ in range(2):
            given = {each: _nudged(array, rng) for each, array in self.given.items()}
            with np.errstate(all="ignore"):
                (other,) = evaluate_nodes([node], given)
            far = max(far, float(np.linalg.norm(other - value)))
        return far > _SAYS_SOMETHING[value.dtype.itemsize] * float(np.linalg.norm(value))

    def has_ties(self, node: Node) -> bool:
        """Whether several elements are the largest, or the smallest, that a reduction takes."""
        if node.primitive.name not in ("max", "min"):
            return False
        x, axis = self.value(node.inputs[0]), node.attributes["axis"]
        choose = np.max if node.primitive.name == "max" else np.min
        chosen = x == choose(x, axis=axis, keepdims=True)
        return bool(np.any(np.sum(chosen, axis=axis) > 1))

    def after(self, nodes: Set[Node]) -> set[Node]:
        """All that is computed from any of some nodes, and these."""
        if not self._order:
            self._order = topological_order([*self.end.values(), *self.log])
        found = set(nodes)
        for node in self._order:
            if any(operand in found for operand in node.inputs):
                found.add(node)
        return found


_SAYS_SOMETHING = {8: 1e-8, 4: 1e-5}
"""By how much of itself a value may change by rounding and still be compared."""


def _nudged(array: Any, rng: np.random.Generator) -> Any:
    """An array whose last digits are others, its zeros too: what is level there is so by chance."""
    if np.asarray(array).dtype.kind != "f":
        return array
    digit = 4 * np.finfo(array.dtype).eps * (np.max(np.abs(array)) or 1.0)
    return (array + digit * rng.uniform(-1.0, 1.0, array.shape)).astype(array.dtype)


class Iteration:
    """An iteration that is being traced: between `__init__` and `ended` the program goes on."""

    def __init__(self, frame: FrameType, file: str) -> None:
        self.file = file
        self.log: list[Node] = []
        self._start: dict[str, Node] = {}
        self._whole: set[str] = set()
        self._shown: list[Node] = []
        self._context = Context(allow_cuts=True, made=self.log.append, shown=self._shown.append)
        self._blocks = [recording(self._context), redirected()]
        Environment(frame, file).exchange(self._begin)
        for block in self._blocks:
            block.__enter__()
        _follow_mathematics(frame)

    def _begin(self, path: str, value: Any) -> Any:
        if isinstance(value, int):
            self._whole.add(path)
            return value
        if is_traced(value) or is_masked(value):
            return value
        array = np.asarray(value)
        # Whole numbers too: their methods, as in X.dot(W), would not notice a traced operand.
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8 or not array.size:
            return value
        if array.dtype.name == "float16" or not array.dtype.isnative:
            return value
        node = argument(path, array.shape, array.dtype)
        self._start[path] = node
        self._context.values[node] = np.array(array)
        if isinstance(value, np.matrix):
            return TracedMatrix(array, node)
        return TracedArray(value if isinstance(value, np.ndarray) else array[()], node,
                           weak=type(value) is float)  # fmt: skip

    def argument(self, path: str, array: Array) -> TracedArray:
        """A traced array that the iteration begins with besides."""
        return self._begin(path, array)

    def ended(self, frame: FrameType) -> Trace:
        """The iteration, now that the program has come to its end."""
        end: dict[str, Node] = {}

        def read(path: str, value: Any) -> Any:
            if is_traced(value) or type(value) is TracedMatrix:
                end[path] = value.node
            return value

        Environment(frame, self.file).exchange(read)
        for block in reversed(self._blocks):
            block.__exit__(None, None, None)
        log = list(dict.fromkeys(self.log))
        grown = {path for path in self._whole & end.keys() if end[path].dtype.kind == "f"}
        given, shown = dict(self._context.values), set(self._shown)
        return Trace(self._start, end, log, given, shown, grown, self._context.cuts)


def _follow_mathematics(frame: FrameType) -> None:
    """Let `math.exp` and its like take traced numbers, whatever name the program has for them."""
    pairs: dict[Any, Callable[..., Any]] = {}
    for name, ufunc in _UFUNCS.items():
        plain = getattr(math, name)
        pairs[plain] = _either(plain, ufunc)
        setattr(math, name, pairs[plain])
    walked: FrameType | None = frame
    while walked is not None:
        names = walked.f_globals
        for name, value in list(names.items()):
            if isinstance(value, BuiltinFunctionType) and value in pairs:
                names[name] = pairs[value]
        names.setdefault("float", _Float)
        walked = walked.f_back
    _follow_vectorised(pairs)


def _follow_vectorised(pairs: Mapping[Any, Callable[..., Any]]) -> None:
    """Let `np.vectorize` of such a function take traced arrays; this process is a copy."""
    whole = {id(each): each for each in pairs.values()}
    whole |= {id(plain): each for plain, each in pairs.items()}
    as_it_is = np.vectorize.__call__

    def call(self: Any, *arrays: Any, **more: Any) -> Any:
        known = whole.get(id(self.pyfunc))
        if known is not None and not more and any(is_traced(each) for each in arrays):
            return known(*arrays)
        return as_it_is(self, *arrays, **more)

    np.vectorize.__call__ = call


class _FloatKind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, float)


class _Float(metaclass=_FloatKind):
    """Python's ``float``, which keeps a traced number traced; NumPy takes it for its dtype."""

    dtype = np.dtype(np.float64)

    def __new__(cls, value: Any = 0.0) -> Any:
        if is_traced(value) and value.size == 1:
            return value.item()
        return float(value)


def _either(plain: Callable[..., Any], ufunc: Any) -> Callable[..., Any]:
    def function(*numbers: Any) -> Any:
        return ufunc(*numbers) if any(is_traced(each) for each in numbers) else plain(*numbers)

    return function


def _erf(x: Any) -> Any:
    from scipy.special import erf  # here, as few programs have one

    return erf(x)


_UFUNCS: dict[str, Callable[..., Any]] = {
    "erf": _erf,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "fabs": np.abs,
    "pow": np.power,
}
