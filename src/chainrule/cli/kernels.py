"""`chainrule train … --show-kernel`: how a training step was laid out, and its native code."""

from __future__ import annotations

import json
from dataclasses import replace

from chainrule.errors import SettingError
from chainrule.kernels.engine import NativeEngine
from chainrule.kernels.listing import listing
from chainrule.training.preparing import Prepared

__all__ = ["show_kernels"]


def show_kernels(prepared: Prepared, *, as_json: bool) -> None:
    """Print the native training steps of a recipe, as one epoch of it makes them."""
    engine = NativeEngine()
    short = replace(prepared, recipe=replace(prepared.recipe, epochs=1))
    short.train(engine=engine)
    if not engine.made:
        raise SettingError(
            "Nothing in this run is a native training step: L-BFGS takes its steps itself, and "
            "dropout draws new masks between steps."
        )
    listings = [listing(steps) for steps in engine.made]
    if as_json:
        print(json.dumps([{"plan": each.plan, "code": each.code} for each in listings]))
        return
    for i, each in enumerate(listings):
        print(*([] if i == 0 else [""]), each.plan, "", each.code.rstrip(), sep="\n")
