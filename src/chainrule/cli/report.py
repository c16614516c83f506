"""What `chainrule train` says: before a run, after it, and as JSON."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from chainrule.cli.screen import Plain, duration, number, output_to, percent
from chainrule.data import BUILTIN_NAMES, Preparation
from chainrule.data.targets import NumberTarget
from chainrule.networks.losses import loss as choose_loss
from chainrule.training.advice import Advice
from chainrule.training.models import Model
from chainrule.training.preparing import Prepared, Trained
from chainrule.training.recipes import TRUTH_TABLES, optimizer_name

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "STOPPED",
    "aligned",
    "as_json",
    "counted",
    "finite",
    "first_few",
    "heading",
    "measure",
    "say_notes",
    "score_text",
    "show",
    "verdict",
]

_SHOWN_ROWS = 16
_SHOWN_INPUTS = 8
_SHOWN_LABELS = 4
_NATS = " in nats"

_OPTIMIZERS = {
    "gradient_descent": "gradient descent",
    "momentum": "gradient descent with momentum",
    "nesterov": "gradient descent with Nesterov's momentum",
    "lbfgs": "L-BFGS",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSProp",
    "adagrad": "Adagrad",
    "lion": "Lion",
}


def heading(prepared: Prepared) -> str:
    """What is trained on what, and how."""
    recipe, preparation, network = prepared.recipe, prepared.preparation, prepared.network
    rows = counted(len(prepared.X), "row")
    if prepared.validation is not None:
        rows += f" and {len(prepared.validation[0]):,} held out"
    what = f"{preparation.task} of {preparation.target_name}"
    if preparation.labels is not None:
        what += f" ({first_few(preparation.labels)})"
    lines = [f"{recipe.data}: {rows}, {counted(preparation.input_count, 'input')}, {what}"]
    found = recipe.task is None and recipe.data not in BUILTIN_NAMES
    if found and not isinstance((preparation.labels or [0])[0], str | bool):
        lines[0] += f", as {preparation.task_reason}"
    sizes = "-".join(str(size) for size in network.sizes)
    activations = ", ".join(dict.fromkeys(layer.text for layer in network.layers))
    lines.append(f"Network {sizes}, {activations}, {counted(network.count, 'parameter')}")
    lines.append(_method(prepared))
    lines.extend(f"Note: {note}" for note in preparation.notes)
    return "\n".join(lines)


def counted(n: int, noun: str) -> str:
    """A count and its noun: 1 row, 2 rows."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def first_few(labels: Any) -> str:
    """The first labels, and how many there are where there are more."""
    texts = [_short(str(label), 20) for label in labels[:_SHOWN_LABELS]]
    if len(labels) > _SHOWN_LABELS:
        texts.append(f"… {len(labels):,} classes")
    return ", ".join(texts)


def _short(text: str, longest: int = 30) -> str:
    """A name on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _method(prepared: Prepared) -> str:
    recipe, criterion = prepared.recipe, prepared.network.criterion
    written = str(recipe.optimizer)
    name = optimizer_name(written)
    known = _OPTIMIZERS.get(name, name)
    text = known[0].upper() + known[1:] + written.strip()[len(name) :]
    if recipe.learning_rate is not None:
        text += f" at rate {recipe.learning_rate:g}"
    if recipe.schedule != "constant":
        text += f" ({recipe.schedule})"
    text += f" on the {criterion.measures}"
    if recipe.report is not None and recipe.report != criterion.text:
        text += f"; shown is the {choose_loss(recipe.report, 'report').measures}"
    if _is_standardised(prepared.preparation):
        text += f" of {prepared.preparation.target_name} in standard deviations"
    if recipe.batch_size is not None and recipe.batch_size < len(prepared.X):
        text += f"; batches of {recipe.batch_size:,}"
    return text


def _is_standardised(preparation: Preparation) -> bool:
    target = preparation.target
    return isinstance(target, NumberTarget) and (target.mean, target.scale) != (0.0, 1.0)


STOPPED = {
    "loss": "stopped at the loss that was asked for",
    "patience": "stopped, as there was no more gain",
    "time": "stopped at the time limit",
    "schedule": "stopped, as the learning rate had become too small",
    "converged": "converged",
    "interrupted": "interrupted",
}


def show(trained: Trained, output: Plain | Console) -> None:
    """Print what came out: the measures, and the predictions where they are few."""
    output.print()
    output.print("\n".join(_summary(trained)))
    if len(trained.prepared.X) <= _SHOWN_ROWS:
        output.print()
        _print_predictions(trained, output)


def _summary(trained: Trained) -> list[str]:
    run, prepared = trained.run, trained.prepared
    text = f"{counted(run.epochs, 'epoch')} in {duration(run.seconds)}"
    if run.stopped in STOPPED:
        text += f", {STOPPED[run.stopped]}"
    measured = prepared.network.criterion.measures
    if prepared.recipe.report is not None:
        measured = choose_loss(prepared.recipe.report, "report").measures
    held = trained.validation_measures
    if held is None:
        score = score_text(prepared.preparation, trained.score)
        return [f"{text}: {measure(measured, run.loss)}, {score}"]
    if run.best_epoch is not None and run.best_epoch < run.epochs - 1:
        text += f"; kept is epoch {run.best_epoch:,}, the best one"
    lines = [text]
    for what, loss, value in (
        ("training", run.loss, trained.score),
        ("held out", held["loss"], held["score"]),
    ):
        score = score_text(prepared.preparation, value)
        lines.append(f"{what}   {measure(measured, loss)}, {score}")
    return lines


def measure(measured: str, loss: float) -> str:
    """A loss with its name and unit: mean binary cross-entropy 0.0013 nats."""
    if measured.endswith(_NATS):
        return f"{measured.removesuffix(_NATS)} {number(loss)} nats"
    return f"{measured} {number(loss)}"


def score_text(preparation: Preparation, score: float) -> str:
    """Accuracy, or R² for a number."""
    if preparation.task == "classification":
        return f"accuracy {percent(score)}"
    return f"R² {'–' if math.isnan(score) else f'{score:.4f}'}"


def _print_predictions(trained: Trained, output: Plain | Console) -> None:
    """Print the rows that were trained on, as the user knows them, with what the network says."""
    prepared, preparation = trained.prepared, trained.prepared.preparation
    table = prepared.table.take(prepared.rows)
    names = [*preparation.column_names] if len(preparation.column_names) <= _SHOWN_INPUTS else []
    columns = [_cells(table.column(name)) for name in (*names, preparation.target_name)]
    columns += _answers(trained)
    heads = [_short(head) for head in (*names, preparation.target_name, *_answer_names(trained))]
    if isinstance(output, Plain):
        output.print(
            aligned([[head, *column] for head, column in zip(heads, columns, strict=True)])
        )
    else:
        _print_grid(heads, columns, trained.undecided, output)


def aligned(columns: Sequence[Sequence[str]]) -> str:
    """Columns of texts side by side, to the right."""
    texts: list[list[str]] = []
    for column in columns:
        widths = [_width(text) for text in column]
        blank = [" " * (max(widths) - width) for width in widths]
        texts.append([before + text for before, text in zip(blank, column, strict=True)])
    return "\n".join("  ".join(row) for row in zip(*texts, strict=True))


def _width(text: str) -> int:
    """How many places a text takes where all places are as wide."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in text)


def _print_grid(
    heads: list[str], columns: list[list[str]], undecided: Any, output: Console
) -> None:
    """Print columns on a terminal, where long cells fold and wrong answers are red."""
    from rich.table import Table as Grid  # these here, as only a terminal needs them
    from rich.text import Text

    wrong = [False] * len(columns[-1]) if undecided is None else undecided
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        grid.add_column(head, justify="right", overflow="fold")
    for is_wrong, row in zip(wrong, zip(*columns, strict=True), strict=True):
        *others, answer = map(Text, row)
        answer.style = "red" if is_wrong else ""
        grid.add_row(*others, answer)
    output.print(grid)


def _cells(column: Any) -> list[str]:
    """A column as it stands in the table."""
    if hasattr(column, "codes"):
        words: list[str] = [_short(str(word)) for word in column.words]
        return [words[int(code)] for code in column.codes]
    return [f"{value:g}" for value in column.values]


def _answer_names(trained: Trained) -> list[str]:
    table = trained.prepared.recipe.data in BUILTIN_NAMES
    if table or not trained.model.gives_probabilities:
        return ["prediction"]
    return ["prediction", "probability"]


def _answers(trained: Trained) -> list[list[str]]:
    """The predictions as texts, and beside labels their probabilities."""
    preparation, outputs = trained.prepared.preparation, trained.outputs
    if trained.prepared.recipe.data in BUILTIN_NAMES:
        return [[_rounded(value) for value in outputs[:, 0]]]
    decoded = preparation.decode(outputs)
    if preparation.task == "regression":
        return [[_rounded(value) for value in decoded]]
    answers = [[_short(str(label)) for label in decoded]]
    if trained.model.gives_probabilities:
        columns = np.array(list(preparation.probabilities(outputs).values()))
        answers.append([percent(float(value)) for value in columns.max(axis=0)])
    return answers


def _rounded(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1e-3 or abs(value) >= 1e6 else f"{np.round(value, 3):g}"


def verdict(trained: Trained, advice: Advice | None) -> tuple[str, str]:
    """Whether a truth table was learned, and if not, what was found to help; and its colour."""
    undecided = trained.undecided
    assert undecided is not None
    name = trained.prepared.recipe.data.upper()
    if not undecided.any():
        return f"{name} was learned.", "green"
    wrong = f"{int(undecided.sum())} of {counted(len(undecided), 'output')}"
    text = f"{name} was not learned: {wrong} {'are' if undecided.sum() > 1 else 'is'} wrong or "
    text += "near one half."
    if advice is not None:
        text += f" Tried, and it was learned: {advice.option} (loss {number(advice.loss)})."
    return text, "yellow"


def say_notes(model: Model) -> None:
    """Print, beside the output, what a person should know of the folder a model is from."""
    for note in model.notes:
        output_to(error=True).print(f"Note: {note}")


def as_json(
    trained: Trained,
    advice: Advice | None,
    why: str | None,
    save: Path | None,
    plot: Path | None,
) -> dict[str, Any]:
    """The result as plain data, in which what is not a finite number is null."""
    run, prepared = trained.run, trained.prepared
    result: dict[str, Any] = {
        "data": prepared.recipe.data,
        "task": prepared.preparation.task,
        "rows": len(prepared.X),
        "notes": list(prepared.preparation.notes),
        "network": prepared.network.to_json(),
        "parameters": prepared.network.count,
        "recipe": prepared.recipe.to_json(),
        "stopped": run.stopped,
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "loss": run.loss,
        "score": trained.score,
        "validation": trained.validation_measures,
        "seconds": run.seconds,
        "history": run.history.to_dict(),
        "saved": None if save is None else str(save),
        "plot": None if plot is None else str(plot),
    }
    if why is not None:
        result["why"] = why
    if prepared.recipe.data in TRUTH_TABLES:
        result["predictions"] = trained.outputs[:, 0].tolist()
        result["learned"] = trained.learned
        result["advice"] = None if advice is None else vars(advice)
    return finite(result)


def finite(value: Any) -> Any:
    """Plain data in which what JSON has no number for is null."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in cast("list[Any]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
