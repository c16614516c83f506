"""Which engine makes graphs ready to run: native code, NumPy's interpreter, or the user's own."""

from __future__ import annotations

from typing import Any, cast

from chainrule.errors import SettingError
from chainrule.interpreter import compile_graph
from chainrule.training.steps import Engine

__all__ = ["ENGINES", "choose_engine", "engine_name"]

ENGINES = ("native", "interpreter")


def choose_engine(choice: Any) -> Engine:
    """The engine of a name, or a function that is one.

    >>> choose_engine("interpreter") is compile_graph
    True

    Raises SettingError for another name, or for what cannot be called.
    """
    if choice == "interpreter":
        return compile_graph
    if choice == "native":
        # Imported here, as LLVM is not needed for the interpreter.
        from chainrule.kernels.engine import NativeEngine

        return NativeEngine()
    if not callable(choice):
        raise SettingError(
            f"engine={choice!r} is none that there is: give 'native', 'interpreter', or a function "
            "from a graph to a function of its arguments' arrays."
        )
    return cast(Engine, choice)


def engine_name(engine: Engine) -> str | None:
    """The name that an engine is chosen by; None for one of the user's own."""
    if engine is compile_graph:
        return "interpreter"
    name = getattr(engine, "name", None)
    return name if name in ENGINES else None
