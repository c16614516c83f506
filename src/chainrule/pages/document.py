"""A page as one file: nothing in it is fetched, and only its own script runs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from chainrule.errors import DataError, SettingError
from chainrule.pages.markup import Markup, element
from chainrule.training.files import write_text

__all__ = [
    "check_page_file",
    "data_element",
    "document",
    "mathematics_font",
    "resource",
    "write_page",
]

_SUFFIXES = (".html", ".htm")


def check_page_file(path: Path) -> None:
    """Refuse a file that a page cannot be written to, before anything is run."""
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingError(f"{path} is no name for a page: it is to end in .html.")
    if path.is_dir():
        raise SettingError(f"{path} is a folder. Name a file for the page.")
    if not path.parent.is_dir():
        raise SettingError(f"There is no folder {path.parent} to write the page {path.name} to.")


def write_page(text: str, path: Path) -> None:
    """Write a page to a file: whole, or not at all."""
    check_page_file(path)
    try:
        write_text(path, text)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from None


def resource(package: str, name: str) -> str:
    """The text of a file that a package ships."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def mathematics_font() -> str:
    """The style that gives a page the font for its formulas, which is part of the style."""
    font = resources.files("chainrule.pages").joinpath("mathematics.woff2").read_bytes()
    data = base64.b64encode(font).decode()
    return (
        '@font-face { font-family: "Chainrule Mathematics"; '
        f'src: url("data:font/woff2;base64,{data}") format("woff2"); }}\n'
        'math { font-family: "Chainrule Mathematics", math; }\n'
    )


def data_element(name: str, data: Any) -> Markup:
    """Plain data for a page's script, in which no text can end the element that it is in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Markup(text), type="application/json", id=name)


def document(
    title: str,
    body: Markup,
    *,
    styles: Sequence[str],
    script: str = "",
    inline_styles: Sequence[str] = (),
) -> str:
    """A page with its styles and its script in it.

    Should a text on the page ever get out of its place, nothing in it runs or is fetched: the
    policy names what may by its digest. ``inline_styles`` are the style attributes that may stand.
    """
    style = resource("chainrule.pages", "base.css") + "".join(styles)
    allowed = [_digest(style), *map(_digest, inline_styles)]
    if inline_styles:
        allowed.append("'unsafe-hashes'")
    policy = [
        "default-src 'none'",
        f"style-src {' '.join(allowed)}",
        *([f"script-src {_digest(script)}"] if script else []),
        *(["font-src data:"] if "@font-face" in style else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    running = element("script", Markup(script)) if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', title)}\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n{running}</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
