"""Reading and replacing parts of an array.

An index is a *template*, a tuple with one entry for each part of NumPy's index, written out in
full (no ellipsis): ``("slice", start, stop, step)``, ``("integer", i)``, ``("newaxis",)``, and
``("array",)``, which stands for the next of the arrays that are inputs of the primitive.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GuardError
from chainrule.graph import Node, Spec, constant, primitive
from chainrule.primitives.comparisons import equal, where
from chainrule.primitives.domains import reals
from chainrule.primitives.structure import zeros_like

__all__ = ["Template", "embed", "flip", "getitem", "index_of", "setitem"]

Array = NDArray[Any]
Template = tuple[tuple[Any, ...], ...]
Gradients = tuple[Node | None, ...]


def index_of(template: Template, arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    """NumPy's index for a template and its arrays."""
    remaining = iter(arrays)
    index: list[Any] = []
    for kind, *details in template:
        if kind == "slice":
            index.append(slice(*details))
        elif kind == "integer":
            index.append(details[0])
        elif kind == "newaxis":
            index.append(None)
        else:
            index.append(next(remaining))
    return tuple(index)


def _shape_given(x: Node, *arrays: Node, template: Template, shape: tuple[int, ...]) -> Spec:
    return shape, x.dtype


@primitive(show="{x}[{index}]", kind="indexing", shape=_shape_given, domain=reals)
def getitem(x: Array, *arrays: Array, template: Template, shape: tuple[int, ...]) -> Array:
    """The part of an array that an index selects."""
    part = np.asarray(x[index_of(template, arrays)])
    if part.shape != shape:
        raise GuardError(
            f"The mask selects an array of shape {part.shape}; the program was traced with one "
            f"of shape {shape}. Trace it again for these values, or use np.where instead of a "
            "boolean mask."
        )
    return part


@getitem.pullback
def _(
    g: Node, y: Node, x: Node, *arrays: Node, template: Template, shape: tuple[int, ...]
) -> Gradients:
    none = (None,) * len(arrays)
    return embed(g, *arrays, template=template, shape=x.shape), *none


@getitem.specialise
def _(*, template: Template, shape: tuple[int, ...]) -> Callable[..., Any]:
    if any(kind == "array" for kind, *_ in template):
        return partial(getitem.value, template=template, shape=shape)
    index = index_of(template, ())

    def part(x: Array) -> Array:
        return x[index]

    def element(x: Array) -> Array:
        return np.asarray(x[index])

    return part if shape else element


@primitive(show="0 with [{index}] += {x}", kind="indexing", shape=_shape_given, domain=reals)
def embed(x: Array, *arrays: Array, template: Template, shape: tuple[int, ...]) -> Array:
    """Zeros of a shape, with the input added at an index; what `getitem` is the transpose of."""
    out = np.zeros(shape, dtype=x.dtype)
    if any(array.dtype != bool for array in arrays):
        np.add.at(out, index_of(template, arrays), x)
    else:
        out[index_of(template, arrays)] = x
    return out


@embed.pullback
def _(
    g: Node, y: Node, x: Node, *arrays: Node, template: Template, shape: tuple[int, ...]
) -> Gradients:
    none = (None,) * len(arrays)
    return getitem(g, *arrays, template=template, shape=x.shape), *none


def _like_first(x: Node, value: Node, *arrays: Node, template: Template) -> Spec:
    assert x.dtype == value.dtype, (x, value)
    return x.shape, x.dtype


@primitive(show="{x} with [{index}] = {value}", kind="indexing", shape=_like_first, domain=reals)
def setitem(x: Array, value: Array, *arrays: Array, template: Template) -> Array:
    """The array with the part that an index selects replaced by a value of that part's shape."""
    out = np.array(x)  # a scalar's own copy could not be written to
    out[index_of(template, arrays)] = value
    return out


def _setitem_complex(x: Array, value: Array, *arrays: Array, template: Template) -> Array:
    out = np.array(x, dtype=np.result_type(x, value))
    out[index_of(template, arrays)] = value
    return out


setitem.complex_value = _setitem_complex


@setitem.pullback
def _(g: Node, y: Node, x: Node, value: Node, *arrays: Node, template: Template) -> Gradients:
    through = setitem(g, zeros_like(value), *arrays, template=template)
    part = getitem(g, *arrays, template=template, shape=value.shape)
    if any(array.dtype != bool for array in arrays):
        # An index that names an element twice keeps the value written last: only that one counts.
        order = constant(np.arange(value.size).reshape(value.shape))
        nobody = constant(np.full(x.shape, -1))
        owner = setitem(nobody, order, *arrays, template=template)
        kept = equal(getitem(owner, *arrays, template=template, shape=value.shape), order)
        part = where(kept, part, 0)
    return through, part, *((None,) * len(arrays))


def flip(x: Node, axis: int) -> Node:
    """The input in reverse along an axis."""
    whole = ("slice", None, None, None)
    template = tuple(("slice", None, None, -1) if i == axis else whole for i in range(axis + 1))
    return getitem(x, template=template, shape=x.shape)
