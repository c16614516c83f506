"""Pieces of the sentences in which the data layer reports what is wrong with a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["a_number_of", "choice", "closest", "closest_phrase", "listed", "ordinal", "shown"]

_LONGEST = 40


def shown(value: Any) -> str:
    r"""A name or a cell as it stands in a message: quoted, escaped, and cut where it is long.

    >>> shown("age"), shown(3.0), shown("two\nlines")
    ("'age'", '3.0', "'two\\nlines'")
    """
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, str):
        return repr(value)
    return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")


def listed(values: Iterable[Any], limit: int = 5, last: str = "and") -> str:
    """Values in a row, the first few of them where there are many.

    >>> listed(["a", "b", "c"])
    "'a', 'b' and 'c'"
    >>> listed(range(100), limit=3)
    '0, 1, 2 and 97 more'
    """
    texts = [shown(value) for value in values]
    if len(texts) > limit:
        return f"{', '.join(texts[:limit])} and {len(texts) - limit:,} more"
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def a_number_of(number: int, noun: str) -> str:
    """A count and its noun, in the plural where it needs one.

    >>> a_number_of(1, "row"), a_number_of(10000, "row"), a_number_of(2, "category")
    ('1 row', '10,000 rows', '2 categories')
    """
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("ss"):
        return f"{number:,} {noun}es"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def choice(ways: Sequence[str]) -> str:
    """Ways out, one of which is to be taken.

    >>> choice(["correct it"]), choice(["a", "b"]), choice(["a", "b", "c"])
    ('correct it', 'a, or b', 'a, b, or c')
    """
    return ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])}, or {ways[-1]}"


def ordinal(number: int) -> str:
    """A place in a row: 1st, 2nd, 3rd, 4th.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def closest(name: str, names: Sequence[str]) -> list[str]:
    """All names, the one most like the given name first.

    >>> closest("Speces", ["width", "species"])
    ['species', 'width']
    """
    import difflib  # here, as only what is misspelt needs it

    wanted = name.casefold()

    def likeness(candidate: str) -> float:
        return difflib.SequenceMatcher(None, wanted, candidate.casefold()).ratio()

    return sorted(names, key=likeness, reverse=True)


def closest_phrase(name: str, names: Sequence[str], limit: int = 5) -> str:
    """The names there are, those most like the given one first, as the end of a sentence.

    >>> closest_phrase("speces", ["width", "species"])
    "the closest is 'species', the other is 'width'"
    """
    first, *others = closest(name, names)
    if not others:
        return f"the only one is {shown(first)}"
    verb = "the other is" if len(others) == 1 else "the others are"
    return f"the closest is {shown(first)}, {verb} {listed(others, limit)}"
