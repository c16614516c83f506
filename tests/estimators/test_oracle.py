"""The same random state gives the same loss curve as scikit-learn's perceptrons."""

import warnings

import numpy as np
import pytest
import sklearn.neural_network as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from chainrule import estimators as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Beside one another two runs differ by rounding, which steps and curvature magnify.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def test_theirs_are_theirs():
    assert theirs.MLPClassifier.__module__.startswith("sklearn.")
    assert theirs.MLPRegressor.__module__.startswith("sklearn.")


def pair(name, X, y, weight=None, **settings):
    """The two estimators, fitted alike."""
    models = []
    for module in (theirs, ours):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = getattr(module, name)(**settings)
            models.append(model.fit(X, y, sample_weight=weight))
    return models


def assert_same_run(one, other):
    assert one.n_iter_ == other.n_iter_
    assert one.t_ == other.t_
    assert one.out_activation_ == other.out_activation_
    np.testing.assert_allclose(other.loss_, one.loss_, **CLOSE)
    for a, b in zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_],
                    strict=True):  # fmt: skip
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-8)
    if hasattr(one, "loss_curve_"):
        np.testing.assert_allclose(other.loss_curve_, one.loss_curve_, **CLOSE)
        assert one._no_improvement_count == other._no_improvement_count
        assert one.best_loss_ == (other.best_loss_ and pytest.approx(other.best_loss_, rel=1e-10))
        if one.validation_scores_ is not None:
            np.testing.assert_allclose(other.validation_scores_, one.validation_scores_, **CLOSE)
        np.testing.assert_allclose(
            other._optimizer.learning_rate, one._optimizer.learning_rate, **CLOSE
        )


def table(rng, n, features):
    return rng.standard_normal((n, features)) + 0.1


def targets(rng, kind, n):
    return {
        "binary": lambda: rng.integers(0, 2, n).astype(str),
        "classes": lambda: np.r_[0, 1, 2, rng.integers(0, 3, n - 3)],
        "labels": lambda: np.r_[np.eye(3, dtype=int), rng.integers(0, 2, (n - 3, 3))],
        "numbers": lambda: rng.standard_normal(n),
        "several": lambda: rng.standard_normal((n, 2)),
        "counts": lambda: rng.poisson(2.0, n),
    }[kind]()


SETTINGS = {
    "activation": st.sampled_from(["identity", "logistic", "tanh", "relu"]),
    "hidden_layer_sizes": st.sampled_from([(3,), (5, 2), 4]),
    "alpha": st.sampled_from([0.0, 1e-4, 0.5]),
    "batch_size": st.sampled_from(["auto", 1, 5, 7]),
    "shuffle": st.booleans(),
    "max_iter": st.integers(1, 12),
    "tol": st.sampled_from([1e-4, 0.05]),
    "n_iter_no_change": st.sampled_from([1, 3, np.inf]),
    "random_state": st.integers(0, 99),
}
SGD = {
    "solver": st.just("sgd"),
    "learning_rate": st.sampled_from(["constant", "invscaling", "adaptive"]),
    "learning_rate_init": st.sampled_from([0.001, 0.05]),
    "power_t": st.sampled_from([0.25, 0.5]),
    "momentum": st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    "nesterovs_momentum": st.booleans(),
}
ADAM = {
    "solver": st.just("adam"),
    "learning_rate_init": st.sampled_from([0.001, 0.02]),
    "beta_1": st.sampled_from([0.0, 0.9]),
    # Smaller ones saturate the outputs, and then theirs is the logarithm of a rounded 1 - p.
    "beta_2": st.sampled_from([0.9, 0.999]),
    "epsilon": st.sampled_from([1e-8, 1e-3]),
}
KINDS = ["binary", "classes", "labels", "numbers", "several", "counts"]


@given(
    kind=st.sampled_from(KINDS),
    n=st.sampled_from([8, 15, 24]),
    features=st.sampled_from([1, 4]),
    chosen=st.one_of(st.fixed_dictionaries({**SETTINGS, **each}) for each in (SGD, ADAM)),
    weighted=st.booleans(),
    sparse=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(max_examples=15)
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_loss_curve_is_theirs(kind, n, features, chosen, weighted, sparse, seed):
    rng = np.random.default_rng(seed)
    X, y = table(rng, n, features), targets(rng, kind, n)
    weight = rng.uniform(0.1, 2.0, n) if weighted else None
    name = "MLPClassifier" if kind in ("binary", "classes", "labels") else "MLPRegressor"
    if kind == "counts":
        chosen = {**chosen, "loss": "poisson"}
    one, other = pair(name, csr_array(X) if sparse else X, y, weight, **chosen)
    assert_same_run(one, other)
    np.testing.assert_array_equal(np.shape(other.predict(X)), np.shape(one.predict(X)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_of_lbfgs_is_theirs(kind):
    rng = np.random.default_rng(3)
    X, y = table(rng, 30, 4), targets(rng, kind, 30)
    name = "MLPClassifier" if kind in ("binary", "classes", "labels") else "MLPRegressor"
    one, other = pair(name, X, y, solver="lbfgs", hidden_layer_sizes=3, max_iter=15,
                      activation="tanh", alpha=0.1, random_state=1)  # fmt: skip
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(other.loss_, one.loss_, rtol=1e-8)
    for a, b in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping_is_theirs(name, weighted):
    rng = np.random.default_rng(5)
    X = table(rng, 80, 3)
    y = (X[:, 0] > 0).astype(int) if name == "MLPClassifier" else X[:, 0]
    weight = rng.uniform(0.5, 1.5, 80) if weighted else None
    one, other = pair(name, X, y, weight, early_stopping=True, max_iter=40, random_state=2,
                      learning_rate_init=0.01, validation_fraction=0.2)  # fmt: skip
    assert_same_run(one, other)
    np.testing.assert_allclose(other.predict(X), one.predict(X), rtol=1e-9)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_and_warm_start_are_theirs(solver):
    rng = np.random.default_rng(6)
    X, y = table(rng, 40, 3), rng.integers(0, 3, 40)
    models = []
    for module in (theirs, ours):
        model = module.MLPClassifier(
            hidden_layer_sizes=4, solver=solver, learning_rate="invscaling", random_state=0,
            max_iter=3, warm_start=True,
        )  # fmt: skip
        model.fit(X, y).fit(X, y)
        for start in (0, 10, 20):
            model.partial_fit(X[start : start + 13], y[start : start + 13])
        models.append(model)
    assert_same_run(*models)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_generator_of_the_users_is_left_where_theirs_leaves_it(shuffle):
    rng = np.random.default_rng(7)
    X, y = table(rng, 20, 2), rng.standard_normal(20)
    states = []
    for module in (theirs, ours):
        generator = np.random.RandomState(0)
        module.MLPRegressor(
            hidden_layer_sizes=2, max_iter=300, tol=0.01, random_state=generator, shuffle=shuffle
        ).fit(X, y)
        states.append(generator.get_state()[1:3])
    assert (states[0][0] == states[1][0]).all()
    assert states[0][1] == states[1][1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(dtype):
    rng = np.random.default_rng(8)
    X, y = table(rng, 50, 3).astype(dtype), rng.integers(0, 2, 50)
    one, other = pair("MLPClassifier", X, y, max_iter=5, hidden_layer_sizes=3, random_state=0)
    assert [W.dtype for W in one.coefs_] == [W.dtype for W in other.coefs_]
    assert one.predict_proba(X).dtype == other.predict_proba(X).dtype
    tolerance = 1e-10 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(other.loss_curve_, one.loss_curve_, rtol=tolerance)


def test_what_they_say_is_what_is_said(capsys):
    rng = np.random.default_rng(9)
    X, y = table(rng, 20, 2), rng.standard_normal(20)
    said = []
    for module in (theirs, ours):
        module.MLPRegressor(
            hidden_layer_sizes=2, max_iter=200, tol=0.05, n_iter_no_change=2, random_state=0,
            solver="sgd", learning_rate="adaptive", verbose=True,
        ).fit(X, y)  # fmt: skip
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_no_weight_in_a_batch_is_refused_as_theirs_is():
    X, y = np.ones((4, 1)), np.arange(4.0)
    for module in (theirs, ours):
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
            module.MLPRegressor(batch_size=2, shuffle=False).fit(X, y, sample_weight=[0, 0, 1, 1])


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_mostly_empty_inputs_are_theirs(solver, weighted):
    """Sparse steps, which take over below a share of numbers that are not zero."""
    rng = np.random.default_rng(10)
    X = rng.standard_normal((60, 150)) * (rng.random((60, 150)) < 0.02)
    y = rng.integers(0, 3, 60)
    weight = rng.uniform(0.5, 1.5, 60) if weighted else None
    settings = {"hidden_layer_sizes": (7, 4), "max_iter": 6, "random_state": 0, "alpha": 0.3}
    one, other = pair(
        "MLPClassifier", csr_array(X), y, weight, solver=solver, batch_size=25, **settings
    )
    if solver == "lbfgs":
        np.testing.assert_allclose(other.loss_, one.loss_, rtol=1e-9)
    else:
        assert_same_run(one, other)
    dense = ours.MLPClassifier(solver=solver, batch_size=25, l1=0.2, dropout=0.0, **settings)
    sparse = ours.MLPClassifier(solver=solver, batch_size=25, l1=0.2, dropout=0.0, **settings)
    dense.fit(X, y)
    np.testing.assert_allclose(sparse.fit(csr_array(X), y).loss_, dense.loss_, rtol=1e-9)
