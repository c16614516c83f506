"""From a file's bytes to UTF-8 text, with a sentence for every other thing they may be."""

from __future__ import annotations

import codecs

from chainrule.data.wording import shown
from chainrule.errors import DataError, SettingError

__all__ = ["foreign_kind", "utf8_of"]

_KINDS = (
    (b"PAR1", "a Parquet file", "give it the ending .parquet"),
    (b"\x93NUMPY", "a NumPy array", "give it the ending .npy"),
    (b"PK\x03\x04", "a zip archive, such as an Excel workbook or .npz", "save the table as CSV"),
    (b"\x1f\x8b", "compressed with gzip", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first"),
    (b"BZh", "compressed with bzip2", "decompress it first"),
    (b"\xfd7zXZ", "compressed with xz", "decompress it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"ARROW1", "an Arrow file", "save the table as Parquet"),
    (b"\x89HDF", "an HDF5 file", "save the table as Parquet"),
    (b"%PDF", "a PDF document", "save the table as CSV"),
    (b"SQLite format 3", "an SQLite database", "save the table as CSV"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def foreign_kind(data: bytes) -> tuple[str, str] | None:
    """What the first bytes show the file to be, and what to do, if it is a kind that is known."""
    for start, kind, advice in _KINDS:
        if data.startswith(start):
            return kind, advice
    return None


def utf8_of(name: str, data: bytes, encoding: str) -> bytes:
    """The text as UTF-8 without a byte order mark; raises DataError where it is another encoding.

    Raises SettingError where there is no such ``encoding``.
    """
    title = name[:1].upper() + name[1:]
    foreign = foreign_kind(data)
    if foreign is not None:
        kind, advice = foreign
        raise DataError(f"{title} is not text but {kind}: {advice}.")
    try:
        codec = codecs.lookup(encoding)
        b"a".decode(encoding, "ignore")  # LookupError for a codec such as hex, which makes no text
    except (LookupError, ValueError):
        raise SettingError(
            f"There is no text encoding {shown(encoding)}: the common ones are 'utf-8', 'latin-1', "
            "'cp1252' and 'utf-16'."
        ) from None
    if codec.name != "utf-8":
        return _decoded(title, data, encoding)
    data = data.removeprefix(codecs.BOM_UTF8)
    _refuse_utf16(title, data)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(_not_utf8(title, data, error.start)) from None
    if b"\0" in data:
        offset = data.index(b"\0")
        raise DataError(
            f"{title} is not text: it has {data.count(0):,} zero bytes, the first at byte "
            f"{offset + 1:,} (line {_line(data, offset)}): save the table as CSV again."
        )
    return data


def _decoded(title: str, data: bytes, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise DataError(
            f"{title} is not {encoding} text: its byte {start + 1:,} does not decode "
            f"({_reason(error)}): try another --encoding."
        ) from None
    return text.removeprefix("\ufeff").encode("utf-8", "replace")


def _reason(error: UnicodeError) -> str:
    return error.reason if isinstance(error, UnicodeDecodeError) else str(error)


def _refuse_utf16(title: str, data: bytes) -> None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise DataError(
                f"{title} is {encoding.upper()} text, as its first bytes say, and was to be read "
                f"as UTF-8: add --encoding {encoding}."
            )
    sample = data[:2000]
    odd, even = sample[1::2], sample[::2]
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros and zeros.count(0) > 0.7 * len(zeros) and others.count(0) < 0.1 * len(others):
            raise DataError(
                f"{title} seems to be UTF-16 text, since every other byte is zero, and was to be "
                f"read as UTF-8: try --encoding {encoding}."
            )


def _not_utf8(title: str, data: bytes, offset: int) -> str:
    """The sentence for a byte that is not UTF-8, with the encoding that it probably is in."""
    # Latin-1 gives the bytes from 0x80 to 0x9F to control characters, Windows to letters and signs.
    high = {byte for byte in set(data) if 0x80 <= byte < 0xA0}
    likely = "cp1252" if high and high.isdisjoint(b"\x81\x8d\x8f\x90\x9d") else "latin-1"
    start = max(data.rfind(b"\n", 0, offset) + 1, offset - 15)
    ending = data[offset : offset + 15].split(b"\n")[0]
    word = (data[start:offset] + ending).decode(likely, "replace").strip()
    wrong = sum(1 for byte in data if byte > 0x7F) if len(data) < 1_000_000 else None
    many = "" if wrong is None else f", one of {wrong:,} that are not ASCII" if wrong > 1 else ""
    return (
        f"{title} is not UTF-8 text: byte {offset + 1:,} (0x{data[offset]:02X}, in line "
        f"{_line(data, offset)}{many}) does not decode, and the text around it would be "
        f"{shown(word)} in {likely}: try --encoding {likely}, or save the file as UTF-8."
    )


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n" if b"\n" in data else b"\r", 0, offset) + 1
