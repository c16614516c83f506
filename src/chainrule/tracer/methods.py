"""The methods that arrays have, each the NumPy function that it stands for."""

# What a NumPy program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.tracer.arrays import FUNCTIONS, TracedArray, entered

__all__: list[str] = []

_SAME_NAME = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "clip",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "ptp",
    "ravel",
    "repeat",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "var",
]


def _give_methods() -> None:
    """Give `TracedArray` the methods of an array, each from the function of the same name."""

    def method(function: Any) -> Any:
        return lambda self, *arguments, **settings: entered(
            FUNCTIONS[function], self, *arguments, **settings
        )

    def direct(lowering: Any) -> Any:
        return lambda self, *arguments, **settings: entered(lowering, self, *arguments, **settings)

    for name in _SAME_NAME:
        setattr(TracedArray, name, method(getattr(np, name)))
    others: dict[str, Any] = {
        "copy": method(np.copy),
        "conj": method(np.copy),
        "flatten": direct(_flatten),
        "reshape": direct(_reshape),
        "transpose": direct(_transpose),
        "astype": direct(_astype),
        "round": direct(_round),
        "T": property(method(np.transpose)),
        "mT": property(method(np.matrix_transpose)),
        "real": property(lambda self: self),
        "flat": property(_Flat, _set_flat),
        "fill": direct(_fill),
        "sort": direct(_sort),
        "compress": lambda self, condition, axis=None: entered(
            FUNCTIONS[np.compress], condition, self, axis
        ),
    }
    for name, member in others.items():
        setattr(TracedArray, name, member)


def _flatten(self: TracedArray, order: str = "C") -> TracedArray:
    return FUNCTIONS[np.copy](FUNCTIONS[np.ravel](self, order))


def _reshape(self: TracedArray, *shape: Any, order: str = "C", copy: Any = None) -> TracedArray:
    wanted = shape[0] if len(shape) == 1 else shape
    return FUNCTIONS[np.reshape](self, wanted, order)


def _transpose(self: TracedArray, *axes: Any) -> TracedArray:
    if not axes or axes == (None,):
        return FUNCTIONS[np.transpose](self)
    return FUNCTIONS[np.transpose](self, axes[0] if isinstance(axes[0], tuple | list) else axes)


def _astype(
    self: TracedArray,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> TracedArray:
    return FUNCTIONS[np.astype](self, dtype, copy=copy)


def _round(self: TracedArray, decimals: int = 0, out: Any = None) -> TracedArray:
    return FUNCTIONS[np.round](self, decimals, out)


class _Flat:
    """The elements of an array in row-major order, as ``x.flat`` gives them."""

    def __init__(self, array: TracedArray) -> None:
        self._array = array

    def __len__(self) -> int:
        return self._array.size

    def __iter__(self) -> Iterator[Any]:
        return iter(FUNCTIONS[np.ravel](self._array))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(FUNCTIONS[np.ravel](self._array), dtype)

    def __getitem__(self, index: Any) -> TracedArray:
        return FUNCTIONS[np.copy](FUNCTIONS[np.ravel](self._array))[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        places = np.arange(self._array.size)[index]
        self._array[np.unravel_index(places, self._array.shape)] = value


def _set_flat(self: TracedArray, value: Any) -> None:
    _Flat(self)[:] = value


def _fill(self: TracedArray, value: Any) -> None:
    self[...] = value


def _sort(self: TracedArray, axis: int = -1, **settings: Any) -> None:
    self[...] = FUNCTIONS[np.sort](self, axis, **settings)


_give_methods()
