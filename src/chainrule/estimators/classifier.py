"""`MLPClassifier`."""

# scikit-learn has no types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportPrivateUsage=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted

from chainrule.estimators.frames import validated
from chainrule.estimators.parameters import ACCEPTED, CLASSIFIER_LOSSES
from chainrule.estimators.perceptron import Perceptron
from chainrule.networks import loss as choose_loss
from chainrule.networks.losses import Loss

__all__ = ["MLPClassifier"]

Array = NDArray[Any]
_PROBABILITIES = ("softmax", "logistic")


class MLPClassifier(ClassifierMixin, Perceptron):
    r"""A multi-layer perceptron that classifies, in place of scikit-learn's of the same name.

    It minimises the mean cross-entropy of the classes plus $\tfrac{\alpha}{2n} \sum W^2$, with
    $n$ the number of samples of a batch. All of scikit-learn's parameters and attributes mean what
    they mean there, and the same ``random_state`` gives the same losses. These take more:

    activation      any of `chainrule.networks.ACTIVATIONS`, such as ``"leaky_relu(slope=0.2)"``, a
                    NumPy function of an array, or a list with one for each hidden layer
    solver          any of `chainrule.training.optimizers.OPTIMIZERS`, such as ``"adamw"``, or an
                    own function ``(parameters, gradients, state, learning_rate)``
    learning_rate   any of `chainrule.training.schedules.SCHEDULES`, such as ``"cosine"``, or an own
                    function ``(step, epoch) -> rate``

    And these are new:

    l1              the strength of a penalty ``l1 Σ|W| / n``
    dropout         the share of hidden units dropped in training: one, or one for each hidden layer
    callbacks       a function, or several, called with a `FittedEpoch` after each epoch; a true
                    result ends the fit
    max_time        seconds after which the fit ends, in the middle of an epoch if need be
    restore_best_weights
                    end with the weights of the epoch with the lowest validation loss
    progress_bar    whether to draw one
    buffer_size     how many rows of Parquet files are in memory at once
    loss            ``"log_loss"``, or any of `chainrule.networks.LOSSES`, such as ``"hinge"``, or a
                    NumPy function ``(output, target) -> number``, perhaps with ``weight`` as third
    class_weight    the weight of each class, as ``{class: weight}``, or ``"balanced"``

    Besides scikit-learn's attributes there are ``history_``, a `History` of the losses, learning
    rates and validation scores, and ``stopped_``, why the fit ended: ``"max_iter"``, ``"tol"``,
    ``"learning_rate"``, ``"max_time"``, ``"callback"`` or ``"interrupted"``.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(hidden_layer_sizes=10, solver="lbfgs", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95, model.predict(X[:2])
    (True, array([0, 0]))

    Raises InvalidParameterError, which is a ValueError, for parameters that are out of range.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ACCEPTED,
        "loss": CLASSIFIER_LOSSES,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    class_weight: Any

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
    ) -> None:
        self._keep_parameters(locals())

    def _chosen_loss(self) -> str | Loss:
        # scikit-learn's other losses are of regression, and take the output for granted.
        return self.loss if self.loss == "log_loss" else choose_loss(self.loss)

    def _out_activation(self) -> str:
        several = self._label_binarizer.y_type_ == "multiclass"
        loss = self._chosen_loss()
        if isinstance(loss, Loss) and loss.name == "categorical_cross_entropy" and not several:
            raise ValueError(
                "loss='categorical_cross_entropy' is of three classes or more, and "
                f"{self._label_binarizer.y_type_} targets are each 0 or 1: use loss='log_loss'."
            )
        if isinstance(loss, Loss) and loss.outputs and "softmax" not in loss.outputs:
            return "logistic" if "sigmoid" in loss.outputs else "identity"
        return "softmax" if several else "logistic"

    def _checked(self, X: Any, y: Any, *, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = self._validated(X, y, reset=reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        return X, y

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X, y = validated(
            self,
            X,
            y,
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _checked_pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = self._validated(X, y, reset=False)
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if len(unknown):
            raise ValueError(
                f"The validation targets have the classes {unknown}, which are not among those of "
                f"the training targets, {self.classes_}."
            )
        return X, y

    def _encoded(self, y: Any) -> Array:
        encoded: Any = self._label_binarizer.transform(y)
        encoded = encoded.toarray() if hasattr(encoded, "toarray") else encoded
        return encoded.astype(bool)

    def _check_classes(self, found: Array) -> None:
        """Raise ValueError for classes other than those of the calls before."""
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {found}"
            )
        if not self.warm_start and len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {found}."
            )

    def _class_weights(self, y: Array, *, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' counts the classes of all samples, which partial_fit does "
                "not have. Pass a dict such as {0: 1.0, 1: 5.0}, for which "
                "sklearn.utils.class_weight.compute_class_weight helps."
            )
        return compute_sample_weight(self.class_weight, y)

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
        """Learn weights from samples X (n, features) and their classes y.

        X                an array, a sparse matrix, a frame; or the path of a Parquet file or of a
                         folder of such, whose column ``y`` names
        y                classes (n,), or zeros and ones (n, labels)
        sample_weight    weights (n,); of files, the name of their column
        validation_data  ``(X, y)`` or ``(X, y, sample_weight)``, measured after each epoch; with
                         ``early_stopping=True`` these samples decide, and none are set aside
        coef_init, intercept_init
                         lists of weights and of biases to start from, one for each layer
        """
        start = coef_init, intercept_init
        return self._fit(X, y, sample_weight, validation_data=validation_data, start=start)

    @available_if(lambda model: model._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """Go once through samples X and their classes y, from the weights as they are."""
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The class of each row of X."""
        check_is_fitted(self)
        outputs = self._outputs(self._checked_inputs(X))
        outputs = outputs.ravel() if self.n_outputs_ == 1 else outputs
        predicted: Any = self._label_binarizer.inverse_transform(outputs, self._threshold)
        return predicted

    @property
    def _threshold(self) -> float:
        """The output between one class and the other."""
        return 0.0 if self.out_activation_ == "identity" else 0.5

    def _has_probabilities(self) -> bool:
        if getattr(self, "out_activation_", "logistic") not in _PROBABILITIES:
            raise AttributeError(
                f"With loss={self.loss!r} the outputs are no probabilities: use predict, or "
                "loss='log_loss'."
            )
        return True

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class for each row of X, in the order of ``classes_``."""
        check_is_fitted(self)
        outputs = self._outputs(self._checked_inputs(X))
        return np.hstack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def _score_of(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """The share of samples that are classified rightly."""
        if self._label_binarizer.y_type_ == "multiclass":
            right = outputs.argmax(axis=1) == y.argmax(axis=1)
        else:
            right = ((outputs > self._threshold) == y).all(axis=1)
        return float(np.average(right, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
