"""scikit-learn estimators: `MLPClassifier` and `MLPRegressor`, in place of scikit-learn's own.

They take the same parameters, draw the same random numbers and report the same losses, and train
with this package's native code. scikit-learn is needed for nothing else in the package.
"""

try:
    import sklearn  # noqa: F401  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "chainrule.estimators needs scikit-learn. Install it with pip install 'chainrule[sklearn]'."
    ) from error

from chainrule.estimators.classifier import MLPClassifier
from chainrule.estimators.displays import HistoryDisplay
from chainrule.estimators.regressor import MLPRegressor
from chainrule.estimators.watching import FittedEpoch

__all__ = ["FittedEpoch", "HistoryDisplay", "MLPClassifier", "MLPRegressor"]
