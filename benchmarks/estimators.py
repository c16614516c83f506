"""The estimators beside scikit-learn's: same settings, same seed, same loss curve.

    python benchmarks/estimators.py            all of it, about half an hour
    python benchmarks/estimators.py --short    fewer epochs, rows and seeds, under two minutes
    python benchmarks/estimators.py --json

Each case runs in a process of its own, bound to one processor or two. In it the two sides take
turns at ``fit``, from the call to its end, and the best of each counts. The loss curves of those
very runs are compared: a case whose curves differ by more than 1e-10 is an error, not a number.
Both have been fitted once before, so that code is ready and pages are there; what the very first
``fit`` takes, with all that is compiled, is reported beside. With two threads, scikit-learn's BLAS
has two as well.

The accuracies are those of default settings on rows that were held out, over seeds and data sets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = {"digits": 20, "cancer": 60, "moons": 60, "large": 1}
BATCHES = (200, 32, 10)
ASKED = {200: 4.0, 32: 4.0, 10: 10.0}
ASKED_OF_LARGE = 3.0
TURNS = 5


def made(n: int, features: int = 28, seed: int = 0) -> tuple[Any, Any]:
    """A made table of two classes, told apart by products and waves of the features."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, features))
    score = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) - 0.5 * X[:, 3] ** 2 + 0.5
    return X, (score + 0.3 * rng.standard_normal(n) > 0).astype(int)


def data(name: str, *, short: bool) -> tuple[Any, Any]:
    """The data set of a name, features scaled."""
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    load: dict[str, Callable[[], Any]] = {
        "digits": lambda: datasets.load_digits(return_X_y=True),
        "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
        "iris": lambda: datasets.load_iris(return_X_y=True),
        "wine": lambda: datasets.load_wine(return_X_y=True),
        "moons": lambda: datasets.make_moons(1000, noise=0.2, random_state=0),
        "made": lambda: made(5000),
        "large": lambda: made(50_000 if short else 1_000_000),
    }
    X, y = load[name]()
    return StandardScaler().fit_transform(X), y


def measure(name: str, batch: int, *, short: bool) -> dict[str, Any]:
    """The times of one case, in this process as it is bound."""
    import sklearn.neural_network as theirs

    from chainrule import estimators as ours

    warnings.simplefilter("ignore")
    X, y = data(name, short=short)
    epochs = EPOCHS[name] if batch == 200 or name == "large" else EPOCHS[name] // 4
    settings = {"batch_size": batch, "max_iter": epochs, "random_state": 0, "tol": 0.0}
    curves: dict[str, Any] = {}
    first, best = {}, {}
    for turn in range((2 if short or name == "large" else TURNS) + 1):
        for side, module in (("theirs", theirs), ("ours", ours)):
            model = module.MLPClassifier(**settings)
            began = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - began
            curves[side] = np.array(model.loss_curve_)
            if turn == 0:
                first[side] = seconds
            else:
                best[side] = min(seconds, best.get(side, np.inf))
    difference = float(np.abs(curves["ours"] - curves["theirs"]).max())
    if difference > 1e-10:
        raise SystemExit(f"{name}, batches of {batch}: the loss curves differ by {difference:.1e}")
    return {
        "data": name,
        "batch": batch,
        "threads": len(os.sched_getaffinity(0)),
        "theirs": best["theirs"],
        "ours": best["ours"],
        "ratio": best["theirs"] / best["ours"],
        "first": first["ours"],
        "first_of_theirs": first["theirs"],
        "difference": difference,
    }


def accuracies(*, short: bool) -> list[dict[str, Any]]:
    """Mean accuracies of both with default settings, on a quarter of the rows, held out."""
    import sklearn.neural_network as theirs
    from sklearn.model_selection import train_test_split

    from chainrule import estimators as ours

    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for name in ("digits", "cancer", "moons", "iris", "wine", "made"):
        X, y = data(name, short=short)
        found: dict[str, list[float]] = {"theirs": [], "ours": []}
        for seed in range(2 if short else 10):
            parts = train_test_split(X, y, random_state=seed, stratify=y)
            for side, module in (("theirs", theirs), ("ours", ours)):
                model = module.MLPClassifier(random_state=seed).fit(parts[0], parts[2])
                found[side].append(float(model.score(parts[1], parts[3])))
        rows.append({"data": name, **{side: float(np.mean(each)) for side, each in found.items()}})
    return rows


def bound(processors: list[int], *arguments: str) -> Any:
    """What this script prints as a worker that is bound to processors."""
    threads = str(len(processors))
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "CHAINRULE_CACHE": cache,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        run = subprocess.run(
            [sys.executable, str(Path(__file__)), "--worker", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )
    if run.returncode:
        raise SystemExit(run.stderr or run.stdout)
    return json.loads(run.stdout)


def asked(row: dict[str, Any]) -> float:
    """How many times as fast as scikit-learn was asked for."""
    return ASKED_OF_LARGE if row["data"] == "large" else ASKED[row["batch"]]


def main() -> None:
    """Measure, and print."""
    arguments = sys.argv[1:]
    short = "--short" in arguments
    if "--worker" in arguments:
        if "accuracies" in arguments:
            print(json.dumps(accuracies(short=short)))
        else:
            name, batch = arguments[1:3]
            print(json.dumps(measure(name, int(batch), short=short)))
        return
    processors = sorted(os.sched_getaffinity(0))
    flags = ["--short"] if short else []
    rows = [
        bound(processors[:threads], name, str(batch), *flags)
        for name in EPOCHS
        for batch in BATCHES
        for threads in sorted({1, min(2, len(processors))})
    ]
    scores = bound(processors, "accuracies", *flags)
    if "--json" in arguments:
        print(json.dumps({"times": rows, "accuracies": scores}, indent=1))
        return
    print("data    batch threads   theirs      ours   ratio   asked   first fit  difference")
    for row in rows:
        print(
            f"{row['data']:7} {row['batch']:5} {row['threads']:7} {row['theirs'] * 1e3:8.1f} "
            f"{row['ours'] * 1e3:9.1f} {row['ratio']:7.2f} {asked(row):7.0f} "
            f"{row['first'] * 1e3:11.1f} {row['difference']:11.1e}"
        )
    print("\nTimes in milliseconds.\n\naccuracy   theirs     ours")
    for row in scores:
        print(f"{row['data']:8} {row['theirs']:8.4f} {row['ours']:8.4f}")


if __name__ == "__main__":
    main()
