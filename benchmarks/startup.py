#!/usr/bin/env python
"""How long the program takes to start: the best of ten runs of each command, in seconds.

`chainrule --help` is to take 0.2 s at most. The second command does almost nothing but import what
training needs, of which SciPy's special functions are the largest part; the third is the first
command of the README.

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

PROGRAM = Path(sys.executable).with_name("chainrule")
COMMANDS = (["--help"], ["train", "moons", "--epochs", "0"], ["train", "xor"])
LIMIT = 0.2


def measure(command, repeat):
    times = []
    # Without bytecode, Python would compile every module again at each start.
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat):
            began = time.perf_counter()
            subprocess.run(
                [PROGRAM, *command],
                check=True,
                cwd=folder,
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            times.append(time.perf_counter() - began)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()
    results = {" ".join(command): measure(command, options.repeat) for command in COMMANDS}
    if options.json:
        print(json.dumps({**results, "limit for --help": LIMIT}))
    else:
        for command, seconds in results.items():
            print(f"chainrule {command:<38}{seconds:.3f} s")
    return results["--help"] > LIMIT


if __name__ == "__main__":
    sys.exit(main())
