# /// script
# requires-python = ">=3.11"
# dependencies = ["fonttools[woff]==4.68.0", "ziamath==0.13"]
# ///
"""The font of the formulas on pages: the glyphs of STIX Two Math that they can hold, as WOFF2.

    uv run scripts/font.py           makes src/chainrule/pages/mathematics.woff2
    uv run scripts/font.py --check   says whether it is as this script makes it

STIX Two Math has a MATH table, by which a browser sets fractions, sums and tall parentheses. It is
taken from the package ziamath, which ships it as it is; its licence, the SIL Open Font License,
stands beside the result. Without uv, install what is named above into a new environment.
"""

from __future__ import annotations

import hashlib
import io
import sys
from importlib.resources import files
from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, save_font

TARGET = Path(__file__).parents[1] / "src/chainrule/pages/mathematics.woff2"
ORIGIN = ("ziamath.fonts", "STIXTwoMath-Regular.ttf")
DIGEST = "8f42cb183a85043a4dc3f8e41ac3821eb27bf178d68ace929ba439523622323c"
FAMILY = "Chainrule Mathematics"
"""A name of its own, as it is not the whole font."""
ASCII = "".join(map(chr, range(0x20, 0x7F)))
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
ITALIC = "".join(map(chr, range(0x1D434, 0x1D468))) + "ℎ"  # a lone letter in MathML is set in these
ITALIC_GREEK = "".join(map(chr, range(0x1D6E2, 0x1D71C)))
OPERATORS = "−×·⋅∂∑∏√∞…→∨⊻∧¬≠≤≥‾′″‴⌊⌋⌈⌉"
SPACES = "\u00a0\u2009\u2061\u2062"
CHARACTERS = ASCII + GREEK + ITALIC + ITALIC_GREEK + OPERATORS + SPACES


def subset() -> bytes:
    """The subset as it is written to the file."""
    path = files(ORIGIN[0]).joinpath(ORIGIN[1])
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGEST:
        raise SystemExit(f"{path} is another version of the font than the one this was made for.")
    options = Options()
    options.flavor = "woff2"
    options.hinting = False
    options.layout_features = []
    options.name_IDs = [0, 1, 2, 4, 6, 13, 14]
    font = load_font(io.BytesIO(data), options)
    subsetter = Subsetter(options)
    subsetter.populate(text=CHARACTERS)
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 4, 6):
            record.string = FAMILY.replace(" ", "") if record.nameID == 6 else FAMILY
    font["head"].modified = font["head"].created  # so that the same input gives the same bytes
    font.recalcTimestamp = False
    written = io.BytesIO()
    save_font(font, written, options)
    return written.getvalue()


def main() -> None:
    """Write the font, or compare it."""
    data = subset()
    if "--check" in sys.argv[1:]:
        if TARGET.read_bytes() != data:
            raise SystemExit(f"{TARGET} is not what this script makes of the font.")
        return
    TARGET.write_bytes(data)
    print(f"{TARGET}: {len(data):,} bytes for {len(set(CHARACTERS))} characters")


if __name__ == "__main__":
    main()
