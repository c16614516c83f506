"""Schedules against their formulas and scikit-learn, as text, and their refusals."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import SettingError
from chainrule.training import schedules
from chainrule.training.schedules import SCHEDULES, schedule

FORMULAS = {
    "constant": lambda s, e: 0.5,
    "step(every=10)": lambda s, e: 0.5 * 0.1 ** (e // 10),
    "step(every=3, factor=0.5, unit='step')": lambda s, e: 0.5 * 0.5 ** (s // 3),
    "exponential": lambda s, e: 0.5 * 0.99**e,
    "exponential(factor=0.9, unit='step')": lambda s, e: 0.5 * 0.9**s,
    "cosine(total=40)": lambda s, e: 0.25 * (1 + math.cos(math.pi * min(e / 40, 1))),
    "cosine(total=40, minimum=0.1, unit='step')": (
        lambda s, e: 0.1 + 0.2 * (1 + math.cos(math.pi * min(s / 40, 1)))
    ),
    "inverse_scaling": lambda s, e: 0.5 / math.sqrt(e + 1),
    "inverse_scaling(power=1, unit='step')": lambda s, e: 0.5 / (s + 1),
    "inverse_scaling(samples=100)": lambda s, e: 0.5 / math.sqrt(100 * e + 1),
    "adaptive": lambda s, e: 0.5,
    "warmup(length=8)": lambda s, e: 0.5 * min(1, (s + 1) / 8),
    "warmup(length=8, unit='epoch', then='exponential(factor=0.5)')": (
        lambda s, e: 0.5 * min(1, (e + 1) / 8) * 0.5**e
    ),
}


def test_every_schedule_has_a_formula_here():
    assert {text.split("(")[0] for text in FORMULAS} == set(SCHEDULES)


@pytest.mark.parametrize("text", FORMULAS)
def test_formula(text):
    chosen = schedule(text, base=0.5)
    for step, epoch in [(0, 0), (1, 0), (7, 1), (8, 2), (39, 9), (40, 10), (500, 40), (900, 99)]:
        rate = chosen(step, epoch)
        assert type(rate) is float
        assert rate == pytest.approx(FORMULAS[text](step, epoch), rel=1e-13, abs=1e-17)


@pytest.mark.parametrize("text", FORMULAS)
def test_the_text_of_a_schedule_makes_it_again(text):
    chosen = schedule(text, base=0.5)
    again = schedule(chosen.text, base=99.0)  # The text holds the base that it was made with.
    assert again.text == chosen.text
    assert again(5, 3) == chosen(5, 3)


@given(st.sampled_from(sorted(FORMULAS)), st.integers(0, 10**6), st.integers(0, 10**4))
def test_rates_are_never_above_the_base(text, step, epoch):
    assert 0 <= schedule(text, base=0.5)(step, epoch) <= 0.5


def test_what_training_knows_is_used_by_those_that_take_it():
    for name in SCHEDULES:
        text = {"step": "step(every=2)", "warmup": "warmup(length=2)"}.get(name, name)
        schedule(text, base=0.1, total=50, samples=200)
    assert schedule("cosine", base=0.1, total=50).settings["total"] == 50
    assert schedule("cosine(total=9)", base=0.1, total=50).settings["total"] == 9
    assert schedule("cosine", base=0.1, total=50)(0, 50) == 0
    assert schedule("inverse_scaling", base=1.0, samples=3)(0, 1) == 0.5
    risen = schedule("warmup(length=2, then='cosine')", base=0.1, total=50)
    assert risen(9, 50) == 0
    assert schedule("step", base=0.1, every=5)(0, 5) == pytest.approx(0.01)


def test_a_total_in_epochs_is_not_taken_for_steps():
    with pytest.raises(SettingError) as caught:
        schedule("cosine(unit='step')", base=0.1, total=50)
    assert str(caught.value) == "schedule 'cosine' needs total. Write it as 'cosine(total=…)'."


def test_adaptive_divides_by_five_when_the_loss_stalls():
    chosen = schedule("adaptive(patience=2, tolerance=0.01)", base=1.0)
    state = chosen.initialize()
    rates = []
    for loss in [1.0, 0.9, 0.895, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5]:
        state = chosen.observe(state, loss)
        rates.append(chosen(0, 0, state))
    assert rates == [1, 1, 1, 1, 0.2, 0.2, 0.2, pytest.approx(0.04), 0.04000000000000001, rates[-1]]
    assert not chosen.finished(state)


def test_adaptive_is_finished_once_the_rate_is_small():
    chosen = schedule("adaptive(patience=0, minimum=0.1)", base=1.0)
    state = chosen.initialize()
    seen = []
    for _ in range(5):
        state = chosen.observe(state, 1.0)
        seen.append((round(chosen(0, 0, state), 6), chosen.finished(state)))
    assert seen == [(1, False), (0.2, False), (0.04, False), (0.04, True), (0.04, True)]


def test_a_state_survives_json_and_observe_changes_nothing_in_place():
    chosen = schedule("warmup(length=1, then='adaptive(patience=1)')", base=0.1)
    state = chosen.initialize()
    for loss in np.random.default_rng(0).random(30).tolist():
        before = dict(state)
        after = chosen.observe(state, loss)
        assert state == before
        restored = json.loads(json.dumps(state, allow_nan=False))
        assert chosen.observe(restored, loss) == after
        state = after


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.integers(0, 4))
def test_adaptive_as_scikit_learn_does_it(losses, patience):
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    theirs = peers.SGDOptimizer([], 0.1, "adaptive")
    best, count, stopped = math.inf, 0, False
    chosen = schedule(f"adaptive(patience={patience})", base=0.1)
    state = chosen.initialize()
    for loss in losses:
        # MLPClassifier's own bookkeeping around its optimiser.
        count = count + 1 if loss > best - 1e-4 else 0
        best = min(best, loss)
        if count > patience:
            stopped = theirs.trigger_stopping("", False)
            count = count if stopped else 0
        state = chosen.observe(state, loss)
        assert chosen(0, 0, state) == pytest.approx(theirs.learning_rate, rel=1e-12)
        assert chosen.finished(state) == stopped
        if stopped:
            break


def test_inverse_scaling_as_scikit_learn_does_it():
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    theirs = peers.SGDOptimizer([], 0.1, "invscaling", power_t=0.3)
    chosen = schedule("inverse_scaling(power=0.3)", base=0.1, samples=150)
    for epoch in range(20):
        assert chosen(7, epoch) == pytest.approx(theirs.learning_rate, rel=1e-14)
        theirs.iteration_ends(150 * (epoch + 1))


def test_as_pytorch_computes_them():
    torch = pytest.importorskip("torch")
    peers = torch.optim.lr_scheduler
    for text, make in {
        "step(every=7)": lambda o: peers.StepLR(o, 7),
        "exponential": lambda o: peers.ExponentialLR(o, 0.99),
        "cosine(total=30, minimum=0.01)": lambda o: peers.CosineAnnealingLR(o, 30, 0.01),
    }.items():
        descent = torch.optim.SGD([torch.zeros(1)], 0.5)
        theirs = make(descent)
        for epoch in range(30):
            assert schedule(text, base=0.5)(0, epoch) == pytest.approx(
                descent.param_groups[0]["lr"], rel=1e-9
            )
            descent.step()
            theirs.step()


# Choosing.


def test_an_own_function():
    def falling(step, epoch):
        return 1 / (1 + step + epoch)

    chosen = schedule(falling, base=0.1)
    assert chosen.own
    assert chosen.text == "falling"
    assert chosen(1, 2) == 0.25
    assert chosen.observe(chosen.initialize(), 1.0) == {}
    assert not chosen.finished({})
    assert schedule(chosen, base=0.1) is chosen
    assert schedules.warmup(base=0.1, length=2, then=falling)(0, 0) == 0.5


def test_a_schedule_of_the_table_given_as_a_function():
    assert schedule(schedules.cosine, base=0.5, total=10)(0, 5) == pytest.approx(0.25)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1, None, "0.1"])
def test_an_own_function_that_gives_no_rate(rate):
    chosen = schedule(lambda step, epoch: rate, base=0.1)
    with pytest.raises(SettingError) as caught:
        chosen(3, 2)
    assert str(caught.value) == (
        f"The schedule <lambda> gave the learning rate {rate!r} at step 3, epoch 2; "
        f"it must give a finite number, 0 or more."
    )


@pytest.mark.parametrize(
    ("value", "settings", "words"),
    [
        ("cosin", {}, "schedule='cosin' is not known. Did you mean 'cosine'?"),
        ("cosine", {}, "schedule 'cosine' needs total. Write it as 'cosine(total=…)'."),
        ("step", {}, "schedule 'step' needs every. Write it as 'step(every=…)'."),
        ("warmup", {}, "schedule 'warmup' needs length."),
        ("warmup(length=5, then='steep')", {}, "schedule='steep' is not known."),
        ("warmup(length=5, then='step')", {}, "schedule 'step' needs every."),
        (
            "warmup(length=5, then=3)",
            {},
            "schedule=3 is of type int; it takes a name or a function.",
        ),
        ("step(every=0)", {}, "every=0 is out of range: it takes a whole number, 1 or more."),
        ("step(every=1.5)", {}, "every=1.5 is out of range"),
        ("step(every=5, unit='day')", {}, "unit='day' is out of range: it takes 'epoch' or 'step'"),
        ("exponential(factor=0)", {}, "factor=0 is out of range: it takes a number above 0."),
        ("adaptive(patience=-1)", {}, "patience=-1 is out of range"),
        ("cosine(total=5, minimum=0.2)", {}, "minimum=0.2 is above base=0.1, from which it falls."),
        ("constant", {"every": 3}, "schedule 'constant' has no setting 'every'."),
        ("constant", {"base": -1}, "base=-1 is out of range: it takes a number, 0 or more."),
        ("constant", {"base": math.nan}, "base=nan is out of range"),
        (0.1, {}, "schedule=0.1 is of type float; it takes a name or a function."),
    ],
)
def test_what_cannot_be_chosen(value, settings, words):
    with pytest.raises(SettingError) as caught:
        schedule(value, **{"base": 0.1, **settings})
    assert words in str(caught.value)


def test_the_option_is_named_as_the_caller_calls_it():
    with pytest.raises(SettingError, match="--schedule='x' is not known"):
        schedule("x", base=0.1, option="--schedule")
