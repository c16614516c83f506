"""Files that are written whole or not at all, and tensors in them.

What is written goes to a file of another name beside the target, is flushed to the disk, and takes
the target's place by a rename. Whenever the process ends, the target is the new file or the one
before, whole. A file left over by a writer that was killed is removed by the next one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

__all__ = ["check_version", "read_tensors", "write_tensors", "write_text", "written_whole"]

Array = NDArray[Any]
_CHECKSUM = "sha256"
_OLD = 3600.0
"""Seconds after which a leftover counts as abandoned where there are no locks to tell."""


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """A temporary file beside ``path`` to write to, which then takes its place.

    It is flushed to the disk before it is renamed. If writing fails, ``path`` is as it was.
    """
    path = path.resolve() if path.is_symlink() else path
    _remove_abandoned(path)
    handle, temporary = _new_file(path)
    try:
        yield temporary
        os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    _flush_folder(path.parent)


def _new_file(path: Path) -> tuple[int, Path]:
    """A new file that is locked for as long as its writer lives, and its name."""
    while True:
        temporary = path.parent / f".{path.name}.{secrets.token_hex(6)}.part"
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        # Another writer may have removed it in the instant before it was locked.
        if (fcntl is None or _lock(handle)) and temporary.exists():
            return handle, temporary
        os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open file; whether it could be. Where files have no locks, all is well."""
    assert fcntl is not None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of writers of ``path`` that no longer live."""
    with suppress(OSError):
        for entry in list(path.parent.iterdir()):
            if entry.name.startswith(f".{path.name}.") and entry.name.endswith(".part"):
                with suppress(OSError):
                    _remove_if_abandoned(entry)


def _remove_if_abandoned(entry: Path) -> None:
    if fcntl is None:
        if time.time() - entry.stat().st_mtime > _OLD:
            entry.unlink()
        return
    handle = os.open(entry, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        entry.unlink()
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Flush a rename to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_tensors(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays and texts to a safetensors file, whole, with a checksum of both."""
    from safetensors.numpy import save

    ordered = {name: np.array(array, order="C") for name, array in arrays.items()}
    data = save(ordered, {**metadata, _CHECKSUM: _checksum(ordered, metadata)})
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def _checksum(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """One number for every bit of the arrays, their names, and the texts."""
    summary = hashlib.sha256()
    for name in sorted(metadata):
        summary.update(repr((name, metadata[name])).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        summary.update(repr((name, array.dtype.str, arrays[name].shape)).encode())
        summary.update(memoryview(cast(Any, array.reshape(-1).view(np.uint8))))
    return summary.hexdigest()


def read_tensors(path: Path, kind: str, version: int) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and texts of a safetensors file of a format; nothing in it is executed.

    Raises ModelFileError where it is missing, truncated, damaged, of another format, or newer.
    """
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a {kind}. Name the file in it.")
    if not path.is_file():
        raise ModelFileError(f"There is no file {path}.")
    try:
        with cast(Any, safe_open(path, framework="np")) as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
            _check_format(path, metadata, kind, version)
            arrays: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{path} is damaged or not a {kind} ({error}). Use an earlier copy."
        ) from None
    if metadata.pop(_CHECKSUM, None) != _checksum(arrays, metadata):
        raise ModelFileError(
            f"{path} is damaged: its checksum is not that of its contents. Use an earlier copy."
        )
    return arrays, metadata


def _check_format(path: Path, metadata: Mapping[str, str], kind: str, version: int) -> None:
    if metadata.get("format") != kind:
        raise ModelFileError(
            f"{path} is a safetensors file, but not a {kind}: it says "
            f"{metadata.get('format', 'nothing')!r} of its format."
        )
    check_version(path, metadata.get("version"), version)


def check_version(path: Path, found: object, known: int) -> None:
    """Refuse a file of a later version of its format than this one."""
    try:
        number = int(str(found))
    except ValueError:
        raise ModelFileError(f"{path} does not say which version of its format it is.") from None
    if number > known:
        raise ModelFileError(
            f"{path} has version {number} of its format, and this chainrule reads up to {known}. "
            "Install a newer chainrule."
        )
