"""Commands whose help shows options in sections, and whose errors are one message."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

__all__ = ["DataCommand", "fractions", "names", "option", "whole_numbers"]


class Option(click.Option):
    """An option that belongs to a section of the help."""

    section = "Options"


def option(section: str, *names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option in a section of the command's help."""
    kind = type(f"{section}Option", (Option,), {"section": section})
    return click.option(*names, cls=kind, **settings)


class DataCommand(click.Command):
    """A command that says what is wrong with its input in one message and exits with 2."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their sections' headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what chainrule refuses ends it with the message alone."""
        from chainrule.errors import ChainruleError, DivergedError

        try:
            return super().invoke(ctx)
        except DivergedError as error:
            message, code = str(error), 1
        except ChainruleError as error:
            message, code = str(error), 2
        click.echo(click.style("Error: ", fg="red", bold=True) + message, err=True)
        sys.exit(code)


def _split(value: Any) -> list[str]:
    return [part.strip() for part in str(value).split(",") if part.strip()]


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
    if not numbers or min(numbers) < 1:
        raise click.BadParameter(
            f"{value!r} is not a list of whole numbers above 0, such as 16 or 16,8 "
            "(0 for no hidden layer)."
        )
    return numbers


def fractions(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``0.2,0.5`` as (0.2, 0.5)."""
    try:
        numbers = tuple(float(part) for part in _split(value))
    except ValueError:
        numbers = ()
    if not numbers:
        raise click.BadParameter(f"{value!r} is not a number or a list of them, such as 0.2,0.5.")
    return numbers


def names(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``tanh,relu`` as ("tanh", "relu"); commas inside parentheses belong to a name's settings."""
    if value is None:
        return None
    parts, depth = [""], 0
    for character in str(value):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    found = tuple(part.strip() for part in parts if part.strip())
    if not found:
        raise click.BadParameter("it is empty; give a name such as tanh, or one for each layer.")
    return found
