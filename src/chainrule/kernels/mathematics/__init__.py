"""Mathematical functions as vector instructions, in double and single precision.

Each element goes through the same operations whatever the width and whatever stands beside it, with
selects instead of branches, without library calls, and without letting LLVM reassociate: the only
fused multiply-adds are those that are written. So a result has the same bits at any width and on
any processor that has the instruction. Polynomials are evaluated so that few operations wait for
one another, because a small network waits for one element after the other.

`ULP_BOUND` says how far a result may be from the exact one, in units of its last place; a test
measures it over the whole range. `benchmarks/vector_mathematics.py` measures the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.kernels.mathematics import (
    errorfunction,
    exponentials,
    logarithms,
    powers,
    trigonometry,
)
from chainrule.kernels.mathematics.vectors import function

__all__ = ["FUNCTIONS", "ULP_BOUND"]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function(getattr(module, name))
    for module in (exponentials, logarithms, powers, trigonometry, errorfunction)
    for name in module.__all__
}
"""The functions by the names of their primitives: of a block and vectors, a vector."""

_BOUNDS = {
    "arctan": 2.25,
    "cos": 1.75,
    "cosh": 2.0,
    "erf": 1.75,
    "exp": 0.9,
    "exp2": 0.9,
    "expit": 2.6,
    "expm1": 2.0,
    "log": 1.5,
    "log10": 2.0,
    "log1p": 1.5,
    "log2": 1.5,
    "logaddexp": 4.0,
    "power": 1.75,
    "sin": 1.75,
    "sinh": 2.5,
    "sqrt": 0.5,
    "tan": 3.25,
    "tanh": 2.75,
    "xlogy": 3.0,
}

ULP_BOUND: dict[tuple[str, str], float] = {
    (name, form): bound for name, bound in _BOUNDS.items() for form in ("float64", "float32")
}
"""The largest error by function and format, in units of the last place of the exact result.

That of ``logaddexp`` holds where the larger input is not negative; below 0 the sum cancels, and
keeps the absolute error.
"""
