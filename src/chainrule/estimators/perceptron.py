"""What the classifier and the regressor share: the steps of ``fit``, and the forward pass."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportPrivateUsage=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingParameterType=false

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from chainrule.estimators.descent import Descent, OptimizerState
from chainrule.estimators.drawing import Orders, initial_weights
from chainrule.estimators.formulation import Batch, Formulation, Parameters, Penalties
from chainrule.estimators.lbfgs import loss_and_gradient, minimise
from chainrule.estimators.parameters import ACCEPTED, STOCHASTIC
from chainrule.networks import activation as choose_activation
from chainrule.networks.choices import Choice
from chainrule.training import optimizers

__all__ = ["Perceptron"]

Array = NDArray[Any]
_ROWS = 4096
"""How many rows go through the network together in prediction: their values stay in the cache."""

_NAMES = {"logistic": "sigmoid", "exp": "exponential"}
"""scikit-learn's names for activations that have another one here."""


class Perceptron(BaseEstimator):
    """A multi-layer perceptron as a scikit-learn estimator; use a subclass."""

    _parameter_constraints = ACCEPTED

    # The parameters, as the user gave them.
    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    loss: Any
    alpha: Any
    batch_size: Any
    learning_rate: Any
    learning_rate_init: Any
    max_iter: Any
    shuffle: Any
    random_state: Any
    warm_start: Any
    momentum: Any
    nesterovs_momentum: Any
    early_stopping: Any
    validation_fraction: Any
    beta_1: Any
    beta_2: Any
    epsilon: Any

    # What is learned.
    coefs_: list[Array]
    intercepts_: list[Array]

    # What scikit-learn's subclasses define, and these as well.

    def _checked(self, X: Any, y: Any, *, incremental: bool, reset: bool) -> tuple[Any, Any]:
        raise NotImplementedError

    def _out_activation(self) -> str:
        raise NotImplementedError

    def _validation_score(self, X: Any, y: Array, weight: Array | None) -> float:
        raise NotImplementedError

    # Fitting.

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, *, incremental: bool = False) -> Any:
        hidden = self._hidden_widths()
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._checked(X, y, incremental=incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first:
            self._initialize([X.shape[1], *hidden, self.n_outputs_], X.dtype)
        if self.solver in STOCHASTIC:
            self._fit_stochastic(X, y, sample_weight, incremental=incremental)
        else:
            minimise(self, X, y, sample_weight)
        if not all(np.isfinite(W).all() for W in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

    def _hidden_widths(self) -> list[int]:
        sizes: Any = self.hidden_layer_sizes
        widths = list(sizes) if isinstance(sizes, Iterable) else [sizes]
        if any(width <= 0 for width in widths):
            raise ValueError(
                f"hidden_layer_sizes must be > 0, got {widths}. Leave a layer out rather than "
                "giving it no units."
            )
        return [int(width) for width in widths]

    def _initialize(self, widths: list[int], dtype: np.dtype[Any]) -> None:
        """Draw the first weights, and begin the records."""
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_ = len(widths)
        self.out_activation_ = self._out_activation()
        names = (self.activation,) * (len(widths) - 1)
        self.coefs_, self.intercepts_ = initial_weights(self._random_state, widths, names, dtype)
        self._best_coefs = [W.copy() for W in self.coefs_]
        self._best_intercepts = [b.copy() for b in self.intercepts_]
        if self.solver in STOCHASTIC:
            self.loss_curve_ = []
            self._no_improvement_count = 0
            self.best_loss_ = None if self.early_stopping else np.inf
            self.validation_scores_ = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None

    def _formulation(self) -> Formulation:
        hidden = (self._activation(self.activation),) * (self.n_layers_ - 2)
        return Formulation(hidden, self._activation(self.out_activation_), self._loss())

    def _loss(self) -> Any:
        return self.loss

    def _activation(self, name: Any) -> Choice:
        return choose_activation(_NAMES.get(name, name))

    def _penalties(self, dtype: np.dtype[Any]) -> Penalties:
        return Penalties(np.array(self.alpha, dtype), None)

    def _new_optimizer(self) -> OptimizerState:
        if self.solver == "adam":
            method = optimizers.adam(
                beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon, correction="rate"
            )
        elif self.nesterovs_momentum:
            method = optimizers.nesterov(momentum=self.momentum)
        else:
            method = optimizers.momentum(momentum=self.momentum)
        parameters = Parameters(tuple(self.coefs_), tuple(self.intercepts_))
        return OptimizerState.of(method, float(self.learning_rate_init), parameters)

    def _fit_stochastic(self, X: Any, y: Array, weight: Array | None, *, incremental: bool) -> None:
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = self._new_optimizer()
        if self.early_stopping and incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True: there are no validation samples "
                "to set aside from one call to the next."
            )
        score = None
        if self.early_stopping:
            X, y, weight, score = self._held_out(X, y, weight)
        n = X.shape[0]
        dtype = X.dtype
        X = cast(Any, X).toarray() if issparse(X) else X
        data = Batch(
            np.ascontiguousarray(X),
            np.ascontiguousarray(y, dtype),
            None if weight is None else np.ascontiguousarray(weight, dtype),
        )
        orders = Orders(self._random_state, n, shuffle=bool(self.shuffle))
        descent = Descent(
            self,
            self._formulation(),
            self._optimizer,
            self._penalties(dtype),
            data,
            orders,
            self._batch_rows(n),
        )
        descent.run(self.max_iter, score, single=incremental)
        if self.early_stopping:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    def _held_out(self, X: Any, y: Array, weight: Array | None) -> tuple[Any, Array, Any, Any]:
        """The samples to train on, and the score on the ones that are set aside."""
        stratify = y if is_classifier(self) and self.n_outputs_ == 1 else None
        arrays = (X, y) if weight is None else (X, y, weight)
        parts: list[Any] = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        (X, X_held, y, y_held), weights = parts[:4], parts[4:] or [None, None]
        if X_held.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                f"your dataset: {self.validation_fraction} of {X.shape[0] + X_held.shape[0]} "
                f"samples is {X_held.shape[0]}."
            )
        return X, y, weights[0], lambda: self._validation_score(X_held, y_held, weights[1])

    def _batch_rows(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, n)
        if self.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped: batch_size={self.batch_size}, and there are {n} samples.",
                stacklevel=4,
            )
        return int(min(self.batch_size, n))

    def _loss_grad_lbfgs(
        self, packed: Array, X: Any, y: Array, sample_weight: Array | None = None, *_: Any
    ) -> tuple[float, Array]:
        """The loss and its gradient at weights given as one vector."""
        return loss_and_gradient(self, X, y, sample_weight)(packed)

    # Prediction.

    def _outputs(self, X: Any) -> Array:
        """The output for each row of checked inputs, shape (n, outputs)."""
        n, formulation = X.shape[0], self._formulation()
        blocks = [
            self._forward(X[start : start + _ROWS], formulation) for start in range(0, n, _ROWS)
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _forward(self, X: Any, formulation: Formulation) -> Array:
        a: Any = X
        layers = [*formulation.hidden, formulation.output]
        for W, b, layer in zip(self.coefs_, self.intercepts_, layers, strict=True):
            a = a @ W
            a += b
            a = layer(a)
        return a

    def _checked_inputs(self, X: Any) -> Any:
        return validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
