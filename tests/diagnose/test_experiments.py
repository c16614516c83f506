"""Advice is what was tried: the counts can be found again, and what did not help is not given."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Population
from chainrule.diagnose import diagnose
from chainrule.diagnose.experiments import Tried
from chainrule.diagnose.intervals import wilson

from .runs import ANSWERS, XOR, changed, sigmoid_network, trained

ENOUGH = 60.0
"""Seconds in which everything is tried, on a busy machine too; it takes about two."""


@pytest.fixture(scope="module")
def notebook():
    network = sigmoid_network(loss="squared_error_sum")
    return trained(
        network, epochs=10_000, seed=42, generator="legacy", truth_table=True, time=ENOUGH
    )


def found(diagnosis, change):
    return next(each for each in diagnosis.advice if each.change == change)


@pytest.mark.parametrize("units", [3, 4])
def test_counts_are_those_of_training_each_network_by_itself(notebook, units):
    advice = found(notebook, f"{units} hidden units")
    assert advice.helped
    for width, tried in ((units, advice.result), (2, advice.without)):
        network = sigmoid_network(2, width, 1, loss="squared_error_sum")
        population = Population(network, XOR, ANSWERS, seeds=range(200), generator="legacy",
                                optimizer="gradient_descent", learning_rate=0.1,
                                epochs=10_000)  # fmt: skip
        losses = population.run().loss
        assert tried.tried == 200
        # A network that passes the goal and comes back would count; the sum only falls here.
        assert tried.reached == int(np.sum(losses <= notebook.subject.goal))


def test_three_changes_help_the_notebook_s_run_and_the_first_are_the_best(notebook):
    helped = [each for each in notebook.advice if each.helped]
    assert len(helped) >= 3
    shares = [each.result.share for each in helped]
    assert shares == sorted(shares, reverse=True)
    assert all(each.result.interval[0] > each.without.interval[1] for each in helped)


def test_what_did_not_help_is_shown_only_where_all_is_asked_for(notebook):
    useless = next(each for each in notebook.advice if not each.helped)
    assert useless.change not in notebook.to_text()
    assert useless.change in notebook.to_text(whole=True)


def test_from_a_saddle_the_push_is_tried_and_works():
    network = sigmoid_network()
    start = changed(network.initialize(0), W1=0, b1=[[0.3, -0.7]], W2=[[1.2], [-0.8]])
    start = changed(start, b2=-(1 / (1 + np.exp(-start["b1"]))) @ start["W2"])
    diagnosis = diagnose(network, start, XOR, ANSWERS, rate=2.0, epochs=4000, time=ENOUGH)
    advice = found(diagnosis, "a push along the negative curvature")
    assert advice.here
    assert advice.result.tried == 64


def test_there_is_no_advice_where_no_network_could_do_better():
    X, y = np.concatenate([XOR, XOR[:1]]), np.concatenate([ANSWERS, [[1.0]]])
    assert trained(sigmoid_network(2, 4, 1), X, y, time=ENOUGH).advice == []


@pytest.mark.parametrize(("successes", "tries"), [(0, 10), (3, 10), (147, 200), (200, 200)])
def test_wilson_s_interval_is_where_the_score_test_does_not_reject(successes, tries):
    for end in wilson(successes, tries):
        if 0 < end < 1:
            share = successes / tries
            score = abs(share - end) / np.sqrt(end * (1 - end) / tries)
            assert score == pytest.approx(1.959963984540054)
    assert wilson(successes, tries)[0] <= successes / tries <= wilson(successes, tries)[1]


def test_no_tries_say_nothing():
    assert Tried(0, 0).interval == (0.0, 1.0)
