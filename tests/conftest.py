"""What every test shares: how Hypothesis draws, and an environment without surprises."""

import os

from hypothesis import settings

# No deadline: the first call of anything imports and traces. In CI, the same draws every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Other people's training programs: tests run them, pytest must not import them.
collect_ignore_glob = ["programs/[!t]*"]

# A developer's terminal must not change what a program under test prints or draws.
for _name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"):
    os.environ.pop(_name, None)
os.environ["MPLBACKEND"] = "agg"
