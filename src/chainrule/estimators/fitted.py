"""The methods of a fitted estimator that scikit-learn's do not have."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sklearn.utils import estimator_html_repr

from chainrule.estimators.conversion import from_sklearn, to_sklearn
from chainrule.estimators.displays import HistoryDisplay, boundary_of, summary_html
from chainrule.estimators.formulation import Parameters
from chainrule.estimators.inspection import certificate_of, derivation_of, gradients_of
from chainrule.estimators.onnx import to_onnx
from chainrule.estimators.saving import load, save

if TYPE_CHECKING:
    from chainrule.certificate.results import Certificate
    from chainrule.explain import Derivation

__all__ = ["FittedMethods"]


class FittedMethods:
    """What a fitted estimator tells of itself, and the forms that it can be taken to."""

    def gradients(self, X: Any, y: Any, sample_weight: Any = None) -> Parameters:
        """The gradient of the loss at samples X and y: ``coefs`` and ``intercepts``, by layer.

        It is that of the loss that is minimised, penalties included, at the weights as they are.

        >>> from chainrule.estimators import MLPRegressor
        >>> model = MLPRegressor(hidden_layer_sizes=2, solver="lbfgs", random_state=0)
        >>> model = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
        >>> [W.shape for W in model.gradients([[1.0]], [1.0]).coefs]
        [(1, 2), (2, 1)]
        """
        return gradients_of(self, X, y, sample_weight)

    def check(self, X: Any, y: Any, sample_weight: Any = None) -> Certificate:
        """The gradients at samples X and y against differences that do not use them.

        The result is true where they are right; printed, it says what was compared. See
        `chainrule.check_gradients`.
        """
        return certificate_of(self, X, y, sample_weight)

    def explain(self, X: Any, y: Any, sample_weight: Any = None) -> Derivation:
        """Every number of the forward and backward pass at samples X and y, and its rule.

        Printed, the derivation is read from the inputs to the loss and back to the gradients; one
        number of it is ``model.explain(X, y).number("d_loss_W1[0,0]")``.
        """
        return derivation_of(self, X, y, sample_weight)

    def to_sklearn(self) -> Any:
        """scikit-learn's estimator of the same name, with the same weights and records.

        Raises ValueError where scikit-learn has no such activation, loss or solver.
        """
        return to_sklearn(self)

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """The estimator with the weights and records of scikit-learn's of the same name."""
        made: Self = from_sklearn(cls, fitted)
        return made

    def to_onnx(self, path: str | Path | None = None) -> Any:
        """The network as an ``onnx.ModelProto``, written to a file where a path is given.

        Its input is ``X``; its outputs are ``variable`` of a regressor, ``label`` and, where there
        are such, ``probabilities`` of a classifier. It needs ``pip install 'chainrule[onnx]'``.
        Raises ValueError for an activation of your own.
        """
        return to_onnx(self, path)

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a safetensors file, whole or not at all.

        Raises ValueError for parameters that are functions of your own.
        """
        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The estimator that `save` wrote; nothing in the file is executed.

        Raises ModelFileError where it is missing, damaged, or of another class.
        """
        loaded: Self = load(cls, path)
        return loaded

    def plot_history(self, *, ax: Any = None, log: bool = False, **line: Any) -> HistoryDisplay:
        """The losses, and validation scores where there are such, epoch by epoch (matplotlib)."""
        return HistoryDisplay.from_estimator(self, ax=ax, log=log, **line)

    def plot_boundary(self, X: Any, y: Any = None, *, ax: Any = None, **settings: Any) -> Any:
        """What is predicted over the plane of two features, with samples X and y (matplotlib).

        ``settings`` are those of scikit-learn's ``DecisionBoundaryDisplay.from_estimator``, which
        is what is returned.
        """
        return boundary_of(self, X, y, ax=ax, settings=settings)

    def _html_repr(self) -> str:
        """scikit-learn's diagram, and below it the network where it has been fitted."""
        diagram: str = estimator_html_repr(self)
        return diagram + (summary_html(self) if hasattr(self, "coefs_") else "")
