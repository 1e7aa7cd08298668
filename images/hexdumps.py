"""Dumps with offsets: xxd, hexdump -C, od, hexyl, tcpdump, Wireshark, Format-Hex, jPOS, and such lines in a log.

The offsets are checked, not only skipped: a line that was lost on the way from a terminal is told of. Offsets that
begin again at 0 begin another piece. A line ``*`` stands for repeats of the line before it, of whatever width.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from images.hexlines import HexError, Lines
from images.hexrows import bytes_in, columns_of

_FIRST = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,16})(:?)(?=\s|$)")
_ANYWHERE = re.compile(r"(?<![0-9A-Za-z.])(?:0x)?([0-9a-fA-F]{4,16})([hH]?[:|>\])]{0,2})(?=\s|$)")
_BEHIND = re.compile(r"\s*$|\s+(?:[0-9a-fA-F]{2})+(?=[\s|>-]|$)")
_WORDS = re.compile(r"\s*[0-9a-fA-F]{6,7}((?:\s+(?:[0-9a-fA-F]{4}|[0-7]{6}|[0-9a-fA-F]{8}|[0-9a-fA-F]{16}))*)\s*|\*")
_PAIRS = re.compile(r"(?:[0-9a-fA-F]{2}(?:[\s,]+|$)){4,}")
_BYTES = re.compile(r"\s+(?:[0-9a-fA-F]{2})+(?:\s+(?:[0-9a-fA-F]{2})+)+")
_SQUEEZED = 16 * 1024 * 1024  # bytes that `*` may stand for
_AHEAD = 64  # lines of a log among which the next line of a dump is looked for
_FRONT, _LONGEST = 200, 10_000  # characters in which an offset of a log begins, and of a line with one
_AGAIN = "copy the dump again"


class Dump(NamedTuple):
    """The pieces of bytes of a dump. `sure`: it is one, and not numbers that look like it."""

    pieces: list[bytes]
    left_out: int = 0  # lines around it that are none of it
    fronted: bool = False  # something stood before the offsets
    sure: bool = True
    others: tuple[list[bytes], ...] = ()  # the pieces, were the offsets written in another base


class _Row(NamedTuple):
    digits: str  # of the offset
    marked: bool  # by a colon or another sign behind it
    text: str  # after the offset

    @property
    def end(self) -> bool:
        """Only an offset: where the bytes before it end."""
        return not self.text.strip()


class _Line(NamedTuple):
    number: int
    rows: tuple[_Row, ...]  # each way to read it: one, or in a log several; none for ``*``


# --- which lines are a dump -----------------------------------------------------------------------------------------


def whole_dump(lines: Lines) -> Dump | None:
    """The text as a dump, all of it; None where some line has no offset. Raises `HexError` for a broken dump."""
    rows: list[_Line] = []
    for number, line in lines:
        if line.strip() == "*":
            rows.append(_Line(number, ()))
            continue
        found = _FIRST.match(line)
        if found is None:
            return None
        rows.append(_Line(number, (_Row(found[1], bool(found[2]), line[found.end() :].expandtabs()),)))
    alone = [line.rows[0] for line in rows if line.rows]
    if not rows[0].rows or int(alone[0].digits, 16) or alone[0].end:
        return None
    if not all(row.marked for row in alone) and not _looks_counted(alone):
        return None
    if not any(row.marked for row in alone) and _in_words([line for _, line in lines]):
        raise HexError(
            "this looks like `hexdump` or `od` without further options, which write words whose bytes may be swapped: "
            "make the dump with `xxd`, `hexdump -C` or `od -A x -t x1`"
        )
    return _in_its_base(rows, None, strict=True)


def dump_among(lines: Lines) -> Dump | None:
    """The dump in a text that says more: headings, other lines of a log, something before each offset; None if none is.

    Raises `HexError` for a broken one.
    """
    rows: list[_Line] = []
    width, other = None, 0
    for number, line in lines:
        flat = line.expandtabs()
        ways = [
            _Row(found[1], bool(found[2]), flat[found.end() :])
            for found in _ANYWHERE.finditer(flat[:_FRONT])
            if _BEHIND.match(flat, found.end()) and len(flat) <= _LONGEST
        ]
        if ways:
            rows.append(_Line(number, tuple(ways)))
        elif flat.split()[-1] == "*":
            rows.append(_Line(number, ()))
        elif (columns := columns_of(flat)) is not None:
            width = columns
        elif _PAIRS.search(flat) is None:
            other += 1
        else:
            rows.append(_Line(number, (_Row("", False, flat),)))  # bytes without an offset
    begins = [line for line in rows if any(_begins(row) for row in line.rows)]
    counted = sum(any(row.digits and not row.end for row in line.rows) for line in rows) > 1
    sure = width is not None or (bool(begins) and counted)
    if not begins:
        if width is not None:
            raise HexError(f"below its heading the dump has no line of offset 0 with pairs of digits: {_AGAIN}")
        return None
    try:
        dump = _in_its_base(rows, width, strict=False)
    except HexError:
        if sure and _goes_on(rows, begins[0]):
            raise
        return None
    fronted = any(not line.lstrip().startswith(("0", "|")) for number, line in lines if number == begins[0].number)
    return dump._replace(left_out=dump.left_out + other, fronted=fronted, sure=sure)


def _begins(row: _Row) -> bool:
    return bool(row.digits) and not row.digits.strip("0") and not row.end


def _goes_on(rows: Sequence[_Line], first: _Line) -> bool:
    """Whether the line after the first of a dump has an offset that counts on."""
    at = rows.index(first)
    return any(
        row.digits.isalnum() and 0 < int(row.digits, 16) <= 0x100 for line in rows[at + 1 : at + 3] for row in line.rows
    )


def _looks_counted(rows: Sequence[_Row]) -> bool:
    """Whether the first column counts, where no colon says that it is an offset and not the first bytes."""
    offsets = [int(row.digits, 16) for row in rows]
    if len(offsets) == 1:
        return rows[0].text.startswith("  ") or rows[0].text.rstrip().endswith("|")
    return all(after == 0 or before < after <= before + _SQUEEZED for before, after in pairwise(offsets))


def _in_words(lines: Sequence[str]) -> bool:
    """The forms of `hexdump` and `od` alone: an offset and words of more than one byte, no column of characters."""
    found = [_WORDS.fullmatch(line) for line in lines]
    return all(found) and any(each[1] for each in found if each is not None and each[1])


# --- the bytes ------------------------------------------------------------------------------------------------------


def _in_its_base(lines: Sequence[_Line], width: int | None, *, strict: bool) -> Dump:
    """Read it with offsets as xxd and hexdump write them, else in decimal or octal, as xxd -d and od do."""
    digits = [row.digits for line in lines for row in line.rows if row.digits]
    of_od = all(len(each) == 7 for each in digits) and not any(row.marked for line in lines for row in line.rows)
    found: dict[int, Dump] = {}
    problem: HexError | None = None
    for base in (16, 10, 8) if of_od else (16, 10):
        if found and not of_od:
            break
        try:
            found[base] = _Reader(lines, base, width, strict=strict).read()
        except HexError as error:
            problem = problem or error
    if not found:
        assert problem is not None
        raise problem
    first, *others = found.values()
    return first._replace(others=tuple(other.pieces for other in others if other.pieces != first.pieces))


class _Reader:
    """The lines of a dump, one after the other, held against the bytes before them."""

    def __init__(self, lines: Sequence[_Line], base: int, width: int | None, *, strict: bool) -> None:
        self._lines = lines
        self._base = base
        self._width = width  # bytes a line, as far as it is known
        self._strict = strict
        self._pieces: list[bytearray] = []
        self._line: bytes = b""  # the last one
        self._left_out = 0

    def read(self) -> Dump:
        squeezed: int | None = None  # the line of an asterisk
        for at, line in enumerate(self._lines):
            if not line.rows:
                squeezed = line.number if self._pieces else None
                continue
            row = self._row(line, squeezed=squeezed is not None)
            if row is None:
                continue
            if self._offset(row) == 0 and not row.end:
                self._say_open(squeezed)
                self._pieces.append(bytearray())
            elif squeezed is not None:
                self._unsqueeze(line.number, row)
            squeezed = None
            if not row.end:
                self._line = self._bytes(at, row)
                self._pieces[-1] += self._line
        self._say_open(squeezed)
        return Dump([bytes(each) for each in self._pieces if each], self._left_out)

    def _offset(self, row: _Row) -> int | None:
        try:
            return int(row.digits, self._base)
        except ValueError:
            return None

    def _row(self, line: _Line, *, squeezed: bool) -> _Row | None:
        """The way to read this line that goes on where the bytes before it end, or begins anew; None: it is no line."""
        here = len(self._pieces[-1]) if self._pieces else None
        offsets = [self._offset(row) for row in line.rows]
        for row, offset in zip(line.rows, offsets, strict=True):
            if offset == here or (squeezed and offset is not None and here is not None and offset > here):
                return row
        for row, offset in zip(line.rows, offsets, strict=True):
            if offset == 0 and not row.end:
                return row
        if not self._strict and (here is None or not any(_BYTES.match(row.text) for row in line.rows)):
            self._left_out += 1
            return None
        here = here or 0
        offset = min((each for each in offsets if each is not None and each > here), default=offsets[0])
        told = f"offset {offset:#x}" if offset is not None and offset >> 32 == 0 else "no offset that fits"
        raise HexError(
            f"line {line.number}: {told}, where {here:#x} bytes stand before: a line is missing or doubled: {_AGAIN}"
        )

    def _say_open(self, squeezed: int | None) -> None:
        if squeezed is not None:
            raise HexError(
                f"line {squeezed}: nothing behind the `*` says for how many lines it stands: {_AGAIN}, with its last "
                "line, or make it with `hexdump -v -C` or `od -v`"
            )

    def _unsqueeze(self, number: int, row: _Row) -> None:
        """Put in what ``*`` stands for: the line before it again and again, up to this offset."""
        piece, line = self._pieces[-1], self._line
        missing = (self._offset(row) or 0) - len(piece)
        if not line or not 0 <= missing <= _SQUEEZED or missing % len(line):
            raise HexError(f"line {number}: the `*` before it does not stand for whole lines: use `hexdump -v`")
        piece += line * (missing // len(line))

    def _bytes(self, at: int, row: _Row) -> bytes:
        """The bytes of this line; how many, the offset of the next one says."""
        here = self._offset(row)
        assert here is not None
        number = self._lines[at].number
        for line in self._lines[at + 1 : at + 1 + (1 if self._strict else _AHEAD)]:
            if not line.rows:
                break
            for following in line.rows:
                wanted = (self._offset(following) or 0) - here
                if wanted <= 0 or wanted > _SQUEEZED:
                    continue
                data = bytes_in(row.text, wanted, self._width, number)
                if data is not None:
                    self._width = max(self._width or 0, wanted)
                    return data
                if self._strict:
                    raise HexError(_belong(number, f"{wanted} "))
        data = bytes_in(row.text, None, self._width, number)
        if data is None:
            raise HexError(_belong(number, ""))
        return data


def _belong(number: int, how_many: str) -> str:
    return (
        f"line {number}: behind the offset belong {how_many}bytes as pairs of hexadecimal digits: {_AGAIN}, or make it "
        "with `xxd`, `hexdump -C` or `od -A x -t x1`"
    )
