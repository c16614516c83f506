"""`python -m chainrule.cli`."""

from chainrule.cli.commands import main

main()
