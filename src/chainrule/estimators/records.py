"""What is noted of each epoch on the estimator, and when to stop, by scikit-learn's rules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.estimators.state import OptimizerState
from chainrule.training.history import History
from chainrule.training.schedules import Schedule

__all__ = ["Records"]


@dataclass
class Records:
    """The records of one run; ``n`` is the number of samples of an epoch.

    The attributes of the estimator are scikit-learn's. ``scored`` says whether a validation score
    decides when to stop, in place of the training loss.
    """

    model: Any
    state: OptimizerState
    n: int
    schedule: Schedule | None
    scored: bool

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        if not hasattr(self.model, "history_"):
            self.model.history_ = History()
        if self.schedule is not None and not self.state.schedule:
            self.state.schedule = self.schedule.initialize()

    def rates(self, epochs: int, steps: int) -> list[Sequence[float]]:
        """The learning rate of each step of the next epochs, as it is known before."""
        model, state = self.model, self.state
        if self.schedule is not None:
            return [
                [
                    self.schedule(state.updates + i * steps + j, state.epochs + i, state.schedule)
                    for j in range(steps)
                ]
                for i in range(epochs)
            ]
        rates = [state.rate] * epochs
        if model.solver == "sgd" and model.learning_rate == "invscaling":
            rates[1:] = [self._scaled(model.t_ + i * self.n) for i in range(1, epochs)]
        return [[rate] * steps for rate in rates]

    def _scaled(self, t: int) -> float:
        return float(self.model.learning_rate_init) / (t + 1) ** self.model.power_t

    def after_epoch(self, loss: float, rate: float, measured: dict[str, float]) -> str | None:
        """Note an epoch; why to stop after it, ``"rate"`` where the rate was changed, or None."""
        model, state = self.model, self.state
        model.n_iter_ += 1
        state.epochs += 1
        model.loss_ = loss
        model.t_ += self.n
        model.loss_curve_.append(loss)
        model.history_.append({"loss": loss, "learning_rate": rate, **measured})
        self._say(loss, rate, measured)
        if self.scored:
            self._note_score(measured["validation_score"])
        else:
            self._note_loss(loss)
        if self.schedule is not None:
            watched = measured.get("validation_loss", loss)
            state.schedule = self.schedule.observe(state.schedule, watched)
            if self.schedule.finished(state.schedule):
                return "learning_rate"
        elif model.solver == "sgd" and model.learning_rate == "invscaling":
            state.rate = self._scaled(model.t_)
        if model._no_improvement_count > model.n_iter_no_change:
            return self._stalled()
        return None

    def _note_loss(self, loss: float) -> None:
        model = self.model
        stalled = loss > model.best_loss_ - model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if stalled else 0
        if loss < model.best_loss_:
            model.best_loss_ = loss

    def _note_score(self, score: float) -> None:
        model = self.model
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        stalled = score < model.best_validation_score_ + model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if stalled else 0
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            self.keep_best()

    def keep_best(self) -> None:
        """Keep the weights as they are for the end."""
        model = self.model
        model._best_coefs = [W.copy() for W in model.coefs_]
        model._best_intercepts = [b.copy() for b in model.intercepts_]

    def _stalled(self) -> str | None:
        """What follows when the loss or the score no longer improves."""
        model, state = self.model, self.state
        reason, what = "tol", "Stopping."
        if model.solver == "sgd" and model.learning_rate == "adaptive":
            if state.rate <= 1e-6:
                reason, what = "learning_rate", "Learning rate too small. Stopping."
            else:
                state.rate /= 5.0
                reason, what = "rate", f"Setting learning rate to {state.rate:f}"
                model._no_improvement_count = 0
        if model.verbose:
            watched = "Validation score" if self.scored else "Training loss"
            print(
                f"{watched} did not improve more than tol={model.tol:f} for "
                f"{model.n_iter_no_change} consecutive epochs. {what}"
            )
        return reason

    def _say(self, loss: float, rate: float, measured: dict[str, float]) -> None:
        model = self.model
        if not model.verbose:
            return
        text = f"Iteration {model.n_iter_}, loss = {loss:.8f}"
        if model.verbose is not True and model.verbose >= 2:
            more = {**measured, "learning_rate": rate}
            text += "".join(f", {name.replace('_', ' ')} = {v:.6g}" for name, v in more.items())
            text += f", {time.monotonic() - self.began:.1f} s"
        print(text)
