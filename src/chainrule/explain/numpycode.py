"""A node as a NumPy expression over named values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.graph import Node

__all__ = ["FUNCTIONS", "Coder", "number_code"]

_ATOM, _POWER, _UNARY, _PRODUCT, _SUM, _COMPARED, _LOGICAL = 100, 90, 80, 70, 60, 50, 65
Code = tuple[str, int]
"""A text, and how strongly it holds together."""

FUNCTIONS: dict[str, str] = {
    "sigmoid": "def sigmoid(x):\n    return 1 / (1 + np.exp(-x))\n",
    "softmax": (
        "def softmax(x, axis):\n"
        "    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))\n"
        "    return powers / np.sum(powers, axis=axis, keepdims=True)\n"
    ),
    "log_softmax": (
        "def log_softmax(x, axis):\n"
        "    shifted = x - np.max(x, axis=axis, keepdims=True)\n"
        "    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))\n"
    ),
    "logsumexp": (
        "def logsumexp(x, axis, keepdims):\n"
        "    top = np.max(x, axis=axis, keepdims=True)\n"
        "    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top\n"
        "    return total if keepdims else np.squeeze(total, axis)\n"
    ),
    "xlogy": (
        "def xlogy(a, b):\n    return np.where(a == 0, 0, a * np.log(np.where(a == 0, 1, b)))\n"
    ),
    "erf": (
        "def erf(x):\n    return np.vectorize(math.erf, otypes=[x.dtype])(x)\n"
    ),
}  # fmt: skip
"""The functions that NumPy lacks, as a program defines them."""

_INFIX: dict[str, tuple[str, int]] = {
    "add": ("+", _SUM),
    "subtract": ("-", _SUM),
    "multiply": ("*", _PRODUCT),
    "divide": ("/", _PRODUCT),
    "matmul": ("@", _PRODUCT),
    "greater": (">", _COMPARED),
    "greater_equal": (">=", _COMPARED),
    "less": ("<", _COMPARED),
    "less_equal": ("<=", _COMPARED),
    "equal": ("==", _COMPARED),
    "not_equal": ("!=", _COMPARED),
    "logical_and": ("&", _LOGICAL),
    "logical_or": ("|", _LOGICAL),
    "logical_xor": ("^", _LOGICAL),
}
_CALLS: dict[str, str] = {
    "maximum": "np.maximum",
    "minimum": "np.minimum",
    "where": "np.where",
    "logaddexp": "np.logaddexp",
    "absolute": "np.abs",
    "isfinite": "np.isfinite",
    "isnan": "np.isnan",
    "rint": "np.round",
    "expit": "sigmoid",
    "erf": "erf",
    "xlogy": "xlogy",
    **{
        name: f"np.{name}"
        for name in (
            "sign", "floor", "ceil", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
            "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "reciprocal",
        )
    },
}  # fmt: skip
_REDUCTIONS = {name: f"np.{name}" for name in ("sum", "max", "min", "prod", "argmax", "argmin")}


@dataclass
class Coder:
    """Writes nodes as NumPy.

    ``names`` are the values that have one, ``texts`` what stands for constants that depend on the
    number of samples, and ``rows`` tells which sizes in shapes are that number. ``used`` collects
    the functions that have to be defined.
    """

    names: Mapping[Node, str]
    texts: Mapping[Node, str] = field(default_factory=dict[Node, str])
    rows: Mapping[Node, Sequence[int]] = field(default_factory=dict[Node, Sequence[int]])
    used: set[str] = field(default_factory=set[str])

    def code(self, node: Node) -> str:
        """What a node is equal to, over named values."""
        return self._definition(node)[0]

    def _reference(self, node: Node) -> Code:
        if node in self.names:
            return self.names[node], _ATOM
        return self._definition(node)

    def _definition(self, node: Node) -> Code:
        name = node.primitive.name
        if node in self.texts:
            text = self.texts[node]
            return text, _ATOM if text == "n" else _PRODUCT
        if name == "constant":
            return number_code(node.value)
        operands = node.inputs
        if node.primitive.kind == "elementwise":
            operands = tuple(self._without_broadcast(each, node) for each in operands)
        if name in _INFIX:
            return self._infix(name, operands)
        if name in _CALLS:
            return self._call(_CALLS[name], operands)
        special = _SPECIAL.get(name)
        if special is None:
            raise SettingError(
                f"{name} has no form in NumPy here, so the program cannot be written."
            )
        return special(self, node, operands)

    def _without_broadcast(self, operand: Node, user: Node) -> Node:
        """The operand before it is repeated, where NumPy repeats it by itself."""
        others = [each for each in user.inputs if each is not operand]
        whole = any(each.primitive.name != "broadcast_to" for each in others)
        if operand in self.names or operand.primitive.name != "broadcast_to" or not whole:
            return operand
        inner = operand.inputs[0]
        if inner.primitive.name == "reshape" and inner not in self.names and inner.size == 1:
            return inner.inputs[0] if inner.inputs[0].size == inner.inputs[0].ndim + 1 else inner
        return inner

    def _infix(self, name: str, operands: Sequence[Node]) -> Code:
        sign, strength = _INFIX[name]
        left, right = (self._reference(each) for each in operands)
        least = strength + 1 if strength in (_COMPARED, _LOGICAL) else strength
        # What stands on the right is kept as it was computed, as sums and products round.
        return f"{_within(left, least)} {sign} {_within(right, strength + 1)}", strength

    def _call(self, function: str, operands: Sequence[Node], *more: str) -> Code:
        if function in FUNCTIONS:
            self.used.add(function)
        arguments = [self._reference(each)[0] for each in operands]
        return f"{function}({', '.join([*arguments, *more])})", _ATOM

    def shape(self, node: Node) -> str:
        """A shape, with n for the number of samples."""
        rows = self.rows.get(node, ())
        sizes = ["n" if i in rows else str(size) for i, size in enumerate(node.shape)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def negative(self, node: Node, operands: Sequence[Node]) -> Code:
        """``-x``."""
        return f"-{_within(self._reference(operands[0]), _PRODUCT)}", _UNARY

    def logical_not(self, node: Node, operands: Sequence[Node]) -> Code:
        """``~x``."""
        return f"~{_within(self._reference(operands[0]), _UNARY)}", _UNARY

    def square(self, node: Node, operands: Sequence[Node]) -> Code:
        """``x ** 2``."""
        return f"{_within(self._reference(operands[0]), _POWER + 1)} ** 2", _POWER

    def power(self, node: Node, operands: Sequence[Node]) -> Code:
        """``a ** b``."""
        base, exponent = (self._reference(each) for each in operands)
        return f"{_within(base, _POWER + 1)} ** {_within(exponent, _POWER)}", _POWER

    def transpose(self, node: Node, operands: Sequence[Node]) -> Code:
        """``x.T``."""
        inner = _within(self._reference(operands[0]), _ATOM)
        axes = node.attributes["axes"]
        return (f"{inner}.T" if axes == (1, 0) else f"{inner}.transpose({axes})"), _ATOM

    def reduction(self, node: Node, operands: Sequence[Node]) -> Code:
        """Write np.sum(x, axis=0) and the like."""
        axis, keepdims = node.attributes["axis"], node.attributes["keepdims"]
        axes = (axis,) if isinstance(axis, int) else axis
        more: list[str] = []
        if len(axes) < operands[0].ndim or keepdims:
            more.append(f"axis={axes[0] if len(axes) == 1 else axes}")
        if keepdims:
            more.append("keepdims=True")
        return self._call(_REDUCTIONS[node.primitive.name], operands, *more)

    def normaliser(self, node: Node, operands: Sequence[Node]) -> Code:
        """Write softmax(x, axis=1) and the like."""
        (axis,) = node.attributes["axis"]
        more = [f"axis={axis}"]
        if "keepdims" in node.attributes:
            more.append(f"keepdims={node.attributes['keepdims']}")
        return self._call(node.primitive.name, operands, *more)

    def cumsum(self, node: Node, operands: Sequence[Node]) -> Code:
        """``np.cumsum(x, axis=0)``."""
        return self._call("np.cumsum", operands, f"axis={node.attributes['axis']}")

    def einsum(self, node: Node, operands: Sequence[Node]) -> Code:
        """``np.einsum(...)``."""
        arguments = ", ".join(self._reference(each)[0] for each in operands)
        return f'np.einsum("{node.attributes["subscripts"]}", {arguments})', _ATOM

    def broadcast(self, node: Node, operands: Sequence[Node]) -> Code:
        """``np.broadcast_to(x, shape)``."""
        inner = self._reference(operands[0])[0]
        if operands[0].size == 1 and not operands[0].ndim:
            dtype = "" if node.dtype == np.bool_ else f", dtype=np.{node.dtype.name}"
            return f"np.full({self.shape(node)}, {inner}{dtype})", _ATOM
        return f"np.broadcast_to({inner}, {self.shape(node)})", _ATOM

    def reshape(self, node: Node, operands: Sequence[Node]) -> Code:
        """Write np.reshape(x, shape), or an index with None."""
        inner = _within(self._reference(operands[0]), _ATOM)
        old, new = operands[0].shape, node.shape
        if 1 not in old and tuple(size for size in new if size != 1) == old and old:
            index = ", ".join("None" if size == 1 else ":" for size in new)
            return f"{inner}[{index}]", _ATOM
        return f"np.reshape({inner}, {self.shape(node)})", _ATOM

    def cast(self, node: Node, operands: Sequence[Node]) -> Code:
        """``x.astype(dtype)``."""
        dtype = f"np.{np.dtype(node.attributes['dtype']).name}"
        if not node.ndim:
            return f"{dtype}({self._reference(operands[0])[0]})", _ATOM
        return f"{_within(self._reference(operands[0]), _ATOM)}.astype({dtype})", _ATOM

    def concatenate(self, node: Node, operands: Sequence[Node]) -> Code:
        """``np.concatenate([a, b], axis=0)``."""
        arrays = ", ".join(self._reference(each)[0] for each in operands)
        return f"np.concatenate([{arrays}], axis={node.attributes['axis']})", _ATOM

    def getitem(self, node: Node, operands: Sequence[Node]) -> Code:
        """``x[index]``."""
        array, *indices = operands
        waiting = iter(indices)
        parts: list[str] = []
        for kind, *details in node.attributes["template"]:
            if kind == "slice":
                start, stop, step = ("" if d is None else str(d) for d in details)
                parts.append(f"{start}:{stop}" + (f":{step}" if step not in ("", "1") else ""))
            elif kind == "integer":
                parts.append(str(details[0]))
            elif kind == "newaxis":
                parts.append("None")
            else:
                parts.append(self._reference(next(waiting))[0])
        return f"{_within(self._reference(array), _ATOM)}[{', '.join(parts)}]", _ATOM

    def same(self, node: Node, operands: Sequence[Node]) -> Code:
        """Write x, which the program has as it is."""
        return self._reference(operands[0])


_SPECIAL: dict[str, Callable[[Coder, Node, Sequence[Node]], Code]] = {
    "negative": Coder.negative,
    "logical_not": Coder.logical_not,
    "square": Coder.square,
    "power": Coder.power,
    "transpose": Coder.transpose,
    "softmax": Coder.normaliser,
    "log_softmax": Coder.normaliser,
    "logsumexp": Coder.normaliser,
    "cumsum": Coder.cumsum,
    "einsum": Coder.einsum,
    "broadcast_to": Coder.broadcast,
    "reshape": Coder.reshape,
    "cast": Coder.cast,
    "concatenate": Coder.concatenate,
    "getitem": Coder.getitem,
    "stop_gradient": Coder.same,
    **dict.fromkeys(_REDUCTIONS, Coder.reduction),
}


def _within(code: Code, least: int) -> str:
    text, strength = code
    return text if strength >= least else f"({text})"


def number_code(value: Any, name: str = "np.array") -> Code:
    """A number or an array as Python writes it, with all digits.

    >>> number_code(np.float64(-0.5)), number_code(np.array([1.0, 2.0]))[0]
    (('-0.5', 80), 'np.array([1.0, 2.0])')
    """
    array = np.asarray(value)
    if not array.ndim:
        number = array.item()
        if isinstance(number, float):
            if not np.isfinite(number):
                return f"float('{number}')", _ATOM
            # The shortest digits of this dtype, and whole numbers without a point.
            text = str(array[()]) if abs(number) < 1e16 else repr(number)
            number_text = text.removesuffix(".0")
        else:
            number_text = repr(number)
        return number_text, _UNARY if number_text.startswith("-") else _ATOM
    kind = array.dtype
    dtype = "" if kind.name in ("float64", "int64", "bool") else f", dtype=np.{kind.name}"
    if array.ndim < 2:
        return f"{name}({array.tolist()}{dtype})", _ATOM
    rows = ",\n    ".join(str(row) for row in array.tolist())
    body = f"[{rows}]" if len(array) == 1 else f"[\n    {rows},\n]"
    return f"{name}({body}{dtype})", _ATOM
