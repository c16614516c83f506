"""Commands whose help has sections, and whose errors are one message; the options' own types."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Any

import click

__all__ = [
    "INTERRUPTED",
    "DataCommand",
    "Number",
    "Program",
    "fractions",
    "importing",
    "names",
    "option",
    "values_of",
    "whole_numbers",
]

INTERRUPTED = 130
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


class Option(click.Option):
    """An option that belongs to a section of the help."""

    section = "Other"


def option(section: str, *names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option in a section of the command's help."""
    kind = type(f"{section}Option", (Option,), {"section": section})
    return click.option(*names, cls=kind, **settings)


class Refusal(click.ClickException):
    """What ends a command with one message on standard error."""

    def __init__(self, message: str, code: int = 2) -> None:
        # What was typed may hold anything, and must not move the terminal's cursor.
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))
        self.exit_code = code  # pyright: ignore[reportAttributeAccessIssue]

    def show(self, file: Any = None) -> None:
        """Print the message; in colour where the terminal's user has not asked for none."""
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        text = f"Error: {self.message}"
        if sys.stderr.isatty():
            import shutil  # these here, as most runs say nothing is wrong
            import textwrap

            width = shutil.get_terminal_size().columns
            text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
        label = click.style("Error:", fg="red", bold=True)
        text = text.replace("Error:", label, 1)
        click.echo(text, file=file, err=True, color=False if plain else None)


# Of these, one is a message already, and the other shows the help; click 8.1 has it not yet.
_AS_THEY_ARE: Any = (Refusal, getattr(click.exceptions, "NoArgsIsHelpError", Refusal))


class Program(click.Group):
    """The program: whatever goes wrong in it ends with one message and no traceback.

    Exit codes: 1 where training diverged, 2 for anything that was refused, 130 for Ctrl-C.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context; options of the program itself that do not exist are refused here."""
        with _one_message(()):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was typed."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # in a terminal without Unicode, R² is R\xb2
                stream.reconfigure(errors="backslashreplace")
        with _one_message(()):
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


class DataCommand(click.Command):
    """A command whose options are shown in sections, and named in messages as they are typed."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their sections' headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _one_message(parameter.name or "" for parameter in self.params):
            return super().invoke(ctx)


@contextmanager
def importing() -> Generator[None]:
    """Import in the block without looking for garbage a hundred times, as there is next to none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _one_message(options: Iterable[str]) -> Generator[None]:
    """Turn what can go wrong into a `Refusal`, with the options in it as they are typed."""
    try:
        yield
    except _AS_THEY_ARE:
        raise
    except click.UsageError as error:
        where = "chainrule" if error.ctx is None else error.ctx.command_path
        raise Refusal(f"{_sentence(error.format_message())} See {where} --help.") from None
    except MemoryError as error:
        raise Refusal(
            f"There is not enough memory{f' ({error})' if str(error) else ''}. Use fewer units or "
            "a smaller batch size."
        ) from None
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has read enough, as `head` does.
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            _drop_output()
        what = error.filename or "The output"
        raise Refusal(f"{what} cannot be read or written ({error.strerror or error}).") from None
    except Exception as error:  # the tree of errors is loaded only where there is one to tell
        from chainrule.errors import ChainruleError, DivergedError

        if not isinstance(error, ChainruleError):
            raise
        raise Refusal(
            as_typed(str(error), options), 1 if isinstance(error, DivergedError) else 2
        ) from None


def _drop_output() -> None:
    """Let what is still to be written go nowhere: Python would fail on it again at the end."""
    with suppress(io.UnsupportedOperation):  # no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ")")) else f"{text}."


_OTHER_NAMES = {
    "standardise": "--no-standardise",
    "shuffle": "--no-shuffle",
    "restore_best": "--keep-last",
}


def as_typed(message: str, options: Iterable[str]) -> str:
    """A message of the library with its settings written as options of the command line.

    >>> as_typed("learning_rate=-1.0 is out of range: it takes a number.", ["learning_rate"])
    '--learning-rate -1.0 is out of range: it takes a number.'
    """
    known = {name: f"--{name.replace('_', '-')}" for name in options if name} | _OTHER_NAMES
    names = "|".join(map(re.escape, known))
    pattern = re.compile(rf"(?<![\w.'-])({names})=('[^']*'|\"[^\"]*\"|[-+\w.]*\w)?")

    def typed(match: re.Match[str]) -> str:
        value = match[2] or ""
        if value[:1] in ("'", '"'):
            import shlex

            value = shlex.quote(value[1:-1])
        return f"{known[match[1]]} {value}".rstrip()

    return pattern.sub(typed, message)


class Number(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """A number as people write it: 1000, 1_000, 1,000 and 1e3 are one whole number."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self.name = "integer" if whole else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; what is none is refused."""
        if not isinstance(value, str):
            return value
        text = value.strip().replace("−", "-")
        if self.whole and _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        try:
            if not self.whole:
                return float(text)
            return int(text)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            number = None
        if self.whole and number is not None and number.is_integer() and abs(number) < 2**53:
            return int(number)
        self.fail(f"{value!r} is not a {'whole ' if self.whole else ''}number.", param, ctx)


def _split(value: Any) -> list[str]:
    return [part.strip() for part in str(value).split(",")]


_WIDEST = 1_000_000


def whole_numbers(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``16,8`` as (16, 8); ``0`` and ``none`` as ()."""
    if value is None:
        return None
    if str(value).strip().lower() in ("0", "none"):
        return ()
    try:
        numbers = tuple(int(part) for part in _split(value))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1 or max(numbers) > _WIDEST:
        raise click.BadParameter(
            f"{value!r} is not a list of whole numbers from 1 to {_WIDEST:,}, such as 16 or 16,8 "
            "(0 for no hidden layer)."
        )
    return numbers


def fractions(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``0.2,0.5`` as (0.2, 0.5)."""
    try:
        return tuple(float(part) for part in _split(value))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a number or a list of them, such as 0.2,0.5."
        ) from None


def values_of(text: str) -> list[str]:
    """What stands between commas, but for those in parentheses.

    >>> values_of("adam, momentum(momentum=0.8, nesterov=1)")
    ['adam', 'momentum(momentum=0.8, nesterov=1)']
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def names(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``tanh,relu`` as ("tanh", "relu"); commas inside parentheses belong to a name's settings."""
    if value is None:
        return None
    found = tuple(values_of(str(value)))
    if not all(found):
        raise click.BadParameter(
            f"{value!r} is not a name such as tanh, or a list of names, one for each hidden layer."
        )
    return found
