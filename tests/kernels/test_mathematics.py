"""The vector functions against 40 digits, over the whole range and at every special value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from chainrule import primitives as p
from chainrule.graph import Graph, argument
from chainrule.kernels.mathematics import FUNCTIONS, ULP_BOUND
from chainrule.kernels.whole import WholeProgram
from chainrule.pytrees import flatten

mpmath = pytest.importorskip("mpmath")

REFERENCE: dict[str, Any] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "tanh": mpmath.tanh,
}
NUMPY: dict[str, Any] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "expit": scipy.special.expit,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "logaddexp": np.logaddexp,
    "xlogy": scipy.special.xlogy,
}
WIDTH = 16


def compiled(name: str, dtype: Any, width: int = WIDTH) -> Any:
    """The function of arrays of any length, run `width` elements at a time."""
    count = 2 if name in ("logaddexp", "xlogy") else 1
    inputs = [argument(f"x{i}", (width,), dtype) for i in range(count)]
    structure = flatten([0] * count)[1]
    node = getattr(p, name)(*inputs)
    run = WholeProgram(Graph(tuple(inputs), (node,), structure, flatten(0)[1]))

    def call(*arrays: Any) -> Any:
        padded = [np.resize(x, -(-len(x) // width) * width).reshape(-1, width) for x in arrays]
        rows = [run(*row)[0] for row in zip(*padded, strict=True)]
        return np.concatenate(rows)[: len(arrays[0])]

    return call


def range_of(name: str, dtype: Any) -> Any:
    """Numbers over the whole range in which the result is neither 0, infinite nor its limit."""
    rng = np.random.default_rng(5)
    form = np.finfo(dtype)
    largest = float(np.log(form.max))
    smallest = float(np.log(form.tiny)) - 10
    spread = 2.0 ** rng.uniform(-40, np.log2(largest), 1500)
    if name in ("log", "sqrt", "log1p"):
        x = 2.0 ** rng.uniform(np.log2(form.tiny) - 20, np.log2(form.max) - 1, 1500)
        near = 1 + rng.uniform(-0.5, 0.5, 1000)
        if name == "log1p":
            return np.concatenate([x, near - 1, -(2.0 ** rng.uniform(-40, -0.01, 500))])
        return np.concatenate([x, near, 1 + 2.0 ** rng.uniform(-20, -1, 500)])
    x = np.concatenate([spread, -spread, rng.uniform(-3, 3, 1500), rng.uniform(-40, 40, 1000)])
    return x[x > smallest] if name == "exp" else x


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_within_the_stated_ulp(name: str, dtype: Any) -> None:
    x = range_of(name, dtype).astype(dtype)
    found = compiled(name, dtype)(x)
    mpmath.mp.dps = 40
    worst = 0.0
    for argument_, result in zip(x.tolist(), found, strict=True):
        exact = REFERENCE[name](mpmath.mpf(argument_))
        unit = float(np.spacing(np.abs(dtype(exact))))
        if np.isfinite(dtype(exact)) and unit > 0:
            worst = max(worst, abs(float((mpmath.mpf(float(result)) - exact) / unit)))
    assert worst <= ULP_BOUND[name], worst


SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-320, -1e-320, 5e-324, 1e300, -1e300]
SPECIAL += [709.78, 709.79, -745.1, -745.2, 1000.0, -1000.0, 88.7, 88.8, -103.9, -104.1, 40.0, 41.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_special_values(name: str, dtype: Any) -> None:
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
        expected = NUMPY[name](x)
    found = compiled(name, dtype)(x)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    limits = np.isinf(expected) | (expected == 0)
    # SciPy's sigmoid is 0 where the exact one still rounds to the smallest number there is.
    least = np.finfo(dtype).smallest_subnormal if name == "expit" else 0
    np.testing.assert_allclose(found[limits], expected[limits], rtol=0, atol=least)
    np.testing.assert_array_equal(np.signbit(found[limits]), np.signbit(expected[limits]))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(
        found[finite],
        expected[finite],
        rtol=5 * np.finfo(dtype).eps,
        atol=5 * float(np.finfo(dtype).smallest_subnormal),
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["logaddexp", "xlogy"])
def test_functions_of_two(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1000.0, -1000.0, 1e-300])
    a, b = (x.ravel() for x in np.meshgrid(special, special))
    a = np.concatenate([a, rng.normal(0, 20, 1000)]).astype(dtype)
    b = np.concatenate([b, rng.normal(0, 20, 1000)]).astype(dtype)
    with np.errstate(all="ignore"):
        expected = NUMPY[name](a, b)
    found = compiled(name, dtype)(a, b)
    scale = np.finfo(dtype).eps * np.maximum(np.abs(a), np.abs(b))
    finite = np.isfinite(expected)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(found[infinite], expected[infinite])
    # A sum that cancels keeps the digits of the larger of its inputs.
    error = np.abs(found[finite] - expected[finite])
    allowed = 4 * (np.finfo(dtype).eps * np.abs(expected[finite]) + scale[finite])
    assert (error <= allowed).all()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_same_bits_at_any_width(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(2)
    count = 2 if name in ("logaddexp", "xlogy") else 1
    arrays = [rng.normal(0, 10, 240).astype(dtype) for _ in range(count)]
    if name in ("log", "sqrt", "log1p", "xlogy"):
        arrays = [np.abs(x) for x in arrays]
    expected = compiled(name, dtype, 1)(*arrays).tobytes()
    for width in (2, 3, 4, 5, 8, 16, 24):
        assert compiled(name, dtype, width)(*arrays).tobytes() == expected
