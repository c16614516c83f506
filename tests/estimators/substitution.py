"""A pytest plugin: what imports scikit-learn's perceptrons gets this project's."""

import sklearn.neural_network

from chainrule.estimators import MLPClassifier, MLPRegressor


def pytest_configure(config):
    """Put them in place; only where this is loaded as a plugin, not where it is imported."""
    sklearn.neural_network.MLPClassifier = MLPClassifier
    sklearn.neural_network.MLPRegressor = MLPRegressor


def pytest_collection_modifyitems(items):
    """Refuse to test anything else."""
    for item in items:
        assert item.module.MLPClassifier is MLPClassifier
        assert item.module.MLPRegressor is MLPRegressor
