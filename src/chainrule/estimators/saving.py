"""An estimator in a safetensors file: weights, parameters, the optimiser's state, the history.

The file is written whole or not at all, and reading it executes nothing that it holds, which a
pickle would.
"""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import ModelFileError
from chainrule.estimators.choosing import chosen_optimizer
from chainrule.estimators.state import OptimizerState
from chainrule.pytrees import flatten
from chainrule.training.files import read_tensors, write_tensors
from chainrule.training.history import History

__all__ = ["load", "save"]

FORMAT, VERSION = "chainrule estimator", 1
_NUMBERS = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")
_RECORDS = (
    "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_",
    "stopped_", "_no_improvement_count",
)  # fmt: skip
_STATE = ("rate", "updates", "epochs", "schedule")


def save(model: Any, path: str | Path) -> None:
    """Write a fitted estimator to a file.

    Raises ValueError for parameters that are functions of the user's own, ModelFileError where the
    file cannot be written.
    """
    check_is_fitted(model)
    arrays = {f"W{i}": W for i, W in enumerate(model.coefs_, 1)}
    arrays |= {f"b{i}": b for i, b in enumerate(model.intercepts_, 1)}
    description: dict[str, Any] = {
        "class": type(model).__name__,
        "parameters": _plain_parameters(model),
        "attributes": {
            name: getattr(model, name) for name in (*_NUMBERS, *_RECORDS) if hasattr(model, name)
        },
        "history": model.history_.to_dict(),
        "feature_names": getattr(model, "feature_names_in_", np.array([])).tolist(),
    }
    if hasattr(model, "classes_"):
        description["classes"] = _plain_classes(model)
    state = getattr(model, "_optimizer", None)
    if state is not None and state.own is None:
        description["optimizer"] = {name: getattr(state, name) for name in _STATE}
        leaves, structure = flatten(state.memory)
        pairs = zip(structure.paths(), leaves, strict=True)
        arrays |= {f"memory{path}": leaf for path, leaf in pairs}
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "description": json.dumps(description, default=_number),
    }
    try:
        write_tensors(Path(path), arrays, metadata)
    except OSError as error:
        raise ModelFileError(
            f"The model cannot be written to {path} ({error.strerror or error}). Name a file in a "
            "folder that is there."
        ) from None


def _number(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is no plain number")


def _plain_parameters(model: Any) -> dict[str, Any]:
    """The parameters; a generator, callbacks and initial states are left out."""
    parameters = model.get_params()
    if not isinstance(parameters["random_state"], int | np.integer):
        parameters["random_state"] = None
    parameters["callbacks"] = None
    for name, value in parameters.items():
        try:
            json.dumps(value, default=_number)
        except TypeError:
            raise ValueError(
                f"{name}={value!r} cannot be saved: a file holds names and numbers, and no "
                "functions of your own. Use pickle for those, or set it to a name before saving."
            ) from None
    return parameters


def _plain_classes(model: Any) -> dict[str, Any]:
    classes = model.classes_
    return {
        "values": classes.tolist(),
        "dtype": classes.dtype.str,
        "type": model._label_binarizer.y_type_,
        "sparse": bool(model._label_binarizer.sparse_input_),
    }


def load(kind: type[Any], path: str | Path) -> Any:
    """The estimator of a class in a file.

    Raises ModelFileError where it is missing, damaged, of another format or class, or newer.
    """
    arrays, metadata = read_tensors(Path(path), FORMAT, VERSION)
    try:
        description = json.loads(metadata["description"])
        found = description["class"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"The description in {path} cannot be read ({error}).") from None
    if found != kind.__name__:
        raise ModelFileError(f"{path} holds a {found}: load it with {found}.load.")
    try:
        return _restored(kind, description, arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"The description in {path} cannot be understood ({type(error).__name__}: {error})."
        ) from None


def _restored(kind: type[Any], description: dict[str, Any], arrays: dict[str, Any]) -> Any:
    parameters = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in description["parameters"].items()
    }
    model = kind(**parameters)
    for name in (*_NUMBERS, *_RECORDS):
        if name in description["attributes"]:
            setattr(model, name, description["attributes"][name])
    layers = range(1, model.n_layers_)
    model.coefs_ = [arrays[f"W{i}"] for i in layers]
    model.intercepts_ = [arrays[f"b{i}"] for i in layers]
    model._best_coefs = [W.copy() for W in model.coefs_]
    model._best_intercepts = [b.copy() for b in model.intercepts_]
    model.history_ = History(description["history"])
    if description["feature_names"]:
        model.feature_names_in_ = np.array(description["feature_names"], dtype=object)
    if "classes" in description:
        _restore_classes(model, description["classes"])
    if "optimizer" in description:
        model._optimizer = _restored_optimizer(model, description["optimizer"], arrays)
    return model


def _restore_classes(model: Any, classes: dict[str, Any]) -> None:
    model.classes_ = np.array(classes["values"], dtype=classes["dtype"])
    binarizer = LabelBinarizer()
    binarizer.classes_, binarizer.y_type_ = model.classes_, classes["type"]
    binarizer.sparse_input_ = classes["sparse"]
    model._label_binarizer = binarizer


def _restored_optimizer(
    model: Any, saved: dict[str, Any], arrays: dict[str, Any]
) -> OptimizerState:
    rate = float(model.learning_rate_init)
    state = OptimizerState.of(chosen_optimizer(model), rate, model._parameters())
    for name in _STATE:
        setattr(state, name, saved[name])
    structure = flatten(state.memory)[1]
    state.memory = structure.unflatten(arrays[f"memory{path}"] for path in structure.paths())
    return state
