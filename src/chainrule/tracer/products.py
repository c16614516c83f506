"""NumPy's products: matrix, dot, inner, outer, tensor products and Einstein's summation."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.tracer.arrays import FUNCTIONS, TracedArray, bind, here, traces, unsupported
from chainrule.tracer.indexing import diagonal_of
from chainrule.tracer.operands import as_dtype, as_traced, axis_of, common_dtype
from chainrule.tracer.ufuncs import call, store

__all__ = ["matmul"]


def _alike(*operands: TracedArray) -> tuple[TracedArray, ...]:
    dtype = common_dtype(*operands)
    return tuple(as_dtype(x, dtype) for x in operands)


def _misfit(a: TracedArray, b: TracedArray, what: str) -> ValueError:
    return ValueError(
        f"{what}: shapes {a.shape} and {b.shape} do not fit together: the inner sizes differ "
        f"({here().describe()})"
    )


def _strong(x: Any) -> TracedArray:
    """An operand that NumPy makes an array of first, so that a Python number has its own dtype."""
    array = as_traced(x)
    return TracedArray(array.value, array.node) if array.weak else array


@traces(np.matmul)
def matmul(x1: Any, x2: Any, out: Any = None) -> TracedArray:
    a, b = _alike(as_traced(x1), as_traced(x2))
    if not a.ndim or not b.ndim:
        raise ValueError("matmul: an operand has no axes; use * for a scalar")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise _misfit(a, b, "matrix product")
    if max(a.ndim, b.ndim) > 2:
        if a.ndim == 1:
            return FUNCTIONS[np.squeeze](matmul(a[None, :], b), -2)
        if b.ndim == 1:
            return FUNCTIONS[np.squeeze](matmul(a, b[:, None]), -1)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = FUNCTIONS[np.broadcast_to](a, batch + a.shape[-2:])
        b = FUNCTIONS[np.broadcast_to](b, batch + b.shape[-2:])
    result = bind(p.matmul, a, b)
    return result if out is None else store(out, result, "np.matmul(…, out=…)")


@traces(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> TracedArray:
    left, right = _strong(a), _strong(b)
    if not left.ndim or not right.ndim:
        result = call(np.multiply, left, right)
    elif left.ndim <= 2 and right.ndim <= 2:
        result = matmul(left, right)
    else:
        result = tensordot(left, right, ((-1,), (-2 if right.ndim > 1 else -1,)))
    return result if out is None else store(out, result, "np.dot(…, out=…)")


@traces(np.vdot)
def vdot(a: Any, b: Any, /) -> TracedArray:
    return dot(FUNCTIONS[np.ravel](a), FUNCTIONS[np.ravel](b))


@traces(np.inner)
def inner(a: Any, b: Any, /) -> TracedArray:
    left, right = as_traced(a), as_traced(b)
    if not left.ndim or not right.ndim:
        return call(np.multiply, left, right)
    return tensordot(left, right, ((-1,), (-1,)))


@traces(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> TracedArray:
    column = FUNCTIONS[np.reshape](as_traced(a), (-1, 1))
    row = FUNCTIONS[np.reshape](as_traced(b), (1, -1))
    result = call(np.multiply, column, row)
    return result if out is None else store(out, result, "np.outer(…, out=…)")


@traces(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> TracedArray:
    left, right = _alike(as_traced(a), as_traced(b))
    if isinstance(axes, int | np.integer):
        ours, theirs = list(range(left.ndim - axes, left.ndim)), list(range(axes))
    else:
        ours, theirs = (
            [axis_of(i, x.ndim) for i in (each if isinstance(each, tuple | list) else (each,))]
            for x, each in zip((left, right), axes, strict=True)
        )
    if [left.shape[i] for i in ours] != [right.shape[i] for i in theirs]:
        raise _misfit(left, right, "tensor product")
    rows = [i for i in range(left.ndim) if i not in ours]
    columns = [i for i in range(right.ndim) if i not in theirs]
    size = math.prod(left.shape[i] for i in ours)
    transpose, reshape = FUNCTIONS[np.transpose], FUNCTIONS[np.reshape]
    first = reshape(transpose(left, (*rows, *ours)), (math.prod(left.shape[i] for i in rows), size))
    second = reshape(
        transpose(right, (*theirs, *columns)), (size, math.prod(right.shape[i] for i in columns))
    )
    shape = (*(left.shape[i] for i in rows), *(right.shape[i] for i in columns))
    return reshape(matmul(first, second), shape)


@traces(np.kron)
def kron(a: Any, b: Any) -> TracedArray:
    left, right = as_traced(a), as_traced(b)
    ndim = max(left.ndim, right.ndim)
    ours = (1,) * (ndim - left.ndim) + left.shape
    theirs = (1,) * (ndim - right.ndim) + right.shape
    reshape = FUNCTIONS[np.reshape]
    first = reshape(left, [n for size in ours for n in (size, 1)])
    second = reshape(right, [n for size in theirs for n in (1, size)])
    product = call(np.multiply, first, second)
    return reshape(product, [m * n for m, n in zip(ours, theirs, strict=True)])


@traces(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **more: Any) -> TracedArray:
    if more:
        raise unsupported(f"np.einsum(…, {next(iter(more))}=…)", "Leave it out.")
    if not isinstance(operands[0], str):
        operands = _with_text(operands)
    arrays = _alike(*(as_traced(x) for x in operands[1:]))
    terms, output = _subscripts(operands[0], arrays)
    single: list[str] = []
    cleaned: list[TracedArray] = []
    for letters, array in zip(terms, arrays, strict=True):
        for letter in dict.fromkeys(letters):
            while letters.count(letter) > 1:
                first = letters.index(letter)
                second = letters.index(letter, first + 1)
                array = diagonal_of(array, first, second)
                letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :]
                letters += letter
        single.append(letters)
        cleaned.append(array)
    result = _einsum_of_distinct(single, output, cleaned)
    return result if out is None else store(out, result, "np.einsum(…, out=…)")


def _with_text(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of einsum with lists of axes in the form with a text."""

    def letters(axes: Any) -> str:
        return "".join("..." if i is Ellipsis else chr(ord("a") + int(i)) for i in axes)

    pairs = len(operands) // 2
    text = ",".join(letters(operands[2 * i + 1]) for i in range(pairs))
    if len(operands) % 2:
        text += "->" + letters(operands[-1])
    return (text, *(operands[2 * i] for i in range(pairs)))


def _einsum_of_distinct(terms: list[str], output: str, arrays: list[TracedArray]) -> TracedArray:
    sizes: dict[str, int] = {}
    for letters, array in zip(terms, arrays, strict=True):
        for letter, size in zip(letters, array.shape, strict=True):
            if sizes.get(letter, 1) != 1 and size not in (1, sizes[letter]):
                raise ValueError(
                    f"einsum: index {letter} has sizes {sizes[letter]} and {size} "
                    f"({here().describe()})"
                )
            sizes[letter] = max(size, sizes.get(letter, 1))
    full = [
        FUNCTIONS[np.broadcast_to](array, tuple(sizes[letter] for letter in letters))
        for letters, array in zip(terms, arrays, strict=True)
    ]
    return bind(p.einsum, *full, subscripts=",".join(terms) + "->" + output)


def _subscripts(text: str, arrays: tuple[TracedArray, ...]) -> tuple[list[str], str]:
    """The letters of each input and of the output, with the ellipsis written out."""
    inputs, arrow, output = text.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"einsum {text!r} names {len(terms)} inputs, and {len(arrays)} are given")
    unused = [chr(c) for c in range(ord("A"), ord("Z") + 1) if chr(c) not in text]
    longest = 0
    written: list[str] = []
    for term, array in zip(terms, arrays, strict=True):
        extra = array.ndim - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ValueError(f"einsum {text!r}: {term!r} does not fit the shape {array.shape}")
        longest = max(longest, extra)
        written.append(term.replace("...", "".join(reversed(unused[:extra]))))
    dots = "".join(reversed(unused[:longest]))
    if not arrow:
        letters = "".join(terms).replace("...", "")
        output = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return written, output.replace("...", dots)
