"""The pictures of the page of `chainrule explain` in the README, taken in Chromium.

    .venv/bin/python scripts/screenshots.py        makes docs/explain-light.webp and -dark.webp

It needs the environment for development, and Chromium as `chromium` on the path.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from chainrule.explain import Derivation
from chainrule.explain.moments import moment_of, training_of
from chainrule.training.recipes import Recipe

FOLDER = Path(__file__).parents[1] / "docs"
STEP, EPOCH = 9, 731
"""The gradient by W2, which has the numbers of several rows in it."""
SIZE = {"width": 1240, "height": 860}
LARGEST = 150_000


def picture(browser: Browser, page_file: Path, scheme: str) -> bytes:
    """The page in the middle of its steps, with a number pointed at."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
    page.goto(page_file.as_uri())
    for _ in range(STEP):
        page.click("#next")
    page.locator(f'[data-step="{STEP}"]').evaluate("(step) => step.scrollIntoView({block: 'end'})")
    page.hover(f'[data-step="{STEP}"] td[data-i] >> nth=0')
    taken = Image.open(io.BytesIO(page.screenshot()))
    written = io.BytesIO()
    taken.save(written, "WEBP", quality=88, method=6)
    return written.getvalue()


def main() -> None:
    """Take both pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("There is no chromium on the path. Install Chromium.")
    training = training_of(Recipe(data="xor"))
    derivation = Derivation.of_moment(moment_of(training, EPOCH), "xor")
    flags = ["--disable-gpu", "--disable-background-networking"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = Path(folder, "xor.html")
        page_file.write_text(derivation.to_html(), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=chromium, args=flags)
        for scheme in ("light", "dark"):
            data = picture(browser, page_file, scheme)
            if len(data) > LARGEST:
                sys.exit(f"The {scheme} picture has {len(data):,} bytes; {LARGEST:,} are too many.")
            path = FOLDER / f"explain-{scheme}.webp"
            path.write_bytes(data)
            print(f"{path}: {len(data):,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
