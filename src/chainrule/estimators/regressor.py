"""`MLPRegressor`."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportPrivateUsage=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from chainrule.estimators.choosing import chosen_loss
from chainrule.estimators.frames import validated
from chainrule.estimators.parameters import ACCEPTED, REGRESSOR_LOSSES
from chainrule.estimators.perceptron import Perceptron
from chainrule.networks.losses import Loss

__all__ = ["MLPRegressor"]

Array = NDArray[Any]


class MLPRegressor(RegressorMixin, Perceptron):
    r"""A multi-layer perceptron that predicts numbers, in place of scikit-learn's.

    It minimises half the squared error, or half the Poisson deviance, as a mean over samples and a
    sum over outputs, plus $\tfrac{\alpha}{2n} \sum W^2$. What is reported of the squared error
    is a mean over outputs too, as in scikit-learn.

    loss            ``"squared_error"``, ``"poisson"``, any of `chainrule.networks.LOSSES`, such as
                    ``"huber(delta=2)"``, or a NumPy function ``(output, target) -> number``,
                    perhaps with ``weight`` as third
    quantile        with ``loss="quantile"``, which quantile is predicted

    All other parameters, and the attributes, are those of `MLPClassifier`.

    >>> import numpy as np
    >>> X = np.linspace(0, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=10, solver="lbfgs", random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99
    True

    Raises InvalidParameterError, which is a ValueError, for parameters that are out of range.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ACCEPTED,
        "loss": REGRESSOR_LOSSES,
        "quantile": [Interval(Real, 0, 1, closed="neither"), None],
    }

    quantile: Any

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        l1: float = 0.0,
        dropout: Any = 0.0,
        callbacks: Any = None,
        max_time: float | None = None,
        restore_best_weights: bool = False,
        progress_bar: bool = False,
        buffer_size: int = 131_072,
        quantile: float | None = None,
    ) -> None:
        self._keep_parameters(locals())

    def _chosen_loss(self) -> str | Loss:
        return chosen_loss(self.loss, self.quantile)

    def _out_activation(self) -> str:
        loss = self._chosen_loss()
        if isinstance(loss, Loss):
            return loss.output
        return "exp" if loss == "poisson" else "identity"

    def _checked(self, X: Any, y: Any, *, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = validated(
            self,
            X,
            y,
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _checked_pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        return self._checked(X, y, incremental=False, reset=False)

    def _encoded(self, y: Any) -> Array:
        return y.reshape(-1, 1) if y.ndim == 1 else y

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Any:
        """Learn weights from samples X (n, features) and their targets y, (n,) or (n, outputs).

        The arguments are those of `MLPClassifier.fit`; of files, ``y`` may name several columns.
        """
        start = coef_init, intercept_init
        return self._fit(X, y, sample_weight, validation_data=validation_data, start=start)

    @available_if(lambda model: model._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Go once through samples X and their targets y, from the weights as they are."""
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The predicted target of each row of X."""
        check_is_fitted(self)
        outputs = self._outputs(self._checked_inputs(X))
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def _score_of(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """The coefficient of determination, or nan where a prediction is not finite."""
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(y, outputs, sample_weight=weight))
