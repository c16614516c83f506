"""What all sides compute: a network, its data, where it starts, and the order of its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Work:
    """A training run to be measured.

    ``networks`` is how many are trained at once: 0 is one network by itself. ``loss`` is the one
    descended; XOR reports the mean of the squares of which it descends the sum.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    output: str
    loss: str
    data: str
    samples: int
    batch: int
    epochs: int
    optimizer: str = "gradient_descent"
    rate: float = 0.1
    dtype: str = "float64"
    networks: int = 0

    @property
    def steps(self) -> int:
        """Updates of one network in the run."""
        return self.epochs * (self.samples // self.batch)

    @property
    def title(self) -> str:
        """The work in a line."""
        batch = "all samples" if self.batch == self.samples else f"batches of {self.batch:,}"
        text = f"{'-'.join(map(str, self.sizes))} {self.activation}, {self.dtype}, {batch}"
        text += f" of {self.samples:,}, {self.epochs:,} epochs, {self.optimizer.replace('_', ' ')}"
        return f"{self.networks:,} networks: {text}" if self.networks else text


@dataclass(frozen=True)
class Problem:
    """A work with its arrays, as it is sent to the sides.

    ``parameters`` are W1, b1, W2, … and, for a population, a first axis longer. ``order`` has the
    rows of each step, ``(steps, batch)``, or is None where a step takes all rows. ``compiler``
    says whether a side may spend half a minute on compiling.
    """

    work: Work
    X: Array
    y: Array
    parameters: list[Array]
    order: Array | None
    compiler: bool = True


@dataclass
class Result:
    """What a run came to: its parameters at the end, and the loss reported in its last epoch."""

    parameters: list[Array]
    loss: float


def data_of(work: Work) -> tuple[Array, Array]:
    """Inputs and targets; classes are whole numbers."""
    rng = np.random.default_rng(7)
    dtype = np.dtype(work.dtype)
    if work.data == "xor":
        X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
        return X.astype(dtype), y.astype(dtype)
    if work.data == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return (digits.data[: work.samples] / 16).astype(dtype), digits.target[: work.samples]
    X = rng.standard_normal((work.samples, work.sizes[0]))
    if work.data == "smooth":
        y = np.sin(X.sum(axis=1, keepdims=True)) * np.cos(X[:, :1])
        return X.astype(dtype), np.repeat(y, work.sizes[-1], axis=1).astype(dtype)
    # Classes that can be learned: noise for labels would make the training chaotic.
    scores = X @ rng.standard_normal((work.sizes[0], work.sizes[-1]))
    classes = np.argmax(scores, axis=1)
    classes[: work.sizes[-1]] = np.arange(
        work.sizes[-1]
    )  # each occurs, as scikit-learn counts them
    return X.astype(dtype), classes


def network_of(work: Work) -> Any:
    """Our network for a work."""
    from chainrule import Network

    normal = "standard_normal" if work.data == "xor" else "glorot"
    return Network(
        work.sizes,
        activation=work.activation,
        output=work.output,
        loss=work.loss,
        initializer=normal,
    )


def problem_of(work: Work, *, shuffle: bool = True, compiler: bool = True) -> Problem:
    """A work with its arrays. The order of the samples is the one of `chainrule.train`."""
    from chainrule.training.batches import Batches

    X, y = data_of(work)
    network = network_of(work)
    seeds = [42 + i for i in range(max(work.networks, 1))]
    dtype = np.dtype(work.dtype)
    drawn = [list(network.initialize(seed, dtype, "legacy").values()) for seed in seeds]
    parameters = [np.stack(each) for each in zip(*drawn, strict=True)]
    if not work.networks:
        parameters = [array[0] for array in parameters]
    if work.batch == work.samples:
        return Problem(work, X, y, parameters, None, compiler)
    batches = Batches(work.samples, work.batch, shuffle=shuffle, seed=0)
    order = np.concatenate([batches.order(epoch) for epoch in range(work.epochs)])
    return Problem(work, X, y, parameters, order.reshape(work.steps, work.batch), compiler)


def last_epoch(problem: Problem, losses: Any) -> float:
    """The mean of the losses of the last epoch's steps."""
    return float(np.mean(np.asarray(losses)[-(problem.work.samples // problem.work.batch) :]))
