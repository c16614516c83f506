"""What the classifier and the regressor share: the steps of ``fit``, and the forward pass."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportPrivateUsage=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _check_sample_weight

from chainrule.estimators.choosing import (
    chosen_optimizer,
    chosen_schedule,
    formulation_of,
    hidden_activations,
    layers_of,
    per_hidden_layer,
)
from chainrule.estimators.descent import Descent
from chainrule.estimators.drawing import Orders, initial_weights
from chainrule.estimators.files import fit_files
from chainrule.estimators.fitted import FittedMethods
from chainrule.estimators.formulation import Formulation, Parameters, Penalties
from chainrule.estimators.frames import validated
from chainrule.estimators.lbfgs import loss_and_gradient, minimise
from chainrule.estimators.parameters import ACCEPTED, with_hint
from chainrule.estimators.records import Records
from chainrule.estimators.samples import Samples, product
from chainrule.estimators.state import OptimizerState
from chainrule.estimators.validation import Held, held_of, measuring, split
from chainrule.estimators.watching import Watch
from chainrule.networks.choices import Choice
from chainrule.training.history import History

try:
    from sklearn.callback import CallbackSupportMixin as _Callbacks
except ModuleNotFoundError:  # it came with scikit-learn 1.9
    _Callbacks: Any = type("NoCallbacks", (), {})

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
    buffer_size: Any

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
        if isinstance(X, str | Path) and not incremental:
            return fit_files(self, X, y, sample_weight, validation_data, start)
        X, labels, y = self._begun(X, y, start, incremental=incremental)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        class_weight = self._class_weights(labels, incremental=incremental)
        if self.solver == "lbfgs":
            self._check_lbfgs(validation_data)
            minimise(self, X, y, product(sample_weight, class_weight))
        else:
            held = None if validation_data is None else held_of(self, validation_data)
            self._fit_stochastic(X, y, sample_weight, class_weight, held, incremental=incremental)
        return self._finished()

    def _begun(
        self, X: Any, y: Any, start: tuple[Any, Any], *, incremental: bool = False
    ) -> tuple[Any, Any, Array]:
        """Checked samples, their targets as they are and encoded; and the weights to start from."""
        hidden = self._hidden_widths()
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._checked(X, y, incremental=incremental, reset=first)
        encoded = self._encoded(y)
        self.n_outputs_ = encoded.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first:
            self._initialize([X.shape[1], *hidden, self.n_outputs_], X.dtype)
        self._take_weights(*start)
        return X, y, encoded

    def _finished(self) -> Self:
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
            self._begin_records()

    def _begin_records(self) -> None:
        """Records without an epoch, as the stochastic solvers keep them."""
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
        # Weights may come from another solver, or from a fit that watched something else.
        if (
            getattr(self, "validation_scores_" if self.early_stopping else "best_loss_", None)
            is None
        ):
            self._begin_records()
        if not incremental or not hasattr(self, "_optimizer"):
            self._begin_optimizer()
        if self.early_stopping and incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True: there are no validation samples "
                "to set aside from one call to the next."
            )
        if self.early_stopping and held is None:
            X, y, weight, class_weight, held = split(self, X, y, weight, class_weight)
        widths, rates, rng = self._dropped()
        # What is the user's own may mix samples, or give them no weight.
        own = self._formulation().text is None
        samples = Samples(
            X, y, product(weight, class_weight), self._batch_rows(X.shape[0]),
            pads=not own, alone=incremental, dropout=rates, widths=widths, rng=rng,
        )  # fmt: skip
        self._descend(samples, self._orders(samples.n), held, (X, y), single=incremental)

    def _descend(
        self, samples: Any, orders: Any, held: Held | None, shown: Any, *, single: bool = False
    ) -> None:
        if self.restore_best_weights and held is None:
            raise ValueError(
                "restore_best_weights=True needs validation data to tell which are best: pass "
                "fit(..., validation_data=(X_valid, y_valid)), or set early_stopping=True."
            )
        descent = Descent(
            self,
            self._formulation(),
            self._optimizer,
            self._penalties(self.coefs_[0].dtype),
            samples,
            orders,
            self._records(samples.n),
            Watch(self, None if held is None else measuring(self, held), *shown),
        )
        descent.run(self.max_iter, single=single)
        if self.early_stopping or self.restore_best_weights:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    def _begin_optimizer(self) -> None:
        rate = float(self.learning_rate_init)
        self._optimizer = OptimizerState.of(chosen_optimizer(self), rate, self._parameters())

    def _dropped(self) -> tuple[list[int], list[float], np.random.Generator | None]:
        """The hidden layers' widths and dropout rates, and what draws the units to drop."""
        widths = [b.shape[0] for b in self.intercepts_[:-1]]
        rates = per_hidden_layer("dropout", self.dropout, len(widths))
        if not any(rate > 0 for rate in rates):
            return widths, rates, None
        seed = self._random_state.randint(2**31)
        return widths, rates, np.random.default_rng([seed, self._optimizer.updates])

    def _orders(self, n: int) -> Orders:
        shared = not isinstance(self.random_state, Integral)
        return Orders(self._random_state, n, shuffle=bool(self.shuffle), shared=shared)

    def _records(self, n: int) -> Records:
        schedule = chosen_schedule(self, n)
        return Records(self, self._optimizer, n, schedule, bool(self.early_stopping))

    def _checked_pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _batch_rows(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, n)
        if self.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped: batch_size={self.batch_size}, and there are {n} samples.",
                stacklevel=6,
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
        hidden, output = layers_of(self)
        outputs: Array = output(self._logits(X, hidden))
        return outputs

    def _logits(self, X: Any, hidden: Sequence[Choice]) -> Array:
        """The last layer's pre-activations for each row of checked inputs."""
        n = X.shape[0]
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
        return validated(self, X, reset=False)

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
