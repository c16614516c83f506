"""SciPy's log-sum-exp and softmax, which are Python functions that NumPy's protocols do not reach.

They convert what they are given to plain arrays, so a traced array has to be met before that.
While a trace runs, the code of these three functions is one that looks at its arguments first:
traced ones are recorded, all others go on to SciPy's own code. Programs that imported a function
by name hold the same function object, so they are reached as well. When the last trace ends, the
functions have their own code again.

SciPy takes long to import and most programs do not need it, so it is not imported here. If the
traced program does, its functions are given the other code as soon as that import is done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from chainrule import primitives as p
from chainrule.tracer.arrays import TracedArray, bind, entered, unsupported
from chainrule.tracer.operands import as_dtype, as_traced, axes_of, is_traced
from chainrule.tracer.ufuncs import call

__all__ = ["install", "remove"]


def _floating(x: Any) -> TracedArray:
    array = as_traced(x)
    return array if array.dtype.kind == "f" else as_dtype(array, np.dtype("float64"))


def _logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    if return_sign:
        raise unsupported("logsumexp(…, return_sign=True)", "Use it without signs.")
    array = _floating(a)
    if b is not None:
        array = call(np.add, array, call(np.log, b))
    axes = axes_of(axis, array.ndim)
    return bind(p.logsumexp, array, axis=axes, keepdims=bool(keepdims))


def _softmax(x: Any, axis: Any = None) -> Any:
    array = _floating(x)
    return bind(p.softmax, array, axis=axes_of(axis, array.ndim))


def _log_softmax(x: Any, axis: Any = None) -> Any:
    array = _floating(x)
    return bind(p.log_softmax, array, axis=axes_of(axis, array.ndim))


_TRACED: dict[str, Any] = {
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}


# Each stands in for the code of SciPy's function, so it reads no name of this module: inside it,
# names are looked up in SciPy's.


def _logsumexp_first(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    from chainrule.tracer.scipy_functions import choose

    return choose("logsumexp", a, b)(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)


def _softmax_first(x: Any, axis: Any = None) -> Any:
    from chainrule.tracer.scipy_functions import choose

    return choose("softmax", x)(x, axis=axis)


def _log_softmax_first(x: Any, axis: Any = None) -> Any:
    from chainrule.tracer.scipy_functions import choose

    return choose("log_softmax", x)(x, axis=axis)


_FIRST: dict[str, Any] = {
    "logsumexp": _logsumexp_first,
    "softmax": _softmax_first,
    "log_softmax": _log_softmax_first,
}
_MODULE = "scipy.special"
# SciPy's functions, and what has their own code; empty until SciPy has been imported.
_SCIPY: dict[str, Any] = {}
_ORIGINAL: dict[str, Any] = {}


def choose(name: str, *arguments: Any) -> Any:
    """The traced form of a SciPy function if an argument is traced, and SciPy's own otherwise."""
    traced = any(is_traced(argument) for argument in arguments)
    return partial(entered, _TRACED[name]) if traced else _ORIGINAL[name]


class _WhenImported:
    """Watches for the import of scipy.special, as a finder that leaves the finding to Python's."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the module is, with a loader that gives its functions their traced code at last."""
        spec = PathFinder.find_spec(name, path, target) if name == _MODULE else None
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader

        def execute(module: ModuleType) -> None:
            del loader.exec_module  # from now on the loader's own
            loader.exec_module(module)
            if _watch in sys.meta_path:
                _redirect(module)

        loader.exec_module = execute
        return spec


_watch = _WhenImported()


def _redirect(module: ModuleType) -> None:
    for name in _TRACED:
        function = getattr(module, name)
        if name not in _SCIPY:
            own = FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
            _SCIPY[name], _ORIGINAL[name] = function, own
        function.__code__ = _FIRST[name].__code__


def install() -> None:
    """Let the three functions look for traced arguments."""
    module = sys.modules.get(_MODULE)
    if module is not None and all(hasattr(module, name) for name in _TRACED):
        _redirect(module)
    else:
        # A new list each time: another thread may be in the middle of the one that there is.
        sys.meta_path = [_watch, *sys.meta_path]


def remove() -> None:
    """Give the three functions their own code again."""
    if _watch in sys.meta_path:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not _watch]
    for name, function in _SCIPY.items():
        function.__code__ = _ORIGINAL[name].__code__
