"""A run's state in one file, written whole or not at all.

The file is in the safetensors format: arrays, and a JSON text beside them. It is written under
another name, flushed to the disk, and then renamed, so that whenever the process ends the file is
either the last one or the one before. Reading it executes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.training.files import read_tensors, write_tensors
from chainrule.training.history import History
from chainrule.training.state import Flat, Run, State, Tree

__all__ = ["Checkpoint", "read_checkpoint", "save_run", "write_checkpoint"]

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
    """Write a checkpoint whole, in place of the one before."""
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
        "sums": [value.hex() for value in state.sums],
        "best_loss": float(state.best_loss).hex(),
        "best_epoch": state.best_epoch,
        "stalled": state.stalled,
        "seconds": state.seconds,
    }
    text = json.dumps(
        {"trees": trees, "numbers": numbers, "facts": checkpoint.facts, "note": checkpoint.note}
    )
    write_tensors(path, arrays, {"format": FORMAT, "version": str(VERSION), "state": text})


def save_run(path: Path, run: Run) -> None:
    """Write the checkpoint of a run that has ended, from which it can go on."""
    write_checkpoint(path, Checkpoint(run.state, run.facts, run.note))


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file. Raises ModelFileError where it is missing, damaged or foreign."""
    arrays, metadata = read_tensors(path, FORMAT, VERSION)
    try:
        data = json.loads(metadata["state"])
        numbers: dict[str, Any] = data["numbers"]
        trees = {name: _restore(tree, arrays) for name, tree in data["trees"].items()}
        history = History(
            {
                name.removeprefix("history/"): array.tolist()
                for name, array in arrays.items()
                if name.startswith("history/")
            }
        )
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
    except (KeyError, TypeError, ValueError, IndexError) as error:
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
        items = cast("dict[Any, Any]", tree).items()
        return {"dict": [[key, _describe(each, f"{path}/{key}", arrays)] for key, each in items]}
    if kind is list or kind is tuple:
        parts = enumerate(cast("list[Any]", tree))
        return {kind.__name__: [_describe(each, f"{path}/{i}", arrays) for i, each in parts]}
    if isinstance(tree, np.ndarray | np.generic):
        arrays[path] = np.asarray(cast(Any, tree))
        return {"array": path}
    if isinstance(tree, bool | int | float | str):
        return {"value": tree}
    raise ModelFileError(
        f"A {kind.__name__} at {path} cannot be kept in a checkpoint. Use dicts, lists and "
        "tuples of arrays for parameters and the optimiser's state."
    )


def _restore(data: Any, arrays: dict[str, Array]) -> Tree:
    if data is None:
        return None
    ((kind, content),) = data.items()
    if kind == "dict":
        return {key: _restore(each, arrays) for key, each in content}
    if kind in ("list", "tuple"):
        children = [_restore(each, arrays) for each in content]
        return children if kind == "list" else tuple(children)
    if kind == "array":
        return arrays[content]
    if kind == "value":
        return content
    raise ValueError(f"unknown kind {kind!r}")
