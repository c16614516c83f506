"""``fit`` on Parquet files."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.estimators.formulation import Batch
from chainrule.estimators.samples import product
from chainrule.estimators.streaming import ParquetRows, StreamedOrders, StreamedSamples
from chainrule.estimators.validation import Held, held_of

__all__ = ["fit_files"]


def fit_files(
    model: Any, path: str | Path, target: Any, weight: Any, validation_data: Any, start: Any
) -> Any:
    """Fit Parquet files: from memory where their rows fit into the buffer, else streamed."""
    rows = ParquetRows(Path(path), target, weight)
    if isinstance(validation_data, list | tuple) and isinstance(validation_data[0], str | Path):
        held_rows = ParquetRows(Path(validation_data[0]), target, weight)
        validation_data = held_rows.split(held_rows.whole())[: 2 if weight is None else 3]
    if rows.n <= model.buffer_size:
        X, y, weights = rows.split(rows.whole())
        return model._fit(X, y, weights, validation_data=validation_data, start=start)
    if model.solver == "lbfgs" or (model.early_stopping and validation_data is None):
        what = "solver='lbfgs'" if model.solver == "lbfgs" else "early_stopping=True"
        raise ValueError(
            f"{what} needs all samples in memory, and {path} has {rows.n:,} rows where "
            f"buffer_size={model.buffer_size:,}. Use solver='adam' or 'sgd', with "
            "validation_data=(path, target) for early stopping, or a larger buffer_size."
        )
    class_weights = _begin(model, rows, start)
    held = None if validation_data is None else held_of(model, validation_data)
    _stream(model, rows, class_weights, held)
    return model._finished()


def _begin(model: Any, rows: ParquetRows, start: Any) -> Any:
    """Learn names and classes from the files; the weights of the classes."""
    example, y, _ = rows.split(rows.block(0, 0, rows.counts[0] if rows.n < 1000 else 1000))
    counts = rows.classes() if is_classifier(model) and isinstance(rows.target, str) else {}
    if counts:
        y = np.array(list(counts))
        example = example[np.resize(np.arange(len(example)), len(y)).tolist()]
    model._begun(example, y, start)
    chosen = getattr(model, "class_weight", None)
    if isinstance(chosen, str):
        return {label: rows.n / (len(counts) * count) for label, count in counts.items()}
    return chosen


def _stream(model: Any, rows: ParquetRows, class_weights: Any, held: Held | None) -> None:
    dtype = model.coefs_[0].dtype

    def prepare(read: Any) -> Batch:
        X, y, weight = rows.split(read)
        X, y = model._checked_pair(X, y)
        of_class = None if class_weights is None else compute_sample_weight(class_weights, y)
        weights = product(weight, of_class)
        weights = None if weights is None else weights.astype(dtype)
        return Batch(X.astype(dtype, copy=False), model._encoded(y).astype(dtype), weights)

    model._begin_optimizer()
    widths, rates, drops = model._dropped()
    samples = StreamedSamples(
        rows, prepare, model._batch_rows(rows.n), int(model.buffer_size), model._random_state,
        shuffle=bool(model.shuffle), dropout=rates, widths=widths, drops=drops,
    )  # fmt: skip
    model._descend(samples, StreamedOrders(), held, (rows.path, rows.target))
