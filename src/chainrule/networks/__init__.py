"""Feed-forward networks as ordinary NumPy functions, and what they are made of.

Nothing in here knows about gradients: `Network.loss` is differentiated, printed and compiled the
way any NumPy function is.
"""

from chainrule.networks.activations import ACTIVATIONS, activation
from chainrule.networks.initializers import INITIALIZERS, initializer
from chainrule.networks.losses import LOSSES, Loss, loss
from chainrule.networks.network import Network

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "Loss",
    "Network",
    "activation",
    "initializer",
    "loss",
]
