"""Hex text into bytes: dumps (`images/hexdumps.py`), lists of numbers (`images/bytelists.py`), bytes of Python, Base64.

What cannot be told apart by the text alone has several readings; whoever knows telegrams chooses, or has the operator
choose. No text of an error repeats what was read.
"""

import ast
import base64
import binascii
import re
import warnings
from enum import StrEnum

from images.bytelists import Kind, in_a_log, in_brackets, numbers
from images.finding import Reason
from images.hexdumps import Dump, dump_among, whole_dump
from images.hexlines import HexError, Lines, Reading, Readings, lines_of, text_of

__all__ = ["HexError", "Reading", "Readings", "TextForm", "parse_hex", "readings", "text_of"]

_LITERAL = re.compile(r"(?<!\w)b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_HEXISH = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}")
_DOUBT_OF_OFFSETS = (
    "オフセットの基数が複数考えられ、どれでも電文になりません  the offsets can be hexadecimal, decimal or octal, so "
    "that `*` stands for different numbers of lines, and no way gives a telegram: make the dump with `od -A x -v -t x1`"
)
_LARGEST = 64 * 1024 * 1024  # characters


class TextForm(StrEnum):
    """What the operator says that a text is."""

    HEX = "hex"
    DECIMAL = "decimal"


def parse_hex(text: str) -> list[bytes]:
    """The pieces of bytes that the text writes down, in order; never an empty one.

    Raises `HexError`, also where the text has several readings.
    """
    found = readings(text)
    if found.doubt is not None:
        raise HexError(found.doubt)
    return found.ways[0].pieces


def readings(text: str, form: TextForm | None = None) -> Readings:
    """Every way to read the text, at least one; `form`: as which kind of numbers alone. Raises `HexError`."""
    if len(text) > _LARGEST:
        raise HexError(f"{len(text)} characters of hex text are too many: give the bytes themselves, or a part")
    lines = lines_of(text)
    if not lines:
        raise HexError("the text is empty: give pairs of hexadecimal digits")
    if form is TextForm.DECIMAL:
        return _listed(lines, Kind.DECIMAL)
    literal = _literals(lines) if len(lines) == 1 and _LITERAL.fullmatch(lines[0][1].strip()) else None
    if literal is not None:
        return literal
    dump = whole_dump(lines)
    if dump is None:
        among = dump_among(lines)
        dump = among if among is not None and among.sure else None
        if dump is None:
            return _not_a_dump(lines, among, None if form is None else Kind.HEX)
    return _of_dump(dump)


def _not_a_dump(lines: Lines, weak: Dump | None, kind: Kind | None) -> Readings:
    """Bytes without offsets: `weak` is what may be a dump of one line."""
    try:
        return numbers(lines, kind)
    except HexError as error:
        problem = error
    if weak is not None:
        return _of_dump(weak)
    found = _literals(lines) or in_brackets(lines, kind) or in_a_log(lines, kind) or _base64(lines)
    if found is None:
        raise problem
    return found


def _listed(lines: Lines, kind: Kind) -> Readings:
    try:
        return numbers(lines, kind)
    except HexError:
        found = in_brackets(lines, kind) or in_a_log(lines, kind)
        if found is None:
            raise
        return found


def _of_dump(dump: Dump) -> Readings:
    japanese, english = "16 進テキスト", "hex text"
    if dump.fronted:
        japanese, english = f"{japanese}、行頭の時刻などを除く", f"{english}, without what stands before the offsets"
    if dump.left_out:
        japanese = f"{japanese}、ダンプ以外の {dump.left_out} 行を除く"
        english = f"{english}, without lines that are no dump: {dump.left_out}"
    ways = [Reading(Reason(japanese, english), pieces) for pieces in (dump.pieces, *dump.others)]
    return Readings(ways, _DOUBT_OF_OFFSETS if dump.others else None)


def _literals(lines: Lines) -> Readings | None:
    """Bytes as Python prints them into a log: ``b'0044'``, with escapes. None where there are none."""
    pieces: list[bytes] = []
    whole = True
    for _, line in lines:
        for found in _LITERAL.finditer(line):
            whole = whole and found.group() == line.strip()
            try:
                with warnings.catch_warnings(action="error"):  # an escape that Python does not know
                    value = ast.literal_eval(found.group())
            except (SyntaxError, ValueError, Warning):
                return None
            if isinstance(value, bytes) and value:
                pieces.append(value)
    if not pieces:
        return None
    more = (
        ("", "") if whole and len(pieces) == len(lines) else ("、その前後を除く", ", without what stands around them")
    )
    return Readings([Reading(Reason(f"Python のバイト列{more[0]}", f"bytes as Python prints them{more[1]}"), pieces)])


def _base64(lines: Lines) -> Readings | None:
    joined = "".join(line.strip() for _, line in lines)
    if len(joined) % 4 or _BASE64.fullmatch(joined) is None or _HEXISH.search(joined) is not None:
        return None
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error:
        return None
    doubt = "this may be Base64, but what it then holds is no telegram: give the bytes themselves, or hex text"
    return Readings([Reading(Reason("Base64", "Base64"), [data])], doubt)
