"""Options that take several values: those of a training run, for a sweep."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from chainrule.cli.options import WHOLE, run_options
from chainrule.cli.sections import values_of

__all__ = ["FIXED", "LAYERS", "run_defaults", "seeds", "sweep_options"]

FIXED = (
    "target", "task", "drop", "categorical", "no_standardise", "encoding", "header", "no_shuffle",
    "keep_last", "engine", "dtype", "max_time", "report", "validation_data",
)  # fmt: skip
"""Options of a run that a sweep has one of."""
_OTHERS = ("seed", "stop_loss")  # a sweep has --seeds and --goal
_RANGE = re.compile(r"\s*([-+\d.eE_]*\d\.?)\s*\.\.\s*([-+\d.eE_]+)\s*")
LAYERS = ("hidden", "activation", "dropout")


def sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a training run, most of them with several values."""
    known: list[click.Option] = list(getattr(command, "__click_params__", ()))

    made: list[click.Option] = []
    for each in _run_options():
        if each.name not in _OTHERS:
            made.append(each if each.name in FIXED else _several(each))
    command.__click_params__ = [*known, *made]  # pyright: ignore[reportFunctionMemberAccess]
    return command


def run_defaults() -> dict[str, Any]:
    """What the options of a single run have where nothing is typed."""
    return click.Command("train", params=[*_run_options()]).make_context("train", []).params


def _run_options() -> list[click.Option]:
    def none() -> None:
        """Only its options are wanted."""

    run_options(none)
    return list(getattr(none, "__click_params__", ()))


def seeds(ctx: click.Context, parameter: click.Parameter, value: Any) -> tuple[int, int]:
    """``1000`` as (0, 1000), ``100:200`` as (100, 100): the first seed, and how many."""
    first, colon, end = str(value).partition(":")
    try:
        low, high = (_whole(first), _whole(end)) if colon else (0, _whole(first))
    except click.BadParameter:
        low, high = 0, 0
    if not 0 <= low < high:
        raise click.BadParameter(
            f"{value!r} is no number of seeds, such as 1000, and no range of them, such as 100:200."
        )
    return low, high - low


def _whole(text: str) -> int:
    return WHOLE.convert(text, None, None)


def _several(single: click.Option) -> click.Option:
    """An option like another, whose value is a list; a range of numbers in it is a pair."""
    layers = single.name in LAYERS

    def values(ctx: click.Context, parameter: click.Parameter, text: Any) -> Any:
        if text is None:
            return None
        return [_value(ctx, single, part, layers=layers) for part in _parts(str(text))]

    many = type(single)(
        [*single.opts, single.name or ""],
        callback=values,
        metavar=(single.metavar or "X").replace("N,N,…", "N").replace(",…", "") + ",…",
        help=_help(single),
    )
    return many


def _help(single: click.Option) -> str:
    text = re.sub(r" \[[^\]]*\]$", "", single.help or "")
    if single.name == "hidden":
        return "Widths of the hidden layers, such as 2,3,4; 4x4 for two layers; 0 for none."
    if single.name == "activation":
        return text.replace("one for all or one for each", "one for all or, as in tanh/relu, each")
    if single.name == "dropout":
        return text.replace("one for all layers or one for each", "as in 0.2/0.5 for each layer")
    return text


def _value(ctx: click.Context, single: click.Option, text: str, *, layers: bool) -> Any:
    match = _RANGE.fullmatch(text)
    if match is not None and not layers:
        low, high = (_value(ctx, single, part, layers=False) for part in match.groups())
        if not low < high:
            raise click.BadParameter(f"{text!r} is empty: a range goes from less to more.")
        return low, high
    if layers:
        text = text.replace("/", ",")
        text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", ",", text)
    value: Any = single.type.convert(text, single, ctx)
    return value if single.callback is None else single.callback(ctx, single, value)


def _parts(text: str) -> list[str]:
    found = values_of(text)
    if not all(found):
        raise click.BadParameter(f"{text!r} has an empty value between its commas.")
    return found
