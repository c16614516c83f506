"""How many threads matrix products use: one, unless a product is large.

OpenBLAS splits a product over all cores from a modest size on. For the products of a small network
that gains nothing, and where another process needs a core, the threads wait for one another and a
step takes many times as long. One thread also gives the same bits on any number of cores. The rule
looks at sizes alone, so it decides alike on every machine.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import prod

from chainrule.graph import Graph

__all__ = ["LARGE", "one_thread_unless_large", "operations"]

LARGE = 50_000_000
"""Floating-point operations from which a product is left to all cores."""


def operations(graph: Graph) -> int:
    """The floating-point operations of the largest matrix product in a graph."""
    largest = 0
    for node in graph.nodes():
        if node.primitive.name == "matmul":
            inner = node.inputs[0].shape[-1]
            largest = max(largest, 2 * inner * prod(node.shape))
    return largest


@contextmanager
def one_thread_unless_large(largest: int) -> Generator[None]:
    """Limit BLAS to one thread in the block if its largest product is small."""
    if largest >= LARGE:
        yield
        return
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    with threadpool_limits(limits=1, user_api="blas"):
        yield
