"""What happens after each epoch besides training: validation, callbacks, a progress bar."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from chainrule.estimators.formulation import Parameters
from chainrule.training.state import Epoch, Flat

__all__ = ["FittedEpoch", "Watch"]


@dataclass(frozen=True)
class FittedEpoch(Epoch):
    """What a callback is told after an epoch; ``model`` is the estimator as it is now."""

    model: Any = None


class Watch:
    """Measures and callbacks of one run.

    ``measure`` gives the validation loss and score by name, or is None.
    """

    def __init__(
        self, model: Any, measure: Callable[[], dict[str, float]] | None, X: Any, y: Any
    ) -> None:
        self.model, self.measure, self._X, self._y = model, measure, X, y
        given = model.callbacks
        self.callbacks = () if given is None else (given,) if callable(given) else tuple(given)
        self._context: Any = None
        self._bar: Any = None
        self._began = time.monotonic()

    @property
    def each_epoch(self) -> bool:
        """Whether something has to be done after every single epoch."""
        watched = self.measure is not None or bool(self.callbacks)
        return watched or self._context is not None or self._bar is not None

    def shown(self) -> AbstractContextManager[Any]:
        """The progress bar while training, and scikit-learn's callbacks told of the beginning."""
        model = self.model
        if hasattr(model, "_init_callback_context") and getattr(model, "_skl_callbacks", None):
            self._context = model._init_callback_context(max_subtasks=model.max_iter)
            self._context.call_on_fit_task_begin(estimator=model, X=self._X, y=self._y)
        if not model.progress_bar:
            return nullcontext()
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("epoch {task.completed} of {task.total}, loss {task.fields[loss]}")
        bar = Progress(BarColumn(), columns, TimeRemainingColumn())
        self._bar = bar, bar.add_task("", total=model.max_iter, loss="…")
        return bar

    def before_epoch(self) -> None:
        """Tell scikit-learn's callbacks that an epoch begins."""
        if self._context is not None:
            self._epoch = self._context.subcontext(task_name=f"epoch {self.model.n_iter_}")
            self._epoch.call_on_fit_task_begin(estimator=self.model, X=self._X, y=self._y)

    def after_epoch(self) -> bool:
        """Tell of an epoch that has been noted; whether a callback wants to stop."""
        model, stop = self.model, False
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=model.n_iter_, loss=f"{model.loss_:.4g}")
        if self._context is not None:
            stop = self._epoch.call_on_fit_task_end(
                estimator=model, X=self._X, y=self._y, reconstruction_attributes=dict
            )
        if self.callbacks:
            event = self._event()
            for callback in self.callbacks:
                stop = bool(callback(event)) or stop
        return stop

    def _event(self) -> FittedEpoch:
        model = self.model
        parameters = Parameters(tuple(model.coefs_), tuple(model.intercepts_))
        return FittedEpoch(
            number=model.n_iter_ - 1,
            epochs=model.max_iter,
            loss=model.loss_,
            values=model.history_.last(),
            weights=Flat.of(parameters),
            seconds=time.monotonic() - self._began,
            history=model.history_,
            model=model,
        )

    def ended(self) -> None:
        """Tell scikit-learn's callbacks that training has ended."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self.model, X=self._X, y=self._y, reconstruction_attributes=dict
            )
