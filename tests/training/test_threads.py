"""How many threads matrix products are left."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from chainrule import trace
from chainrule.training.threads import LARGE, SMALL, one_thread_unless_large, operations


def threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_operations_are_of_the_largest_product():
    def products(x, W, V):
        return (x @ W) @ V

    graph = trace(products, np.ones((7, 3)), np.ones((3, 5)), np.ones((5, 2)))
    assert operations(graph) == 2 * 7 * 3 * 5
    assert operations(trace(np.sum, np.ones(3))) == 0


@pytest.mark.parametrize(
    ("largest", "limited"),
    [(0, False), (SMALL - 1, False), (SMALL, True), (LARGE - 1, True), (LARGE, False)],
)
def test_one_thread_where_more_would_not_pay(largest, limited):
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with one_thread_unless_large(largest):
            assert threads() == ({1} if limited else before)
        assert threads() == before
