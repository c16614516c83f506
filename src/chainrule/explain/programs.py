"""A training run as a NumPy program that does every line by hand, without chainrule.

Each line is the formula of a step, written as NumPy from the same node. The script trains and
prints the losses and predictions; the notebook has the prose, and the first step line by line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError
from chainrule.explain.labels import BACKWARD, FORWARD, UPDATE
from chainrule.explain.moments import Moment, Training, last_epoch
from chainrule.explain.numpycode import FUNCTIONS, Coder, number_code
from chainrule.explain.scaling import scaling_of
from chainrule.explain.schedulecode import rate_code
from chainrule.explain.tracing import memory_name
from chainrule.pytrees import flatten

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation
    from chainrule.explain.steps import Step

__all__ = ["Program", "program_of"]

Array = NDArray[Any]
_MOST_NUMBERS = 20_000
_PARTS = {FORWARD: "Forward pass", BACKWARD: "Backward pass", UPDATE: "Update"}


@dataclass(frozen=True)
class Line:
    """One line of a program: the step that it is of, and its text."""

    step: Step
    text: str


def program_of(derivation: Derivation) -> Program:
    """The program of the run that a derivation is of.

    Raises SettingError where the derivation is of no run, or the run cannot be written.
    """
    moment = derivation.moment
    if moment is None or moment.training is None:
        raise SettingError(
            "Only a training run of chainrule's own is written as a program, and this derivation "
            "is of a function or of a program. Explain a data set or a saved model."
        )
    if moment.optimizer is None:
        raise SettingError(
            "L-BFGS finds the length of each step by trying, so its run cannot be written line by "
            "line. Explain a run of another optimizer."
        )
    if moment.optimizer.own:
        raise SettingError("An optimizer of your own is not known by name here; use another.")
    return Program(derivation, moment, moment.training)


class Program:
    """The parts of a program, from which script and notebook are put together."""

    def __init__(self, derivation: Derivation, moment: Moment, training: Training) -> None:
        self.derivation, self.moment, self.training = derivation, moment, training
        self._check_size()
        labels = derivation.labels
        scaling = scaling_of(derivation.traced, moment)
        ragged = len(training.samples.X) % training.batches.size != 0
        if ragged and not scaling.known:
            raise SettingError(
                "The last batch of an epoch is smaller, and the formulas depend on the size in a "
                "way that cannot be written. Choose a batch size that divides the number of rows."
            )
        if not scaling.known:
            scaling = type(scaling)()
        self.coder = Coder(dict(labels.names), scaling.texts, scaling.rows)
        self.lines = list(self._lines())
        self.needs_n = bool(scaling.texts) or any(
            "n" in line.text.replace("np.", "").split() for line in self.lines
        )
        self.rate, self.rate_when = rate_code(training.schedule)
        self.epochs = last_epoch(training)

    def _check_size(self) -> None:
        samples = self.training.samples
        assert samples.y is not None
        count = samples.X.size + samples.y.size + self.moment.network.count
        if count > _MOST_NUMBERS:
            raise SettingError(
                f"The program would hold {count:,} numbers of data and parameters, and at most "
                f"{_MOST_NUMBERS:,} are written. Explain a smaller data set or network."
            )

    def _lines(self) -> Iterator[Line]:
        """The lines of a step; an updated value takes the place of the one before."""
        labels = self.derivation.labels
        later: list[Line] = []
        steps = list(self.derivation.steps)
        for at, step in enumerate(steps):
            if step.name in labels.aliases:
                yield Line(step, f"{step.name} = {step.inputs[0]}")
                continue
            code = self.coder.code(step.node)
            old = labels.old.get(step.node)
            if old is None:
                yield Line(step, f"{step.name} = {code}")
                continue
            name = labels.names[old]
            needed = any(name in other.inputs for other in steps[at + 1 :])
            if needed:  # the old value is still to be read
                yield Line(step, f"{step.name} = {code}")
                later.append(Line(step, f"{name} = {step.name}"))
            else:
                yield Line(step, f"{name} = {code}")
                self.coder.names[step.node] = name  # pyright: ignore[reportIndexIssue]
        yield from later

    def part(self, part: str) -> list[Line]:
        """The lines of a part."""
        return [line for line in self.lines if line.step.part == part]

    # What stands before the loop.

    @cached_property
    def imports(self) -> str:
        """The imports."""
        return "import math\n\nimport numpy as np" if "erf" in self.coder.used else (
            "import numpy as np"
        )  # fmt: skip

    @property
    def functions(self) -> list[str]:
        """The definitions of what NumPy lacks."""
        return [text.rstrip() for name, text in FUNCTIONS.items() if name in self.coder.used]

    @property
    def data(self) -> str:
        """The data, as numbers."""
        samples = self.training.samples
        assert samples.y is not None
        X, y = ("X", "y") if self.training.batches.whole else ("X_all", "y_all")
        lines = [f"{X} = {number_code(samples.X)[0]}", f"{y} = {number_code(samples.y)[0]}"]
        if self.needs_n and self.training.batches.whole:
            lines.append("n = len(X)")
        return "\n".join(lines)

    @property
    def parameters(self) -> str:
        """The parameters to start from, as they were drawn."""
        start = self.training.prepared.parameters
        drawn = self._drawn(start)
        if drawn is not None:
            return drawn
        return "\n".join(f"{name} = {_initial(value)}" for name, value in start.items())

    def _drawn(self, start: dict[str, Array]) -> str | None:
        """The lines that draw the parameters as the notebook does, if they give these."""
        seed = self.training.recipe.seed or 0
        rng = np.random.RandomState(seed)
        lines = [f"np.random.seed({seed})"]
        for name, value in start.items():
            if name.startswith("W"):
                if not np.array_equal(value, rng.standard_normal(value.shape)):
                    return None
                lines.append(f"{name} = np.random.randn({', '.join(map(str, value.shape))})")
            else:
                lines.append(f"{name} = {_initial(value)}")
        return "\n".join(lines)

    @property
    def settings(self) -> str:
        """The optimiser's state at the start, the learning rate, the number of epochs."""
        lines = [f"learning_rate = {self.rate}"] if self.rate_when == "once" else []
        lines.append(f"epochs = {self.epochs}")
        optimizer = self.moment.optimizer
        assert optimizer is not None
        memory, structure = flatten(optimizer.initialize(self.training.prepared.parameters))
        for path, value in zip(structure.paths(), memory, strict=True):
            lines.append(f"{memory_name(path)} = {_initial(np.asarray(value))}")
        if self.rate_when == "step":
            lines.append("update = 0")
        return "\n".join(lines)

    @property
    def first_batch(self) -> str:
        """What comes before the lines of the first step: its rows, masks and learning rate."""
        batches = self.training.batches
        lines = ["epoch = 0"] if self.rate_when != "once" or any(self.moment.network.rates) else []
        if self.rate_when != "once":
            lines.append(f"learning_rate = {self.rate}")
        if not batches.whole:
            lines += ["start = 0", f"batch_size = {batches.size}", "order = np.arange(len(X_all))"]
            if batches.shuffle:
                block = batches.block_length
                lines[-1:] = [
                    f"orders = np.tile(np.arange(len(X_all)), ({block}, 1))",
                    f"rng = np.random.default_rng([{batches.seed}, 1, 0])",
                    "order = rng.permuted(orders, axis=1)[0]",
                ]
            lines += ["rows = order[start:start + batch_size]", "X, y = X_all[rows], y_all[rows]"]
            lines += ["n = len(X)"] if self.needs_n else []
        return "\n".join([*lines, *self._masks()])

    # The loop.

    @property
    def loop(self) -> str:
        """The loop over the epochs."""
        whole = self.training.batches.whole
        body = [f"learning_rate = {self.rate}"] if self.rate_when == "epoch" else []
        if whole:
            body += [*self._masks(), *self._step()]
        else:
            body += self._batches()
        body += self._shown()
        text = textwrap.indent("\n".join(body), "    ", lambda line: bool(line.strip()))
        return f"for epoch in range(epochs):\n{text}"

    def _step(self) -> list[str]:
        lines = [f"learning_rate = {self.rate}"] if self.rate_when == "step" else []
        for part, title in _PARTS.items():
            lines += ["", f"# {title}", *(line.text for line in self.part(part))]
        if self.rate_when == "step":
            lines.append("update = update + 1")
        return lines[1:] if not lines[0] else lines

    def _batches(self) -> list[str]:
        batches = self.training.batches
        lines: list[str] = []
        order = "order = np.arange(len(X_all))"
        if batches.shuffle:
            block = batches.block_length
            lines += [
                f"if epoch % {block} == 0:  # the orders of the next {block} epochs",
                f"    rng = np.random.default_rng([{batches.seed}, 1, epoch // {block}])",
                f"    orders = np.tile(np.arange(len(X_all)), ({block}, 1))",
                "    orders = rng.permuted(orders, axis=1)",
            ]
            order = f"order = orders[epoch % {block}]"
        inner = [
            "rows = order[start:start + batch_size]",
            "X, y = X_all[rows], y_all[rows]",
            *(["n = len(X)"] if self.needs_n else []),
            *self._masks(),
            "",
            *self._step(),
            f"total = total + {self.shown_loss} * len(rows)",
        ]
        text = textwrap.indent("\n".join(inner), "    ", lambda line: bool(line.strip()))
        return [
            *lines,
            order,
            "total = 0.0",
            f"batch_size = {batches.size}",
            "for start in range(0, len(X_all), batch_size):",
            text,
        ]

    def _masks(self) -> list[str]:
        rates = self.moment.network.rates
        if not any(rates):
            return []
        batch = "0" if self.training.batches.whole else "start // batch_size"
        count = "len(X)"
        lines = [f"rng = np.random.default_rng([{self.training.batches.seed}, 2, epoch, {batch}])"]
        kind = f"np.{self.training.samples.X.dtype.name}"
        for i, rate in enumerate(rates, start=1):
            if rate > 0:
                drawn = f"rng.random(({count}, {self.moment.network.sizes[i]})) >= {rate!r}"
                lines.append(f"m{i} = ({drawn}).astype({kind}) * (1 / (1 - {rate!r}))")
        return lines

    @property
    def shown_loss(self) -> str:
        """The loss that the run reports."""
        return "reported" if self.moment.report is not None else self.derivation.loss

    def _shown(self) -> list[str]:
        every = max(1, self.epochs // 10)
        loss = self.shown_loss if self.training.batches.whole else "total / len(X_all)"
        shown = f'    print(f"Epoch {{epoch}}, loss {{{loss}:.4f}}")'
        return ["", f"if epoch % {every} == 0:", shown]

    @property
    def results(self) -> str:
        """The predictions after training, without dropout, and what they are printed by."""
        coder_lines = [line for line in self.part(FORWARD) if _of_layer(line.step.name)]
        masks = [f"m{i}" for i, rate in enumerate(self.moment.network.rates, start=1) if rate > 0]
        lines = [] if self.training.batches.whole else ["X = X_all"]
        if self.needs_n and lines:
            lines.append("n = len(X)")
        lines += [f"{mask} = 1.0" for mask in masks]
        lines += [line.text for line in coder_lines]
        last = f"a{self.moment.network.depth}"
        shown = last if len(self.training.samples.X) <= 16 else f"{last}[:8]"
        return "\n".join([*lines, f'print("Predictions:\\n", {shown}.round(3))'])


def _of_layer(name: str) -> bool:
    return name[0] in "za" and name[1:].isdigit()


def _initial(value: Array) -> str:
    """A value to start from; zeros as np.zeros."""
    if value.ndim and not value.any():
        kind = "" if value.dtype == np.float64 else f", dtype=np.{value.dtype.name}"
        return f"np.zeros({value.shape}{kind})"
    if not value.ndim:
        return repr(value.item()) if value.dtype == np.float64 else (
            f"np.{value.dtype.name}({value.item()!r})"
        )  # fmt: skip
    return number_code(value)[0]
