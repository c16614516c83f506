"""Angles: how many quarter turns there are in a number, and what is left over.

Up to `_LIMIT` a number less k π/2 is three fused steps, each with a further part of π/2; the first
is exact, so nothing is lost where much cancels. Larger numbers are multiplied by the stretch of the
binary digits of 2/π that matters for them (M. Payne and R. Hanek, 1983, ACM SIGNUM 18:19), one lane
after the other. That is the one branch in these functions: it is taken where any lane holds such a
number, and changes no other lane's result.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

from chainrule.kernels.block import Block
from chainrule.kernels.mathematics.coefficients import HALF_PI, TWO_OVER_PI
from chainrule.kernels.mathematics.vectors import Vector, fma

__all__ = ["reduced"]

Value = Any
_DOUBLE = ir.DoubleType()
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_LIMIT = {"float64": 2.0**20, "float32": 2.0**14}
_LARGE = "chainrule.large_angle"


def reduced(x: Vector) -> tuple[Vector, Vector]:
    """The r within π/4 of 0, and k in the lowest bits, with x = k π/2 + r."""
    block, form = x.block, x.format
    name = f"chainrule.reduced.v{x.value.type.count}.{form.name}"
    whole = x.bits.value.type
    declared = block.module.globals.get(name)
    if declared is None:
        pair = ir.LiteralStructType([x.value.type, whole])
        declared = ir.Function(block.module, ir.FunctionType(pair, [x.value.type]), name)
        declared.linkage = "internal"
        _emit_reduction(declared, form.name)
    pair = block.builder.call(declared, [x.value])
    r, k = (Vector(block, block.builder.extract_value(pair, i)) for i in range(2))
    return r, k


def _quick(x: Vector) -> tuple[Vector, Vector]:
    form = x.format
    shifted = fma(x, 2 / math.pi, form.magic)
    k = shifted - form.magic
    r = x
    for part in HALF_PI[form.name]:
        r = fma(k, -part, r)
    return r, shifted.bits


def _emit_reduction(function: Any, name: str) -> None:
    """The reduction of a vector: all at once, and once more those that are too large."""
    entry, slow, done = (function.append_basic_block(each) for each in ("entry", "slow", "done"))
    builder = ir.IRBuilder(entry)
    block = Block(function.module, builder)
    (argument,) = function.args
    x = Vector(block, argument)
    r, k = _quick(x)
    large = (abs(x) > _LIMIT[name]) & (abs(x) < math.inf)
    count = argument.type.count
    every = block.call(f"llvm.vector.reduce.or.v{count}i1", ir.IntType(1), large.value)
    builder.cbranch(every, slow, done).set_weights([1, 100000])

    builder = ir.IRBuilder(slow)
    slow_r, slow_k = _lane_by_lane(builder, argument, r.value, k.value, large.value)
    builder.branch(done)

    builder = ir.IRBuilder(done)
    pair = ir.Constant(function.function_type.return_type, ir.Undefined)
    phis = [builder.phi(quick.value.type) for quick in (r, k)]
    for i, (phi, quick, other) in enumerate(zip(phis, (r, k), (slow_r, slow_k), strict=True)):
        phi.add_incoming(quick.value, entry)
        phi.add_incoming(other, slow)
        pair = builder.insert_value(pair, phi, i)
    builder.ret(pair)


def _lane_by_lane(
    builder: Any, argument: Value, r: Value, k: Value, large: Value
) -> tuple[Value, Value]:
    large_angle = _large_angle(builder.module)
    element, whole = argument.type.element, k.type.element
    single = isinstance(element, ir.FloatType)
    # Only large numbers have a place in the table of digits.
    some = ir.Constant(argument.type, [2.0**40] * argument.type.count)
    argument = builder.select(large, argument, some)
    for i in range(argument.type.count):
        lane = _INT32(i)
        number = builder.extract_element(argument, lane)
        pair = builder.call(large_angle, [builder.fpext(number, _DOUBLE) if single else number])
        rest, turns = (builder.extract_value(pair, j) for j in range(2))
        if single:
            rest, turns = builder.fptrunc(rest, element), builder.trunc(turns, whole)
        chosen = builder.extract_element(large, lane)
        rest = builder.select(chosen, rest, builder.extract_element(r, lane))
        turns = builder.select(chosen, turns, builder.extract_element(k, lane))
        r = builder.insert_element(r, rest, lane)
        k = builder.insert_element(k, turns, lane)
    return r, k


def _digits(module: Any) -> Any:
    """The binary digits of 2/π, 64 in a word; the first word is zero."""
    words = (0, *TWO_OVER_PI)
    kind = ir.ArrayType(_INT64, len(words))
    table: Any = ir.GlobalVariable(module, kind, "chainrule.two_over_pi")
    table.linkage, table.global_constant = "internal", True
    table.initializer = ir.Constant(kind, list(words))
    return table


def _large_angle(module: Any) -> Any:
    """The function of one double from 2^14 up: what is left over, and the quarter turns."""
    declared = module.globals.get(_LARGE)
    if declared is not None:
        return declared
    kind = ir.FunctionType(ir.LiteralStructType([_DOUBLE, _INT64]), [_DOUBLE])
    function = ir.Function(module, kind, _LARGE)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder: Any = ir.IRBuilder(function.append_basic_block())
    block = Block(module, builder)

    bits = builder.bitcast(function.args[0], _INT64)
    exponent = builder.and_(builder.lshr(bits, _INT64(52)), _INT64(2047))
    significand = builder.or_(builder.and_(bits, _INT64(2**52 - 1)), _INT64(2**52))
    top, second = _turns(block, exponent, significand)
    # The two highest bits are quarter turns, here rounded to nearest; then comes the fraction.
    turns = builder.lshr(builder.add(top, _INT64(1 << 61)), _INT64(62))
    top, second = _shifted(block, top, second, _INT64(2)), builder.shl(second, _INT64(2))
    rest = _angle(block, top, second)
    # For −x both change their signs.
    negative = builder.icmp_signed("<", bits, _INT64(0))
    rest = builder.select(negative, builder.fneg(rest), rest)
    turns = builder.select(negative, builder.neg(turns), turns)
    pair = builder.insert_value(ir.Constant(kind.return_type, ir.Undefined), rest, 0)
    builder.ret(builder.insert_value(pair, turns, 1))
    return function


def _shifted(block: Block, high: Value, low: Value, count: Value) -> Value:
    """The higher word of two that are shifted left."""
    return block.call("llvm.fshl.i64", _INT64, high, low, count)


def _turns(block: Block, exponent: Value, significand: Value) -> tuple[Value, Value]:
    """The quarter turns of a double modulo 4, in units of 2^−126, as two words."""
    # The j-th digit of 2/π times the significand, whose last bit has the weight 2^e, has the
    # weight 2^(e − j): modulo 4 the digits from j = e − 1 on matter. That digit has the place
    # e − 2 from 0, and a word of zeros goes before.
    builder, table = block.builder, _digits(block.module)
    place = builder.sub(exponent, _INT64(1075 + 2 - 64))
    word = builder.lshr(place, _INT64(6))
    shift = builder.and_(place, _INT64(63))
    words = [
        builder.load(builder.gep(table, [_INT64(0), builder.add(word, _INT64(i))]))
        for i in range(4)
    ]
    wide = ir.IntType(128)
    first, *others = (_shifted(block, words[i], words[i + 1], shift) for i in range(3))
    second, third = (
        builder.mul(builder.zext(digits, wide), builder.zext(significand, wide))
        for digits in others
    )
    total = builder.add(second, builder.lshr(third, wide(64)))
    carried = builder.trunc(builder.lshr(total, wide(64)), _INT64)
    return builder.add(builder.mul(first, significand), carried), builder.trunc(total, _INT64)


def _angle(block: Block, top: Value, second: Value) -> Value:
    """The signed fraction of two words times π/2, as a double."""
    builder = block.builder
    sign = builder.ashr(top, _INT64(63))
    top, second = builder.xor(top, sign), builder.xor(second, sign)
    zeros = block.call("llvm.ctlz.i64", _INT64, top, ir.IntType(1)(0))
    top = _shifted(block, top, second, zeros)
    # Each half of the word is exact as a double.
    high = builder.uitofp(builder.lshr(top, _INT64(32)), _DOUBLE)
    low = builder.uitofp(builder.and_(top, _INT64(2**32 - 1)), _DOUBLE)
    half_pi, rest, _ = HALF_PI["float64"]
    low = builder.fmul(low, _DOUBLE(half_pi * 2.0**-32))
    low = builder.fadd(low, builder.fmul(high, _DOUBLE(rest)))
    angle = block.call("llvm.fma.f64", _DOUBLE, high, _DOUBLE(half_pi), low)
    exponent = builder.shl(builder.sub(_INT64(1023 - 32), zeros), _INT64(52))
    angle = builder.fmul(angle, builder.bitcast(exponent, _DOUBLE))
    negative = builder.icmp_signed("<", sign, _INT64(0))
    return builder.select(negative, builder.fneg(angle), angle)
