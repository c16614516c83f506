"""A sweep whose next setting is chosen by what those before came to, with Optuna's samplers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, SettingError
from chainrule.sweep.plan import Plan, Span
from chainrule.sweep.running import Progress, Sweep
from chainrule.sweep.summary import SettingSummary, Summary, summary_of
from chainrule.training.recipes import Recipe

__all__ = ["SAMPLERS", "search"]

SAMPLERS = {"tpe": "TPESampler", "qmc": "QMCSampler"}
"""Optuna's samplers by the names that the command line has for them."""
_NO_SUCCESS = 2.0
"""What takes the place of the epochs until success, as a share of all, where there was none."""
Run = Callable[[Plan, Path, "Progress | None"], Sweep]


def search(
    base: Recipe,
    choices: dict[str, list[Any]],
    sampler: str,
    trials: int,
    *,
    seed: int,
    first: int,
    count: int,
    goal: float,
    folder: Path,
    run: Run,
    progress: Progress | None = None,
) -> tuple[Summary, bool]:
    """Try settings one after the other; what each came to, and whether Ctrl-C ended it.

    A setting is better the more of its runs reach the goal, and among equals the sooner. Each is a
    sweep of its own in a folder within ``folder``. The sampler is seeded, so the same call chooses
    the same settings again and finds those that are done.

    Raises SettingError where Optuna is missing.
    """
    study = _study(sampler, seed)
    settings: list[Recipe] = []
    found: list[SettingSummary] = []
    varied = tuple(n for n, each in choices.items() if len(each) > 1 or isinstance(each[0], Span))
    interrupted = False
    for number in range(trials):
        trial = study.ask()
        drawn = {name: _drawn(trial, name, values) for name, values in choices.items()}
        setting = replace(base, **drawn)
        plan = Plan((setting,), varied, first, count, goal)
        beyond = None if progress is None else _beyond(progress, number * count, trials * count)
        try:
            done = run(plan, folder / f"trial-{number:04}", beyond)
        except ChainruleError:
            study.tell(trial, state=_failed())  # such as more clipping than there can be
            continue
        if done.interrupted:
            interrupted = True
            break
        (summary,) = summary_of(plan, done.frame()).settings
        study.tell(trial, _worth(summary, setting))
        found.append(replace(summary, number=len(settings)))
        settings.append(setting)
    return Summary(Plan(tuple(settings), varied, first, count, goal), found), interrupted


def _study(sampler: str, seed: int) -> Any:
    try:
        import optuna
    except ImportError:
        raise SettingError(
            f"--search {sampler} needs Optuna, which is not installed: pip install "
            "'chainrule[search]'. --search random needs nothing."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kind = getattr(optuna.samplers, SAMPLERS[sampler])
    return optuna.create_study(direction="maximize", sampler=kind(seed=seed))


def _failed() -> Any:
    import optuna

    return optuna.trial.TrialState.FAIL


def _drawn(trial: Any, name: str, values: list[Any]) -> Any:
    if isinstance(values[0], Span):
        span = values[0]
        if span.whole:
            return trial.suggest_int(name, span.low, span.high)
        return trial.suggest_float(name, span.low, span.high, log=span.log)
    # Optuna knows choices by what JSON can hold.
    return values[trial.suggest_categorical(name, list(range(len(values))))]


def _worth(summary: SettingSummary, setting: Recipe) -> float:
    """More success is better by far, and less time is better among equals."""
    last = summary.survival[-1][0]
    middle = _NO_SUCCESS * last if summary.epochs is None else summary.epochs[1]
    return summary.reached.value - 1e-3 * middle / last


def _beyond(progress: Progress, before: int, runs: int) -> Progress:
    return lambda done, _: progress(before + done, runs)
