"""The command line: `chainrule train`, `predict`, `show`, `check`, `explain`."""

from chainrule.cli.commands import main

__all__ = ["main"]
