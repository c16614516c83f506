"""A diagnosis as one HTML page that stands alone: verdicts, their evidence, and what was tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chainrule.diagnose.diagnosis import Diagnosis
from chainrule.diagnose.text import advice_rows, opening
from chainrule.diagnose.verdict import Verdict
from chainrule.pages.document import document, resource
from chainrule.pages.markup import Markup, element, joined

if TYPE_CHECKING:
    from chainrule.diagnose.experiments import Tried

__all__ = ["page"]


def page(diagnosis: Diagnosis) -> str:
    """The page's text.

    What is on it is what `lines_of` says; here advice that did not help is there too, so marked.
    """
    heading, standing = opening(diagnosis)
    body = joined(
        element("header", element("h1", heading), element("p", standing)),
        element("main", *(_verdict(each) for each in diagnosis.verdicts), *_advice(diagnosis)),
    )
    title = f"{diagnosis.subject.name} – chainrule diagnose"
    return document(title, body, styles=[resource("chainrule.diagnose", "page.css")])


def _verdict(verdict: Verdict) -> Markup:
    kind = "fault" if verdict.fault else "sound"
    return element(
        "section",
        element(
            "h2",
            f"{'✗' if verdict.fault else '✓'} {verdict.title} ",
            element("small", verdict.certainty),
        ),
        *(element("p", sentence) for sentence in verdict.evidence),
        class_=f"verdict {kind}",
    )


def _advice(diagnosis: Diagnosis) -> Iterator[Markup]:
    if not diagnosis.advice:
        return
    caption, rows = advice_rows(diagnosis, whole=True)
    heads = ("Change", "Option", "Reached", "Share and its 95 % interval", "")
    lines = [
        element(
            "tr",
            element("th", row.words, scope="row"),
            element("td", element("code", row.option) if row.option else ""),
            element("td", f"{row.tried.reached} of {row.tried.tried}"),
            element("td", _bar(row.tried)),
            element("td", "helps" if row.helped else row.note),
            class_="helps" if row.helped else False,
        )
        for row in rows
    ]
    yield element("h3", caption)
    yield element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
            element("tbody", *lines),
        ),
        class_="wide",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _bar(tried: Tried) -> Markup:
    """The share as a bar, beside it in figures."""
    low, high = tried.interval
    figures = f"{tried.share:.1%} ({low:.0%} to {high:.0%})"
    meter = element("meter", "", min="0", max="1", value=f"{tried.share:.4f}", aria_hidden="true")
    return joined(meter, " ", figures)
