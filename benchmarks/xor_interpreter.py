#!/usr/bin/env python
"""The notebook's NumPy loop against `chainrule.train` with the interpreter, in one run.

Both train the 2-2-1 network on XOR for 10,000 full-batch epochs, one after the other, several
times; the best time of each counts. The weights must agree to 1e-9. The ratio is to be at most 2.

    python benchmarks/xor_interpreter.py
    python benchmarks/xor_interpreter.py --json --repeat 9
"""

import argparse
import json
import sys
import time

import numpy as np
from notebook import X, Y, notebook

from chainrule import Network, train

LIMIT = 2.0


def interpreted(epochs):
    """The same run by the library, its tracing included."""
    network = Network(
        [2, 2, 1],
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error_sum",
        initializer="standard_normal",
    )
    return train(
        network,
        X,
        Y,
        parameters=network.initialize(42, generator="legacy"),
        optimizer="gradient_descent",
        learning_rate=0.1,
        epochs=epochs,
        report="squared_error",
        engine="interpreter",
    ).parameters


def seconds(function, epochs):
    began = time.perf_counter()
    weights = function(epochs)
    return time.perf_counter() - began, weights


def measure(epochs, repeat):
    """Times in turns, so that what the machine does besides falls on both."""
    times = {notebook: [], interpreted: []}
    weights = {}
    for _ in range(repeat):
        for function, taken in times.items():
            spent, weights[function] = seconds(function, epochs)
            taken.append(spent)
    difference = max(
        float(np.max(np.abs(weights[interpreted][name] - value)))
        for name, value in weights[notebook].items()
    )
    by_hand, ours = min(times[notebook]), min(times[interpreted])
    return {
        "epochs": epochs,
        "repeat": repeat,
        "notebook_seconds": by_hand,
        "interpreter_seconds": ours,
        "ratio": ours / by_hand,
        "limit": LIMIT,
        "largest_difference": difference,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options = parser.parse_args()
    result = measure(options.epochs, options.repeat)
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"notebook {1000 * result['notebook_seconds']:.0f} ms, interpreter "
            f"{1000 * result['interpreter_seconds']:.0f} ms: ratio {result['ratio']:.2f} (at most "
            f"{LIMIT:g}); largest difference of a weight {result['largest_difference']:.1e}"
        )
    if result["largest_difference"] > 1e-9:
        sys.exit("The two runs do not give the same weights.")
    if result["ratio"] > LIMIT:
        sys.exit(f"The interpreter takes more than {LIMIT:g} times as long as the notebook.")


if __name__ == "__main__":
    main()
