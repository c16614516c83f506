"""`chainrule diagnose`: why a network does not learn."""

from __future__ import annotations

import json
from typing import Any

from chainrule.cli.report import finite
from chainrule.cli.screen import output_to
from chainrule.diagnose.diagnosis import diagnose
from chainrule.diagnose.text import lines_of

__all__ = ["run_diagnose"]


def run_diagnose(options: dict[str, Any]) -> None:
    """Diagnose as the options say."""
    diagnosis = diagnose(options["model"], data=options["data"], time=options["time"])
    if options["as_json"]:
        print(json.dumps(finite(diagnosis.to_json()), ensure_ascii=False, indent=2))
        return
    output = output_to()
    for line, style in lines_of(diagnosis, whole=options["whole"]):
        output.print(line, style=style, soft_wrap=True)
