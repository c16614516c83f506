"""`chainrule show`: what a saved model is, and how it was trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from chainrule.cli.report import STOPPED, counted, finite, first_few, say_notes, score_text
from chainrule.cli.screen import console, duration, number
from chainrule.training.models import Model

__all__ = ["run_show"]

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 32


def run_show(folder: Path, as_json: bool) -> None:
    """Print a model's description."""
    model = Model.load(folder)
    say_notes(model)
    if as_json:
        last = {name: column[-1] for name, column in model.history.to_dict().items() if column}
        description = {**model.describe(), "history": {"epochs": len(model.history), "last": last}}
        print(json.dumps(finite(description), ensure_ascii=False, indent=2))
        return
    output = console()
    network = model.network
    sizes = "-".join(str(size) for size in network.sizes)
    dtype = next(iter(model.parameters.values())).dtype
    output.print(f"{folder}: network {sizes}, {counted(network.count, 'parameter')} ({dtype})")
    output.print()
    output.print(_layers(model))
    output.print()
    for name, value in _facts(model, output):
        output.print(f"{name:<12}{value}")


def _layers(model: Model) -> Grid:
    network = model.network
    dropout = any(network.rates)
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("layer")
    grid.add_column("activation", overflow="fold")
    for name in ("W", "b", "parameters", *(["dropout"] if dropout else []), "mean |W|"):
        grid.add_column(name, justify="right", no_wrap=True)
    for i, layer in enumerate(network.layers, start=1):
        W, b = model.parameters[f"W{i}"], model.parameters[f"b{i}"]
        rate = network.rates[i - 1] if i <= len(network.rates) else 0.0
        grid.add_row(
            str(i),
            layer.text,
            f"{W.shape[0]}×{W.shape[1]}",
            f"{b.shape[0]}×{b.shape[1]}",
            f"{W.size + b.size:,}",
            *([f"{rate:g}" if rate else "–"] if dropout else []),
            f"{float(np.mean(np.abs(W))):.3g}",
        )
    return grid


def _facts(model: Model, output: Console) -> Iterator[tuple[str, str]]:
    """What there is to say of the data and the training, a name and a text each."""
    record: dict[str, Any] = dict(model.record)
    recipe: dict[str, Any] = record.get("recipe", {})
    preparation = model.preparation
    if record:
        yield "trained on", f"{record['data']}, {counted(record['samples'], 'row')}"
    if preparation is not None:
        names = preparation.column_names
        shown = ", ".join(names[:6]) + (f", … {len(names):,} columns" if len(names) > 6 else "")
        yield "inputs", shown
        labels = preparation.labels
        some = "" if labels is None else f" ({first_few(labels)})"
        yield "target", f"{preparation.target_name}{some}, {preparation.task}"
    yield "loss", model.network.criterion.measures
    if record:
        rate = recipe.get("learning_rate")
        yield "optimizer", str(recipe.get("optimizer")) + (f", rate {rate:g}" if rate else "")
        yield "seed", str(recipe.get("seed"))
        ended = f"{record['epochs']:,} in {duration(record['seconds'])}"
        if record["stopped"] in STOPPED:
            ended += f", {STOPPED[record['stopped']]}"
        best = record["best_epoch"]
        if best is not None and best < record["epochs"] - 1:
            ended += f"; kept is epoch {best:,}, the best one"
        yield "epochs", ended
        yield "training", _measures(model, record["loss"], record["score"])
        if record["validation"]:
            held = record["validation"]
            yield "held out", _measures(model, held["loss"], held["score"])
    if len(model.history) > 1 and "loss" in model.history:
        losses = model.history["loss"]
        bars = _curve(losses) if output.encoding.startswith("utf") else ""
        yield "losses", f"{number(float(losses[0]))} → {number(float(losses[-1]))}  {bars}"


def _measures(model: Model, loss: Any, score: Any) -> str:
    text = f"loss {number(float(loss))}"
    if model.preparation is None:
        return text
    return f"{text}, {score_text(model.preparation, float(score))}"


def _curve(losses: Any) -> str:
    """The losses as a row of bars, on a logarithmic scale where they are positive."""
    places = np.linspace(0, len(losses) - 1, min(_MOST_BARS, len(losses))).round().astype(int)
    values = losses[places]
    if np.all(values > 0):
        values = np.log(values)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scaled = (values - low) / (high - low) if high > low else np.zeros(len(values))
    return "".join(_BARS[round(7 * float(value))] for value in np.nan_to_num(scaled))
