"""Text that writes bytes down, whatever wrote it: its encoding, its lines, and the error that tells of its faults."""

import codecs
import re
from collections.abc import Sequence
from typing import NamedTuple

from images.finding import Reason

Lines = Sequence[tuple[int, str]]  # number, from 1, and text

# Colours of a terminal, and the frames that hexyl draws around its columns.
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_FRAMES = str.maketrans(dict.fromkeys("┌┐└┘├┤┬┴┼─┊", "") | {"│": "  "})
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class HexError(ValueError):
    """The text is not one of the forms. The message names line and column, and the remedy."""


class Reading(NamedTuple):
    """One way to read a text: as what, and the pieces of bytes that it then writes down, never an empty one."""

    form: Reason
    pieces: list[bytes]


class Readings(NamedTuple):
    """Every way to read a text. `doubt`: the refusal where the text alone does not tell which way is right."""

    ways: list[Reading]
    doubt: str | None = None


def text_of(data: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with a byte order mark or without, UTF-32, Shift_JIS. Raises `HexError`."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding, len(mark))
    first, second = data[::2].count(0), data[1::2].count(0)
    if len(data) % 2 == 0 and max(first, second) > len(data) / 4 and 10 * min(first, second) < max(first, second):
        return _decoded(data, "utf-16-le" if second > first else "utf-16-be", 0)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        try:
            return data.decode("cp932")
        except UnicodeDecodeError:
            raise HexError(f"byte {error.start} is no text: give hex text, or the bytes with --as raw") from None


def _decoded(data: bytes, encoding: str, start: int) -> str:
    try:
        return data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        place = start + error.start
        raise HexError(f"byte {place} is no text of {encoding}, in which the file begins: save it as UTF-8") from None


def lines_of(text: str) -> list[tuple[int, str]]:
    """The lines that say something, without colours, frames and comments (``#``)."""
    plain = _COLOURS.sub("", text).translate(_FRAMES)
    lines = [(number, line.rstrip()) for number, line in enumerate(plain.splitlines(), 1)]
    return [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
