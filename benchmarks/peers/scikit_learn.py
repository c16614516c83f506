"""scikit-learn: a plain `fit` of its multilayer perceptron, shuffled by itself as usual.

It draws its own order of the samples, so its results are compared in a run where it keeps them in
order, from the same weights; the time counted is that of the usual run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from peers.problems import Problem, Result
from peers.worker import Variant


def version() -> str:
    return f"scikit-learn {sklearn.__version__}"


def variants(problem: Problem, cores: int) -> dict[str, Callable[[], Variant]]:
    del cores
    return {"fit": lambda: fitted(problem, shuffle=True)} if _is_offered(problem) else {}


def _is_offered(problem: Problem) -> bool:
    work = problem.work
    hidden = not work.networks and len(work.sizes) > 2 and work.data != "xor"
    return hidden and (work.optimizer == "gradient_descent" or work.loss != "squared_error")


def _started(kind: Any, problem: Problem) -> Any:
    """The class, starting from the problem's parameters."""

    class Started(kind):  # type: ignore[misc, valid-type]  # one of two classes
        def _initialize(self, *arguments: Any, **options: Any) -> None:
            super()._initialize(*arguments, **options)
            self.coefs_ = [each.copy() for each in problem.parameters[::2]]
            self.intercepts_ = [each.ravel().copy() for each in problem.parameters[1::2]]

    return Started


def fitted(problem: Problem, *, shuffle: bool) -> Variant:
    work = problem.work
    kind = MLPClassifier if work.loss == "categorical_cross_entropy" else MLPRegressor
    made = _started(kind, problem)
    # Its squared error is half of ours.
    rate = work.rate * (2 if work.loss == "squared_error" else 1)
    targets = problem.y.ravel() if problem.y.ndim == 2 and problem.y.shape[1] == 1 else problem.y

    def run(_: Any) -> Any:
        model = made(
            hidden_layer_sizes=work.sizes[1:-1],
            activation=work.activation,
            solver="adam" if work.optimizer == "adam" else "sgd",
            momentum=0.0,
            nesterovs_momentum=False,
            learning_rate_init=rate,
            alpha=0.0,
            batch_size=work.batch,
            max_iter=work.epochs,
            n_iter_no_change=work.epochs + 1,
            tol=0.0,
            shuffle=shuffle,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it has not converged
            return model.fit(problem.X, targets)

    def read(model: Any) -> Result:
        layers = zip(model.coefs_, model.intercepts_, strict=True)
        arrays = [array for W, b in layers for array in (W, b.reshape(1, -1))]
        loss = model.loss_ * (2 if work.loss == "squared_error" else 1)
        return Result(arrays, float(loss))

    return Variant(run, read)


def check(problem: Problem) -> Result | None:
    """The result with the samples in order."""
    if not _is_offered(problem):
        return None
    variant = fitted(problem, shuffle=False)
    return variant.read(variant.run(None))
