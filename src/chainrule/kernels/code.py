"""The code of one kernel: its function, its loops, and vectors from and to memory.

A team of several threads runs the same kernels, each its share of the outermost loop.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.graph import Node
from chainrule.kernels.block import Block, element_type, vector_type
from chainrule.kernels.flow import INT64, splat
from chainrule.kernels.machine import processor
from chainrule.kernels.meeting import meeting_function

__all__ = ["Code", "Registers", "power_of_two", "register_type", "registers"]

Value = Any
_BIT, _BYTE, _INT32 = ir.IntType(1), ir.IntType(8), ir.IntType(32)
_POINTER = _BYTE.as_pointer()
_ALIGNMENT = 64
_LARGEST_ON_STACK = 1 << 15


class Registers:
    """The vector registers of a processor: how many, and of how many bytes."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size

    def lanes(self, dtype: np.dtype[Any]) -> int:
        """How many elements a register holds."""
        return max(self.size // dtype.itemsize, 1)


def registers() -> Registers:
    """The vector registers of the processor at hand."""
    features = set(processor()[1].split(","))
    if "+avx512f" in features and "+avx512vl" in features:
        return Registers(32, 64)
    if "+avx" in features:
        return Registers(16, 32)
    return Registers(32 if "+neon" in features else 16, 16)


def power_of_two(number: int) -> int:
    """The least power of two that is not smaller."""
    return 1 << max(number - 1, 0).bit_length()


class Code:
    """A kernel's function under construction.

    Its arguments are a table of pointers to the arrays in ``arrays``, in that order; the begin of
    the scratch memory, where a failure is reported and threads meet; memory to work with, common
    to all threads; such memory of the thread's own; its number; and how many threads there are.
    With ``share`` they share the outermost loops; ``shared`` says whether there are any. ``common``
    and ``own`` are how many bytes of either memory are needed.
    """

    def __init__(
        self,
        module: Any,
        name: str,
        arrays: Sequence[Node] = (),
        share: bool = False,
        signature: Any = None,
    ) -> None:
        kinds = [_POINTER.as_pointer(), *[_POINTER] * 3, INT64, INT64]
        signature = signature or ir.FunctionType(INT64, kinds)
        function: Any = ir.Function(module, signature, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        self.function, self.module, self.share = function, module, share
        self.builder: Any = ir.IRBuilder(function.append_basic_block("entry"))
        self.block = Block(module, self.builder)
        self.registers = registers()
        self.shared = False
        self.common = self.own = 0
        self._numbers = {node: i for i, node in enumerate(arrays)}
        self._bases: dict[Node, Value] = {}
        self._sums: dict[tuple[Any, int, Any], Value] = {}

    def finish(self) -> Any:
        """The function, which returns 0."""
        self.builder.ret(INT64(0))
        return self.function

    def inner(self, name: str, kinds: Sequence[Any]) -> Code:
        """Another function of the module, with arguments of its own, which returns nothing."""
        return Code(self.module, name, signature=ir.FunctionType(ir.VoidType(), kinds))

    def fail(self, code: Value) -> None:
        """Return another number than 0."""
        self.builder.ret(code)

    # Loops.

    @contextmanager
    def loop(self, count: int, *, outermost: bool = False) -> Generator[Value]:
        """A loop over 0 … count - 1; of an outermost one each thread has its share."""
        shared = outermost and self.share
        if count == 1 and not shared:
            yield INT64(0)
            return
        begin, end = self.part(count) if shared else (INT64(0), INT64(count))
        with self.range(begin, end) as i:
            yield i

    @contextmanager
    def range(self, begin: Value, end: Value) -> Generator[Value]:
        """A loop over begin … end - 1, which may be empty."""
        builder = self.builder
        before = builder.block
        known = isinstance(begin, ir.Constant) and isinstance(end, ir.Constant)
        if known and end.constant - begin.constant == 1:
            yield begin
            return
        body, after = (builder.append_basic_block(name) for name in ("body", "after"))
        if known and end.constant > begin.constant:
            builder.branch(body)
        else:
            builder.cbranch(builder.icmp_signed("<", begin, end), body, after)
        builder.position_at_end(body)
        i = builder.phi(INT64)
        i.add_incoming(begin, before)
        yield i
        following = builder.add(i, INT64(1), flags=("nsw",))
        i.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), body, after)
        builder.position_at_end(after)

    @contextmanager
    def repeat(self, condition: Callable[[], Value]) -> Generator[None]:
        """A loop that goes on as long as a condition holds."""
        builder = self.builder
        head, body, after = (builder.append_basic_block(name) for name in ("while", "do", "done"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(condition(), body, after)
        builder.position_at_end(body)
        yield
        builder.branch(head)
        builder.position_at_end(after)

    def part(self, count: int) -> tuple[Value, Value]:
        """Where the thread's part of 0 … count - 1 begins and ends."""
        builder, (thread, team) = self.builder, self.function.args[4:]
        self.shared = True

        def bound(number: Value) -> Value:
            return builder.udiv(builder.mul(number, INT64(count)), team)

        return bound(thread), bound(builder.add(thread, INT64(1)))

    @contextmanager
    def last_thread(self) -> Generator[None]:
        """What only the thread with the last share does."""
        if not self.share:
            yield
            return
        self.shared = True
        thread, team = self.function.args[4:]
        following = self.builder.add(thread, INT64(1))
        with self.builder.if_then(self.builder.icmp_signed("==", following, team)):
            yield

    def meet(self) -> None:
        """Wait until every thread is here; in a kernel that is shared."""
        assert self.shared
        self.builder.call(meeting_function(self.module), [self.function.args[i] for i in (1, 5)])

    # Numbers.

    def at(self, index: Value, step: int, number: Value) -> Value:
        """``index + step · number``."""
        if step == 0 or _is_zero(number):
            return index
        if isinstance(index, ir.Constant) and isinstance(number, ir.Constant):
            return INT64(index.constant + step * number.constant)
        key = (_key(index), step, _key(number))
        known = self._sums.get(key)
        if known is not None and known.parent is self.builder.block:
            return known
        product = number if step == 1 else self.builder.mul(number, INT64(step))
        value = product if _is_zero(index) else self.builder.add(index, product)
        if value is not number:
            self._sums[key] = value
        return value

    def base(self, node: Node) -> Value:
        """The pointer to a stored array's first element."""
        if node not in self._bases:
            kind = element_type(node.dtype).as_pointer()
            with self.builder.goto_entry_block():
                if node.primitive.name == "constant":
                    pointer = self._global(node)
                else:
                    entry = self.builder.gep(self.function.args[0], [INT64(self._numbers[node])])
                    pointer = self.builder.load(entry)
                self._bases[node] = self.builder.bitcast(pointer, kind)
        return self._bases[node]

    def buffer(self, count: int, dtype: np.dtype[Any], *, common: bool = False) -> Value:
        """Memory for so many elements to work with, common to all threads or of each one's own.

        A small one of the thread's own is on the stack.
        """
        builder = self.builder
        size = count * dtype.itemsize
        kind = element_type(dtype)
        with builder.goto_entry_block():
            if size <= _LARGEST_ON_STACK and not common:
                place = builder.alloca(kind, size=max(count, 1))
                place.align = _ALIGNMENT
                return place
            size = -(-size // _ALIGNMENT) * _ALIGNMENT
            begin, memory = (self.common, 2) if common else (self.own, 3)
            if common:
                self.common += size
            else:
                self.own += size
            place = builder.gep(self.function.args[memory], [INT64(begin)])
            return builder.bitcast(place, kind.as_pointer())

    def _global(self, node: Node) -> Value:
        array = node.value.ravel()
        element = element_type(node.dtype)
        numbers = array.tolist() if array.dtype.kind == "f" else [int(x) for x in array]
        if node.dtype.kind == "f" and node.dtype.itemsize == 4:
            numbers = [float(np.float32(x)) for x in numbers]
        kind = ir.ArrayType(element, len(numbers))
        variable: Any = ir.GlobalVariable(
            self.module, kind, f"constants.{len(self.module.globals)}"
        )
        variable.initializer = ir.Constant(kind, numbers)
        variable.global_constant = True
        variable.linkage = "internal"
        return self.builder.bitcast(variable, _POINTER)

    # Vectors.

    def load(
        self, pointer: Value, dtype: np.dtype[Any], step: int, width: int, valid: int
    ) -> Value:
        """A vector of ``width`` elements, of which ``valid`` are read, ``step`` apart.

        Truth values are bits in registers and bytes in memory.
        """
        if step == 0:
            return splat(self.builder, self.load_one(pointer, dtype), width)
        if step == 1 and width > 1:
            value = self._load_line(pointer, dtype, width, valid)
        else:
            value = self._load_apart(pointer, dtype, step, width, valid)
        return self._bits(value) if dtype.kind == "b" else value

    def load_one(self, pointer: Value, dtype: np.dtype[Any]) -> Value:
        """A single number; a truth value as a bit."""
        value = self.builder.load(pointer)
        value.align = dtype.itemsize
        return self.builder.icmp_unsigned("!=", value, _BYTE(0)) if dtype.kind == "b" else value

    def _bits(self, value: Value) -> Value:
        return self.builder.icmp_unsigned("!=", value, self.block.number(value, 0))

    def _load_line(self, pointer: Value, dtype: np.dtype[Any], width: int, valid: int) -> Value:
        kind = vector_type(dtype, width)
        place = self.builder.bitcast(pointer, kind.as_pointer())
        if valid == width:
            value = self.builder.load(place)
            value.align = dtype.itemsize
            return value
        name = f"llvm.masked.load.{_mangled(kind)}.p0"
        operands = [place, _INT32(dtype.itemsize), _mask(width, valid), ir.Constant(kind, None)]
        return self.block.call(name, kind, *operands)

    def _load_apart(
        self, pointer: Value, dtype: np.dtype[Any], step: int, width: int, valid: int
    ) -> Value:
        kind = vector_type(dtype, width)
        value: Value = ir.Constant(kind, None)
        for lane in range(valid):
            place = self.builder.gep(pointer, [INT64(lane * step)])
            number = self.builder.load(place)
            number.align = dtype.itemsize
            value = self.builder.insert_element(value, number, _INT32(lane))
        return value

    def store(
        self, value: Value, pointer: Value, dtype: np.dtype[Any], step: int, valid: int
    ) -> None:
        """Write the first ``valid`` elements of a vector, ``step`` apart."""
        builder = self.builder
        width = value.type.count
        kind = vector_type(dtype, width)
        if dtype.kind == "b":
            value = builder.zext(value, kind)
        if step != 1 or width == 1:
            for lane in range(valid):
                number = builder.extract_element(value, _INT32(lane))
                place = builder.gep(pointer, [INT64(lane * step)])
                builder.store(number, place).align = dtype.itemsize
            return
        place = builder.bitcast(pointer, kind.as_pointer())
        if valid == width:
            builder.store(value, place).align = dtype.itemsize
            return
        name = f"llvm.masked.store.{_mangled(kind)}.p0"
        self.block.call(
            name, ir.VoidType(), value, place, _INT32(dtype.itemsize), _mask(width, valid)
        )

    def constant(self, node: Node, width: int) -> Value | None:
        """A constant node with one number everywhere, as a vector; None if it has several."""
        array = node.value.ravel()
        if array.size > 1 and array.tobytes() != array[:1].tobytes() * array.size:
            return None
        kind = register_type(node.dtype, width)
        return self.block.number(kind, array[0].item())


def register_type(dtype: np.dtype[Any], width: int) -> Any:
    """The type of a vector in registers, where truth values are bits."""
    return ir.VectorType(_BIT, width) if dtype.kind == "b" else vector_type(dtype, width)


def _is_zero(number: Value) -> bool:
    return isinstance(number, ir.Constant) and number.constant == 0


def _key(number: Value) -> Any:
    """What two values share only if they are the same number."""
    return number.constant if isinstance(number, ir.Constant) else number


def _mask(width: int, valid: int) -> Value:
    return ir.Constant(ir.VectorType(_BIT, width), [int(i < valid) for i in range(width)])


def _mangled(kind: Any) -> str:
    element = kind.element
    if isinstance(element, ir.DoubleType):
        return f"v{kind.count}f64"
    if isinstance(element, ir.FloatType):
        return f"v{kind.count}f32"
    return f"v{kind.count}i{element.width}"
