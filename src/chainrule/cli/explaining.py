"""`chainrule explain`: a training step, every number and the rule that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.report import finite
from chainrule.cli.screen import Plain, output_to
from chainrule.cli.training import recipe_from
from chainrule.data import BUILTIN_NAMES
from chainrule.errors import DataError, ModelFileError, SettingError
from chainrule.explain.derivation import Derivation
from chainrule.explain.moments import Training, moment_of, training_of, training_of_model
from chainrule.explain.text import lines_of
from chainrule.networks.choices import nearest_first
from chainrule.pages.document import check_page_file, write_page
from chainrule.training.files import write_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_explain"]

_OWN = {"what", "epoch", "batch", "why", "whole", "html", "notebook", "python", "latex", "as_json"}
_PROGRAMS = (".py", ".ipynb")
_ENDINGS = {"notebook": ".ipynb", "python": ".py", "latex": ".tex"}


def run_explain(options: dict[str, Any], given: set[str]) -> None:
    """Explain as the options say; ``given`` are those that the user typed."""
    for name, ending in _ENDINGS.items():
        path: Path | None = options[name]
        if path is not None and path.suffix != ending:
            raise SettingError(f"--{name} {path}: its name must end in {ending}.")
    html: Path | None = options["html"]
    if html is not None:
        check_page_file(html)
    derivation = _derivation(options, given)
    output = output_to()
    written = [_write(derivation, name, options[name]) for name in _ENDINGS if options[name]]
    if html is not None:
        write_page(derivation.to_html(), html)
        written.insert(0, f"Page in {html}")
    if options["why"] is not None:
        why = derivation.why(options["why"])
        if options["as_json"]:
            _print_json(why.to_json())
        else:
            _print(output, why.lines(whole=options["whole"]))
    elif options["as_json"]:
        _print_json(derivation.to_json(whole=options["whole"]))
    elif not written:
        _print(output, lines_of(derivation, whole=options["whole"]))
    if not options["as_json"]:
        for text in written:
            output.print(text)


def _derivation(options: dict[str, Any], given: set[str]) -> Derivation:
    target: str = options["what"]
    if Path(target).suffix in _PROGRAMS and target not in BUILTIN_NAMES:
        more = sorted((given - _OWN - {"loss"}) | (given & {"batch"}))
        if more:
            raise SettingError(
                f"--{more[0].replace('_', '-')} is of a training run of chainrule's own, and "
                f"{target} is a program, which says itself how it trains: leave it out."
            )
        return Derivation.of_program(target, options["epoch"], loss=options["loss"])
    moment = moment_of(_training(options, given), options["epoch"], options["batch"])
    return Derivation.of_moment(moment, Path(target).name)


def _training(options: dict[str, Any], given: set[str]) -> Training:
    target: str = options["what"]
    folder = Path(target)
    if folder.is_dir() and target not in BUILTIN_NAMES:
        more = sorted(given - _OWN)
        if more:
            raise SettingError(
                f"--{more[0].replace('_', '-')} is of a new training run, and {target} is a saved "
                "model, which says itself how it was trained: leave it out."
            )
        return training_of_model(folder)
    if target not in BUILTIN_NAMES and not folder.exists():
        near = nearest_first(target, BUILTIN_NAMES)[:3]
        raise DataError(
            f"There is no built-in set, file or saved model {target}. The nearest built-in names "
            f"are {', '.join(near)}."
        )
    return training_of(recipe_from({**options, "data": target}))


def _write(derivation: Derivation, name: str, path: Path) -> str:
    """Write one rendering to a file; the sentence that says so."""
    if name == "notebook":
        text = json.dumps(derivation.to_notebook(), ensure_ascii=False, indent=1) + "\n"
    else:
        text = derivation.to_python() if name == "python" else derivation.to_latex()
    try:
        write_text(path, text)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be written ({error.strerror or error}). Name another place."
        ) from None
    what = {"notebook": "Notebook", "python": "Script", "latex": "LaTeX document"}[name]
    return f"{what} in {path}"


def _print(output: Plain | Console, lines: Any) -> None:
    for line, style in lines:
        output.print(line, style=style, soft_wrap=True)


def _print_json(data: Any) -> None:
    print(json.dumps(finite(data), ensure_ascii=False, indent=2, allow_nan=False))
