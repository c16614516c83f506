"""A gradient that the caller gives, taken apart and compared with the arguments in shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.certificate.subject import Part, Subject, is_real
from chainrule.errors import GradientError
from chainrule.pytrees import Structure, flatten

__all__ = ["gradient_vector"]

Array = NDArray[Any]


def gradient_vector(subject: Subject, tree: Any) -> tuple[Array, Array]:
    """A gradient, nested as the arguments, as a flat vector; and the precision of each number.

    Raises GradientError where the nesting, a shape or a dtype is not the argument's.
    """
    trees = _one_for_each(subject, tree)
    numbers: list[Array] = []
    precisions: list[Array] = []
    remaining = iter(subject.parts)
    for index, given in zip(subject.chosen, trees, strict=True):
        for leaf in _gradient_leaves(subject, index, given):
            part = next(remaining)
            value = _gradient_array(part, leaf)
            numbers.append(value.astype(np.float64).ravel())
            epsilons = [
                np.finfo(dtype).eps for dtype in (value.dtype, part.dtype) if dtype.kind == "f"
            ]
            precisions.append(np.full(part.size, max(epsilons)))
    return np.concatenate(numbers), np.concatenate(precisions)


def _one_for_each(subject: Subject, tree: Any) -> list[Any]:
    count = len(subject.chosen)
    if isinstance(tree, list | tuple):
        trees = [*cast("Sequence[Any]", tree)]
        alone = not isinstance(subject.given[subject.chosen[0]], list | tuple)
        if len(trees) == count and (count > 1 or alone):
            return trees
    if count == 1:
        return [tree]
    names = ", ".join(subject.names[index] for index in subject.chosen)
    kind = type(cast("object", tree)).__name__
    raise GradientError(
        f"The gradient given is a {kind}; it is to be a tuple of {count}, one for each of the "
        f"arguments {names}. Choose fewer arguments with argnums=."
    )


def _gradient_leaves(subject: Subject, index: int, tree: Any) -> list[Any]:
    """The leaves of one argument's gradient that belong to real leaves of the argument."""
    given, structure = flatten(subject.given[index])
    real = [is_real(leaf) for leaf in given]
    leaves, found = flatten(tree)
    if found == structure:
        return [leaf for leaf, kept in zip(leaves, real, strict=True) if kept]
    only_real = structure.unflatten([0 if kept else None for kept in real])
    if found == flatten(only_real)[1]:
        return leaves
    name = subject.names[index]
    raise GradientError(
        f"The gradient given for {name} is nested as {_spelled(found, name)}, and the argument "
        f"as {_spelled(structure, name)}. Nest the gradient as the argument is."
    )


def _gradient_array(part: Part, leaf: Any) -> Array:
    value = np.asarray(leaf)
    if value.dtype.kind not in "fiu":
        raise GradientError(
            f"The gradient given for {part.name} has dtype {value.dtype}; a gradient is of real "
            "numbers."
        )
    if value.shape != part.shape:
        hint = ""
        if value.shape == part.shape[::-1]:
            hint = " It seems to be transposed."
        elif value.size < part.size:
            hint = " It seems to be summed over too many axes."
        elif value.size > part.size:
            hint = " A broadcast argument's gradient is summed over the axes it was repeated along."
        raise GradientError(
            f"The gradient given for {part.name} has shape {value.shape}, and {part.name} has "
            f"shape {part.shape}.{hint} A gradient has the shape of its argument."
        )
    return value


def _spelled(structure: Structure, name: str) -> str:
    paths = structure.paths(name)
    shown = ", ".join(paths[:6])
    return f"{shown}, …" if len(paths) > 6 else shown or "nothing"
