"""The methods of fitted estimators: gradients, explanations, conversions, files, pictures."""

import numpy as np
import pytest
import sklearn.neural_network as theirs
from sklearn.datasets import load_iris, make_moons, make_multilabel_classification

from chainrule.errors import ModelFileError
from chainrule.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}


def cases():
    X, y = load_iris(return_X_y=True)
    moons, halves = make_moons(60, noise=0.1, random_state=0)
    many, labels = make_multilabel_classification(60, n_features=4, n_classes=3, random_state=0)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    return {
        "classes": (MLPClassifier(**SMALL), X, y),
        "words": (MLPClassifier(**SMALL, activation="tanh"), X, words),
        "binary": (MLPClassifier(**SMALL, solver="sgd"), moons, halves),
        "float32": (MLPClassifier(**SMALL), moons.astype("float32"), halves),
        "labels": (MLPClassifier(**SMALL), many, labels),
        "numbers": (MLPRegressor(**SMALL, activation="logistic"), X, X[:, 0]),
        "several": (MLPRegressor(**SMALL, solver="lbfgs"), X, X[:, :2]),
        "counts": (MLPRegressor(**SMALL, loss="poisson"), X, np.round(X[:, 0])),
        "own names": (MLPRegressor(**SMALL, activation="elu(alpha=0.5)", loss="huber"), X, y * 1.0),
    }


CASES = list(cases())


@pytest.fixture(params=CASES)
def case(request):
    model, X, y = cases()[request.param]
    return model.fit(X, y), X, y


def test_gradients_are_differences_of_the_loss(case):
    model, X, y = case
    if X.dtype == np.float32:
        pytest.skip("differences need double precision")
    gradients = model.gradients(X, y)
    W, step = model.coefs_[0], 1e-6
    y = model._encoded(model._checked_pair(X, y)[1])

    def loss():
        from chainrule.estimators.formulation import Batch

        penalties = model._penalties(np.dtype(float))
        return float(model._formulation()(model._parameters(), penalties, Batch(X, y))[0])

    place = np.unravel_index(np.argmax(np.abs(gradients.coefs[0])), W.shape)
    before = W[place]
    W[place] = before + step
    above = loss()
    W[place] = before - step
    below = loss()
    W[place] = before
    assert gradients.coefs[0][place] == pytest.approx((above - below) / (2 * step), rel=1e-5)


def test_the_certificate_is_true(case):
    model, X, y = case
    certificate = model.check(X[:10], y[:10])
    assert certificate.passed, str(certificate)


def test_the_explanation_ends_at_the_loss_and_the_gradients(case):
    model, X, y = case
    derivation = model.explain(X[:4], y[:4])
    gradients = model.gradients(X[:4], y[:4])
    for i in range(2):
        shown = derivation[f"d_{derivation.loss}_W{i + 1}"].value
        np.testing.assert_allclose(shown, gradients.coefs[i], rtol=1e-4, atol=1e-6)
    assert "z1" in derivation.names


@pytest.mark.parametrize("name", [name for name in CASES if name != "own names"])
def test_to_sklearn_and_back(name):
    model, X, y = cases()[name]
    model.fit(X, y)
    other = model.to_sklearn()
    assert type(other) is getattr(theirs, type(model).__name__)
    if hasattr(model, "classes_"):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    else:
        np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-12)
    back = type(model).from_sklearn(other)
    np.testing.assert_array_equal(back.coefs_[0], model.coefs_[0])
    if model.solver == "lbfgs":
        return
    for each in (model, other, back):
        each.partial_fit(X, y)
    tolerance = 1e-5 if X.dtype == np.float32 else 1e-10
    for each in (other, back):
        np.testing.assert_allclose(each.coefs_[0], model.coefs_[0], rtol=tolerance, atol=1e-7)


def test_to_sklearn_refuses_what_is_not_there():
    model, X, y = cases()["own names"]
    with pytest.raises(ValueError, match="scikit-learn's MLPRegressor has no activation='elu"):
        model.fit(X, y).to_sklearn()
    with pytest.raises(TypeError, match="takes a fitted"):
        MLPClassifier.from_sklearn(theirs.MLPRegressor())


def test_onnx_computes_the_same(case, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, X, y = case
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    given = X.astype(model.coefs_[0].dtype)
    names = [output.name for output in session.get_outputs()]
    results = dict(zip(names, session.run(None, {"X": given}), strict=True))
    tolerance = 1e-4 if given.dtype == np.float32 else 1e-9
    if hasattr(model, "classes_"):
        found = results["label"]
        np.testing.assert_array_equal(np.asarray(found).astype(y.dtype), model.predict(X))
        expected = model.predict_proba(X)
        np.testing.assert_allclose(results["probabilities"], expected, rtol=tolerance, atol=1e-6)
    else:
        found = results["variable"]
        expected = model.predict(X).reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize(
    "activation",
    ["leaky_relu(slope=0.2)", "selu", "gelu", "silu", "softplus", "softmax", "exponential"],
)
def test_onnx_has_every_activation(activation):
    onnxruntime = pytest.importorskip("onnxruntime")
    X, y = load_iris(return_X_y=True)
    model = MLPRegressor(**SMALL, activation=activation).fit(X / 10, y)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    (found,) = session.run(None, {"X": X / 10})
    np.testing.assert_allclose(found[:, 0], model.predict(X / 10), rtol=1e-6)


def test_onnx_refuses_own_activations():
    pytest.importorskip("onnx")
    X, y = load_iris(return_X_y=True)
    model = MLPRegressor(**SMALL, activation=np.sin).fit(X, y)
    with pytest.raises(ValueError, match="function of your own"):
        model.to_onnx()


def test_what_is_saved_is_loaded(case, tmp_path):
    model, X, y = case
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = type(model).load(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.get_params() == {**model.get_params(), "hidden_layer_sizes": (5,)}
    assert loaded.history_ == model.history_
    if model.solver != "lbfgs":
        model.partial_fit(X, y)
        loaded.partial_fit(X, y)
        np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])
    other = MLPRegressor if type(model) is MLPClassifier else MLPClassifier
    with pytest.raises(ModelFileError, match=f"holds a {type(model).__name__}"):
        other.load(path)


def test_a_damaged_file_is_refused(tmp_path):
    model, X, y = cases()["binary"]
    path = tmp_path / "model.safetensors"
    model.fit(X, y).save(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelFileError):
        MLPClassifier.load(path)
    with pytest.raises(ModelFileError, match="There is no file"):
        MLPClassifier.load(tmp_path / "none")
    with pytest.raises(ValueError, match="cannot be saved"):
        MLPClassifier(**SMALL, activation=np.sin).fit(X, y).save(path)


def test_the_history_is_drawn():
    pytest.importorskip("matplotlib")
    model, X, y = cases()["binary"]
    model.fit(X[:40], y[:40], validation_data=(X[40:], y[40:]))
    display = model.plot_history(log=True)
    assert list(display.lines_) == ["loss", "validation_loss", "validation_score"]
    np.testing.assert_array_equal(display.lines_["loss"].get_ydata(), model.loss_curve_)
    assert display.ax_.get_yscale() == "log"
    with pytest.raises(ValueError, match="no history"):
        MLPClassifier(**{**SMALL, "solver": "lbfgs"}).fit(X, y).plot_history()


def test_the_boundary_is_drawn():
    pytest.importorskip("matplotlib")
    model, X, y = cases()["binary"]
    display = model.fit(X, y).plot_boundary(X, y, grid_resolution=20)
    assert display.response.shape == (20, 20)
    other, X, y = cases()["classes"]
    other.fit(X, y)
    with pytest.raises(ValueError, match="4 features"):
        other.plot_boundary(X, y)


def test_the_html_shows_layers_and_curve(case):
    model, *_ = case
    html = model._repr_html_()
    assert "chainrule-network" in html
    assert f"<td>{model.coefs_[0].shape[0]} → 5</td>" in html
    assert ("<polyline" in html) == (model.solver != "lbfgs")
    assert "chainrule-network" not in type(model)()._repr_html_()
