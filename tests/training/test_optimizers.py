"""Optimisers against hand-written loops, PyTorch and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.errors import SettingError
from chainrule.interpreter import evaluate
from chainrule.pytrees import flatten, map_leaves
from chainrule.tracer import trace
from chainrule.training import optimizers
from chainrule.training.optimizers import OPTIMIZERS, clip_by_norm, clip_by_value, optimizer

STEPS = 30
# The learning rate changes on the way, so that where it enters a state can be seen.
RATES = [0.1 if t < 20 else 0.02 for t in range(STEPS)]


def start(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {
        "W1": rng.normal(size=(2, 3)).astype(dtype),
        "b1": np.zeros((1, 3), dtype),
        "rest": [rng.normal(size=4).astype(dtype), np.array(0.5, dtype)],
    }


def gradients(dtype=np.float64):
    rng = np.random.default_rng(1)

    def draw(leaf):
        return np.asarray(rng.normal(size=leaf.shape) * 3, dtype)

    return [map_leaves(draw, start()) for _ in range(STEPS)]


def run(chosen, dtype=np.float64, rates=RATES):
    parameters = start(dtype)
    state = chosen.initialize(parameters)
    for g, rate in zip(gradients(dtype), rates, strict=True):
        parameters, state = chosen.update(parameters, g, state, rate)
    return parameters, state


def by_hand(step, rates=RATES):
    """``step(W, g, memory, rate, t)`` run on each leaf on its own, in place."""
    leaves, structure = flatten(start())
    columns = [flatten(tree)[0] for tree in gradients()]
    ends = []
    for index, leaf in enumerate(leaves):
        W, memory = np.array(leaf), {}
        for t, rate in enumerate(rates, start=1):
            step(W, columns[t - 1][index], memory, rate, t)
        ends.append(W)
    return structure.unflatten(ends)


def assert_trees_close(one, two, rtol=1e-12):
    for a, b in zip(flatten(one)[0], flatten(two)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


# By hand, from the papers.


def gradient_descent(W, g, memory, rate, t):
    W -= rate * g


def momentum(W, g, memory, rate, t, mu=0.9):
    memory["v"] = mu * memory.get("v", 0) - rate * g
    W += memory["v"]


def nesterov(W, g, memory, rate, t, mu=0.9):
    memory["v"] = mu * memory.get("v", 0) - rate * g
    W += mu * memory["v"] - rate * g


def rmsprop(W, g, memory, rate, t, rho=0.9, epsilon=1e-8):
    memory["s"] = rho * memory.get("s", 0) + (1 - rho) * g * g
    W -= rate * g / (np.sqrt(memory["s"]) + epsilon)


def adagrad(W, g, memory, rate, t, epsilon=1e-10):
    memory["s"] = memory.get("s", 0) + g * g
    W -= rate * g / (np.sqrt(memory["s"]) + epsilon)


def adam(W, g, memory, rate, t, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * g
    memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * g * g
    m, v = memory["m"] / (1 - beta1**t), memory["v"] / (1 - beta2**t)
    W -= rate * (m / (np.sqrt(v) + epsilon) + decay * W)


def adam_rate(W, g, memory, rate, t, beta1=0.9, beta2=0.999, epsilon=0.1):
    memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * g
    memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * g * g
    rate = rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    W -= rate * memory["m"] / (np.sqrt(memory["v"]) + epsilon)


def lion(W, g, memory, rate, t, beta1=0.9, beta2=0.99, decay=0.0):
    m = memory.get("m", np.zeros_like(W))
    W -= rate * (np.sign(beta1 * m + (1 - beta1) * g) + decay * W)
    memory["m"] = beta2 * m + (1 - beta2) * g


BY_HAND = {
    "gradient_descent": gradient_descent,
    "momentum": momentum,
    "momentum(momentum=0)": gradient_descent,
    "nesterov": nesterov,
    "nesterov(momentum=0.5)": lambda *a: nesterov(*a, mu=0.5),
    "rmsprop": rmsprop,
    "rmsprop(decay=0.5, epsilon=0.1)": lambda *a: rmsprop(*a, rho=0.5, epsilon=0.1),
    "adagrad": adagrad,
    "adam": adam,
    "adam(beta1=0)": lambda *a: adam(*a, beta1=0),
    "adam(beta2=0, epsilon=0.1)": lambda *a: adam(*a, beta2=0, epsilon=0.1),
    "adam(epsilon=0.1)": lambda *a: adam(*a, epsilon=0.1),
    "adam(epsilon=0.1, correction='rate')": adam_rate,
    "adamw": lambda *a: adam(*a, decay=0.01),
    "adamw(weight_decay=0.5, beta1=0.5)": lambda *a: adam(*a, decay=0.5, beta1=0.5),
    "lion": lion,
    "lion(weight_decay=0.3, beta1=0.5)": lambda *a: lion(*a, decay=0.3, beta1=0.5),
}


def test_every_optimizer_is_written_out_by_hand_here():
    assert {text.split("(")[0] for text in BY_HAND} == set(OPTIMIZERS)


@pytest.mark.parametrize("text", BY_HAND)
def test_as_written_out_by_hand(text):
    parameters, _ = run(optimizer(text))
    assert_trees_close(parameters, by_hand(BY_HAND[text]))


def test_gradient_descent_is_the_notebook_s_update_to_the_last_bit():
    parameters, state = run(optimizer("gradient_descent"))
    for ours, notebook in zip(
        flatten(parameters)[0], flatten(by_hand(gradient_descent))[0], strict=True
    ):
        np.testing.assert_array_equal(ours, notebook)
    assert state == {}


@pytest.mark.parametrize("text", BY_HAND)
@pytest.mark.parametrize("rate", [float, np.float64, np.array, np.float32])
def test_float32_stays_float32(text, rate):
    narrow, state = run(optimizer(text), np.float32, [rate(r) for r in RATES])
    for leaf in (*flatten(narrow)[0], *flatten(state)[0]):
        assert leaf.dtype == np.float32
    wide, _ = run(optimizer(text))
    if not text.startswith("lion"):  # A sign may differ.
        assert_trees_close(map_leaves(np.float64, narrow), wide, rtol=2e-4)


def test_adam_s_bias_correction_is_exact_in_float32():
    W = np.ones(1, np.float32)
    chosen = optimizer("adam(epsilon=1e-30)")
    W1, _ = chosen.update(W, W, chosen.initialize(W), 0.25)
    np.testing.assert_allclose(W1, 0.75, rtol=3e-7)


def test_leaves_of_different_dtypes_keep_their_own():
    parameters = {"W": np.ones(2, np.float32), "b": np.ones(2)}
    for text in BY_HAND:
        chosen = optimizer(text)
        after, _ = chosen.update(parameters, parameters, chosen.initialize(parameters), 0.1)
        assert {name: leaf.dtype for name, leaf in after.items()} == {
            "W": np.float32,
            "b": np.float64,
        }


@pytest.mark.parametrize("text", BY_HAND)
def test_nothing_is_changed_in_place_and_the_structure_stays(text):
    chosen = optimizer(text)
    parameters, g = start(), gradients()[0]
    state = chosen.initialize(parameters)
    inputs = (parameters, g, state)
    before = map_leaves(np.copy, inputs)
    after = chosen.update(parameters, g, state, 0.1)
    for a, b in zip(flatten(inputs)[0], flatten(before)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert flatten(after)[1] == flatten((parameters, state))[1]
    shapes = [np.shape(leaf) for leaf in flatten((parameters, state))[0]]
    assert [np.shape(leaf) for leaf in flatten(after)[0]] == shapes


@pytest.mark.parametrize("text", BY_HAND)
def test_no_two_leaves_of_a_state_share_memory(text):
    leaves, _ = flatten(optimizer(text).initialize(start()))
    assert not any(
        np.shares_memory(a, b) for i, a in enumerate(leaves) for b in leaves[:i] if a.size
    )


@pytest.mark.parametrize("text", BY_HAND)
def test_gradients_of_zero_are_harmless(text):
    chosen = optimizer(text)
    parameters = start()
    zeros = map_leaves(np.zeros_like, parameters)
    after, _ = chosen.update(parameters, zeros, chosen.initialize(parameters), 0.1)
    assert all(np.isfinite(leaf).all() for leaf in flatten(after)[0])
    if not chosen.settings.get("weight_decay"):
        assert_trees_close(after, parameters)


@pytest.mark.parametrize("text", BY_HAND)
def test_a_parabola_is_descended(text):
    chosen = optimizer(text)
    W = {"W": np.array([3.0, -2.0])}
    state = chosen.initialize(W)
    base = 1.0 if text == "adagrad" else 0.1  # Its rate falls by itself.
    for t in range(600):
        W, state = chosen.update(W, {"W": W["W"] * [1.0, 4.0]}, state, base / (1 + t / 50))
    assert np.abs(W["W"]).max() < 0.05


# Traced.


@pytest.mark.parametrize("text", BY_HAND)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_traced_update_gives_the_same_bits(text, dtype):
    chosen = optimizer(text)

    def update(parameters, gradients, state, learning_rate):
        return chosen.update(parameters, clip_by_norm(gradients, 2.0), state, learning_rate)

    parameters, rate = start(dtype), np.array(0.1)
    state = chosen.initialize(parameters)
    graph = trace(update, parameters, gradients(dtype)[0], state, rate)
    for g in gradients(dtype)[:4]:
        parameters_now, state_now = update(parameters, g, state, rate)
        evaluated = evaluate(graph, parameters, g, state, rate)
        for ours, theirs in zip(
            flatten((parameters_now, state_now))[0], flatten(evaluated)[0], strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
            assert np.asarray(theirs).dtype == dtype
        parameters, state = parameters_now, state_now


# Peers.


def torch_run(torch, make, rates=RATES):
    leaves, structure = flatten(start())
    tensors = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    theirs = make(tensors)
    for tree, rate in zip(gradients(), rates, strict=True):
        for group in theirs.param_groups:
            group["lr"] = rate
        for tensor, g in zip(tensors, flatten(tree)[0], strict=True):
            tensor.grad = torch.tensor(g)
        theirs.step()
    return structure.unflatten(tensor.detach().numpy() for tensor in tensors)


def test_as_pytorch_computes_them():
    torch = pytest.importorskip("torch")
    optim = torch.optim
    constant = [0.1] * STEPS
    for text, make in {
        "gradient_descent": lambda p: optim.SGD(p, 0.1),
        "rmsprop(decay=0.99)": lambda p: optim.RMSprop(p, 0.1, alpha=0.99, eps=1e-8),
        "adagrad": lambda p: optim.Adagrad(p, 0.1),
        "adam": lambda p: optim.Adam(p, 0.1),
        "adam(beta1=0.5, beta2=0.9, epsilon=0.1)": lambda p: optim.Adam(
            p, 0.1, betas=(0.5, 0.9), eps=0.1
        ),
        "adamw": lambda p: optim.AdamW(p, 0.1),
    }.items():
        assert_trees_close(run(optimizer(text))[0], torch_run(torch, make), rtol=1e-11)
    # PyTorch's velocity leaves the learning rate out: the same only while that stays the same.
    for text, nesterov in (("momentum", False), ("nesterov", True)):
        theirs = torch_run(
            torch, lambda p, n=nesterov: optim.SGD(p, 0.1, momentum=0.9, nesterov=n), constant
        )
        assert_trees_close(run(optimizer(text), rates=constant)[0], theirs, rtol=1e-11)


def test_as_scikit_learn_computes_them():
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    for text, make, attribute in (
        ("momentum", lambda p: peers.SGDOptimizer(p, nesterov=False), "learning_rate"),
        ("nesterov", peers.SGDOptimizer, "learning_rate"),
        ("gradient_descent", lambda p: peers.SGDOptimizer(p, momentum=0), "learning_rate"),
        ("adam(correction='rate')", peers.AdamOptimizer, "learning_rate_init"),
    ):
        leaves, structure = flatten(start())
        theirs = make(leaves)
        for tree, rate in zip(gradients(), RATES, strict=True):
            setattr(theirs, attribute, rate)
            theirs.update_params(leaves, flatten(tree)[0])
        # Its in-place addition leaves the 0-d array as it was bound; take the same leaves.
        assert_trees_close(run(optimizer(text))[0], structure.unflatten(leaves))


def test_the_two_forms_of_adam_differ_by_epsilon_only():
    def both(epsilon):
        texts = [f"adam(epsilon={epsilon}, correction={c!r})" for c in ("moments", "rate")]
        return [run(optimizer(text))[0] for text in texts]

    assert_trees_close(*both(1e-300))
    moments, rate = both(0.1)
    assert np.abs(moments["W1"] - rate["W1"]).max() > 1e-3


# Choosing.


def test_settings_by_text_and_by_keyword():
    assert optimizer("adam", beta1=0.5).settings["beta1"] == 0.5
    assert optimizer("adam(beta1=0.5)", epsilon=1e-3).settings == {
        "beta1": 0.5,
        "beta2": 0.999,
        "epsilon": 1e-3,
        "correction": "moments",
    }
    assert optimizer("gradient-descent").name == "gradient_descent"
    assert optimizer(optimizers.momentum).text == "momentum(momentum=0.9)"


@pytest.mark.parametrize("text", BY_HAND)
def test_the_text_of_an_optimizer_makes_it_again(text):
    chosen = optimizer(text)
    again = optimizer(chosen.text)
    assert again.text == chosen.text
    assert again.settings == chosen.settings
    assert_trees_close(run(again)[0], run(chosen)[0], rtol=0)


def test_an_own_function():
    def half(parameters, gradients, state, learning_rate):
        return {"W": parameters["W"] / 2}, {"calls": state.get("calls", 0) + 1}

    chosen = optimizer(half)
    assert chosen.own
    assert chosen.text == "half"
    state = chosen.initialize({"W": 8.0})
    assert state == {}
    assert chosen.update({"W": 8.0}, {"W": 0.0}, state, 0.1) == ({"W": 4.0}, {"calls": 1})
    half.initialize = lambda parameters: {"calls": 10}
    chosen = optimizer(half)
    assert chosen.update({"W": 8.0}, {}, chosen.initialize({}), 0.1)[1] == {"calls": 11}


def test_an_own_object_with_both_functions():
    class Own:
        def initialize(self, parameters):
            return "state"

        def update(self, parameters, gradients, state, learning_rate):
            return parameters, state

    chosen = optimizer(Own())
    assert chosen.text == "Own"
    assert chosen.update(1, 2, chosen.initialize(0), 0.1) == (1, "state")
    assert optimizer(chosen) is chosen


@pytest.mark.parametrize(
    ("value", "settings", "words"),
    [
        ("adm", {}, "optimizer='adm' is not known. Did you mean 'adam'?"),
        ("adam(beta1=1)", {}, "optimizer 'adam': beta1=1 is out of range: it takes a number from"),
        ("adam", {"epsilon": 0}, "optimizer 'adam': epsilon=0 is out of range"),
        ("adam", {"correction": "both"}, "it takes 'moments' or 'rate'."),
        ("momentum(beta=0.9)", {}, "has no setting 'beta'. The settings it takes: momentum."),
        ("adamw(weight_decay=-1)", {}, "weight_decay=-1 is out of range"),
        ("gradient_descent(rate=1)", {}, "The settings it takes: none."),
        (3, {}, "optimizer=3 is of type int; it takes a name or a function."),
        (np.hypot, {"beta1": 0.1}, "takes no settings here; got beta1."),
        (optimizer("adam"), {"beta1": 0.1}, "beta1 cannot be changed. Give its name instead."),
    ],
)
def test_what_cannot_be_chosen(value, settings, words):
    with pytest.raises(SettingError) as caught:
        optimizer(value, **settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("bad", [np.array([1, 2]), 3, np.array([1j])])
def test_parameters_that_are_not_floats_are_refused(bad):
    for text in set(OPTIMIZERS) - {"gradient_descent"}:
        with pytest.raises(SettingError) as caught:
            optimizer(text).initialize({"W1": np.ones(2), "b": [bad]})
        message = str(caught.value)
        assert "parameters['b'][0] has dtype" in message
        assert "an optimiser updates float parameters. Write .astype(float)" in message


def test_python_floats_are_parameters_too():
    for text in BY_HAND:
        chosen = optimizer(text)
        after, _ = chosen.update({"W": 2.0}, {"W": 1.0}, chosen.initialize({"W": 2.0}), 0.1)
        assert 1 < after["W"] < 2


# Clipping.

trees = st.fixed_dictionaries(
    {
        "W": hnp.arrays(float, (2, 3), elements=st.floats(-1e3, 1e3)),
        "b": hnp.arrays(float, 4, elements=st.floats(-1e3, 1e3)),
    }
)


def norm(tree):
    return math.sqrt(sum(float(np.sum(leaf**2)) for leaf in flatten(tree)[0]))


@given(trees, st.floats(1e-3, 1e4))
def test_clipping_by_norm(tree, limit):
    clipped = clip_by_norm(tree, limit)
    before = norm(tree)
    assert norm(clipped) <= limit * (1 + 1e-12)
    if before <= limit * (1 - 1e-12):
        for a, b in zip(flatten(clipped)[0], flatten(tree)[0], strict=True):
            np.testing.assert_array_equal(a, b)
    if before > limit:
        assert_trees_close(clipped, map_leaves(lambda g: g * (limit / before), tree), 1e-10)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float64, 1e300)])
def test_clipping_by_norm_does_not_overflow(dtype, size):
    clipped = clip_by_norm([np.full(4, size, dtype), np.zeros(3, dtype)], 1.0)
    np.testing.assert_allclose(clipped[0], 0.5, rtol=1e-6)
    assert {leaf.dtype for leaf in clipped} == {np.dtype(dtype)}


def test_clipping_zeros_and_nothing():
    np.testing.assert_array_equal(clip_by_norm([np.zeros(3)], 1.0)[0], 0)
    assert clip_by_norm({}, 1.0) == {}


def test_clipping_shows_what_is_not_finite():
    with np.errstate(invalid="ignore"):
        assert np.isnan(clip_by_norm([np.array([np.nan, 1.0])], 1.0)[0]).all()
        assert np.isnan(clip_by_norm([np.array([np.inf, 1.0])], 1.0)[0]).any()
    assert np.isnan(clip_by_value([np.array([np.nan])], 1.0)[0]).all()


@given(trees, st.floats(1e-3, 1e4))
def test_clipping_by_value(tree, limit):
    clipped = clip_by_value(tree, limit)
    for a, b in zip(flatten(clipped)[0], flatten(tree)[0], strict=True):
        np.testing.assert_array_equal(a, np.minimum(np.maximum(b, -limit), limit))


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("limit", [1.0, np.float64(1.0), np.array(1.0)])
def test_clipping_keeps_float32(clip, limit):
    tree = [np.array([3.0, 4.0], np.float32), np.array(2.0, np.float32)]
    assert {np.asarray(leaf).dtype for leaf in clip(tree, limit)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("limit", [0, -1.0, math.nan, math.inf])
def test_a_limit_out_of_range(clip, limit):
    with pytest.raises(SettingError) as caught:
        clip([np.ones(2)], limit)
    assert f"is {limit!r}; it takes a number above 0." in str(caught.value)
