"""A program in a process of its own, in a copy of its folder, with limits.

What it writes beside itself is written to the copy; what it prints, to a file that is thrown away.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["GIBIBYTE", "MEMORY", "Ran", "program_files", "run_module", "run_program", "run_repairs"]

GIBIBYTE = 2**30
MEMORY = 4 * GIBIBYTE
"""What a program may have, where nothing else is said."""
_LARGEST_FOLDER = 50 * 10**6
_MOST_FILES = 20_000
_MOST_OUTPUT = 50 * 10**6
_SECONDS_BETWEEN_LOOKS = 0.02
_SKIPPED = ("__pycache__", "node_modules", "site-packages")


@dataclass(frozen=True)
class Ran:
    """How a program ended, and what the copies of its process found.

    ``outcome`` is ran, failed, exited, timed out, too much memory or too much output; ``line`` is
    where it ended, as a line of `Program.text`. ``seen`` is what was seen beside, and ``names``
    what the names stood for in the line that failed; both are empty where it was stopped.
    """

    outcome: str
    found: list[dict[str, Any]]
    seconds: float
    line: int | None = None
    error: str = ""
    kind: str = ""
    code: int = 0
    whole_folder: bool = True
    seen: dict[str, Any] = field(default_factory=dict[str, Any])
    names: dict[str, str] = field(default_factory=dict[str, str])


def run_program(
    path: Path,
    *,
    loss: str | None,
    call: str = "",
    timeout: float,
    memory: int,
    stop: threading.Event | None = None,
) -> Ran:
    """Run a program and look at its iterations; ``stop`` ends it early.

    After its last line the function ``call`` is called, if that is given.
    """
    arguments = [f"--call={call}", *([] if loss is None else [f"--loss={loss}"])]
    with _sandbox(path) as box:
        start = time.monotonic()
        command = "chainrule.check.running", *arguments
        stopped, code = box.run(command, memory=memory, end=start + timeout, stop=stop)
        seconds = time.monotonic() - start
        found = [each for each in map(_read, sorted(box.results.glob("*-*.json"))) if each]
        for each in found:
            if "reason" in each:
                each["reason"] = box.outside(each["reason"])
        end = _read(box.results / "outcome.json") or _sudden(code, box.top / "output")
        return Ran(
            stopped or end["outcome"],
            found,
            seconds,
            None if stopped else end.get("line"),
            box.outside(end.get("error", "")),
            end.get("kind", ""),
            end.get("code", 0),
            box.whole,
            {} if stopped else end.get("seen", {}),
            {} if stopped else end.get("names", {}),
        )


def run_repairs(
    path: Path,
    arguments: Sequence[str],
    *,
    seconds: float,
    memory: int,
    stop: threading.Event | None = None,
) -> dict[str, Any] | None:
    """Search for repairs of a program; what was found, or None where the search was stopped."""
    files = run_module(
        path,
        "chainrule.check.repairing",
        [*arguments, f"--seconds={seconds}"],
        ["repairs.json"],
        seconds=2 * seconds,  # it ends itself; this is for what hangs
        memory=memory,
        stop=stop,
    )
    return _parsed(files["repairs.json"])


def run_module(
    path: Path,
    module: str,
    arguments: Sequence[str],
    names: Sequence[str],
    *,
    seconds: float,
    memory: int,
    stop: threading.Event | None = None,
) -> dict[str, bytes]:
    """Run one of our modules on a program; the files of these names that it wrote, or nothing."""
    with _sandbox(path) as box:
        end = time.monotonic() + seconds
        box.run((module, *arguments), memory=memory, end=end, stop=stop)
        found: dict[str, bytes] = {}
        for name in names:
            file = box.results / name
            found[name] = file.read_bytes() if file.exists() else b""
        return found


@dataclass(frozen=True)
class _Box:
    """A copy of a program's folder, and beside it what is written about it."""

    program: Path
    folder: Path
    top: Path
    whole: bool

    @property
    def results(self) -> Path:
        return self.top / "results"

    def outside(self, text: Any) -> str:
        """A message in which the copy is the user's folder."""
        return str(text).replace(str(self.program.parent), str(self.folder))

    def run(
        self,
        command: Sequence[str],
        *,
        memory: int,
        end: float,
        stop: threading.Event | None,
    ) -> tuple[str | None, int]:
        """Run one of our modules on the program: why it was stopped, and its exit code."""
        module, *arguments = command
        files = [str(self.program), str(self.results)]
        with (self.top / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *files, f"--memory={memory}", *arguments],
                cwd=self.program.parent,
                env=_environment(self.top / "tmp"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                stopped = _wait(process, output.fileno(), end, stop)
            finally:
                # The copies, and what else the program has started, are in its session.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return stopped, process.returncode


@contextmanager
def _sandbox(path: Path) -> Generator[_Box]:
    with tempfile.TemporaryDirectory(prefix="chainrule-", ignore_cleanup_errors=True) as name:
        # Whatever the system's name for it is, it is what the program will see.
        top = Path(name).resolve()
        for folder in ("work", "results", "tmp"):
            (top / folder).mkdir()
        folder, work = path.absolute().parent, top / "work"
        whole = _copy(folder, work)
        if not (work / path.name).exists():
            shutil.copyfile(path, work / path.name)
        yield _Box(work / path.name, folder, top, whole)


def _wait(
    process: subprocess.Popen[bytes], output: int, end: float, stop: threading.Event | None
) -> str | None:
    """Wait for the process; why it is to be stopped, or None where it has ended."""
    while True:
        try:
            process.wait(_SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return None
        if os.fstat(output).st_size > _MOST_OUTPUT:
            return "too much output"
        if time.monotonic() > end:
            return "timed out"
        if stop is not None and stop.is_set():
            return "stopped"


def _read(path: Path) -> dict[str, Any] | None:
    """What a process wrote; None where it was stopped while it did."""
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError):
        return None


def _sudden(code: int, output: Path) -> dict[str, Any]:
    """The outcome of a process that could not say it: a signal, `os._exit`, or chainrule's own."""
    if code == -signal.SIGKILL:
        return {"outcome": "too much memory"}
    if code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
        return {"outcome": "failed", "kind": "signal", "error": f"it was ended by {name}"}
    text = output.read_bytes()[-2000:].decode("utf-8", "replace").strip()
    if text.rpartition("\n")[2].startswith("MemoryError"):
        return {"outcome": "too much memory"}
    if code and "Traceback" in text:
        return {"outcome": "failed", "error": text.rpartition("\n")[2]}
    return {"outcome": "exited", "code": code}


def _environment(scratch: Path) -> dict[str, str]:
    threads = ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
    paths = os.environ.get("PYTHONPATH", "")
    absolute = os.pathsep.join(str(Path(p).absolute()) for p in paths.split(os.pathsep) if p)
    return {
        **os.environ,
        **{f"{each}_NUM_THREADS": "1" for each in threads},
        "MPLBACKEND": "Agg",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": absolute,
        "PYTHONUNBUFFERED": "",
        "TMPDIR": str(scratch),
    }


def _copy(folder: Path, work: Path) -> bool:
    """Copy a folder, or its Python files alone where it is too large; whether all of it."""
    files: list[Path] = []
    size = 0
    for file in _files(folder):
        files.append(file)
        with suppress(OSError):
            size += file.stat().st_size
        if size > _LARGEST_FOLDER or len(files) > _MOST_FILES:
            files = sorted(folder.glob("*.py"))
            break
    else:
        size = 0
    for file in files:
        target = work / file.relative_to(folder)
        with suppress(OSError):  # it may be unreadable, and the program need not read it
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return not size


def _files(folder: Path) -> Iterator[Path]:
    """The files in a folder and those below, without hidden ones and installed packages."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or (Path(parent) / "pyvenv.cfg").exists():
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if n not in _SKIPPED and not n.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and path.is_file():
                yield path


def program_files(folder: Path) -> list[Path]:
    """The scripts and notebooks in a folder and those below."""
    return [path for path in _files(folder) if path.suffix in (".py", ".ipynb")]
