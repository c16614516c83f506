"""The vector functions against more digits, over the whole range and at every special value."""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from chainrule import primitives as p
from chainrule.graph import Graph, argument
from chainrule.kernels.machine import processor
from chainrule.kernels.mathematics import FUNCTIONS, ULP_BOUND
from chainrule.kernels.whole import WholeProgram
from chainrule.pytrees import flatten

mpmath = pytest.importorskip("mpmath")

Array = NDArray[Any]
ROOT = Path(__file__).parents[2]
FORMATS = [np.float64, np.float32]
OF_TWO = ["logaddexp", "power", "xlogy"]
OF_ONE = sorted(FUNCTIONS.keys() - set(OF_TWO))
# NumPy's long double is the reference for double precision where it has more digits.
EXTENDED = np.finfo(np.longdouble).nmant >= 63
FUSED = "+fma" in processor()[1] or platform.machine() in ("aarch64", "arm64")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Overflow and not-a-number are what these tests are about."""
    with np.errstate(all="ignore"):
        yield


def program(folder: str, name: str) -> ModuleType:
    path = ROOT / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = program("benchmarks", "vector_mathematics")


@cache
def compiled(name: str, dtype: Any, width: int | None = None, cpu: str | None = None) -> Any:
    return benchmark.VectorFunction(name, dtype, width, cpu)


# What the exact results are.


def of_numpy(name: str, *arrays: Any) -> Any:
    return benchmark.reference(name)(*arrays)


def of_mpmath(name: str, *arrays: Array) -> Any:
    """Results with 40 digits, as long doubles; arguments for which they are real and finite."""
    functions: dict[str, Any] = {
        "arctan": mpmath.atan,
        "exp2": lambda x: mpmath.power(2, x),
        "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
        "log2": lambda x: mpmath.log(x, 2),
    }
    compute = functions.get(name) or getattr(mpmath, name)
    with mpmath.workdps(60):
        results = [
            mpmath.nstr(compute(*map(mpmath.mpf, row)), 40)
            for row in zip(*(x.tolist() for x in arrays), strict=True)
        ]
    return np.array(results, dtype=np.longdouble)


def exact(name: str, *arrays: Array) -> Any:
    """The results with digits to spare."""
    if arrays[0].dtype == np.float32:
        if name == "expit":  # SciPy's in double precision is 0 too soon for nothing here
            return of_numpy("expit", arrays[0].astype(np.float64))
        return of_numpy(name, *(x.astype(np.float64) for x in arrays))
    wide = [x.astype(np.longdouble) for x in arrays]
    if name == "expit":
        small = np.exp(-np.abs(wide[0]))
        return np.where(wide[0] < 0, small, 1) / (1 + small)
    return of_numpy(name, *wide)


def errors(found: Array, expected: Any) -> Any:
    """How far the results are from the exact ones, in units of the last place of those.

    Infinite where only one of both is infinite, not a number, or, as rounded, of the other sign.
    """
    form = np.finfo(found.dtype)
    rounded = np.asarray(expected).astype(found.dtype)
    lowest = np.maximum(np.frexp(expected)[1] - 1, form.minexp)
    unit = np.ldexp(np.asarray(expected).dtype.type(1), lowest - form.nmant)
    error = np.abs(found - expected) / unit
    usual = np.isfinite(rounded) & np.isfinite(found)
    same = (rounded == found) | (np.isnan(rounded) & np.isnan(found))
    error = np.where(usual, error, np.where(same, 0, np.inf))
    signs = (np.signbit(rounded) == np.signbit(found)) | np.isnan(rounded)
    return np.where(signs, error, np.inf)


# Where they are measured.

BOUNDARIES: dict[str, list[float]] = {
    "arctan": [2**0.5 - 1, 2**0.5 + 1],
    "cos": [np.pi / 4, np.pi / 2, np.pi, 2.0**14, 2.0**20],
    "cosh": [710.4758600739439, 89.415985, 710.6, 89.6],
    "erf": [1.0, 4.0, 6.0],
    "exp": [709.782712893384, -745.1332191019412, -708.4, 88.72284, -103.97208, -87.3, -104],
    "exp2": [1024.0, -1074.0, -1075.0, -1022.0, 128.0, -149.0, -150.0, -126.0, 0.5],
    "expit": [-709.0, -745.0, -746.0, 600.0, -36.7, 36.7, 65.0, -88.0, -104.0, -105.0],
    "expm1": [709.782712893384, 88.72284, -37.0, -17.0, -52.0, -23.0, 0.34657359, 1.0397],
    "log": [1.0, 2 / 3, 4 / 3, 2.0],
    "log10": [1.0, 2 / 3, 4 / 3, 10.0, 1000.0],
    "log1p": [-1.0, -1 / 3, 1 / 3, 1.0],
    "log2": [1.0, 2 / 3, 4 / 3, 2.0, 1024.0],
    "sin": [np.pi / 4, np.pi / 2, np.pi, 2.0**14, 2.0**20],
    "sinh": [710.4758600739439, 89.415985, 710.6, 89.6, 0.34657359, 1.0397],
    "tan": [np.pi / 4, np.pi / 2, np.pi, 2.0**14, 2.0**20],
    "tanh": [10.0, 20.0, 9.01, 19.06, 0.1733, 0.5199],
}


def everywhere(dtype: Any, seed: int = 1, size: int = 4000) -> Array:
    """Numbers of every size and sign: any bits, even in the logarithm, and even in themselves."""
    rng = np.random.default_rng(seed)
    form, whole = np.finfo(dtype), np.int64 if dtype == np.float64 else np.int32
    low, high = np.iinfo(whole).min, np.iinfo(whole).max
    bits = rng.integers(low, high, size, dtype=whole, endpoint=True).view(dtype)
    spread = 2.0 ** rng.uniform(-60, 10.5, size) * rng.choice([-1, 1], size)
    even = [rng.uniform(-each, each, size) for each in (0.5, 1, 3, 40, 110, 800)]
    near_one = 1 + 2.0 ** rng.uniform(-30, -1, size) * rng.choice([-1, 1], size)
    subnormal = form.tiny * rng.uniform(-1, 1, size)
    return np.concatenate([bits, spread, *even, near_one, subnormal]).astype(dtype)


def neighbourhoods(numbers: list[float], dtype: Any, steps: int = 12) -> Array:
    """Numbers of both signs, and those next to them."""
    form = np.finfo(dtype)
    largest = [form.max, form.tiny, form.smallest_subnormal, form.eps, form.eps / 2, 1 / form.eps]
    start = np.array([*numbers, *map(float, largest), 0.0]).astype(dtype)
    start = np.concatenate([start, -start])
    found = [start]
    for towards in (-np.inf, np.inf):
        x = start
        for _ in range(steps):
            x = np.nextafter(x, dtype(towards))
            found.append(x)
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    return np.concatenate([*found, special])


def test_every_function_has_a_bound() -> None:
    assert set(ULP_BOUND) == {(name, form) for name in FUNCTIONS for form in ("float64", "float32")}


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", [name for name in OF_ONE if name != "erf"])
def test_within_the_stated_ulp(name: str, dtype: Any) -> None:
    if dtype == np.float64 and not EXTENDED:
        pytest.skip("NumPy's long double has no more digits than its double here")
    x = np.concatenate([everywhere(dtype), neighbourhoods(BOUNDARIES.get(name, []), dtype)])
    error = errors(compiled(name, dtype)(x), exact(name, x))
    worst = int(np.argmax(error))
    assert error[worst] <= ULP_BOUND[name, np.dtype(dtype).name], (x[worst], error[worst])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", OF_ONE)
def test_within_the_stated_ulp_of_forty_digits(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(0, 6.2, 800), 2.0 ** rng.uniform(-30, 2.6, 200)])
    x = np.concatenate([x, rng.uniform(0.9, 1.1, 200)]).astype(dtype)
    error = errors(compiled(name, dtype)(x), of_mpmath(name, x))
    worst = int(np.argmax(error))
    assert error[worst] <= ULP_BOUND[name, np.dtype(dtype).name], (x[worst], error[worst])


def test_the_error_function_is_odd_and_ends_at_one() -> None:
    for dtype in FORMATS:
        x = np.concatenate([everywhere(dtype), neighbourhoods(BOUNDARIES["erf"], dtype)])
        found, expected = compiled("erf", dtype)(x), scipy.special.erf(x)
        form = np.finfo(dtype)
        least = float(form.smallest_subnormal)
        np.testing.assert_allclose(found, expected, rtol=4 * form.eps, atol=least)
        number = ~np.isnan(x)
        np.testing.assert_array_equal(np.signbit(found)[number], np.signbit(x)[number])


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_of_any_size(name: str) -> None:
    # The first is the double that is nearest to a multiple of π/2 for its size.
    x = [6381956970095103 * 2.0**797, 1e300, 1e22, 5e15, 2.0**1023, np.finfo(float).max, 2.0**20]
    x = np.array([*x, *(2.0 ** np.random.default_rng(0).uniform(20, 1024, 100))])
    x = np.concatenate([x, -x])
    with mpmath.workdps(400):
        expected = of_mpmath_at(name, x)
    assert errors(compiled(name, np.float64)(x), expected).max() <= ULP_BOUND[name, "float64"]


def of_mpmath_at(name: str, x: Array) -> Any:
    """Results with the digits that are set."""
    compute = getattr(mpmath, name)
    results = [mpmath.nstr(compute(mpmath.mpf(each)), 40) for each in x.tolist()]
    return np.array(results, dtype=np.longdouble)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_quarter_turns(name: str, dtype: Any) -> None:
    k = np.arange(1, 12_000)
    x = (k * (np.pi / 2)).astype(dtype)
    x = np.concatenate([x, np.nextafter(x, dtype(0)), np.nextafter(x, dtype(np.inf))])
    if dtype == np.float64 and not EXTENDED:
        x = x[::100]
    expected = exact(name, x) if dtype == np.float32 or EXTENDED else of_mpmath(name, x)
    found = compiled(name, dtype)(x)
    assert errors(found, expected).max() <= ULP_BOUND[name, np.dtype(dtype).name]


SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -1.5, 1e300, -1e300]
SPECIAL += [
    1e-320,
    5e-324,
    1e-45,
    2.0**53,
    -(2.0**53) - 2,
    2.0**52 + 1,
    2.0**24 - 1,
    709.79,
    -745.2,
]
SPECIAL += [88.8, -104.1]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", OF_ONE)
def test_special_values_are_those_of_numpy(name: str, dtype: Any) -> None:
    x = np.array([*SPECIAL, *(-np.array(SPECIAL))]).astype(dtype)
    found, expected = compiled(name, dtype)(x), of_numpy(name, x)
    # SciPy's sigmoid is 0 where the exact one still is a subnormal number.
    absolute = float(np.finfo(dtype).tiny) if name == "expit" else 0
    np.testing.assert_allclose(found, expected, rtol=5 * np.finfo(dtype).eps, atol=absolute)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", OF_TWO)
def test_special_pairs_are_those_of_numpy(name: str, dtype: Any) -> None:
    x = np.array([*SPECIAL, *(-np.array(SPECIAL))]).astype(dtype)
    a, b = (each.ravel() for each in np.meshgrid(x, x))
    found, expected = compiled(name, dtype)(a, b), of_numpy(name, a, b)
    np.testing.assert_allclose(found, expected, rtol=5 * np.finfo(dtype).eps, atol=0)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(expected[number]))


def pairs(name: str, dtype: Any) -> tuple[Array, Array]:
    """Arguments of which the results are of every size."""
    rng = np.random.default_rng(7)
    size = 20_000
    if name == "power":
        largest = float(np.log2(np.finfo(dtype).max))
        near = 1 + rng.uniform(-1, 1, size) * 2.0 ** rng.uniform(-20, -1, size)
        a = np.concatenate([2.0 ** rng.uniform(-largest, largest, size), near]).astype(dtype)
        exponent = rng.uniform(-1.02 * largest - 30, 1.02 * largest, len(a))
        b = (exponent / np.log2(a.astype(float))).astype(dtype)
        b[::3] = np.rint(b[::3])
        a[::9] = -a[::9]
        return a, b
    a = np.concatenate([rng.normal(0, 20, size), rng.uniform(-1, 1, size), np.zeros(size)])
    b = np.concatenate([rng.normal(0, 20, size), rng.uniform(-1, 1, size), rng.normal(0, 9, size)])
    return a.astype(dtype), (np.abs(b) if name == "xlogy" else b).astype(dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_within_the_stated_ulp(name: str, dtype: Any) -> None:
    if dtype == np.float64 and not EXTENDED:
        pytest.skip("NumPy's long double has no more digits than its double here")
    a, b = pairs(name, dtype)
    wide = [x.astype(np.longdouble if dtype == np.float64 else np.float64) for x in (a, b)]
    if name == "xlogy":
        expected: Any = np.where(wide[0] == 0, 0, wide[0] * np.log(wide[1]))
    else:
        expected = of_numpy(name, *wide)
    found = compiled(name, dtype)(a, b)
    error = errors(found, expected)
    if name == "logaddexp":
        # Below 0 the sum cancels: the error is that of the difference of the inputs, carried on.
        larger, apart = np.maximum(a, b), np.abs(a - b)
        carried = np.abs(larger) + np.exp(-apart) * (1 + apart)
        assert (np.abs(found - expected) <= 2 * np.finfo(dtype).eps * carried).all()
        error = error[larger >= 0]
    assert error.max() <= ULP_BOUND[name, np.dtype(dtype).name]


# That a result depends on nothing else.


def arguments(name: str, dtype: Any) -> list[Array]:
    count = 2 if name in OF_TWO else 1
    rng = np.random.default_rng(5)
    parts = [everywhere(dtype, seed, 60)[: 9 * 60] for seed in range(count)]
    return [rng.permutation(np.concatenate([x, np.array(SPECIAL[:5], dtype)])) for x in parts]


def bits(x: Array) -> Array:
    """The bits, with one pattern for what is not a number."""
    return np.where(np.isnan(x), -1, x.view(f"i{x.itemsize}"))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_same_bits_at_any_width_and_beside_any_neighbours(name: str, dtype: Any) -> None:
    arrays = arguments(name, dtype)
    expected = bits(compiled(name, dtype)(*arrays))
    often_used = ("exp", "expit", "tanh", "log")
    for width in (1, 2, 3, 4, 8, 24) if name in often_used else (1, 3, 24):
        function = benchmark.VectorFunction(name, dtype, width)
        np.testing.assert_array_equal(bits(function(*arrays)), expected)
    order = np.random.default_rng(0).permutation(len(arrays[0]))
    moved = bits(compiled(name, dtype)(*(x[order] for x in arrays)))
    np.testing.assert_array_equal(moved, expected[order])


def library_calls(assembly: str) -> set[str]:
    found = re.findall(r"(?:\$|callq?\s+|\bbl\s+)([A-Za-z_][\w.]*)", assembly)
    return {name for name in found if not name.startswith("chainrule")}


@pytest.mark.skipif(not FUSED, reason="this processor has no fused multiply-add")
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_no_library_is_called(name: str, dtype: Any) -> None:
    assert not library_calls(compiled(name, dtype).assembly)


@pytest.mark.skipif("+avx2" not in processor()[1], reason="this processor has no AVX2")
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_same_bits_with_fewer_features(name: str, dtype: Any) -> None:
    arrays = arguments(name, dtype)
    expected = bits(compiled(name, dtype)(*arrays))
    plain = benchmark.VectorFunction(name, dtype, 8, "haswell")
    assert not library_calls(plain.assembly)
    np.testing.assert_array_equal(bits(plain(*arrays)), expected)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a processor of another kind")
@pytest.mark.parametrize("name", ["exp", "power", "sin", "tanh"])
def test_right_but_slow_without_fused_multiply_add(name: str) -> None:
    arrays = arguments(name, np.float64)
    plain = benchmark.VectorFunction(name, np.float64, 4, "x86-64-v2")
    assert library_calls(plain.assembly) == {"fma"}
    np.testing.assert_array_equal(bits(plain(*arrays)), bits(compiled(name, np.float64)(*arrays)))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_graph_is_compiled_with_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    arrays = [np.abs(x[:16]) for x in arguments(name, np.float32)]
    inputs = [argument(f"x{i}", (16,), np.float32) for i in range(len(arrays))]
    structure = flatten([0] * len(arrays))[1]
    node = getattr(p, name)(*inputs)
    run = WholeProgram(Graph(tuple(inputs), (node,), structure, flatten(0)[1]))
    np.testing.assert_array_equal(bits(run(*arrays)[0]), bits(compiled(name, np.float32)(*arrays)))


# The programs beside them.


def test_the_coefficients_are_those_that_the_script_computes() -> None:
    script = ROOT / "scripts" / "coefficients.py"
    subprocess.run([sys.executable, script, "--check"], check=True)


def test_the_benchmark_measures() -> None:
    row = benchmark.measure("expit", np.float32)
    assert (row["dtype"], row["function"]) == ("float32", "expit")
    assert min(row["ours"], row["theirs"], row["latency"]) > 0
