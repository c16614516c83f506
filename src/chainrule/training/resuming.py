"""Going on with a run: what must be the same for it to be as if it had never stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from chainrule.errors import SettingError, TrainingError
from chainrule.networks import Network
from chainrule.pytrees import Structure, flatten
from chainrule.training.checkpoints import read_checkpoint
from chainrule.training.loop import Loop
from chainrule.training.samples import Samples
from chainrule.training.state import Run, State, Tree

__all__ = ["facts_of", "resumed"]


def facts_of(
    model: Any, loop: Loop, samples: Samples, task: str | None, optimizer: str
) -> dict[str, Any]:
    """What a checkpoint records of its run, to refuse to go on with another."""
    report = loop.objective.report
    return {
        "model": _described(model),
        "samples": len(samples.X),
        "data": samples.digest,
        "report": None if report is None else report.text,
        "task": task,
        **loop.settings.fingerprint(),
        "optimizer": optimizer,
    }


def _described(model: Any) -> str:
    """The model in words that are the same in every process, unlike those of Python's own."""
    if not isinstance(model, Network):
        return str(getattr(model, "__qualname__", type(model).__qualname__))
    layers = ", ".join(layer.text for layer in model.layers)
    return (
        f"Network {'-'.join(map(str, model.sizes))} of {layers} with {model.criterion.text}, "
        f"l1={float(model.l1):g}, l2={float(model.l2):g}, dropout="
        f"{'-'.join(f'{float(rate):g}' for rate in model.rates) or '0'}"
    )


def resumed(
    resume: Any, facts: dict[str, Any], start: Tree, memory: Tree, *, own: bool = False
) -> State:
    """The state to go on from: of a run, or in a checkpoint.

    ``start`` and ``memory`` are how the parameters and the optimiser's state would begin, or None
    where the user gave no parameters of an own function; ``own`` tells an optimiser of the user's,
    whose state may change its structure.

    Raises TrainingError where it belongs to another run.
    """
    if isinstance(resume, Run):
        _compare(facts, resume.facts, "The run to go on with")
        state, where = resume.state.copy(), "in the run to go on with"
    elif isinstance(resume, State):
        state, where = resume.copy(), "in the state to go on with"
    elif isinstance(resume, str | os.PathLike):
        path = Path(cast("str | os.PathLike[str]", resume))
        classes = {kind.__qualname__: kind for kind in _classes((start, memory))}
        found = read_checkpoint(path, classes)
        _compare(facts, found.facts, f"The checkpoint {path}")
        state, where = found.state, f"in the checkpoint {path}"
    else:
        raise SettingError(
            f"resume={resume!r} cannot be gone on from: give a Run, its state, or the path of a "
            "checkpoint."
        )
    if start is not None:
        _check_alike(state, start, where)
        if not own and state.memory.structure != flatten(memory)[1]:
            name = facts["optimizer"].partition("(")[0]
            raise TrainingError(
                f"The optimiser's state {where} is not {name}'s. Resume with the optimizer that it "
                "was trained with."
            )
    return state


def _classes(tree: Tree) -> Iterator[type]:
    """The containers that a pytree is made of."""
    pending: list[Structure] = [flatten(tree)[1]]
    for structure in pending:
        if structure.kind is not None:
            yield structure.kind
        pending.extend(structure.children)


def _compare(wanted: Mapping[str, Any], found: Mapping[str, Any], what: str) -> None:
    """Refuse to go on with other settings or other data."""
    # As a checkpoint has them: texts, numbers, and None.
    wanted, found = json.loads(json.dumps(wanted)), json.loads(json.dumps(found))
    for name, value in wanted.items():
        before = found.get(name)
        if name not in found or before == value:
            continue
        if name == "data":
            raise TrainingError(
                f"{what} is of other data: the shapes are the same, the numbers are not. Give the "
                "data that it was trained on, or start from its parameters (parameters=) without "
                "resume=."
            )
        if name == "samples":
            raise TrainingError(
                f"{what} is of {before} samples, and this one has {value}. Give the data and the "
                "validation share that it was trained with, or start afresh without resume=."
            )
        advice = "Resume with the same settings, or start afresh without resume=."
        if name == "schedule" and str(before).partition("(")[0] == str(value).partition("(")[0]:
            advice = f"Write schedule={before!r} to go on with the rates as they were."
        raise TrainingError(f"{what} has {name} = {before!r}, and you ask for {value!r}. {advice}")


def _check_alike(state: State, start: Tree, where: str) -> None:
    """Refuse parameters of another shape, dtype or nesting than the model's."""
    wanted, structure = flatten(start)
    paths = structure.paths("parameters")
    if state.weights.structure != structure:
        raise TrainingError(
            f"The parameters {where} are {', '.join(state.weights.structure.paths('parameters'))}; "
            f"this model's are {', '.join(paths)}."
        )
    for leaf, expected, path in zip(state.weights.leaves, wanted, paths, strict=True):
        if np.shape(leaf) != np.shape(expected) or leaf.dtype != expected.dtype:
            raise TrainingError(
                f"{path} {where} has shape {np.shape(leaf)} and dtype {leaf.dtype}; this model's "
                f"has shape {np.shape(expected)} and dtype {expected.dtype}."
            )
