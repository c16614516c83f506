"""`chainrule check`: somebody's own training program, its gradients beside the exact ones."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.check.checking import Check, Value, check_program, unreadable
from chainrule.check.sandbox import program_files
from chainrule.cli.screen import Plain, output_to
from chainrule.cli.repairs import Fix, repair_lines
from chainrule.errors import DataError, SettingError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_check"]

_RIGHT, _FACTOR, _FIRST, _FOLLOWS, _UNKNOWN = "✓", "~", "✗", "·", "?"
_STYLES = {_RIGHT: "green", _FACTOR: "yellow", _FIRST: "bold red", _FOLLOWS: "dim"}
_VERDICTS = {
    "exact": _RIGHT,
    "constant factor": _FACTOR,
    "sign convention": _FACTOR,
    "wrong": _FIRST,
}
_LONGEST_LINE, _MOST_NAMES = 60, 3


@dataclass(frozen=True)
class _How:
    """How each program is checked."""

    loss: str | None
    timeout: float
    repair_seconds: float

    def check(self, path: Path, stop: threading.Event | None = None) -> Check:
        """Check one."""
        return check_program(
            path,
            loss=self.loss,
            timeout=self.timeout,
            repair_seconds=self.repair_seconds,
            stop=stop,
        )


def run_check(
    programs: Sequence[Path],
    loss: str | None,
    timeout: float,
    repair_time: float,
    fix: Path | None,
    in_place: bool,
    as_json: bool,
) -> None:
    """Check programs; one is shown by its lines, several in a table."""
    paths = list(_paths(programs))
    alone = len(programs) == 1 and not programs[0].is_dir()
    how = _How(loss, timeout, repair_time)
    if alone:
        target = Fix(paths[0], fix, in_place=in_place)
        check = how.check(paths[0])
        written = target.write(check)
        if as_json:
            _print_json(check.to_json())
        else:
            _show(check, output_to(), written)
        sys.exit(check.exit_code)
    if fix is not None or in_place:
        raise SettingError("--fix and --in-place take one program, not several or a folder.")
    checks: list[Check] = []
    output = output_to()
    width = max(len(str(path)) for path in paths)
    for check in _checked(paths, how):
        checks.append(check)
        if not as_json:
            _say(output, *_row(check, width))
    if as_json:
        _print_json([check.to_json() for check in checks])
    else:
        output.print(_counts(checks))
    sys.exit(max(check.exit_code for check in checks))


def _paths(programs: Sequence[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, each once."""
    seen: set[Path] = set()
    for path in programs:
        files = program_files(path) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path} holds no script (.py) and no notebook (.ipynb).")
        for file in files:
            if file.absolute() not in seen:
                seen.add(file.absolute())
                yield file


def _checked(paths: Sequence[Path], how: _How) -> Iterator[Check]:
    """The checks in the order of the files, as many at a time as there are processors."""
    stop = threading.Event()

    def check(path: Path) -> Check:
        try:
            return how.check(path, stop)
        except DataError as error:
            return unreadable(path, error)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield from pool.map(check, paths)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _print_json(found: Any) -> None:
    print(json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False))


def _row(check: Check, width: int) -> tuple[str, str, str]:
    """A program in the table: the mark, its path and the verdict, as short as it can be."""
    if check.verdict == "wrong" and check.first is not None:
        text = f"{check.first.place}: {_short(check.first.text.strip())}"
    else:
        text = check.summary if check.verdict == "cannot tell" else check.summary.partition(",")[0]
    return _VERDICTS.get(check.verdict, _UNKNOWN), f"{check.path:<{width}}", text


def _counts(checks: Sequence[Check]) -> str:
    codes = [check.exit_code for check in checks]
    names = ("right", "wrong", "cannot be told")
    parts = [f"{codes.count(i)} {name}" for i, name in enumerate(names) if i in codes]
    return f"\n{len(checks):,} program{'s' if len(checks) > 1 else ''}: {', '.join(parts)}."


def _say(output: Plain | Console, mark: str, *rest: str) -> None:
    """Print a line, in the colour of its mark on a terminal."""
    text = _clean("  ".join([mark, *rest]).rstrip())
    output.print(text, style=_STYLES.get(mark, ""), soft_wrap=True)


def _show(check: Check, output: Plain | Console, written: str) -> None:
    """Print the lines of one program, and what is to be said of them."""
    lines = list(_lines(check))
    if lines:
        output.print(f"{_clean(check.path)}\n")
        numbers = max(len(number) for _, number, _, _ in lines)
        width = min(max(len(code) for _, _, code, _ in lines), _LONGEST_LINE)
        for mark, number, code, what in lines:
            _say(output, mark, f"{number:>{numbers}}", f"{code:<{width}}", what)
        output.print()
    output.print(_clean(check.summary), style="bold" if lines else "")
    for text, style in repair_lines(check):
        output.print(_clean(text), style=style, soft_wrap=True)
    if written:
        output.print(f"\n{_clean(written)}")
    for each in check.observations:
        place = f"{str(each.place).capitalize()}: " if each.place is not None else ""
        output.print(_clean(place + each.sentence))
    for note in check.notes:
        output.print(_clean(note))


def _lines(check: Check) -> Iterator[tuple[str, str, str, str]]:
    """The lines that compute gradients: a mark, the number, the text, and what it computes."""
    by_place: dict[tuple[int, int], list[Value]] = {}
    after_first = False
    first = [] if check.first is None or check.first in check.values else [check.first]
    for value in [*check.values, *first]:
        after_first = after_first or value is check.first
        # A parameter's new value may be a multiple of a gradient as well, as from zeros.
        is_gradient = value.of is not None or (check.first is not None and after_first)
        if value is check.first or (is_gradient and not _is_parameter(value, check)):
            place = -1 if value.place.cell is None else value.place.cell
            by_place.setdefault((place, value.place.line), []).append(value)
    for (cell, line), values in sorted(by_place.items()):
        number = str(line) if cell < 0 else f"cell {cell}, line {line}"
        known = [value for value in values if value.of is not None]
        if check.first in values:
            mark = _FIRST
        elif not known or (check.first is not None and len(known) < len(values)):
            mark = _FOLLOWS
        else:
            mark = _RIGHT if all(value.factor == 1.0 for value in known) else _FACTOR
        names = list(dict.fromkeys(map(_derivative, known)))
        if len(names) > _MOST_NAMES:
            names = [*names[:_MOST_NAMES], "…"]
        what = ", ".join(names)
        if mark in (_FIRST, _FOLLOWS):
            what += " at times" if known and len(known) < len(values) else ""
            what = ": ".join(filter(None, ["first wrong" if mark == _FIRST else "follows", what]))
        yield mark, number, _short(values[0].text.strip()), what


def _derivative(value: Value) -> str:
    of = value.of or ""
    top, by, bottom = of.partition(" by ")
    name = f"∂{top}/∂{bottom}" if by else f"∂L/∂{of}" if of else "∂L/∂(unnamed)"
    if value.factor == 1.0:
        return name
    return f"−{name}" if value.factor == -1.0 else f"{value.factor:.6g} {name}".replace("-", "−", 1)


def _is_parameter(value: Value, check: Check) -> bool:
    """Whether a value is a parameter after its step, by its name without what is in brackets."""
    name = _bare(value.name)
    return any(
        name == _bare(each.name) or _last(name) == _last(_bare(each.name)) != ""
        for each in check.parameters
    )


def _bare(name: str) -> str:
    return re.sub(r"\[.*\]", "", name)


def _last(name: str) -> str:
    """The attribute, where a name has one."""
    return name.rpartition(".")[2] if "." in name else ""


def _short(line: str) -> str:
    line = " ".join(line.split("\t"))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _clean(text: str) -> str:
    """A text that cannot move the terminal's cursor, whatever the program has in it."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
