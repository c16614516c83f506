"""L-BFGS, by SciPy: full-batch steps with a line search and an estimate of the curvature."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import value_and_grad
from chainrule.errors import DivergedError
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace
from chainrule.training.interruption import interruptible
from chainrule.training.loop import Loop
from chainrule.training.state import Flat, Run, State, Tree
from chainrule.training.threads import one_thread_unless_large, operations

__all__ = ["LBFGS", "LbfgsLoop"]

Array = NDArray[Any]


@dataclass(frozen=True)
class LBFGS:
    """The settings of L-BFGS: how many past steps shape the next, and when it has converged.

    ``tolerance`` is the largest gradient entry at which it stops.
    """

    memory: int = 10
    tolerance: float = 1e-8

    @property
    def text(self) -> str:
        """The optimiser as it is written."""
        return f"lbfgs(memory={self.memory}, tolerance={self.tolerance:g})"


class _Stopped(Exception):
    """The run ends in the middle of SciPy's loop."""


class LbfgsLoop(Loop):
    """The training loop of L-BFGS; an epoch is one of its iterations.

    SciPy's own state cannot be kept, so a resumed run goes through its iterations again from the
    start, which gives the same bits, and then on.
    """

    method = LBFGS()

    def start(self, parameters: Tree) -> State:
        """The state before the first iteration; it keeps the start for resuming."""
        return State(
            Flat.of(parameters),
            Flat.of({"start": parameters}),
            self.settings.schedule.initialize(),
        )

    def run(self, state: State) -> Run:
        """Minimise from the start, recording the iterations that the state does not have yet."""
        from scipy.optimize import minimize

        self._began = time.monotonic() - state.seconds
        self._saved_at = time.monotonic()
        leaves = state.memory.leaves
        self._shapes = [leaf.shape for leaf in leaves]
        self._dtype = leaves[0].dtype
        self._value = self._compiled(state.memory.tree["start"])
        self._iteration, self._state, self._why = 0, state, "epochs"
        start = np.concatenate([leaf.ravel() for leaf in leaves]).astype(np.float64)
        with (
            interruptible() as self._interruption,
            np.errstate(all="ignore"),
            one_thread_unless_large(self._largest),
        ):
            if state.epoch < self.settings.epochs:
                try:
                    result = minimize(
                        self._loss_and_gradient,
                        start,
                        jac=True,
                        method="L-BFGS-B",
                        callback=self._after_iteration,
                        options={
                            "maxiter": self.settings.epochs,
                            "maxfun": 20 * self.settings.epochs + 20,
                            "maxcor": self.method.memory,
                            "gtol": self.method.tolerance,
                            "ftol": 0.0,
                        },
                    )
                    if result.nit < self.settings.epochs:
                        self._why = "converged"
                except _Stopped:
                    pass
        state.seconds = time.monotonic() - self._began
        if self.save is not None:
            self.save(state)
        return self._result(state, self._why)

    def _compiled(self, parameters: Tree) -> Any:
        def loss_and_gradient(parameters: Tree, X: Any, y: Any) -> Any:
            both = value_and_grad(self.objective, has_aux=True)
            (loss, reported), gradients = both(parameters, X, y, None)
            return gradients, loss, reported

        graph = simplify_graph(trace(loss_and_gradient, parameters, self.X, self.y))
        self._largest = operations(graph)
        return self.settings.engine(graph)

    def _arrays(self, flat: Array) -> list[Array]:
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        return [
            part.reshape(shape).astype(self._dtype)
            for part, shape in zip(np.split(flat, ends), self._shapes, strict=True)
        ]

    def _loss_and_gradient(self, flat: Array) -> tuple[float, Array]:
        inputs = [*self._arrays(flat), self.X, *(() if self.y is None else (self.y,))]
        *gradients, loss, reported = self._value(*inputs)
        if not math.isfinite(loss) and self._iteration == 0 and not len(self._state.history):
            raise DivergedError(
                "The loss is not finite at the start (epoch 0). Start from smaller parameters, or "
                "standardise the inputs."
            )
        self._measured = (float(loss), float(reported))
        value = float(loss) if math.isfinite(loss) else np.finfo(np.float64).max
        return value, np.concatenate([g.ravel() for g in gradients]).astype(np.float64)

    def _after_iteration(self, intermediate_result: Any) -> None:
        state, seen = self._state, self._iteration
        self._iteration += 1
        if seen < state.epoch:
            return  # an iteration of the run that is resumed
        inputs = [*self._arrays(intermediate_result.x), self.X]
        *_, loss, reported = self._value(*inputs, *(() if self.y is None else (self.y,)))
        state.weights = Flat(self._arrays(intermediate_result.x), state.weights.structure)
        n = self.batches.n
        state.sums = (float(reported) * n, float(loss) * n)
        state.updates += 1
        reason = self._after_epoch(state, self._began)
        if self._interruption.asked:
            reason = "interrupted"
        if reason:
            self._why = reason
            raise _Stopped
