#!/usr/bin/env python
"""Training steps as native code: microseconds a step, GFLOP/s, and how long they take to compile.

Each step runs on one processor, and on all of them where it is large enough, in turn with a large
product of NumPy's in single precision, which shows what the machine can do at that moment. The best
time of each counts.
Only the operations of matrix products are counted, 2 m n k for each.

    python benchmarks/native_steps.py
    python benchmarks/native_steps.py --json --seconds 60
"""

import argparse
import json
import os
import tempfile
import time

import numpy as np
from threadpoolctl import threadpool_limits

from chainrule.kernels.loops import LoopSteps
from chainrule.kernels.teams import processors
from chainrule.networks import Network
from chainrule.pytrees import flatten
from chainrule.training.optimizers import adam, gradient_descent
from chainrule.training.steps import Objective, Stepper

CLASSES = "categorical_cross_entropy"
#        name: sizes, activation, loss, optimiser, rows of a step, dtype, samples, steps of a run
STEPS = {
    "784-128-10 SGD": ([784, 128, 10], "relu", CLASSES, gradient_descent, 32, "f4", 2000, 40),
    "64-100-10 Adam": ([64, 100, 10], "relu", CLASSES, adam, 200, "f8", 1797, 40),
    "64-100-10 Adam, 10 rows": ([64, 100, 10], "relu", CLASSES, adam, 10, "f8", 1797, 200),
    "784-512-512-10 SGD": (
        [784, 512, 512, 10],
        "relu",
        CLASSES,
        gradient_descent,
        128,
        "f4",
        900,
        8,
    ),
    "2-8-8-1 SGD": ([2, 8, 8, 1], "tanh", "squared_error", gradient_descent, 10, "f8", 500, 4000),
}
SIDE = 1024


class Training:
    """A compiled step with its arrays, ready to be timed."""

    def __init__(self, sizes, activation, loss, optimizer, rows, dtype, samples, count):
        rng = np.random.default_rng(0)
        network = Network(sizes, activation=activation, loss=loss)
        parameters = network.initialize(0, np.dtype(dtype).type)
        chosen = optimizer()
        state = chosen.initialize(parameters)
        X = rng.standard_normal((samples, sizes[0])).astype(dtype)
        y = rng.integers(0, max(sizes[-1], 2), (samples, 1))
        y = y[:, 0] if loss == CLASSES else y.astype(dtype)
        step = Stepper(Objective(network), chosen).step(parameters, state, X[:rows], y[:rows], None)
        self.graph, self.rows, self.count, self.data = step.graph, rows, count, [X, y]
        self.start = [np.array(leaf) for leaf in (*flatten(parameters)[0], *flatten(state)[0])]
        self.carried = [leaf.copy() for leaf in self.start]
        self.order = rng.integers(0, samples, count * rows)
        self.rates, self.losses = np.full(count, 1e-3), (np.empty(count), np.empty(count))
        products = [node for node in self.graph.nodes() if node.primitive.name == "matmul"]
        self.operations = sum(2 * node.size * node.inputs[0].shape[-1] for node in products)

    def compiled(self, threads):
        """The step as native code, for so many threads or as many as it is worth."""
        return LoopSteps(self.graph, len(self.start), self.rows, False, threads=threads)

    def seconds(self, run):
        """A step's time."""
        for array, start in zip(self.carried, self.start, strict=True):
            array[...] = start
        began = time.perf_counter()
        run(self.carried, self.data, self.order, self.rates, *self.losses)
        return (time.perf_counter() - began) / self.count


def seconds_to_compile(training, repeat=3):
    """The best time to compile a step anew."""
    found = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CHAINRULE_CACHE"] = folder
            began = time.perf_counter()
            training.compiled(None)
            found.append(time.perf_counter() - began)
    return min(found)


def jobs(team):
    """What is timed: name and threads, the operations of one, and a function of its time."""
    a = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    out = np.empty_like(a)

    def multiply(threads):
        with threadpool_limits(threads, user_api="blas"):
            began = time.perf_counter()
            np.matmul(a, a, out=out)
            taken = time.perf_counter() - began
        time.sleep(0.2)  # OpenBLAS's threads keep their processors for a while after a product
        return taken

    trainings = {name: Training(*settings) for name, settings in STEPS.items()}
    compilation = {name: seconds_to_compile(training) for name, training in trainings.items()}
    made = {}
    for threads in sorted({1, team}):
        made[f"NumPy {SIDE}", threads] = 2 * SIDE**3, lambda threads=threads: multiply(threads)
        for name, training in trainings.items():
            if threads > training.compiled(None).threads:
                continue
            run = training.compiled(threads)
            made[name, threads] = (
                training.operations,
                lambda training=training, run=run: training.seconds(run),
            )
    return made, compilation


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long to measure")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options = parser.parse_args()
    made, compilation = jobs(processors())
    best = dict.fromkeys(made, float("inf"))
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end:
        for job, (_, seconds) in made.items():
            best[job] = min(best[job], seconds(), seconds())
    rows = [
        {
            "step": name,
            "threads": threads,
            "microseconds": 1e6 * best[name, threads],
            "gflops": operations / best[name, threads] / 1e9,
            "compile_milliseconds": 1e3 * compilation[name] if name in compilation else None,
        }
        for (name, threads), (operations, _) in made.items()
    ]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        took = row["compile_milliseconds"]
        print(
            f"{row['step']:24} {row['threads']:2} threads {row['microseconds']:10.2f} µs "
            f"{row['gflops']:7.1f} GFLOP/s" + (f"  compiled in {took:.0f} ms" if took else "")
        )


if __name__ == "__main__":
    main()
