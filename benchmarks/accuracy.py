"""Accuracy beside scikit-learn's MLPClassifier: the same arrays, settings and number of epochs.

    python benchmarks/accuracy.py            ten seeds each, a few minutes
    python benchmarks/accuracy.py --json

Two sets: a CSV of 10,000 rows with 12 mixed columns, made here, and scikit-learn's digits written
to Parquet; both are read as a user's file is. Neither side has a penalty, early stopping or a
validation split; both are scored on the same rows, a fifth, that neither has seen.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from chainrule import Network, train
from chainrule.data import Preparation, read_table, split
from chainrule.training.evaluation import accuracy

SEEDS = 10
EPOCHS = {"mixed.csv": 40, "digits.parquet": 60}


def write_mixed(path: Path) -> None:
    """A table of customers: seven measurements, a count, three categories, a yes or no."""
    import polars

    rng = np.random.default_rng(0)
    n = 10_000
    columns: dict[str, Any] = {f"m{i}": rng.normal(10 * i, 1 + i, n).round(4) for i in range(7)}
    columns["age"] = rng.integers(18, 90, n)
    columns["city"] = rng.choice(["Lyon", "Brest", "Nice", "Paris"], n)
    columns["plan"] = rng.choice(["a", "b", "c"], n)
    columns["member"] = rng.random(n) < 0.4
    score = (
        (columns["m1"] - 10) / 2
        + (columns["age"] - 50) / 10 * (columns["city"] == "Lyon")
        + 2 * np.sin((columns["m2"] - 20) / 3)
        + 1.5 * (columns["plan"] == "b")
        - columns["member"]
    )
    columns["left"] = np.where(score + rng.logistic(size=n) / 2 > 0.3, "yes", "no")
    polars.DataFrame(columns).write_csv(path)


def write_digits(path: Path) -> None:
    """scikit-learn's digits: 64 pixels and the digit."""
    import polars

    X, y = load_digits(return_X_y=True)
    pixels = {f"p{i}": X[:, i] for i in range(64)}
    polars.DataFrame({**pixels, "digit": y}).write_parquet(path)


def compare(path: Path, seeds: int = SEEDS, epochs: int | None = None) -> dict[str, Any]:
    """The accuracies of both over the seeds, on rows that neither has seen."""
    table = read_table(str(path))
    preparation = Preparation.learn(table)
    X, y = preparation.transform_features(table), preparation.transform_target(table)
    labels = np.argmax(y, axis=1) if y.shape[1] > 1 else y[:, 0].astype(int)
    learn, test = split(len(X), 0.2, 0, labels)
    count = epochs or EPOCHS[path.name]
    loss = "binary_cross_entropy" if y.shape[1] == 1 else "categorical_cross_entropy"
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(seeds):
        network = Network([X.shape[1], 100, y.shape[1]], activation="relu", loss=loss)
        run = train(
            network,
            X[learn],
            y[learn],
            optimizer="adam",
            learning_rate=0.001,
            epochs=count,
            batch_size=200,
            seed=seed,
        )
        ours.append(accuracy(network.predict(run.parameters, X[test]), y[test]))
        model = MLPClassifier(
            (100,), alpha=0.0, max_iter=count, n_iter_no_change=count + 1, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged, and is not asked to
            model.fit(X[learn], labels[learn])
        theirs.append(float(model.score(X[test], labels[test])))
    return {
        "data": path.name,
        "epochs": count,
        "chainrule": ours,
        "scikit-learn": theirs,
    }


def main() -> None:
    """Compare on both sets, and print the means and spreads."""
    with tempfile.TemporaryDirectory() as folder:
        mixed, digits = Path(folder) / "mixed.csv", Path(folder) / "digits.parquet"
        write_mixed(mixed)
        write_digits(digits)
        results = [compare(mixed), compare(digits)]
    if "--json" in sys.argv[1:]:
        print(json.dumps(results))
        return
    for result in results:
        print(f"{result['data']}, {result['epochs']} epochs, {SEEDS} seeds")
        for name in ("chainrule", "scikit-learn"):
            values = np.array(result[name])
            print(
                f"  {name:<14}{values.mean():.4f} ± {values.std(ddof=1):.4f}"
                f"   from {values.min():.4f} to {values.max():.4f}"
            )


if __name__ == "__main__":
    main()
