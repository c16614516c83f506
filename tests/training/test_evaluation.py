"""Measures of parameters on data do not depend on how many rows are measured together."""

import numpy as np
import pytest

from chainrule import Network
from chainrule.interpreter import compile_graph
from chainrule.training.evaluation import Evaluation
from chainrule.training.steps import Objective
from chainrule.training.training import reported_loss


@pytest.mark.parametrize("report", [None, "absolute_error", "squared_error_sum"])
@pytest.mark.parametrize("loss", ["squared_error", "squared_error_sum"])
def test_many_rows_are_measured_in_blocks(loss, report, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(37, 3)), rng.normal(size=(37, 2))
    network = Network([3, 4, 2], loss=loss, l2=0.1, l1=0.01)
    parameters = network.initialize(0)
    objective = Objective(network, reported_loss(network, report))
    whole = Evaluation(objective, compile_graph, "regression")(parameters, X, y)
    monkeypatch.setattr("chainrule.training.evaluation._MOST_NUMBERS", 9 * 8)
    blocks = Evaluation(objective, compile_graph, "regression")(parameters, X, y)
    assert blocks.keys() == whole.keys() == {"loss", "score"}
    for name, value in whole.items():
        np.testing.assert_allclose(blocks[name], value, rtol=1e-13)
