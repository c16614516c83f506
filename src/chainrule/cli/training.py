"""`chainrule train`: from the options to a trained model, and what is said on the way."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from chainrule.cli.screen import Screen, console, duration, number, percent
from chainrule.data import BUILTIN_NAMES
from chainrule.errors import ModelFileError, SettingError
from chainrule.networks.losses import loss as choose_loss
from chainrule.training.advice import Advice, tried_advice
from chainrule.training.checkpoints import read_checkpoint, save_run
from chainrule.training.models import CHECKPOINT, check_folder
from chainrule.training.recipes import TRUTH_TABLES, Prepared, Recipe, Trained, prepare

__all__ = ["run_train"]

_SHOWN_ROWS = 16
_INTERRUPTED = 130
_FREE_ON_RESUME = {"epochs", "max_time", "stop_loss", "save", "plot", "resume", "as_json", "data"}


def run_train(options: dict[str, Any], given: set[str]) -> None:
    """Train as the options say; ``given`` are those that the user typed."""
    save: Path | None = options["save"]
    plot: Path | None = options["plot"]
    resume: Path | None = options["resume"]
    output = Console(quiet=True) if options["as_json"] else console()
    recipe, checkpoint = _recipe(options, given)
    if resume is not None and save is None:
        save = resume
    if plot is not None:
        from chainrule.pictures import check_picture_file

        check_picture_file(plot)
    if save is not None:
        check_folder(save)
    prepared = prepare(recipe)
    if checkpoint is not None:
        _check_same_data(prepared, checkpoint, resume)
    output.print(_heading(prepared))
    if save is not None:
        _make_folder(save)
    trained = _train(prepared, output, save, None if resume is None else resume / CHECKPOINT)
    advice = _advice(trained, output)
    if save is None and trained.run.stopped == "interrupted":
        save = _free_folder(recipe)
        _make_folder(save)
        save_run(save / CHECKPOINT, trained.run)
    if save is not None:
        trained.model.save(save)
    if plot is not None:
        from chainrule.pictures import draw_run

        draw_run(trained, plot)
    if options["as_json"]:
        print(json.dumps(_as_json(trained, advice, save, plot), ensure_ascii=False))
    else:
        _report(trained, output, advice, save, plot)
    if trained.run.stopped == "interrupted":
        sys.exit(_INTERRUPTED)


def _recipe(options: dict[str, Any], given: set[str]) -> tuple[Recipe, Any]:
    """The recipe that the options ask for, and the checkpoint to go on with."""
    if options["resume"] is None:
        if options["data"] is None:
            raise SettingError(
                "There is no data to train on: name a built-in set or a file, such as "
                "`chainrule train xor`, or a run to go on with (--resume DIR)."
            )
        return _from_options(options), None
    folder: Path = options["resume"]
    if not (folder / CHECKPOINT).is_file():
        raise ModelFileError(
            f"There is no run to go on with in {folder}: {CHECKPOINT} is not there. Name the "
            "folder that train --save has written."
        )
    checkpoint = read_checkpoint(folder / CHECKPOINT)
    try:
        before = Recipe.from_json(checkpoint.note["recipe"])
    except (KeyError, TypeError):
        raise ModelFileError(
            f"The checkpoint in {folder} is not of a run that was started on the command line. "
            "Go on with it in Python: chainrule.train(…, resume=FILE)."
        ) from None
    asked = _from_options({**options, "data": options["data"] or before.data})
    if asked.data != before.data:
        raise SettingError(
            f"The run in {folder} is on {before.data}, and you name {asked.data}. Leave DATA out "
            "to go on, or start afresh without --resume."
        )
    fields = {_FIELD_OF.get(name, name) for name in given - _FREE_ON_RESUME}
    changed = [name for name in sorted(fields) if getattr(asked, name) != getattr(before, name)]
    if changed:
        raise SettingError(
            f"The run in {folder} has {changed[0]} = {getattr(before, changed[0])!r}, and you ask "
            f"for {getattr(asked, changed[0])!r}. Only --epochs, --max-time and --stop-loss may "
            "change when a run goes on."
        )
    new = {name: getattr(asked, name) for name in ("epochs", "stop_loss") if name in given}
    return replace(before, max_time=asked.max_time, **new), checkpoint


_FIELD_OF = {
    "no_standardise": "standardise",
    "no_shuffle": "shuffle",
    "keep_last": "restore_best",
}


def _from_options(options: dict[str, Any]) -> Recipe:
    chosen = {
        name: value
        for name, value in options.items()
        if name in Recipe.__dataclass_fields__ and name not in ("drop", "categorical")
    }
    return Recipe(
        **chosen,
        drop=tuple(options["drop"]),
        categorical=tuple(options["categorical"]),
        standardise=not options["no_standardise"],
        shuffle=not options["no_shuffle"],
        restore_best=not options["keep_last"],
    )


def _check_same_data(prepared: Prepared, checkpoint: Any, folder: Path | None) -> None:
    if checkpoint.note.get("data") != prepared.digest:
        raise ModelFileError(
            f"The data has changed since the run in {folder} began, so it cannot go on as if "
            "nothing had happened. Restore the data, or start afresh without --resume."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(
            f"The folder {folder} cannot be made ({error.strerror}). Name another with --save."
        ) from None


def _free_folder(recipe: Recipe) -> Path:
    """A folder in which an interrupted run is kept that was not to be saved."""
    stem = f"{Path(recipe.data).stem}-interrupted"
    candidates = [Path(stem), *(Path(f"{stem}-{i}") for i in range(2, 1000))]
    return next(folder for folder in candidates if not folder.exists())


def _train(prepared: Prepared, output: Console, save: Path | None, resume: Path | None) -> Trained:
    score = "accuracy" if prepared.preparation.task == "classification" else "R²"
    with Screen(output, prepared.recipe.epochs or 0, score) as screen:
        quiet = output.quiet
        return prepared.train(
            callbacks=() if quiet else (screen,),
            checkpoint=None if save is None else save / CHECKPOINT,
            resume=resume,
        )


def _advice(trained: Trained, output: Console) -> Advice | None:
    if trained.learned is not False or trained.run.stopped in ("interrupted", "time"):
        return None
    if output.is_terminal:
        with output.status("Not learned yet: trying what helps …"):
            return tried_advice(trained.prepared.recipe)
    return tried_advice(trained.prepared.recipe)


# What is said.

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


def _heading(prepared: Prepared) -> str:
    recipe, preparation, network = prepared.recipe, prepared.preparation, prepared.network
    labels = preparation.labels
    what = f"{preparation.task} of {preparation.target_name}"
    if labels is not None:
        names = ", ".join(str(label) for label in labels[:4])
        what += f" ({names}{', …' if len(labels) > 4 else ''})"
    rows = f"{len(prepared.X):,} rows"
    if prepared.validation is not None:
        rows += f" and {len(prepared.validation[0]):,} held out"
    lines = [f"{recipe.data}: {rows}, {_count(preparation.input_count, 'input')}, {what}"]
    if labels is None and recipe.task is None and recipe.data not in BUILTIN_NAMES:
        lines[0] += f"; {preparation.task_reason}"
    sizes = "-".join(str(size) for size in network.sizes)
    activations = ", ".join(dict.fromkeys(layer.text for layer in network.layers))
    lines.append(f"Network {sizes}, {activations}, {_count(network.count, 'parameter')}")
    lines.append(_method(prepared))
    lines.extend(preparation.notes)
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _method(prepared: Prepared) -> str:
    recipe, criterion = prepared.recipe, prepared.network.criterion
    name = str(recipe.optimizer)
    known = _OPTIMIZERS.get(name.partition("(")[0].replace("-", "_"), name)
    text = known[0].upper() + known[1:] + name[len(name.partition("(")[0]) :]
    if recipe.learning_rate is not None and name != "lbfgs":
        text += f" at rate {recipe.learning_rate:g}"
    if recipe.schedule != "constant":
        text += f" ({recipe.schedule})"
    text += f" on the {criterion.measures}"
    if recipe.report is not None and recipe.report != criterion.text:
        text += f"; shown is the {choose_loss(recipe.report).measures}"
    if recipe.batch_size is not None and recipe.batch_size < len(prepared.X):
        text += f"; batches of {recipe.batch_size}"
    return text


_STOPPED = {
    "loss": "stopped at the loss that was asked for",
    "patience": "stopped, as there was no more gain",
    "time": "stopped at the time limit",
    "schedule": "stopped, as the learning rate had become too small",
    "converged": "converged",
    "interrupted": "interrupted",
}


def _report(
    trained: Trained, output: Console, advice: Advice | None, save: Path | None, plot: Path | None
) -> None:
    run, prepared = trained.run, trained.prepared
    output.print()
    output.print(_summary(trained))
    if len(prepared.X) <= _SHOWN_ROWS:
        output.print()
        output.print(_predictions(trained))
    if trained.learned is not None:
        output.print()
        output.print(_verdict(trained, advice))
    if save is not None and run.stopped == "interrupted":
        output.print(f"Kept in {save}. Go on with: chainrule train --resume {save}")
    elif save is not None:
        output.print(f"Saved to {save}")
    if plot is not None:
        output.print(f"Picture in {plot}")


def _summary(trained: Trained) -> str:
    run, prepared = trained.run, trained.prepared
    recipe = prepared.recipe
    measured = prepared.network.criterion.measures
    if recipe.report is not None:
        measured = choose_loss(recipe.report).measures
    text = f"{_count(run.epochs, 'epoch')} in {duration(run.seconds)}"
    if run.stopped in _STOPPED:
        text += f", {_STOPPED[run.stopped]}"
    text += f": {measured} {number(run.loss)}, {_score(trained, trained.score)}"
    measures = trained.validation_measures
    if measures is not None:
        text += f"; held out {number(measures['loss'])}, {_score(trained, measures['score'])}"
        if run.best_epoch is not None and run.best_epoch < run.epochs - 1:
            text += f" (epoch {run.best_epoch:,}, the best one, is kept)"
    return text


def _score(trained: Trained, score: float) -> str:
    if trained.prepared.preparation.task == "classification":
        return f"accuracy {percent(score)}"
    return f"R² {score:.4f}"


def _predictions(trained: Trained) -> Grid:
    prepared = trained.prepared
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for name in (*prepared.preparation.feature_names, prepared.preparation.target_name):
        grid.add_column(name, justify="right")
    grid.add_column("prediction", justify="right")
    outputs = trained.outputs
    for x, y, prediction in zip(prepared.X, prepared.y, outputs, strict=True):
        cells = [f"{value:g}" for value in (*x, *y)]
        wrong = abs(prediction[0] - y[0]) >= 0.4 if trained.learned is not None else False
        shown = ", ".join(f"{value:.3g}" if abs(value) < 1e-3 else f"{np.round(value, 3):g}"
                          for value in prediction)  # fmt: skip
        grid.add_row(*cells, Text(shown, style="red" if wrong else ""))
    return grid


def _verdict(trained: Trained, advice: Advice | None) -> Text:
    name = trained.prepared.recipe.data.upper()
    if trained.learned:
        return Text(f"{name} was learned.", style="green")
    wrong = int(np.sum(np.abs(trained.outputs - trained.prepared.y) >= 0.4))
    rows = len(trained.prepared.X)
    text = f"{name} was not learned: {wrong} of {rows} outputs are not within 0.4 of their target."
    if advice is not None:
        text += f" Tried, and it was learned: {advice.option} (loss {number(advice.loss)})."
    return Text(text, style="yellow")


def _as_json(
    trained: Trained, advice: Advice | None, save: Path | None, plot: Path | None
) -> dict[str, Any]:
    run, prepared = trained.run, trained.prepared
    history = {
        name: [value if np.isfinite(value) else None for value in column]
        for name, column in run.history.to_dict().items()
    }
    result: dict[str, Any] = {
        "data": prepared.recipe.data,
        "task": prepared.preparation.task,
        "rows": len(prepared.X),
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
        "history": history,
        "saved": None if save is None else str(save),
        "plot": None if plot is None else str(plot),
    }
    if prepared.recipe.data in TRUTH_TABLES:
        result["predictions"] = trained.outputs[:, 0].tolist()
        result["learned"] = trained.learned
        result["advice"] = None if advice is None else vars(advice)
    return result
