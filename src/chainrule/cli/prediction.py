"""`chainrule predict`: a saved model on new rows."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.cli.report import counted, finite, say_notes
from chainrule.cli.screen import output_to, percent
from chainrule.data import BUILTIN_NAMES, Preparation, Table, builtin, read_table
from chainrule.errors import ChainruleError, SettingError
from chainrule.training.files import written_whole
from chainrule.training.models import Model

__all__ = ["run_predict"]


def run_predict(
    model: Path,
    data: str,
    encoding: str,
    header: bool | None,
    probabilities: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Print or write the predictions for each row."""
    if output is not None and output.suffix.lower() not in (".csv", ".parquet"):
        raise SettingError(f"--output {output}: its name must end in .csv or .parquet.")
    if output is not None and as_json:
        raise SettingError("--json prints the predictions and --output writes them: choose one.")
    loaded = Model.load(model)
    say_notes(loaded)
    preparation = loaded.preparation
    if preparation is None:
        raise ChainruleError(f"The model in {model} has no preparation, so it takes no tables.")
    table = _table(loaded, data, encoding, header)
    if probabilities and preparation.labels is not None and not loaded.gives_probabilities:
        raise SettingError(
            f"--probabilities: the model's outputs are none. Its last layer is "
            f"{loaded.network.layers[-1].text}, trained on the {loaded.network.criterion.measures}."
        )
    outputs = loaded.outputs(preparation.transform_features(table))
    columns: dict[str, NDArray[Any]] = {"prediction": preparation.decode(outputs)}
    if probabilities:
        for label, values in preparation.probabilities(outputs).items():
            columns[f"probability of {label}"] = values
    score = _score(preparation, table, columns["prediction"])
    if as_json:
        rows = {name: column.tolist() for name, column in columns.items()}
        scored = None if score is None else dict([score])
        result = finite({"rows": len(outputs), "score": scored, **rows})
        print(json.dumps(result, ensure_ascii=False))
        return
    if output is None:
        _print(columns)
    else:
        _write(columns, output)
        output_to().print(f"{counted(len(outputs), 'prediction')} in {output}")
    if score is not None:
        measure, value = score
        shown = percent(value) if measure == "accuracy" else f"{value:.4f}"
        output_to(error=True).print(f"{measure} on {counted(len(outputs), 'row')}: {shown}")


def _table(model: Model, data: str, encoding: str, header: bool | None) -> Table:
    """The rows to predict; a built-in set as the model's own recipe draws it."""
    if data not in BUILTIN_NAMES:
        return read_table(data, encoding=encoding, header=header)
    recipe = model.record.get("recipe", {})
    same = recipe.get("data") == data
    chosen = {name: recipe.get(name) for name in ("samples", "bits", "noise")} if same else {}
    seed = (recipe.get("seed") or 0) if same else 0
    return read_table(builtin(data, seed=seed, **chosen))


def _score(
    preparation: Preparation, table: Table, predictions: NDArray[Any]
) -> tuple[str, float] | None:
    """Accuracy or R² where the table has a target that can be compared, or None."""
    if not preparation.has_target(table):
        return None
    try:
        target = preparation.target_values(table)
    except ChainruleError:
        return None  # rows without a target, or with labels never seen, are only predicted
    if preparation.task == "classification":
        return "accuracy", float(np.mean(np.equal(predictions, target)))
    spread = np.sum((target - np.mean(target)) ** 2)
    if not spread:
        return None
    return "R²", float(1 - np.sum((target - predictions) ** 2) / spread)


def _print(columns: dict[str, NDArray[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write(columns: dict[str, NDArray[Any]], path: Path) -> None:
    import polars

    frame = polars.DataFrame({name: column.tolist() for name, column in columns.items()})
    try:
        with written_whole(path) as temporary:
            if path.suffix.lower() == ".csv":
                frame.write_csv(temporary)
            else:
                frame.write_parquet(temporary)
    except OSError as error:
        raise SettingError(f"--output {path} cannot be written: {error.strerror}.") from None
