"""What `train` refuses, and the words with which it does."""

import numpy as np
import pytest

from chainrule import Network, train
from chainrule.errors import DataError, SettingError
from chainrule.training.schedules import constant

X = np.linspace(-1, 1, 24).reshape(8, 3)
Y = np.arange(8.0).reshape(8, 1)


def hole(array, *places):
    array = array.copy()
    for row, value in places:
        array[row, 0] = value
    return array


ENCODE = "Encode texts and categories first, for example with chainrule.data.Preparation."
INPUTS = "Give it 3 columns, or make the network with sizes=[2, …]."


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (X.astype(str), Y, f"X has dtype <U32: training takes numbers. {ENCODE}"),
        (X, np.array([["a"]] * 8), f"y has dtype <U1: training takes numbers. {ENCODE}"),
        (X.astype(complex), Y, "X has complex numbers. Give real and imaginary parts as columns."),
        (
            [[1, 2, 3], [4, 5]],
            Y,
            (
                "X holds rows of different lengths, so it is no array of numbers. Give every "
                "sample as many numbers."
            ),
        ),
        (
            hole(X, (2, np.nan), (3, np.inf)),
            Y,
            (
                "X holds 2 values that are missing or infinite, the first in row 2, counted from "
                "0. Remove or replace them."
            ),
        ),
        (
            X,
            hole(Y, (5, np.nan)),
            (
                "y holds 1 value that is missing or infinite, the first in row 5, counted from 0. "
                "Remove or replace them."
            ),
        ),
        (
            np.array([[None, 1.0, 2.0]] * 8, dtype=object),
            Y,
            (
                "X holds 8 values that are missing or infinite, the first in row 0, counted from "
                "0. Remove or replace them."
            ),
        ),
        (
            np.ma.array(X, mask=X > 0),
            Y,
            "X is a masked array. Fill or remove the masked values first.",
        ),
        (X[:0], Y[:0], "X has shape (0, 3): it holds no samples."),
        (3.0, Y, "X has shape (): it holds no samples."),
        (
            X,
            Y[:5],
            (
                "X has 8 samples (shape (8, 3)), and its y has shape (5, 1): give one target per "
                "sample."
            ),
        ),
        (X, 1.0, "X has 8 samples (shape (8, 3)), and its y has shape (): give one target per "),
        (X, None, "y is missing: a network learns from targets, one per sample."),
        (
            X[:, 0],
            Y,
            (
                "X has shape (8,); the network takes one row per sample, (n, 3). For one sample, "
                "write X.reshape(1, 3); for one feature, X.reshape(-1, 1)."
            ),
        ),
        (
            X[:, :2],
            Y,
            f"X has 2 columns, shape (8, 2), but the network takes 3 inputs. {INPUTS}",
        ),
        (X, np.hstack([Y, Y]), "y has shape (8, 2), but the network's output has shape (8, 1)"),
    ],
)
def test_data(X, y, words):
    with pytest.raises(DataError) as caught:
        train(Network([3, 2, 1]), X, y)
    assert str(caught.value).startswith(words)


def test_sparse_matrices():
    import scipy.sparse

    with pytest.raises(DataError) as caught:
        train(Network([3, 1]), scipy.sparse.csr_array(X), Y)
    assert str(caught.value) == "X is a sparse matrix. Give its numbers: X.toarray()."


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "words"),
    [
        (
            "categorical_cross_entropy",
            3,
            np.arange(8),
            "y[3] = 3 is no class number 0 … 2 (5 of 8 values). The output has 3.",
        ),
        (
            "categorical_cross_entropy",
            3,
            np.arange(8) + 0.5,
            (
                "y has shape (8,) and dtype float64; class numbers are integers 0 … 2. Write "
                "y.astype(int), or one-hot rows of shape (8, 3)."
            ),
        ),
        (
            "binary_cross_entropy",
            1,
            2.0 * (Y > 3) - 1,
            (
                "y[0, 0] = -1.0 is not from 0 to 1, as binary_cross_entropy needs (4 of 8 values). "
                "Targets of -1 and 1 become 0 and 1 by (y + 1) / 2."
            ),
        ),
        ("poisson", 1, Y - 1, "y[0, 0] = -1.0 is negative; poisson needs counts (1 of 8 values)."),
    ],
)
def test_targets_that_the_loss_cannot_use(loss, outputs, y, words):
    with pytest.raises(DataError) as caught:
        train(Network([3, outputs], loss=loss), X, y)
    assert str(caught.value).startswith(words)


def test_the_validation_data_is_named():
    network = Network([3, 1])
    with pytest.raises(DataError) as caught:
        train(network, X, Y, validation=(X[:, :2], Y))
    assert str(caught.value).startswith(
        "In the validation data: X has 2 columns, shape (8, 2), but"
    )
    with pytest.raises(DataError, match="The validation y holds 1 value that is missing"):
        train(network, X, Y, validation=(X, hole(Y, (1, np.nan))))
    with pytest.raises(DataError) as caught:
        train(network, X, Y, validation=(X, Y[1:]))
    assert str(caught.value).startswith("The validation X has 8 samples (shape (8, 3)), and its y")


def test_a_reported_loss_must_fit_the_targets():
    classes = Network([3, 3], loss="categorical_cross_entropy")
    with pytest.raises(DataError) as caught:
        train(classes, X, np.arange(8) % 3, report="squared_error")
    assert str(caught.value) == (
        "y holds class numbers, shape (8,), which report='squared_error' cannot be computed from. "
        "Give one-hot rows instead, such as np.eye(classes)[y]."
    )
    with pytest.raises(DataError, match=r"For report=.poisson.: y\[0, 0\] = -2.0 is negative"):
        train(Network([3, 1]), X, Y - 2, report="poisson")


# Settings.


RANGES = {
    "epochs": ([1.5, -1, "a", None, True], "a whole number, 0 or more"),
    "batch_size": ([0, -1, 2.5], "a whole number, 1 or more"),
    "learning_rate": ([-0.1, float("nan"), "fast"], "a number, 0 or more"),
    "seed": ([-1, 1.5, None], "a whole number, 0 or more"),
    "patience": ([-1, 2.5], "a whole number, 0 or more"),
    "tolerance": ([-1, None], "a number, 0 or more"),
    "clip_norm": ([0, -1.0], "a number above 0"),
    "clip_value": ([0.0, "1"], "a number above 0"),
    "stop_loss": (["low", float("nan")], "a finite number"),
    "max_time": ([0, -5], "a number above 0"),
    "checkpoint_every": ([-1, None], "a number, 0 or more"),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges(name):
    wrong, words = RANGES[name]
    for value in wrong:
        with pytest.raises(SettingError) as caught:
            train(Network([3, 1]), X, Y, **{name: value})
        assert str(caught.value) == f"{name}={value!r} is out of range: it takes {words}."


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"optimizer": "adan"},
            "optimizer='adan' is not known. Did you mean 'adam'? The choices are: adam, adamw, ",
        ),
        ({"optimizer": "lbfg"}, "optimizer='lbfg' is not known. Did you mean 'lbfgs'?"),
        ({"optimizer": "adam(beta1=2)"}, "optimizer 'adam': beta1=2 is out of range"),
        ({"optimizer": 3}, "optimizer=3 is of type int; it takes a name or a function."),
        ({"schedule": "cosin"}, "schedule='cosin' is not known. Did you mean 'cosine'?"),
        ({"schedule": "step"}, "schedule 'step' needs every. Write it as 'step(every=…)'."),
        (
            {"schedule": lambda step, epoch: -1.0},
            "The schedule <lambda> gave the learning rate -1.0 at step 0, epoch 0; it must give a ",
        ),
        (
            {"schedule": lambda step, epoch: 0.1, "learning_rate": 0.2},
            "learning_rate=0.2 is given beside a schedule of your own, <lambda>, which sets the ",
        ),
        (
            {"schedule": constant(base=0.1), "learning_rate": 0.2},
            "learning_rate=0.2 is given beside a schedule of your own, constant, which sets the ",
        ),
        ({"callbacks": 3}, "callbacks=3 cannot be called: give functions of an Epoch."),
        ({"callbacks": [None]}, "callbacks holds None, which cannot be called. A callback is a "),
        ({"shuffle": "no"}, "shuffle='no' must be True or False."),
        ({"restore_best": None}, "restore_best=None must be True or False."),
        (
            {"task": "classify"},
            "task='classify' must be 'classification', 'regression' or None.",
        ),
        ({"dtype": "float16"}, "dtype='float16' is not offered: use 'float64' or 'float32'."),
        ({"dtype": "double precision"}, "dtype='double precision' is not offered: use"),
        ({"dtype": int}, "dtype=<class 'int'> is not offered: use"),
        ({"engine": "fast"}, "engine='fast' is none that there is: give 'native', 'interpreter', "),
        ({"report": "squared"}, "report='squared' is not known. Did you mean 'squared_error'?"),
        (
            {"validation": 1.5},
            "The validation fraction is 1.5, and must be at least 0 and less than 1.",
        ),
        (
            {"validation": "some"},
            (
                "validation='some' cannot be used: give a fraction from 0 up to, but not "
                "including, 1, the pair (X, y), or None."
            ),
        ),
        ({"validation": True}, "validation=True cannot be used: give a fraction"),
        ({"validation": (X,)}, "validation holds 1 values: give the pair (X, y), or a fraction."),
    ],
)
def test_settings(settings, words):
    with pytest.raises(SettingError) as caught:
        train(Network([3, 1]), X, Y, **settings)
    assert str(caught.value).startswith(words)


# Parameters and models.


def squares(parameters, X, y):
    return np.mean((X @ parameters["w"] - y) ** 2)


@pytest.mark.parametrize(
    ("model", "parameters", "words"),
    [
        (
            squares,
            {"w": np.zeros((3, 1), int)},
            (
                "parameters['w'] has dtype int64; training changes numbers of dtype float64 or "
                "float32. Convert it with .astype(float)."
            ),
        ),
        (squares, {"w": 1}, "parameters['w'] has dtype int64; training changes numbers of dtype "),
        (squares, {"w": np.zeros(3, np.float16)}, "parameters['w'] has dtype float16; training"),
        (squares, {"w": "zero"}, "parameters['w'] has dtype <U4; training changes numbers"),
        (squares, {"w": np.array([np.nan])}, "parameters['w'] is not finite to begin with. Start"),
        (squares, {}, "parameters holds no arrays, so there is nothing to train."),
        (
            Network([3, 1]),
            {"w": np.ones(3)},
            "The parameters lack W1, b1 and have also w. This network has W1, b1; initialize(seed)",
        ),
        (
            Network([3, 1]),
            {"W1": np.ones((3, 2)), "b1": np.ones((1, 1))},
            "The parameter W1 has shape (3, 2), but this network's W1 has shape (3, 1).",
        ),
        (Network([3, 1]), [np.ones(3)], "parameters is a list; a Network takes a dict of W1, b1,"),
        ("mlp", None, "The model is a str: give a Network, or a NumPy function (parameters, X, y)"),
        (
            lambda p, X, y: (X @ p["w"] - y) ** 2,
            {"w": np.ones((3, 1))},
            (
                "The loss function <lambda> returned an array of shape (8, 1); it must return one "
                "number. Reduce it with np.mean or np.sum."
            ),
        ),
        (
            lambda p, X, y: None,
            {"w": np.ones((3, 1))},
            "The loss function <lambda> returned a NoneType; it must return one number.",
        ),
        (
            lambda p, X, y: np.sum(X),
            {"w": np.ones((3, 1))},
            "The loss function <lambda> does not depend on the parameters, so there is nothing to ",
        ),
        (lambda p, X, y: 1.0, {"w": np.ones((3, 1))}, "The loss function <lambda> does not depend"),
        (
            lambda p, X: np.sum(p["w"]),
            {"w": np.ones((3, 1))},
            (
                "The loss function <lambda>(p, X) is called with (parameters, X, y), as y is "
                "given, which it does not take."
            ),
        ),
    ],
)
def test_models(model, parameters, words):
    with pytest.raises(SettingError) as caught:
        train(model, X, Y, parameters=parameters)
    assert str(caught.value).startswith(words)


def test_a_function_that_asks_for_targets_that_are_not_there():
    with pytest.raises(SettingError) as caught:
        train(squares, X, parameters={"w": np.ones((3, 1))})
    assert str(caught.value) == (
        "The loss function squares(parameters, X, y) is called with (parameters, X), as no y is "
        "given, which it does not take."
    )


def test_what_only_a_network_has():
    with pytest.raises(SettingError, match="report= names another loss of a Network's outputs"):
        train(squares, X, Y, parameters={"w": np.ones((3, 1))}, report="huber")
    with pytest.raises(SettingError, match="task='regression' asks for a score of a Network's"):
        train(squares, X, Y, parameters={"w": np.ones((3, 1))}, task="regression")
