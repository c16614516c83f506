"""`chainrule check`: somebody's own training program, its gradients beside the exact ones."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.check.checking import check_program
from chainrule.check.checks import Check, unreadable
from chainrule.check.lines import (
    FACTOR,
    FIRST,
    FOLLOWS,
    RIGHT,
    counts,
    in_short,
    mark_of,
    marked_lines,
    shortened,
)
from chainrule.check.page import page
from chainrule.check.sandbox import program_files
from chainrule.cli.repairs import Fix, repair_lines
from chainrule.cli.screen import Plain, output_to
from chainrule.errors import DataError, SettingError
from chainrule.pages.document import check_page_file, write_page
from chainrule.pages.markup import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_check"]

_STYLES = {RIGHT: "green", FACTOR: "yellow", FIRST: "bold red", FOLLOWS: "dim"}


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
    html: Path | None,
) -> None:
    """Check programs; one is shown by its lines, several in a table."""
    if html is not None:
        check_page_file(html)
    if not 0 <= repair_time < math.inf:
        raise SettingError(
            f"repair_time={repair_time} is out of range: it takes 0 seconds or more."
        )
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
        _write_page([check], html, as_json)
        sys.exit(check.exit_code)
    if fix is not None or in_place:
        raise SettingError("--fix and --in-place take one program, not several or a folder.")
    checks: list[Check] = []
    output = output_to()
    width = max(len(str(path)) for path in paths)
    for check in _checked(paths, how):
        checks.append(check)
        if not as_json:
            _say(output, mark_of(check), f"{check.path:<{width}}", in_short(check))
    if as_json:
        _print_json([check.to_json() for check in checks])
    else:
        output.print(f"\n{counts(checks)}")
    _write_page(checks, html, as_json)
    codes = {check.exit_code for check in checks}
    sys.exit(1 if 1 in codes else max(codes))  # that one is wrong says more than that one is unread


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


def _write_page(checks: Sequence[Check], path: Path | None, as_json: bool) -> None:
    if path is not None:
        write_page(page(checks), path)
        if not as_json:
            output_to().print(visible(f"Page in {path}"))


def _print_json(found: Any) -> None:
    print(json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False))


def _say(output: Plain | Console, mark: str, *rest: str) -> None:
    """Print a line, in the colour of its mark on a terminal."""
    text = visible("  ".join([mark, *rest]).rstrip())
    output.print(text, style=_STYLES.get(mark, ""), soft_wrap=True)


def _show(check: Check, output: Plain | Console, written: str) -> None:
    """Print the lines of one program, and what is to be said of them."""
    lines = list(marked_lines(check))
    if lines:
        output.print(f"{visible(check.path)}\n")
        numbers = [str(each.place).removeprefix("line ") for each in lines]
        texts = [shortened(each.text.strip()) for each in lines]
        digits, width = max(map(len, numbers)), max(map(len, texts))
        for each, number, text in zip(lines, numbers, texts, strict=True):
            _say(output, each.mark, f"{number:>{digits}}", f"{text:<{width}}", each.what)
        output.print()
    output.print(visible(check.summary), style="bold" if lines else "")
    for text, style in repair_lines(check):
        output.print(visible(text), style=style, soft_wrap=True)
    if written:
        output.print(f"\n{visible(written)}")
    for each in check.observations:
        place = f"{str(each.place).capitalize()}: " if each.place is not None else ""
        output.print(visible(place + each.sentence))
    for note in check.notes:
        output.print(visible(note))
