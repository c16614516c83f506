"""`chainrule sweep`: many runs of many settings, kept as they come, and what they came to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chainrule.cli.many import FIXED, LAYERS
from chainrule.cli.report import aligned, counted, finite
from chainrule.cli.runsbar import RunsBar
from chainrule.cli.screen import Plain, duration, number, output_to, percent
from chainrule.cli.sections import INTERRUPTED
from chainrule.cli.training import recipe_from
from chainrule.errors import SettingError
from chainrule.networks.choices import COUNT, check_setting
from chainrule.sweep.chunks import prepared_of, refuse_wrong
from chainrule.sweep.plan import Plan, Span, grid_of, layers_text, random_of
from chainrule.sweep.running import Progress, Sweep, run_sweep
from chainrule.sweep.search import SAMPLERS, search
from chainrule.sweep.summary import SettingSummary, Summary, summary_of
from chainrule.training.recipes import Recipe

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_sweeping"]

_MOST_CHECKED = 50
_MOST_SHOWN = 40
_MOST_ENDS = 12
Run = Callable[[Plan, Path, "Progress | None"], Sweep]


def run_sweeping(options: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Sweep as the options say; ``defaults`` are those of the options that were not typed."""
    output = Plain(quiet=True) if options["as_json"] else output_to()
    if options["plot"] is not None:
        from chainrule.pictures import check_picture_file

        check_picture_file(options["plot"])
    base, choices = _choices(options, defaults)
    first, count = options["seeds"]
    where: dict[str, Any] = {"first": first, "count": count, "goal": options["goal"]}
    kind, trials = options["search"], _trials(options)
    with ExitStack() as stack:
        run = stack.enter_context(_runner(options))
        if kind in SAMPLERS:
            folder = options["save"] or Path(f"{Path(base.data).stem}-search")
            bar = stack.enter_context(RunsBar(output, trials * count))
            summary, interrupted = search(
                base, choices, kind, trials, seed=0, folder=folder, run=run, progress=bar, **where
            )
            seconds, new = sum(each.seconds for each in summary.settings), summary.plan.runs
        else:
            plan = (
                grid_of(base, choices, **where)
                if kind == "grid"
                else random_of(base, choices, trials, seed=0, **where)
            )
            _check(plan)
            folder = options["save"] or Path(f"{Path(base.data).stem}-sweep-{plan.digest}")
            output.print(_heading(plan))
            bar = stack.enter_context(RunsBar(output, plan.runs))
            done = run(plan, folder, bar)
            summary, interrupted = summary_of(plan, done.frame()), done.interrupted
            seconds, new = done.seconds, done.new
    if options["plot"] is not None:
        from chainrule.sweep.drawing import draw_sweep

        draw_sweep(summary, options["plot"], [_label(each) for each in summary.settings])
    if options["as_json"]:
        found = {**summary.to_json(), "folder": str(folder), "interrupted": interrupted}
        print(json.dumps(finite(found), ensure_ascii=False, allow_nan=False))
    else:
        _show(summary, output)
        output.print()
        _say_where(output, folder, new, seconds, interrupted=interrupted)
        if options["plot"] is not None:
            output.print(f"Picture in {options['plot']}")
    if interrupted:
        sys.stdout.flush()
        sys.exit(INTERRUPTED)


def _choices(
    options: dict[str, Any], defaults: dict[str, Any]
) -> tuple[Recipe, dict[str, list[Any]]]:
    """The recipe that all runs share, and the values of what was typed."""
    fields = [name for name in Recipe.__dataclass_fields__ if name not in (*FIXED, "data")]
    several: dict[str, list[Any]] = {
        name: options[name] if name in LAYERS else [_ranged(each) for each in options[name]]
        for name in fields
        if options.get(name) is not None
    }
    single = {**options, **{name: defaults[name] for name in fields if name in defaults}}
    return recipe_from(single), several


def _ranged(value: Any) -> Any:
    return Span(*cast("tuple[float, float]", value)) if isinstance(value, tuple) else value


def _trials(options: dict[str, Any]) -> int:
    kind, trials = options["search"], options["trials"]
    if kind == "grid" and trials is not None:
        raise SettingError(
            "--trials is how many settings a search draws, and --search grid takes all: name "
            "another search, such as --search random, or leave --trials out."
        )
    if kind != "grid" and trials is None:
        raise SettingError(f"--search {kind} needs --trials N, how many settings to try.")
    return trials or 0


@contextmanager
def _runner(options: dict[str, Any]) -> Generator[Run]:
    """Where runs are trained: here, in processes of this machine, or on a cluster."""
    workers, address = options["workers"], options["cluster"]
    if workers is None and address is None:
        yield run_sweep
        return
    if workers is not None and address is not None:
        raise SettingError("--workers starts a cluster and --cluster names one: give one of them.")
    from chainrule.sweep.cluster import connected, local_cluster, run_on_cluster

    if address is None:
        check_setting("workers", workers, COUNT)
    place = local_cluster(int(workers or 1)) if address is None else connected(address)
    with place as client:

        def run(plan: Plan, folder: Path, progress: Progress | None) -> Sweep:
            return run_on_cluster(plan, folder, client, progress)

        yield run


def _check(plan: Plan) -> None:
    """Refuse before the first run what would be refused in a later one."""
    for setting in plan.settings[:_MOST_CHECKED]:
        refuse_wrong(setting)


def _heading(plan: Plan) -> str:
    recipe = prepared_of(plan.settings[0]).recipe
    settings = counted(len(plan.settings), "setting")
    last = plan.first + plan.count - 1
    epochs = {prepared_of(each).recipe.epochs for each in plan.settings[:_MOST_CHECKED]}
    within = f" within {max(each or 0 for each in epochs):,} epochs"
    return (
        f"{recipe.data}: {settings}, seeds {plan.first:,} to {last:,}, {plan.runs:,} runs; "
        f"a run succeeds at a loss of {plan.goal:g}{within}"
    )


def _label(summary: SettingSummary) -> str:
    return ", ".join(f"{_words(name)} {_cell(value)}" for name, value in summary.chosen.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return layers_text(cast("tuple[Any, ...]", value), "none")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _show(summary: Summary, output: Plain | Console) -> None:
    if not summary.settings:
        output.print("No run is done yet.")
        return
    ranked = summary.settings
    if len(ranked) > _MOST_SHOWN:
        ranked = sorted(ranked, key=lambda each: -each.reached.value)[:_MOST_SHOWN]
    output.print()
    rows = [[*map(_words, summary.plan.varied), "reached", "95 % interval", "runs", "epochs until",
             "10 % to 90 %"]]  # fmt: skip
    for each in ranked:
        share = each.reached
        low, middle, high = each.epochs or (None, None, None)
        rows.append(
            [
                *map(_cell, each.chosen.values()),
                percent(share.value),
                f"{100 * share.low:.1f} to {100 * share.high:.1f} %",
                f"{share.of:,}",
                "–" if middle is None else f"{middle:,.0f}",
                "–" if low is None or high is None else f"{low:,.0f} to {high:,.0f}",
            ]
        )
    _print_rows(rows, output)
    if len(summary.settings) > _MOST_SHOWN:
        output.print(f"… and {len(summary.settings) - _MOST_SHOWN:,} more settings, which did less")
    for each in ranked[:_MOST_ENDS]:
        _show_ends(each, output)


def _print_rows(rows: list[list[str]], output: Plain | Console) -> None:
    heading, *lines = aligned(list(zip(*rows, strict=True))).split("\n")
    output.print(heading, style="bold")
    for line in lines:
        output.print(line)


def _show_ends(summary: SettingSummary, output: Plain | Console) -> None:
    failed = summary.reached.of - summary.reached.count
    others = {k: n for k, n in summary.outcomes.items() if k not in ("reached", "epochs")}
    if not failed or not (summary.ends or others):
        return
    label = _label(summary)
    output.print()
    title = f"Where the other {failed:,} end{f' ({label})' if label else ''}"
    output.print(title, style="bold")
    if summary.ends:
        rows = [
            ["outputs tend to", "loss there", "runs", "of these", "for example seed", "verdict"]
        ]
        for end in summary.ends:
            loss = "" if end.loss is None else number(end.loss)
            count = f"{end.share.count:,}"
            share = percent(end.share.value)
            rows.append([end.text, loss, count, share, str(end.example), end.verdict or ""])
        _print_rows(rows, output)
    for kind, count in others.items():
        output.print(f"{count:,} {kind}")


def _say_where(
    output: Plain | Console, folder: Path, new: int, seconds: float, *, interrupted: bool
) -> None:
    if new:
        output.print(f"{new:,} runs in {duration(seconds)}. All are in {folder} (Parquet).")
    else:
        output.print(f"All runs were done before: they are in {folder} (Parquet).")
    if interrupted:
        output.print("Interrupted. The same command goes on from here.")
