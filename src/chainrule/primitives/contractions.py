"""Products summed over shared indices: the matrix product and Einstein's summation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph import Node, Spec, primitive
from chainrule.primitives.domains import reals
from chainrule.primitives.structure import broadcast_to, reshape, transpose

__all__ = ["einsum", "matmul"]

Array = NDArray[Any]


def _matmul_shape(a: Node, b: Node) -> Spec:
    assert a.dtype == b.dtype, (a, b)
    assert a.shape[-1] == b.shape[-2 if b.ndim > 1 else 0], (a, b)
    assert a.shape[:-2] == b.shape[:-2], (a, b)
    rows = a.shape[:-1]
    columns = b.shape[-1:] if b.ndim > 1 else ()
    return (*rows, *columns), a.dtype


@primitive(show="{a} {b}", kind="contraction", shape=_matmul_shape, ufunc=np.matmul, domain=reals)
def matmul(a: Array, b: Array) -> Array:
    """The matrix product over the last two axes; earlier axes are alike in both inputs.

    One input may be a vector if the other has at most two axes.
    """
    return np.matmul(a, b)


def swap_last(x: Node) -> Node:
    """The matrix transpose: the last two axes exchanged."""
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@matmul.pullback
def _(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, ...]:
    if a.ndim > 1 and b.ndim > 1:
        return g @ swap_last(b), swap_last(a) @ g
    if a.ndim == b.ndim == 1:
        g = broadcast_to(g, shape=a.shape)
        return g * b, g * a
    if a.ndim == 1:
        return b @ g, _outer(a, g)
    return _outer(g, b), swap_last(a) @ g


def _outer(a: Node, b: Node) -> Node:
    return reshape(a, shape=(a.size, 1)) * reshape(b, shape=(1, b.size))


def _einsum_shape(*nodes: Node, subscripts: str) -> Spec:
    inputs, output = subscripts.split("->")
    sizes: dict[str, int] = {}
    for letters, node in zip(inputs.split(","), nodes, strict=True):
        assert len(set(letters)) == len(letters) == node.ndim, (subscripts, node)
        assert node.dtype == nodes[0].dtype, nodes
        for letter, size in zip(letters, node.shape, strict=True):
            assert sizes.setdefault(letter, size) == size, (subscripts, nodes)
    return tuple(sizes[letter] for letter in output), nodes[0].dtype


@primitive(show="einsum({subscripts}, {operands})", kind="contraction", shape=_einsum_shape)
def einsum(*arrays: Array, subscripts: str) -> Array:
    """The sum of products over the indices that the output lacks, such as ``ij,jk->ik``.

    No index stands twice in one input.
    """
    return np.asarray(np.einsum(subscripts, *arrays))


@einsum.pullback
def _(g: Node, y: Node, *operands: Node, subscripts: str) -> tuple[Node, ...]:
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    gradients: list[Node] = []
    for position, (letters, operand) in enumerate(zip(terms, operands, strict=True)):
        others = [i for i in range(len(terms)) if i != position]
        seen = set(output).union(*(terms[i] for i in others))
        # An index that only this input has was summed over: its gradient is the same all along.
        kept = "".join(letter for letter in letters if letter in seen)
        rule = ",".join([output, *(terms[i] for i in others)]) + "->" + kept
        gradient = einsum(g, *(operands[i] for i in others), subscripts=rule)
        if kept != letters:
            shape = tuple(
                size if letter in seen else 1
                for letter, size in zip(letters, operand.shape, strict=True)
            )
            gradient = broadcast_to(reshape(gradient, shape=shape), shape=operand.shape)
        gradients.append(gradient)
    return tuple(gradients)
