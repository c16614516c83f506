"""Reading and writing parts of a traced array, with every form of index that NumPy has."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.primitives.indexing import Template, index_of
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, traces, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, axis_of, is_traced
from chainrule.tracer.ufuncs import store

__all__ = ["resolve"]


def resolve(x: TracedArray, index: Any) -> tuple[Template, tuple[TracedArray, ...]]:
    """An index as a template, written out in full, and the arrays that it holds."""
    entries = list(index) if isinstance(index, tuple) else [index]
    entries = [_entry(entry) for entry in entries]
    arrays = [entry for entry in entries if is_traced(entry)]
    used = sum(_axes_used(entry) for entry in entries)
    if used > x.ndim:
        raise IndexError(
            f"too many indices for array: array is {x.ndim}-dimensional, but {used} were indexed "
            f"({here().describe()})"
        )
    if not any(entry is Ellipsis for entry in entries):
        entries.append(Ellipsis)
    template: list[tuple[Any, ...]] = []
    for entry in entries:
        if entry is Ellipsis:
            template.extend([("slice", None, None, None)] * (x.ndim - used))
        elif entry is None:
            template.append(("newaxis",))
        elif isinstance(entry, slice):
            template.append(("slice", *(_bound(b) for b in (entry.start, entry.stop, entry.step))))
        elif is_traced(entry):
            template.append(("array",))
        else:
            template.append(("integer", entry))
    return tuple(template), tuple(arrays)


def _bound(bound: Any) -> int | None:
    return None if bound is None else operator.index(bound)


def _axes_used(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    if is_traced(entry) and entry.dtype.kind == "b":
        return entry.ndim
    return 1


def _entry(entry: Any) -> Any:
    if entry is None or entry is Ellipsis or isinstance(entry, slice):
        return entry
    if not is_traced(entry) and isinstance(entry, int | np.integer) and type(entry) is not bool:
        return int(entry)
    if isinstance(entry, range):
        entry = np.arange(entry.start, entry.stop, entry.step)
    if isinstance(entry, list) and not entry:
        entry = np.array([], dtype=np.intp)
    array = as_traced(entry)
    if array.dtype.kind not in "biu":
        raise IndexError(
            "arrays used as indices must be of integer (or boolean) type, not "
            f"{array.dtype} ({here().describe()}); convert labels with .astype(int)"
        )
    return array


@traces("getitem")
def getitem(x: TracedArray, index: Any) -> TracedArray:
    if isinstance(index, str) or (isinstance(index, list) and index and isinstance(index[0], str)):
        raise IndexError("only integers, slices, masks and index arrays are valid indices")
    template, arrays = resolve(x, index)
    shape = x.value[index_of(template, tuple(array.value for array in arrays))].shape
    if shape == () and _has_ellipsis(index) and not arrays:
        # NumPy gives a view of one element here, where x[0] gives a number.
        one = tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in index)
        return FUNCTIONS[np.reshape](getitem(x, one), ())
    return bind(p.getitem, x, *arrays, template=template, shape=shape)


def _has_ellipsis(index: Any) -> bool:
    return isinstance(index, tuple) and len(index) > 1 and any(i is Ellipsis for i in index)


@traces("index")
def index_inputs(x: TracedArray, index: Any) -> tuple[tuple[TracedArray, ...], dict[str, Any]]:
    """The array inputs and the template of an index, for operations that write by it."""
    template, arrays = resolve(x, index)
    return arrays, {"template": template}


@traces("setitem")
def setitem(x: TracedArray, index: Any, value: Any) -> None:
    if not isinstance(x.value, np.ndarray):
        raise TypeError("'numpy.float64' object does not support item assignment")
    template, arrays = resolve(x, index)
    where = index_of(template, tuple(array.value for array in arrays))
    part_shape = x.value[where].shape
    content = as_dtype_of_target(as_traced(value), x)
    if _is_whole_mask(x, arrays) and content.shape == ():
        # A mask with one value for all: a choice, whose shape does not depend on the mask.
        node = p.where(arrays[0].node, content.node, x.node)
    else:
        if content.shape != part_shape:
            content = _fit(content, part_shape)
        operands = (array.node for array in arrays)
        node = p.setitem(x.node, content.node, *operands, template=template)
    node.source = here()
    value = np.asarray(content.value)
    apart = x.value.copy() if arrays and np.may_share_memory(x.value, value) else None
    if apart is not None:
        apart[where] = value.copy()
    x.value[where] = value
    if apart is not None and apart.tobytes() != x.value.tobytes():
        raise unsupported(
            "An assignment that reads elements which it has just written",
            "Its result is an accident of NumPy's memory order: copy what is read first.",
        )
    x.write(node)


def as_dtype_of_target(value: TracedArray, target: TracedArray) -> TracedArray:
    """A value in the dtype of the array that it is assigned into, as NumPy's assignment does."""
    return as_dtype(value, target.dtype)


def _is_whole_mask(x: TracedArray, arrays: tuple[TracedArray, ...]) -> bool:
    return len(arrays) == 1 and arrays[0].dtype.kind == "b" and arrays[0].shape == x.shape


def _fit(value: TracedArray, shape: tuple[int, ...]) -> TracedArray:
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = FUNCTIONS[np.reshape](value, value.shape[1:])
    try:
        np.broadcast_shapes(value.shape, shape)
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"could not broadcast input array from shape {value.shape} into shape {shape} "
            f"({here().describe()})"
        )
    return value if value.shape == shape else bind(p.broadcast_to, value, shape=shape)


@traces(np.take)
def take(
    x: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise"
) -> TracedArray:
    array = as_traced(x)
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    axis = axis_of(axis, array.ndim)
    if mode != "raise":
        if is_traced(indices) or mode not in ("wrap", "clip"):
            raise unsupported(f"np.take(…, mode={mode!r})", "Use np.clip on the indices.")
        size = array.shape[axis]
        places = np.asarray(indices)
        indices = places % size if mode == "wrap" else np.clip(places, 0, size - 1)
    if out is not None:
        return store(out, take(array, indices, axis), "np.take(…, out=…)")
    if isinstance(indices, int | np.integer):
        return array[(slice(None),) * axis + (int(indices),)]
    order = as_traced(np.asarray(indices) if not is_traced(indices) else indices)
    return array[(slice(None),) * axis + (order,)]


def _beside(indices: TracedArray, axis: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
    places: list[Any] = []
    for i in range(indices.ndim):
        if i == axis:
            places.append(indices)
            continue
        line = [1] * indices.ndim
        line[i] = shape[i]
        places.append(np.arange(shape[i]).reshape(line))
    return tuple(places)


@traces(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: Any = -1) -> TracedArray:
    array, order = as_traced(x), as_traced(indices)
    if axis is None:
        array, axis = FUNCTIONS[np.ravel](array), 0
    axis = axis_of(axis, array.ndim)
    if order.ndim != array.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    return array[_beside(order, axis, array.shape)]


@traces(np.put_along_axis)
def put_along_axis(x: Any, indices: Any, values: Any, axis: Any) -> None:
    if not is_traced(x):
        store(x, as_traced(values), "np.put_along_axis")
    order = as_traced(indices)
    axis = axis_of(axis, x.ndim)
    x[_beside(order, axis, x.shape)] = values


def diagonal_of(x: TracedArray, first: int, second: int, offset: int = 0) -> TracedArray:
    """The elements with equal positions on two axes, which become one axis, the last."""
    axes = [axis for axis in range(x.ndim) if axis not in (first, second)]
    moved = FUNCTIONS[np.transpose](x, (*axes, first, second))
    rows = np.arange(max(0, -offset), max(0, min(x.shape[first], x.shape[second] - offset)))
    return moved[(..., rows, rows + offset)]


@traces(np.diagonal)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TracedArray:
    array = as_traced(x)
    return diagonal_of(array, axis_of(axis1, array.ndim), axis_of(axis2, array.ndim), offset)


@traces(np.trace)
def trace_of_matrix(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TracedArray:
    return FUNCTIONS[np.sum](diagonal(x, offset, axis1, axis2), axis=-1)


@traces(np.diag)
def diag(x: Any, k: int = 0) -> TracedArray:
    array = as_traced(x)
    if array.ndim == 2:
        return diagonal(array, k)
    if array.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    places = np.arange(array.size)
    rows, columns = as_traced(places + max(0, -k)), as_traced(places + max(0, k))
    size = array.size + abs(k)
    template = (("array",), ("array",))
    return bind(p.embed, array, rows, columns, template=template, shape=(size, size))


@traces(np.diagflat)
def diagflat(v: Any, k: int = 0) -> TracedArray:
    return diag(FUNCTIONS[np.ravel](as_traced(v)), k)


@traces(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if wrap or as_traced(a).ndim != 2:
        raise unsupported("np.fill_diagonal of other than one matrix", "Index with np.arange.")
    along = np.arange(min(a.shape))
    setitem(a, (along, along), val)


@traces(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    places: list[Any] = []
    for position, each in enumerate(args):
        x = as_traced(each)
        if x.dtype.kind == "b":
            x = as_traced(FUNCTIONS[np.flatnonzero](x))
        lone = [1] * len(args)
        lone[position] = -1
        places.append(FUNCTIONS[np.reshape](x, lone))
    return tuple(places)
