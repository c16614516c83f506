"""The emitted functions beside NumPy's and SciPy's: ns an element, and ns one after the other.

    python benchmarks/vector_mathematics.py              every function, a minute
    python benchmarks/vector_mathematics.py exp expit    some of them
    python benchmarks/vector_mathematics.py --json

Both write 8,192 numbers from arrays that fit the second-level cache, on one thread, in one run; the
least of several timings counts. The last column is the time from a vector's argument to its result
where the next argument waits for it, as in a network that trains one step after another.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import scipy.special
from llvmlite import ir
from numpy.typing import NDArray

from chainrule.kernels.block import Block, vector_type
from chainrule.kernels.machine import processor
from chainrule.kernels.mathematics import FUNCTIONS, ULP_BOUND

Array = NDArray[Any]
OF_TWO = ("logaddexp", "power", "xlogy")
COUNT = 8192
CHAIN = 2000
_INT64 = ir.IntType(64)


class VectorFunction:
    """One of the functions compiled as a loop over arrays, ``width`` elements at a time.

    In a chain each vector's argument is the size of the result before it. The processor is the one
    at hand unless another is named; its instructions must be there to run the code.
    """

    def __init__(
        self,
        name: str,
        dtype: Any,
        width: int | None = None,
        cpu: str | None = None,
        chain: bool = False,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.width = width or 64 // self.dtype.itemsize
        self.inputs = 2 if name in OF_TWO else 1
        text = self._text(FUNCTIONS[name], chain)
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        host, features = processor()
        target: Any = llvm.Target.from_default_triple()
        machine = target.create_target_machine(
            cpu=cpu or host, features="" if cpu else features, opt=3
        )
        module: Any = llvm.parse_assembly(text)
        options: Any = llvm.create_pipeline_tuning_options(speed_level=2)
        builder: Any = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        self.assembly = str(machine.emit_assembly(module))
        self._engine: Any = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        pointers = [ctypes.c_void_p] * (1 + self.inputs)
        signature = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)
        self.run = signature(self._engine.get_function_address("run"))

    def __call__(self, *arrays: Array) -> Array:
        """The function's values; arrays are repeated to fill the last vector."""
        size = len(arrays[0])
        filled = -(-size // self.width) * self.width
        inputs = [np.resize(x.astype(self.dtype, copy=False), filled) for x in arrays]
        result = np.empty(filled, self.dtype)
        self.run(result.ctypes.data, *(x.ctypes.data for x in inputs), filled)
        return result[:size]

    def _text(self, emit: Callable[..., Any], chain: bool) -> str:
        module = ir.Module("loop")
        kind = vector_type(self.dtype, self.width)
        pointers = [kind.element.as_pointer()] * (1 + self.inputs)
        signature = ir.FunctionType(ir.VoidType(), [*pointers, _INT64])
        function = ir.Function(module, signature, "run")
        entry, loop, done = (function.append_basic_block() for _ in range(3))
        ir.IRBuilder(entry).branch(loop)
        ir.IRBuilder(done).ret_void()
        builder: Any = ir.IRBuilder(loop)
        block = Block(module, builder)
        place = builder.phi(_INT64)
        last = builder.phi(kind) if chain else None
        target, *sources, count = function.args
        pointers = [
            builder.bitcast(builder.gep(each, [place]), kind.as_pointer())
            for each in (target, *sources)
        ]
        values = [builder.load(each, align=self.dtype.itemsize) for each in pointers[1:]]
        if chain:
            values[0] = last
        result = emit(block, *values)
        if chain:
            result = block.intrinsic("fabs", result)
            last.add_incoming(block.number(kind, 0.7), entry)
            last.add_incoming(result, loop)
        builder.store(result, pointers[0], align=self.dtype.itemsize)
        following = builder.add(place, _INT64(self.width))
        place.add_incoming(_INT64(0), entry)
        place.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
        return str(module)


def reference(name: str) -> Any:
    """NumPy's or SciPy's function of that name."""
    return getattr(np, name, None) or getattr(scipy.special, name)


def least(call: Callable[[], Any], repeats: int = 9) -> float:
    """The least time of a call, in ns."""
    times: list[int] = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))


def measure(name: str, dtype: Any) -> dict[str, Any]:
    """The times of one function, whose results must agree with the reference's."""
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.01, 4, COUNT).astype(dtype) for _ in range(1 + (name in OF_TWO))]
    function, chain = VectorFunction(name, dtype), VectorFunction(name, dtype, chain=True)
    theirs = reference(name)
    result = np.empty(COUNT, dtype)
    bound = (ULP_BOUND[name, np.dtype(dtype).name] + 4) * np.finfo(dtype).eps
    np.testing.assert_allclose(function(*arrays), theirs(*arrays), rtol=bound, atol=bound)
    addresses = [result.ctypes.data, *(x.ctypes.data for x in arrays)]

    def ours_repeated() -> None:
        for _ in range(10):
            function.run(*addresses, COUNT)

    def theirs_repeated() -> None:
        for _ in range(10):
            theirs(*arrays, result)

    steps = min(CHAIN, COUNT // chain.width)
    return {
        "dtype": np.dtype(dtype).name,
        "function": name,
        "ours": least(ours_repeated) / 10 / COUNT,
        "theirs": least(theirs_repeated) / 10 / COUNT,
        "latency": least(lambda: chain.run(*addresses, steps * chain.width)) / steps,
    }


def main() -> None:
    """Measure and print a table."""
    names = [each for each in sys.argv[1:] if not each.startswith("-")] or sorted(FUNCTIONS)
    rows = [measure(name, dtype) for dtype in (np.float64, np.float32) for name in names]
    if "--json" in sys.argv[1:]:
        print(json.dumps(rows))
        return
    print(f"{processor()[0]}, NumPy {np.__version__}; ns")
    print(f"{'':<22}{'ours':>8}{'NumPy':>8}{'ratio':>7}{'latency':>9}")
    for row in rows:
        name = f"{row['dtype']} {row['function']}"
        ours, theirs = row["ours"], row["theirs"]
        print(f"{name:<22}{ours:8.2f}{theirs:8.2f}{theirs / ours:7.1f}{row['latency']:9.1f}")


if __name__ == "__main__":
    main()
