"""How often the notebook's own setting learns XOR: a million seeds, and where the others end.

    python benchmarks/xor_success.py --write

runs `chainrule sweep xor --seeds 1000000` (in a folder of its own, so that it can be interrupted
and gone on with), times the notebook's loop in NumPy over some of its epochs, and writes both to
docs/xor-success-rate.md. With fewer ``--seeds`` it only prints.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from notebook import notebook

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "xor-success-rate.md"
SEEDS = 1_000_000
EPOCHS = 10_000
MARK = "<!-- written by benchmarks/xor_success.py -->"


def swept(seeds: int, folder: Path) -> tuple[dict[str, Any], float]:
    """The sweep's result, and how long the whole command took."""
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("chainrule")), "sweep", "xor"]
    command += ["--seeds", str(seeds), "--save", str(folder), "--json"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout), time.monotonic() - began


def notebook_seconds() -> float:
    """How long the notebook's loop takes for one seed, from the best of three parts of it."""
    part = 1000
    times: list[float] = []
    for _ in range(3):
        began = time.process_time()
        notebook(part)
        times.append(time.process_time() - began)
    return min(times) * EPOCHS / part


def page(found: dict[str, Any], seconds: float, seeds: int, one: float) -> str:
    """What was found, as a page."""
    (setting,) = found["settings"]
    low, high = setting["interval"]
    failed = setting["runs"] - setting["reached"]
    epochs = setting["epochs"]
    days = one * seeds / 86400
    first = (
        f"Of {setting['runs']:,} seeds, **{setting['reached']:,} ({100 * setting['rate']:.2f} %)** "
        f"reached a mean squared error of {found['goal']:g} within {EPOCHS:,} epochs; the 95 % "
        f"interval (Wilson) is {100 * low:.2f} to {100 * high:.2f} %. Half of these had done so "
        f"after {epochs['50 %']:,.0f} epochs, 10 % after {epochs['10 %']:,.0f}, and 90 % after "
        f"{epochs['90 %']:,.0f}."
    )
    heads = ("Outputs for 00, 01, 10, 11 tend to", "Loss there", "Runs", "Of those that failed",
             "95 % interval", "A seed to look at")  # fmt: skip
    lines = [first, "", f"The other {failed:,} ended here:", ""]
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for end in setting["ends"]:
        outputs = "elsewhere, or still on the way"
        if end["outputs"] is not None:
            outputs = ", ".join(f"{value:.4g}" for value in end["outputs"])
        loss = "" if end["loss"] is None else f"{end['loss']:.4g}"
        a, b = end["interval"]
        lines.append(
            f"| {outputs} | {loss} | {end['runs']:,} | {100 * end['rate']:.2f} % "
            f"| {100 * a:.2f} to {100 * b:.2f} % | {end['example_seed']} |"
        )
    last = (
        f"The command took {seconds:,.0f} s on {platform.machine()} with {cores()} cores, starting "
        f"and counting included. The notebook's loop in NumPy takes {one:.2f} s for one seed here, "
        f"so it would take {days:.1f} days on one core for all of them: "
        f"{one * seeds / seconds:,.0f} times as long."
    )
    lines += ["", last]
    return "\n".join(lines)


def cores() -> int:
    """How many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--folder", type=Path, default=Path("xor-million"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found, seconds = swept(options.seeds, options.folder)
    text = page(found, seconds, options.seeds, notebook_seconds())
    print(text)
    if options.write:
        before, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
        PAGE.write_text(f"{before}{mark}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
