"""Traced values of np.matrix, whose products are matrix products and whose axes stay two.

Each operation is that of a traced array, with NumPy's rules for matrices around it; what a matrix
does otherwise than told here is refused, as tracing refuses a np.matrix.
"""

# What a program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.source import doing
from chainrule.tracer import TracedArray, is_traced
from chainrule.tracer.arrays import unsupported

__all__ = ["TracedMatrix"]

# Along an axis they leave that axis in its place, with length 1.
_REDUCTIONS = ("sum", "mean", "std", "var", "prod", "max", "min", "any", "all", "argmax", "argmin")
_FUNCTIONS = {getattr(np, name) for name in (*_REDUCTIONS, "amax", "amin")}
_PLAIN = {np.where, np.copy, np.outer, np.nonzero, np.argsort, np.diagonal}
"""What gives arrays also of matrices."""


class TracedMatrix(TracedArray):
    """A traced array of two axes with the rules of np.matrix.

    As it is a kind of traced array, Python asks it first where one stands beside it.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as matrices, which compare elementwise

    @property
    def A(self) -> TracedArray:
        """The same memory as an array."""
        # What is written through one is to be seen through the other.
        return TracedArray(self.value, self.node, storage=self._storage, path=self._path)

    @property
    def A1(self) -> TracedArray:
        """The elements as an array of one axis."""
        return self.A.ravel()

    @property
    def T(self) -> Any:
        """The transpose."""
        return _matrix(self.A.T)

    @property
    def I(self) -> Any:  # noqa: E743  # np.matrix's name for it
        """The inverse."""
        return _matrix(np.linalg.inv(self.A))

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return np.matrix

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if method != "__call__" or "out" in settings:
            raise unsupported(f"np.{ufunc.__name__}.{method} of a np.matrix", _INSTEAD)
        if ufunc is np.multiply and doing()[0] == "BINARY_OP":
            return _product(*inputs)  # array * matrix: NumPy asks for the ufunc
        return _matrix(ufunc(*map(_plain, inputs), **settings))

    def __array_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...], settings: dict[str, Any]
    ) -> Any:
        arguments, settings = _plain(arguments), _plain(settings)
        if function in _FUNCTIONS:
            axis = arguments[1] if len(arguments) > 1 else settings.get("axis")
            settings = {**settings, **_kept(axis)}
        result = function(*arguments, **settings)
        return result if function in _PLAIN else _matrix(result)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise unsupported("A conversion of a np.matrix to an array", "Write .A for it.")

    def __mul__(self, other: Any) -> Any:
        return _product(self, other)

    def __rmul__(self, other: Any) -> Any:
        return _product(other, self)

    def __imul__(self, other: Any) -> Any:
        self[...] = _product(self, other)
        return self

    def __pow__(self, exponent: Any) -> Any:
        if type(exponent) is not int or exponent < 1:
            raise unsupported("A power of a np.matrix", _INSTEAD)
        result: Any = self
        for _ in range(exponent - 1):
            result = result * self
        return result

    def __getitem__(self, index: Any) -> Any:
        result = self.A[_plain(index)]
        if result.ndim != 1:
            return _matrix(result)
        column = isinstance(index, tuple) and len(index) > 1 and np.isscalar(index[1])
        return _matrix(result.reshape((-1, 1) if column else (1, -1)))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.A[_plain(index)] = _plain(value)


_INSTEAD = "Use arrays of two axes, and write @ for products."


def _kept(axis: Any) -> dict[str, Any]:
    return {} if axis is None else {"keepdims": True}


def _plain(value: Any) -> Any:
    """Arrays in the place of matrices, also within lists, tuples and dicts."""
    kind = type(value)
    if kind is TracedMatrix:
        return value.A
    if isinstance(value, np.matrix):
        return np.asarray(value)
    if kind is list or kind is tuple:
        return kind(map(_plain, value))
    if kind is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value


def _matrix(value: Any) -> Any:
    """A traced array of axes as a matrix; single numbers as they are."""
    if not is_traced(value) or not value.ndim:
        return value
    array: Any = value.reshape(1, -1) if value.ndim == 1 else value
    if array.ndim != 2:
        raise unsupported(f"A np.matrix of {array.ndim} axes", _INSTEAD)
    return TracedMatrix(array.value, array.node, storage=array._storage, path=array._path)


def _product(left: Any, right: Any) -> Any:
    """What * is: the matrix product, but for numbers."""
    a, b = _plain(left), _plain(right)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return _matrix(a * b)
    # An array of one axis is a row, as np.matrix takes it.
    rows = [x.reshape(1, -1) if np.ndim(x) == 1 else x for x in (a, b)]
    return _matrix(rows[0] @ rows[1])


def _give_methods() -> None:
    """Operators and methods: those of arrays, the results matrices."""

    def as_of_arrays(name: str) -> Callable[..., Any]:
        def method(self: TracedMatrix, *arguments: Any, **settings: Any) -> Any:
            if name in _REDUCTIONS:
                axis = arguments[0] if arguments else settings.get("axis")
                settings = {**settings, **_kept(axis)}
            return _matrix(getattr(self.A, name)(*_plain(arguments), **_plain(settings)))

        return method

    def in_place(name: str) -> Callable[..., Any]:
        def method(self: TracedMatrix, other: Any) -> TracedMatrix:
            getattr(self.A, name)(_plain(other))
            return self

        return method

    operators = ["add", "sub", "truediv", "matmul"]
    names = [f"__{prefix}{each}__" for each in operators for prefix in ("", "r")]
    names += [f"__{each}__" for each in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs")]
    names += ["copy", "reshape", "transpose", "flatten", "ravel", "dot", "astype", "clip", "round"]
    for name in [*names, *_REDUCTIONS]:
        setattr(TracedMatrix, name, as_of_arrays(name))
    for name in operators:
        setattr(TracedMatrix, f"__i{name}__", in_place(f"__i{name}__"))


_give_methods()
