"""`chainrule train`: from the options to a trained model, kept and shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chainrule.cli.report import as_json, heading, show, verdict
from chainrule.cli.screen import Plain, Screen, output_to
from chainrule.cli.sections import INTERRUPTED
from chainrule.errors import ModelFileError, SettingError
from chainrule.training.advice import Advice, tried_advice
from chainrule.training.checkpoints import Checkpoint, read_checkpoint, save_run
from chainrule.training.models import CHECKPOINT, WEIGHTS, check_folder
from chainrule.training.preparing import Prepared, Trained, prepare
from chainrule.training.recipes import Recipe

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["recipe_from", "run_train"]

_FREE_ON_RESUME = {"epochs", "max_time", "stop_loss", "save", "plot", "resume", "as_json", "data"}


def run_train(options: dict[str, Any], given: set[str]) -> None:
    """Train as the options say; ``given`` are those that the user typed."""
    save: Path | None = options["save"]
    plot: Path | None = options["plot"]
    resume: Path | None = options["resume"]
    output = Plain(quiet=True) if options["as_json"] else output_to()
    recipe, checkpoint = _recipe(options, given)
    if options["show_kernel"]:
        _refuse_beside_kernels(recipe, options)
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
    if options["show_kernel"]:
        from chainrule.cli.kernels import show_kernels  # which prints formulas

        show_kernels(prepared, as_json=options["as_json"])
        return
    replaces = save is not None and resume is None and (save / WEIGHTS).exists()
    with _folder(save):
        trained = _train(prepared, output, save, resume, checkpoint)
    if save is not None:
        trained.model.save(save)
    elif trained.run.stopped == "interrupted":
        save = _keep(trained)
    if not options["as_json"]:
        show(trained, output)
    advice = _advice(trained, output)
    why = _why(trained)
    if not options["as_json"] and (trained.learned is not None or why is not None):
        output.print()
    if not options["as_json"] and why is not None:
        output.print(why, style="yellow")
    if not options["as_json"] and trained.learned is not None:
        text, colour = verdict(trained, advice)
        output.print(text, style=colour)
    if plot is not None:
        from chainrule.pictures import draw_run

        draw_run(trained, plot)
    if options["as_json"]:
        print(json.dumps(as_json(trained, advice, why, save, plot), ensure_ascii=False))
    else:
        _say_where(trained, output, save, plot, replaces)
    if trained.run.stopped == "interrupted":
        sys.stdout.flush()
        sys.exit(INTERRUPTED)


def _refuse_beside_kernels(recipe: Recipe, options: dict[str, Any]) -> None:
    for name in ("save", "plot", "resume"):
        if options[name] is not None:
            raise SettingError(
                f"--show-kernel trains nothing, so there is nothing for --{name}: leave one of the "
                "two out."
            )
    if recipe.engine != "native":
        raise SettingError(
            "--show-kernel shows native code, and --engine interpreter has none: leave one of the "
            "two out."
        )


def _recipe(options: dict[str, Any], given: set[str]) -> tuple[Recipe, Checkpoint | None]:
    """The recipe that the options ask for, and the checkpoint to go on with."""
    if options["resume"] is None:
        if options["data"] is None:
            raise SettingError(
                "There is no data to train on: name a built-in set or a file, such as "
                "`chainrule train xor`, or a run to go on with (--resume DIR)."
            )
        return recipe_from(options), None
    folder: Path = options["resume"]
    if not (folder / CHECKPOINT).is_file():
        raise ModelFileError(
            f"There is no run to go on with in {folder}: {CHECKPOINT} is not there. Name the "
            "folder that train --save has written."
        )
    checkpoint = read_checkpoint(folder / CHECKPOINT)
    try:
        before = Recipe.from_json(checkpoint.note["recipe"])
    except (KeyError, TypeError, AttributeError):
        raise ModelFileError(
            f"The checkpoint in {folder} is not of a run that was started on the command line. "
            "Go on with it in Python, where chainrule.train takes it as resume."
        ) from None
    return _going_on(before, options, given), checkpoint


def _going_on(before: Recipe, options: dict[str, Any], given: set[str]) -> Recipe:
    """The recipe of a run that goes on, with what may change."""
    folder = options["resume"]
    asked = recipe_from({**options, "data": options["data"] or before.data})
    if asked.data != before.data:
        raise SettingError(
            f"The run in {folder} is on {before.data}, and you name {asked.data}. Leave DATA out "
            "to go on, or start afresh without --resume."
        )
    fields = {_FIELD_OF.get(name, name): name for name in given - _FREE_ON_RESUME}
    for field, name in sorted(fields.items()):
        was, new = getattr(before, field), getattr(asked, field)
        if was != new and isinstance(was, bool):
            raise SettingError(
                f"--{name.replace('_', '-')} is new to the run in {folder}, which began without "
                "it. Only --epochs, --max-time and --stop-loss may change when a run goes on."
            )
        if was != new:
            had = "was not given" if was in (None, ()) else f"is {_plainly(was)}"
            raise SettingError(
                f"--{name.replace('_', '-')} of the run in {folder} {had}, and you ask for "
                f"{_plainly(new)}. Only --epochs, --max-time and --stop-loss may change when a run "
                "goes on."
            )
    new = {name: getattr(asked, name) for name in ("epochs", "stop_loss") if name in given}
    return replace(before, max_time=asked.max_time, **new)


def _plainly(value: Any) -> str:
    return ",".join(map(str, cast("Any", value))) if isinstance(value, tuple) else str(value)


_FIELD_OF = {
    "no_standardise": "standardise",
    "no_shuffle": "shuffle",
    "keep_last": "restore_best",
}


def recipe_from(options: dict[str, Any]) -> Recipe:
    """The recipe that the options of the command line describe."""
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


def _check_same_data(prepared: Prepared, checkpoint: Checkpoint, folder: Path | None) -> None:
    if checkpoint.note.get("data") != prepared.digest:
        raise ModelFileError(
            f"The data has changed since the run in {folder} began, so it cannot go on as if "
            "nothing had happened. Restore the data, or start afresh without --resume."
        )


@contextmanager
def _folder(folder: Path | None) -> Generator[None]:
    """A folder that can be written to, gone again if nothing came to be in it."""
    if folder is None:
        yield
        return
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    _make_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # a folder that holds something stays
            for each in new:
                each.rmdir()
        raise


def _make_folder(folder: Path) -> None:
    import tempfile  # here, as a run that is not saved needs none

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ModelFileError(
            f"The folder {folder} cannot be written to ({error.strerror}). Name another with "
            "--save."
        ) from None


def _keep(trained: Trained) -> Path:
    """Keep an interrupted run that was not to be saved, in a folder of its own."""
    stem = f"{Path(trained.prepared.recipe.data).stem}-interrupted"
    candidates = [Path(stem), *(Path(f"{stem}-{i}") for i in range(2, 1000))]
    folder = next(folder for folder in candidates if not folder.exists())
    with _folder(folder):
        save_run(folder / CHECKPOINT, trained.run)
        trained.model.save(folder)
    return folder


def _train(
    prepared: Prepared,
    output: Plain | Console,
    save: Path | None,
    resume: Path | None,
    checkpoint: Checkpoint | None,
) -> Trained:
    start = 0 if checkpoint is None else checkpoint.state.epoch
    score = "accuracy" if prepared.preparation.task == "classification" else "R²"

    def opening() -> None:
        output.print(heading(prepared))
        if checkpoint is not None:
            output.print(f"Going on from epoch {start:,} of the run in {resume}")
            if start >= (prepared.recipe.epochs or 0):
                output.print("All its epochs are done; ask for more with --epochs.")

    screen = Screen(output, prepared.recipe.epochs or 0, score, start, opening)
    try:
        with screen:
            return prepared.train(
                callbacks=() if output.quiet else (screen,),
                checkpoint=None if save is None else save / CHECKPOINT,
                resume=None if resume is None else resume / CHECKPOINT,
            )
    except KeyboardInterrupt:
        if save is not None and (save / CHECKPOINT).exists():
            print(f"Stopped at once. Go on from the last checkpoint: {_resuming(save)}",
                  file=sys.stderr)  # fmt: skip
            sys.exit(INTERRUPTED)
        raise


def _resuming(folder: Path) -> str:
    import shlex  # here, as a run that is not saved needs none

    return f"chainrule train --resume {shlex.quote(str(folder))}"


def _why(trained: Trained) -> str | None:
    """Why a run did not reach its goal, in one sentence; None where it did or has none."""
    goal, run = trained.prepared.recipe.stop_loss, trained.run
    missed = trained.learned is False or (goal is not None and run.loss > goal)
    if not missed or run.stopped in ("interrupted", "time"):
        return None
    from chainrule.diagnose import diagnose  # these here, as few runs need them
    from chainrule.diagnose.subjects import subject_of_trained
    from chainrule.diagnose.text import short_form

    return short_form(diagnose(subject_of_trained(trained), time=0.0, brief=True))


def _advice(trained: Trained, output: Plain | Console) -> Advice | None:
    if trained.learned is not False or trained.run.stopped in ("interrupted", "time"):
        return None
    if not isinstance(output, Plain) and output.is_terminal and not output.is_dumb_terminal:
        with output.status("Not learned yet: trying what helps …"):
            return tried_advice(trained.prepared.recipe)
    return tried_advice(trained.prepared.recipe)


def _say_where(
    trained: Trained, output: Plain | Console, save: Path | None, plot: Path | None, replaces: bool
) -> None:
    if save is not None and trained.run.stopped == "interrupted":
        if trained.learned is None:
            output.print()
        # Not wrapped, so that the command can be copied.
        output.print(f"Kept in {save}. Go on with: {_resuming(save)}", soft_wrap=True)
    elif save is not None:
        output.print(f"Saved to {save}{', in place of the model there' if replaces else ''}")
    if plot is not None:
        output.print(f"Picture in {plot}")
