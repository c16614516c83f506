"""The program as a Jupyter notebook: the prose between, and the first step line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chainrule.explain.labels import BACKWARD, FORWARD, UPDATE
from chainrule.explain.programs import Line, Program, program_of

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["to_notebook"]

_PARTS = {
    FORWARD: "## Forward pass\n\nFrom the inputs to the loss, layer by layer.",
    BACKWARD: "## Backward pass\n\nThe chain rule, from the loss back to every parameter. "
    "`d_loss_W1` is the gradient of the loss by `W1`. A bar in a rule marks the gradient of the "
    "loss by what is below it.",
    UPDATE: "## Update\n\nEvery parameter moves against its gradient.",
}
Cell = tuple[str, str]


def to_notebook(derivation: Derivation) -> dict[str, Any]:
    """A notebook, in version 4.5 of the format, that does the whole training by hand."""
    program = program_of(derivation)
    return {
        "cells": [
            _cell(i, kind, source) for i, (kind, source) in enumerate(_cells(derivation, program))
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    cell: dict[str, Any] = {"id": f"cell-{number}", "cell_type": kind, "metadata": {}}
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    return {**cell, "source": lines}


def _cells(derivation: Derivation, program: Program) -> Iterator[Cell]:
    moment = program.moment
    sizes = "-".join(map(str, moment.network.sizes))
    optimizer = moment.optimizer
    assert optimizer is not None
    yield (
        "markdown",
        (
            f"# {derivation.title}: a {sizes} network by hand\n\n"
            "Every line of the forward pass, the backward pass and the update, written with NumPy "
            f"alone. What is made small is the {moment.network.criterion.measures}; "
            f"the optimiser is {optimizer.name.replace('_', ' ')}."
        ),
    )
    yield "code", program.imports
    if program.functions:
        yield "markdown", "Functions that NumPy lacks"
        yield "code", "\n\n\n".join(program.functions)
    yield "markdown", "## Data\n\nThe training rows, as numbers that the network takes."
    yield "code", program.data
    yield "markdown", "## Parameters\n\nThe weights and biases to start from."
    yield "code", program.parameters
    yield "markdown", "What training is given, and what the optimiser remembers at the start"
    yield "code", program.settings
    yield from _first_step(program)
    yield (
        "markdown",
        ("## Training\n\nThe same lines in a loop over all epochs, from the same parameters."),
    )
    yield "code", "\n".join([program.parameters, program.settings])
    yield "code", program.loop
    yield "markdown", "## Predictions\n\nThe forward pass with the parameters learned."
    yield "code", program.results


def _first_step(program: Program) -> Iterator[Cell]:
    """The first step, a cell for each line."""
    yield "markdown", "# The first step, line by line"
    first = program.first_batch
    if first:
        yield "code", first
    for part, prose in _PARTS.items():
        yield "markdown", prose
        for line in program.part(part):
            yield "markdown", _prose(line)
            yield "code", f"{line.text}\n{line.text.partition(' = ')[0]}"


def _prose(line: Line) -> str:
    step = line.step
    paragraphs = [f"$${step.formula.latex}$$"]
    if step.why:
        paragraphs.append(step.why)
    if step.shape and step.part != UPDATE:
        paragraphs.append(f"For one element: ${step.index_formula.latex}$")
    rules = [
        f"- {rule.name}: ${rule.operation.latex}$, so ${rule.gradient.latex}$"
        for rule in step.rules
    ]
    return "\n\n".join([*paragraphs, *(["\n".join(rules)] if rules else [])])
