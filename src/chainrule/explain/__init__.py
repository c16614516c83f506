"""Explaining a step of training: every number, and the rule that made it.

A `Derivation` holds the steps as data; the terminal's text, a runnable notebook and script, LaTeX
and JSON are renderings of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["Derivation"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from chainrule.explain import derivation  # here, so that importing the package stays light

        return getattr(derivation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
