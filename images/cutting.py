"""A captured stream into telegrams, also where the capture begins in the middle of one or lost some packets.

Where the beginning of a telegram is not known, the first place is taken from which a telegram can be read as a whole.
Bytes that belong to none are handed out as `Skipped`: never dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple

from images.finding import Found, announced, decodes, read_one
from images.streams import Direction, Origin, Piece
from schemas.telegrams import PartnerSpec
from schemas.telegrams.framing import Framing


class Cut(NamedTuple):
    """A telegram of a stream. `offset` is that of its framing; `origin` the packet that completed it."""

    offset: int
    found: Found
    origin: Origin


class Skipped(NamedTuple):
    """Bytes of a stream that belong to no telegram, and why; `data` is empty where the capture has them not."""

    offset: int
    size: int
    data: bytes
    why: str


def cut_stream(partner: PartnerSpec, direction: Direction, carriers: Sequence[PartnerSpec]) -> list[Cut | Skipped]:
    """Everything of one direction, in order, by this partner's framing and layouts."""
    cuts: list[Cut | Skipped] = []
    for piece in direction.pieces:
        cuts += _cut_piece(partner, piece, carriers, aligned=piece.offset == 0 and direction.whole)
    cuts += [Skipped(offset, size, b"", "not in the capture") for offset, size in direction.gaps if size]
    return sorted(cuts, key=lambda each: each.offset)


def _cut_piece(
    partner: PartnerSpec, piece: Piece, carriers: Sequence[PartnerSpec], *, aligned: bool
) -> list[Cut | Skipped]:
    data, width = piece.data, partner.framing.length_bytes
    cuts: list[Cut | Skipped] = []
    at = 0
    while at < len(data):
        size = _size_at(partner.framing, data, at)
        sure = aligned or (size is not None and decodes(partner, data[at + width : at + size]))
        if size is None or not sure:
            why = (
                "no length of a telegram stands here"
                if aligned
                else "before the first telegram that can be read as a whole"
            )
            following = _next_telegram(partner, data, at + (1 if aligned else 0))
            cuts.append(_skipped(piece, at, following, why))
            at, aligned = following, False
            continue
        if at + size > len(data):
            cuts.append(_skipped(piece, at, len(data), "the beginning of a telegram whose end is not in the capture"))
            break
        found = read_one(partner, data[at + width : at + size], carriers)
        start = piece.offset + at
        framed = found._replace(offset=start, framing=data[at : at + width])
        cuts.append(Cut(start, framed, piece.completed(start, start + size)))
        at, aligned = at + size, True
    return cuts


def _skipped(piece: Piece, start: int, end: int, why: str) -> Skipped:
    return Skipped(piece.offset + start, end - start, piece.data[start:end], why)


def _size_at(framing: Framing, data: bytes, at: int) -> int | None:
    """The bytes of the telegram whose framing begins there, framing included; None where that is no framing.

    One whose framing is cut off is as long as can be.
    """
    width = framing.length_bytes
    if len(data) - at < width:
        return width + 1
    length = announced(framing, data[at : at + width])
    return None if length is None else width + length


def _next_telegram(partner: PartnerSpec, data: bytes, at: int) -> int:
    """The first place from `at` on where a whole telegram begins, or the end."""
    width = partner.framing.length_bytes
    while at < len(data):
        size = _size_at(partner.framing, data, at)
        if size is not None and at + size <= len(data) and decodes(partner, data[at + width : at + size]):
            return at
        at += 1
    return at
