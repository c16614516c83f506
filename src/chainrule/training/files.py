"""Files that are written whole or not at all, and tensors in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError

__all__ = ["check_version", "read_tensors", "write_tensors", "write_text", "written_whole"]

Array = NDArray[Any]


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """A temporary file beside ``path`` to write to, which then takes its place.

    It is flushed to the disk before it is renamed. If writing fails, ``path`` is as it was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_tensors(path: Path, arrays: Mapping[str, Array], metadata: dict[str, str]) -> None:
    """Write arrays and texts to a safetensors file, whole."""
    from safetensors.numpy import save

    data = save({name: np.array(a, order="C") for name, a in arrays.items()}, metadata)
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: Path, kind: str, version: int) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and texts of a safetensors file of a format; nothing in it is executed.

    Raises ModelFileError where it is missing, truncated, of another format, or newer.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelFileError(f"There is no file {path}.")
    try:
        with cast(Any, safe_open(path, framework="np")) as file:
            metadata: dict[str, str] = file.metadata() or {}
            arrays: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{path} is damaged or not a {kind} ({error}). Use an earlier copy."
        ) from None
    if metadata.get("format") != kind:
        raise ModelFileError(
            f"{path} is a safetensors file, but not a {kind}: it says "
            f"{metadata.get('format', 'nothing')!r} of its format."
        )
    check_version(path, metadata.get("version"), version)
    return arrays, metadata


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
