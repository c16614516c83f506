"""Exponentials, logarithms and what is made of them, as vector instructions.

No branches, no library calls, no reassociation: each element goes through the same operations at
any width. The polynomials are Chebyshev interpolants of the functions that their comments name,
computed with 50 digits. `ULP_BOUND` says how far a result may be from the exact one, in units of
its last place; a test measures it over the whole range.

The reductions are the classic ones: exp by x = k log 2 + r (P. T. P. Tang, 1989, ACM TOMS 15);
log by x = m 2^k and the series in s = (m − 1) / (m + 1), as in the "Freely Distributable LIBM".
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from chainrule.kernels.block import Block

__all__ = ["FUNCTIONS", "ULP_BOUND"]

Value = Any


@dataclass(frozen=True)
class _Format:
    """The constants of a floating-point format."""

    bits: int
    fraction: int
    bias: int
    low: float
    high: float
    """Beyond these the exponential is 0 or infinite."""
    log2_high: float
    log2_low: float
    """log 2 in two parts; k times the first is exact."""
    exponential: tuple[float, ...]
    """(eʳ − 1 − r) / r² for |r| ≤ log(2) / 2, by powers of r."""
    logarithm: tuple[float, ...]
    """(2 artanh(s) / s − 2) / s² by powers of s², for s² up to ((√2 − 1) / (√2 + 1))²."""


def _hex(*texts: str) -> tuple[float, ...]:
    return tuple(float.fromhex(text) for text in texts)


_DOUBLE = _Format(
    bits=64,
    fraction=52,
    bias=1023,
    low=-760.0,
    high=720.0,
    log2_high=float.fromhex("0x1.62e42fee00000p-1"),
    log2_low=float.fromhex("0x1.a39ef35793c76p-33"),
    exponential=_hex(
        "0x1.0000000000001p-1",
        "0x1.5555555555556p-3",
        "0x1.5555555553d63p-5",
        "0x1.11111111109b3p-7",
        "0x1.6c16c1788bd90p-10",
        "0x1.a01a01a7c41d5p-13",
        "0x1.a019b90d2ae7ap-16",
        "0x1.71de0dae63bb3p-19",
        "0x1.289185613a3d6p-22",
        "0x1.af38a9b0ec855p-26",
    ),
    logarithm=_hex(
        "0x1.5555555555558p-1",
        "0x1.9999999995273p-2",
        "0x1.2492492dfd86cp-2",
        "0x1.c71c62d5e53e0p-3",
        "0x1.7462b91b8df65p-3",
        "0x1.39fdcceb4bb45p-3",
        "0x1.2b5f68a50d903p-3",
    ),
)
_SINGLE = _Format(
    bits=32,
    fraction=23,
    bias=127,
    low=-110.0,
    high=95.0,
    log2_high=0.693115234375,
    log2_low=3.1946184945309415e-05,
    exponential=(
        0.5,
        0.16666576989698775,
        0.041666554617204574,
        0.008363179052722578,
        0.0013926183587713494,
    ),
    logarithm=(0.6666668509542907, 0.39988757716604845, 0.29580985929974424),
)


def _format(x: Value) -> _Format:
    return _DOUBLE if isinstance(x.type.element, ir.DoubleType) else _SINGLE


def _polynomial(block: Block, x: Value, coefficients: Sequence[float]) -> Value:
    """A polynomial by Estrin's scheme, in which few operations wait for one another."""
    terms = [block.number(x, coefficient) for coefficient in coefficients]
    power = x
    while len(terms) > 1:
        terms = [
            block.fma(terms[i + 1], power, terms[i]) if i + 1 < len(terms) else terms[i]
            for i in range(0, len(terms), 2)
        ]
        if len(terms) > 1:
            power = block.builder.fmul(power, power)
    return terms[0]


def _reduced(block: Block, x: Value) -> tuple[Value, Value, Value]:
    """The k as a number and as whole numbers, and r, with x = k log 2 + r."""
    form, builder = _format(x), block.builder
    # Adding 1.5 · 2^52 rounds to a whole number and leaves it in the lowest bits.
    magic = block.number(x, 1.5 * 2.0**form.fraction)
    shifted = block.fma(x, block.number(x, 1 / math.log(2)), magic)
    k = builder.fsub(shifted, magic)
    r = block.fma(k, block.number(x, -form.log2_high), x)
    r = block.fma(k, block.number(x, -form.log2_low), r)
    whole = builder.sub(block.bits(shifted), block.bits(magic))
    exponent = ir.VectorType(ir.IntType(32), x.type.count)
    return k, whole if form.bits == 32 else builder.trunc(whole, exponent), r


def _scale(block: Block, x: Value, exponent: Value) -> Value:
    """The number x · 2^k with one rounding, for any whole k."""
    count = x.type.count
    name = f"llvm.ldexp.v{count}f{_format(x).bits}.v{count}i32"
    return block.call(name, x.type, x, exponent)


def _clamped(block: Block, x: Value) -> Value:
    """The number x within the exponential's range; what is not a number stays so."""
    form, builder = _format(x), block.builder
    low, high = block.number(x, form.low), block.number(x, form.high)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


def exp(block: Block, x: Value) -> Value:
    """The exponential."""
    _, exponent, r = _reduced(block, _clamped(block, x))
    rest = _polynomial(block, r, _format(x).exponential)
    grown = block.builder.fadd(block.number(x, 1), block.fma(block.builder.fmul(r, r), rest, r))
    return _scale(block, grown, exponent)


def _expm1_moderate(block: Block, x: Value) -> Value:
    """eˣ − 1 for x up to 40."""
    builder = block.builder
    _, exponent, r = _reduced(block, _clamped(block, x))
    rest = _polynomial(block, r, _format(x).exponential)
    grown = block.fma(builder.fmul(r, r), rest, r)  # eʳ − 1
    power = _scale(block, block.number(x, 1), exponent)
    return block.fma(power, grown, builder.fsub(power, block.number(x, 1)))


def expm1(block: Block, x: Value) -> Value:
    """The exponential minus one, accurate near 0."""
    builder = block.builder
    limit = block.number(x, 40.0)
    large = builder.fcmp_ordered(">", x, limit)
    near = _expm1_moderate(block, builder.select(large, limit, x))
    # For −0 the sum above is +0; a zero is its own result.
    near = builder.select(builder.fcmp_ordered("==", x, block.number(x, 0)), x, near)
    return builder.select(large, exp(block, x), near)


def expit(block: Block, x: Value) -> Value:
    """The logistic sigmoid: of e = exp(−|x|), 1 / (1 + e) or e / (1 + e)."""
    builder = block.builder
    small = exp(block, builder.fneg(block.intrinsic("fabs", x)))
    one = block.number(x, 1)
    negative = builder.fcmp_ordered("<", x, block.number(x, 0))
    return builder.fdiv(builder.select(negative, small, one), builder.fadd(one, small))


def tanh(block: Block, x: Value) -> Value:
    """The hyperbolic tangent: −t / (2 + t) with t = exp(−2|x|) − 1, and the sign of x."""
    builder = block.builder
    t = _expm1_moderate(block, builder.fmul(block.number(x, -2), block.intrinsic("fabs", x)))
    size = builder.fdiv(builder.fneg(t), builder.fadd(block.number(x, 2), t))
    return block.intrinsic("copysign", size, x)


def log(block: Block, x: Value) -> Value:
    """The natural logarithm."""
    form, builder = _format(x), block.builder
    zero, infinity = block.number(x, 0), block.number(x, math.inf)
    tiny = builder.fcmp_ordered("<", x, block.number(x, 2.0 ** (1 - form.bias)))
    lift = form.fraction + 2
    normal = builder.select(tiny, builder.fmul(x, block.number(x, 2.0**lift)), x)
    bits = block.bits(normal)
    # The exponent of m in [√½, √2): counted from the bits of √½.
    root = block.bits(block.number(x, math.sqrt(0.5)))
    shift = block.number(bits.type, form.fraction)
    k = builder.ashr(builder.sub(bits, root), shift)
    m = block.floats(builder.sub(bits, builder.shl(k, shift)))
    k = builder.sub(
        k, builder.select(tiny, block.number(bits.type, lift), block.number(bits.type, 0))
    )
    k = builder.sitofp(k, x.type)
    f = builder.fsub(m, block.number(x, 1))
    s = builder.fdiv(f, builder.fadd(block.number(x, 2), f))
    z = builder.fmul(s, s)
    rest = builder.fmul(z, _polynomial(block, z, form.logarithm))
    half = builder.fmul(builder.fmul(f, f), block.number(x, 0.5))
    # log m = f − (f²/2 − s (f²/2 + R)); k log 2 is added in two parts.
    inner = block.fma(s, builder.fadd(half, rest), builder.fmul(k, block.number(x, form.log2_low)))
    inner = builder.fsub(half, inner)
    result = block.fma(k, block.number(x, form.log2_high), builder.fsub(f, inner))
    result = builder.select(builder.fcmp_ordered("==", x, infinity), x, result)
    result = builder.select(builder.fcmp_ordered("==", x, zero), block.number(x, -math.inf), result)
    valid = builder.fcmp_ordered(">=", x, zero)
    return builder.select(valid, result, block.number(x, math.nan))


def log1p(block: Block, x: Value) -> Value:
    """The logarithm of 1 + x: log u, and what u = 1 + x lost by rounding, divided by u."""
    builder = block.builder
    one = block.number(x, 1)
    u = builder.fadd(one, x)
    lost = builder.fsub(x, builder.fsub(u, one))
    exact = builder.fadd(log(block, u), builder.fdiv(lost, u))
    infinite = builder.fcmp_ordered("==", x, block.number(x, math.inf))
    ends = builder.or_(infinite, builder.fcmp_ordered("==", u, block.number(x, 0)))
    result = builder.select(ends, log(block, u), exact)
    return builder.select(builder.fcmp_ordered("==", u, one), x, result)


def logaddexp(block: Block, a: Value, b: Value) -> Value:
    """The larger, plus log(1 + exp(−|a − b|)); equal ones, infinite too, plus log 2."""
    builder = block.builder
    larger = builder.select(builder.fcmp_ordered(">", a, b), a, b)
    gap = block.intrinsic("fabs", builder.fsub(a, b))
    added = builder.fadd(larger, log1p(block, exp(block, builder.fneg(gap))))
    equal = builder.fcmp_ordered("==", a, b)
    doubled = builder.fadd(a, block.number(a, math.log(2)))
    result = builder.select(equal, doubled, added)
    unknown = builder.fcmp_unordered("uno", a, b)
    return builder.select(unknown, builder.fadd(a, b), result)


def xlogy(block: Block, a: Value, b: Value) -> Value:
    """The product a · log b, and 0 where a is 0 and b is a number."""
    builder = block.builder
    zero = block.number(a, 0)
    nothing = builder.and_(builder.fcmp_ordered("==", a, zero), builder.fcmp_ordered("ord", b, b))
    return builder.select(nothing, zero, builder.fmul(a, log(block, b)))


def sqrt(block: Block, x: Value) -> Value:
    """The square root, correctly rounded by the processor."""
    return block.intrinsic("sqrt", x)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "exp": exp,
    "expm1": expm1,
    "expit": expit,
    "log": log,
    "log1p": log1p,
    "logaddexp": logaddexp,
    "sqrt": sqrt,
    "tanh": tanh,
    "xlogy": xlogy,
}
"""The functions by the names of their primitives; what is not here is interpreted."""

ULP_BOUND: dict[str, float] = {
    "exp": 1.0,
    "expm1": 2.5,
    "expit": 2.0,
    "log": 1.0,
    "log1p": 2.0,
    "sqrt": 0.5,
    "tanh": 3.5,
}
