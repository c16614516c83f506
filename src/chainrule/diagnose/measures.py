"""Measures of a run: numbers only, without any judgement."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnose.floors import groups_of
from chainrule.diagnose.layers import LayerState, layer_states
from chainrule.diagnose.rest import Standing
from chainrule.diagnose.subject import Subject

__all__ = ["Measures"]

Array = NDArray[Any]

TIED = 0.01
"""Outputs are listed as tied where they differ by less than this share of the targets' range; which
outputs tend to each other is settled by limits and not by this."""

_MOST_ROWS = 4096
_MOST_NUMBERS = 200


class Measures:
    """What can be measured where a run stands; each is computed when it is first asked for."""

    def __init__(self, subject: Subject, standing: Standing) -> None:
        self._subject, self._standing = subject, standing

    @cached_property
    def loss(self) -> dict[str, float | None]:
        """The reported loss, the one minimised, and the best a constant output and any network can.

        ``rate`` is the slope of log loss over log epoch in the second half of the run.
        """
        subject = self._subject
        constant, floor = subject.constant, subject.data_floor
        return {
            "reported": subject.loss,
            "minimised": subject.calculus.loss(subject.v),
            "goal": subject.goal,
            "constant": None if constant is None else constant.loss,
            "lowest": None if floor is None else floor.loss,
            "rate": _rate(np.asarray(subject.losses, np.float64)),
        }

    @cached_property
    def gradient(self) -> dict[str, float]:
        """The norm of the gradient by each array of parameters."""
        calculus = self._subject.calculus
        parts = calculus.parameters(calculus.gradient(self._subject.v))
        return {name: float(np.linalg.norm(part)) for name, part in parts.items()}

    @cached_property
    def update_ratio(self) -> dict[str, float] | None:
        """How large a step is beside the weights: ``‖ΔW‖ / ‖W‖``, for each array.

        It is the step on all samples, with an optimiser that remembers nothing yet; None for
        L-BFGS. An array of zeros has the ratio infinity.
        """
        subject = self._subject
        if subject.optimizer is None:
            return None
        calculus = subject.calculus
        before = calculus.parameters(subject.v)
        gradient = calculus.parameters(calculus.gradient(subject.v))
        memory = subject.optimizer.initialize(before)
        with np.errstate(all="ignore"):
            after, _ = subject.optimizer.update(before, gradient, memory, subject.rate)
        ratios: dict[str, float] = {}
        for name, W in before.items():
            size, change = np.linalg.norm(W), np.linalg.norm(after[name] - W)
            ratios[name] = float(change / size) if size else (np.inf if change else 0.0)
        return ratios

    @cached_property
    def layers(self) -> list[LayerState]:
        """What the units of each layer do."""
        return layer_states(self._subject)

    @cached_property
    def spectrum(self) -> dict[str, Any] | None:
        """The Hessian's eigenvalues, and the sharpness beside 2/η."""
        found = self._standing.spectrum
        if found is None:
            return None
        return {
            "exact": found.exact,
            "error": found.error,
            "smallest": found.smallest,
            "sharpness": found.sharpness,
            "index": found.index,
            "nullity": found.nullity,
            "condition": found.condition,
            "two_over_rate": 2 / self._subject.rate if self._subject.rate else None,
            "values": found.values[:_MOST_NUMBERS].tolist(),
        }

    @cached_property
    def gradient_noise(self) -> dict[str, float] | None:
        """How much the gradient differs from batch to batch; None for full batches.

        ``scale`` is the trace of its covariance over batches, ``ratio`` the root of that over the
        norm of the mean: above 1 a step is more noise than descent.
        """
        subject = self._subject
        if subject.full_batch or len(subject.X) > _MOST_ROWS:
            return None
        from chainrule.diagnose.calculus import Calculus

        size = int(subject.batch_size or 1)
        order = np.random.default_rng(0).permutation(len(subject.X))
        whole = [order[i : i + size] for i in range(0, len(order) - size + 1, size)][:32]
        if len(whole) < 2:
            return None
        calculus = Calculus(subject.network, subject.X[whole[0]], subject.y[whole[0]])
        gradients: list[Array] = []
        for rows in whole:
            calculus.X, calculus.y = np.asarray(subject.X[rows], np.float64), subject.y[rows]
            gradients.append(calculus.gradient(subject.v))
        stacked = np.array(gradients)
        scale = float(np.sum(np.var(stacked, axis=0, ddof=1)))
        size_of_mean = float(np.linalg.norm(np.mean(stacked, axis=0)))
        return {"scale": scale, "ratio": scale**0.5 / size_of_mean if size_of_mean else np.inf}

    @cached_property
    def tied_outputs(self) -> list[list[int]]:
        """Groups of samples, by number, whose inputs differ and whose outputs are next to equal."""
        outputs = np.asarray(self._subject.outputs)
        if len(outputs) > _MOST_NUMBERS or not np.isfinite(outputs).all():
            return []
        spread = float(np.ptp(self._subject.targets)) or 1.0
        inputs = groups_of(np.asarray(self._subject.X))
        groups: list[list[int]] = []
        for i, output in enumerate(outputs):
            for group in groups:
                if np.max(np.abs(outputs[group[0]] - output)) < TIED * spread:
                    group.append(i)
                    break
            else:
                groups.append([i])
        return [group for group in groups if len({int(inputs[i]) for i in group}) > 1]

    def to_json(self) -> dict[str, Any]:
        """All measures as plain data."""
        return {
            "loss": self.loss,
            "gradient": self.gradient,
            "update_ratio": self.update_ratio,
            "layers": [each.to_json() for each in self.layers],
            "spectrum": self.spectrum,
            "gradient_noise": self.gradient_noise,
            "tied_outputs": self.tied_outputs,
        }


def _rate(losses: NDArray[np.float64]) -> float | None:
    half = losses[len(losses) // 2 :]
    if len(half) < 2 or not np.isfinite(half).all() or half.min() <= 0:
        return None
    epochs = np.arange(len(losses) // 2, len(losses)) + 1.0
    return float(np.polyfit(np.log(epochs), np.log(half), 1)[0])
