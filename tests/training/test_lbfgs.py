"""L-BFGS through the loop is SciPy's L-BFGS on the same function."""

import numpy as np
import pytest
from scipy.optimize import minimize

from chainrule import Network, train, value_and_grad
from chainrule.errors import DivergedError, SettingError
from chainrule.training.lbfgs import LBFGS


def data(n=25):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X[:, :1]) * X[:, 1:2]


def by_scipy(network, start, X, y, memory=10, **options):
    shapes = {name: value.shape for name, value in start.items()}

    def parameters(flat):
        ends = np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1]
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(shapes.items(), np.split(flat, ends), strict=True)
        }

    def function(flat):
        value, gradient = value_and_grad(network.loss)(parameters(flat), X, y)
        return float(value), np.concatenate([g.ravel() for g in gradient.values()])

    losses = []
    flat = np.concatenate([value.ravel() for value in start.values()])
    result = minimize(
        function,
        flat,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
        options={"maxcor": memory, "ftol": 0.0, "gtol": 1e-8, **options},
    )
    return parameters(result.x), losses, result


@pytest.mark.parametrize("memory", [10, 3])
def test_it_is_scipys(memory):
    X, y = data()
    network = Network([3, 6, 1], l2=0.01)
    start = network.initialize(5)
    run = train(network, X, y, parameters=start, optimizer=f"lbfgs(memory={memory})", epochs=40)
    expected, losses, _ = by_scipy(network, start, X, y, memory, maxiter=40)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=1e-7)
    for name, value in expected.items():
        np.testing.assert_allclose(run.parameters[name], value, rtol=1e-4, atol=1e-5)
    assert run.stopped == "epochs"
    assert list(run.history) == ["loss"]  # a line search has no learning rate


def test_it_converges_on_a_linear_fit():
    X, _ = data()
    W = np.array([[1.0], [-2.0], [0.5]])
    run = train(Network([3, 1]), X, X @ W + 3, optimizer="lbfgs", epochs=500)
    assert run.stopped == "converged"
    assert run.epochs == len(run.history) < 100
    np.testing.assert_allclose(run.parameters["W1"], W, atol=1e-6)
    np.testing.assert_allclose(run.parameters["b1"], [[3.0]], atol=1e-6)


@pytest.mark.parametrize("text", ["lbfgs", "L-BFGS", "l-bfgs(memory=10)", LBFGS()])
def test_its_names(text):
    X, y = data()
    run = train(Network([3, 1]), X, y, optimizer=text, epochs=3)
    assert run.facts["optimizer"] == "lbfgs(memory=10, tolerance=1e-08)"


def test_reporting_validation_and_callbacks():
    X, y = data()
    network = Network([3, 5, 1], l2=0.1)
    told = []
    run = train(
        network,
        X,
        y,
        optimizer="lbfgs",
        epochs=12,
        validation=0.2,
        task="regression",
        report="absolute_error",
        callbacks=told.append,
    )
    assert list(run.history) == ["loss", "objective", "validation_loss", "validation_score"]
    assert [epoch.number for epoch in told] == list(range(12))
    assert run.best_epoch == int(np.argmin(run.history["validation_loss"]))
    last = told[-1].parameters
    stopped = train(
        network, X, y, optimizer="lbfgs", epochs=50, callbacks=lambda epoch: epoch.number == 4
    )
    assert (stopped.stopped, stopped.epochs) == ("callback", 5)
    assert run.history["objective"][-1] > run.history["objective"].min() - 1e-12
    assert set(last) == set(run.parameters)


def test_stop_loss_and_max_time():
    X, y = data()
    network = Network([3, 6, 1])
    losses = train(network, X, y, optimizer="lbfgs", epochs=30).history["loss"]
    run = train(network, X, y, optimizer="lbfgs", epochs=30, stop_loss=losses[10])
    assert (run.stopped, run.epochs) == ("loss", 11)
    run = train(network, X, y, optimizer="lbfgs", epochs=10**6, max_time=1e-6)
    assert (run.stopped, run.epochs) == ("time", 1)


def test_a_step_too_far_comes_back():
    # The logarithm is not defined where the first steps of the line search may go.
    X, y = np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]])

    def loss(parameters, X, y):
        w = parameters["w"]
        return np.sum((1 + X[:, 0]) * w) - 1e-3 * np.log(w)

    run = train(loss, X, y, parameters={"w": 3.0}, optimizer="lbfgs", epochs=200)
    np.testing.assert_allclose(run.parameters["w"], 1e-3 / 5, rtol=1e-4)
    assert np.isfinite(run.history["loss"]).all()


def test_a_loss_that_branches():
    X, y = data()

    def huber_by_hand(parameters, X, y):
        error = np.sqrt(np.mean((X @ parameters["w"] - y) ** 2))
        if error > 0.65:
            return error
        return 0.5 * error**2 / 0.65 + 0.325

    start = {"w": np.full((3, 1), 2.0)}
    run = train(huber_by_hand, X, y, parameters=start, optimizer="lbfgs", epochs=100)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(run.parameters["w"], best, atol=1e-5)


def test_a_start_without_a_finite_loss():
    X, y = data()

    def curved(z):
        return np.log(z)

    network = Network([3, 4, 1], activation=curved)
    with pytest.raises(DivergedError) as caught:
        train(network, X, y, optimizer="lbfgs")
    text = str(caught.value)
    assert text.startswith(
        "Training diverged in epoch 0: a1 (outputs of layer 1) is no longer finite. It first "
        "happened in computing log(z1), which is nan in "
    )
    assert "learning rate" not in text


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"clip_norm": 1.0}, "L-BFGS cannot be used with clip_norm, as its line search relies on"),
        ({"clip_value": 1.0}, "L-BFGS cannot be used with clip_value, as"),
        ({"schedule": "cosine"}, 'L-BFGS cannot be used with schedule="cosine(base=0.1, '),
        ({"optimizer": "lbfgs(memory=0)"}, "memory=0 is out of range: it takes a whole number, 1"),
        ({"optimizer": "lbfgs(steps=3)"}, "'lbfgs' has no setting 'steps'. The settings it takes:"),
        ({"optimizer": "lbfgs(tolerance=-1)"}, "tolerance=-1 is out of range"),
    ],
)
def test_what_it_cannot_be_used_with(setting, words):
    X, y = data()
    with pytest.raises(SettingError) as caught:
        train(Network([3, 4, 1]), X, y, **{"optimizer": "lbfgs", **setting})
    assert words in str(caught.value)


def test_it_cannot_be_used_with_dropout():
    X, y = data()
    with pytest.raises(SettingError) as caught:
        train(Network([3, 4, 1], dropout=0.5), X, y, optimizer="lbfgs")
    assert str(caught.value) == (
        "L-BFGS cannot be used with dropout, which makes the loss another one at every step. Leave "
        "it out, or use another optimizer."
    )
