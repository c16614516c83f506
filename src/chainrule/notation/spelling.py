"""How a variable's name is taken apart: a letter, what is below it, and the marks of its version.

``W1`` is W with subscript 1, ``d_loss_W2`` is d with subscripts loss and W2, ``alpha`` is the
Greek letter, ``learning_rate`` is one upright word, and ``params['W1']`` is W1 in params.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from chainrule.notation.symbols import GREEK, SUPERSCRIPTS

__all__ = ["Spelling", "barred_text", "marks", "pieces"]

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_TOKENS = re.compile(r"[^\W\d]\w*|\d+|[^\w\s'\"]")


@dataclass(frozen=True)
class Spelling:
    """A base, a letter or an upright word or a number, and the subscripts below it."""

    base: str
    subscripts: tuple[Spelling, ...] = ()

    @property
    def is_letter(self) -> bool:
        """Whether the base is one letter, which is set in italics."""
        return len(self.base) == 1 and self.base.isalpha()


@lru_cache(maxsize=4096)
def pieces(name: str) -> tuple[Spelling | str, ...]:
    """A name as spellings with the punctuation between them; most names are one spelling.

    >>> pieces("W1")
    (Spelling(base='W', subscripts=(Spelling(base='1', subscripts=()),)),)
    """
    if _IDENTIFIER.fullmatch(name):
        return (_identifier(name),)
    found: list[Spelling | str] = []
    for token in _TOKENS.findall(name.removeprefix("self.")):
        if _IDENTIFIER.fullmatch(token):
            found.append(_identifier(token))
        elif token.isdigit():
            found.append(Spelling(token))
        else:
            found.append(token)
    return tuple(found)


def _identifier(name: str) -> Spelling:
    first, *rest = [part for part in name.split("_") if part] or [name]
    word, digits = _without_digits(first)
    if len(word) > 1 and word not in GREEK:
        # A word: only a number at its end is a subscript.
        whole, digits = _without_digits(name)
        return Spelling(whole.rstrip("_") or whole, (Spelling(digits),) if digits else ())
    below = [digits, *rest] if digits else rest
    return Spelling(GREEK.get(word, word), tuple(_identifier(part) for part in below))


def _without_digits(word: str) -> tuple[str, str]:
    stem = word.rstrip("0123456789")
    return (stem, word[len(stem) :]) if stem else (word, "")


def marks(version: int) -> str:
    """What tells a later value of a name from the first: h, h′, h″, h‴, h⁽⁴⁾ and so on."""
    if version <= 3:
        return "\0′″‴"[version] if version else ""
    return "".join(SUPERSCRIPTS[character] for character in f"({version})")


def barred_text(name: str) -> str:
    """A name in text with a bar over its letters before the first number or underscore.

    >>> barred_text("z1")
    'z̄1'
    """
    found = re.match(r"[^\W\d_]+", name.removeprefix("self."))
    if found is None:
        return f"bar({name})"
    base = found.group()
    mark = "\N{COMBINING MACRON}" if len(base) == 1 else "\N{COMBINING OVERLINE}"
    over = "".join(letter + mark for letter in base)
    return unicodedata.normalize("NFC", over) + name.removeprefix("self.")[len(base) :]
