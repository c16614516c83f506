"""The expression graph: nodes, graphs, and the registry of primitives.

A `Node` is the application of one `Primitive` to other nodes; shapes and dtypes are known, values
are not. Calling a primitive on nodes makes a node, and nodes have NumPy's operators, so a rule of
differentiation is written as the formula it is.

Nodes, primitives and graphs are each made of the others, so they stand in one file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.errors import GradientError
from chainrule.pytrees import Structure
from chainrule.source import Source

__all__ = [
    "Cut",
    "Graph",
    "Guard",
    "Node",
    "Primitive",
    "argument",
    "constant",
    "elementwise",
    "primitive",
    "registry",
    "same_expression",
    "topological_order",
]

type_of_shape = tuple[int, ...]
Spec = tuple[type_of_shape, np.dtype[Any]]
Operand = Any  # a Node, a number or an array

registry: dict[str, Primitive] = {}


class Node:
    """One value of an expression: a primitive applied to other nodes.

    ``shape`` and ``dtype`` are what NumPy would give; ``source`` is the user's line, ``name`` the
    user's variable, where there is one.

    >>> x = argument("x", (3,), "float64")
    >>> y = 2 * x
    >>> y.primitive.name, y.shape
    ('multiply', (3,))
    """

    __slots__ = ("_name", "attributes", "dtype", "inputs", "primitive", "shape", "source")
    __array_ufunc__ = None  # so that NumPy leaves `array * node` to the node

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Node, ...],
        attributes: dict[str, Any],
        shape: type_of_shape,
        dtype: np.dtype[Any],
        source: Source | None = None,
        name: str | None = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.source = source
        self._name = name

    @property
    def name(self) -> str | None:
        """The name in the user's program, or None."""
        if self._name is None and self.source is not None:
            self._name = self.source.name or ""
        return self._name or None

    def without_name(self) -> Node:
        """This node, which takes no name from its source: a step inside one NumPy call."""
        self._name = self._name or ""
        return self

    def take_name(self, name: str) -> None:
        """Give this node a name in place of the one that its source gives it."""
        self._name = name

    def with_name(self) -> Node:
        """This node, which takes the name that its source gives it."""
        self._name = self._name or None
        return self

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        """The same application of other nodes of the same shapes; itself if they are its own."""
        if inputs == self.inputs:
            return self
        return Node(
            self.primitive,
            inputs,
            self.attributes,
            self.shape,
            self.dtype,
            self.source,
            # Not asked for: the source would be read to find it.
            "" if self._name is None and self.source is None else self._name,
        )

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def value(self) -> NDArray[Any]:
        """The array of a constant node."""
        return self.attributes["value"]

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same for all arguments (a constant, or a broadcast of one)."""
        node = self
        while node.primitive.name in ("broadcast_to", "cast") and node.inputs:
            node = node.inputs[0]
        return node.primitive.name == "constant"

    @property
    def differentiable(self) -> bool:
        """Whether a gradient can arrive here: floating point."""
        return self.dtype.kind == "f"

    def __repr__(self) -> str:
        name = f"{self.name} = " if self.name else ""
        return f"<{name}{self.primitive.name} {self.dtype}{list(self.shape)}>"

    def __neg__(self) -> Node:
        return registry["negative"](self)

    def __add__(self, other: Operand) -> Node:
        return registry["add"](self, other)

    def __radd__(self, other: Operand) -> Node:
        return registry["add"](other, self)

    def __sub__(self, other: Operand) -> Node:
        return registry["subtract"](self, other)

    def __rsub__(self, other: Operand) -> Node:
        return registry["subtract"](other, self)

    def __mul__(self, other: Operand) -> Node:
        return registry["multiply"](self, other)

    def __rmul__(self, other: Operand) -> Node:
        return registry["multiply"](other, self)

    def __truediv__(self, other: Operand) -> Node:
        return registry["divide"](self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return registry["divide"](other, self)

    def __pow__(self, other: Operand) -> Node:
        return registry["power"](self, other)

    def __matmul__(self, other: Node) -> Node:
        return registry["matmul"](self, other)

    def __gt__(self, other: Operand) -> Node:
        return registry["greater"](self, other)

    def __ge__(self, other: Operand) -> Node:
        return registry["greater_equal"](self, other)

    def __lt__(self, other: Operand) -> Node:
        return registry["less"](self, other)

    def __le__(self, other: Operand) -> Node:
        return registry["less_equal"](self, other)


Pullback = Callable[..., tuple[Node | None, ...]]
ShapeRule = Callable[..., Spec]


@dataclass(eq=False)
class Primitive:
    """An operation with its value, its shape rule and its pullback.

    ``value(*arrays, **attributes)`` computes with NumPy; ``shape(*nodes, **attributes)`` gives the
    result's shape and dtype; ``pullback(g, y, *inputs)`` gives, as nodes, each input's gradient
    from the upstream gradient ``g``, or None for an input without one.

    ``kind`` is 'elementwise', 'reduction', 'contraction', 'structural', 'indexing' or 'leaf'.
    ``show`` is the template that notation prints it by. ``ufunc`` is the NumPy ufunc that it is;
    ``special`` is the name of the ufunc in scipy.special, where NumPy has none. ``kink(*arrays)``
    is the branch it takes at each element, for those that are not smooth; ``complex_value``
    evaluates it on complex arrays where ``value`` cannot.
    """

    name: str
    value: Callable[..., Any]
    shape: ShapeRule
    kind: str
    show: str
    doc: str
    ufunc: Any = None
    special: str | None = None
    rule: Pullback | None = None
    differentiable: bool = True
    domain: Any = None
    kink: Callable[..., Any] | None = None
    complex_value: Callable[..., Any] | None = None
    specialised: Callable[..., Callable[..., Any]] | None = None

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *operands: Operand, **attributes: Any) -> Node:
        """A node that applies this primitive."""
        nodes = operand_nodes(operands)
        if self.kind == "elementwise":
            nodes = broadcast_together(nodes)
        shape, dtype = self.shape(*nodes, **attributes)
        return Node(self, nodes, attributes, shape, dtype)

    def pullback(self, rule: Pullback) -> Pullback:
        """Register the derivative, as in ``@tanh.pullback``."""
        self.rule = rule
        return rule

    def specialise(self, make: Callable[..., Callable[..., Any]]) -> Callable[..., Any]:
        """Register ``make(**attributes)``, which gives a quicker function of the arrays alone."""
        self.specialised = make
        return make

    def gradients(self, g: Node, node: Node) -> tuple[Node | None, ...]:
        """The gradient of each input of ``node``, given the gradient ``g`` of its output."""
        if self.rule is None:
            raise GradientError(
                f"No gradient passes through {self.name}"
                + (f" ({node.source.describe()})." if node.source else ".")
            )
        result = self.rule(g, node, *node.inputs, **node.attributes)
        assert len(result) == len(node.inputs), f"{self.name}: wrong number of gradients"
        for gradient, operand in zip(result, node.inputs, strict=True):
            assert gradient is None or (gradient.shape, gradient.dtype) == (
                operand.shape,
                operand.dtype,
            ), f"{self.name}: gradient {gradient!r} for input {operand!r}"
        return result


def primitive(
    *,
    show: str,
    kind: str = "elementwise",
    shape: ShapeRule | None = None,
    ufunc: Any = None,
    special: str | None = None,
    name: str | None = None,
    differentiable: bool = True,
    domain: Any = None,
    kink: Callable[..., Any] | None = None,
    complex_value: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Primitive]:
    """Make a NumPy function into a registered `Primitive`; see there for the arguments."""

    def register(value: Callable[..., Any]) -> Primitive:
        made = Primitive(
            name=name or value.__name__,
            value=value,
            shape=shape or _shape_rule(ufunc, special),
            kind=kind,
            show=show,
            doc=(value.__doc__ or "").strip(),
            ufunc=ufunc,
            special=special,
            differentiable=differentiable,
            domain=domain,
            kink=kink,
            complex_value=complex_value,
        )
        assert made.name not in registry, f"two primitives are called {made.name}"
        registry[made.name] = made
        return made

    return register


def elementwise(*nodes: Node) -> Spec:
    """The shape rule of an elementwise primitive: all inputs alike, and the output like them."""
    first = nodes[0]
    for node in nodes[1:]:
        assert (node.shape, node.dtype) == (first.shape, first.dtype), nodes
    return first.shape, first.dtype


def _shape_rule(ufunc: Any, special: str | None) -> ShapeRule:
    """The shape rule of a ufunc; of whole numbers and truth values it may make another dtype."""

    def of_numpy(*nodes: Node) -> Spec:
        shape, dtype = elementwise(*nodes)
        if dtype.kind != "f":
            dtype = ufunc.resolve_dtypes((dtype,) * ufunc.nin + (None,))[-1]
        return shape, dtype

    def of_scipy(*nodes: Node) -> Spec:
        shape, dtype = elementwise(*nodes)
        return shape, dtype if dtype.kind == "f" else np.dtype(np.float64)

    if special is not None:
        return of_scipy
    return elementwise if ufunc is None else of_numpy


# Leaves: an argument of the graph, and a constant.


def _no_value(*_: Any, **__: Any) -> Any:
    raise AssertionError("a leaf has no rule for its value")


def _leaf_shape(**_: Any) -> Spec:
    raise AssertionError("a leaf has its shape given")


_ARGUMENT = Primitive("argument", _no_value, _leaf_shape, "leaf", "{name}", "An argument.")
_CONSTANT = Primitive("constant", _no_value, _leaf_shape, "leaf", "{value}", "A constant.")


def argument(name: str, shape: Sequence[int], dtype: DTypeLike) -> Node:
    """A leaf whose value is given when the graph is evaluated.

    >>> argument("x", (2, 3), "float32")
    <x = argument float32[2, 3]>
    """
    return Node(_ARGUMENT, (), {}, tuple(shape), np.dtype(dtype), name=name)


def constant(value: Any, dtype: DTypeLike | None = None, name: str | None = None) -> Node:
    """A leaf with a fixed value, which is copied.

    >>> constant(2.5)
    <constant float64[]>
    """
    array: NDArray[Any] = np.array(value, dtype=dtype)
    array.flags.writeable = False
    return Node(_CONSTANT, (), {"value": array}, array.shape, array.dtype, name=name)


def operand_nodes(operands: Sequence[Operand]) -> tuple[Node, ...]:
    """Operands as nodes; a plain number takes the dtype of the last node beside it."""
    if all(isinstance(operand, Node) for operand in operands):
        return tuple(operands)
    like = next(operand.dtype for operand in reversed(operands) if isinstance(operand, Node))
    for operand in operands:
        if like.kind != "f" and not isinstance(operand, Node):
            kind = np.asarray(operand).dtype
            assert np.can_cast(kind, like, "same_kind"), f"{operand!r} would be cut to {like}"
    return tuple(
        operand if isinstance(operand, Node) else constant(operand, dtype=like)
        for operand in operands
    )


def broadcast_together(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes with every broadcast made a node of its own."""
    if all(node.shape == nodes[0].shape for node in nodes):
        return nodes
    shape = np.broadcast_shapes(*(node.shape for node in nodes))
    return tuple(
        node if node.shape == shape else registry["broadcast_to"](node, shape=shape)
        for node in nodes
    )


@dataclass(frozen=True)
class Guard:
    """A branch, count or number that the traced program took because ``node`` had this value."""

    node: Node
    expected: Any
    source: Source


@dataclass(frozen=True)
class Cut:
    """A place where the caller let a traced value leave the trace, so no gradient passes there."""

    node: Node
    how: str
    source: Source


@dataclass
class Graph:
    """A function as an expression: arguments, outputs, and what its trace depended on.

    ``argument_structure`` and ``output_structure`` say how the leaves are nested; ``static`` holds
    the leaves that are part of the program itself (whole numbers, texts, functions), by position
    among all leaves of the arguments.
    """

    arguments: tuple[Node, ...]
    outputs: tuple[Node, ...]
    argument_structure: Structure
    output_structure: Structure
    static: dict[int, Any] = field(default_factory=dict[int, Any])
    guards: tuple[Guard, ...] = ()
    cuts: tuple[Cut, ...] = ()
    name: str = "function"

    def nodes(self) -> list[Node]:
        """Every node that the outputs and guards need, each after its inputs."""
        return topological_order((*self.outputs, *(guard.node for guard in self.guards)))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes())

    def same_as(self, other: Graph) -> bool:
        """Whether two graphs are the same expression of their arguments."""
        if (self.argument_structure, self.output_structure, self.static) != (
            other.argument_structure,
            other.output_structure,
            other.static,
        ):
            return False
        pairs = dict(zip(self.arguments, other.arguments, strict=True))
        if any((a.shape, a.dtype) != (b.shape, b.dtype) for a, b in pairs.items()):
            return False
        return same_expression(self.outputs, other.outputs, pairs)


def topological_order(outputs: Iterable[Node], known: Iterable[Node] = ()) -> list[Node]:
    """The nodes that outputs depend on, each after its inputs; no recursion, so any depth.

    Nodes in ``known``, and what only they depend on, are left out.

    >>> x = argument("x", (), "float64")
    >>> [node.primitive.name for node in topological_order([-x + 1.0])]
    ['argument', 'negative', 'constant', 'add']
    """
    order: list[Node] = []
    done: set[Node] = set(known)
    stack: list[tuple[Node, int]] = [(node, 0) for node in reversed(list(outputs))]
    while stack:
        node, position = stack.pop()
        if node in done:
            continue
        if position < len(node.inputs):
            stack.append((node, position + 1))
            if node.inputs[position] not in done:
                stack.append((node.inputs[position], 0))
            continue
        done.add(node)
        order.append(node)
    return order


def same_expression(ours: Sequence[Node], theirs: Sequence[Node], known: dict[Node, Node]) -> bool:
    """Whether two lists of nodes are the same expressions, given which leaves correspond.

    Whether a part that occurs twice is one node or two does not matter.

    >>> x, z = argument("x", (), "float64"), argument("z", (), "float64")
    >>> same_expression([x * x], [z * z], {x: z})
    True
    >>> same_expression([x * x], [z + z], {x: z})
    False
    """
    if len(ours) != len(theirs):
        return False
    compared: set[tuple[Node, Node]] = set()
    stack = list(zip(ours, theirs, strict=True))
    while stack:
        a, b = stack.pop()
        if (a, b) in compared:
            continue
        compared.add((a, b))
        if a in known:
            if known[a] is not b:
                return False
            continue
        if a.primitive is not b.primitive or (a.shape, a.dtype) != (b.shape, b.dtype):
            return False
        if len(a.inputs) != len(b.inputs) or not same_attributes(a, b):
            return False
        if a.primitive is _ARGUMENT:
            return False
        stack.extend(zip(a.inputs, b.inputs, strict=True))
    return True


def same_attributes(a: Node, b: Node) -> bool:
    """Whether two applications of one primitive have the same settings, to the bit."""
    if a.primitive is _CONSTANT:
        return a.value.tobytes() == b.value.tobytes()
    return a.attributes == b.attributes
