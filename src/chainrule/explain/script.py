"""The program as a Python script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.explain.programs import program_of

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["to_python"]


def to_python(derivation: Derivation) -> str:
    """A NumPy script that does the whole training by hand."""
    program = program_of(derivation)
    parts = [
        f'"""{derivation.title}, trained by hand with NumPy."""',
        program.imports,
        *(f"\n{text}" for text in program.functions),
        ("\n" if program.functions else "") + program.data,
        program.parameters,
        program.settings,
        program.loop,
        program.results,
    ]
    return "\n\n".join(parts) + "\n"
