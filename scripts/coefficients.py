"""The polynomials and constants of `chainrule.kernels.mathematics`, computed with 120 digits.

    python scripts/coefficients.py           what coefficients.py there should hold
    python scripts/coefficients.py --check   whether it does

A polynomial is the one whose largest weighted error is the least, by Remez' exchange algorithm
(E. W. Cheney, 1966, Introduction to Approximation Theory, chapter 3). Its coefficients are then
rounded to the format. The weight makes it the error relative to the function's value; it is kept
from vanishing inside the interval, where no polynomial would be the best one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np

Real = Any
Function = Callable[[Real], Real]
TARGET = Path(__file__).parents[1] / "src/chainrule/kernels/mathematics/coefficients.py"
FORMATS = {"float64": np.float64, "float32": np.float32}
DIGITS = 120
WEIGHT_FLOOR = 8
"""A weight is at least its largest value divided by this."""
EXPONENT_BITS = {"float64": 12, "float32": 9}
"""The bits that an exponent k may have where its product with a constant must be exact."""
WORDS = 19
"""How many words of 2/π an angle may need."""


# Remez' algorithm.


def remez(value: Function, weight: Function, low: Real, high: Real, degree: int) -> list[Real]:
    """The coefficients, by powers, of the polynomial with the least weighted error."""
    low, high = mp.mpf(low), mp.mpf(high)
    n = degree + 2
    steps = 40 * n
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mp.cos(mp.pi * i / steps) for i in range(steps + 1)]
    weights = [abs(weight(x)) for x in grid]
    weights = [max(w, max(weights) / WEIGHT_FLOOR) for w in weights]
    values = [value(x) for x in grid]
    nodes = [round(steps * i / (n - 1)) for i in range(n)]
    coefficients: list[Real] = []
    for _ in range(20):
        coefficients, level = _levelled(
            [grid[i] for i in nodes], [values[i] for i in nodes], [weights[i] for i in nodes]
        )
        errors = [
            (mp.polyval(coefficients[::-1], x) - y) * w
            for x, y, w in zip(grid, values, weights, strict=True)
        ]
        extremes = _extremes(errors)
        while len(extremes) > n:
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        if len(extremes) < n or max(map(abs, errors)) < 1.001 * level:
            break
        nodes = extremes
    return coefficients


def _levelled(
    nodes: list[Real], values: list[Real], weights: list[Real]
) -> tuple[list[Real], Real]:
    """The polynomial whose weighted error has one size at the nodes, and alternating signs."""
    n = len(nodes)
    matrix = mp.matrix(n, n)
    for i, x in enumerate(nodes):
        for j in range(n - 1):
            matrix[i, j] = x**j
        matrix[i, n - 1] = (-1) ** i / weights[i]
    *coefficients, level = mp.lu_solve(matrix, mp.matrix(values))
    return coefficients, abs(level)


def _extremes(errors: list[Real]) -> list[int]:
    """Where the error is largest in each stretch of one sign."""
    found: list[int] = []
    for i, error in enumerate(errors):
        if found and (error > 0) == (errors[found[-1]] > 0):
            if abs(error) > abs(errors[found[-1]]):
                found[-1] = i
        else:
            found.append(i)
    return found


# The functions whose formulas are 0 / 0 at 0 are taken a little beside it.


def _beside(x: Real) -> Real:
    return x if abs(x) > mp.mpf("1e-25") else mp.mpf("1e-25")


def exponential(r: Real) -> Real:
    """(exp r − 1 − r) / r²."""
    r = _beside(r)
    return (mp.expm1(r) - r) / r**2


def hyperbolic_cosine(z: Real) -> Real:
    """(cosh √z − 1) / z."""
    z = _beside(z)
    return 2 * mp.sinh(mp.sqrt(z) / 2) ** 2 / z


def hyperbolic_sine(z: Real) -> Real:
    """(sinh √z / √z − 1) / z."""
    z = _beside(z)
    return (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def logarithm(f: Real) -> Real:
    """(log(1 + f) − f) / f²."""
    f = _beside(f)
    return (mp.log1p(f) - f) / f**2


def artanh(z: Real) -> Real:
    """((2 artanh √z / √z − 2) / z − 2/3) / z."""
    z = _beside(z)
    return ((2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z - mp.mpf(2) / 3) / z


def sine(z: Real) -> Real:
    """(sin √z / √z − 1) / z."""
    z = _beside(z)
    return (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def cosine(z: Real) -> Real:
    """(cos √z − 1 + z/2) / z²."""
    z = _beside(z)
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def arctangent(z: Real) -> Real:
    """(arctan √z / √z − 1) / z."""
    z = _beside(z)
    return (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def error_function(z: Real) -> Real:
    """(erf √z) / √z − 1."""
    z = _beside(z)
    return mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1


def log_erfc(x: Real) -> Real:
    """The logarithm of 1 − erf x."""
    return mp.log(mp.erfc(x))


@dataclass(frozen=True)
class Fit:
    """A function, and what is asked of its polynomials."""

    value: Function
    weight: Function
    low: Real
    high: dict[str, Real]
    """The ends of the intervals, by format."""
    degree: dict[str, int]

    def rows(self) -> dict[str, tuple[float, ...]]:
        """The coefficients by format."""
        return {
            form: rounded(remez(self.value, self.weight, self.low, self.high[form], degree), form)
            for form, degree in self.degree.items()
        }

    @property
    def meaning(self) -> str:
        """The formula and the interval."""
        ends = " or ".join(dict.fromkeys(mp.nstr(end, 4) for end in self.high.values()))
        formula = (self.value.__doc__ or "").rstrip(".")
        return f"{formula}, from {mp.nstr(mp.mpf(self.low), 4)} to {ends}."


def _both(value: Real) -> dict[str, Real]:
    return dict.fromkeys(FORMATS, value)


def fits() -> dict[str, Fit]:
    """The polynomials by the names of their tables."""
    a_little = mp.mpf("1.0001")  # reductions round, and may end a little beyond their interval
    half_log2 = mp.log(2) / 2 * a_little
    third, eighth = mp.mpf(1) / 3, (mp.pi / 4 * a_little) ** 2
    return {
        "EXPONENTIAL": Fit(
            exponential,
            lambda r: r**2 / mp.exp(r),
            -half_log2,
            _both(half_log2),
            {"float64": 9, "float32": 4},
        ),
        "COSH": Fit(
            hyperbolic_cosine,
            lambda z: z,
            0,
            _both(half_log2**2),
            {"float64": 5, "float32": 2},
        ),
        "SINH": Fit(
            hyperbolic_sine, lambda z: z, 0, _both(half_log2**2), {"float64": 4, "float32": 2}
        ),
        "LOGARITHM": Fit(
            logarithm, lambda f: f, -third, _both(third), {"float64": 19, "float32": 8}
        ),
        "ARTANH": Fit(artanh, lambda z: z**2, 0, _both(mp.mpf("0.0401")), {"float64": 7}),
        "SINE": Fit(sine, lambda z: z, 0, _both(eighth), {"float64": 5, "float32": 2}),
        "COSINE": Fit(cosine, lambda z: z**2, 0, _both(eighth), {"float64": 5, "float32": 2}),
        "ARCTANGENT": Fit(
            arctangent,
            lambda z: z,
            0,
            _both((mp.sqrt(2) - 1) ** 2 * a_little),
            {"float64": 10, "float32": 4},
        ),
        "ERF": Fit(error_function, lambda z: 1, 0, _both(1), {"float64": 11, "float32": 6}),
        "LOG_ERFC": Fit(
            log_erfc,
            lambda x: mp.erfc(x) / mp.erf(x),
            1,
            {"float64": 6, "float32": 4},
            {"float64": 22, "float32": 8},
        ),
    }


# Constants.


def in_parts(number: Real, form: str, count: int, spare: int = 0) -> tuple[float, ...]:
    """A number as the sum of floats, the first of which ends in ``spare`` bits of zero."""
    parts: list[float] = []
    for i in range(count):
        bits = np.finfo(FORMATS[form]).nmant + 1 - (spare if i == 0 else 0)
        with mp.workprec(bits):
            part = +number
        parts.append(float(part))
        number -= part
    return tuple(parts)


def rounded(coefficients: list[Real], form: str) -> tuple[float, ...]:
    """Each number as a float of the format."""
    return tuple(in_parts(each, form, 1)[0] for each in coefficients)


def of_bases(natural: Fit) -> dict[tuple[int, str], tuple[tuple[float, ...], ...]]:
    """For each base and format the logarithms of 2 and of e, and the polynomial."""
    rows: dict[tuple[int, str], tuple[tuple[float, ...], ...]] = {}
    for base in (2, 10):
        scale = 1 / mp.log(base)
        for form, degree in natural.degree.items():
            fitted = remez(natural.value, natural.weight, natural.low, natural.high[form], degree)
            rows[base, form] = (
                in_parts(mp.log(2) * scale, form, 2, EXPONENT_BITS[form]),
                in_parts(scale, form, 2),
                rounded([each * scale for each in fitted], form),
            )
    return rows


def digits_of_two_over_pi() -> list[int]:
    """The first binary digits of 2/π, 64 in a word."""
    with mp.workprec(64 * WORDS + 64):
        digits = int(mp.floor(mp.ldexp(2 / mp.pi, 64 * WORDS)))
    return [digits >> (64 * i) & (2**64 - 1) for i in reversed(range(WORDS))]


# The file.


def text() -> str:
    """The whole file, as ruff would format it."""
    made = fits()
    lines = [
        '"""Polynomials and constants, written by `scripts/coefficients.py`."""',
        "",
        "from __future__ import annotations",
        "",
        "Row = tuple[float, ...]",
    ]
    for name, fit in made.items():
        lines += _table(name, "dict[str, Row]", fit.rows(), fit.meaning)
    lines += _table(
        "LOGARITHMS_OF_BASES",
        "dict[tuple[int, str], tuple[Row, Row, Row]]",
        of_bases(made["LOGARITHM"]),
        "For a base and a format the logarithms of 2 and of e in two parts, and LOGARITHM / log b.",
    )
    log2 = {form: in_parts(mp.log(2), form, 2, EXPONENT_BITS[form]) for form in FORMATS}
    meaning = "The logarithm of 2 in two parts; the first times an exponent is exact."
    lines += _table("LOG2", "dict[str, Row]", log2, meaning)
    half_pi = {form: in_parts(mp.pi / 2, form, 3) for form in FORMATS}
    lines += _table("HALF_PI", "dict[str, Row]", half_pi, "The number π/2 in three parts.")
    thirds = {"float64": in_parts(mp.mpf(2) / 3, "float64", 2)}
    lines += _table("TWO_THIRDS", "dict[str, Row]", thirds, "The number 2/3 in two parts.")
    words = [f"    0x{word:016X}," for word in digits_of_two_over_pi()]
    lines += ["", "TWO_OVER_PI = (", *words, ")"]
    lines += [f'"""{digits_of_two_over_pi.__doc__}"""', ""]
    return "\n".join(lines)


def _table(name: str, kind: str, rows: dict[Any, Any], meaning: str) -> list[str]:
    lines = ["", f"{name}: {kind} = {{"]
    for key, row in rows.items():
        label = f'"{key}"' if isinstance(key, str) else f'({key[0]}, "{key[1]}")'
        lines += _tuple(f"{label}: (", row, "    ")
    return [*lines, "}", f'"""{meaning}"""']


def _tuple(opening: str, row: Any, indent: str) -> list[str]:
    """A tuple with one number a line."""
    deeper = f"{indent}    "
    inner: list[str] = []
    for each in row:
        inner += _tuple("(", each, deeper) if isinstance(each, tuple) else [f"{deeper}{each!r},"]
    return [f"{indent}{opening}", *inner, f"{indent}),"]


def main() -> None:
    """Print the file, or compare it."""
    mp.mp.dps = DIGITS
    made = text()
    if "--check" not in sys.argv[1:]:
        print(made, end="")
    elif made != TARGET.read_text(encoding="utf-8"):
        sys.exit(f"{TARGET} is not what this program computes; write its output there.")


if __name__ == "__main__":
    main()
