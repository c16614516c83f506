"""How many threads matrix products use: one, unless a product is large.

OpenBLAS splits a product over all cores from a modest size on. For the products of a small network
that gains nothing, and where another process needs a core, the threads wait for one another and a
step takes many times as long. One thread also gives the same bits on any number of cores. The rule
looks at sizes alone, so it decides alike on every machine.

The smallest products need no limit, and then threadpoolctl is not even imported: OpenBLAS takes
one thread for a matrix product up to m·n·k = 262,144 (interface/gemm.c), for a matrix with a vector
up to m·n = 9,216 (gemv.c), and for two vectors up to 10,000 elements (its dot kernels). The least
of these is `SMALL`, twice 9,216, as a multiplication and an addition are counted apart.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import prod

from chainrule.graph import Graph

__all__ = ["LARGE", "SMALL", "one_thread_unless_large", "operations"]

SMALL = 2 * 9216
"""Floating-point operations up to which BLAS uses one thread by itself."""

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
    """Limit BLAS to one thread in the block where it would take more, unless that pays."""
    if largest < SMALL or largest >= LARGE:
        yield
        return
    # Here, because it looks through all libraries of the process, which takes milliseconds.
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    with threadpool_limits(limits=1, user_api="blas"):
        yield
