"""HTML in which a text is only ever a text: whatever is not an element already is escaped."""

from __future__ import annotations

import html

__all__ = ["Markup", "element", "joined", "visible"]

_TAB = 4
_VOID = {"input"}
"""Elements that nothing is in, of those that are used."""


class Markup(str):
    """HTML that is written as it is."""

    __slots__ = ()


def joined(*children: str) -> Markup:
    """Elements and texts one after the other.

    >>> joined("1 < 2 ", element("b", "3 < 4"))
    '1 &lt; 2 <b>3 &lt; 4</b>'
    """
    return Markup("".join(map(_escaped, children)))


def element(name: str, /, *children: str, **attributes: str | bool) -> Markup:
    """An element; ``class_`` and ``aria_label`` stand for class and aria-label.

    Attributes that are False are left out.

    >>> element("a", "here", href='"')
    '<a href="&quot;">here</a>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_escaped(value)}"')
        for key, value in attributes.items()
        if value is not False
    )
    end = "" if name in _VOID else f"{joined(*children)}</{name}>"
    return Markup(f"<{name}{written}>{end}")


def _escaped(text: str) -> str:
    return text if isinstance(text, Markup) else html.escape(visible(text.expandtabs(_TAB)))


def visible(text: str) -> str:
    """A text without a character that moves, hides or reorders others, whatever is in it."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
