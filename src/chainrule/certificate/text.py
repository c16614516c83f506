"""A certificate as plain text, at most 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from chainrule.certificate.results import Certificate, Check, Entry, Kink

__all__ = ["as_text"]

_WIDTH = 80
_COMPONENT = 34


def as_text(certificate: Certificate) -> str:
    """The report: the verdict, what is wrong, the three checks, the worst of each argument.

    >>> from chainrule import check_gradients
    >>> text = as_text(check_gradients(lambda x: x**2, 3.0))
    >>> text.splitlines()[0]
    'gradient of <lambda>: right'
    """
    lines = [*_head(certificate), ""]
    for problem in certificate.problems:
        lines.extend(_wrapped(problem))
    if certificate.problems:
        lines.append("")
    lines.extend(_checks(certificate))
    lines.extend(_arguments(certificate))
    lines.extend(_kinks(certificate))
    if certificate.notes:
        lines.append("")
    for note in certificate.notes:
        lines.extend(_wrapped(note))
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )


def _head(certificate: Certificate) -> list[str]:
    verdict = "right" if certificate.passed else "WRONG"
    if not certificate.passed and not certificate.contradicted:
        verdict = "NOT PROVED"
    numbers = _count(certificate.size, "number")
    return [
        *_wrapped(f"gradient of {certificate.function}: {verdict}"),
        f"value {certificate.value:.6g}; {numbers} of {certificate.precision}",
    ]


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _checks(certificate: Certificate) -> Iterator[str]:
    if not certificate.entries and all(check.passed is None for check in certificate.checks):
        return
    yield f"{'check':<22}{'compared':>8}  {'largest rel. error':>18}  {'allowed there':>13}  "
    for check in (certificate.complex_step, certificate.central_differences):
        yield from _check(check, "{:.1e}", "{:.1e}")
    yield from _check(certificate.taylor, "slope {:.2f}", "≥ {:.2f}")


def _check(check: Check, worst: str, allowed: str) -> Iterator[str]:
    verdict = {True: "right", False: "WRONG", None: "not made"}[check.passed]
    error = worst.format(check.worst) if check.worst is not None else check.note
    bound = ""
    if check.tolerance is not None:
        # Where both sides are 0 to rounding, no relative error says anything.
        lenient = check.name != "Taylor slope" and check.tolerance > 1
        bound = "rounding" if lenient else allowed.format(check.tolerance)
    if check.passed is None:
        reason = check.note if len(check.note) <= 18 else ""
        yield f"{check.name:<22}{'':>8}  {reason:>18}  {'':>13}  {verdict}"
        return
    yield f"{check.name:<22}{check.compared:>8}  {error:>18}  {bound:>13}  {verdict}"


def _arguments(certificate: Certificate) -> Iterator[str]:
    worst = certificate.worst
    if not worst:
        return
    yield ""
    title = f"{'worst of each argument':<{_COMPONENT}}"
    yield f"{title}{'gradient':>15}{'numeric':>15}{'rel. error':>12}"
    for entry in worst.values():
        yield _row(entry)


def _row(entry: Entry) -> str:
    name = _shortened(entry.component, _COMPONENT - 1)
    mark = " WRONG"[: 6 if entry.wrong else 0]
    numbers = f"{entry.gradient:>15.8g}{entry.numeric:>15.8g}"
    if entry.wrong:
        name = _shortened(entry.component, _COMPONENT - 7) + mark
    return f"{name:<{_COMPONENT}}{numbers}{entry.relative_error:>12.1e}"


def _shortened(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


def _kinks(certificate: Certificate) -> Iterator[str]:
    if not certificate.kinks:
        return
    yield ""
    yield "at a kink, where there is no derivative and either slope may be taken:"
    for kink in certificate.kinks:
        yield from _wrapped(f"{kink.operation}, {kink.place}", "  ")
        yield from _wrapped(_kink(kink), "    ")


def _kink(kink: Kink) -> str:
    others = len(kink.components) - 1
    name = f"{kink.components[0]}{f' and {others} more' if others else ''}"
    first = f" for {kink.components[0]}" if others else ""
    text = f"{name}: {kink.gradient:.6g} is taken{first}, between slopes of {kink.before:.6g} and "
    text += f"{kink.after:.6g}"
    tolerance = 1e-6 * (abs(kink.before) + abs(kink.after))
    low, high = sorted((kink.before, kink.after))
    if not low - tolerance <= kink.gradient <= high + tolerance:
        text = text.replace("between", "beside")
    if kink.beside is None:
        return text + "."
    return text + (". Beside the kink it is right." if kink.beside else ". Beside it, it is WRONG.")
