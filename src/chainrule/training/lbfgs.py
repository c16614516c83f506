"""L-BFGS, by SciPy: full-batch steps with a line search and an estimate of the curvature."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import value_and_grad
from chainrule.errors import GuardError, SettingError
from chainrule.networks.choices import COUNT, NONNEGATIVE, check_setting, choose
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace
from chainrule.training.interruption import interruptible
from chainrule.training.loop import Loop
from chainrule.training.settings import Settings
from chainrule.training.state import Flat, Run, State, Tree
from chainrule.training.steps import Objective
from chainrule.training.threads import one_thread_unless_large, operations

__all__ = ["LBFGS", "LbfgsLoop"]

Array = NDArray[Any]
_EVALUATIONS = 1_000_000_000


@dataclass(frozen=True)
class LBFGS:
    """The settings of L-BFGS: how many past steps shape the next, and when it has converged.

    ``tolerance`` is the largest gradient entry at which it stops.

    >>> LBFGS.chosen("lbfgs(memory=5)")
    LBFGS(memory=5, tolerance=1e-08)

    Raises SettingError for settings out of range.
    """

    memory: int = 10
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        check_setting("optimizer 'lbfgs': memory", self.memory, COUNT)
        check_setting("optimizer 'lbfgs': tolerance", self.tolerance, NONNEGATIVE)

    @classmethod
    def chosen(cls, value: object) -> LBFGS | None:
        """L-BFGS, if that is what a setting names or is; None for another optimiser."""
        if isinstance(value, LBFGS):
            return value
        name = value.strip().partition("(")[0] if isinstance(value, str) else ""
        if name.lower().replace("-", "") != "lbfgs":
            return None
        written = "lbfgs" + str(value).strip()[len(name) :]
        ranges = {"memory": COUNT, "tolerance": NONNEGATIVE}
        made: LBFGS = choose("optimizer", written, {"lbfgs": _make}, ranges)()
        return made

    @property
    def text(self) -> str:
        """The optimiser as it is written."""
        return f"lbfgs(memory={self.memory}, tolerance={self.tolerance:g})"


def _make(*, memory: int = 10, tolerance: float = 1e-8) -> LBFGS:
    return LBFGS(memory, tolerance)


class _Stopped(Exception):
    """The run ends in the middle of SciPy's loop."""


class LbfgsLoop(Loop):
    """The training loop of L-BFGS; an epoch is one of its iterations.

    SciPy's own state cannot be kept, so a resumed run goes through its iterations again from the
    start, which gives the same bits, and then on.
    """

    method = LBFGS()

    def check(self) -> None:
        """Raises SettingError for settings that L-BFGS cannot follow.

        A batch size, shuffling and a learning rate have no meaning here, and are passed over, as
        scikit-learn does; what would change the result is refused.
        """
        settings = self.settings
        wrong: dict[str, bool] = {
            "dropout, which makes the loss another one at every step": self.drops,
            "clip_norm, as its line search relies on the true gradient": (
                settings.clip_norm is not None
            ),
            "clip_value, as its line search relies on the true gradient": (
                settings.clip_value is not None
            ),
            f"schedule={settings.schedule.text!r}, as a line search finds its steps": (
                settings.schedule.name != "constant"
            ),
        }
        for what, is_so in wrong.items():
            if is_so:
                raise SettingError(
                    f"L-BFGS cannot be used with {what}. Leave it out, or use another optimizer."
                )

    def start(self, parameters: Tree) -> State:
        """The state before the first iteration; it keeps the start for resuming."""
        return State(
            Flat.of(parameters),
            Flat.of({"start": parameters}),
            self.settings.schedule.initialize(),
        )

    def run(self, state: State) -> Run:
        """Minimise from the start, recording the iterations that the state does not have yet."""
        self._before, self._saved_at = state.seconds, time.monotonic()
        self._errors = np.geterr()
        leaves = state.memory.leaves
        self._shapes = [leaf.shape for leaf in leaves]
        self._dtype = leaves[0].dtype
        self._state, self._tree = state, state.memory.tree["start"]
        with np.errstate(all="ignore"):
            graph, self._value = self._compiled(self._tree)
        with (
            interruptible() as self._interruption,
            np.errstate(all="ignore"),
            one_thread_unless_large(operations(graph)),
        ):
            self._began = time.monotonic()
            stopped = self._ended_before(state)
            if stopped is None:
                stopped = (
                    self._minimised(leaves) if state.epoch < self.settings.epochs else "epochs"
                )
            state.seconds = self._before + time.monotonic() - self._began
            result = self._result(state, stopped)
            if self.save is not None:
                self._save(state, self._began)
            return result

    def _minimised(self, leaves: list[Array]) -> str:
        """Go through SciPy's loop; why it ended."""
        from scipy.optimize import minimize

        self._iteration, self._why, self._highest = 0, "epochs", -math.inf
        start = np.concatenate([leaf.ravel() for leaf in leaves]).astype(np.float64)
        options: Any = {
            "maxiter": self.settings.epochs,
            "maxfun": _EVALUATIONS,
            "maxcor": self.method.memory,
            "gtol": self.method.tolerance,
            "ftol": 0.0,
        }
        try:
            result: Any = cast(Any, minimize)(
                self._loss_and_gradient,
                start,
                jac=True,
                method="L-BFGS-B",
                callback=self._after_iteration,
                options=options,
            )
        except _Stopped:
            return self._why
        return "converged" if result.nit < self.settings.epochs else "epochs"

    def _compiled(self, parameters: Tree) -> Any:
        def loss_and_gradient(parameters: Tree, X: Any, y: Any) -> Any:
            both = value_and_grad(self.objective, has_aux=True)
            (loss, reported), gradients = both(parameters, X, y, None)
            return gradients, loss, reported

        graph = simplify_graph(trace(loss_and_gradient, parameters, self.X, self.y))
        return graph, self.settings.engine(graph)

    def _arrays(self, flat: Array) -> list[Array]:
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        return [
            part.reshape(shape).astype(self._dtype)
            for part, shape in zip(np.split(flat, ends), self._shapes, strict=True)
        ]

    def _measured(self, leaves: list[Array]) -> list[Array]:
        """The gradients, the loss minimised and the loss reported."""
        inputs = [*leaves, self.X, *(() if self.y is None else (self.y,))]
        try:
            return self._value(*inputs)
        except GuardError:  # the program takes another branch than when it was traced
            tree = self._state.weights.structure.unflatten(leaves)
            self._value = self._compiled(tree)[1]
            return self._value(*inputs)

    def _loss_and_gradient(self, flat: Array) -> tuple[float, Array]:
        leaves = self._arrays(flat)
        *gradients, loss, _ = self._measured(leaves)
        value = float(loss)
        gradient = np.concatenate([g.ravel() for g in gradients]).astype(np.float64)
        if math.isfinite(value) and np.isfinite(gradient).all():
            self._highest = max(self._highest, value)
            return value, gradient
        if not math.isfinite(self._highest):
            raise self._not_even_once(leaves)
        # Too far: a loss above all of this line search, and flat, makes it come back.
        return self._highest + abs(self._highest) + 1.0, np.zeros_like(gradient)

    def _not_even_once(self, leaves: list[Array]) -> Exception:
        """The error for a start at which the loss or its gradient is not finite."""
        state = self._state
        tree = state.weights.structure.unflatten(leaves)
        step = self.stepper.step(tree, state.memory.tree, self.X, self.y, None)
        inputs = step.inputs(leaves, state.memory.leaves, self.X, self.y, None, 0.0)
        return self._explained(step, inputs, None, 0, first=True)

    def _after_iteration(self, intermediate_result: Any) -> None:
        state, seen = self._state, self._iteration
        self._iteration += 1
        self._highest = float(intermediate_result.fun)
        reason = None
        if seen >= state.epoch:  # not one of those before a run was resumed
            leaves = self._arrays(intermediate_result.x)
            *_, loss, reported = self._measured(leaves)
            state.weights = Flat(leaves, state.weights.structure)
            n = self.batches.n
            state.sums = (float(reported) * n, float(loss) * n)
            state.updates += 1
            reason = self._after_epoch(state, self._began)
        if self._interruption.asked:
            reason = "interrupted"
        if reason:
            self._why = reason
            raise _Stopped

    def _row(self, state: State) -> dict[str, float]:
        """What is recorded of an iteration; there is no learning rate."""
        row = super()._row(state)
        del row["learning_rate"]
        return row


def lbfgs_loop(
    method: LBFGS, objective: Objective, settings: Settings, *arguments: Any
) -> LbfgsLoop:
    """The training loop of L-BFGS with settings of its own."""
    loop = LbfgsLoop(objective, settings, *arguments)
    loop.method = method
    loop.check()
    return loop
