"""From an ordinary NumPy program to a graph, by running it on arrays that record what is done.

The arrays take part through NumPy's own protocols (`__array_ufunc__` and `__array_function__`), so
the program needs no change and no other module than NumPy.
"""

from chainrule.tracer import arrangement, indexing, methods, products, reductions, ufuncs
from chainrule.tracer.arrays import TracedArray, bind
from chainrule.tracer.leaks import active_contexts
from chainrule.tracer.operands import is_traced
from chainrule.tracer.trace import Recording, named, record, stop_gradient, trace

__all__ = [
    "Recording",
    "TracedArray",
    "active_contexts",
    "arrangement",
    "bind",
    "indexing",
    "is_traced",
    "methods",
    "named",
    "products",
    "record",
    "reductions",
    "stop_gradient",
    "trace",
    "ufuncs",
]
