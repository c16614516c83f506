"""What the classifier and the regressor share: the steps of ``fit``, and the forward pass."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportPrivateUsage=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _check_sample_weight, validate_data

from chainrule.estimators.choosing import (
    chosen_optimizer,
    chosen_schedule,
    formulation_of,
    hidden_activations,
    per_hidden_layer,
)
from chainrule.estimators.descent import Descent
from chainrule.estimators.drawing import Orders, initial_weights
from chainrule.estimators.evaluation import Held, loss_of
from chainrule.estimators.fitted import FittedMethods
from chainrule.estimators.formulation import Formulation, Parameters, Penalties
from chainrule.estimators.lbfgs import loss_and_gradient, minimise
from chainrule.estimators.parameters import ACCEPTED, with_hint
from chainrule.estimators.records import Records
from chainrule.estimators.samples import Samples
from chainrule.estimators.state import OptimizerState
from chainrule.estimators.watching import Watch
from chainrule.networks.choices import Choice
from chainrule.training.history import History

try:
    from sklearn.callback import CallbackSupportMixin as _Callbacks
except ModuleNotFoundError:  # it came with scikit-learn 1.9
    _Callbacks: Any = object

__all__ = ["Perceptron"]

Array = NDArray[Any]
_ROWS = 4096
"""How many rows go through the network together in prediction: their values stay in the cache."""


class Perceptron(FittedMethods, _Callbacks, BaseEstimator):
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
    early_stopping: Any
    validation_fraction: Any
    l1: Any
    dropout: Any
    callbacks: Any
    max_time: Any
    restore_best_weights: Any

    # What is learned.
    coefs_: list[Array]
    intercepts_: list[Array]
    history_: History

    # What the two subclasses do in their own ways.

    def _checked(self, X: Any, y: Any, *, incremental: bool, reset: bool) -> tuple[Any, Any]:
        raise NotImplementedError

    def _encoded(self, y: Any) -> Array:
        """Checked targets as the network takes them, shape (n, outputs)."""
        raise NotImplementedError

    def _out_activation(self) -> str:
        raise NotImplementedError

    def _chosen_loss(self) -> Any:
        raise NotImplementedError

    def _score_of(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """The score of outputs beside encoded targets."""
        raise NotImplementedError

    def _class_weights(self, y: Array, *, incremental: bool) -> Array | None:
        return None

    # Fitting.

    def _keep_parameters(self, given: Mapping[str, Any]) -> None:
        """Set the parameters as ``__init__`` was given them."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise with_hint(error, self.get_params(deep=False)) from None

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        incremental: bool = False,
        validation_data: Any = None,
        start: tuple[Any, Any] = (None, None),
    ) -> Any:
        hidden = self._hidden_widths()
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._checked(X, y, incremental=incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        class_weight = self._class_weights(y, incremental=incremental)
        y = self._encoded(y)
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first:
            self._initialize([X.shape[1], *hidden, self.n_outputs_], X.dtype)
        self._take_weights(*start)
        if self.solver == "lbfgs":
            self._check_lbfgs(validation_data)
            minimise(self, X, y, _product(sample_weight, class_weight))
        else:
            held = None if validation_data is None else self._held(validation_data)
            self._fit_stochastic(X, y, sample_weight, class_weight, held, incremental=incremental)
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
        hidden = hidden_activations(self, len(widths) - 2)
        names = [*hidden, *(hidden[-1:] or [self.activation])]
        self.coefs_, self.intercepts_ = initial_weights(self._random_state, widths, names, dtype)
        self.history_ = History()
        if self.solver != "lbfgs":
            self.loss_curve_ = []
            self._no_improvement_count = 0
            self.best_loss_ = None if self.early_stopping else np.inf
            self.validation_scores_ = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None
            self._best_coefs = [W.copy() for W in self.coefs_]
            self._best_intercepts = [b.copy() for b in self.intercepts_]

    def _take_weights(self, coefs: Any, intercepts: Any) -> None:
        """Start from weights that were given to ``fit``."""
        for name, given, own in (
            ("coef_init", coefs, self.coefs_),
            ("intercept_init", intercepts, self.intercepts_),
        ):
            if given is None:
                continue
            arrays = [np.array(each, own[0].dtype) for each in given]
            found, wanted = ([each.shape for each in side] for side in (arrays, own))
            if found != wanted:
                raise ValueError(
                    f"{name} has arrays of shapes {found}; these layers need {wanted}."
                )
            own[:] = arrays

    def _check_lbfgs(self, validation_data: Any) -> None:
        """Refuse what L-BFGS cannot take part in."""
        rates = per_hidden_layer("dropout", self.dropout, self.n_layers_ - 2)
        wrong = {
            "dropout": any(rate > 0 for rate in rates),
            "callbacks": self.callbacks is not None,
            "validation_data": validation_data is not None,
            "max_time": self.max_time is not None,
            "restore_best_weights": self.restore_best_weights,
        }
        for name, given in wrong.items():
            if given:
                raise ValueError(
                    f"{name} cannot be used with solver='lbfgs', whose iterations are SciPy's own. "
                    "Use solver='adam' or 'sgd', or leave it out."
                )

    def _formulation(self) -> Formulation:
        return formulation_of(self)

    def _parameters(self) -> Parameters:
        return Parameters(tuple(self.coefs_), tuple(self.intercepts_))

    def _penalties(self, dtype: np.dtype[Any]) -> Penalties:
        l1 = np.array(self.l1, dtype) if self.l1 > 0 else None
        return Penalties(np.array(self.alpha, dtype), l1)

    def _fit_stochastic(
        self,
        X: Any,
        y: Array,
        weight: Array | None,
        class_weight: Array | None,
        held: Held | None,
        *,
        incremental: bool,
    ) -> None:
        if not incremental or not hasattr(self, "_optimizer"):
            rate = float(self.learning_rate_init)
            self._optimizer = OptimizerState.of(chosen_optimizer(self), rate, self._parameters())
        if self.early_stopping and incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True: there are no validation samples "
                "to set aside from one call to the next."
            )
        if self.early_stopping and held is None:
            X, y, weight, class_weight, held = self._split(X, y, weight, class_weight)
        if self.restore_best_weights and held is None:
            raise ValueError(
                "restore_best_weights=True needs validation data to tell which are best: pass "
                "fit(..., validation_data=(X_valid, y_valid)), or set early_stopping=True."
            )
        samples = self._samples(X, y, _product(weight, class_weight))
        descent = Descent(
            self,
            self._formulation(),
            self._optimizer,
            self._penalties(X.dtype),
            samples,
            self._orders(samples.n),
            self._records(samples.n),
            Watch(self, None if held is None else self._measure(held), X, y),
        )
        descent.run(self.max_iter, single=incremental)
        if self.early_stopping or self.restore_best_weights:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    def _samples(self, X: Any, y: Array, weight: Array | None) -> Samples:
        widths = [b.shape[0] for b in self.intercepts_[:-1]]
        rates = per_hidden_layer("dropout", self.dropout, len(widths))
        rng = None
        if any(rate > 0 for rate in rates):
            seed = self._random_state.randint(2**31)
            rng = np.random.default_rng([seed, self._optimizer.updates])
        own = getattr(self._chosen_loss(), "own", False)
        size = self._batch_rows(X.shape[0])
        return Samples(X, y, weight, size, pads=not own, dropout=rates, widths=widths, rng=rng)

    def _orders(self, n: int) -> Orders:
        shared = not isinstance(self.random_state, Integral)
        return Orders(self._random_state, n, shuffle=bool(self.shuffle), shared=shared)

    def _records(self, n: int) -> Records:
        schedule = chosen_schedule(self, n)
        return Records(self, self._optimizer, n, schedule, bool(self.early_stopping))

    # Validation.

    def _split(
        self, X: Any, y: Array, weight: Array | None, class_weight: Array | None
    ) -> tuple[Any, Array, Array | None, Array | None, Held]:
        """The samples to train on, and the ones that are set aside."""
        stratify = y if is_classifier(self) and self.n_outputs_ == 1 else None
        given = [each for each in (weight, class_weight) if each is not None]
        parts: list[Any] = train_test_split(
            X,
            y,
            *given,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        kept, aside = iter(parts[0::2]), iter(parts[1::2])
        X, y = next(kept), next(kept)
        held = Held(next(aside), next(aside), None if weight is None else next(aside))
        if held.X.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                f"your dataset: {self.validation_fraction} of {X.shape[0] + held.X.shape[0]} "
                f"samples is {held.X.shape[0]}."
            )
        weight = None if weight is None else next(kept)
        return X, y, weight, None if class_weight is None else next(kept), held

    def _held(self, validation_data: Any) -> Held:
        """Validation data of the user's own: (X, y) or (X, y, sample_weight)."""
        if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
            raise ValueError(
                "validation_data must be (X, y) or (X, y, sample_weight); it is "
                f"{type(validation_data).__name__}"
                + (f" of {len(validation_data)}." if isinstance(validation_data, tuple) else ".")
            )
        X, y = self._checked_pair(*validation_data[:2])
        X = X.astype(self.coefs_[0].dtype, copy=False)
        weight = validation_data[2] if len(validation_data) == 3 else None
        return Held(
            X, self._encoded(y), None if weight is None else _check_sample_weight(weight, X)
        )

    def _checked_pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _measure(self, held: Held) -> Callable[[], dict[str, float]]:
        """What gives the loss and the score on validation data, and keeps the best weights."""
        best, formulation = np.inf, self._formulation()

        def measure() -> dict[str, float]:
            nonlocal best
            logits = self._logits(held.X)
            loss = loss_of(formulation.loss, formulation.output, logits, held)
            if not self.early_stopping and loss < best:
                best = loss
                self._best_coefs = [W.copy() for W in self.coefs_]
                self._best_intercepts = [b.copy() for b in self.intercepts_]
            score = self._score_of(formulation.output(logits), held.y, held.weight)
            return {"validation_loss": loss, "validation_score": score}

        return measure

    def _batch_rows(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, n)
        if self.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped: batch_size={self.batch_size}, and there are {n} samples.",
                stacklevel=5,
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
        outputs: Array = self._formulation().output(self._logits(X))
        return outputs

    def _logits(self, X: Any) -> Array:
        """The last layer's pre-activations for each row of checked inputs."""
        n, hidden = X.shape[0], self._formulation().hidden
        blocks = [self._forward(X[start : start + _ROWS], hidden) for start in range(0, n, _ROWS)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _forward(self, X: Any, hidden: Sequence[Choice]) -> Array:
        a: Any = X
        for W, b, layer in zip(self.coefs_, self.intercepts_, [*hidden, None], strict=True):
            a = a @ W
            a += b
            a = a if layer is None else layer(a)
        return a

    def _checked_inputs(self, X: Any) -> Any:
        return validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _product(weight: Array | None, other: Array | None) -> Array | None:
    """Weights of samples, from weights of two kinds."""
    if weight is None or other is None:
        return other if weight is None else weight
    return weight * other
