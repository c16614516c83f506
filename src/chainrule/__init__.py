"""Train neural networks by backpropagation, and see, check and trust every gradient on the way.

The public names, in layer order. Each is imported from its module when it is first used, so that
``import chainrule`` and ``chainrule --help`` wait for neither NumPy nor anything heavier.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.certificate import check_gradients
    from chainrule.derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
    from chainrule.graph import Graph, Node
    from chainrule.networks import Network
    from chainrule.tracer import stop_gradient, trace
    from chainrule.training import train
    from chainrule.training.population import Population

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - in layer order
    "Graph",
    "Node",
    "trace",
    "stop_gradient",
    "grad",
    "value_and_grad",
    "jvp",
    "vjp",
    "jacobian",
    "hessian",
    "hvp",
    "check_gradients",
    "Network",
    "train",
    "Population",
]

_MODULES = {
    "Graph": "graph",
    "Node": "graph",
    "trace": "tracer",
    "stop_gradient": "tracer",
    "grad": "derivatives",
    "value_and_grad": "derivatives",
    "jvp": "derivatives",
    "vjp": "derivatives",
    "jacobian": "derivatives",
    "hessian": "derivatives",
    "hvp": "derivatives",
    "check_gradients": "certificate",
    "Network": "networks",
    "train": "training",
    "Population": "training.population",
}


def __getattr__(name: str) -> object:
    """The public name, imported from its module on first use (PEP 562)."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    value = getattr(import_module(f"chainrule.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
