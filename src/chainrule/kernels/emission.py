"""Each kernel of a schedule as a function of native code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph import Node, constant
from chainrule.kernels.code import Code
from chainrule.kernels.elementwise import unsupported_operation
from chainrule.kernels.forms import form_of
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.indices import emit_check, emit_gather, emit_scatter
from chainrule.kernels.nests import Nest, Write
from chainrule.kernels.products import Product
from chainrule.kernels.reductions import Reduction
from chainrule.kernels.rules import unsupported_array
from chainrule.kernels.scans import emit_position, emit_running_sum
from chainrule.kernels.schedule import Schedule
from chainrule.kernels.trees import Leaf, is_elementwise
from chainrule.kernels.views import View, is_view

__all__ = ["Emitted", "Kernels", "unsupported_in_loops"]

Value = Any
_REDUCTIONS = ("sum", "prod", "max", "min")
_WORTH_SHARING = 60_000
"""Fewer operations are done by one thread sooner than several have met."""


def unsupported_in_loops(node: Node) -> str | None:
    """Why a node cannot be compiled as loops, or None if it can."""
    name, dtype = node.primitive.name, node.dtype
    reason = unsupported_array(node)
    if reason is not None:
        return reason
    if node.primitive.kind == "leaf" or is_view(node):
        return None
    if is_elementwise(node):
        return unsupported_operation(node)
    if name in ("getitem", "setitem", "embed"):
        return _unsupported_index(node)
    if name in (*_REDUCTIONS, "concatenate", "argmax", "argmin"):
        whole = node.inputs[0].dtype.kind
        if name == "prod" and whole != "f":
            return "prod of whole numbers"
        if name in ("max", "min", "argmax", "argmin") and whole not in "fi":
            return f"{name} of {node.inputs[0].dtype}"
        return f"{name} of {dtype}" if dtype.kind == "u" and name != "concatenate" else None
    if name in ("matmul", "cumsum", "einsum", "softmax", "log_softmax", "logsumexp"):
        return None if dtype.kind == "f" else f"{name} of {dtype}"
    return name


def _unsupported_index(node: Node) -> str | None:
    name = node.primitive.name
    first = 2 if name == "setitem" else 1
    if any(array.dtype.kind == "b" for array in node.inputs[first:]):
        return f"{name} with a mask"
    return None if node.dtype.kind in "fi" else f"{name} of {node.dtype}"


@dataclass(frozen=True)
class Emitted:
    """A kernel's function, the arrays it is given pointers to, and whether a team shares it."""

    function: Any
    arrays: list[Node]
    shared: bool


class Kernels:
    """The functions of a schedule's kernels in a module; kernels of one form share a function.

    With ``share`` those that are worth it are shared by threads. ``common`` and ``own`` are how
    many bytes of memory to work with the hungriest of them needs: in common, and for each thread.
    ``shared`` says whether threads share any of them.
    """

    def __init__(self, module: Any, schedule: Schedule, *, share: bool = False) -> None:
        self.module, self.schedule, self.share = module, schedule, share
        self.common = self.own = 0
        self.shared = False
        self._made: dict[str, tuple[Any, bool]] = {}
        checks = [kernel for kernel in schedule.kernels if kernel.kind == "check"]
        self._failures = {kernel: i + 1 for i, kernel in enumerate(checks)}

    def emit_all(self) -> None:
        """The functions of all kernels."""
        for kernel in self.schedule.kernels:
            if kernel.kind != "gate":
                self.emit(kernel)

    def emit(self, kernel: Kernel) -> Emitted:
        """The function of a kernel."""
        form, arrays = form_of(kernel, self.schedule)
        form += f"\nfailure {self._failures.get(kernel)}"
        if form not in self._made:
            share = self.share and is_worth_sharing(kernel, self.schedule)
            name = f"k{len(self._made)}_{kernel.kind}"
            code = Code(self.module, name, arrays, share)
            _Emission(code, self.schedule, kernel).emit(self._failures.get(kernel, 0))
            self._made[form] = code.finish(), code.shared
            self.shared = self.shared or code.shared
            self.common = max(self.common, code.common)
            self.own = max(self.own, code.own)
        function, shared = self._made[form]
        return Emitted(function, arrays, shared)


def is_worth_sharing(kernel: Kernel, schedule: Schedule) -> bool:
    """Whether several threads do a kernel sooner than one, their meeting before and after it."""
    return work(kernel, schedule) >= _WORTH_SHARING


def work(kernel: Kernel, schedule: Schedule) -> int:
    """About how many operations a kernel does."""
    main, trees = kernel.main, schedule.trees
    count = 0
    for root in kernel.roots:
        count += root.size * max(kernel.operations, 1)
    if main is not None and kernel.kind == "product":
        count += main.size * main.inputs[0].shape[-1]
    elif main is not None and kernel.kind in _REDUCTIONS:
        tree = trees.of(main.inputs[0])
        count += main.inputs[0].size * (1 if isinstance(tree, Leaf) else 4)
    return count


class _Emission:
    """The loops of one kernel."""

    def __init__(self, code: Code, schedule: Schedule, kernel: Kernel) -> None:
        self.code, self.schedule, self.kernel = code, schedule, kernel
        self.trees = schedule.trees

    def emit(self, failure: int) -> None:
        kernel, node = self.kernel, self.kernel.main
        if node is None:
            Nest(self.code, self._writes()).emit()
            return
        trees, code = self.trees, self.code
        match kernel.kind:
            case "product":
                a, b = (trees.leaf(operand) for operand in node.inputs)
                stored = node in self.schedule.places
                Product(code, node, a, b, self._writes(), stored=stored).emit()
            case "check":
                assert kernel.index is not None
                emit_check(code, trees.leaf(kernel.index), kernel.limit, failure)
            case "sum" | "prod" | "max" | "min":
                Reduction(code, node, trees.of(node.inputs[0])).emit()
            case "cumsum":
                emit_running_sum(code, node, trees.leaf(node.inputs[0]))
            case "argmax" | "argmin":
                emit_position(code, node, trees.leaf(node.inputs[0]))
            case "concatenate":
                self._concatenate(node)
            case "getitem":
                source, *arrays = (trees.leaf(operand) for operand in node.inputs)
                emit_gather(code, node, source, arrays)
            case "setitem":
                self._set(node)
            case _:
                self._embed(node)

    def _writes(self) -> list[Write]:
        return [
            Write(
                self.trees.value(root),
                root,
                View.of(root.shape) if root in self.schedule.places else None,
            )
            for root in self.kernel.roots
        ]

    def _copy(self, source: Node, node: Node, view: View) -> None:
        Nest(self.code, [Write(self.trees.of(source), node, view)], outermost=False).emit()

    def _concatenate(self, node: Node) -> None:
        axis: int = node.attributes["axis"]
        start = 0
        whole = View.of(node.shape)
        for operand in node.inputs:
            view = View(operand.shape, whole.strides, start * whole.strides[axis])
            self._copy(operand, node, view)
            start += operand.shape[axis]

    def _set(self, node: Node) -> None:
        whole, part, *arrays = node.inputs
        self._copy(whole, node, View.of(node.shape))
        if arrays:
            leaves = [self.trees.leaf(array) for array in arrays]
            emit_scatter(self.code, node, self.trees.leaf(part), leaves, add=False)
        else:
            self._copy(part, node, View.of(node.shape).indexed(node.attributes["template"]))

    def _embed(self, node: Node) -> None:
        part, *arrays = node.inputs
        zero = constant(np.zeros((), node.dtype))
        everywhere = Leaf(zero, View.of(()).broadcast(node.shape))
        Nest(self.code, [Write(everywhere, node, View.of(node.shape))], outermost=False).emit()
        if arrays:
            leaves = [self.trees.leaf(array) for array in arrays]
            emit_scatter(self.code, node, self.trees.leaf(part), leaves, add=True)
        else:
            self._copy(part, node, View.of(node.shape).indexed(node.attributes["template"]))
