"""The network: the notebook's numbers, masks, penalties, and what every refusal says."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import DataError, SettingError
from chainrule.networks import LOSSES, Loss, Network
from chainrule.networks.activations import relu

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[0.0], [1.0], [1.0], [0.0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def notebook(**settings):
    return Network(
        [2, 2, 1],
        **{
            "activation": "sigmoid",
            "output": "sigmoid",
            "initializer": "standard_normal",
            **settings,
        },
    )


# The notebook.


def test_the_notebook_s_draws():
    np.random.seed(42)
    W1 = np.random.randn(2, 2)
    W2 = np.random.randn(2, 1)
    parameters = notebook().initialize(42, generator="legacy")
    assert list(parameters) == ["W1", "b1", "W2", "b2"]
    np.testing.assert_array_equal(parameters["W1"], W1)
    np.testing.assert_array_equal(parameters["W2"], W2)
    np.testing.assert_array_equal(parameters["b1"], np.zeros((1, 2)), strict=True)
    np.testing.assert_array_equal(parameters["b2"], np.zeros((1, 1)), strict=True)


def test_the_notebook_s_values_by_their_names():
    network = notebook()
    parameters = network.initialize(42, generator="legacy")
    z1 = X @ parameters["W1"] + parameters["b1"]
    a1 = sigmoid(z1)
    z2 = a1 @ parameters["W2"] + parameters["b2"]
    a2 = sigmoid(z2)
    values = network.forward(parameters, X)
    assert list(values) == ["z1", "a1", "z2", "a2"]
    for name, expected in (("z1", z1), ("a1", a1), ("z2", z2), ("a2", a2)):
        np.testing.assert_allclose(values[name], expected, rtol=1e-15)
    np.testing.assert_array_equal(network.predict(parameters, X), values["a2"])
    loss = network.loss(parameters, X, y)
    np.testing.assert_allclose(loss, np.mean((y - a2) ** 2), rtol=1e-15)
    assert f"{loss:.4f}" == "0.2558"
    summed = notebook(loss="squared_error_sum").loss(parameters, X, y)
    np.testing.assert_allclose(summed, 4 * loss)


def test_the_legacy_generator_leaves_numpy_s_own_untouched():
    np.random.seed(1)
    expected = np.random.random(3)
    np.random.seed(1)
    notebook().initialize(42, generator="legacy")
    np.testing.assert_array_equal(np.random.random(3), expected)


# Computing.


def test_activations_layer_by_layer_from_z_and_a():
    network = Network([3, 4, 5, 2], activation=["tanh", np.arctan], output="softplus")
    parameters = network.initialize(0)
    X = np.random.default_rng(1).normal(size=(6, 3))
    a1 = np.tanh(X @ parameters["W1"])
    a2 = np.arctan(a1 @ parameters["W2"])
    a3 = np.logaddexp(a2 @ parameters["W3"], 0)
    np.testing.assert_allclose(network.predict(parameters, X), a3, rtol=1e-13)
    assert [layer.text for layer in network.layers] == ["tanh", "arctan", "softplus"]
    assert network.count == 12 + 4 + 20 + 5 + 10 + 2 == sum(p.size for p in parameters.values())
    assert {name: p.shape for name, p in parameters.items()} == network.parameter_shapes


def test_losses_of_logits_are_computed_from_z():
    network = Network([1, 1], loss="binary_cross_entropy")
    parameters = {"W1": np.array([[1.0]]), "b1": np.array([[0.0]])}
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = network.loss(parameters, np.array([[1e6]]), np.array([[0.0]]))
    assert loss == 1e6
    assert network.predict(parameters, np.array([[1e6]])) == 1


@pytest.mark.parametrize(("loss", "last"), [(n, e.output) for n, e in LOSSES.items()])
def test_the_output_that_goes_with_the_loss(loss, last):
    assert Network([2, 3, 2], loss=loss).layers[-1].text == last


def test_class_numbers_and_one_hot_targets_give_the_same_loss():
    network = Network([2, 3], loss="categorical_cross_entropy")
    parameters = network.initialize(3)
    classes = np.array([2, 0, 1, 1])
    np.testing.assert_allclose(
        network.loss(parameters, X, classes), network.loss(parameters, X, np.eye(3)[classes])
    )
    np.testing.assert_allclose(network.predict(parameters, X).sum(axis=1), 1)


def test_lists_are_taken_for_arrays():
    network = notebook()
    parameters = network.initialize(0)
    assert network.loss(parameters, X.tolist(), y.tolist()) == network.loss(parameters, X, y)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", ["tanh", "elu", "selu", "gelu", "leaky_relu", "softplus"])
def test_float32_parameters_keep_everything_float32(loss, activation):
    network = Network([2, 3, 2], activation, loss=loss, l1=0.1, l2=0.1, dropout=0.5)
    parameters = network.initialize(0, dtype=np.float32)
    masks = network.dropout_masks(np.random.default_rng(0), 4)
    targets = np.array([[0, 1], [1, 0], [1, 0], [0, 1]])
    for kind in (np.float32, np.float64, np.int64):
        values = network.forward(parameters, X.astype(kind), masks)
        assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}
        weight = np.ones(4, kind)
        result = network.loss(parameters, X.astype(kind), targets.astype(kind), masks, weight)
        assert result.dtype == np.float32


def test_nothing_is_changed_in_place():
    network = Network([2, 3, 1], l1=0.1, l2=0.1)
    parameters = network.initialize(0)
    before = {name: value.copy() for name, value in parameters.items()}
    X_before, y_before = X.copy(), y.copy()
    network.loss(parameters, X, y)
    for name, value in before.items():
        np.testing.assert_array_equal(parameters[name], value)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


# Penalties, weights, dropout.


def test_penalties_are_of_weights_and_not_of_biases():
    network = Network([2, 3, 1], l1=0.3, l2=0.5)
    parameters = {name: value + 1 for name, value in network.initialize(0).items()}
    W = np.concatenate([parameters["W1"].ravel(), parameters["W2"].ravel()])
    expected = 0.3 * np.abs(W).sum() + 0.25 * (W**2).sum()
    np.testing.assert_allclose(network.penalty(parameters), expected)
    data_loss = Network([2, 3, 1]).loss(parameters, X, y)
    np.testing.assert_allclose(network.data_loss(parameters, X, y), data_loss)
    np.testing.assert_allclose(network.loss(parameters, X, y), data_loss + expected)


def test_no_penalty_adds_nothing():
    network = Network([2, 3, 1])
    assert network.penalty(network.initialize(0)) == 0


def test_a_weight_of_two_counts_a_sample_twice():
    network = notebook()
    parameters = network.initialize(1)
    twice = network.loss(parameters, X[[0, 1, 1, 2, 3]], y[[0, 1, 1, 2, 3]])
    weighted = network.loss(parameters, X, y, weight=np.array([1.0, 2.0, 1.0, 1.0]))
    np.testing.assert_allclose(weighted, twice)


def test_an_own_loss_with_weights():
    def cubed(output, target, weight):
        return np.sum(weight * np.abs(output - target)[:, 0] ** 3)

    network = Network([2, 1], loss=cubed)
    parameters = network.initialize(0)
    weight = np.arange(4.0)
    errors = np.abs(network.predict(parameters, X) - y)[:, 0] ** 3
    np.testing.assert_allclose(
        network.loss(parameters, X, y, weight=weight), (weight * errors).sum()
    )


def test_masks_are_zero_or_scaled_up_and_average_to_one():
    network = Network([2, 500, 400, 1], dropout=[0.2, 0.0])
    masks = network.dropout_masks(np.random.default_rng(0), 300)
    assert list(masks) == ["m1"]
    assert masks["m1"].shape == (300, 500)
    np.testing.assert_array_equal(np.unique(masks["m1"]), [0, 1.25])
    np.testing.assert_allclose(masks["m1"].mean(), 1, atol=0.01)
    assert network.dropout_masks(np.random.default_rng(0), 2, np.float32)["m1"].dtype == np.float32
    assert Network([2, 3, 1]).dropout_masks(np.random.default_rng(0), 2) == {}


def test_a_mask_multiplies_the_activation():
    network = Network([2, 3, 1], dropout=0.5)
    parameters = network.initialize(0)
    mask = np.array([[0.0, 2.0, 0.0]] * 4)
    values = network.forward(parameters, X, {"m1": mask})
    np.testing.assert_array_equal(values["a1"], np.tanh(values["z1"]) * mask)
    expected = values["a1"] @ parameters["W2"] + parameters["b2"]
    np.testing.assert_array_equal(values["a2"], expected)
    unmasked = network.forward(parameters, X)
    np.testing.assert_array_equal(unmasked["a1"], np.tanh(unmasked["z1"]))


@given(st.floats(0.05, 0.95), st.integers(0, 99))
def test_dropout_keeps_the_mean_of_the_pre_activation(rate, seed):
    network = Network([1, 400, 1], activation="identity", dropout=rate)
    parameters = {
        "W1": np.ones((1, 400)),
        "b1": np.zeros((1, 400)),
        "W2": np.full((400, 1), 1 / 400),
        "b2": np.zeros((1, 1)),
    }
    masks = network.dropout_masks(np.random.default_rng(seed), 1)
    value = network.forward(parameters, np.ones((1, 1)), masks)["a2"].item()
    assert abs(value - 1) < 6 * np.sqrt(rate / (1 - rate) / 400)


# Initial parameters.


def test_the_same_seed_gives_the_same_bits():
    network = Network([2, 3, 1], initializer="he")
    one, two, other = network.initialize(1), network.initialize(1), network.initialize(2)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], strict=True)
    assert (one["W1"] != other["W1"]).all()


def test_float32_parameters_are_the_float64_ones_rounded():
    network = Network([2, 3, 1])
    wide, narrow = network.initialize(1), network.initialize(1, dtype="float32")
    for name in wide:
        np.testing.assert_array_equal(wide[name].astype(np.float32), narrow[name], strict=True)


def test_a_generator_goes_on_where_it_stands():
    rng = np.random.default_rng(3)
    network = Network([2, 3, 1])
    first, second = network.initialize(rng), network.initialize(rng)
    assert (first["W1"] != second["W1"]).all()
    np.testing.assert_array_equal(first["W1"], network.initialize(3)["W1"])


def test_an_own_initializer():
    network = Network([2, 3, 1], initializer=lambda rng, fan_in, fan_out: np.eye(fan_in, fan_out))
    np.testing.assert_array_equal(network.initialize(0)["W1"], np.eye(2, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda rng, fan_in, fan_out: np.ones((fan_out, fan_in)),
        lambda rng, fan_in, fan_out: np.full((fan_in, fan_out), np.nan),
        lambda rng, fan_in, fan_out: np.full((fan_in, fan_out), "a"),
    ],
)
def test_an_own_initializer_that_gives_something_else(make):
    with pytest.raises(SettingError) as caught:
        Network([2, 3, 1], initializer=make).initialize(0)
    message = str(caught.value)
    assert "The initializer <lambda> gave W1 of shape" in message
    assert "it must give finite real numbers of shape (2, 3)." in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed=-1 cannot be used: give a whole number, 0 or more."),
        ({"seed": 1.5}, "seed=1.5 cannot be used"),
        ({"seed": True}, "seed=True cannot be used"),
        ({"seed": 2**32, "generator": "legacy"}, "give a whole number, 0 or more below 2**32."),
        ({"generator": "legasy"}, "generator='legasy' is not known. Did you mean 'legacy'?"),
        ({"dtype": np.float16}, "dtype='float16' is not offered: use 'float64' or 'float32'."),
        ({"dtype": complex}, "dtype='complex128' is not offered"),
    ],
)
def test_what_initialize_refuses(arguments, words):
    with pytest.raises(SettingError) as caught:
        Network([2, 1]).initialize(**arguments)
    assert words in str(caught.value)


# Settings.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sizes": [2]}, "sizes=[2] cannot be used: it lists the widths"),
        ({"sizes": 3}, "sizes=3 cannot be used"),
        ({"sizes": "2-2-1"}, "such as [2, 2, 1]"),
        ({"sizes": [2, 0, 1]}, "sizes=[2, 0, 1] cannot be used"),
        ({"sizes": [2, 2.0, 1]}, "sizes=[2, 2.0, 1] cannot be used"),
        ({"activation": "tahn"}, "activation='tahn' is not known. Did you mean 'tanh'?"),
        ({"output": "sigmod"}, "output='sigmod' is not known. Did you mean 'sigmoid'?"),
        ({"loss": "mse"}, "loss='mse' is not known."),
        ({"initializer": "glorott"}, "initializer='glorott' is not known. Did you mean 'glorot'?"),
        ({"activation": ["tanh"] * 2}, "activation lists 2 values, but the network has 1 hidden l"),
        ({"dropout": [0.1, 0.2]}, "dropout lists 2 values, but the network has 1 hidden layer:"),
        ({"dropout": 1.0}, "dropout=1.0 is out of range: it takes a number from 0 up to"),
        ({"dropout": "a"}, "dropout='a' is out of range"),
        ({"l1": -0.1}, "l1=-0.1 is out of range: it takes a number, 0 or more."),
        ({"l2": float("nan")}, "l2=nan is out of range"),
        ({"loss": "huber(delta=0)"}, "loss 'huber': delta=0 is out of range"),
    ],
)
def test_a_setting_that_cannot_be_used(settings, words):
    with pytest.raises(SettingError) as caught:
        Network(**{"sizes": [2, 2, 1], **settings})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"output": "softmax", "loss": "binary_cross_entropy"},
            (
                "output='softmax' does not go with loss='binary_cross_entropy', which is computed "
                "from the last layer's pre-activations and would not use it. "
                "Use output='sigmoid', the default for this loss, "
                "or loss='categorical_cross_entropy'."
            ),
        ),
        (
            {"output": "sigmoid", "loss": "categorical_cross_entropy"},
            "Use output='softmax', the default for this loss, or loss='binary_cross_entropy'.",
        ),
        (
            {"output": np.arctan, "loss": "binary_cross_entropy"},
            "or a loss function of your own, which is given your output's values.",
        ),
        ({"output": "tanh", "loss": "hinge"}, "Use output='identity', the default for this loss."),
        ({"output": "relu", "loss": "poisson"}, "Use output='exponential'"),
        (
            {"sizes": [2, 1], "loss": "categorical_cross_entropy"},
            (
                "needs one output per class, 2 or more, but sizes ends in 1. For two classes with "
                "one output, use loss='binary_cross_entropy'."
            ),
        ),
        (
            {"sizes": [2, 1], "output": "softmax"},
            (
                "Layer 1 has one unit, and softmax of a single number is always 1: nothing could "
                "be learned. Use 'sigmoid', or a width of 2 or more."
            ),
        ),
        ({"sizes": [2, 1, 2], "activation": "softmax"}, "Layer 1 has one unit, and softmax"),
    ],
)
def test_settings_that_do_not_go_together(settings, words):
    with pytest.raises(SettingError) as caught:
        Network(**{"sizes": [2, 2, 2], **settings})
    assert words in str(caught.value)


def test_identity_is_allowed_beside_losses_of_logits():
    network = Network([2, 1], output="identity", loss="binary_cross_entropy")
    parameters = network.initialize(0)
    values = network.forward(parameters, X)
    np.testing.assert_array_equal(network.predict(parameters, X), values["z1"])


def test_a_network_does_not_change():
    network = Network([2, 1])
    with pytest.raises(AttributeError) as caught:
        network.l2 = 1.0
    assert "A Network does not change, so l2 cannot be set" in str(caught.value)


# Shapes at call time.


def parameters_of(network, **changed):
    return {**network.initialize(0), **changed}


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros(2), "X has shape (2,); the network takes one row per sample, (n, 2)."),
        (np.zeros(2), "For one sample, write X.reshape(1, 2)"),
        (np.zeros((3, 2, 2)), "Flatten each sample first: X.reshape(len(X), 2)."),
        (np.zeros((5, 3)), "X has 3 columns, shape (5, 3), but the network takes 2 inputs."),
        (np.zeros((5, 3)), "make the network with sizes=[3, …]."),
        (np.zeros((0, 2)), "X has no rows, shape (0, 2)"),
    ],
)
def test_an_x_that_does_not_fit(X, words):
    network = Network([2, 2, 1])
    with pytest.raises(DataError) as caught:
        network.predict(network.initialize(0), X)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "settings", "words"),
    [
        (
            np.zeros(4),
            {},
            (
                "y has shape (4,), but the network's output has shape (4, 1) for this X. NumPy "
                "would broadcast the two to (4, 4) and compare every target with every output. "
                "Write y.reshape(-1, 1)."
            ),
        ),
        (np.zeros((3, 1)), {}, "X has 4 rows and y has 3: give one target per row of X."),
        (np.zeros((4, 2)), {}, "Give 1 target per sample, or make the last of sizes 2."),
        (np.zeros(4), {"sizes": [2, 3]}, "Give one row of 3 targets per sample."),
        (np.float64(1), {}, "y has shape (), but"),
        (
            np.zeros((4, 1), int),
            {"sizes": [2, 3], "loss": "categorical_cross_entropy"},
            "For class numbers, write y.ravel(), shape (4,).",
        ),
        (
            np.zeros(3, int),
            {"sizes": [2, 3], "loss": "categorical_cross_entropy"},
            "X has 4 rows, but y has 3 class numbers.",
        ),
        (
            np.zeros(4),
            {"sizes": [2, 3], "loss": "categorical_cross_entropy"},
            (
                "y has shape (4,) and dtype float64; class numbers are integers 0 … 2. Write "
                "y.astype(int), or one-hot rows of shape (4, 3)."
            ),
        ),
    ],
)
def test_a_y_that_does_not_fit(targets, settings, words):
    network = Network(**{"sizes": [2, 2, 1], **settings})
    with pytest.raises(DataError) as caught:
        network.loss(network.initialize(0), X, targets)
    assert words in str(caught.value)


def test_parameters_that_do_not_fit():
    network = Network([2, 3, 1])
    parameters = network.initialize(0)
    with pytest.raises(SettingError) as caught:
        network.predict({**parameters, "W1": parameters["W1"].T}, X)
    assert str(caught.value) == (
        "The parameter W1 has shape (3, 2), but this network's W1 has shape (2, 3)."
    )
    with pytest.raises(SettingError) as caught:
        network.predict({"W1": parameters["W1"], "w2": parameters["W2"]}, X)
    assert str(caught.value) == (
        "The parameters lack b1, W2, b2 and have also w2. "
        "This network has W1, b1, W2, b2; initialize(seed) makes them."
    )


def test_weights_and_masks_that_do_not_fit():
    network = Network([2, 3, 1])
    parameters = network.initialize(0)
    with pytest.raises(DataError) as caught:
        network.loss(parameters, X, y, weight=np.ones((4, 1)))
    assert "The sample weights have shape (4, 1), but X has 4 rows: give shape (4,)" in str(
        caught.value
    )
    for masks in ({"m1": np.ones((3, 3))}, {"m2": np.ones((4, 1))}):
        with pytest.raises(SettingError) as caught:
            network.loss(parameters, X, y, masks)
        assert "takes for these rows are: m1 of shape (4, 3)" in str(caught.value)


def test_own_functions_that_give_the_wrong_shape():
    network = Network([2, 3, 1], activation=lambda z: z.sum(axis=1))
    with pytest.raises(SettingError) as caught:
        network.predict(network.initialize(0), X)
    assert str(caught.value) == (
        "The activation <lambda> of layer 1 gave shape (4,) for an input of shape (4, 3); "
        "it must keep the shape."
    )
    network = Network([2, 1], loss=lambda output, target: (output - target) ** 2)
    with pytest.raises(SettingError) as caught:
        network.loss(network.initialize(0), X, y)
    assert str(caught.value) == (
        "The loss <lambda> gave shape (4, 1); it must give one number. Take np.mean or np.sum of "
        "it."
    )
    with pytest.raises(SettingError) as caught:
        network.loss(network.initialize(0), X, y, weight=np.ones(4))
    assert "Sample weights were given, but the loss <lambda> takes only (output, target)." in str(
        caught.value
    )


# Values.


@pytest.mark.parametrize(
    ("settings", "targets", "words"),
    [
        ({}, np.array([[0], [np.nan], [1], [0]]), "y[1, 0] = nan is not finite (1 of 4 values)."),
        ({}, np.array([["a"], ["b"], ["c"], ["d"]]), "y has dtype <U1; it must hold real numbers."),
        (
            {"loss": "binary_cross_entropy"},
            2 * y - 1,
            (
                "y[0, 0] = -1.0 is not from 0 to 1, as binary_cross_entropy needs (2 of 4 values). "
                "Targets of -1 and 1 become 0 and 1 by (y + 1) / 2."
            ),
        ),
        ({"loss": "hinge"}, y / 2, "y[1, 0] = 0.5 is neither 0 nor 1, as hinge needs"),
        ({"loss": "poisson"}, -y, "y[1, 0] = -1.0 is negative; poisson needs counts"),
        (
            {"sizes": [2, 3], "loss": "categorical_cross_entropy"},
            np.array([1, 2, 3, 0]),
            "y[2] = 3 is no class number 0 … 2 (1 of 4 values). The output has 3.",
        ),
        (
            {"sizes": [2, 2], "loss": "categorical_cross_entropy"},
            np.array([[1, 0], [1, 1], [0, 1], [0, 0]]),
            (
                "Row 1 of y, counted from 0, sums to 2; the rows of one-hot targets sum to 1 (2 of "
                "4 rows do not)."
            ),
        ),
        (
            {"sizes": [2, 2], "loss": "categorical_cross_entropy"},
            np.array([[1, 0], [2, -1], [0, 1], [0, 1]]),
            "y[1, 0] = 2 is not from 0 to 1, as categorical_cross_entropy needs",
        ),
    ],
)
def test_values_that_the_loss_cannot_use(settings, targets, words):
    network = Network(**{"sizes": [2, 1], **settings})
    with pytest.raises(DataError) as caught:
        network.check_data(X, targets)
    assert words in str(caught.value)


def test_an_x_that_is_not_finite():
    bad = X.copy()
    bad[2, 1] = np.inf
    with pytest.raises(DataError) as caught:
        Network([2, 1]).check_data(bad, y)
    assert str(caught.value) == (
        "X[2, 1] = inf is not finite (1 of 8 values). Remove or fill such rows."
    )


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_good_values_pass(loss):
    Network([2, 2], loss=loss).check_data(X, np.array([[0, 1], [1, 0], [1, 0], [0, 1]]))


# Text and JSON.

networks = st.builds(
    Network,
    sizes=st.lists(st.integers(2, 5), min_size=4, max_size=4),
    activation=st.one_of(
        st.sampled_from(["tanh", "relu", "leaky_relu(slope=0.2)"]),
        st.lists(st.sampled_from(["gelu", "elu(alpha=2)"]), min_size=2, max_size=2),
    ),
    output=st.sampled_from([None, "identity"]),
    loss=st.sampled_from([*LOSSES, "huber(delta=2)", "quantile(q=0.1)"]),
    initializer=st.sampled_from(["glorot", "uniform(limit=0.1)"]),
    l1=st.floats(0, 1),
    l2=st.integers(0, 1),
    dropout=st.one_of(st.just(0.5), st.lists(st.floats(0, 0.9), min_size=2, max_size=2)),
)


@given(networks)
def test_what_is_printed_and_saved_makes_the_same_network(network):
    assert eval(repr(network), {"Network": Network}) == network
    restored = Network.from_json(json.loads(json.dumps(network.to_json())))
    assert restored == network
    assert hash(restored) == hash(network)
    assert restored.layers == network.layers


def test_networks_that_differ_are_not_equal():
    assert Network([2, 1]) != Network([2, 2])
    assert Network([2, 1]) != Network([2, 1], l2=1.0)
    assert Network([2, 1]) != "Network([2, 1])"


def test_functions_and_losses_of_the_tables_are_saved_by_name():
    network = Network([2, 2, 1], activation=relu, loss=LOSSES["huber"], l2=np.float64(0.5))
    data = json.loads(json.dumps(network.to_json()))
    assert data["activation"] == "relu"
    assert data["loss"] == "huber"
    assert data["l2"] == 0.5


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": np.arctan},
        {"activation": ["tanh", np.arctan]},
        {"output": np.arctan},
        {"loss": np.arctan},
        {"loss": functools.partial(np.hypot)},
        {"initializer": np.arctan},
        {"loss": Loss("mine", np.hypot, "mine", own=True)},
    ],
)
def test_own_functions_are_not_saved(settings):
    network = Network([2, 2, 2, 1], **settings)
    with pytest.raises(SettingError) as caught:
        network.to_json()
    (option,) = settings
    assert f"{option} is the function " in str(caught.value)
    assert "of your own, and a saved network holds only names" in str(caught.value)


def test_a_description_that_cannot_be_read():
    with pytest.raises(SettingError, match="lacks 'sizes'"):
        Network.from_json({"l2": 0.1})
    with pytest.raises(SettingError) as caught:
        Network.from_json({"sizes": [2, 1], "drop_out": 0.1})
    assert "setting='drop_out' is not known. Did you mean 'dropout'?" in str(caught.value)
