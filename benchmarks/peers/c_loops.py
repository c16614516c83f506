"""C: loops with every size written in, compiled by the machine's compiler for the machine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from peers.problems import Problem, Result, Work, last_epoch
from peers.worker import Variant

_OPTIONS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")


def _compiler() -> str:
    found = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if found is None:
        raise ImportError("there is no C compiler")
    return found


def version() -> str:
    told = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=True)
    line = told.stdout.splitlines()[0].split()
    return f"{line[0]} {line[-1]} {' '.join(_OPTIONS[:3])}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    del cores
    work = problem.work
    plain = work.activation in ("sigmoid", "tanh") and work.optimizer == "gradient_descent"
    if work.networks or not plain or work.output == "softmax" or work.dtype != "float64":
        return {}
    return {
        "loops": lambda: compiled(problem),
        "loops, wide vectors": lambda: compiled(problem, "-mprefer-vector-width=512"),
    }


def compiled(problem: Problem, *options: str) -> Variant:
    work = problem.work
    train = _library(source(work), *options).train
    losses = np.empty(work.steps)
    order = np.arange(work.batch) if problem.order is None else problem.order
    order = np.ascontiguousarray(order, np.int64)

    def run(arrays: list[Any]) -> list[Any]:
        pointers = [each.ctypes.data_as(ctypes.c_void_p) for each in arrays]
        data = [each.ctypes.data_as(ctypes.c_void_p) for each in (problem.X, problem.y, order)]
        last = losses.ctypes.data_as(ctypes.c_void_p)
        train(*pointers, *data, ctypes.c_long(work.steps), ctypes.c_double(work.rate), last)
        return arrays

    def read(arrays: list[Any]) -> Result:
        return Result(arrays, last_epoch(problem, losses))

    return Variant(run, read, lambda: [each.copy() for each in problem.parameters])


def _library(text: str, *options: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.c"
        path.write_text(text)
        library = path.with_suffix(".so")
        subprocess.run([_compiler(), *_OPTIONS, *options, path, "-o", library, "-lm"], check=True)
        return ctypes.CDLL(str(library))


def source(work: Work) -> str:
    """The program: parameters are copied to the stack and back, loops have constant bounds."""
    depth, batch = len(work.sizes) - 1, work.batch
    layers = [(i, work.sizes[i - 1], work.sizes[i]) for i in range(1, depth + 1)]
    given = ", ".join(f"double *W{i}_, double *b{i}_" for i, _, _ in layers)
    declared = "".join(
        f"  double W{i}[{m}][{n}], b{i}[{n}], a{i}[{batch}][{n}], d{i}[{batch}][{n}];\n"
        f"  memcpy(W{i}, W{i}_, sizeof W{i}); memcpy(b{i}, b{i}_, sizeof b{i});\n"
        for i, m, n in layers
    )
    kept = "".join(
        f"  memcpy(W{i}_, W{i}, sizeof W{i}); memcpy(b{i}_, b{i}, sizeof b{i});\n"
        for i, _, _ in layers
    )
    gathered = "" if work.batch == work.samples else _gather(work)
    forward = "".join(_forward(work, i, m, n) for i, m, n in layers)
    backward = "".join(_backward(work, i, m, n) for i, m, n in reversed(layers))
    body = f"{gathered}{forward}{_delta(work)}{backward}"
    inputs = _inputs(work)
    return (
        "#include <math.h>\n#include <string.h>\n"
        f"void train({given}, const double *X, const double *y, const long *order, long steps,\n"
        "           double rate, double *losses) {\n"
        f"{declared}{inputs}  for (long step = 0; step < steps; step++) {{\n{body}  }}\n{kept}}}\n"
    )


def _inputs(work: Work) -> str:
    inputs, outputs = work.sizes[0], work.sizes[-1]
    text = f"  double a0[{work.batch}][{inputs}], t[{work.batch}][{outputs}];\n"
    if work.batch == work.samples:
        text += "  memcpy(a0, X, sizeof a0); memcpy(t, y, sizeof t);\n"
    return text


def _gather(work: Work) -> str:
    inputs, outputs = work.sizes[0], work.sizes[-1]
    return (
        f"    for (int r = 0; r < {work.batch}; r++) {{\n"
        f"      long row = order[step * {work.batch} + r];\n"
        f"      for (int j = 0; j < {inputs}; j++) a0[r][j] = X[row * {inputs} + j];\n"
        f"      for (int j = 0; j < {outputs}; j++) t[r][j] = y[row * {outputs} + j];\n    }}\n"
    )


def _activation(work: Work, i: int) -> str:
    last = i == len(work.sizes) - 1
    name = work.output if last else work.activation
    return {"sigmoid": "1 / (1 + exp(-z))", "tanh": "tanh(z)", "identity": "z"}[name]


def _forward(work: Work, i: int, m: int, n: int) -> str:
    batch = work.batch
    return (
        f"    for (int r = 0; r < {batch}; r++) {{\n"
        f"      for (int j = 0; j < {n}; j++) a{i}[r][j] = b{i}[j];\n"
        f"      for (int k = 0; k < {m}; k++)\n"
        f"        for (int j = 0; j < {n}; j++) a{i}[r][j] += a{i - 1}[r][k] * W{i}[k][j];\n"
        "    }\n"
        f"    for (int r = 0; r < {batch * n}; r++) {{\n"
        f"      double z = (&a{i}[0][0])[r]; (&a{i}[0][0])[r] = {_activation(work, i)};\n    }}\n"
    )


def _delta(work: Work) -> str:
    last, count = len(work.sizes) - 1, work.batch * work.sizes[-1]
    scale = "2" if work.loss == "squared_error_sum" else f"2.0 / {count}"
    slope = " * a * (1 - a)" if work.output == "sigmoid" else ""
    return (
        "    double sum = 0;\n"
        f"    for (int r = 0; r < {count}; r++) {{\n"
        f"      double a = (&a{last}[0][0])[r], e = a - (&t[0][0])[r];\n"
        f"      sum += e * e; (&d{last}[0][0])[r] = {scale} * e{slope};\n    }}\n"
        f"    losses[step] = sum / {count};\n"
    )


def _backward(work: Work, i: int, m: int, n: int) -> str:
    """The gradient by the layer before, then the update of this one."""
    batch, text = work.batch, ""
    if i > 1:
        slope = "a * (1 - a)" if work.activation == "sigmoid" else "1 - a * a"
        text = (
            f"    for (int r = 0; r < {batch}; r++)\n"
            f"      for (int k = 0; k < {m}; k++) {{\n"
            f"        double s = 0, a = a{i - 1}[r][k];\n"
            f"        for (int j = 0; j < {n}; j++) s += d{i}[r][j] * W{i}[k][j];\n"
            f"        d{i - 1}[r][k] = s * ({slope});\n      }}\n"
        )
    return (
        f"{text}    for (int k = 0; k < {m}; k++)\n"
        f"      for (int j = 0; j < {n}; j++) {{\n"
        f"        double s = 0;\n"
        f"        for (int r = 0; r < {batch}; r++) s += a{i - 1}[r][k] * d{i}[r][j];\n"
        f"        W{i}[k][j] -= rate * s;\n      }}\n"
        f"    for (int j = 0; j < {n}; j++) {{\n"
        f"      double s = 0;\n"
        f"      for (int r = 0; r < {batch}; r++) s += d{i}[r][j];\n"
        f"      b{i}[j] -= rate * s;\n    }}\n"
    )
