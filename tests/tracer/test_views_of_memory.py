"""Methods of arrays that reinterpret memory are refused, as every method that is not traced."""

import numpy as np
import pytest

from chainrule import grad
from chainrule.errors import UnsupportedError


@pytest.mark.parametrize(
    "function", [lambda x: np.sum(x.view(np.ndarray)), lambda x: np.sum(x.byteswap())]
)
def test_a_method_that_is_not_traced_is_refused(function):
    with pytest.raises(UnsupportedError, match=r"numpy\.ndarray\.\w+ cannot be traced \(.*line 1"):
        grad(function)(np.ones(3))


def test_drawing_random_numbers_inside_a_trace_leaves_numpy_whole():
    # Compiled code that makes its arrays with NumPy's functions must get plain ones.
    def dropout(x):
        return np.sum(x * (np.random.default_rng(0).random(x.shape) < 2))

    def legacy(x):
        return np.sum(x * (np.random.RandomState(0).random_sample(x.shape) < 2))

    for function in (dropout, legacy):
        assert grad(function)(np.ones(3)).tolist() == [1.0, 1.0, 1.0]
    assert type(np.zeros) is type(len)
