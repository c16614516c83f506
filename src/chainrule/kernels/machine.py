"""LLVM for the processor at hand: compile a module, or find it compiled in the cache.

Compiled code is kept in the user's cache folder, named by what it was made from: the graph, how it
was laid out, the processor with its features, the version of LLVM, and the source of what emits
it. A file is written under another name and renamed, so two processes may write the same one; a
file that is damaged does not carry its own checksum and is compiled anew; a folder that cannot be
written is done without.
"""

# llvmlite has no types, so those of the values it makes are unknown in this file.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from chainrule import __version__

__all__ = ["REGISTERS", "TIDY", "Compiled", "compiled", "processor", "reason_not_native"]

_CHECKSUM = 32
REGISTERS = ("sroa",)
"""Only variables into registers: text that has nothing to spare is as fast with this alone."""
TIDY = (*REGISTERS, "instruction_combine", "simplify_cfg")
"""Also what is said twice or in a roundabout way. All of LLVM's passes take many times as long."""


class Compiled:
    """Native code in memory; ``address(name)`` is where a function begins."""

    def __init__(self, code: bytes) -> None:
        engine: Any = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        self._engine = engine

    def function(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        """A function of the compiled code; it runs without Python's global lock."""
        signature = ctypes.CFUNCTYPE(result, *arguments)
        made = signature(self._engine.get_function_address(name))
        made.code = self  # type: ignore[attr-defined]  # the code lives as long as the function
        return made


@cache
def processor() -> tuple[str, str]:
    """The processor's name and features as LLVM has them."""
    features: Any = llvm.get_host_cpu_features()
    return str(llvm.get_host_cpu_name()), str(features.flatten())


def reason_not_native() -> str | None:
    """Why code is not compiled for this processor, or None if it is.

    The numbers are those of fused multiply-adds, and a processor that has no such instructions
    calls a function for each: NumPy is faster then.
    """
    is_x86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
    if is_x86 and "+fma" not in processor()[1].split(","):
        return "a processor without fused multiply-add instructions"
    return None


def _target_machine() -> Any:
    """A new target machine: the engine that is made with one takes it for its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    target: Any = llvm.Target.from_default_triple()
    # LLVM prefers 256-bit vectors on some processors that have 512; these kernels are long
    # stretches of arithmetic, for which the wide ones pay. More than the first level of effort
    # takes longer and makes none of them faster.
    return target.create_target_machine(cpu=name, features=features, opt=1)


def compiled(key: str, make: Callable[[], str], passes: Sequence[str]) -> Compiled:
    """The code of a module, from the cache or from LLVM; ``make`` gives the module's text.

    ``passes`` are what LLVM does to the text before it selects instructions.
    """
    path = _cache_folder() / f"{_name(key, *passes)}.o"
    code = _read(path)
    if code is None:
        code = _compile(make(), passes)
        _write(path, code)
    return Compiled(code)


def _name(*parts: str) -> str:
    parts = (*parts, *processor(), llvmlite.__version__, __version__, sys.platform, _own_source())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _own_source() -> str:
    """A fingerprint of this package, so that code of an earlier emitter is not run."""
    summary = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        summary.update(path.read_bytes())
    return summary.hexdigest()


def _compile(text: str, passes: Sequence[str]) -> bytes:
    machine = _target_machine()
    module: Any = llvm.parse_assembly(text)
    module.verify()
    options: Any = llvm.create_pipeline_tuning_options(speed_level=2)
    builder: Any = llvm.create_pass_builder(machine, options)
    manager: Any = llvm.create_new_module_pass_manager()
    names = [f"add_{name}_pass" for name in passes]
    if all(hasattr(manager, name) for name in names):
        for name in names:
            getattr(manager, name)()
    else:  # llvmlite 0.44 can add few passes one by one
        manager = builder.getModulePassManager()
    manager.run(module, builder)
    return bytes(machine.emit_object(module))


def _cache_folder() -> Path:
    given = os.environ.get("CHAINRULE_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "chainrule"


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum, code = content[:_CHECKSUM], content[_CHECKSUM:]
    return code if hashlib.sha256(code).digest() == checksum else None


def _write(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return  # without a cache everything works, and is compiled again next time
