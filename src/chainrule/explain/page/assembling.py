"""The page of a derivation, put together of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.explain.page.curve import Curve
from chainrule.explain.page.data import data_of
from chainrule.explain.page.drawing import Drawing, drawing_of
from chainrule.explain.page.epochs import Run, run_of
from chainrule.explain.page.numbers import Numbers
from chainrule.explain.page.steps import Matrices, steps_markup
from chainrule.explain.text import place_of, subject_of
from chainrule.pages.document import data_element, document, mathematics_font, resource
from chainrule.pages.markup import Markup, element, joined

if TYPE_CHECKING:
    from chainrule.explain.derivation import Derivation

__all__ = ["page"]

_PACKAGE = "chainrule.explain.page"
_SCRIPTS = ("numbers.js", "formulas.js", "drawing.js", "looking.js", "page.js")
"""Parts of one script, in the order in which they need each other."""
_ROOM, _PER_NUMBER, _FEWEST, _MOST = 1_000_000, 22, 6, 150
_KEYS = (
    ("→ ←", "next and previous step"),
    ("Home End", "the beginning, the last step"),
    ("Tab", "to the next matrix, slider or button"),
    ("arrows", "in a matrix, from number to number"),
    ("Enter", "keep a number, and once more let it go"),
    ("Shift Enter", "to the list of those it came from"),
    ("Escape", "let it go; out of a matrix, back to its step"),
)


def page(derivation: Derivation) -> str:
    """The page: what is given, the steps, and all that the script needs to go through them.

    Raises SettingError where there are more numbers than a page can hold.
    """
    numbers = Numbers(derivation)
    most = _ROOM // (_PER_NUMBER * len(numbers.index))
    run = run_of(derivation, min(max(most, _FEWEST), _MOST))
    drawing = drawing_of(derivation, numbers)
    curve = _curve(run)
    body = joined(
        _header(derivation, run),
        element(
            "main",
            _epochs(derivation, run, curve),
            element("div", _network(drawing), _number_panel(), class_="side"),
            element("div", steps_markup(derivation, Matrices(numbers)), class_="steps"),
        ),
        _controls(len(derivation.steps)),
        element("p", "", id="said", class_="hidden", aria_live="polite"),
        data_element("data", data_of(numbers, run, drawing, curve)),
    )
    return document(
        f"{subject_of(derivation)} – chainrule explain",
        body,
        styles=[resource(_PACKAGE, "page.css"), mathematics_font()],
        script="".join(resource(_PACKAGE, name) for name in _SCRIPTS),
        inline_styles=["text-align: left"],  # of the cases of a choice, in MathML
    )


def _curve(run: Run) -> Curve | None:
    last = run.held[-1].moment
    if last is None or not last.epoch or not len(run.losses):
        return None
    return Curve(run.losses, last.epoch)


def _header(derivation: Derivation, run: Run) -> Markup:
    moment = derivation.moment
    what = (
        "Every number of a training step" if moment else "Every number of a loss and its gradient"
    )
    notes = [element("p", note, class_="muted") for note in derivation.notes]
    if run.diverged:
        notes.append(element("p", "The run diverges after the last epoch here.", class_="muted"))
    return element(
        "header",
        element("h1", subject_of(derivation)),
        element("p", f"{what}, and the rule that made it. Point at a number, or go to it with the "
                "keyboard: its rule is shown with the numbers put in, and the numbers it came from "
                "light up."),
        *notes,
        element("noscript", element("p", "Without JavaScript this page shows the steps and their "
                                    "numbers, but not where each came from.")),
    )  # fmt: skip


def _epochs(derivation: Derivation, run: Run, curve: Curve | None) -> Markup:
    """The slider over the epochs, the losses, and what an update changes."""
    moment = derivation.moment
    if moment is None or moment.training is None or moment.epoch is None:
        return Markup()
    place = place_of(moment)
    now = joined(
        element("h2", f"{place[0].upper()}{place[1:]}", id="place", class_="place"),
        element("dl", "", id="before-after", class_="before-after"),
    )
    if len(run.held) < 2:
        return element("section", element("div", now), class_="epochs")
    slider = element(
        "div",
        element("button", "◀", type="button", id="earlier", aria_label="Earlier epoch"),
        element(
            "input", type="range", id="epoch", min="0", max=str(len(run.held) - 1),
            value=str(run.asked), aria_label="Epoch",
        ),
        element("button", "▶", type="button", id="later", aria_label="Later epoch"),
        class_="slider",
    )  # fmt: skip
    held = element(
        "details",
        element("summary", f"{len(run.held):,} epochs are on this page"),
        element("p", _held(run)),
    )
    figure = Markup()
    if curve is not None:
        said = element("figcaption", _said_of_curve(derivation))
        figure = element("figure", curve.markup(_reported(derivation)), said)
    return element("section", element("div", now, slider, held), figure, class_="epochs")


def _reported(derivation: Derivation) -> str:
    moment = derivation.moment
    assert moment is not None
    loss = moment.report or moment.network.criterion
    return f"The {loss.measures}"


def _said_of_curve(derivation: Derivation) -> str:
    return f"{_reported(derivation)} over the epochs. Click on it to go to an epoch."


def _held(run: Run) -> str:
    """Which epochs the page holds, in words."""
    epochs = [each.moment.epoch for each in run.held if each.moment is not None]
    listed = ", ".join(f"{epoch:,}" for epoch in epochs if epoch is not None)
    if len(epochs) - 1 == epochs[-1]:
        return f"All of them: 0 to {epochs[-1]:,}."
    return (
        "More of the early ones, as a run changes most at its beginning; the first, the last, the "
        f"trained network and the one asked for: {listed}."
    )


def _network(drawing: Drawing | None) -> Markup:
    if drawing is None:
        return Markup()
    notes = [element("p", note, class_="muted") for note in drawing.notes]
    if drawing.data is None:
        return element("section", element("h2", "Network"), *notes, id="network")
    edges = element(
        "fieldset",
        element("legend", "Edges by"),
        *(
            element("label", element("input", type="radio", name="edges", value=kind,
                                     checked=kind == "weight"), f" {kind}")
            for kind in ("weight", "gradient")
        ),
    )  # fmt: skip
    row = element("label", "Row ", element("select", id="row"))
    key = element(
        "p",
        element("span", "", class_="sample positive"), " positive ",
        element("span", "", class_="sample negative"), " negative; ",
        element("span", "", id="scale"),
        class_="key",
    )  # fmt: skip
    return element(
        "section",
        element("h2", "Network"),
        element("div", edges, row, class_="choices"),
        element("div", drawing.markup, class_="scroll", tabindex="0", role="group",
                aria_label="Drawing of the network"),
        key,
        *notes,
        id="network",
    )  # fmt: skip


def _number_panel() -> Markup:
    return element(
        "section",
        element("button", "×", type="button", id="close", aria_label="Let this number go"),
        element("h2", "One number"),
        element("div", element("p", "Point at a number, or go to it with Tab and the arrow keys.",
                               class_="muted"), id="number"),
        class_="panel",
        id="panel",
    )  # fmt: skip


def _controls(count: int) -> Markup:
    buttons = [
        element("button", text, type="button", id=name, aria_label=said)
        for name, text, said in (
            ("first", "|◀", "To the beginning"),
            ("previous", "◀ Back", "Previous step"),
            ("next", "Step ▶", "Next step"),
            ("last", "▶|", "To the last step"),
        )
    ]
    at = element("output", f"0 of {count}", id="at")
    rows = [joined(element("dt", element("kbd", key)), element("dd", what)) for key, what in _KEYS]
    keys = element("details", element("summary", "Keys"), element("dl", *rows))
    return element("nav", *buttons[:2], at, *buttons[2:], keys, id="controls", aria_label="Steps")
