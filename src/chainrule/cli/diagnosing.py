"""`chainrule diagnose`: why a network does not learn."""

from __future__ import annotations

import json
from typing import Any

from chainrule.cli.report import finite
from chainrule.cli.screen import output_to
from chainrule.diagnose.diagnosis import diagnose
from chainrule.diagnose.text import lines_of
from chainrule.pages.document import check_page_file, write_page
from chainrule.pictures import check_picture_file

__all__ = ["run_diagnose"]


def run_diagnose(options: dict[str, Any]) -> None:
    """Diagnose as the options say."""
    html, plot = options["html"], options["plot"]
    if html is not None:
        check_page_file(html)
    if plot is not None:
        check_picture_file(plot)
    diagnosis = diagnose(options["model"], data=options["data"], time=options["time"])
    if html is not None:
        from chainrule.diagnose.page import page

        write_page(page(diagnosis), html)
    if plot is not None:
        from chainrule.diagnose.drawing import draw_diagnosis

        draw_diagnosis(diagnosis, plot)
    if options["as_json"]:
        print(json.dumps(finite(diagnosis.to_json()), ensure_ascii=False, indent=2))
        return
    output = output_to()
    for line, style in lines_of(diagnosis, whole=options["whole"]):
        output.print(line, style=style, soft_wrap=True)
    for what, path in (("Page", html), ("Picture", plot)):
        if path is not None:
            output.print(f"{what} in {path}", soft_wrap=True)
