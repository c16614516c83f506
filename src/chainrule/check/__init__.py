"""Checking the backpropagation that somebody wrote by hand, in a script or a notebook.

The program runs as it is, in a process of its own and a copy of its folder; some iterations of its
loops are traced in copies of that process, and what they do to the parameters is compared with the
exact gradients of the loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.check.checking import assert_backprop, check_program
    from chainrule.check.checks import Check

__all__ = ["Check", "assert_backprop", "check_program"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from chainrule.check import checking, checks  # here, so that importing stays light

        return getattr(checks if name == "Check" else checking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
