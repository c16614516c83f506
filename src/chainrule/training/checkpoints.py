"""A run's state in one file, written whole or not at all.

The file is in the safetensors format: arrays, and a JSON text beside them. Reading it executes
nothing; a dataclass of the user's is made again only if its class is among those that the reader
was given.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError, SettingError
from chainrule.training.files import read_tensors, write_tensors
from chainrule.training.history import History
from chainrule.training.state import Flat, Run, State, Tree

__all__ = ["Checkpoint", "check_place", "read_checkpoint", "save_run", "write_checkpoint"]

FORMAT = "chainrule checkpoint"
VERSION = 1

Array = NDArray[Any]


@dataclass
class Checkpoint:
    """A state, the facts of the run that it belongs to, and the caller's note."""

    state: State
    facts: dict[str, Any]
    note: Any = None


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole, in place of the one before.

    Raises ModelFileError where the disk does not take it; the one before is then as it was.
    """
    arrays, text = _contents(checkpoint)
    try:
        write_tensors(path, arrays, {"format": FORMAT, "version": str(VERSION), "state": text})
    except OSError as error:
        raise ModelFileError(_unwritable(path, error)) from None


def _unwritable(path: Path, error: OSError) -> str:
    before = " The one before is still whole." if path.is_file() else ""
    return (
        f"The checkpoint {path} cannot be written ({error.strerror or error}).{before} Free some "
        "space, or name a place that can be written to."
    )


def check_place(path: Path, checkpoint: Checkpoint) -> None:
    """Raise, before a run begins, what would otherwise be raised at its first checkpoint."""
    _contents(checkpoint)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; a checkpoint is a file. Name one in it.")
    if not path.parent.is_dir():
        raise ModelFileError(
            f"The checkpoint {path} cannot be written: there is no folder {path.parent}. Make it "
            "first."
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ModelFileError(
            f"The checkpoint {path} cannot be written: the folder {path.parent} may not be written "
            "to. Name another place."
        )


def save_run(path: Path, run: Run) -> None:
    """Write the checkpoint of a run that has ended, from which it can go on."""
    write_checkpoint(path, Checkpoint(run.state, run.facts, run.note))


def _contents(checkpoint: Checkpoint) -> tuple[dict[str, Array], str]:
    """The arrays by name, and everything else as JSON."""
    state = checkpoint.state
    arrays: dict[str, Array] = {}
    trees = {
        "parameters": _describe(state.parameters, "parameters", arrays),
        "optimizer": _describe(state.memory.tree, "optimizer", arrays),
        "best": _describe(state.best, "best", arrays),
    }
    for name, column in state.history.columns.items():
        arrays[f"history/{name}"] = np.array(column, dtype=np.float64)
    numbers = {
        "schedule": state.schedule,
        "epoch": state.epoch,
        "batch": state.batch,
        "updates": state.updates,
        "sums": [float(value).hex() for value in state.sums],
        "best_loss": float(state.best_loss).hex(),
        "best_epoch": state.best_epoch,
        "stalled": state.stalled,
        "seconds": state.seconds,
        "columns": list(state.history),
    }
    data = {"trees": trees, "numbers": numbers, "facts": checkpoint.facts, "note": checkpoint.note}
    try:
        return arrays, json.dumps(data, default=_plain)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"The note or the schedule's state cannot be kept in a checkpoint ({error}). Use "
            "numbers, texts, and dicts and lists of them."
        ) from None


def _plain(value: object) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return cast(Any, value).tolist()
    raise TypeError(f"of type {type(value).__name__}")


def read_checkpoint(path: Path, classes: Mapping[str, type] | None = None) -> Checkpoint:
    """The checkpoint in a file.

    ``classes`` are the dataclasses and named tuples that the parameters and the optimiser's state
    may be made of, by name.

    Raises ModelFileError where it is missing, damaged, foreign or newer.
    """
    arrays, metadata = read_tensors(path, FORMAT, VERSION)
    known = classes or {}
    try:
        data = json.loads(metadata["state"])
        numbers: dict[str, Any] = data["numbers"]
        trees = {name: _restore(tree, arrays, known) for name, tree in data["trees"].items()}
        columns: list[str] = numbers["columns"]
        history = History({name: arrays[f"history/{name}"].tolist() for name in columns})
        state = State(
            weights=Flat.of(trees["parameters"]),
            memory=Flat.of(trees["optimizer"]),
            best=trees["best"],
            schedule=dict(numbers["schedule"]),
            epoch=int(numbers["epoch"]),
            batch=int(numbers["batch"]),
            updates=int(numbers["updates"]),
            sums=(float.fromhex(numbers["sums"][0]), float.fromhex(numbers["sums"][1])),
            best_loss=float.fromhex(numbers["best_loss"]),
            best_epoch=int(numbers["best_epoch"]),
            stalled=int(numbers["stalled"]),
            seconds=float(numbers["seconds"]),
            history=history,
        )
        return Checkpoint(state, dict(data["facts"]), data["note"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, ModelFileError):
            raise ModelFileError(f"The checkpoint {path} cannot be read: {error}") from None
        raise ModelFileError(
            f"The checkpoint {path} cannot be understood ({type(error).__name__}: {error}). "
            "Start afresh without it."
        ) from None


def _describe(tree: Tree, path: str, arrays: dict[str, Array]) -> Any:
    """A pytree as JSON, with its arrays put under names of their own."""
    kind: Any = cast(Any, type(tree))
    if tree is None:
        return None
    if kind is dict:
        items: list[tuple[Any, Any]] = list(cast("dict[Any, Any]", tree).items())
        for key, _ in items:
            if not isinstance(key, str | int):
                raise SettingError(
                    f"The key {key!r} at {path} cannot be kept in a checkpoint. Use texts or whole "
                    "numbers as keys."
                )
        return {"dict": [[key, _describe(each, f"{path}/{key}", arrays)] for key, each in items]}
    if kind is list or kind is tuple:
        parts = enumerate(cast("list[Any]", tree))
        return {kind.__name__: [_describe(each, f"{path}/{i}", arrays) for i, each in parts]}
    names = _field_names(kind)
    if names is not None:
        parts = [[name, _describe(getattr(tree, name), f"{path}/{name}", arrays)] for name in names]
        return {"class": [kind.__qualname__, parts]}
    if isinstance(tree, np.ndarray | np.generic):
        return {"array": _keep(np.asarray(cast(Any, tree)), path, arrays)}
    if isinstance(tree, bool | int | float | str):
        return {"value": tree}
    raise SettingError(
        f"A {kind.__name__} at {path} cannot be kept in a checkpoint. Use dicts, lists, tuples and "
        "dataclasses of arrays for parameters and the optimiser's state."
    )


def _field_names(kind: Any) -> list[str] | None:
    """The fields of a dataclass or a named tuple; None for any other class."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    names: Any = getattr(kind, "_fields", None)
    return list(names) if names is not None and issubclass(kind, tuple) else None


def _keep(array: Array, path: str, arrays: dict[str, Array]) -> str:
    """Put an array under a name that is free: ``a/b`` may be one key, or two."""
    name = path
    while name in arrays:
        name += "'"
    arrays[name] = array
    return name


def _restore(data: Any, arrays: Mapping[str, Array], classes: Mapping[str, type]) -> Tree:
    if data is None:
        return None
    ((kind, content),) = data.items()
    if kind == "dict":
        return {key: _restore(each, arrays, classes) for key, each in content}
    if kind in ("list", "tuple"):
        children = [_restore(each, arrays, classes) for each in content]
        return children if kind == "list" else tuple(children)
    if kind == "class":
        name, parts = content
        if name not in classes:
            raise ModelFileError(
                f"its parameters or its optimiser's state are made of {name}, which is not at "
                "hand. Give parameters= made of it too."
            )
        return classes[name](**{key: _restore(each, arrays, classes) for key, each in parts})
    if kind == "array":
        return arrays[content]
    if kind == "value":
        return content
    raise ValueError(f"unknown kind {kind!r}")
