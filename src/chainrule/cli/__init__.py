"""The command line: `chainrule train`, `predict`, `show`, `check`."""

from chainrule.cli.commands import main

__all__ = ["main"]
