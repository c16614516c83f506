#!/usr/bin/env python
"""How long whole processes take: the best of ten runs of each command, in seconds.

`chainrule --help` is to take 0.2 s at most. The second command does almost nothing but import what
training needs. The third is the first command of the README, beside the same run as a NumPy script
(benchmarks/notebook.py): it is to take 0.7 times as long at most, though it goes on to try what
helps where XOR was not learned.

The commands run in turns, so that what the machine does besides falls on all of them.

    python benchmarks/startup.py
    python benchmarks/startup.py --json --repeat 20
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("chainrule"))
SCRIPT = Path(__file__).with_name("notebook.py")
HELP, XOR, NOTEBOOK = "chainrule --help", "chainrule train xor", "python notebook.py"
COMMANDS = {
    HELP: [PROGRAM, "--help"],
    "chainrule train moons --epochs 0": [PROGRAM, "train", "moons", "--epochs", "0"],
    XOR: [PROGRAM, "train", "xor"],
    NOTEBOOK: [sys.executable, str(SCRIPT)],
}
HELP_LIMIT, RATIO_LIMIT = 0.2, 0.7


def measure(repeat):
    """The best time of each command, after a first run that writes bytecode."""
    best = dict.fromkeys(COMMANDS, float("inf"))
    # Without bytecode, Python would compile every module again at each start.
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeat + 1):
            for name, command in COMMANDS.items():
                began = time.perf_counter()
                subprocess.run(
                    command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL
                )
                if turn:
                    best[name] = min(best[name], time.perf_counter() - began)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()
    seconds = measure(options.repeat)
    ratio = seconds[XOR] / seconds[NOTEBOOK]
    if options.json:
        limits = {HELP: HELP_LIMIT, "ratio": RATIO_LIMIT}
        print(json.dumps({"seconds": seconds, "ratio": ratio, "limits": limits}))
    else:
        for name, taken in seconds.items():
            print(f"{name:<40}{taken:.3f} s")
        print(f"train xor / the notebook's script       {ratio:.2f} (at most {RATIO_LIMIT:g})")
    return seconds[HELP] > HELP_LIMIT or ratio > RATIO_LIMIT


if __name__ == "__main__":
    sys.exit(main())
