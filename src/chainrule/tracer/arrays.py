"""The array that records what is done with it.

A `TracedArray` carries the value that NumPy computed and the node that stands for it. In-place
changes follow NumPy's memory: arrays that share memory share a `Storage`, a view remembers the
steps that lead to it from the storage's array, and a write through a view is written through to
the storage. Nodes themselves never change, so a value used before an in-place change keeps its
gradient.
"""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import primitives as p
from chainrule.errors import UnsupportedError
from chainrule.graph import Node, Primitive
from chainrule.source import Source, capture, library_call
from chainrule.tracer import leaks
from chainrule.tracer.alternatives import alternative

__all__ = [
    "FUNCTIONS",
    "UFUNCS",
    "TracedArray",
    "bind",
    "entered",
    "here",
    "traces",
    "unsupported",
]

Array = NDArray[Any]
Lowering = Callable[..., Any]

FUNCTIONS: dict[Any, Lowering] = {}
UFUNCS: dict[Any, Lowering] = {}


class _Call(threading.local):
    """The NumPy call that is being traced in this thread, and its place in the program."""

    def __init__(self) -> None:
        self.depth = 0
        self.source: Source | None = None


_call = _Call()


def entered(lowering: Lowering, *arguments: Any, **settings: Any) -> Any:
    """Run what one NumPy call of the user's becomes.

    All nodes made meanwhile have the place of that call as their source; the one that is its
    result takes the name that the user gives it.
    """
    _call.depth += 1
    try:
        result = lowering(*arguments, **settings)
    finally:
        _call.depth -= 1
        if _call.depth == 0:
            _call.source = None
    if _call.depth == 0 and type(result) is TracedArray:
        result.node.with_name()
    return result


def here() -> Source:
    """The place of the NumPy call that is being traced."""
    if _call.depth == 0:
        return capture()
    if _call.source is None:
        _call.source = capture()
    return _call.source


def traces(*functions: Any) -> Callable[[Lowering], Lowering]:
    """Register how NumPy functions become primitives, as in ``@traces(np.mean)``."""

    def register(lowering: Lowering) -> Lowering:
        for function in functions:
            FUNCTIONS[function] = lowering
        return lowering

    return register


def unsupported(what: str, instead: str) -> UnsupportedError:
    """The error for something that is not traced, at the user's line."""
    return UnsupportedError(f"{what} cannot be traced ({here().describe()}). {instead}")


class Storage:
    """The memory that an array and its views share: its node now, and how often it changed."""

    __slots__ = ("node", "version")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.version = 0


@dataclass(frozen=True)
class Step:
    """One step from an array to a view of it."""

    primitive: Primitive
    attributes: dict[str, Any]

    def read(self, whole: Node) -> Node:
        """The view of an array."""
        return self.primitive(whole, **self.attributes)

    def write(self, whole: Node, part: Node) -> Node:
        """The array after its view has become ``part``."""
        if self.primitive is p.getitem:
            return p.setitem(whole, part, template=self.attributes["template"])
        if self.primitive is p.reshape:
            return p.reshape(part, shape=whole.shape)
        axes = tuple(int(axis) for axis in np.argsort(self.attributes["axes"]))
        return p.transpose(part, axes=axes)


_VIEWS = (p.getitem, p.reshape, p.transpose, p.broadcast_to)


class TracedArray:
    """A NumPy value that records how it was computed; it behaves as the array it stands for."""

    __slots__ = ("_node", "_path", "_storage", "_version", "value", "weak")
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]  # as arrays, which compare elementwise

    def __init__(
        self,
        value: Any,
        node: Node,
        *,
        storage: Storage | None = None,
        path: tuple[Step, ...] = (),
        weak: bool = False,
    ) -> None:
        self.value: Any = value
        self.weak = weak
        self._node = node
        self._storage = storage or Storage(node)
        self._path = path
        self._version = self._storage.version

    @property
    def node(self) -> Node:
        """The node that stands for the value as it is now."""
        if self._version != self._storage.version:
            node = self._storage.node
            for step in self._path:
                node = step.read(node)
            self._node, self._version = node, self._storage.version
        return self._node

    def view_of(self, value: Any, node: Node, step: Step) -> TracedArray:
        """An array that shares this one's memory."""
        return TracedArray(value, node, storage=self._storage, path=(*self._path, step))

    def write(self, node: Node) -> None:
        """Let the array's content be ``node``; the value in memory has already been changed."""
        wholes = [self._storage.node]
        for step in self._path[:-1]:
            wholes.append(step.read(wholes[-1]))
        content = node
        for step, whole in zip(reversed(self._path), reversed(wholes), strict=False):
            content = step.write(whole, content)
            content.source = node.source
        self._storage.node = content
        self._storage.version += 1
        self._node, self._version = node, self._storage.version

    # NumPy's protocols.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        return entered(UFUNCS[method], ufunc, *inputs, **settings)

    def __array_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...], settings: dict[str, Any]
    ) -> Any:
        lowering = FUNCTIONS.get(function)
        if lowering is not None:
            return entered(lowering, *arguments, **settings)
        plain = without_tracing((arguments, settings))
        if plain is not None:
            return function(*plain[0], **plain[1])
        name = f"{function.__module__}.{function.__name__}"
        raise unsupported(name, alternative(function.__name__))

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        # Programs ask isinstance(x, np.ndarray), or float, before they convert what is not one.
        return float if self.weak else type(self.value)

    # What an array says of itself.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        raise unsupported("Assigning to .shape", "Use .reshape(shape).")

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def nbytes(self) -> int:
        return self.value.nbytes

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"traced {self.value!r}"

    def __str__(self) -> str:
        leaks.shown(self)
        return str(self.value)

    def __format__(self, specification: str) -> str:
        leaks.shown(self)
        return format(self.value, specification)

    # Where a value would leave the trace.

    def __bool__(self) -> bool:
        return leaks.truth(self)

    def __float__(self) -> float:
        leaks.shown(self)
        return float(leaks.number(self, "float()"))

    def __int__(self) -> int:
        return leaks.whole(self, "int()")

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return leaks.whole(self, "an index")

    def __complex__(self) -> complex:
        return complex(leaks.number(self, "complex()"))

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return leaks.whole(entered(UFUNCS["__call__"], np.rint, self), "round()")
        return entered(FUNCTIONS[np.round], self, digits)

    def __trunc__(self) -> int:
        return leaks.whole(self, "math.trunc()")

    def __floor__(self) -> int:
        return leaks.whole(entered(UFUNCS["__call__"], np.floor, self), "math.floor()")

    def __ceil__(self) -> int:
        return leaks.whole(entered(UFUNCS["__call__"], np.ceil, self), "math.ceil()")

    def item(self, *position: int) -> Any:
        if leaks.keeps() and not position and self.size == 1:
            return FUNCTIONS[np.reshape](self, ())
        return leaks.number(self[position] if position else self, ".item()")

    def tolist(self) -> Any:
        return leaks.array(self, ".tolist()").tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        value = leaks.array(self, "np.asarray, np.array or another conversion")
        return np.array(value, dtype=dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        library = library_call()
        what = f"{library} (through .{name})" if library else f"numpy.ndarray.{name}"
        raise unsupported(what, alternative("matrix" if "matrix" in what else name))

    def __getitem__(self, index: Any) -> TracedArray:
        return entered(FUNCTIONS["getitem"], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        entered(FUNCTIONS["setitem"], self, index, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise unsupported("Pickling a traced value", "Save it outside the traced function.")

    def __copy__(self) -> TracedArray:
        return FUNCTIONS[np.copy](self)

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return FUNCTIONS[np.copy](self)


def without_tracing(tree: Any) -> Any:
    """Nested lists and dicts with plain arrays, or None if one depends on a trace's arguments."""
    if type(tree) is TracedArray:
        if leaks.depends(tree.node):
            return None
        return np.array(tree.value) if isinstance(tree.value, np.ndarray) else tree.value
    if type(tree) in (list, tuple):
        parts = [without_tracing(part) for part in tree]
        missing = any(a is None and b is not None for a, b in zip(parts, tree, strict=True))
        return None if missing else type(tree)(parts)
    if type(tree) is dict:
        values = without_tracing(list(tree.values()))
        return None if values is None else dict(zip(tree, values, strict=True))
    return tree


def bind(primitive: Primitive, *operands: TracedArray, **attributes: Any) -> TracedArray:
    """Apply a primitive to traced arrays: its value by NumPy, and its node.

    Elementwise operands already have one dtype; their nodes are broadcast here.
    """
    try:
        # NumPy broadcasts by itself, and some of its loops round otherwise on broadcast arrays.
        value = primitive.value(*[operand.value for operand in operands], **attributes)
    except ValueError as error:
        raise ValueError(f"{error} ({here().describe()})") from None
    node = primitive(*[operand.node for operand in operands], **attributes)
    source = here()
    for each in (node, *node.inputs):  # its own, and a broadcast that was made for it
        if each.source is None and each.primitive.kind != "leaf":
            each.source = source
            each.without_name()
    assert node.shape == np.shape(value), (node, np.shape(value))
    assert node.dtype == value.dtype, (node, value.dtype)
    leaks.made(node)
    if primitive in _VIEWS:
        base = operands[0]  # pyright: ignore[reportGeneralTypeIssues]  # a view is of something
        if np.may_share_memory(value, base.value):
            return base.view_of(value, node, Step(primitive, attributes))
    if node.shape == () and isinstance(value, np.ndarray):
        value = value[()]  # NumPy's operations give a scalar, which in-place operators replace
    return TracedArray(value, node)
