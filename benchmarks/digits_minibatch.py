#!/usr/bin/env python
"""An epoch of mini-batches: `chainrule.train` with the interpreter against scikit-learn's MLP.

Digits, 64-100-10 relu with softmax cross-entropy, Adam, batches of 200, one thread each; the two
take turns, and the best time an epoch of each counts.

    python benchmarks/digits_minibatch.py
    python benchmarks/digits_minibatch.py --json --dtype float32
"""

import argparse
import json
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from chainrule import Network, train


def by_scikit_learn(X, y, epochs, batch_size):
    model = MLPClassifier(
        (100,),
        alpha=0.0,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs,
        tol=0.0,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it has not converged
        began = time.perf_counter()
        model.fit(X, y)
        spent = time.perf_counter() - began
    return spent, model.loss_


def by_chainrule(X, y, epochs, batch_size):
    network = Network([64, 100, 10], activation="relu", loss="categorical_cross_entropy")
    began = time.perf_counter()
    run = train(network, X, y, epochs=epochs, batch_size=batch_size, engine="interpreter")
    spent = time.perf_counter() - began
    return spent, run.history["loss"][-1]


def measure(epochs, repeat, batch_size, dtype):
    digits = load_digits()
    X, y = (digits.data / 16).astype(dtype), digits.target
    times = {by_scikit_learn: [], by_chainrule: []}
    losses = {}
    with threadpool_limits(1):
        for _ in range(repeat):
            for function, taken in times.items():
                spent, losses[function] = function(X, y, epochs, batch_size)
                taken.append(spent / epochs)
    theirs, ours = min(times[by_scikit_learn]), min(times[by_chainrule])
    return {
        "epochs": epochs,
        "repeat": repeat,
        "batch_size": batch_size,
        "dtype": str(np.dtype(dtype)),
        "scikit_learn_seconds_per_epoch": theirs,
        "interpreter_seconds_per_epoch": ours,
        "ratio": ours / theirs,
        "losses": [float(losses[by_scikit_learn]), float(losses[by_chainrule])],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options = parser.parse_args()
    result = measure(options.epochs, options.repeat, options.batch_size, options.dtype)
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{result['dtype']}, batches of {result['batch_size']}, an epoch: scikit-learn "
        f"{1000 * result['scikit_learn_seconds_per_epoch']:.2f} ms, interpreter "
        f"{1000 * result['interpreter_seconds_per_epoch']:.2f} ms: ratio {result['ratio']:.2f} "
        f"(losses {result['losses'][0]:.4f} and {result['losses'][1]:.4f})"
    )


if __name__ == "__main__":
    main()
