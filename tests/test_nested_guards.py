"""A branch inside a derivative that an outer value decides is a guard of the outer trace."""

import numpy as np
import pytest

from chainrule import grad, trace
from chainrule.errors import GuardError
from chainrule.interpreter import evaluate


def steered(x):
    return x * grad(lambda y: y * y if x > 0 else y * y * y)(2.0)


def test_the_outer_trace_knows_the_branch() -> None:
    graph = trace(steered, 1.0)
    assert evaluate(graph, 3.0) == steered(np.float64(3.0)) == 12.0
    assert steered(np.float64(-1.0)) == -12.0
    with pytest.raises(GuardError, match="Trace it again"):
        evaluate(graph, -1.0)
