"""Accuracy beside scikit-learn's, in short; `benchmarks/accuracy.py` is the whole comparison."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("sklearn")


def benchmark() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "accuracy.py"
    spec = importlib.util.spec_from_file_location("accuracy_benchmark", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["mixed.csv", "digits.parquet"])
def test_as_accurate_as_scikit_learn(tmp_path: Path, name: str) -> None:
    module = benchmark()
    path = tmp_path / name
    (module.write_mixed if name == "mixed.csv" else module.write_digits)(path)
    result = module.compare(path, seeds=3, epochs=12)
    ours, theirs = np.array(result["chainrule"]), np.array(result["scikit-learn"])
    # Two means of three, each with the spread of a single run, and a few rows of the test set.
    spread = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / 3)
    assert abs(ours.mean() - theirs.mean()) < 3 * spread + 0.012
    assert ours.mean() > 0.8
