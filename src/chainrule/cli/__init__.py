"""The command line: `chainrule train`, `chainrule predict`, `chainrule show`."""

from chainrule.cli.commands import main

__all__ = ["main"]
