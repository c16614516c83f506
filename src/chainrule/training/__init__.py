"""Training: optimisers, schedules, the loop, checkpoints and saved models."""

from chainrule.training.history import History
from chainrule.training.optimizers import Optimizer
from chainrule.training.schedules import Schedule
from chainrule.training.state import Epoch, Run
from chainrule.training.training import train

__all__ = ["Epoch", "History", "Optimizer", "Run", "Schedule", "train"]
