"""Hex text into bytes: plain digits, lists of bytes, and the dumps of xxd, hexdump -C, od, tcpdump and Wireshark.

A dump's offset column is checked, not only skipped: a line that was lost on the way from a terminal is told of. Offsets
that begin again at 0 begin another piece. No text of an error repeats what was read.
"""

import ast
import re
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_OFFSET = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,16})(:?)(?=\s|$)")
_GROUPS = re.compile(r"[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})*(?: {1,2}(?:[0-9a-fA-F]{2})+)*")
_COLUMN = re.compile(r" {2,}| +(?=[|>])")
_DECORATION = re.compile(r"0x|\\x|[\s,;:{}\[\]()\"'-]", re.IGNORECASE)  # of a list of bytes in a program or a log
_LITERAL = re.compile(r"b'[^']*'|b\"[^\"]*\"")
_PREFIX = re.compile(r"^\s*b(?=['\"])")
_LARGEST = 64 * 1024 * 1024  # characters
_SQUEEZED = 16 * 1024 * 1024  # bytes that `*` may stand for


class HexError(ValueError):
    """The text is not one of the forms. The message names line and column, and the remedy."""


class _Line(NamedTuple):
    number: int
    offset: int
    text: str  # after the offset
    end: bool  # only an offset: where the bytes before it end


def parse_hex(text: str) -> list[bytes]:
    """The pieces of bytes that the text writes down, in order; never an empty one. Raises `HexError`."""
    if len(text) > _LARGEST:
        raise HexError(f"{len(text)} characters of hex text are too many: give the bytes themselves, or a part")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.lstrip().startswith("#")]
    filled = [(number, line) for number, line in lines if line.strip()]
    if not filled:
        raise HexError("the text is empty: give pairs of hexadecimal digits")
    literal = _literal(filled[0][1].strip()) if len(filled) == 1 else None
    if literal:
        return [literal]
    dump = _as_dump(filled)
    return dump if dump is not None else [_plain(filled)]


# --- without offsets ------------------------------------------------------------------------------------------------


def _literal(text: str) -> bytes | None:
    """Bytes as Python prints them into a log: ``b'0044'``, with escapes. None of what is otherwise."""
    if _LITERAL.fullmatch(text) is None:
        return None
    try:
        with warnings.catch_warnings(action="error"):  # an escape that Python does not know
            value = ast.literal_eval(text)
    except (SyntaxError, ValueError, Warning):
        return None
    return value if isinstance(value, bytes) else None


def _plain(lines: Sequence[tuple[int, str]]) -> bytes:
    digits: list[str] = []
    for number, line in lines:
        bare = _PREFIX.sub("", line)
        kept = _DECORATION.sub(lambda found: " " * len(found.group()), bare)
        for place, character in enumerate(kept):
            if character not in "0123456789abcdefABCDEF ":
                column = place + 1 + len(line) - len(bare)
                raise HexError(
                    f"line {number}, column {column}: not a hexadecimal digit: give pairs of digits, or a dump with "
                    "offsets (xxd, hexdump -C)"
                )
        for group in kept.split():
            if len(group) % 2 and len(kept.split()) > 1:
                raise HexError(f"line {number}: a group of {len(group)} hexadecimal digits: give pairs")
        digits.append(kept.replace(" ", ""))
    joined = "".join(digits)
    if len(joined) % 2:
        raise HexError(f"{len(joined)} hexadecimal digits, an odd number: one was lost, or one is too many")
    if not joined:
        raise HexError("the text holds no hexadecimal digit: give pairs of them")
    return bytes.fromhex(joined)


# --- dumps ----------------------------------------------------------------------------------------------------------


def _as_dump(lines: Sequence[tuple[int, str]]) -> list[bytes] | None:
    """The pieces of a dump with offsets, or None where the text is not one. Raises `HexError` for a broken dump."""
    rows = _rows(lines)
    if rows is None:
        return None
    pieces: list[bytearray] = []
    squeezed_at: int | None = None
    for at, row in enumerate(rows):
        if row is None:
            squeezed_at = len(pieces[-1]) if pieces else 0
            continue
        if row.offset == 0 and not row.end:
            pieces.append(bytearray())
        piece = pieces[-1]
        if squeezed_at is not None:
            _unsqueeze(piece, row)
            squeezed_at = None
        if row.offset != len(piece):
            raise HexError(
                f"line {row.number}: offset {row.offset:#x}, where {len(piece):#x} bytes stand before: "
                "a line is missing or doubled: copy the dump again"
            )
        if not row.end:
            following = next((each for each in rows[at + 1 : at + 2] if each is not None and each.offset), None)
            piece += _bytes_of(row, None if following is None else following.offset - row.offset)
    return [bytes(piece) for piece in pieces if piece] or None


def _rows(lines: Sequence[tuple[int, str]]) -> list[_Line | None] | None:
    """Each line with its offset, None for the ``*`` of repeated lines; None where some line has no offset."""
    rows: list[_Line | None] = []
    colons = set()
    for number, line in lines:
        if line.strip() == "*":
            rows.append(None)
            continue
        found = _OFFSET.match(line)
        if found is None:
            return None
        colons.add(bool(found[2]))
        rest = line[found.end() :]
        rows.append(_Line(number, int(found[1], 16), rest.expandtabs(), not rest.strip()))
    first = rows[0]
    if first is None or first.offset != 0 or first.end:
        return None
    if not all(colons) and not _looks_counted(rows):
        return None
    if _is_in_words(lines):
        raise HexError(
            "this looks like `hexdump` or `od -x` without further options, which swap the bytes of each word: "
            "make the dump with `xxd` or `hexdump -C`"
        )
    return rows


def _looks_counted(rows: Sequence[_Line | None]) -> bool:
    """Whether the first column counts, where no colon says that it is an offset and not the first bytes."""
    offsets = [row.offset for row in rows if row is not None]
    if len(offsets) == 1:
        text = rows[0].text if rows[0] is not None else ""
        return text.startswith("  ") or text.rstrip().endswith("|")
    return all(after == 0 or before < after <= before + _SQUEEZED for before, after in pairwise(offsets))


def _is_in_words(lines: Sequence[tuple[int, str]]) -> bool:
    """The form of `hexdump` alone: seven digits of offset and words of four digits, nothing else."""
    words = re.compile(r"[0-9a-fA-F]{7}(?: [0-9a-fA-F]{4}){1,8}\s*|[0-9a-fA-F]{7}\s*|\*\s*")
    return all(words.fullmatch(line) for _, line in lines)


def _unsqueeze(piece: bytearray, row: _Line) -> None:
    """Put in what ``*`` stands for: the last 16 bytes again and again, up to this offset."""
    missing = row.offset - len(piece)
    if len(piece) < 16 or not 0 <= missing <= _SQUEEZED or missing % 16:
        raise HexError(f"line {row.number}: the `*` before it does not stand for whole lines: use `hexdump -v`")
    piece += bytes(piece[-16:]) * (missing // 16)


def _bytes_of(row: _Line, wanted: int | None) -> bytes:
    """The bytes of a line without its column of characters. `wanted`: how many, by the next line's offset."""
    text = row.text.lstrip()
    found: list[tuple[bytes, str]] = []  # every way to part them: the bytes, and what would be the column
    for end in (*(gap.start() for gap in _COLUMN.finditer(text)), len(text)):
        if _GROUPS.fullmatch(text[:end].rstrip()) is not None:
            found.append((bytes.fromhex(text[:end]), text[end:].removeprefix("  ").lstrip("\t")))
    fitting = [data for data, _ in found if len(data) == wanted]
    chosen = fitting[0] if fitting else _likeliest(found) if wanted is None else None
    if chosen is None:
        how_many = "" if wanted is None else f"{wanted} "
        raise HexError(f"line {row.number}: behind the offset belong {how_many}bytes as pairs of hexadecimal digits")
    return chosen


def _likeliest(found: Sequence[tuple[bytes, str]]) -> bytes | None:
    """The way in which the column has one character a byte; without such, the whole line, then what comes nearest."""
    for data, column in found:
        if column.lstrip()[:1] in ("|", ">") or len(data) in (len(column), len(column.strip()), len(column) - 1):
            return data
    for data, column in found:
        if not column.strip():
            return data
    near = [(len(data) - len(column.strip()), data) for data, column in found if len(column.strip()) <= len(data)]
    return min(near, key=lambda each: each[0])[1] if near else None
