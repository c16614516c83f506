"""What an estimator minimises and what it reports, as NumPy functions; and its step as a graph.

scikit-learn's multi-layer perceptron reports one number and descends the gradient of another:

- the log-loss it reports is of probabilities clipped to [ε, 1 - ε], the gradient is that of the
  log-loss without clipping;
- the squared error it reports is a mean over outputs, the gradient is that of the sum.

Both are written down here, each as it is, and the gradient is derived from the one that is
minimised. The penalty ``½ α ΣW²`` is divided by the number of samples of the batch, or by the sum
of their weights, and so is part of both.
"""

# What is traced has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import value_and_grad
from chainrule.graph import Graph
from chainrule.networks.choices import Choice
from chainrule.networks.losses import Loss, match_dtype
from chainrule.networks.own import check_activated, check_takes_weight, check_total
from chainrule.pytrees import map_leaves
from chainrule.simplification import simplify_graph
from chainrule.tracer import named, special, trace
from chainrule.training.optimizers import Optimizer

__all__ = ["ENTRIES", "Batch", "Formulation", "Parameters", "Penalties"]

Array = NDArray[Any]


class Parameters(NamedTuple):
    """The weights and the biases of all layers, input to output."""

    coefs: tuple[Any, ...]
    intercepts: tuple[Any, ...]


class Penalties(NamedTuple):
    """The strengths of the penalties ``½ l2 ΣW²`` and ``l1 Σ|W|``, each a 0-d array or None.

    They are carried through the step unchanged, so that another strength needs no other code.
    """

    l2: Any
    l1: Any


class Batch(NamedTuple):
    """The rows of one step; ``weight`` has shape (n,), a mask the shape of its hidden layer."""

    X: Any
    y: Any
    weight: Any = None
    masks: Any = None


@dataclass(frozen=True)
class Formulation:
    """A network with its loss.

    ``hidden`` are the activations of the hidden layers, ``output`` is the last one's; ``loss`` is
    ``"log_loss"``, ``"squared_error"`` or ``"poisson"`` as scikit-learn defines them, or a `Loss`.
    """

    hidden: tuple[Choice, ...]
    output: Choice
    loss: str | Loss

    @property
    def text(self) -> str | None:
        """All that it is, as text; None where a function of the user's own is part of it."""
        loss = self.loss
        if any(choice.own for choice in (*self.hidden, self.output)):
            return None
        if isinstance(loss, Loss):
            if loss.own:
                return None
            loss = f"chainrule {loss.text}"
        return " ".join([*(choice.text for choice in self.hidden), self.output.text, loss])

    def logits(self, parameters: Parameters, X: Any, masks: Any = None) -> Any:
        """The last layer's pre-activations, shape (n, outputs).

        Where the first weights are None, X is their product with the inputs.
        """
        a = X
        last = len(parameters.coefs) - 1
        for i, (W, b) in enumerate(zip(parameters.coefs, parameters.intercepts, strict=True)):
            z = named((a if W is None else a @ W) + b, f"z{i + 1}")
            if i == last:
                return z
            a = self.hidden[i](z)
            check_activated(self.hidden[i], i + 1, z, a)
            if masks is not None and masks[i] is not None:
                a = a * match_dtype(masks[i], a)
            a = named(a, f"a{i + 1}")
        raise AssertionError("a network has at least one layer")

    def __call__(
        self, parameters: Parameters, penalties: Penalties, batch: Batch
    ) -> tuple[Any, Any]:
        """The loss that is minimised, and the loss that is reported."""
        minimised, reported = self.data_losses(parameters, batch)
        count = batch.X.shape[0] if batch.weight is None else np.sum(batch.weight)
        penalty = self.penalty(parameters, penalties, count)
        return minimised + penalty, reported + penalty

    def data_losses(self, parameters: Parameters, batch: Batch) -> tuple[Any, Any]:
        """The two losses without the penalties."""
        z = self.logits(parameters, batch.X, batch.masks)
        y = match_dtype(batch.y, z)
        weight = None if batch.weight is None else match_dtype(batch.weight, z)
        if isinstance(self.loss, Loss):
            output = z if self.loss.takes == "logits" else self.output(z)
            if weight is not None:
                check_takes_weight(self.loss)
            loss = self.loss(output, y, weight)
            check_total(self.loss, loss)
            return loss, loss
        minimised, reported = ENTRIES[self.loss](z, y, self.output.name)
        return _mean(minimised, weight), _mean(reported, weight)

    def penalty(self, parameters: Parameters, penalties: Penalties, count: Any) -> Any:
        """The penalties of the weights, divided by the number of samples or by their weight."""
        total: Any = 0.0
        for strength, norm in ((penalties.l2, _half_square), (penalties.l1, _absolute)):
            if strength is not None:
                norms = sum((norm(W) for W in parameters.coefs[1:]), norm(parameters.coefs[0]))
                total = total + match_dtype(strength, norms) * norms
        return total / count

    def step(
        self,
        optimizer: Optimizer,
        parameters: Parameters,
        memory: Any,
        penalties: Penalties,
        batch: Batch,
    ) -> Graph:
        """The graph of a step, in the order that `chainrule.kernels` takes.

        Its arguments are parameters, memory, penalties, batch and learning rate; its outputs the
        new parameters and memory, the penalties, a number that is always finite (scikit-learn goes
        on where the loss is not) and the loss reported.
        """

        def compute(parameters: Any, memory: Any, penalties: Any, batch: Any, rate: Any) -> Any:
            (_, reported), gradients = value_and_grad(self, has_aux=True)(
                parameters, penalties, batch
            )
            updated, memory = optimizer.update(parameters, gradients, memory, rate)
            return updated, memory, penalties, np.zeros((), reported.dtype), reported

        return simplify_graph(trace(compute, parameters, memory, penalties, batch, np.float64(0.1)))

    def update(
        self,
        optimizer: Optimizer,
        parameters: Parameters,
        memory: Any,
        penalties: Penalties,
        gradients: Parameters,
        count: Any,
    ) -> Graph:
        """The graph of a step whose gradients of the data's loss are known.

        Its arguments are parameters, memory, penalties, gradients, the number of samples or the
        sum of their weights, and the learning rate; its outputs are all but the last of them, new,
        then a number that is always finite and the penalty.
        """

        def compute(
            parameters: Any, memory: Any, penalties: Any, gradients: Any, count: Any, rate: Any
        ) -> Any:
            penalty, more = value_and_grad(self.penalty)(parameters, penalties, count)
            total = map_leaves(operator.add, gradients, more)
            updated, memory = optimizer.update(parameters, total, memory, rate)
            gate = np.zeros((), penalty.dtype)
            return updated, memory, penalties, gradients, count, gate, penalty

        rate = np.float64(0.1)
        arguments = parameters, memory, penalties, gradients, count, rate
        return simplify_graph(trace(compute, *arguments))

    def between(self, parameters: Parameters, batch: Batch) -> Graph:
        """The graph of what lies between the products with the inputs.

        The first weights are None and X is their product with the inputs. Its outputs are the
        gradients by that product, by the other weights and by the biases, the number of samples or
        the sum of their weights, and the loss reported.
        """

        def losses(parameters: Any, X: Any, others: Batch) -> Any:
            return self.data_losses(parameters, others._replace(X=X))

        def compute(parameters: Any, X: Any, others: Any) -> Any:
            (_, reported), (by_rest, by_product) = value_and_grad(losses, (0, 1), has_aux=True)(
                parameters, X, others
            )
            count: Any = np.full((), X.shape[0], X.dtype)
            if others.weight is not None:
                count = np.sum(others.weight)
            return by_product, by_rest, count, reported

        return simplify_graph(trace(compute, parameters, batch.X, batch._replace(X=None)))

    def gradient(self, parameters: Parameters, penalties: Penalties, batch: Batch) -> Graph:
        """The graph of the gradients and, last, the loss reported."""

        def compute(parameters: Any, penalties: Any, batch: Any) -> Any:
            (_, reported), gradients = value_and_grad(self, has_aux=True)(
                parameters, penalties, batch
            )
            return gradients, reported

        return simplify_graph(trace(compute, parameters, penalties, batch))


def _half_square(W: Any) -> Any:
    return 0.5 * np.sum(W**2)


def _absolute(W: Any) -> Any:
    return np.sum(np.abs(W))


def _mean(entries: Any, weight: Any) -> Any:
    """The mean over samples, or the weighted mean."""
    if weight is None:
        return np.mean(entries)
    return np.sum(entries * weight) / np.sum(weight)


def _log_loss(z: Any, y: Any, output: str) -> tuple[Any, Any]:
    """Cross-entropies of each sample, (n,): exact, and of clipped probabilities."""
    epsilon = float(np.finfo(z.dtype).eps)
    lowest, highest = math.log(epsilon), math.log1p(-epsilon)
    if output == "softmax":
        log_p = special.log_softmax(z, axis=1)
        clipped = np.clip(log_p, lowest, highest)
        return -np.sum(y * log_p, axis=1), -np.sum(y * clipped, axis=1)
    minus_log_q = np.logaddexp(z, 0)  # q = 1 - p
    exact = minus_log_q - y * z
    log_p, log_q = z - minus_log_q, -minus_log_q
    log_p, log_q = np.clip(log_p, lowest, highest), np.clip(log_q, lowest, highest)
    return np.sum(exact, axis=1), -np.sum(y * log_p + (1 - y) * log_q, axis=1)


def _squared_error(z: Any, y: Any, output: str) -> tuple[Any, Any]:
    squares = (z - y) ** 2
    return 0.5 * np.sum(squares, axis=1), 0.5 * np.mean(squares, axis=1)


def _poisson(z: Any, y: Any, output: str) -> tuple[Any, Any]:
    """Half the Poisson deviance of ``exp(z)``, summed over outputs."""
    deviance = np.sum(np.exp(z) - y * z + (special.xlogy(y, y) - y), axis=1)
    return deviance, deviance


ENTRIES: dict[str, Callable[[Any, Any, str], tuple[Any, Any]]] = {
    "log_loss": _log_loss,
    "squared_error": _squared_error,
    "poisson": _poisson,
}
"""The losses of each sample, minimised and reported, of pre-activations and targets."""
