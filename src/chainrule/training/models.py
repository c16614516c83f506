"""A trained network in a folder: weights, a readable description, the history.

    model.safetensors   the parameters, and the description once more, so that this file alone is
                        the model
    model.json          the description for people and programs: format, network, preparation of
                        the data, record of the training
    history.csv         the losses, epoch by epoch

Each file is written whole or not at all. Reading executes nothing that a file holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import Preparation, Table
from chainrule.errors import ChainruleError, ModelFileError
from chainrule.networks import Network
from chainrule.training.evaluation import about_one_half
from chainrule.training.files import check_version, read_tensors, write_tensors, write_text
from chainrule.training.history import History

__all__ = ["CHECKPOINT", "WEIGHTS", "Model", "check_folder"]

FORMAT = "chainrule model"
VERSION = 1
WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.csv"
CHECKPOINT = "checkpoint.safetensors"

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """A network with its parameters, the preparation of its data, and how it was trained.

    ``notes`` are sentences that a person should read about the folder it was loaded from.

    >>> network = Network([1, 1])
    >>> model = Model(network, network.initialize(0))
    >>> model.network.count
    2
    """

    network: Network
    parameters: Mapping[str, Array]
    preparation: Preparation | None = None
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])
    history: History = field(default_factory=History)
    notes: tuple[str, ...] = ()

    def outputs(self, X: Array) -> Array:
        """The network's outputs (n, outputs) for prepared inputs; ½ is between two classes."""
        dtype = next(iter(self.parameters.values())).dtype
        with np.errstate(all="ignore"):
            values: Array = self.network.predict(self.parameters, X.astype(dtype))
        classes = self.preparation is not None and self.preparation.labels is not None
        return about_one_half(self.network, values) if classes else values

    @property
    def gives_probabilities(self) -> bool:
        """Whether the outputs are probabilities of classes."""
        classes = self.preparation is not None and self.preparation.labels is not None
        return classes and self.network.layers[-1].name in ("sigmoid", "softmax")

    def predict(self, table: Table) -> Array:
        """The predicted label or number for each row of a table."""
        if self.preparation is None:
            raise ModelFileError("The model has no preparation for tables: use outputs(X).")
        return self.preparation.decode(self.outputs(self.preparation.transform_features(table)))

    def describe(self) -> dict[str, Any]:
        """The description that is saved: everything but the numbers of the parameters."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "network": self.network.to_json(),
            "parameters": {
                name: {"shape": list(array.shape), "dtype": str(array.dtype)}
                for name, array in self.parameters.items()
            },
            "preparation": None if self.preparation is None else self.preparation.to_json(),
            "training": dict(self.record),
        }

    def save(self, folder: str | Path) -> None:
        """Write the model into a folder, which is made if need be.

        Raises ModelFileError where the folder holds something else, or cannot be written.
        """
        target = Path(folder)
        check_folder(target)
        text = json.dumps(_finite(self.describe()), ensure_ascii=False, indent=2)
        try:
            target.mkdir(parents=True, exist_ok=True)
            write_text(target / HISTORY, _history_text(self.history))
            write_text(target / DESCRIPTION, text + "\n")
            arrays = {name: np.asarray(array) for name, array in self.parameters.items()}
            metadata = {"format": FORMAT, "version": str(VERSION), "description": text}
            write_tensors(target / WEIGHTS, arrays, metadata)
        except OSError as error:
            raise ModelFileError(
                f"The model cannot be written to {target} ({error.strerror or error}). Choose "
                "another folder with --save, or free some space."
            ) from None

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """The model in a folder.

        Raises ModelFileError where it is missing, damaged, of another format, or newer.
        """
        source = Path(folder)
        _check_there(source)
        arrays, metadata = read_tensors(source / WEIGHTS, FORMAT, VERSION)
        shown = _check_description(source / DESCRIPTION)
        try:
            description: dict[str, Any] = json.loads(metadata["description"])
            network = Network.from_json(description["network"])
            prepared = description["preparation"]
            preparation = None if prepared is None else Preparation.from_json(prepared)
            record = dict(description["training"])
        except ModelFileError as error:
            raise ModelFileError(
                f"The description in {source / WEIGHTS} is wrong: {error}"
            ) from None
        except (KeyError, TypeError, ValueError, RecursionError, ChainruleError) as error:
            raise ModelFileError(
                f"The description in {source / WEIGHTS} cannot be understood "
                f"({type(error).__name__}: {error}). Use an earlier copy of the model."
            ) from None
        changed = (
            f"{source / DESCRIPTION} has been changed, or is of another model; what counts is the "
            f"description inside {WEIGHTS}."
        )
        notes = (changed,) if shown != description else ()
        parameters = _parameters(network, arrays, source / WEIGHTS)
        history = _read_history(source / HISTORY)
        return cls(network, parameters, preparation, record, history, notes)


def check_folder(folder: Path) -> None:
    """Refuse to write a model where something else is."""
    if folder.is_file():
        raise ModelFileError(f"{folder} is a file; a model is saved in a folder. Name another.")
    known = {WEIGHTS, DESCRIPTION, HISTORY, CHECKPOINT}
    if folder.is_dir():
        others = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.name not in known and not entry.name.startswith(".")
        )
        models = any((folder / name).exists() for name in (WEIGHTS, CHECKPOINT))
        if others and not models:
            raise ModelFileError(
                f"The folder {folder} holds other files ({others[0]}"
                f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}) and no model, so "
                "nothing is written there. Name a new folder."
            )


def _check_there(folder: Path) -> None:
    if not folder.exists():
        raise ModelFileError(
            f"There is no folder {folder}. Name one that train --save has written."
        )
    if not folder.is_dir():
        raise ModelFileError(f"{folder} is not a folder. Name one that train --save has written.")
    if (folder / WEIGHTS).exists():
        return
    if (folder / CHECKPOINT).exists():
        raise ModelFileError(
            f"{folder} holds a run that has not ended, and no model yet. Go on with: "
            f"chainrule train --resume {folder}"
        )
    raise ModelFileError(
        f"The folder {folder} holds no model: there is no {WEIGHTS} in it. Name one that "
        "train --save has written."
    )


def _check_description(path: Path) -> Any:
    """The description in a file, refused where it is missing, damaged, foreign or newer."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind, version = found["format"], found["version"]
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing: the model's folder is not whole.") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged or not a {FORMAT} ({type(error).__name__}). Use an earlier copy."
        ) from None
    if kind != FORMAT:
        raise ModelFileError(f"{path} is not a {FORMAT}: it says {kind!r} of its format.")
    check_version(path, version, VERSION)
    return found


def _parameters(network: Network, arrays: Mapping[str, Array], path: Path) -> dict[str, Array]:
    shapes = network.parameter_shapes
    if set(arrays) != set(shapes):
        raise ModelFileError(
            f"{path} holds the arrays {', '.join(sorted(arrays)) or 'none'}, and the network needs "
            f"{', '.join(shapes)}."
        )
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != "f":
            raise ModelFileError(
                f"{path} holds {name} of shape {array.shape} and dtype {array.dtype}, and the "
                f"network needs real numbers of shape {shape}."
            )
    return {name: arrays[name] for name in shapes}


def _history_text(history: History) -> str:
    import polars  # here, as a model that is only predicted with needs none; a run may be long

    columns = {"epoch": np.arange(len(history)), **{name: history[name] for name in history}}
    return polars.DataFrame(columns).write_csv()


def _read_history(path: Path) -> History:
    import polars

    try:
        table = polars.read_csv(path.read_bytes(), infer_schema=False, truncate_ragged_lines=False)
        columns = table.drop("epoch").cast(polars.Float64).to_dict(as_series=False)
        return History(columns)
    except FileNotFoundError:
        return History()
    except (OSError, TypeError, polars.exceptions.PolarsError):
        raise ModelFileError(
            f"{path} is damaged: it is not a table with a row of numbers for each epoch. Delete it "
            "to use the model without its history."
        ) from None


def _finite(value: Any) -> Any:
    """Plain data in which numbers that JSON lacks are texts."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
