"""`chainrule show`: what a saved model is, and how it was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from chainrule.cli.screen import console, duration, number, percent
from chainrule.training.models import Model

__all__ = ["run_show"]

_BARS = "▁▂▃▄▅▆▇█"


def run_show(folder: Path, as_json: bool) -> None:
    """Print a model's description."""
    model = Model.load(folder)
    if as_json:
        last = {name: column[-1] for name, column in model.history.to_dict().items() if column}
        description = {**model.describe(), "history": {"epochs": len(model.history), "last": last}}
        print(json.dumps(description, ensure_ascii=False, indent=2))
        return
    output = console()
    network = model.network
    sizes = "-".join(str(size) for size in network.sizes)
    output.print(f"{folder}: network {sizes}, {network.count:,} parameters")
    output.print()
    output.print(_layers(model))
    output.print()
    _training(model, output)


def _layers(model: Model) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("layer")
    for name in ("inputs", "units", "W", "b", "parameters"):
        grid.add_column(name, justify="right")
    grid.add_column("activation")
    grid.add_column("dropout", justify="right")
    grid.add_column("mean |W|", justify="right")
    network = model.network
    for i, layer in enumerate(network.layers, start=1):
        W, b = model.parameters[f"W{i}"], model.parameters[f"b{i}"]
        rate = network.rates[i - 1] if i <= len(network.rates) else 0.0
        grid.add_row(
            str(i),
            f"{W.shape[0]:,}",
            f"{W.shape[1]:,}",
            f"{W.shape[0]}×{W.shape[1]}",
            f"{b.shape[0]}×{b.shape[1]}",
            f"{W.size + b.size:,}",
            layer.text,
            f"{rate:g}" if rate else "–",
            f"{float(np.mean(np.abs(W))):.3g}",
        )
    return grid


def _training(model: Model, output: Console) -> None:
    record: dict[str, Any] = dict(model.record)
    recipe: dict[str, Any] = record.get("recipe", {})
    preparation = model.preparation
    lines = [("loss", model.network.criterion.measures)]
    if record:
        lines.append(("trained on", f"{record['data']}, {record['samples']:,} rows"))
    if preparation is not None:
        names = preparation.column_names
        shown = ", ".join(names[:6]) + (f", … ({len(names)} columns)" if len(names) > 6 else "")
        lines.append(("inputs", shown))
        target = preparation.target_name
        if preparation.labels is not None:
            labels = [str(label) for label in preparation.labels]
            target += f" ({', '.join(labels[:6])}{', …' if len(labels) > 6 else ''})"
        lines.append(("target", f"{target}, {preparation.task}"))
    if record:
        rate = recipe.get("learning_rate")
        by = str(recipe.get("optimizer")) + (f", learning rate {rate:g}" if rate else "")
        lines.append(("optimizer", by))
        lines.append(("seed", str(recipe.get("seed"))))
        ended = (
            f"{record['epochs']:,} in {duration(record['seconds'])}, ended by {record['stopped']}"
        )
        if record["best_epoch"] is not None:
            ended += f"; kept is epoch {record['best_epoch']:,}"
        lines.append(("epochs", ended))
        lines.append(("training", _measures(model, record["loss"], record["score"])))
        if record["validation"]:
            held = record["validation"]
            lines.append(("held out", _measures(model, held["loss"], held["score"])))
    if len(model.history) > 1 and "loss" in model.history:
        lines.append(("loss curve", _curve(model.history["loss"])))
    for name, value in lines:
        output.print(f"{name:<12}{value}")


def _measures(model: Model, loss: float, score: float) -> str:
    text = f"loss {number(float(loss))}"
    if model.preparation is None:
        return text
    if model.preparation.task == "classification":
        return f"{text}, accuracy {percent(float(score))}"
    return f"{text}, R² {float(score):.4f}"


def _curve(losses: Any) -> str:
    """The losses as a row of bars, on a logarithmic scale where they are positive."""
    places = np.linspace(0, len(losses) - 1, min(40, len(losses))).round().astype(int)
    values = losses[places]
    if np.all(values > 0):
        values = np.log(values)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scaled = (values - low) / (high - low) if high > low else np.zeros(len(values))
    bars = "".join(_BARS[round(7 * float(value))] for value in np.nan_to_num(scaled))
    return f"{bars}  {number(float(losses[0]))} → {number(float(losses[-1]))}"
