"""Settings chosen by name: what is read, and what each refusal says."""

import contextlib
import keyword

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import SettingError
from chainrule.networks import activation, initializer, loss
from chainrule.networks.activations import leaky_relu, tanh
from chainrule.networks.choices import format_choice, nearest_first, parse_choice
from chainrule.training.optimizers import optimizer

words = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True).filter(
    lambda word: not keyword.iskeyword(word)
)
plain = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(), st.none()
)


@given(words, st.dictionaries(words, plain, max_size=4))
def test_what_is_written_is_read_back(name, settings):
    assert parse_choice("option", format_choice(name, settings)) == (name, settings)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_setting_error(text):
    with contextlib.suppress(SettingError):  # Nothing else may be raised.
        name, settings = parse_choice("option", text)
        assert parse_choice("option", format_choice(name, settings)) == (name, settings)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "relu(",
        "a b",
        "f(1)",
        "f(**{})",
        "f(x=y)",
        "f(x=__import__('os').system('false'))",
        "a.b(x=1)",
        "x = 1",
        "f(x=1); g",
        "f()()",
        "\0",
    ],
)
def test_text_that_is_no_choice_is_refused(text):
    with pytest.raises(SettingError) as caught:
        activation(text)
    message = str(caught.value)
    assert message.startswith(f"activation={text!r} cannot be read.")
    assert "'name(setting=0.5)'" in message


def test_a_hyphen_is_as_good_as_an_underscore():
    assert activation("leaky-relu").text == "leaky_relu"


def test_an_unknown_name_lists_the_nearest_first():
    with pytest.raises(SettingError) as caught:
        activation("rleu")
    message = str(caught.value)
    assert message.startswith("activation='rleu' is not known. Did you mean 'relu'?")
    assert "The choices are: relu, " in message
    assert "softplus" in message


@pytest.mark.parametrize(
    ("choose", "name", "meant"),
    [
        (loss, "mse", "squared_error"),
        (loss, "MAE", "absolute_error"),
        (loss, "bce", "binary_cross_entropy"),
        (loss, "log-loss", "binary_cross_entropy"),
        (optimizer, "sgd", "gradient_descent"),
        (activation, "swish", "silu"),
        (initializer, "xavier", "glorot"),
    ],
)
def test_a_name_that_others_use_is_understood(choose, name, meant):
    with pytest.raises(SettingError, match=f"Did you mean {meant!r}"):
        choose(name)


def test_nearest_first_keeps_every_choice():
    assert sorted(nearest_first("x", ["b", "a", "c"])) == ["a", "b", "c"]


def test_an_unknown_setting_lists_those_it_takes():
    with pytest.raises(SettingError) as caught:
        activation("leaky_relu(slop=0.1)")
    assert str(caught.value) == (
        "activation 'leaky_relu' has no setting 'slop'. The settings it takes: slope."
    )
    with pytest.raises(SettingError, match="The settings it takes: none"):
        activation("tanh(x=1)")


@pytest.mark.parametrize(
    ("choose", "text", "words"),
    [
        (activation, "leaky_relu(slope=-1)", "slope=-1 is out of range: it takes a number, 0 or"),
        (activation, "elu(alpha=0)", "alpha=0 is out of range: it takes a number above 0"),
        (activation, "elu(alpha=True)", "alpha=True is out of range"),
        (activation, "elu(alpha='1')", "alpha='1' is out of range"),
        (activation, "elu(alpha=1e999)", "alpha=inf is out of range"),
        (activation, "elu(alpha=None)", "alpha=None is out of range"),
        (loss, "quantile(q=1)", "loss 'quantile': q=1 is out of range: it takes a number between"),
        (loss, "huber(delta=0.0)", "delta=0.0 is out of range"),
        (initializer, "uniform(limit=-2)", "initializer 'uniform': limit=-2 is out of range"),
    ],
)
def test_a_setting_out_of_range_is_named(choose, text, words):
    with pytest.raises(SettingError) as caught:
        choose(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", [3, None, 1.5, b"tanh"])
def test_neither_a_name_nor_a_function(value):
    with pytest.raises(SettingError) as caught:
        activation(value)
    message = str(caught.value)
    assert (
        f"activation={value!r} is of type {type(value).__name__}; it takes a name or a function"
        in (message)
    )
    assert "tanh" in message


def test_a_function_of_the_table_is_known_by_its_name():
    assert activation(tanh).text == "tanh"
    assert not activation(tanh).own
    assert activation("leaky_relu").function is leaky_relu


def test_an_own_function_is_called_as_it_is():
    choice = activation(np.arctan)
    assert choice.own
    assert choice.text == "arctan"
    assert choice(1.0) == np.arctan(1.0)
    assert activation(choice) is choice
