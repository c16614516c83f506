"""From an ordinary NumPy program to a graph, by running it on arrays that record what is done.

The arrays take part through NumPy's own protocols (`__array_ufunc__` and `__array_function__`), so
the program needs no change and no other module than NumPy.
"""

from chainrule.tracer import (
    arrangement,
    choices,
    creation,
    indexing,
    joining,
    methods,
    products,
    questions,
    reductions,
    sequences,
    special,
    steering,
    ufuncs,
)
from chainrule.tracer.arrays import TracedArray, bind
from chainrule.tracer.leaks import active_contexts, depends
from chainrule.tracer.operands import is_masked, is_traced
from chainrule.tracer.trace import Recording, named, record, stop_gradient, trace

__all__ = [
    "Recording",
    "TracedArray",
    "active_contexts",
    "arrangement",
    "bind",
    "choices",
    "creation",
    "depends",
    "indexing",
    "is_masked",
    "is_traced",
    "joining",
    "methods",
    "named",
    "products",
    "questions",
    "record",
    "reductions",
    "sequences",
    "special",
    "steering",
    "stop_gradient",
    "trace",
    "ufuncs",
]
