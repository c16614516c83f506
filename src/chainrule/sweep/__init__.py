"""Thousands of runs: how often, how fast, and where those end that do not get there."""

from chainrule.sweep.frames import sweep
from chainrule.sweep.plan import Plan
from chainrule.sweep.running import Sweep, run_sweep
from chainrule.sweep.summary import Summary, summary_of

__all__ = ["Plan", "Summary", "Sweep", "run_sweep", "summary_of", "sweep"]
