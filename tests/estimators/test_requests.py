"""What scikit-learn's perceptrons do not offer."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV

from chainrule import grad
from chainrule.estimators import MLPClassifier, MLPRegressor
from chainrule.networks import Loss
from chainrule.pytrees import map_leaves

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}


@pytest.fixture(scope="module")
def moons():
    X, y = make_moons(200, noise=0.2, random_state=0)
    return X[:150], y[:150], X[150:], y[150:]


def test_validation_data_is_measured_and_changes_nothing(moons):
    X, y, Xv, yv = moons
    plain = MLPClassifier(**SMALL).fit(X, y)
    model = MLPClassifier(**SMALL).fit(X, y, validation_data=(Xv, yv))
    np.testing.assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-12)
    assert len(model.history_) == 20
    assert model.history_["validation_score"][-1] == model.score(Xv, yv)
    p = model.predict_proba(Xv)[np.arange(len(yv)), yv]
    assert model.history_["validation_loss"][-1] == pytest.approx(-np.log(p).mean())
    assert "validation_loss" not in plain.history_


def test_early_stopping_looks_at_the_validation_data_given(moons):
    X, y, Xv, yv = moons
    model = MLPClassifier(**{**SMALL, "max_iter": 300}, early_stopping=True, tol=0.01)
    model.fit(X, y, validation_data=(Xv, yv))
    assert model.stopped_ == "tol"
    assert model.validation_scores_ == list(model.history_["validation_score"])
    assert model.score(Xv, yv) == max(model.validation_scores_) == model.best_validation_score_


def test_the_best_weights_come_back(moons):
    X, y, Xv, yv = moons
    settings = {**SMALL, "learning_rate_init": 0.5, "max_iter": 40}
    model = MLPClassifier(**settings, restore_best_weights=True)
    model.fit(X, y, validation_data=(Xv, yv))
    best = model.history_["validation_loss"].min()
    p = model.predict_proba(Xv)[np.arange(len(yv)), yv]
    assert -np.log(p).mean() == pytest.approx(best)
    assert best < model.history_["validation_loss"][-1]
    with pytest.raises(ValueError, match="needs validation data"):
        MLPClassifier(**SMALL, restore_best_weights=True).fit(X, y)


def test_callbacks_see_the_model_and_can_stop(moons):
    X, y, *_ = moons
    seen = []

    def watch(epoch):
        seen.append((epoch.number, epoch.loss, epoch.model.score(X, y)))
        return epoch.number == 4

    model = MLPClassifier(**SMALL, callbacks=watch).fit(X, y)
    assert [number for number, *_ in seen] == [0, 1, 2, 3, 4]
    assert [loss for _, loss, _ in seen] == model.loss_curve_
    assert seen[-1][2] == model.score(X, y)
    assert (model.stopped_, model.n_iter_) == ("callback", 5)


def test_scikit_learns_callbacks_are_called(moons):
    sklearn_callback = pytest.importorskip("sklearn.callback")
    X, y, *_ = moons
    calls = []

    class Recorder:
        def setup(self, estimator, context):
            calls.append("setup")

        def teardown(self, estimator, context):
            calls.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            calls.append("begin")

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            calls.append("end")
            fitted_estimator.predict(X)
            return calls.count("end") == 3

    assert isinstance(Recorder(), sklearn_callback.FitCallback)
    model = MLPClassifier(**SMALL).set_callbacks(Recorder()).fit(X, y)
    assert calls == ["setup", "begin", *["begin", "end"] * 3, "end", "teardown"]
    assert model.n_iter_ == 3


def test_class_weight_is_weight_of_the_samples(moons):
    X, y, *_ = moons
    one = MLPClassifier(**SMALL, class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    other = MLPClassifier(**SMALL).fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    for a, b in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="counts the classes of all samples"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1])


def test_each_layer_has_its_activation(moons):
    X, y, *_ = moons
    settings = {**SMALL, "hidden_layer_sizes": (4, 3), "max_iter": 1}
    model = MLPClassifier(**settings, activation=["relu", "tanh"]).fit(X, y)
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    hidden = np.tanh(hidden @ model.coefs_[1] + model.intercepts_[1])
    z = hidden @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1:], 1 / (1 + np.exp(-z)))
    with pytest.raises(ValueError, match="3 entries, and there are 2 hidden layers"):
        MLPClassifier(**settings, activation=["relu"] * 3).fit(X, y)


def swish(z):
    return z / (1 + np.exp(-z))


def log_cosh(output, target, weight=None):
    errors = np.log(np.cosh(output - target))
    return np.mean(errors) if weight is None else np.sum(errors[:, 0] * weight) / np.sum(weight)


def test_own_functions_of_numpy_are_traced(moons):
    X, *_ = moons
    target = X[:, 0] * X[:, 1]
    named = MLPRegressor(**SMALL, activation="silu").fit(X, target)
    own = MLPRegressor(**SMALL, activation=swish).fit(X, target)
    np.testing.assert_allclose(own.loss_curve_, named.loss_curve_, rtol=1e-9)
    model = MLPRegressor(**SMALL, loss=log_cosh, alpha=0, batch_size=150).fit(X, target)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    before = MLPRegressor(**{**SMALL, "max_iter": 1}, loss=log_cosh, alpha=0, batch_size=150)
    first = before.fit(X, target).loss_curve_[0]
    start = MLPRegressor(
        **{**SMALL, "max_iter": 1}, loss=log_cosh, alpha=0, learning_rate_init=1e-9
    )
    assert first == pytest.approx(log_cosh(start.fit(X, target).predict(X), target), rel=1e-6)
    model.fit(X, target, sample_weight=np.ones(len(X)))
    again = pickle.loads(pickle.dumps(clone(model)))
    assert again.loss is log_cosh


@pytest.mark.parametrize("loss", ["absolute_error", "huber(delta=0.5)", "quantile", Loss])
def test_losses_of_this_package(loss, moons):
    X, *_ = moons
    y = np.abs(X[:, 0])
    if loss is Loss:
        loss = Loss("own", lambda output, target: np.mean((output - target) ** 4), "own", own=True)
    model = MLPRegressor(**SMALL, loss=loss).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_quantile_regression():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(600, 1))
    y = X[:, 0] + rng.exponential(size=600)
    settings = {"max_iter": 300, "learning_rate_init": 0.01, "random_state": 0}
    for q in (0.1, 0.9):
        model = MLPRegressor(loss="quantile", quantile=q, **settings).fit(X, y)
        assert np.mean(y <= model.predict(X)) == pytest.approx(q, abs=0.04)


@pytest.mark.parametrize("loss", ["hinge", "squared_error"])
def test_a_classifier_takes_other_losses(loss, moons):
    X, y, *_ = moons
    model = MLPClassifier(**{**SMALL, "max_iter": 200}, loss=loss, learning_rate_init=0.01)
    model.fit(X, y)
    assert model.score(X, y) > 0.8
    assert hasattr(model, "predict_proba") == (loss != "hinge")


def test_dropout_drops_and_prediction_does_not(moons):
    X, y, *_ = moons
    plain = MLPClassifier(**SMALL).fit(X, y)
    model = MLPClassifier(**SMALL, dropout=0.5).fit(X, y)
    same = MLPClassifier(**SMALL, dropout=0.5).fit(X, y)
    assert model.loss_curve_ == same.loss_curve_
    assert np.abs(np.subtract(model.loss_curve_, plain.loss_curve_)).max() > 0.01
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    none = MLPClassifier(**SMALL, dropout=[0.0]).fit(X, y)
    assert none.loss_curve_ == plain.loss_curve_


def test_l1_makes_weights_small(moons):
    X, y, *_ = moons
    settings = {**SMALL, "max_iter": 300, "learning_rate_init": 0.01}
    sums = [
        sum(np.abs(W).sum() for W in MLPClassifier(**settings, l1=l1).fit(X, y).coefs_)
        for l1 in (0.0, 1.0, 10.0)
    ]
    assert sums[0] > 1.5 * sums[1] > 3 * sums[2]


def test_the_loss_with_l1_is_that_of_its_formula(moons):
    X, y, *_ = moons
    settings = {**SMALL, "max_iter": 1, "learning_rate_init": 1e-12, "batch_size": 150}
    model = MLPClassifier(**settings, l1=0.3, alpha=0.2).fit(X, y)
    p = model.predict_proba(X)[np.arange(len(y)), y]
    penalty = sum(0.1 * (W**2).sum() + 0.3 * np.abs(W).sum() for W in model.coefs_) / len(y)
    assert model.loss_ == pytest.approx(-np.log(p).mean() + penalty, rel=1e-9)


@pytest.mark.parametrize(
    "solver", ["adamw", "adamw(weight_decay=0.1)", "rmsprop", "lion", "adagrad", "nesterov"]
)
@pytest.mark.parametrize("learning_rate", ["constant", "cosine", "step(every=5)", "adaptive"])
def test_other_optimizers_and_schedules(solver, learning_rate, moons):
    X, y, *_ = moons
    model = MLPClassifier(**SMALL, solver=solver, learning_rate=learning_rate).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    rates = model.history_["learning_rate"]
    assert (np.ptp(rates) > 0) == (learning_rate in ("cosine", "step(every=5)"))
    pickle.loads(pickle.dumps(model)).partial_fit(X, y)


def test_a_schedule_of_the_users(moons):
    X, y, *_ = moons
    model = MLPClassifier(**SMALL, learning_rate=lambda step, epoch: 0.01 / (1 + epoch)).fit(X, y)
    np.testing.assert_allclose(model.history_["learning_rate"], 0.01 / np.arange(1, 21))


def test_first_weights_can_be_given(moons):
    X, y, *_ = moons
    first = MLPClassifier(**SMALL).fit(X, y)
    settings = {**SMALL, "max_iter": 1, "learning_rate_init": 1e-12}
    model = MLPClassifier(**settings)
    model.fit(X, y, coef_init=first.coefs_, intercept_init=first.intercepts_)
    np.testing.assert_allclose(model.predict_proba(X), first.predict_proba(X), rtol=1e-6)
    assert model.coefs_[0] is not first.coefs_[0]
    with pytest.raises(ValueError, match="coef_init has arrays of shapes"):
        model.fit(X, y, coef_init=[np.ones((3, 3))])


def test_time_runs_out(moons):
    X, y, *_ = moons
    model = MLPClassifier(hidden_layer_sizes=(200, 200), max_iter=100_000, max_time=0.2, tol=0.0)
    model.set_params(n_iter_no_change=np.inf).fit(X, y)
    assert model.stopped_ == "max_time"


def test_partial_fit_learns_several_labels():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 3))
    Y = (X > 0).astype(int)
    model = MLPClassifier(hidden_layer_sizes=10, learning_rate_init=0.05, random_state=0)
    for start in range(0, 100, 20):
        part = slice(start, start + 20)
        model.partial_fit(X[part], Y[part], classes=[0, 1, 2])
    for _ in range(30):
        model.partial_fit(X, Y)
    assert model.score(X, Y) > 0.8


def test_verbose_says_more(moons, capsys):
    X, y, Xv, yv = moons
    MLPClassifier(**{**SMALL, "max_iter": 1}, verbose=2).fit(X, y, validation_data=(Xv, yv))
    said = capsys.readouterr().out
    for words in ("Iteration 1, loss = ", "validation loss = ", "learning rate = 0.001"):
        assert words in said


def test_a_progress_bar_is_drawn(moons, capsys):
    X, y, *_ = moons
    MLPClassifier(**SMALL, progress_bar=True).fit(X, y)
    assert "epoch 20 of 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "rleu"}, "Did you mean 'relu'"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        ({"learning_rate": "cosin"}, "Did you mean 'cosine'"),
        ({"loss": "hingee"}, "Did you mean 'hinge'"),
        ({"dropout": 1.0}, "dropout"),
        ({"l1": -1}, "l1"),
        ({"callbacks": 3}, "callbacks"),
        ({"solver": "lbfgs", "dropout": 0.5}, "cannot be used with solver='lbfgs'"),
        ({"activation": lambda z: np.sum(z)}, "gave shape .* it must keep the shape"),
        ({"loss": lambda output, target: output}, "must give one number"),
        (
            {"loss": lambda output, target: np.mean(output), "class_weight": {0: 2.0}},
            "takes only",
        ),
        ({"loss": "categorical_cross_entropy"}, "use loss='log_loss'"),
    ],
)
def test_what_is_wrong_is_said(settings, message, moons):
    X, y, *_ = moons
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**settings).fit(X, y)


def test_the_gradient_is_that_of_the_formulation(moons):
    """Against this package's `grad` of the loss written out once more."""
    X, y, *_ = moons
    model = MLPClassifier(**SMALL, alpha=0.3).fit(X, y)

    def loss(W1, W2, b1, b2):
        z = np.tanh(X @ W1 + b1) @ W2 + b2
        data = np.mean(np.logaddexp(z, 0)[:, 0] - y * z[:, 0])
        return data + 0.15 * (np.sum(W1**2) + np.sum(W2**2)) / len(X)

    model.set_params(activation="tanh")
    weights = [*model.coefs_, *model.intercepts_]
    found = model._loss_grad_lbfgs(np.concatenate([w.ravel() for w in weights]), X, y[:, None])
    for i, gradient in enumerate(np.split(found[1], np.cumsum([w.size for w in weights])[:-1])):
        expected = grad(loss, argnums=i)(*weights)
        np.testing.assert_allclose(gradient, expected.ravel(), rtol=1e-9, atol=1e-12)


def test_batches_of_any_length_share_their_code(moons):
    """Calls of partial_fit with other numbers of samples, which are filled up, are as right."""
    from chainrule.kernels.engine import NativeEngine

    X, y, *_ = moons
    sizes = [129, 130, 131, 135, 140, 143]
    theirs = sklearn.neural_network.MLPClassifier(hidden_layer_sizes=(9,), random_state=0)
    ours = MLPClassifier(hidden_layer_sizes=(9,), random_state=0)
    made = []
    steps = NativeEngine.steps

    def counted(self, *arguments):
        made.append(arguments)
        return steps(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NativeEngine, "steps", counted)
        for size in sizes:
            theirs.partial_fit(X[:size], y[:size], classes=[0, 1])
            ours.partial_fit(X[:size], y[:size], classes=[0, 1])
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    assert len(made) <= 1


def test_searches_run_in_other_processes(moons):
    X, y, *_ = moons
    search = GridSearchCV(
        MLPClassifier(**SMALL), {"alpha": [1e-4, 1.0], "activation": ["relu", "silu"]}, n_jobs=2
    )
    search.fit(X, y)
    assert search.best_score_ > 0.5


def test_ctrl_c_ends_the_fit_with_what_was_learned(moons):
    X, y, *_ = moons

    def interrupt(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    model = MLPClassifier(**SMALL, callbacks=interrupt)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert (model.stopped_, model.n_iter_) == ("interrupted", 3)
    assert model.predict(X).shape == y.shape


def test_an_own_optimizer_is_traced(moons):
    X, y, *_ = moons
    model = MLPClassifier(**SMALL, solver=sign_descent, learning_rate_init=0.01).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def sign_descent(parameters, gradients, state, learning_rate):
    new = map_leaves(lambda W, g: W - learning_rate * np.sign(g), parameters, gradients)
    return new, state


SLOW = """
import os, signal, threading, time, warnings
import numpy as np
from chainrule.estimators import MLPRegressor
signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
X = rng.standard_normal((40_000, 50))
settings = dict(hidden_layer_sizes=(200, 200), batch_size=100, max_iter=1000, random_state=0)
MLPRegressor(**{**settings, "max_iter": 1}).fit(X[:200], X[:200, 0])
timed = MLPRegressor(**settings, max_time=0.3)
began = time.monotonic()
timed.fit(X, X[:, 0])
print(timed.stopped_, time.monotonic() - began < 20)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    began = time.monotonic()
    model = MLPRegressor(**settings).fit(X, X[:, 0])
print(model.stopped_, time.monotonic() - began < 20, str(said[-1].message))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_time_and_ctrl_c_are_answered_within_an_epoch():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SLOW], capture_output=True, text=True
    )
    assert run.stdout.splitlines() == [
        "max_time True",
        "interrupted True Training interrupted by user.",
        "True",
    ], run.stderr


def centred(z):
    return np.tanh(z - np.mean(z, axis=0))


def test_own_functions_see_the_samples_of_their_batch_alone(moons):
    """No batch is filled up where a function may mix its samples."""
    X, y, *_ = moons
    settings = {**SMALL, "max_iter": 1, "shuffle": False, "learning_rate_init": 1e-12}
    X, y = X[:58], y[:58]  # batches of 20, 20 and 18
    model = MLPClassifier(**settings, activation=centred, batch_size=20, alpha=0).fit(X, y)
    losses = []
    for start in (0, 20, 40):
        part = slice(start, start + 20)
        p = model.predict_proba(X[part])[np.arange(len(y[part])), y[part]]
        losses += list(-np.log(p))
    assert model.loss_ == pytest.approx(np.mean(losses), rel=1e-8)


def test_a_warm_start_may_change_its_solver_and_what_it_watches(moons):
    X, y, *_ = moons
    model = MLPClassifier(**SMALL, warm_start=True)
    model.set_params(solver="lbfgs").fit(X, y)
    first = model.loss_
    model.set_params(solver="adam", learning_rate_init=1e-6).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(first, rel=0.1)
    model.set_params(early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    model.set_params(early_stopping=False).fit(X, y)
    assert model.best_loss_ == min(model.loss_curve_)
